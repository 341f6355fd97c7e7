"""Tests of the asyncio classes."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from typing import Any

import pytest
import rustuya
from rustuya import aio
from rustuya._loops import bridge_of_loop
from rustuya.testing import VirtualDevice

from .conftest import PORTS

# Skips here and not at the use, which would leave a coroutine that is never awaited.
UVLOOP = pytest.param("uvloop", marks=pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed"))
LOOPS = ["asyncio"] if sys.platform == "win32" else ["asyncio", UVLOOP, "without sockets"]
Make = Callable[..., VirtualDevice]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class WithoutSockets(asyncio.SelectorEventLoop):
    """A loop that cannot watch sockets, like the default one of Windows."""

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:  # type: ignore[override]
        raise NotImplementedError

    def remove_reader(self, fd: Any) -> bool:
        raise NotImplementedError


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
        return loop
    return asyncio.new_event_loop() if kind == "asyncio" else WithoutSockets()


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine in a loop of its own, with a time limit."""

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        async def limited() -> Any:
            return await asyncio.wait_for(work, 30)

        if request.param == "asyncio":
            return asyncio.run(limited())
        loop = new_loop(request.param)
        try:
            return loop.run_until_complete(limited())
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    return run


def of(device: VirtualDevice, **kwargs: Any) -> aio.Device:
    return aio.Device(device.id, device.address, device.local_key, device.version, **kwargs)


def test_every_verb(lamp: VirtualDevice, run: Run) -> None:
    async def main() -> None:
        async with of(lamp) as device:
            await device.set_value(1, True)
            assert await device.set_dps({"2": 7}, wait="ack") is not None
            assert (await device.query())["1"] is True
            await device.status()
            assert (await device.request(rustuya.CommandType.Control, {"1": False}, wait="ack")).cmd
            await device.update_dps([1])
            await device.set_value(1, True, wait="queue")
            assert await device.detect_dps() == [1, 2]
            assert await device.wait_connected() == lamp.version
            assert device.state[2] == 7
            assert (device.id, device.version, device.port) == ("lamp", lamp.version, lamp.port)
            assert (device.address, device.is_connected, device.diagnosis) == ("127.0.0.1", True, None)
            assert device.metrics.connects == 1
            assert "rustuya.aio.Device" in repr(device)
            assert device.sync.set_nowait(True).nowait
        assert device.is_closed
        assert lamp.dps()["2"] == 7

    run(main())


def test_errors_are_those_of_the_other_face(run: Run) -> None:
    async def main() -> None:
        device = aio.Device("d", "127.0.0.1:1", "0123456789abcdef", "3.3", timeout=0.2)
        with pytest.raises(rustuya.DeviceOffline) as caught:
            await device.set_value(1, True)
        assert caught.value.code == 901
        with pytest.raises(rustuya.InvalidDp):
            await device.set_value("x", 1)
        with pytest.raises(rustuya.InvalidType):
            await device.set_value(1, b"")  # type: ignore[call-overload]
        with pytest.raises(TypeError):
            aio.Device("d", "127.0.0.1")
        await device.close()
        with pytest.raises(rustuya.ClosedError):
            await device.query()

    run(main())


def test_managers_and_gateways(virtual_device: Make, run: Run) -> None:
    gate = virtual_device("gate", subs={"c": {"1": 3}})
    lamp = virtual_device("lamp", version="3.5", dps={"1": 0})

    async def main() -> None:
        async with aio.Manager() as manager:
            events = manager.listener()
            for each in (gate, lamp):
                device = manager.add(each.id, each.address, each.local_key, each.version)
                assert await device.wait_connected() == each.version
            with pytest.raises(rustuya.DuplicateDevice):
                manager.add(lamp.id, lamp.address, lamp.local_key, lamp.version)
            assert (len(manager), list(manager), "lamp" in manager) == (2, ["gate", "lamp"], True)
            assert manager.get("x") is None
            sub = manager["gate"].sub("c")
            assert await sub.query() == {"1": 3}
            await sub.set_value(1, 4, wait="ack")
            assert (sub.id, sub.gateway.id, sub.state["1"]) == ("c", "gate", 4)
            assert (await manager["gate"].sub_discover(wait="ack")) is not None
            assert manager["gate"].sub_devices() == {"c": True}
            assert sub.is_online
            assert [info.id for info in manager.list()] == ["gate", "lamp"]
            assert manager.metrics.connects == 2
            seen: list[tuple[str, str]] = []
            async for event in events:
                seen.append((event.device_id, event.kind))
                if event.cid == "c" and event.kind == "state":
                    break
            assert ("lamp", "connection") in seen
            assert manager.remove("lamp")
            assert not manager.delete("lamp")
        # The manager has ended, and with it the listener's source.
        assert all([event.device_id == "gate" async for event in events])
        await aio.Manager.shutdown_all()

    run(main())


def test_a_scanner(virtual_device: Make, run: Run) -> None:
    virtual_device("heard", announce_to=[("127.0.0.1", PORTS[1])], announce_every=0.05)

    async def main() -> None:
        scanner = aio.Scanner().ports(PORTS).bind_address("127.0.0.1").active(False).timeout(5)
        found = await scanner.discover("heard")
        assert found is not None
        assert found.ip == "127.0.0.1"
        async for each in scanner:
            assert each.id == "heard"
            break
        assert [each.id for each in await scanner.timeout(1).scan()] == ["heard"]

    run(main())


def test_receivers_time_out_and_lose_nothing_when_cancelled(virtual_device: Make, run: Run) -> None:
    device = virtual_device(dps={"1": 0})

    async def main() -> None:
        async with of(device) as dev:
            await dev.query()
            events = dev.listener()
            assert await events.recv(timeout=0.05) is None
            got: list[Any] = []

            async def take() -> None:
                async for event in events:
                    got.append(event.dps["1"])

            for value in range(60):
                task = asyncio.ensure_future(take())
                await asyncio.sleep(0)
                device.set_dps({"1": value})
                await asyncio.sleep(0.0005 * (value % 4))
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            while len(got) < 60:
                event = await events.recv(timeout=5)
                assert event is not None
                got.append(event.dps["1"])
            assert got == list(range(60))
            assert events.missed == 0
            events.close()
            for timeout in (None, 5):
                with pytest.raises(rustuya.ClosedError):
                    await events.recv(timeout)
            assert [event async for event in events] == []

    run(main())


@pytest.mark.parametrize("what", ["recv", "recv with a time limit", "query", "acknowledged", "connected"])
def test_no_cancellation_is_lost(virtual_device: Make, run: Run, what: str) -> None:
    """Covers a cancellation in the same iteration of the loop as the event."""

    async def main() -> None:
        device = virtual_device(dps={"1": 0})
        async with aio.Device.of(device.device()) as dev:
            await dev.query()
            events = dev.listener()
            calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
                "recv": events.recv,
                "recv with a time limit": lambda: events.recv(60),
                "query": dev.query,
                "acknowledged": lambda: dev.set_value(1, 5, wait="ack"),
                "connected": dev.wait_connected,
            }

            async def again() -> None:
                while True:
                    await calls[what]()
                    await asyncio.sleep(0)

            for turn in range(200):
                task = asyncio.ensure_future(again())
                await asyncio.sleep(0.001)
                device.set_dps({"1": turn})
                for _ in range(turn % 12):
                    await asyncio.sleep(0.00005)
                task.cancel()
                done, _ = await asyncio.wait([task], timeout=10)
                assert task in done
                assert task.cancelled()
            assert await dev.query() == {"1": device.dps()["1"]}

    run(main())


def test_a_cancelled_command_is_not_sent(virtual_device: Make, run: Run) -> None:
    device = virtual_device(dps={"1": 0})
    device.unplug()

    async def main() -> None:
        async with of(device) as dev:
            task = asyncio.ensure_future(dev.set_value(1, 5))
            await asyncio.sleep(0.05)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(dev.query(), 0.05)
            await asyncio.get_running_loop().run_in_executor(None, device.plug)
            dev.connect_now()
            assert await dev.query() == {"1": 0}
            assert len(bridge_of_loop()) == 0

    run(main())


def test_an_outcome_that_is_not_taken_keeps_no_other_waiting(virtual_device: Make) -> None:
    device = virtual_device(dps={"1": 0})
    device.unplug()

    class Stubborn(asyncio.Future):  # type: ignore[type-arg]
        def set_exception(self, _exception: Any) -> None:
            raise RuntimeError("not this one")

    class Loop(asyncio.SelectorEventLoop):
        stubborn = False

        def create_future(self) -> Any:
            return Stubborn(loop=self) if self.stubborn else super().create_future()

    loop = Loop()
    told: list[Any] = []
    loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))

    async def main() -> None:
        dev = of(device)
        waits: list[asyncio.Task[Any]] = []
        for n in range(5):
            loop.stubborn = n in (0, 2)
            waits.append(loop.create_task(dev.query(timeout=60)))
            # Lets the task run up to its wait.
            await asyncio.sleep(0)
            loop.stubborn = False
        others = [wait for n, wait in enumerate(waits) if n not in (0, 2)]
        assert len(bridge_of_loop()) == 5
        await dev.close()
        # One close resolves them all at once.
        for result in await asyncio.wait_for(asyncio.gather(*others, return_exceptions=True), 10):
            assert isinstance(result, rustuya.ClosedError), result

    try:
        loop.run_until_complete(asyncio.wait_for(main(), 30))
        # Each iteration of the loop reports one error.
        assert {str(error) for error in told} == {"not this one"}
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.wait(left, timeout=10))
        assert all(task.cancelled() for task in left)
    finally:
        loop.close()


def test_the_loop_goes_on_while_events_flow(virtual_device: Make, run: Run) -> None:
    device = virtual_device(dps={"1": 0})

    async def main() -> None:
        async with of(device) as dev:
            await dev.query()
            events = dev.listener()
            turns = 0

            async def tick() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            for value in range(500):
                device.set_dps({"1": value})
            ticking = asyncio.ensure_future(tick())
            count = 0
            while count < 500:
                event = await events.recv(timeout=5)
                assert event is not None
                count += 1
            # The number depends on the timing of the events; a starved loop would have none.
            assert turns >= 1
            ticking.cancel()

    run(main())


def test_callbacks_run_in_the_loop(virtual_device: Make, run: Run) -> None:
    device = virtual_device(dps={"1": 0})

    async def main() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
        async with of(device) as dev:
            await dev.query()
            seen: list[int] = []
            done = asyncio.Event()

            def note(event: rustuya.DeviceEvent) -> None:
                seen.append(threading.get_ident())
                done.set()
                raise ZeroDivisionError

            unsubscribe = dev.subscribe(note)
            await asyncio.sleep(0)
            device.set_dps({"1": 1})
            await asyncio.wait_for(done.wait(), 5)
            unsubscribe()
            await asyncio.sleep(0)
            assert seen == [threading.get_ident()]
            assert isinstance(told[0]["exception"], ZeroDivisionError)

    run(main())


def test_no_thread_per_device(virtual_device: Make, run: Run) -> None:
    device = virtual_device(dps={"1": 0}, max_clients=100)

    async def main() -> None:
        devices = [of(device) for _ in range(40)]
        assert await asyncio.gather(*(each.query() for each in devices)) == [{"1": 0}] * 40
        assert threading.active_count() < 8
        await asyncio.gather(*(each.close() for each in devices))

    run(main())


@pytest.mark.parametrize("kind", LOOPS)
def test_nothing_is_left_of_a_loop_that_was_dropped(virtual_device: Make, kind: str) -> None:
    device = virtual_device(dps={"1": 0})
    device.unplug()
    dev = of(device, timeout=60)

    def leave_work_behind() -> tuple[Any, Any]:
        loop = new_loop(kind)
        events = dev.listener()

        async def begin() -> Any:
            bridge = bridge_of_loop()
            future = dev._verbs.set_value(bridge, 1, 5, None, None)
            waiting = events._source._ready(bridge)
            assert len(bridge) >= 1
            return weakref.ref(bridge), [future, waiting]

        bridge, futures = loop.run_until_complete(begin())
        for future in futures:
            # A tuple means that an event is there already.
            if not isinstance(future, tuple):
                future.cancel()
        loop.close()
        return weakref.ref(loop), bridge

    loop, bridge = leave_work_behind()
    deadline = time.monotonic() + 10
    # The thread that wakes loops may still hold a reference.
    while (loop(), bridge()) != (None, None):
        assert time.monotonic() < deadline, (loop(), bridge())
        time.sleep(0.01)
        gc.collect()
    device.plug()
    dev.connect_now()
    # The command was dropped with its loop.
    assert dev.sync.query() == {"1": 0}
    dev.sync.close()


def test_two_loops_share_a_device(virtual_device: Make) -> None:
    device = virtual_device(dps={"1": 0}, max_clients=1)
    dev = of(device)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(dev.query()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == [{"1": 0}] * 4
    dev.sync.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="how the memory is looked at")
def test_waits_that_ended_are_forgotten(virtual_device: Make) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as numbers:
            return int(numbers.read().split()[1]) * 4096

    async def main() -> int:
        async with of(virtual_device()) as device, device.listener() as quiet:
            await device.wait_connected()
            while await quiet.recv(timeout=0.05):
                pass
            before = 0
            for count in range(50_000):
                if count == 10_000:
                    before = resident()
                task = asyncio.ensure_future(quiet.recv())
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            return resident() - before

    assert asyncio.run(main()) < 1_500_000


def test_what_asks_nobody_is_that_of_the_other_face() -> None:
    for face, other in (
        (aio.Device, rustuya.Device),
        (aio.SubDevice, rustuya.SubDevice),
        (aio.Manager, rustuya.Manager),
    ):
        missing = {name for name in dir(other) if not name.startswith(("_", "set_", "with_"))} - set(dir(face))
        assert missing == set()

    async def main() -> None:
        async with aio.Manager() as manager:
            device = manager.add("id", "127.0.0.1:1", "0123456789abcdef", "3.4", nowait=True, persist=False)
            assert (device.nowait, device.persist, device.product_key, device.last_seen) == (True, False, None, None)
            assert [each.id for each in manager.devices()] == ["id"]

    asyncio.run(main())
