"""Tests that every loop over events ends with an exception or the end of the iteration, never with a repeated value."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import rustuya
from rustuya import aio
from rustuya.testing import VirtualDevice


def sources(lamp: VirtualDevice, manager: rustuya.Manager) -> dict[str, tuple[Any, Callable[[], object]]]:
    """Creates receivers of every kind, with the call that ends each."""
    device = manager.add("lamp", lamp.address, lamp.local_key, "3.4")
    scanner = rustuya.Scanner().bind_address("127.0.0.1").timeout(60)
    stream, sweep = scanner.stream(), scanner.sweep("127.0.0.0/30")
    requests = lamp.requests()
    return {
        "device": (device.listener(), device.close),
        "manager": (manager.listener(), manager.shutdown),
        "scan": (stream, stream.close),
        "sweep": (sweep, sweep.close),
        "requests": (requests, lamp.stop),
    }


@pytest.fixture
def source(
    request: pytest.FixtureRequest, virtual_device: Callable[..., VirtualDevice], manager: rustuya.Manager
) -> tuple[Any, Callable[[], object]]:
    lamp = virtual_device("lamp", version="3.4", dps={"1": 0})
    return sources(lamp, manager)[request.param]


KINDS = pytest.mark.parametrize("source", ["device", "manager", "scan", "sweep", "requests"], indirect=True)


@KINDS
@pytest.mark.parametrize("timeout_ms", [None, 60_000])
def test_threads_that_receive_come_to_an_end(
    source: tuple[Any, Callable[[], object]], timeout_ms: float | None
) -> None:
    receiver, end = source
    ended: list[type[BaseException]] = []

    def receive() -> None:
        try:
            while True:
                assert receiver.recv(timeout_ms) is not None
        except rustuya.ClosedError as error:
            ended.append(type(error))

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    end()
    thread.join(30)
    assert not thread.is_alive()
    assert ended == [rustuya.ClosedError]
    assert receiver.is_closed
    for limit in (None, 0, 50):
        with pytest.raises(rustuya.ClosedError):
            receiver.recv(limit)
    assert list(receiver) == []


@KINDS
def test_threads_that_iterate_come_to_an_end(source: tuple[Any, Callable[[], object]]) -> None:
    receiver, end = source
    thread = threading.Thread(target=lambda: [None for _ in receiver], daemon=True)
    thread.start()
    end()
    thread.join(30)
    assert not thread.is_alive()


@KINDS
def test_loops_of_asyncio_come_to_an_end(source: tuple[Any, Callable[[], object]]) -> None:
    async def main() -> None:
        receiver: aio.Receiver[Any] = aio.Receiver(source[0])

        async def receive(timeout: float | None) -> None:
            while True:
                assert await receiver.recv(timeout) is not None

        async def iterate() -> None:
            async for _ in receiver:
                pass

        waiting = [asyncio.ensure_future(each) for each in (receive(None), receive(60), iterate())]
        await asyncio.sleep(0.01)
        await asyncio.get_running_loop().run_in_executor(None, source[1])
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
        assert [type(result) for result in results] == [rustuya.ClosedError, rustuya.ClosedError, type(None)]
        with pytest.raises(rustuya.ClosedError):
            await receiver.recv(0.05)

    asyncio.run(main())


def test_the_documented_loop_in_an_executor_ends_with_the_device(
    virtual_device: Callable[..., VirtualDevice], manager: rustuya.Manager
) -> None:
    lamp = virtual_device("lamp", version="3.4", dps={"1": 0})
    device = manager.add("lamp", lamp.address, lamp.local_key, "3.4")
    turns = 0

    async def async_listener() -> None:
        nonlocal turns
        loop = asyncio.get_running_loop()
        listener = device.listener()
        while True:
            await loop.run_in_executor(None, listener.recv)
            turns += 1

    async def main() -> None:
        task = asyncio.ensure_future(async_listener())
        await asyncio.sleep(0.1)
        await asyncio.get_running_loop().run_in_executor(None, manager.shutdown)
        with pytest.raises(rustuya.ClosedError):
            await asyncio.wait_for(task, 30)

    asyncio.run(main())
    assert turns < 20
