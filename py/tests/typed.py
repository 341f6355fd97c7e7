# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Code that type checkers must accept or refuse: read by mypy and pyright, never run.

A line that both must refuse has an ignore comment, which is an error if one of them accepts the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import IntEnum
from typing import Any

from rustuya import Device, DeviceEvent, Manager, SubDevice, aio, codec
from rustuya.entities import Entity, EntityState, Value
from rustuya.entities import aio as aio_entities
from rustuya.testing import VirtualDevice
from rustuya.typing import (
    ConnectionDown,
    DeviceType,
    Dps,
    EventKind,
    Json,
    JsonLike,
    ProtocolVersion,
    Quirk,
    Reason,
    StaleReason,
    Wait,
)


class Dp(IntEnum):
    SWITCH = 1
    LEVEL = 2


def values_of_exact_types(device: Device, sub: SubDevice) -> None:
    numbers: list[int] = [1, 2]
    words: dict[str, int] = {"a": 1}
    pair: tuple[int, str] = (1, "x")
    nested: dict[str, list[tuple[int, ...]]] = {"a": [(1, 2)]}
    by_number: dict[int, bool] = {1: True}
    by_name: dict[Dp, int] = {Dp.LEVEL: 5}
    read_only: Mapping[str, Sequence[float]] = {"a": [1.5]}
    whatever: Json = device.query()["1"]
    for each in (device, sub):
        each.set_value(1, numbers)
        each.set_value(1, words)
        each.set_value("1", pair)
        each.set_value(Dp.SWITCH, nested)
        each.set_value(1, read_only)
        each.set_value(1, whatever)
        each.set_value(1, None)
        each.set_dps(words)
        each.set_dps(by_number)
        each.set_dps(by_name)
        each.set_dps(device.state)
        each.set_dps(device.query())
        each.set_dps({1: True, "2": [1, 2]})
    device.request(7, {"dps": by_number})
    device.request(7, words)
    device.query({1, 2})
    device.query(range(5))
    device.update_dps([Dp.LEVEL, "3"])
    codec.encode("3.3", "k", 7, words)
    codec.encode("3.3", "k", 7, b"raw")
    VirtualDevice(dps=by_number, subs={"c": words}, quirks=["drop-ack", "delay-ms=20"])


async def the_same_in_asyncio(device: aio.Device, numbers: list[int], words: dict[str, int]) -> None:
    await device.set_value(1, numbers)
    await device.set_value(1, (1, 2))
    await device.set_dps(words)
    await device.request(7, words)
    await device.query((1, "2"))


def what_comes_back(device: Device) -> None:
    reply = device.set_value(1, True, wait="ack")
    _retcode: int | None = reply.retcode
    _nothing: None = device.set_value(1, True)
    _kind: DeviceType = device.dev_type
    _stale: StaleReason | None = device.state.stale_reason
    _reason: Reason | None = None if device.diagnosis is None else device.diagnosis.reason


def events(event: DeviceEvent) -> float | None:
    _kind: EventKind = event.kind
    down: ConnectionDown = event.payload
    _why: Reason = down["reason"]
    return down["retry_in"]


def words() -> tuple[Wait, ProtocolVersion, Quirk]:
    return "ack", "3.5", "drop-ack"


def aliases(one: JsonLike, dps: Dps, device: Device) -> None:
    device.set_value(1, one)
    device.set_dps(dps)


def refused(device: Device, manager: Manager, key: object) -> None:
    device.set_value(1, b"raw")  # type: ignore[call-overload]
    device.set_value(1, {1, 2})  # type: ignore[call-overload]
    device.set_value(1, object())  # type: ignore[call-overload]
    device.set_value(1.5, True)  # type: ignore[call-overload]
    device.set_dps([1, 2])  # type: ignore[call-overload]
    device.set_dps({"1": b"raw"})  # type: ignore[dict-item]
    device.status(wait="later")  # type: ignore[call-overload]
    manager.add("id", 5, "key")  # type: ignore[arg-type]
    _reason: Reason = "sunspots"  # type: ignore[assignment]


def payloads(event: DeviceEvent) -> Any:
    down: ConnectionDown = event.payload
    return down["reson"]  # type: ignore[typeddict-item]


def entities_of(device: Device, sub: SubDevice) -> None:
    light = device.light()
    _is_on: bool | None = light.is_on
    _level: int | None = light.state.brightness
    _modes: tuple[str, ...] = light.capabilities.color_modes
    light.brightness = 128
    light.brightness = "50%"
    light.hs = (120, 80.5)
    light.turn_on(brightness=128, hs=(120, 80), wait="effect", timeout=5)
    light.set("on", brightness=Decimal(128))
    sub.climate("switch").set(temperature=21.5, mode="heat")
    _degrees: float | None = device.climate().current_temperature
    _word: str | None = device.select().option
    _value: Value = device.sensor("cur_power").value
    _all: list[Entity] = device.entities()
    for change in device.changes():
        _entity: Entity = change.entity
        _state: EntityState = change.state
    light.brightness = None  # type: ignore[assignment]
    light.color_mode = "hs"  # type: ignore[misc]
    light.turn_on(speed=3)  # type: ignore[call-arg]
    light.turn_on(hs="red")  # type: ignore[arg-type]
    device.number().value = b"1"  # type: ignore[assignment]


async def entities_in_asyncio(device: aio.Device) -> None:
    light = device.light()
    await light.turn_on(color="red", wait="ack")
    await device.cover().set_position(30)
    async for change in device.changes():
        _entity: aio_entities.Entity = change.entity
    light.brightness = 128  # type: ignore[misc]
