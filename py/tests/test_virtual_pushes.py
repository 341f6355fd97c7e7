"""Tests pushes of virtual devices, refused values that no device sends, and their synchronous and asyncio classes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rustuya
from rustuya import aio
from rustuya.testing import VirtualDevice
from rustuya.testing import aio as testing_aio

VERSIONS = ["3.1", "3.2", "3.3", "3.4", "3.5"]
ROUNDS = 1000
Make = Callable[..., VirtualDevice]


def heard(listener: rustuya.DeviceMessageReceiver, value: int) -> bool:
    """Returns whether an event with this value arrives, among others."""
    while True:
        event = listener.recv(timeout_ms=10_000)
        if event is None or event.dps.get("1") == value:
            return event is not None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_push_right_after_wait_connected_arrives(virtual_device: Make, version: str) -> None:
    lamp = virtual_device(version=version, dps={"1": 0}, max_clients=50)
    for value in range(1, ROUNDS + 1):
        with lamp.device() as device:
            device.wait_connected()
            listener = device.listener()
            lamp.set_dps({"1": value})
            assert heard(listener, value), f"push {value} was lost"
    assert lamp.lost_pushes == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_a_push_right_after_wait_connected_arrives_in_a_loop(version: str) -> None:
    async def main() -> None:
        async with testing_aio.VirtualDevice(version=version, dps={"1": 0}, max_clients=50) as lamp:
            for value in range(1, 201):
                async with lamp.device() as device:
                    await device.wait_connected()
                    listener = device.listener()
                    lamp.set_dps({"1": value})
                    while True:
                        event = await listener.recv(10)
                        assert event is not None, f"push {value} was lost"
                        if event.dps.get("1") == value:
                            break

    asyncio.run(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_value_that_is_set_again_is_pushed_by_hand_and_by_3_5(virtual_device: Make, version: str) -> None:
    lamp = virtual_device(version=version, dps={"1": 5, "2": 0})
    with lamp.device() as device, lamp.device() as other:
        device.wait_connected()
        other.wait_connected()
        device.query([1])
        other.query([1])
        listener = other.listener()
        lamp.set_dps({"1": 5})
        assert heard(listener, 5)
        # Only 3.5 pushes a written value that does not change.
        device.set_value(1, 5, wait="ack")
        lamp.set_dps({"2": 1})
        told: list[rustuya.DeviceEvent] = []
        while not told or "2" not in told[-1].dps:
            event = listener.recv(timeout_ms=10_000)
            assert event is not None
            told.append(event)
        assert [event.dps for event in told if event.dps.get("1") == 5] == ([{"1": 5}] if version == "3.5" else [])


@pytest.mark.parametrize(
    ("dps", "error"),
    [
        ({"1": None}, rustuya.InvalidValue),
        ({"1": float("nan")}, rustuya.InvalidValue),
        ({"1": float("inf")}, rustuya.InvalidValue),
        ({"1": [1]}, rustuya.InvalidValue),
        ({"1": (1, 2)}, rustuya.InvalidValue),
        ({"1": {"a": 1}}, rustuya.InvalidValue),
        ({"1": 2**63}, rustuya.InvalidValue),
        ({"1": -(2**63) - 1}, rustuya.InvalidValue),
        ({"1": 2**64}, rustuya.InvalidValue),
        ({"1": "x" * 48_001}, rustuya.InvalidValue),
        ({"1": b"raw"}, rustuya.InvalidType),
        ({1.5: 1}, rustuya.InvalidType),
        ({None: 1}, rustuya.InvalidType),
        ({True: 1}, rustuya.InvalidType),
        ({"one": 1}, rustuya.InvalidDp),
        ({-1: 1}, rustuya.InvalidDp),
        ({65536: 1}, rustuya.InvalidDp),
    ],
)
def test_what_no_device_sends_is_refused(virtual_device: Make, dps: dict[Any, Any], error: type[Exception]) -> None:
    lamp = virtual_device(dps={"1": True, "2": 1})
    with pytest.raises(error):
        lamp.set_dps({"2": 2, **dps})
    assert lamp.dps() == {"1": True, "2": 1}
    if dps != {"1": None}:
        with pytest.raises(error):
            VirtualDevice(dps=dps)
    for value in (2**63 - 1, -(2**63), 0.1, "x" * 48_000, False):
        lamp.set_dps({"1": value})
        assert lamp.dps()["1"] == value


@pytest.mark.parametrize("version", VERSIONS)
def test_config_is_all_that_a_controller_needs(virtual_device: Make, version: str) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": 7})
    assert sorted(lamp.config) == ["address", "dev_type", "id", "local_key", "port", "version"]
    with rustuya.Device(**lamp.config) as device:
        assert (device.version, device.port, device.dev_type) == (version, lamp.port, lamp.config["dev_type"])
        assert device.query([1]) == {"1": 7}
    with rustuya.Manager() as manager:
        assert manager.add(**lamp.config).query([1]) == {"1": 7}

    async def main() -> None:
        async with aio.Device(**testing_aio.VirtualDevice.of(lamp).config) as device:
            assert await device.query([1]) == {"1": 7}

    asyncio.run(main())


def test_config_tells_the_dialect(virtual_device: Make) -> None:
    lamp = virtual_device(version="3.3", dev_type="device22", dps={"7": 1})
    assert lamp.config["dev_type"] == "device22"
    with rustuya.Device(**lamp.config) as device:
        assert device.query([7]) == {"7": 1}


def test_a_loop_can_do_all_that_threads_can() -> None:
    async def main() -> None:
        async with testing_aio.VirtualDevice("lamp", version="3.5", dps={"1": False}, subs={"c": {"1": 1}}) as lamp:
            same = {name for name in dir(VirtualDevice) if not name.startswith("_")}
            assert same <= set(dir(lamp))
            for name in ("id", "local_key", "version", "address", "ip", "port", "probe_address", "config", "strict"):
                assert getattr(lamp, name) == getattr(lamp.sync, name)
            async with lamp.device() as device, lamp.requests() as requests:
                await device.set_value(1, True, wait="ack")
                async for request in requests:
                    if request.payload:
                        break
                assert lamp.dps() == {"1": True}
                assert lamp.dps("c") == {"1": 1}
                lamp.set_online("c", False)
                await device.set_value(9, True, wait="ack")
                assert [write["dp"] for write in lamp.rejected_writes] == [9]
                with pytest.raises(AssertionError):
                    lamp.check()
                await lamp.unplug()
                with pytest.raises(rustuya.TuyaError):
                    await device.query(timeout=0.2)
                await lamp.plug()
                assert await device.wait_connected() == "3.5"
        await lamp.stop()

    asyncio.run(main())


def test_strict_devices_of_a_loop_fail_at_the_end() -> None:
    async def main() -> None:
        async with testing_aio.VirtualDevice(version="3.4", dps={"1": False}, strict=True) as lamp:
            device = lamp.device()
            await device.set_value(7, True, wait="ack")
            await device.close()

    with pytest.raises(AssertionError, match="DP 7"):
        asyncio.run(main())


SUITE = """
import asyncio
import pytest
from rustuya import Device

@pytest.fixture(scope="session")
def heating(session_virtual_device):
    return session_virtual_device("heating", version="3.4", dps={"2": 0})

@pytest.mark.parametrize("value", range(6))
def test_shared(heating, value):
    heating.set_dps({"2": value})
    with Device(**heating.config) as device:
        assert device.query()["2"] == value

def test_loop(aio_virtual_device):
    async def main():
        lamp = aio_virtual_device(dps={"1": 1})
        async with lamp.device() as device:
            assert await device.query() == {"1": 1}
    asyncio.run(main())

def test_strict(virtual_device):
    with virtual_device(dps={"1": 1}, strict=True).device() as device:
        device.set_value(1, 2, wait="ack")
"""


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["plain", "xdist"])
def test_the_fixtures_work(tmp_path: Path, options: list[str]) -> None:
    if options:
        pytest.importorskip("xdist")
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "test_suite.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout
