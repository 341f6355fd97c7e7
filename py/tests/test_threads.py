"""Tests of objects that many threads use at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import sys
import sysconfig
import threading
import time
from collections.abc import Callable

import pytest
import rustuya
from rustuya import aio
from rustuya.testing import VirtualDevice

SECONDS = float(os.environ.get("RUSTUYA_STRESS_SECONDS", "1"))
THREADS = 16
Work = Callable[[random.Random], object]


def together(*kinds: Work) -> None:
    """Repeats every kind of work in several threads, until the time is over or one fails."""
    failures: list[BaseException] = []
    ends = time.monotonic() + SECONDS
    start = threading.Barrier(THREADS)

    def run(at: int) -> None:
        chance = random.Random(at)
        try:
            start.wait(10)
            while time.monotonic() < ends and not failures:
                kinds[at % len(kinds)](chance)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 60)
    assert not any(thread.is_alive() for thread in threads)
    if failures:
        raise failures[0]


def test_one_device(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": 0, "2": 0}, max_clients=8)
    with device.device() as dev:
        dev.wait_connected()
        shared = dev.listener()
        taken: list[int] = []
        called: list[int] = []
        subscription = dev.subscribe(lambda event: called.append(len(event)))

        def write(chance: random.Random) -> None:
            with contextlib.suppress(rustuya.DeviceBusy):
                dev.set_value(chance.randint(1, 2), chance.randint(0, 99), wait=chance.choice([None, "queue"]))

        def ask(_chance: random.Random) -> None:
            with contextlib.suppress(rustuya.DeviceBusy):
                assert set(dev.query(timeout=30)) == {"1", "2"}

        def read(_chance: random.Random) -> None:
            # One receiver, several threads; one event, several readers of its attributes.
            event = shared.recv(timeout_ms=20)
            if event is not None:
                assert event.payload is not None or event.kind in {"connection", "acknowledgement"}
                assert dict(event).get("dps", {}) is not None
                taken.append(1)

        def look(chance: random.Random) -> None:
            assert set(dev.state) <= {"1", "2"}
            assert dev.metrics.sent >= 0
            assert dev.set_nowait(chance.random() < 0.5).id == device.id
            assert device.local_key not in repr(dev)

        def listen(_chance: random.Random) -> None:
            with dev.listener() as mine:
                mine.try_recv()
            dev.subscribe(print)()

        together(write, ask, read, look, listen)
        subscription()
        assert taken
        assert called


def test_one_event_read_by_all(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={str(dp): dp for dp in range(1, 30)})
    with device.device() as dev:
        listener = dev.listener()
        current: list[rustuya.DeviceEvent] = []
        lock = threading.Lock()

        def renew(_chance: random.Random) -> None:
            dev.status()
            event = listener.recv(timeout_ms=5000)
            if event is not None and event.kind == "state":
                with lock:
                    current[:] = [event]

        def read(_chance: random.Random) -> None:
            # Payload and DPs are made by the first reader, in any thread.
            for event in list(current):
                assert event.dps["7"] == 7
                assert event["payload"]["dps"]["7"] == 7
                assert event.payload is event.payload
                assert len(list(event.items())) == len(event)

        together(renew, read, read, read)
        assert current


def test_one_manager(virtual_device: Callable[..., VirtualDevice]) -> None:
    devices = [virtual_device(f"device-{at}", dps={"1": at}, max_clients=8) for at in range(4)]
    with rustuya.Manager() as manager:
        listener = manager.listener()

        def add(chance: random.Random) -> None:
            device = chance.choice(devices)
            with contextlib.suppress(rustuya.DuplicateDevice):
                manager.add(device.id, device.address, device.local_key, device.version)

        def remove(chance: random.Random) -> None:
            chance.choice([manager.remove, manager.delete])(chance.choice(devices).id)
            time.sleep(0.01)

        def use(chance: random.Random) -> None:
            known = manager.get(chance.choice(devices).id)
            # Another thread may end the receiver.
            with contextlib.suppress(rustuya.TuyaError):
                if known is not None:
                    known.query(timeout=5)

        def look(_chance: random.Random) -> None:
            assert all(info.id.startswith("device-") for info in manager.list())
            assert len(list(manager)) <= len(devices)
            assert manager.metrics.connects >= 0
            listener.recv(timeout_ms=1)

        together(add, remove, use, look)


def test_logs(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": 0})
    seen: list[str] = []

    def tell(_level: int, _name: str, text: str) -> None:
        seen.append(text)

    with device.device() as dev:

        def ask(_chance: random.Random) -> None:
            with contextlib.suppress(rustuya.DeviceBusy):
                dev.query(timeout=30)

        def switch(chance: random.Random) -> None:
            rustuya.set_log_callback(chance.choice([tell, None]))
            rustuya.set_log_level(chance.choice([logging.DEBUG, logging.WARNING]))

        try:
            together(ask, ask, switch)
        finally:
            rustuya.set_log_level(logging.WARNING)
            rustuya.set_log_callback(None)
    assert seen


def test_loops(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": 0}, max_clients=8)
    with device.device() as dev:

        async def use() -> None:
            this = aio.Device.of(dev)
            async with this.listener() as events:
                await asyncio.gather(*(this.query(timeout=30) for _ in range(4)))
                await events.recv(timeout=0.01)
                # A cancelled operation is dropped at any point.
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(this.set_value(1, 1, wait="ack"), 0.0005)

        def loop(_chance: random.Random) -> None:
            with contextlib.suppress(rustuya.DeviceBusy):
                asyncio.run(use())

        def collect(_chance: random.Random) -> None:
            gc.collect()
            time.sleep(0.01)

        together(loop, loop, loop, collect)


def test_a_callback_that_looks_at_its_subscription_when_it_goes(
    virtual_device: Callable[..., VirtualDevice],
) -> None:
    ended: list[bool] = []

    class Last:
        """Callback that only the subscription references."""

        def __call__(self, _event: object) -> None: ...

        def __del__(self) -> None:
            ended.append(subscription.active)

    with virtual_device(dps={"1": 0}).device() as dev:
        subscription = dev.subscribe(Last())
        thread = threading.Thread(target=subscription, daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
    assert ended == [False]


def test_handles_that_come_and_go(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": 0}, max_clients=64)

    def come_and_go(chance: random.Random) -> None:
        dev = device.device()
        if chance.random() < 0.5:
            with contextlib.suppress(rustuya.TuyaError):
                dev.query(timeout=5)
        dev.close()
        with pytest.raises(rustuya.ClosedError):
            dev.query()

    together(come_and_go)


def test_importing_leaves_the_gil_as_it_is() -> None:
    enabled = getattr(sys, "_is_gil_enabled", None)
    if enabled is None:
        pytest.skip("this interpreter always has one")
    expected = os.environ.get("PYTHON_GIL") == "1" or not sysconfig.get_config_var("Py_GIL_DISABLED")
    assert enabled() == expected
