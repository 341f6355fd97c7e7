"""Tests of results beyond an acknowledgement: effects, partial states, frames of any size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import rustuya
from rustuya import DeviceConfig, aio
from rustuya.testing import RequestReceiver, VirtualDevice

from .conftest import next_of_kind

Make = Callable[..., VirtualDevice]


def asked(requests: RequestReceiver) -> list[str | None]:
    """Returns the commands that a device has received so far."""
    names: list[str | None] = []
    while (request := requests.try_recv()) is not None:
        names.append(request.name)
    return names


def test_an_effect_is_waited_for(lamp: VirtualDevice) -> None:
    with lamp.device() as device:
        reply = device.set_dps({"1": True, "2": 7}, wait="effect")
        assert isinstance(reply, rustuya.Reply)
        assert lamp.dps() == {"1": True, "2": 7}
        assert {"1": True, "2": 7}.items() <= device.state.items()


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_what_had_no_effect_is_told(virtual_device: Make, version: str) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False})
    with lamp.device() as device:
        # It acknowledges nevertheless.
        assert device.set_value(7, True, wait="ack") is not None
        with pytest.raises(rustuya.NoEffect) as caught:
            device.set_dps({"1": True, "7": True}, wait="effect", timeout=5)
    error = caught.value
    assert (error.code, error.was_sent, error.device_id) == (904, True, "lamp")
    assert error.wanted == {"1": True, "7": True}
    assert error.shown == {"1": True}


def test_what_had_no_effect_is_told_with_asyncio(virtual_device: Make) -> None:
    lamp = virtual_device("lamp", version="3.5", dps={"1": False})

    async def main() -> None:
        async with aio.Device.of(lamp.device()) as device:
            assert (await device.set_value(1, True, wait="effect")).cmd is not None
            with pytest.raises(rustuya.NoEffect) as caught:
                await device.set_value(7, 5, wait="effect", timeout=5)
            assert (caught.value.wanted, caught.value.shown) == ({"7": 5}, {})

    asyncio.run(asyncio.wait_for(main(), 30))


def test_an_unknown_way_to_wait_is_refused(lamp: VirtualDevice) -> None:
    with lamp.device() as device, pytest.raises(rustuya.ConfigError, match="effect"):
        device.set_value(1, True, wait="affect")  # type: ignore[call-overload]
    assert lamp.dps()["1"] is False


@pytest.mark.parametrize("version", ["3.3", "3.4", "3.5"])
def test_frames_are_received_up_to_a_limit(virtual_device: Make, version: str) -> None:
    text = "x" * 9000
    lamp = virtual_device("lamp", version=version, dps={"1": text})
    with lamp.device() as device:
        assert device.query() == {"1": text}
        # The limit can be changed in place.
        device.reconfigure(receive_limit=8000)
        listener = device.listener()
        with pytest.raises(rustuya.TooLarge) as caught:
            device.query(timeout=5)
        assert caught.value.limit == 8000
        assert (caught.value.size or 0) > 9000
        assert next_of_kind(listener, "skipped").payload["limit"] == 8000
        # The connection stays up.
        lamp.set_dps({"1": "short"})
        assert next_of_kind(listener, "state").dps == {"1": "short"}
        assert device.metrics.connects == 1
    config = DeviceConfig("lamp", lamp.address, lamp.local_key, version, receive_limit=8000)
    assert config["receive_limit"] == 8000
    with pytest.raises(TypeError) as refused:
        DeviceConfig("lamp", lamp.local_key)
    assert lamp.local_key not in str(refused.value)
    with rustuya.Device(**config) as device:
        assert device.query() == {"1": "short"}


def test_named_dps_that_did_not_come_are_named(virtual_device: Make) -> None:
    lamp = virtual_device("lamp", version="3.3", dps={"20": True, "21": "white"})
    with lamp.device() as device:
        answer = device.query([20, "22"])
        assert answer == {"20": True, "21": "white"}
        assert (answer.missing, answer.partial) == ((22,), False)
        assert device.query().missing == ()


@pytest.mark.parametrize("version", ["3.2", "3.3", "3.4"])
def test_device22_is_asked_for_what_is_named(virtual_device: Make, version: str) -> None:
    lamp = virtual_device("lamp", version=version, dev_type="device22", dps={"20": True, "21": "white", "22": 5})
    with rustuya.Device(
        "lamp", lamp.address, lamp.local_key, version, dev_type="device22", query_on_connect=False
    ) as device:
        answer = device.query([20, 21, 23])
        assert answer == {"20": True, "21": "white"}
        assert (answer.missing, answer.partial) == ((23,), True)
        # Without names, the known DPs are queried.
        assert device.query() == {"20": True, "21": "white"}
        assert device.dev_type == "device22"
    assert lamp.dps() == {"20": True, "21": "white", "22": 5}


def test_device22_is_configured_and_ruled_out(virtual_device: Make, tmp_path: Path) -> None:
    lamp = virtual_device("lamp", version="3.3", dev_type="device22", dps={"1": True})
    requests = lamp.requests()
    with rustuya.Device("lamp", lamp.address, lamp.local_key, "3.3", dev_type="default") as device:
        with pytest.raises(rustuya.CommandRejected):
            device.query([1])
        assert device.dev_type == "default"
        seen = asked(requests)
        # None of them is a write for ordinary firmware.
        assert seen
        assert not {"Control", "ControlNew"} & set(seen)
    path = tmp_path / "devices.json"
    entry = {"id": "lamp", "key": lamp.local_key, "ip": lamp.ip, "port": lamp.port, "version": "3.3"}
    path.write_text(json.dumps([{**entry, "dev_type": "device22"}]), encoding="utf-8")
    [config] = DeviceConfig.load(path)
    assert config["dev_type"] == "device22"
    with rustuya.Device(**config) as device:
        assert device.query([1]) == {"1": True}
    with pytest.raises(rustuya.ConfigError, match="device22"):
        rustuya.Device("lamp", lamp.address, lamp.local_key, "3.3", dev_type="device23")


def test_values_that_json_has_not_are_not_sent(virtual_device: Make) -> None:
    lamp = virtual_device("lamp", version="3.5", dps={"1": False})
    requests = lamp.requests()
    nothings: list[rustuya.Json] = [None, float("nan"), float("inf"), [None], {"a": float("-inf")}]
    with lamp.device() as device:
        for nothing in nothings:
            with pytest.raises(rustuya.InvalidValue):
                device.set_value(1, nothing)
            with pytest.raises(rustuya.InvalidValue):
                device.set_dps({"1": nothing})

        async def main() -> None:
            for nothing in nothings:
                with pytest.raises(rustuya.InvalidValue):
                    await aio.Device.of(device).set_value(1, nothing)

        asyncio.run(asyncio.wait_for(main(), 30))
        device.set_value(1, True, wait="ack")
    assert asked(requests).count("ControlNew") == 1


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_a_device_that_refuses_every_query_does_not_keep_a_write_that_looks_for_its_effect(
    virtual_device: Make, version: str
) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": 0}, quirks=["refuse-queries=4000000000", "drop-push"])

    async def main() -> None:
        async with aio.Device(**lamp.config) as device:
            with pytest.raises(rustuya.CommandRejected):
                await device.query(timeout=0.5)
            for value in (1, 2):
                with pytest.raises(rustuya.NoEffect):
                    await asyncio.wait_for(device.set_value(1, value, wait="effect", timeout=1), 30)

    asyncio.run(main())
