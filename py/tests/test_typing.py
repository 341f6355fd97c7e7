"""Tests that the engine returns the types of `rustuya.typing`, and values survive a round trip."""

from __future__ import annotations

import asyncio
import math
import typing
from collections import OrderedDict, UserDict, deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
import rustuya
import rustuya.aio
import rustuya.typing
from rustuya import _native, codec
from rustuya.testing import QUIRKS, VirtualDevice

from .conftest import next_of_kind

FLOATS = [0.1, 1.1, -2.5, 1e-7, 1.7976931348623157e308, 5e-324, 0.1 + 0.2, 123456789.123456789, 2.0]


@pytest.mark.parametrize(("name", "given"), _native.vocabulary())
def test_words_are_those_of_the_engine(name: str, given: list[str]) -> None:
    assert sorted(typing.get_args(getattr(rustuya.typing, name))) == sorted(given)
    assert "other" not in given


def test_the_choice_of_a_dialect_is_every_dialect_and_auto() -> None:
    dialects = set(typing.get_args(rustuya.typing.DeviceType))
    choices = typing.get_args(rustuya.typing.DeviceTypeChoice)
    assert set(choices) == dialects | {"Auto"}
    for choice in choices:
        rustuya.Device("choice", "127.0.0.1:1", "0123456789abcdef", "3.3", dev_type=choice).close()


def test_every_behaviour_without_a_number_has_its_word() -> None:
    named = set(typing.get_args(rustuya.typing.Quirk))
    assert named == {name for name in QUIRKS if "=" not in name}


def test_types_can_be_looked_into_at_run_time() -> None:
    for name in rustuya.typing.__all__:
        assert getattr(rustuya.typing, name) is not None
    for payload in typing.get_args(rustuya.typing.EventPayload):
        assert typing.get_type_hints(payload)
    assert typing.get_type_hints(rustuya.typing.RejectedWrite)


def keys(payload: Any) -> set[str]:
    return set(payload.__annotations__)


def test_payloads_have_the_keys_of_their_types(virtual_device: Callable[..., VirtualDevice]) -> None:
    gateway = virtual_device("gateway", dps={"1": True}, subs={"c": {"1": 1}})
    with gateway.device() as device, device.listener() as listener:
        device.wait_connected()

        def connection(key: str) -> dict[str, Any]:
            while True:
                payload: dict[str, Any] = next_of_kind(listener, "connection").payload
                if key in payload and payload.get("connected", True) is (key != "reason"):
                    return payload

        gateway.unplug()
        down = connection("reason")
        assert set(down) == keys(rustuya.typing.ConnectionDown)
        assert down["reason"] in typing.get_args(rustuya.typing.Reason)
        device.set_nowait(True).set_value(1, True, timeout=0.05)
        assert set(next_of_kind(listener, "error").payload) == keys(rustuya.typing.FailedCommand)
        gateway.plug()
        device.connect_now()
        assert set(connection("version")) == keys(rustuya.typing.ConnectionUp)
        gateway.set_online("c", False)
        assert set(connection("cid")) == keys(rustuya.typing.SubDeviceChange)


def test_a_lagging_listener_and_a_skipped_frame_have_theirs(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device(dps={"1": 0, "2": "x" * 3000})
    small = rustuya.Device("virtual-device", lamp.address, lamp.local_key, lamp.version, receive_limit=1024)
    with small, small.listener() as listener:
        small.wait_connected()
        small.set_nowait(True).status()
        assert set(next_of_kind(listener, "skipped").payload) == keys(rustuya.typing.SkippedFrame)
    slow = rustuya.Device("virtual-device", lamp.address, lamp.local_key, lamp.version, backlog_limit=8192)
    with slow, slow.listener() as listener:
        slow.wait_connected()
        # Their events are not taken, and each is larger than a third of the queue.
        for _ in range(8):
            slow.query()
        assert set(next_of_kind(listener, "lag").payload) == keys(rustuya.typing.LostEvents)


def test_a_rejected_write_has_the_keys_of_its_type(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device(dps={"1": True})
    with lamp.device() as device:
        device.set_value(7, 1, wait="ack")
    (rejected,) = lamp.rejected_writes
    assert set(rejected) == keys(rustuya.typing.RejectedWrite)
    assert (rejected["dp"], rejected["value"]) == (7, 1)


@pytest.mark.parametrize("version", typing.get_args(rustuya.typing.ProtocolVersion))
def test_floats_survive_exactly(virtual_device: Callable[..., VirtualDevice], version: str) -> None:
    lamp = virtual_device(version=version, dps={str(dp): 0.5 for dp in range(1, len(FLOATS) + 1)})
    written = {str(dp): value for dp, value in enumerate(FLOATS, 1)}
    with lamp.device() as device:
        device.wait_ready()
        listener, requests = device.listener(), lamp.requests()
        device.set_dps(written, wait="ack")
        assert lamp.dps() == written
        assert device.query(list(written)) == written
        assert dict(device.state) == written
        assert next_of_kind(listener, "state").dps == written
        while "1" not in str((request := requests.recv(timeout_ms=5000)) and request.payload):
            pass
        changed = {
            dp: math.nextafter(value, 0) if hasattr(math, "nextafter") else value for dp, value in written.items()
        }
        lamp.set_dps(changed)
        while (event := next_of_kind(listener, "state")).dps != changed:
            assert event.dps

    async def in_asyncio() -> None:
        async with rustuya.aio.Device("virtual-device", lamp.address, lamp.local_key, version) as device:
            reply = await device.set_dps(written, wait="effect")
            assert set(reply.dps.items()) <= set(written.items())
            assert await device.query(list(written)) == written
            assert dict(device.state) == written

    asyncio.run(in_asyncio())
    (frame,), _ = codec.decode(
        version, lamp.local_key, codec.encode(version, lamp.local_key, 9, written), sender="client"
    )
    assert frame.payload == written


def test_values_of_any_mapping_and_sequence_are_taken(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device(dps={"1": 0})
    given: list[tuple[Any, Any]] = [
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (deque([True, 1]), [True, 1]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        (UserDict({"a": [1.5]}), {"a": [1.5]}),
        ({1: "x"}, {"1": "x"}),
    ]
    with lamp.device() as device, lamp.requests() as requests:
        for value, wanted in given:
            device.request(7, {"dps": {"1": value}})
            while (request := requests.recv(timeout_ms=5000)) is not None and request.cmd not in (7, 13):
                pass
            assert request is not None
            assert f"'1': {wanted}" in str(request.payload)
        device.set_dps(UserDict({1: True}), wait="ack")
        assert lamp.dps()["1"] is True or lamp.rejected_writes
        for raw in (b"raw", bytearray(b"raw"), memoryview(b"raw"), {1, 2}):
            with pytest.raises(rustuya.InvalidType):
                device.set_value(1, raw)  # type: ignore[call-overload]


def test_frames_and_commands_are_told_without_values_or_with(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device(dps={"1": False, "2": "secret-value"})
    for values in (False, True):
        told: list[str] = []
        names: set[str] = set()

        def take(level: int, name: str, text: str, told: list[str] = told, names: set[str] = names) -> None:
            told.append(text)
            names.add(name)

        rustuya.set_log_callback(take)
        rustuya.set_frame_log(True, values=values)
        with lamp.device() as device:
            device.set_value(1, True, wait="ack")
            device.query()
        # Records arrive later, in order.
        for _ in range(500):
            if any(" in DpQuery" in line for line in told):
                break
            asyncio.run(asyncio.sleep(0.01))
        rustuya.set_frame_log(False)
        rustuya.set_log_callback(None)
        text = "\n".join(told)
        assert names == {"rustuya.frames"}
        assert "virtual-device command Control (7) " in text
        assert "part of the negotiation" in text
        assert ("secret-value" in text) is values
        assert ('{"1":true}' in text) is values
        assert lamp.local_key not in text
    before = len(told)
    with lamp.device() as device:
        device.query()
    assert len(told) == before
