"""Tests the promises of the reference."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import rustuya
from rustuya import CommandType, Device, Manager
from rustuya._native import command_names
from rustuya.testing import VirtualDevice

from .conftest import PORTS, next_of_kind

KEY = "0123456789abcdef"


def add(manager: Manager, device: VirtualDevice, **kwargs: Any) -> Device:
    return manager.add(device.id, device.address, device.local_key, device.version, **kwargs)


def test_every_verb_returns_none_and_reaches_the_device(lamp: VirtualDevice, manager: Manager) -> None:
    dev = add(manager, lamp)
    requests = lamp.requests()
    verbs: list[Callable[[], object]] = [
        lambda: dev.status(),
        lambda: dev.set_value(1, True),
        lambda: dev.set_value("1", False),
        lambda: dev.set_dps({"1": True, 2: 60}),
        lambda: dev.request(CommandType["DpQuery"], None),
        lambda: dev.request(CommandType.Control, {"1": True}),
    ]
    for verb in verbs:
        assert verb() is None
        seen = requests.recv(5000)
        while seen is not None and seen.name == "HeartBeat":
            seen = requests.recv(5000)
        assert seen is not None
    # Firmware of version 3.2 reports only the named DPs.
    assert dev.query()["1"] is True
    assert lamp.dps() == {"1": True, "2": 60}


def test_nowait_returns_before_there_is_a_connection(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device()
    device.unplug()
    with device.device() as dev:
        assert dev.set_nowait(True) is dev
        assert dev.nowait
        begin = time.monotonic()
        assert dev.set_value(1, True) is None
        assert time.monotonic() - begin < 0.5


def test_nowait_of_a_gateway_is_that_of_its_sub_devices(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(subs={"c": {"1": 1}})
    device.unplug()
    with device.device() as dev:
        dev.set_nowait(True)
        assert dev.sub("c").set_value(1, 2) is None


def test_configuration_is_chained_and_told(lamp: VirtualDevice) -> None:
    with lamp.device() as dev:
        chain = dev.set_nowait(True).with_nowait(False).set_persist(False).with_persist(True)
        chain = chain.set_connection_timeout(0.7).with_connection_timeout(0.8005)
        chain = chain.set_version(lamp.version).with_version(float(lamp.version))
        chain = chain.set_dev_type("Auto").with_dev_type("auto").set_port(lamp.port).with_port(lamp.port)
        assert chain is dev
        # Firmware of 3.2 reports only the named DPs.
        assert dev.query([1])["1"] is False
        assert (dev.id, dev.version, dev.address, dev.port) == ("lamp", lamp.version, "127.0.0.1", lamp.port)
        assert (dev.nowait, dev.persist, dev.is_connected) == (False, True, True)
        assert dev.dev_type == ("device22" if lamp.version == "3.2" else "default")


def test_arguments_by_position_and_by_name() -> None:
    for dev in [
        Device("d", "127.0.0.1:1", KEY, "3.3"),
        Device(id="d", address="127.0.0.1:1", local_key=KEY, version="3.3"),
        Device("d", local_key=KEY.encode(), version=3.3, address="127.0.0.1", port=1),
        Device("d", str(ipaddress.ip_address("127.0.0.1")), KEY, 3.3, port=1),
    ]:
        assert (dev.id, dev.address, dev.port, dev.version) == ("d", "127.0.0.1", 1, "3.3")
        dev.close()
    for dev in [
        Device("auto", local_key=KEY),
        Device("auto", "Auto", KEY, "Auto"),
        Device("auto", "aUTO", KEY, "auto"),
        Device("auto", None, KEY, None),
    ]:
        assert (dev.address, dev.version) == ("Auto", "Auto")
        dev.close()


@pytest.mark.parametrize(
    ("make", "leaf", "builtin", "code"),
    [
        (lambda: Device("d", "127.0.0.1", "short"), rustuya.InvalidKey, ValueError, 914),
        (lambda: Device("d", "127.0.0.1", b"x" * 17), rustuya.InvalidKey, ValueError, 914),
        (lambda: Device("d", "127.0.0.1", KEY, "4.0"), rustuya.InvalidVersion, ValueError, 914),
        (lambda: Device("d", "no where", KEY), rustuya.InvalidAddress, ValueError, 912),
        (lambda: Device("", "127.0.0.1", KEY), rustuya.InvalidId, ValueError, 912),
        (lambda: Device("d", "127.0.0.1", KEY, dev_type="x"), rustuya.ConfigError, ValueError, 912),
        (lambda: Device("d", "127.0.0.1", 5), rustuya.InvalidType, TypeError, 912),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused_at_the_call(
    make: Callable[[], object], leaf: type[rustuya.TuyaError], builtin: type[Exception], code: int
) -> None:
    with pytest.raises(leaf) as caught:
        make()
    assert isinstance(caught.value, builtin)
    assert isinstance(caught.value, rustuya.TuyaError)
    assert caught.value.code == code
    assert KEY not in str(caught.value)
    assert "short" not in str(caught.value)


def test_a_key_is_needed() -> None:
    with pytest.raises(TypeError, match="local_key"):
        Device("d", "127.0.0.1")


def test_values_that_cannot_be_sent_are_refused_at_the_call(manager: Manager) -> None:
    dev = manager.add("nobody", "127.0.0.1:1", KEY, "3.3", nowait=True)
    endless: list[Any] = []
    endless.append(endless)
    cases: list[tuple[Callable[[], object], type[Exception], type[Exception]]] = [
        (lambda: dev.set_value("switch", 1), rustuya.InvalidDp, ValueError),
        (lambda: dev.set_value(70000, 1), rustuya.InvalidDp, ValueError),
        (lambda: dev.set_value(-1, 1), rustuya.InvalidDp, ValueError),
        (lambda: dev.set_value(True, 1), rustuya.InvalidDp, ValueError),
        (lambda: dev.set_value(1, b"raw"), rustuya.InvalidType, TypeError),  # type: ignore[call-overload]
        (lambda: dev.set_value(1, {1, 2}), rustuya.InvalidType, TypeError),  # type: ignore[call-overload]
        (lambda: dev.set_value(1, float("nan")), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_value(1, None), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_value(1, [1, {"a": None}]), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_value(1, [float("inf")]), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_dps({"1": True, "2": None}), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_dps({"1": True, 1: False}), rustuya.InvalidValue, ValueError),
        (lambda: dev.request(7, {"1": None}), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_value(1, 1 << 70), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_value(1, endless), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_dps({"x": 1}), rustuya.InvalidDp, ValueError),
        (lambda: dev.set_dps({}), rustuya.InvalidValue, ValueError),
        (lambda: dev.set_dps(5), rustuya.InvalidType, TypeError),  # type: ignore[call-overload]
        (lambda: dev.set_dps({1.5: 1}), rustuya.InvalidType, TypeError),
        (lambda: dev.request(7, 5), rustuya.InvalidType, TypeError),  # type: ignore[call-overload]
        (lambda: dev.set_value(1, 1, wait="x"), rustuya.ConfigError, ValueError),  # type: ignore[call-overload]
    ]
    for act, leaf, builtin in cases:
        with pytest.raises(leaf) as caught:
            act()
        assert isinstance(caught.value, builtin)
    with pytest.raises((rustuya.TooLarge, rustuya.DeviceOffline)):
        dev.set_value(1, "x" * 5000, wait="ack", timeout=0.2)


def test_what_may_be_a_key_in_the_wrong_place_is_not_repeated(manager: Manager) -> None:
    dev = manager.add("nobody", "127.0.0.1:1", KEY, "3.3", nowait=True)
    acts: list[Callable[[], object]] = [
        lambda: Device("d", "127.0.0.1:1", KEY, "3.3", dev_type="hunter2hunter2ab"),
        lambda: dev.set_value(1, 1, wait="hunter2hunter2ab"),  # type: ignore[call-overload]
    ]
    for act in acts:
        with pytest.raises(rustuya.ConfigError) as caught:
            act()
        assert "hunter2" not in str(caught.value)


def test_command_types_are_those_of_the_protocol() -> None:
    assert [(member.name, member.value) for member in CommandType] == sorted(command_names(), key=lambda pair: pair[1])
    assert CommandType["DpQuery"] == 10


def test_a_manager_knows_its_devices(virtual_device: Callable[..., VirtualDevice], manager: Manager) -> None:
    one, two = virtual_device("one"), virtual_device("two", version="3.5")
    dev = add(manager, one)
    add(manager, two)
    assert len(manager) == 2
    assert list(manager) == ["one", "two"]
    assert "one" in manager
    assert "three" not in manager
    assert 5 not in manager
    assert manager.get("three") is None
    with pytest.raises(KeyError, match="three"):
        manager["three"]
    assert manager["one"].id == "one"
    dev.query()
    info = manager.list()[0]
    assert (info.id, info["address"], info.port, info.version) == ("one", "127.0.0.1", one.port, "3.4")
    assert info.is_connected
    assert info.diagnosis is None
    assert set(info) >= {"id", "address", "last_seen"}
    with pytest.raises(rustuya.DuplicateDevice) as caught:
        add(manager, one)
    assert (caught.value.code, caught.value.device_id) == (912, "one")
    updated = manager.add("one", one.address, one.local_key, "Auto")
    assert updated.id == "one"
    assert len(manager) == 2
    assert manager.remove("one")
    assert not manager.remove("one")
    assert len(manager) == 1
    other = Manager()
    add(other, two)
    assert manager.delete("two")
    assert (len(manager), len(other)) == (0, 0)
    add(manager, one)
    manager.clear()
    assert len(manager) == 0
    assert manager


def test_two_managers_share_one_connection(lamp: VirtualDevice, manager: Manager) -> None:
    first = add(manager, lamp)
    with Manager() as second:
        assert add(second, lamp).query([1, 2]) == first.query([1, 2])
        assert first.metrics.connects == 1
    assert first.query([1])["1"] is False


def test_shutting_down_ends_listeners_and_everything(lamp: VirtualDevice) -> None:
    manager = Manager()
    dev = add(manager, lamp)
    dev.query([1])
    seen: list[Any] = []
    receivers: list[Any] = [manager.listener(), dev.listener()]
    threads = [threading.Thread(target=seen.extend, args=(receiver,)) for receiver in receivers]
    for thread in threads:
        thread.start()
    dev.set_value(1, True, wait="ack")
    Manager.shutdown_all()
    manager.shutdown()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert seen
    assert dev.is_closed
    for receiver in receivers:
        assert receiver.is_closed
        assert receiver.try_recv() is None
        for timeout in (None, 50, 0):
            with pytest.raises(rustuya.ClosedError):
                receiver.recv(timeout_ms=timeout)
    with pytest.raises(rustuya.ClosedError):
        add(manager, lamp)
    with pytest.raises(rustuya.ClosedError):
        dev.query()
    add(Manager(), lamp).close()


def test_receivers_time_out_and_iterate(lamp: VirtualDevice, manager: Manager) -> None:
    dev = add(manager, lamp, query_on_connect=False)
    dev.query([1, 2])
    listener = dev.listener()
    begin = time.monotonic()
    assert listener.recv(timeout_ms=80) is None
    assert 0.05 < time.monotonic() - begin < 2
    assert listener.try_recv() is None
    lamp.set_dps({"2": 77})
    for event in listener:
        assert event.kind == "state"
        assert event.dps == {"2": 77}
        break
    dev.close()
    assert [event.kind for event in listener] in ([], ["connection"])


def test_one_event_goes_to_one_of_the_threads_that_wait(lamp: VirtualDevice, manager: Manager) -> None:
    dev = add(manager, lamp, query_on_connect=False)
    dev.query([1, 2])
    listener = dev.listener()
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.extend(listener)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for value in range(100):
        lamp.set_dps({"2": value})
    deadline = time.monotonic() + 10
    while len(seen) < 100 and time.monotonic() < deadline:
        time.sleep(0.01)
    listener.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert sorted(event.dps["2"] for event in seen) == list(range(100))


def test_events_are_records(virtual_device: Callable[..., VirtualDevice], manager: Manager) -> None:
    device = virtual_device("gate", subs={"c1": {"1": 1}}, dps={"1": "a"})
    receiver = manager.listener()
    dev = add(manager, device)
    up = receiver.recv(5000)
    assert up is not None
    assert (up.kind, up["device_id"], up.cmd, up.payload["connected"]) == ("connection", "gate", None, True)
    dev.query()
    device.set_dps({"1": 5}, cid="c1")
    while True:
        event = receiver.recv(5000)
        assert event is not None
        if event.kind == "state" and event.cid:
            break
    assert (event["cid"], event["dps"], event.cmd) == ("c1", {"1": 5}, CommandType.Status)
    assert event["payload"] is event.payload
    assert isinstance(event.seqno, int)
    assert event.get("nothing") is None
    assert event.get("nothing", 5) == 5
    assert "payload" in event
    assert "nothing" not in event
    assert list(event) == list(event.keys()) == list(dict(event))
    assert len(event) == 9
    assert dict(event.items())["device_id"] == "gate"
    assert "gate" in repr(event)
    assert isinstance(event, rustuya.DeviceEvent)
    with pytest.raises(KeyError):
        event["nothing"]
    with pytest.raises(AttributeError):
        event.kind = "x"  # type: ignore[misc,assignment]
    own = dev.listener()
    device.set_dps({"1": "b"})
    plain = next_of_kind(own, "state")
    assert "device_id" not in plain
    with pytest.raises(KeyError):
        plain["device_id"]


def test_failures_without_a_caller_come_as_events(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device()
    device.unplug()
    with Device(device.id, device.address, device.local_key, device.version, nowait=True, timeout=0.2) as dev:
        listener = dev.listener()
        dev.set_value(9, 1)
        event = next_of_kind(listener, "error")
        assert isinstance(event.error, rustuya.DeviceOffline)
        assert event.payload["Err"] == str(event.error.code)
        assert event.cmd is not None


def test_scanner_finds_what_announces_itself(virtual_device: Callable[..., VirtualDevice]) -> None:
    virtual_device("heard", announce_to=[("127.0.0.1", PORTS[1])], announce_every=0.05, product_key="pid")
    scanner = rustuya.Scanner().ports(PORTS).bind_address("127.0.0.1").active(False)
    assert scanner.timeout(3) is scanner
    found = scanner.discover("heard")
    assert found is not None
    assert (found.id, found["ip"], found.version, found.product_id) == ("heard", "127.0.0.1", "3.4", "pid")
    assert found["product_key"] == "pid"
    assert set(found) == {"id", "ip", "version", "product_key", "product_id"}
    assert next(iter(scanner.stream())).id == "heard"
    assert [device["id"] for device in scanner.timeout(1).scan()] == ["heard"]
    assert scanner.timeout(0.1).discover("nobody") is None
    with pytest.raises(rustuya.InvalidAddress):
        scanner.bind_address("x")


def test_a_device_is_found_by_its_announcement(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device("found", announce_to=[("127.0.0.1", PORTS[1])], announce_every=0.05)
    # The announcement does not carry the port.
    with Device("found", local_key=device.local_key, port=device.port) as dev:
        assert dev.wait_connected(10) == "3.4"
        assert (dev.address, dev.version) == ("127.0.0.1", "3.4")


def test_the_key_is_shown_nowhere(lamp: VirtualDevice, manager: Manager) -> None:
    dev = add(manager, lamp)
    shown = [
        repr(dev),
        str(dev),
        repr(manager.list()),
        repr(manager),
        repr(dev.sub("x")),
        repr(dev.metrics),
        repr(lamp),
    ]
    assert not any(lamp.local_key in text for text in shown)
    assert not hasattr(dev, "local_key")


def test_a_file_limit_can_be_raised() -> None:
    Manager.maximize_fd_limit()
