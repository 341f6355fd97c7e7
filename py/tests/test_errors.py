"""Tests that errors name the remedy and have tinytuya's numbers."""

from __future__ import annotations

import json
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rustuya
from rustuya import Device, exceptions
from rustuya.testing import VirtualDevice

KEY = "0123456789abcdef"
OTHER = "fedcba9876543210"


def test_every_leaf_has_the_root_and_a_code() -> None:
    for name in exceptions.__all__:
        leaf = getattr(exceptions, name)
        assert issubclass(leaf, rustuya.TuyaError)
        assert 900 <= leaf.code <= 915
        assert getattr(rustuya, name) is leaf
        error = leaf("text")
        assert str(error) == "text"
        assert str(pickle.loads(pickle.dumps(error))) == "text"


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_a_wrong_key(virtual_device: Callable[..., VirtualDevice], version: str) -> None:
    device = virtual_device(version=version)
    with (
        Device(device.id, device.address, OTHER, version, timeout=1) as dev,
        pytest.raises(rustuya.KeyOrVersionError) as caught,
    ):
        dev.set_value(1, True)
    assert caught.value.code == 914
    assert caught.value.device_id == device.id
    assert OTHER not in str(caught.value)
    assert dev.diagnosis is not None
    assert dev.diagnosis.code == 914
    assert dev.diagnosis.reason == caught.value.reason
    assert dev.diagnosis.advice in str(dev.diagnosis)


def test_a_wrong_version(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(version="3.5")
    with (
        Device(device.id, device.address, KEY, "3.3", timeout=1) as dev,
        pytest.raises(rustuya.KeyOrVersionError) as caught,
    ):
        dev.query()
    assert caught.value.code == 914


def test_a_device_that_refuses_connections() -> None:
    with (
        Device("d", "127.0.0.1:1", KEY, "3.3", timeout=0.3) as dev,
        pytest.raises(rustuya.DeviceOffline) as caught,
    ):
        dev.status()
    assert isinstance(caught.value, ConnectionError)
    assert (caught.value.code, caught.value.reason) == (901, "refused")


def test_a_device_without_an_address() -> None:
    with Device("nowhere", local_key=KEY, timeout=0.1) as dev, pytest.raises(rustuya.DeviceOffline) as caught:
        dev.status()
    assert caught.value.code == 905


def test_a_device_that_does_not_answer(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": True}, quirks=["silent-control"])
    with device.device() as dev, pytest.raises(rustuya.DeviceTimeout) as caught:
        dev.set_value(1, False, wait="ack", timeout=0.3)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.code == 902


def test_a_refusal_in_the_devices_words(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(subs={"c": {"1": 1}}, quirks=["unknown-cid-error"])
    with device.device() as dev, pytest.raises(rustuya.CommandRejected) as caught:
        dev.sub("other").query(timeout=2)
    assert (caught.value.code, caught.value.device_id) == (904, f"{device.id}/other")
    assert caught.value.text
    assert caught.value.text in str(caught.value)
    assert caught.value.retcode is not None


def test_a_closed_device(virtual_device: Callable[..., VirtualDevice]) -> None:
    dev = virtual_device().device()
    dev.close()
    dev.close()
    with pytest.raises(rustuya.ClosedError) as caught:
        dev.set_value(1, 1)
    assert caught.value.code == 906


def test_a_file_of_devices(virtual_device: Callable[..., VirtualDevice], tmp_path: Path) -> None:
    lamp = virtual_device("lamp-1", version="3.3", dps={"1": True})
    listed: list[dict[str, Any]] = [
        {"id": "lamp-1", "name": "Lamp", "key": lamp.local_key, "ip": lamp.ip, "port": lamp.port, "version": "3.3"},
        {"id": "two", "name": "Twin", "key": KEY},
        {"id": "three", "name": "Twin", "key": KEY},
        {"id": "bad", "name": "Bad", "key": "short"},
        {"id": "child", "name": "Child", "key": KEY, "sub": True, "node_id": "c"},
    ]
    path = tmp_path / "devices.json"
    path.write_text(json.dumps(listed))
    for find in [{"name": "Lamp"}, {"id": "lamp-1"}]:
        with Device.from_devices_file(path, **find) as dev:
            assert dev.query() == {"1": True}
    with Device.from_devices_file(str(path), "two", address="127.0.0.1:9", version="3.4") as dev:
        assert (dev.address, dev.port, dev.version) == ("127.0.0.1", 9, "3.4")
    for wanted in ["Nobody", "Twin", None]:
        with pytest.raises(rustuya.DeviceNotFound):
            Device.from_devices_file(path, wanted)
    with pytest.raises(rustuya.InvalidKey):
        Device.from_devices_file(path, "Bad")
    with pytest.raises(rustuya.ConfigError, match="gateway"):
        Device.from_devices_file(path, "Child")
    with pytest.raises(FileNotFoundError):
        Device.from_devices_file(tmp_path / "none.json")
    path.write_text("[]")
    with pytest.raises(rustuya.DeviceNotFound, match=r"lists no devices$"):
        Device.from_devices_file(path)
    path.write_text('{"key": "' + OTHER)
    with pytest.raises(rustuya.ConfigError) as caught:
        Device.from_devices_file(path, "x")
    assert OTHER not in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Device("id", KEY, "127.0.0.1", "3.4"),
        lambda: Device("id", KEY, KEY, "3.4"),
        lambda: Device("id", "127.0.0.1", KEY, KEY),
        lambda: rustuya.Scanner().bind_address(KEY),
    ],
)
def test_a_key_in_the_wrong_place_is_in_no_text(call: Callable[[], object]) -> None:
    with pytest.raises(rustuya.ConfigError) as raised:
        call()
    assert KEY not in str(raised.value)


def test_an_unusable_cid(virtual_device: Callable[..., VirtualDevice]) -> None:
    with virtual_device().device() as gateway:
        for call in (lambda: gateway.sub(""), lambda: gateway.request(10, cid="")):
            with pytest.raises(rustuya.InvalidId):
                call()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "devices.json"
    with pytest.raises(FileNotFoundError) as raised:
        Device.from_devices_file(path, "Lamp")
    assert raised.value.filename == str(path)


def test_numbers_out_of_range_are_refused_with_advice(lamp: VirtualDevice) -> None:
    for port in (-1, 65536):
        with pytest.raises(rustuya.InvalidValue, match="from 0 to 65535"):
            rustuya.Device("id", "127.0.0.1", lamp.local_key, "3.3", port=port)
    with lamp.device() as device:
        with pytest.raises(rustuya.InvalidValue, match="from 0 to 65535"):
            device.set_port(70000)
        with pytest.raises(rustuya.InvalidType, match="from 0 to 65535"):
            device.set_port("6668")  # type: ignore[arg-type]
        for command in (-1, 2**32):
            with pytest.raises(rustuya.InvalidValue, match=r"CommandType\.Control"):
                device.request(command)
        with pytest.raises(ValueError, match="number of seconds"):
            device.query(timeout=float("nan"))


@pytest.mark.parametrize("limit", [float("inf"), 2.0**70])
def test_the_longest_time_limits_are_none(virtual_device: Callable[..., VirtualDevice], limit: float) -> None:
    gone = virtual_device("gone", version="3.4")
    gone.unplug()
    raised: list[type[Exception]] = []

    def wait(call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            raised.append(type(error))

    device = rustuya.Device(**gone.config, timeout=0.05)
    patient = rustuya.Device("other", gone.address, gone.local_key, "3.4", timeout=limit)
    with device, patient:
        calls = (lambda: device.query(timeout=limit), lambda: device.wait_connected(limit), patient.query)
        threads = [threading.Thread(target=wait, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert raised == []
    for thread in threads:
        thread.join(30)
    assert raised == [rustuya.ClosedError] * 3
