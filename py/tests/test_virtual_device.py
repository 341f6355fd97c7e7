"""Tests of everyday use, with every version, in threads and with asyncio."""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import rustuya
from rustuya import Timing, aio
from rustuya.testing import QUIRKS, Quirk, VirtualDevice

VERSIONS = ["3.1", "3.2", "3.3", "3.4", "3.5"]
OTHER_KEY = "fedcba9876543210"
LIMIT = 20.0
BRISK = Timing(connect=2, negotiate=0.5, answer=0.5, heartbeat=1, backoff_min=0.05, backoff_max=0.2)
"""Short limits: the tests check the behaviour after them."""


class Face:
    """Adapter of the synchronous or the asyncio classes: awaits the results of the latter."""

    def __init__(self, nouns: Any) -> None:
        self.nouns = nouns
        self.loop = asyncio.new_event_loop() if nouns is aio else None
        self.ends: list[Any] = []

    def do(self, outcome: Any) -> Any:
        """Returns the result of a call."""
        if self.loop is None:
            assert not inspect.isawaitable(outcome)
            return outcome
        return self.loop.run_until_complete(asyncio.wait_for(outcome, LIMIT))

    def device(self, virtual: VirtualDevice, **given: Any) -> Any:
        """Creates a device with the configuration of a virtual one, except for the given arguments."""
        known: dict[str, Any] = {"address": virtual.address, "local_key": virtual.local_key, "version": virtual.version}
        device = self.nouns.Device(virtual.id, **{**known, "timing": BRISK, **given})
        self.ends.append(device.close)
        return device

    def manager(self) -> Any:
        manager = self.nouns.Manager()
        self.ends.append(manager.shutdown)
        return manager

    def next(self, listener: Any, holds: Callable[[Any], bool]) -> Any:
        """Returns the next event for which ``holds`` is true."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            event = self.do(listener.recv(1000) if self.loop is None else listener.recv(1))
            if event is not None and holds(event):
                return event
            assert not listener.is_closed, "nothing will come any more"
        raise AssertionError("it did not come")

    def wait_until(self, holds: Callable[[], bool]) -> None:
        until(holds)

    def close(self) -> None:
        for end in self.ends:
            self.do(end())
        if self.loop is not None:
            self.loop.close()


@pytest.fixture(params=[rustuya, aio], ids=["threads", "asyncio"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    face = Face(request.param)
    yield face
    face.close()


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


Make = Callable[..., VirtualDevice]


def test_connects_asks_and_sets(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False, "2": 50})
    device = face.device(lamp)
    assert face.do(device.wait_connected()) == version
    assert device.is_connected
    # A device of 3.2 is queried for its known DPs.
    face.do(device.set_dps({"1": True, "2": 51}, wait="ack"))
    face.wait_until(lambda: dict(device.state) == {"1": True, "2": 51})
    assert face.do(device.query()) == {"1": True, "2": 51}
    face.do(device.set_dps({"1": False, "2": 50}, wait="ack"))
    assert isinstance(face.do(device.set_value(1, True, wait="ack")), rustuya.Reply)
    assert lamp.dps() == {"1": True, "2": 50}
    assert face.do(device.set_dps({1: False, "2": 7})) is None
    face.wait_until(lambda: lamp.dps() == {"1": False, "2": 7})
    face.wait_until(lambda: device.state.get("2") == 7)
    assert device.diagnosis is None
    assert device.metrics.connects == 1


def test_what_is_switched_by_hand_is_heard(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False})
    device = face.device(lamp)
    listener = device.listener()
    face.do(device.set_value(1, False, wait="ack"))
    lamp.set_dps({"1": True})
    event = face.next(listener, lambda event: event.dps.get("1") is True)
    assert (event.kind, event.cid) == ("state", None)
    assert device.state["1"] is True


def test_a_manager_hears_all_devices(virtual_device: Make, version: str, face: Face) -> None:
    lamps = [virtual_device(f"lamp-{number}", version=version, dps={"1": number}) for number in range(3)]
    manager = face.manager()
    listener = manager.listener()
    for lamp in lamps:
        device = manager.add(lamp.id, lamp.address, lamp.local_key, lamp.version)
        face.do(device.set_value(1, 7, wait="ack"))
    for lamp in reversed(lamps):
        lamp.set_dps({"1": 9})
        assert face.next(listener, lambda event: event.dps.get("1") == 9).device_id == lamp.id
    assert [(info.id, info.is_connected) for info in manager.list()] == [(lamp.id, True) for lamp in lamps]


def test_comes_back_after_a_restart(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False})
    device = face.device(lamp)
    listener = device.listener()
    face.do(device.set_value(1, True, wait="ack"))
    lamp.unplug()
    down = face.next(listener, lambda event: event.kind == "connection" and event.payload.get("connected") is False)
    assert down.payload["reason"] in ("peer_closed", "refused")
    face.wait_until(lambda: not device.is_connected and device.diagnosis is not None)
    lamp.plug()
    up = face.next(listener, lambda event: event.kind == "connection" and event.payload.get("connected") is True)
    assert up.payload["version"] == version
    face.do(device.set_value(1, False, wait="ack"))
    assert lamp.dps() == {"1": False}
    assert device.diagnosis is None
    assert device.metrics.reconnects == 1


def test_a_command_waits_for_a_device_that_is_off(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False})
    lamp.unplug()
    device = face.device(lamp)
    with pytest.raises(rustuya.DeviceOffline) as caught:
        face.do(device.set_value(1, True, timeout=0.2))
    assert (caught.value.reason, caught.value.was_sent) == ("refused", False)
    assert caught.value.diagnosis is not None
    assert caught.value.diagnosis.advice == device.diagnosis.advice
    assert face.do(device.set_value(1, True, wait="queue")) is None
    lamp.plug()
    face.wait_until(lambda: lamp.dps() == {"1": True})


def test_a_wrong_key_is_told(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False})
    # A device of 3.2 ignores unreadable commands: the answer to the next heartbeat proves that.
    device = face.device(lamp, local_key=OTHER_KEY, timing=BRISK if version != "3.2" else replace(BRISK, answer=3))
    if version == "3.1":
        # Only commands are encrypted, and unreadable ones are ignored.
        with pytest.raises(rustuya.DeviceTimeout):
            face.do(device.set_value(1, True, wait="ack"))
    else:
        if version >= "3.4":
            # The other versions are tried first.
            face.wait_until(lambda: device.diagnosis is not None and device.diagnosis.reason == "wrong_key")
        with pytest.raises(rustuya.WrongKey) as caught:
            face.do(device.query(timeout=0.3) if version >= "3.4" else device.query())
        assert (caught.value.code, caught.value.reason) == (914, "wrong_key")
        assert caught.value.diagnosis is not None
        # Since 3.4, devices just close.
        assert caught.value.diagnosis.sure is (version < "3.4")
        # Up to 3.3 a query proves it: this one, or the one sent on connecting.
        assert not caught.value.was_sent or version < "3.4"
        assert OTHER_KEY not in str(caught.value)
    # Sets the right key on the same device.
    assert device.reconfigure(local_key=lamp.local_key) is device
    face.do(device.set_value(1, True, wait="ack"))
    assert lamp.dps() == {"1": True}


@pytest.mark.parametrize(("speaks", "configured"), [("3.4", "3.3"), ("3.5", "3.3"), ("3.3", "3.4"), ("3.3", "3.5")])
def test_a_wrong_version_is_told(virtual_device: Make, speaks: str, configured: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=speaks, dps={"1": False})
    device = face.device(lamp, version=configured)
    face.wait_until(lambda: device.diagnosis is not None and device.diagnosis.reason == "wrong_version")
    assert device.diagnosis.speaks == speaks
    with pytest.raises((rustuya.WrongVersion, rustuya.DeviceTimeout)):
        face.do(device.set_value(1, True, wait="ack", timeout=0.3))
    assert lamp.dps() == {"1": False}
    device.reconfigure(version=device.diagnosis.speaks)
    face.do(device.set_value(1, True, wait="ack"))
    assert device.version == speaks


def test_auto_finds_the_version(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False})
    device = face.device(lamp, version="Auto", min_version=min(version, "3.3"))
    face.do(device.set_value(1, True, wait="ack"))
    assert lamp.dps() == {"1": True}
    if version != "3.2":
        assert device.version == version


def test_what_speaks_less_than_min_version_is_not_believed(virtual_device: Make, face: Face) -> None:
    for speaks, least in (("3.1", None), ("3.3", "3.4")):
        lamp = virtual_device(f"lamp-{speaks}", version=speaks, dps={"1": False})
        device = face.device(lamp, version="Auto", min_version=least)
        with pytest.raises(rustuya.WrongVersion) as refused:
            face.do(device.set_value(1, True, wait="ack"))
        assert (device.diagnosis.reason, device.diagnosis.speaks) == ("too_old", speaks)
        assert "min_version" in str(refused.value) or "min_version" in device.diagnosis.advice
        assert lamp.dps() == {"1": False}
        device.reconfigure(min_version=speaks)
        face.do(device.set_value(1, True, wait="ack"))
        assert lamp.dps() == {"1": True}


def test_what_worked_is_remembered_in_the_file(virtual_device: Make, face: Face, tmp_path: Path) -> None:
    lamp = virtual_device("lamp", version="3.5", dps={"1": False})
    file = tmp_path / "devices.json"
    file.write_text(f'[{{"room": "hall", "id": "{lamp.id}", "version": "", "more": [1, 2]}}]')
    device = face.device(lamp, version="Auto")
    face.do(device.set_value(1, True, wait="ack"))
    assert device.remember(file) is True
    assert device.remember(file) is False
    assert json.loads(file.read_text()) == [
        {"room": "hall", "id": lamp.id, "version": "3.5", "more": [1, 2], "ip": "127.0.0.1"}
    ]
    with pytest.raises(FileNotFoundError):
        device.remember(tmp_path / "none.json")


def test_sub_devices(virtual_device: Make, version: str, face: Face) -> None:
    gateway = virtual_device("gateway", version=version, dps={"32": "armed"}, subs={"plug": {"1": False}})
    device = face.device(gateway)
    listener = device.listener()
    plug = device.sub("plug")
    face.do(plug.set_value(1, True, wait="ack"))
    assert gateway.dps("plug") == {"1": True}
    event = face.next(listener, lambda event: event.cid == "plug" and event.kind == "state")
    assert event.dps == {"1": True}
    assert dict(plug.state) == {"1": True}
    assert dict(device.state) in ({}, {"32": "armed"})
    with pytest.raises(rustuya.DeviceTimeout):
        face.do(device.sub("stranger").set_value(1, True, wait="ack", timeout=0.3))


def test_a_refusal_is_in_the_devices_words(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False}, quirks=["unknown-command-error"])
    device = face.device(lamp)
    face.do(device.wait_connected())
    with pytest.raises(rustuya.CommandRejected) as caught:
        face.do(device.request(0x2F, wait="ack"))
    assert caught.value.text == "json obj data unvalid"
    assert (caught.value.code, caught.value.was_sent, caught.value.device_id) == (904, True, "lamp")


def test_a_device_that_does_not_answer(virtual_device: Make, version: str, face: Face) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False}, quirks=["silent-control"])
    device = face.device(lamp, nowait=False)
    face.do(device.wait_connected())
    begun = time.monotonic()
    with pytest.raises(rustuya.DeviceTimeout) as caught:
        face.do(device.set_value(1, True, wait="ack", timeout=0.2))
    assert 0.2 <= time.monotonic() - begun < 5
    assert (caught.value.was_sent, caught.value.reason) == (True, None)
    # It takes effect nevertheless.
    face.wait_until(lambda: lamp.dps() == {"1": True})
    # A caller that waits only until it is written gets the failure as an event.
    listener = device.listener()
    assert face.do(device.set_value(1, False)) is None
    failed = face.next(listener, lambda event: event.kind == "error")
    assert isinstance(failed.error, rustuya.DeviceTimeout)
    assert failed.error.was_sent


def test_waits_end_in_time(virtual_device: Make, face: Face) -> None:
    lamp = virtual_device("lamp")
    lamp.unplug()
    device = face.device(lamp)
    listener = device.listener()
    for verb, arguments in [("wait_connected", ()), ("query", ()), ("status", ()), ("set_dps", ({"1": True},))]:
        begun = time.monotonic()
        with pytest.raises(rustuya.ConnectError):
            face.do(getattr(device, verb)(*arguments, timeout=0.2))
        assert 0.2 <= time.monotonic() - begun < 5
    assert face.do(listener.recv(60000) if face.loop is None else listener.recv(60)).kind == "connection"
    while listener.try_recv() is not None:
        pass
    face.do(device.close())
    with pytest.raises(rustuya.ClosedError):
        face.do(device.query())


@pytest.mark.parametrize("version", VERSIONS)
def test_an_await_that_is_cancelled_takes_the_command_back(virtual_device: Make, version: str) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False, "2": 0})
    lamp.unplug()

    async def main() -> None:
        given = (lamp.id, lamp.address, lamp.local_key, lamp.version)
        async with aio.Device(*given, timing=BRISK) as device:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(device.set_value(1, True), 0.1)
            lamp.plug()
            await device.set_value(2, 5, wait="ack")

    asyncio.run(asyncio.wait_for(main(), LIMIT))
    # The second command would have followed the first one.
    assert lamp.dps() == {"1": False, "2": 5}


def controls(lamp: VirtualDevice, requests: Any) -> list[Any]:
    """Returns the written DPs of each command so far."""
    lamp.stop()
    return [request.payload["data"]["dps"] for request in requests if request.name == "ControlNew"]


def test_writes_are_joined(virtual_device: Make, face: Face) -> None:
    lamp = virtual_device("lamp", dps={"1": False, "2": 0, "3": 0})
    requests = lamp.requests()
    device = face.device(lamp, pacing=rustuya.Pacing(merge=0.1))
    face.do(device.wait_connected())
    face.do(device.set_value(1, True, wait="queue"))
    face.do(device.set_value(2, 5, wait="queue"))
    face.do(device.set_dps({"2": 6, "3": 7}, wait="ack"))
    assert controls(lamp, requests) == [{"1": True, "2": 6, "3": 7}]


def test_large_writes_are_split(virtual_device: Make, face: Face) -> None:
    lamp = virtual_device("lamp", dps={"1": False, "2": 0, "3": 0})
    requests = lamp.requests()
    device = face.device(lamp, pacing=rustuya.Pacing(max_dps=2))
    face.do(device.set_dps({"1": True, "2": 6, "3": 7}, wait="ack"))
    assert controls(lamp, requests) == [{"1": True, "2": 6}, {"3": 7}]


@pytest.mark.parametrize("wrong", [{"timing": 5}, {"pacing": {"gap": 1}}, {"pacing": rustuya.Pacing(max_dps=0)}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any], face: Face) -> None:
    with pytest.raises(rustuya.InvalidType, match=r"rustuya\.(Timing|Pacing)"):
        face.nouns.Device("lamp", "127.0.0.1", OTHER_KEY, "3.3", **wrong)


def test_every_quirk_is_typed() -> None:
    assert set(get_args(Quirk)) == {name for name in QUIRKS if "=" not in name}
    assert all(QUIRKS.values())
    VirtualDevice(quirks=["wedge-on-cut-frame", "delay-ms=1"]).stop()


def test_strict_devices_tell_what_a_real_one_would_not() -> None:
    schema: dict[str, Any] = {"2": {"type": "Integer", "values": {"min": 10, "max": 1000}}}

    def write_what_is_not_taken() -> None:
        with (
            VirtualDevice(version="3.5", dps={"1": False}, schema=schema, strict=True) as lamp,
            lamp.device() as device,
        ):
            device.set_value(2, 5, wait="ack")
            device.set_value(7, True, wait="ack")
            assert [(write["dp"], write["value"]) for write in lamp.rejected_writes] == [(2, 5), (7, True)]
            assert lamp.rejected_writes[1]["why"] == "there is no such DP"
            assert lamp.strict

    with pytest.raises(AssertionError, match=r"DP 2, 5: a value out of range \(and 1 more\)"):
        write_what_is_not_taken()
    with VirtualDevice(version="3.5", dps={"1": False}, strict=True) as lamp, lamp.device() as device:
        device.set_value(1, True, wait="ack")
        with pytest.raises(rustuya.ConfigError, match="DP 1"):
            lamp.set_dps({"1": 1.5})
    with pytest.raises(rustuya.ConfigError, match="DP 300"):
        VirtualDevice(version="3.5", dps={"300": 1}, strict=True)
    # Other firmware does not answer.
    with VirtualDevice(dps={"1": False}) as lamp, lamp.device() as device:
        device.set_value(7, True, wait="ack")
    with pytest.raises(AssertionError, match="DP 7"):
        lamp.check()


def test_a_gateway_reports_children_offline() -> None:
    with (
        VirtualDevice(version="3.5", subs={"plug": {"1": True}, "sensor": {"4": 1}}, offline=["sensor"]) as gateway,
        gateway.device() as device,
    ):
        plug, sensor = device.sub("plug"), device.sub("sensor")
        device.sub_discover(wait="ack")
        until(lambda: (plug.is_online, sensor.is_online) == (True, False))
        gateway.set_online("plug", False)
        until(lambda: plug.is_online is False)
        with pytest.raises(rustuya.ConfigError):
            gateway.set_online("nobody", True)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.005)
