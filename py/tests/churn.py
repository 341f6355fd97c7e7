"""Connects, cancels, subscribes, fails in callbacks, changes configurations and reloads managers.

Repeats that, and checks that memory, files and threads do not grow.

``python tests/churn.py 30`` runs for 30 minutes; the tests run it for some seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import itertools
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import rustuya
from rustuya import aio
from rustuya.testing import VirtualDevice
from rustuya.testing import aio as testing_aio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

VERSIONS = ["3.1", "3.3", "3.4", "3.5"]
WRONG_KEY = "fedcba9876543210"


@dataclass
class Sample:
    """Resources of the process."""

    memory: int
    """Resident memory, KiB."""
    files: int
    threads: int
    objects: int
    """Number of objects tracked by Python's garbage collector."""


TOLERANCE = Sample(memory=6 * 1024, files=4, threads=2, objects=600)
"""Largest growth from the earlier half of the samples to the later one, for any duration."""


def sample() -> Sample:
    """Counts resources, after unused objects were collected."""
    for _ in range(3):
        gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm", encoding="ascii") as told:
        memory = int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    files, threads = (len(os.listdir(f"/proc/self/{name}")) for name in ("fd", "task"))
    return Sample(memory, files, threads, len(gc.get_objects()))


def fails(_event: object) -> None:
    raise ZeroDivisionError


def connects(version: str, lamp: VirtualDevice) -> None:
    """Connects, writes, receives, closes; and again with a handle that is only dropped."""
    with lamp.device() as device:
        device.wait_connected(5)
        listener = device.listener()
        device.set_value(1, True, wait="ack")
        lamp.set_dps({"2": time.monotonic_ns() % 1000})
        assert listener.recv(timeout_ms=5000) is not None
    dropped = lamp.device()
    dropped.set_value(1, False, wait="queue")


def subscribes(version: str, lamp: VirtualDevice) -> None:
    """Subscribes functions that fail, and ends the subscriptions in both ways."""
    with lamp.device() as device:
        ends = device.subscribe(fails)
        kept = device.subscribe(lambda _event: None)
        device.query([1, 2])
        lamp.set_dps({"1": False})
        ends()
        del kept


def reconfigures(version: str, lamp: VirtualDevice) -> None:
    """Changes keys and versions of a connected device, which makes commands fail."""
    with lamp.device() as device:
        device.set_value(1, True, wait="ack")
        device.reconfigure(local_key=WRONG_KEY)
        with contextlib.suppress(rustuya.TuyaError):
            device.set_value(1, True, wait="ack", timeout=0.05)
        device.reconfigure(local_key=lamp.local_key, timeout=3)
        with contextlib.suppress(rustuya.TuyaError):
            device.set_value(1, False, wait="ack")


def reloads(version: str, lamp: VirtualDevice) -> None:
    """Adds devices to managers, and removes and ends them in every way."""
    with rustuya.Manager() as manager, rustuya.Manager() as other:
        listener = manager.listener()
        for _ in range(3):
            device = manager.add(**lamp.config)
            device.subscribe(fails)
            held = other.get(lamp.id) or other.add(**lamp.config)
            assert held.query([1])
            manager.remove(lamp.id)
        manager.add("absent", "127.0.0.1", WRONG_KEY, version, port=1)
        manager.clear()
        other.delete(lamp.id)
        while listener.try_recv() is not None:
            pass


def waits(version: str, lamp: VirtualDevice) -> None:
    """Makes workers of an executor wait for events that never come."""
    with lamp.device() as device, ThreadPoolExecutor(3) as pool:
        listener = device.listener()
        over: list[Future[object]] = [
            pool.submit(listener.recv),
            pool.submit(list, device.listener()),
            pool.submit(listener.recv, 1),
        ]
        device.close()
        for each in over:
            with contextlib.suppress(rustuya.ClosedError):
                each.result(10)


async def cancels(version: str) -> None:
    """Cancels every awaitable, at random moments."""
    async with contextlib.AsyncExitStack() as ends:
        lamp = testing_aio.VirtualDevice("loop", version=version, dps={"1": False, "2": 0}, max_clients=9)
        device, manager = lamp.device(), aio.Manager()
        for each in (lamp, device, manager):
            await ends.enter_async_context(each)
        manager.add("absent", "127.0.0.1", WRONG_KEY, version, port=1)
        device.subscribe(lambda _event: None)
        calls: list[Any] = [
            lambda: device.query(),
            lambda: device.set_value(1, True, wait="ack"),
            lambda: device.listener().recv(),
            lambda: device.listener().recv(5),
            lambda: manager.listener().recv(5),
            lambda: manager["absent"].wait_connected(5),
            lambda: manager["absent"].set_value(1, True, timeout=5),
            lambda: lamp.requests().recv(),
        ]
        tasks = [asyncio.ensure_future(call()) for call in calls * 3]
        for at, task in enumerate(tasks):
            if at % 3 == 0:
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await lamp.unplug()
        with contextlib.suppress(rustuya.TuyaError):
            await device.query(timeout=0.02)
        await lamp.plug()
        await device.wait_connected(5)


def rounds() -> Iterator[None]:
    """Runs rounds, each with another version."""
    for version in itertools.cycle(VERSIONS):
        with VirtualDevice("lamp", version=version, dps={"1": False, "2": 0}, max_clients=20) as lamp:
            for act in (connects, subscribes, reconfigures, reloads, waits):
                act(version, lamp)
        asyncio.run(cancels(version))
        yield


def churn(seconds: float, samples: int = 12) -> list[Sample]:
    """Runs rounds for ``seconds``, and samples at equal intervals, after two of them to warm up."""
    # Drops the reports of the failing callbacks.
    sys.unraisablehook = lambda _told: None
    threading.excepthook = lambda _told: None
    counted: list[Sample] = []
    each = seconds / (samples + 2)
    now = time.monotonic()
    next_at, over = now + 2 * each, now + seconds
    for number, _ in enumerate(rounds(), 1):
        now = time.monotonic()
        if now >= next_at:
            next_at += each
            counted.append(sample())
            print(f"{number:6} rounds: {counted[-1]}", flush=True)
        # On a slow machine, a round takes longer than the interval between two samples.
        if now >= over and len(counted) >= 8:
            return counted
    raise AssertionError


def growth(counted: list[Sample]) -> Sample:
    """Returns the growth from the earlier half to the later one."""
    middle = len(counted) // 2
    halves = [[median(column) for column in zip(*map(astuple, half))] for half in (counted[:middle], counted[middle:])]
    return Sample(*(int(later - earlier) for earlier, later in zip(*halves)))


def grown(counted: list[Sample]) -> str:
    """Describes the growth beyond the tolerance; empty if there is none."""
    more = growth(counted)
    names = [name for name, limit in vars(TOLERANCE).items() if getattr(more, name) > limit]
    return ", ".join(f"{name} by {getattr(more, name)}" for name in names)


if __name__ == "__main__":
    rustuya.configure(discovery=False)
    rustuya.set_log_callback(lambda _level, _name, _text: None)
    rustuya.set_log_level("INFO")
    told = churn(60 * float(sys.argv[1]), 30)
    print("growth from the first half to the second:", growth(told))
    sys.exit(grown(told) or 0)
