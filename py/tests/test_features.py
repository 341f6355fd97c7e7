"""Tests of features beyond the documented API."""

from __future__ import annotations

import inspect
import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rustuya
import rustuya.aio
import rustuya.exceptions
import rustuya.models
import rustuya.testing
from rustuya import CommandType, DeviceConfig, codec
from rustuya.testing import VirtualDevice

KEY = "0123456789abcdef"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def test_answers_can_be_waited_for(lamp: VirtualDevice) -> None:
    with lamp.device() as dev:
        reply = dev.set_dps({"1": True}, wait="ack", timeout=5)
        assert isinstance(reply, rustuya.Reply)
        assert lamp.dps()["1"] is True
        assert dev.status(wait="ack").dps["1"] is True
        assert dev.set_value(1, False, wait="queue") is None
        wait_for(lambda: lamp.dps()["1"] is False)
        assert dev.update_dps([1, "2"]) is None
        assert dev.query(timeout=5)["1"] is False


def test_state_is_what_was_heard(lamp: VirtualDevice) -> None:
    with lamp.device() as dev:
        assert dict(dev.state) in ({}, {"1": False, "2": 50})
        dev.query([1])
        lamp.set_dps({"2": 9})
        wait_for(lambda: dev.state.get("2") == 9)
        state = dev.state
        assert state["1"] is False
        assert state.ages.keys() == state.keys()
        assert "3" not in state
        assert 0 <= state.ages["2"] < 10
        assert len(state) == 2


def test_metrics_count(lamp: VirtualDevice) -> None:
    with lamp.device() as dev:
        dev.query([1])
        metrics = dev.metrics
        assert (metrics.connects, metrics["reconnects"], metrics.acknowledged) == (1, 0, 1)
        assert metrics.latency_p50 is not None
        assert set(metrics) >= {"frames", "lagged"}


def test_waiting_for_a_connection(lamp: VirtualDevice) -> None:
    with lamp.device() as dev:
        assert dev.wait_connected() == lamp.version
        assert dev.is_connected
        assert (dev.last_seen or 0) < 10
        assert dev.detect_dps() == [1, 2]


def test_an_unplugged_device_comes_back(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": 1})
    with device.device() as dev:
        dev.query()
        device.unplug()
        wait_for(lambda: not dev.is_connected)
        assert dev.diagnosis is not None
        device.plug()
        dev.connect_now()
        dev.wait_connected()
        assert dev.metrics.reconnects == 1
        assert dev.diagnosis is None


def test_callbacks_come_in_one_thread_until_they_are_ended(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": 0})
    seen: list[tuple[int, object]] = []
    with device.device() as dev, rustuya.Manager() as manager:
        dev.query()
        unsubscribe = dev.subscribe(lambda event: seen.append((threading.get_ident(), event.dps.get("1"))))
        assert unsubscribe.active is True
        device.set_dps({"1": 1})
        wait_for(lambda: len(seen) == 1)
        # A callback may use the device.
        assert manager.add(device.id, device.address, device.local_key, device.version).query() == {"1": 1}
        answers: list[object] = []
        with manager.subscribe(lambda event: answers.append(dev.query()["1"]) if event.kind == "state" else None):
            device.set_dps({"1": 2})
            wait_for(lambda: bool(answers))
        unsubscribe()
        assert repr(unsubscribe) == "<rustuya.Subscription, ended>"
        count = len(seen)
        device.set_dps({"1": 3})
        dev.query()
        assert len(seen) == count
    assert seen[0][1] == 1
    assert {thread for thread, _ in seen} != {threading.get_ident()}
    assert len({thread for thread, _ in seen}) == 1
    with pytest.raises(TypeError):
        dev.subscribe(5)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
def test_a_callback_that_fails_is_told_and_goes_on(
    virtual_device: Callable[..., VirtualDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = virtual_device(dps={"1": 0})
    told: list[object] = []

    def tell(unraisable: Any) -> None:
        told.append(unraisable.exc_value)

    monkeypatch.setattr(sys, "unraisablehook", tell)

    def fail(_event: object) -> None:
        raise ZeroDivisionError

    with device.device() as dev:
        dev.query()
        with dev.subscribe(fail):
            device.set_dps({"1": 1})
            device.set_dps({"1": 2})
            wait_for(lambda: len(told) == 2)
    assert all(isinstance(error, ZeroDivisionError) for error in told)


def test_gateways(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device("gate", subs={"c1": {"1": 20}, "c2": {"1": True}})
    with device.device() as dev:
        dev.sub_discover(wait="ack")
        assert dev.sub_devices() == {"c1": True, "c2": True}
        sub = dev.sub("c1")
        assert (sub.id, sub.gateway.id, sub.is_online) == ("c1", "gate", True)
        assert sub.query() == {"1": 20}
        assert sub.set_value(1, 30) is None
        assert sub.set_dps({"1": 40}, wait="ack") is not None
        assert device.dps("c1") == {"1": 40}
        assert sub.status() is None
        wait_for(lambda: sub.state.get("1") == 40)
        assert "gate" in repr(sub)
        with pytest.raises(rustuya.ConfigError):
            dev.sub("")


def test_virtual_devices(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device("v", dev_type="device22", version="3.3", dps={"1": True}, quirks=["push-before-ack"])
    assert (device.id, device.version, device.ip) == ("v", "3.3", "127.0.0.1")
    assert device.address == f"127.0.0.1:{device.port}"
    requests = device.requests()
    with device.device() as dev:
        dev.set_value(1, False, wait="ack")
        assert dev.dev_type == "default"
        assert dev.reconfigure(dev_type="device22").query([1]) == {"1": False}
    request = requests.recv(1000)
    assert request is not None
    assert request.name in {"Control", "HeartBeat", "DpQuery"}
    assert device.probe_address is None
    for wrong in [{"quirks": ["nonsense"]}, {"dps": {"x": 1}}, {"bind": "here"}, {"local_key": "short"}]:
        with pytest.raises(rustuya.TuyaError):
            VirtualDevice(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("version", ["3.1", "3.2", "3.3", "3.4", "3.5"])
def test_frames_go_there_and_back(version: str) -> None:
    for sender, command in [("client", CommandType.Control), ("device", CommandType.Status)]:
        payload: rustuya.Json = {"dps": {"1": True}, "t": 5}
        frame = codec.encode(version, KEY, command, payload, seqno=9, sender=sender)
        frames, used = codec.decode(version, KEY.encode(), frame + frame + frame[:9], sender=sender)
        assert used == 2 * len(frame)
        assert [(each.cmd, each.seqno, each.payload) for each in frames] == [(command, 9, payload)] * 2
        damaged = bytearray(frame)
        damaged[len(frame) // 2] ^= 1
        with pytest.raises(rustuya.FrameError):
            codec.decode(version, KEY, bytes(damaged), sender=sender)
    empty, _ = codec.decode(version, KEY, codec.encode(version, KEY, 9), sender="client")
    assert empty[0].payload is None
    with pytest.raises(rustuya.InvalidVersion):
        codec.encode("Auto", KEY, 9)


def test_session_keys_are_symmetric_in_time_only() -> None:
    first, second = bytes(range(16)), bytes(range(16, 32))
    for version in ["3.4", "3.5"]:
        key = codec.session_key(version, KEY, first, second)
        assert len(key) == 16
        assert key != codec.session_key(version, KEY, first, bytes(16))
    with pytest.raises(rustuya.InvalidVersion):
        codec.session_key("3.3", KEY, first, second)
    with pytest.raises(rustuya.FrameError):
        codec.announcement(b"nothing")


def test_records_go_to_logging(lamp: VirtualDevice, caplog: pytest.LogCaptureFixture) -> None:
    rustuya.set_log_level("DEBUG")
    try:
        with lamp.device() as dev:
            dev.query([1])
        wait_for(lambda: any("up" in record.message for record in caplog.records))
        assert all(record.name.startswith("rustuya.") for record in caplog.records)
        assert not any(lamp.local_key in record.message for record in caplog.records)
        assert any("lamp" in record.message for record in caplog.records)
        seen: list[tuple[int, str, str]] = []
        rustuya.set_log_callback(lambda level, name, text: seen.append((level, name, text)))
        with lamp.device() as dev:
            dev.query([1])
        wait_for(lambda: bool(seen))
        assert seen[0][0] == logging.DEBUG
    finally:
        rustuya.set_log_callback(None)
        rustuya.set_log_level(logging.WARNING)
    with pytest.raises(ValueError, match="loud"):
        rustuya.set_log_level("loud")
    with pytest.raises(TypeError):
        rustuya.set_log_callback(5)  # type: ignore[arg-type]


def test_a_handler_that_waits_holds_up_nothing(lamp: VirtualDevice) -> None:
    gate = threading.Event()

    def wait(_level: int, _name: str, _text: str) -> None:
        gate.wait(10)

    rustuya.set_log_callback(wait)
    rustuya.set_log_level("DEBUG")
    try:
        with lamp.device() as dev:
            for _ in range(20):
                dev.query([1], timeout=5)
            assert dev.metrics.acknowledged >= 20
    finally:
        gate.set()
        rustuya.set_log_level(logging.WARNING)
        rustuya.set_log_callback(None)


def test_the_engine_is_set_up_once() -> None:
    VirtualDevice().stop()
    with pytest.raises(rustuya.ClosedError, match="before"):
        rustuya.configure(worker_threads=1)


def test_importing_is_fast_and_starts_nothing() -> None:
    code = (
        "import sys, time, threading; begin = time.perf_counter(); import rustuya;"
        "took = time.perf_counter() - begin;"
        "assert 'asyncio' not in sys.modules and threading.active_count() == 1; print(took)"
    )
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout) for _ in range(3)
    ]
    assert min(times) < 0.5


def test_a_configuration_is_the_arguments_of_a_device(
    virtual_device: Callable[..., VirtualDevice], tmp_path: Path
) -> None:
    lamp = virtual_device("lamp", version="3.5", dps={"1": True})
    entries: list[dict[str, object]] = [
        {"id": "lamp", "name": "Lamp", "key": lamp.local_key, "ip": lamp.ip, "port": lamp.port, "version": 3.5},
        {"id": "keyless", "name": "Old"},
        {"id": "behind", "key": lamp.local_key, "node_id": "c", "sub": True},
    ]
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    first, second = DeviceConfig.load(path)
    assert (first.name, first.address, first.version, first.port) == ("Lamp", lamp.ip, "3.5", lamp.port)
    assert lamp.local_key not in repr(first)
    assert "name" not in first
    assert set(first) == {"id", "local_key", "address", "version", "port"}
    assert len(first) == 5
    with pytest.raises(rustuya.InvalidKey):
        rustuya.Device(**second)
    patient = first.replace(timeout=20)
    assert patient["timeout"] == 20
    with rustuya.Device(**patient) as device:
        assert device.query() == {"1": True}
    with rustuya.Manager() as manager:
        assert manager.add(**first).query() == {"1": True}
    path.write_text("nothing", encoding="utf-8")
    with pytest.raises(rustuya.ConfigError):
        DeviceConfig.load(path)
    with pytest.raises(FileNotFoundError):
        DeviceConfig.load(tmp_path / "missing.json")


def tells(value: object) -> bool:
    """Returns whether it has a docstring of its own; the default of a field has none."""
    wrapped = isinstance(value, (classmethod, property, staticmethod))
    return wrapped or inspect.isclass(value) or inspect.isroutine(value) or inspect.isgetsetdescriptor(value)


def test_everything_public_tells_what_it_does() -> None:
    silent: list[str] = []
    for module in (rustuya, rustuya.aio, rustuya.testing, codec, rustuya.models, rustuya.exceptions):
        for name in module.__all__:
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or callable(thing)):
                continue
            members = vars(thing).items() if inspect.isclass(thing) else ()
            told = [(name, thing), *((f"{name}.{member}", value) for member, value in members if member[0] != "_")]
            silent += [f"{module.__name__}.{at}" for at, value in told if tells(value) and not inspect.getdoc(value)]
    assert not silent


def test_what_a_receiver_missed_is_told_after_its_end(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device(version="3.3")
    with lamp.device() as device:
        slow = device.listener()
        device.wait_connected()
        for count in range(1500):
            lamp.set_dps({"1": count})
            if count % 100 == 0:
                device.query()
        wait_for(lambda: slow.missed > 0)
        device.close()
        missed = slow.missed
        slow.close()
        assert slow.missed >= missed > 0
