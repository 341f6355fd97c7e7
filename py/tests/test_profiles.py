"""Profiles of virtual devices: what they have, and what they do by themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, get_args

import pytest
import rustuya
import rustuya.typing
from rustuya.testing import PROFILES, Profile, VirtualDevice, aio

LIMIT = 20.0


def pushed(listener: Any, dp: str, value: Any) -> None:
    """Waits for a push of this value."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        event = listener.recv(1000)
        if event is not None and event.dps.get(dp) == value:
            return
    pytest.fail(f"DP {dp} was never {value!r}")


def test_every_profile_is_typed_and_starts(virtual_device: Callable[..., VirtualDevice]) -> None:
    assert list(PROFILES) == list(get_args(Profile))
    assert rustuya.typing.Profile is Profile
    for name, what in PROFILES.items():
        device = virtual_device(name, profile=name, version="3.5", strict=True, speed=0)
        assert what
        assert device.profile == name
        entry, *children = device.entries
        assert set(entry["mapping"]) == set(device.dps())
        assert {child["parent"] for child in children} <= {device.id}


def test_a_light_changes_its_mode(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device(profile="light", version="3.5")
    with lamp.device() as device, device.listener() as listener:
        device.wait_connected()
        device.set_value(24, "00f003e803e8", wait="ack")
        pushed(listener, "21", "colour")
        device.set_value(22, 5000, wait="ack")
        assert [(write["dp"], write["why"]) for write in lamp.rejected_writes] == [(22, "a value out of range")]
        assert device.query()["22"] == 1000


def test_a_curtain_moves_and_a_measurement_is_read_only(virtual_device: Callable[..., VirtualDevice]) -> None:
    curtain = virtual_device(profile="curtain", speed=60)
    with curtain.device() as device, device.listener() as listener:
        device.wait_connected()
        device.set_value(3, 50, wait="ack")
        assert curtain.rejected_writes[0]["why"] == "the DP is read-only"
        device.set_value(1, "close", wait="ack")
        pushed(listener, "3", 100)
    assert curtain.dps()["2"] == 100


def test_a_gateway_has_sub_devices(virtual_device: Callable[..., VirtualDevice]) -> None:
    gateway = virtual_device("hub", profile="gateway", version="3.5", name="The hub", speed=0)
    entries = {entry["name"]: entry for entry in gateway.entries}
    assert entries["The hub"]["port"] == gateway.port
    door = entries["Front door"]
    assert door["mapping"]["1"] == {"code": "doorcontact_state", "type": "Boolean", "values": {}}
    with gateway.device() as device:
        assert device.sub(door["node_id"]).query() == gateway.dps(door["node_id"])


def test_the_same_seed_makes_the_same_measurements() -> None:
    def measured(seed: int) -> list[Any]:
        with (
            VirtualDevice(profile="button", seed=seed, speed=3600) as button,
            button.device() as device,
            device.listener() as listener,
        ):
            events: list[Any] = []
            while len(events) < 4:
                event = listener.recv(5000)
                assert event is not None
                events += [(dp, word) for dp, word in event.dps.items() if isinstance(word, str)]
            return events[:2]

    assert measured(3) == measured(3)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"profile": "lihgt"}, rustuya.ConfigError, "there is no such profile; did you mean light\\?"),
        ({"profile": 5}, rustuya.InvalidType, "profile must be text"),
        ({"speed": -1}, rustuya.InvalidValue, "speed must be a whole number"),
        ({"speed": 1.5}, rustuya.InvalidType, "speed must be a whole number"),
        ({"seed": "x"}, rustuya.InvalidType, "seed must be a whole number"),
        ({"name": 1}, rustuya.InvalidType, "name must be text"),
    ],
)
def test_arguments_that_cannot_be_are_refused(wrong: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        VirtualDevice(**wrong)


def test_the_asyncio_face_has_profiles_too() -> None:
    async def main() -> None:
        async with aio.VirtualDevice(profile="thermostat", speed=600, seed=1, name="Bath") as thermostat:
            assert thermostat.profile == "thermostat"
            assert thermostat.entries[0]["name"] == "Bath"
            async with thermostat.device() as device, device.listener() as listener:
                await device.wait_connected(timeout=LIMIT)
                await device.set_value(2, 300, wait="ack")
                async for event in listener:
                    if event.dps.get("3") == 300:
                        break

    asyncio.run(asyncio.wait_for(main(), LIMIT))
