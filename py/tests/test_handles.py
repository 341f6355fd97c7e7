"""Tests that one device has one connection: handles share it, are equal, and can be subclassed; tests callbacks."""

from __future__ import annotations

import asyncio
import functools
import gc
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rustuya
from rustuya import aio
from rustuya.testing import VirtualDevice


@pytest.fixture
def lamp(virtual_device: Callable[..., VirtualDevice]) -> VirtualDevice:
    """Creates a device that accepts one client."""
    return virtual_device("shared", version="3.4", dps={"1": 0}, max_clients=1)


def config(lamp: VirtualDevice) -> dict[str, Any]:
    return {"id": lamp.id, "address": lamp.address, "local_key": lamp.local_key, "version": lamp.version}


def test_a_device_shares_the_connection_of_managers(lamp: VirtualDevice) -> None:
    with rustuya.Manager() as manager:
        managed = manager.add(**config(lamp))
        assert managed.query() == {"1": 0}
        for device in (rustuya.Device(**config(lamp)), rustuya.Device(lamp.id, local_key=lamp.local_key)):
            assert device == managed
            assert hash(device) == hash(managed)
            assert len({device, managed, manager[lamp.id]}) == 1
            assert device.query(timeout=3) == {"1": 0}
            device.close()
            assert device.is_closed
            assert not managed.is_closed
            with pytest.raises(rustuya.ClosedError):
                device.query()
            with pytest.raises(rustuya.ClosedError):
                device.listener()
            device.close()
        assert managed.query() == {"1": 0}
        assert managed.metrics.connects == 1


def test_what_a_closed_handle_hears_ends_while_others_go_on(lamp: VirtualDevice) -> None:
    with rustuya.Manager() as manager:
        managed = manager.add(**config(lamp))
        managed.wait_ready()
        device, other = rustuya.Device(**config(lamp)), rustuya.Device(**config(lamp))
        listener, goes_on = device.listener(), other.listener()
        told: list[rustuya.DeviceEvent] = []
        subscription = device.subscribe(told.append)
        lamp.set_dps({"1": 7})
        heard = goes_on.recv(5000)
        assert heard is not None
        assert heard.dps == {"1": 7}
        iterates = threading.Thread(target=lambda: told.extend(device.listener()), daemon=True)
        iterates.start()
        device.close()
        # Earlier events are delivered.
        assert [event.dps for event in listener] == [{"1": 7}]
        assert listener.is_closed
        with pytest.raises(rustuya.ClosedError):
            listener.recv(50)
        iterates.join(30)
        assert not iterates.is_alive()
        deadline = time.monotonic() + 10
        while subscription.active:
            assert time.monotonic() < deadline, "it goes on"
            time.sleep(0.005)
        known = len(told)
        lamp.set_dps({"1": 8})
        assert goes_on.recv(5000) is not None
        assert len(told) == known
        with pytest.raises(rustuya.ClosedError):
            device.reconfigure(nowait=True)
        assert not managed.nowait

        async def main() -> None:
            tasks = len(asyncio.all_tasks())
            async with aio.Device(**config(lamp)) as here:
                events, nothing = here.listener(), asyncio.ensure_future(here.listener().recv())
                here.subscribe(told.append)
                await asyncio.sleep(0.01)
            assert [event async for event in events] == []
            with pytest.raises(rustuya.ClosedError):
                await asyncio.wait_for(nothing, 30)
            while len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0.01)

        asyncio.run(asyncio.wait_for(main(), 60))
        other.close()
        assert managed.query() == {"1": 8}


def test_a_shared_device_needs_not_be_found() -> None:
    program = """
import rustuya
from rustuya.testing import VirtualDevice
rustuya.configure(discovery=False)
virtual = VirtualDevice("shared", dps={"1": 0})
with rustuya.Manager() as manager:
    manager.add(**virtual.config)
    with rustuya.Device("shared", local_key=virtual.local_key) as device:
        assert device == manager["shared"]
    assert not manager["shared"].is_closed
try:
    rustuya.Device("another", local_key=virtual.local_key)
except rustuya.DiscoveryError as error:
    print("not found")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("not found\n", "")


def test_the_connection_ends_with_the_last_who_holds_it(lamp: VirtualDevice) -> None:
    first = rustuya.Device(**config(lamp))
    manager = rustuya.Manager()
    managed = manager.add(**config(lamp))
    assert first == managed
    manager.shutdown()
    assert first.query() == {"1": 0}
    second = aio.Device(**config(lamp))
    assert second.sync == first
    first.close()
    assert (second.is_closed, managed.is_closed) == (False, False)
    assert second.sync.query() == {"1": 0}
    asyncio.run(second.close())
    assert second.is_closed
    assert managed.is_closed
    with rustuya.Device(**config(lamp)) as again:
        assert again != managed
        assert again.query() == {"1": 0}


def test_a_handle_that_is_forgotten_lets_go(lamp: VirtualDevice) -> None:
    device = rustuya.Device(**config(lamp))
    assert device.query() == {"1": 0}
    del device
    gc.collect()
    other = rustuya.Device(lamp.id, lamp.address, lamp.local_key, lamp.version, timeout=20)
    assert other.query() == {"1": 0}
    other.close()


def test_another_description_is_a_conflict_that_says_what_to_do(lamp: VirtualDevice) -> None:
    with rustuya.Manager() as manager:
        managed = manager.add(**config(lamp))
        for change in (
            {"address": "127.0.0.2"},
            {"local_key": "fedcba9876543210"},
            {"version": "3.5"},
            {"port": 6669},
            {"nowait": True},
            {"query_on_connect": False},
        ):
            for face in (rustuya.Device, aio.Device):
                wanted: dict[str, Any] = {**config(lamp), **change}
                with pytest.raises(rustuya.DeviceConflict, match=r"Manager.add\(\) or reconfigure\(\)") as caught:
                    face(**wanted)
                assert (caught.value.device_id, caught.value.code) == (lamp.id, 912)
                assert "0123456789abcdef" not in str(caught.value)
        assert managed.query() == {"1": 0}


def test_sub_devices_are_equal_by_gateway_and_cid(virtual_device: Callable[..., VirtualDevice]) -> None:
    gateway = virtual_device("gateway", version="3.4", dps={"1": 0})
    with gateway.device() as one, gateway.device() as two:
        assert one != two
        assert one.sub("a") == one.sub("a")
        assert hash(one.sub("a")) == hash(one.sub("a"))
        assert one.sub("a") != one.sub("b")
        assert one.sub("a") != two.sub("a")
        assert one.sub("a") != one
        assert aio.Device.of(one) == aio.Device.of(one)
        assert aio.Device.of(one).sub("a") == aio.Device.of(one).sub("a")
        assert len({aio.Device.of(one), aio.Device.of(one), aio.Device.of(two)}) == 2


class Lamp(rustuya.Device):
    def __init__(self, lamp: VirtualDevice, room: str) -> None:
        super().__init__(lamp.id, lamp.address, lamp.local_key, lamp.version)
        self.room = room

    def count(self) -> object:
        return self.query()["1"]


class AsyncLamp(aio.Device):
    def __init__(self, lamp: VirtualDevice, room: str) -> None:
        super().__init__(lamp.id, lamp.address, lamp.local_key, lamp.version)
        self.room = room

    async def count(self) -> object:
        return (await self.query())["1"]


class Plain(rustuya.Device):
    """Adds no __init__."""


class Forgetful(rustuya.Device):
    def __init__(self) -> None:
        pass


def test_devices_can_be_subclassed_in_both_faces(lamp: VirtualDevice, tmp_path: Path) -> None:
    with Lamp(lamp, room="hall") as sync:
        assert (sync.room, sync.count()) == ("hall", 0)
        assert isinstance(sync, rustuya.Device)
        assert sync == rustuya.Device(**config(lamp))
        assert sync.set_nowait(False) is sync

        async def main() -> None:
            async with AsyncLamp(lamp, "hall") as device:
                assert (device.room, await device.count()) == ("hall", 0)
                assert device.sync == sync

        asyncio.run(main())
        assert sync.count() == 0
    with Plain(**config(lamp)) as plain:
        assert plain.query() == {"1": 0}
    with pytest.raises(rustuya.ClosedError, match=r"super\(\).__init__"):
        Forgetful().query()
    file = tmp_path / "devices.json"
    file.write_text(f'[{{"id": "{lamp.id}", "key": "{lamp.local_key}", "ip": "{lamp.address}", "version": "3.4"}}]')
    with Plain.from_devices_file(file) as listed:
        assert type(listed) is Plain
        assert listed.query() == {"1": 0}


def test_the_synchronous_face_refuses_async_callbacks(lamp: VirtualDevice, manager: rustuya.Manager) -> None:
    async def callback(event: rustuya.DeviceEvent) -> None: ...

    class Calls:
        async def __call__(self, event: object) -> None: ...

    with lamp.device() as device:
        for function in (callback, functools.partial(callback), Calls()):
            for source in (device, manager):
                with pytest.raises(TypeError, match=r"rustuya\.aio"):
                    source.subscribe(function)


def test_generators_are_refused_as_callbacks(lamp: VirtualDevice, manager: rustuya.Manager) -> None:
    def generator(event: object) -> Iterator[object]:
        yield event

    async def async_generator(event: object) -> AsyncIterator[object]:
        yield event

    class Calls:
        def __call__(self, event: object) -> Iterator[object]:
            yield event

    functions: list[Callable[[object], object]] = [generator, async_generator, Calls()]
    with lamp.device() as device:
        for function in functions:
            for source in (device, manager):
                with pytest.raises(TypeError, match="yield"):
                    source.subscribe(function)

    async def main() -> None:
        async with aio.Device.of(lamp.device()) as device:
            for function in functions:
                with pytest.raises(TypeError, match="yield"):
                    device.subscribe(function)

    asyncio.run(main())


def test_the_other_face_awaits_them_one_after_the_other(lamp: VirtualDevice) -> None:
    async def main() -> None:
        async with aio.Device.of(lamp.device()) as device:
            seen: list[object] = []
            done = asyncio.Event()
            busy = False

            async def callback(event: rustuya.DeviceEvent) -> None:
                nonlocal busy
                assert not busy
                busy = True
                await asyncio.sleep(0.001)
                busy = False
                if event.kind == "state" and event.dps["1"] in range(1, 6):
                    seen.append(event.dps["1"])
                if len(seen) == 5:
                    unsubscribe()
                    await asyncio.sleep(0.001)
                    done.set()

            await device.wait_ready()
            unsubscribe = device.subscribe(callback)
            for number in range(1, 6):
                await device.set_value(1, number, wait="ack")
            await asyncio.wait_for(done.wait(), 10)
            assert seen == [1, 2, 3, 4, 5]

    asyncio.run(main())
