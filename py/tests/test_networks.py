"""Tests finding devices without announcements, and devices by name."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rustuya
from rustuya import aio
from rustuya.testing import VirtualDevice

from .conftest import PORTS, free_ports

Make = Callable[..., VirtualDevice]
KEY = "0123456789abcdef"


def scanner_on(ports: tuple[int, int, int]) -> rustuya.Scanner:
    return rustuya.Scanner().ports(ports).bind_address("127.0.0.1")


def test_a_network_is_looked_through(virtual_device: Make) -> None:
    ports = free_ports()
    lamp = virtual_device("lamp", version="3.5", product_key="product", probes=("127.0.0.1", ports[2]))
    assert lamp.probe_address is not None
    with scanner_on(ports).sweep("127.0.0.0/30", port=lamp.port, probe_port=lamp.probe_address[1]) as sweep:
        news = list(sweep)
    found = next(each for each in news if each.kind == "found")
    assert found.found is not None
    assert (found.ip, found.found.id, found.found.version) == ("127.0.0.1", "lamp", "3.5")
    assert (found.found.product_key, found.found.relayed_by, found.found.unpaired) == ("product", None, False)
    progress = [each for each in news if each.kind == "progress"]
    assert progress[-1].done == progress[-1].total == 2
    # Nothing but a UDP probe was sent to it.
    assert lamp.rejected_writes == []


def test_what_listens_and_says_nothing_is_told_with_asyncio(virtual_device: Make) -> None:
    lamp = virtual_device("lamp", version="3.3")
    ports = free_ports()

    async def main() -> list[Any]:
        scanner = aio.Scanner().ports(ports).bind_address("127.0.0.1")
        async with scanner.sweep("127.0.0.1/32", port=lamp.port, probe_port=free_ports()[0]) as sweep:
            return [each async for each in sweep]

    news = asyncio.run(asyncio.wait_for(main(), 30))
    assert [each.ip for each in news if each.kind == "open"] == ["127.0.0.1"]
    assert not [each for each in news if each.kind == "found"]


def test_a_sweep_is_ended_by_closing_it() -> None:
    sweep = scanner_on(free_ports()).sweep("127.7.0.0/16", port=9, probe_port=9)
    assert sweep.recv(timeout_ms=10_000) is not None
    sweep.close()
    assert sweep.is_closed
    with pytest.raises(rustuya.ClosedError):
        sweep.recv(timeout_ms=10_000)


@pytest.mark.parametrize("wrong", ["", "127.0.0.1/33", "127.0.0.0/8", "lamp.lan/24", "127.0.0.1-x"])
def test_what_is_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(rustuya.ConfigError):
        rustuya.Scanner().sweep(wrong)


@pytest.fixture
def relayed(virtual_device: Make) -> Iterator[VirtualDevice]:
    """Creates a device whose announcements arrive from another address than its own."""
    relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    relay.bind(("127.0.0.1", 0))
    relay.settimeout(0.05)
    over = threading.Event()

    def forward() -> None:
        while not over.is_set():
            try:
                datagram = relay.recv(4096)
            except OSError:
                continue
            relay.sendto(datagram, ("127.0.0.1", PORTS[1]))

    thread = threading.Thread(target=forward)
    thread.start()
    yield virtual_device(
        "behind",
        version="3.4",
        dps={"1": True},
        bind="127.0.0.77:0",
        announce_to=[relay.getsockname()],
        announce_every=0.05,
    )
    over.set()
    thread.join()
    relay.close()


def test_relayed_announcements_are_told_and_believed_if_trusted(relayed: VirtualDevice) -> None:
    scanner = scanner_on(PORTS).active(False).timeout(0.5)
    assert relayed.id not in [found.id for found in scanner.scan()]
    [heard] = [found for found in scanner.relayed if found.id == relayed.id]
    assert (heard.ip, heard.relayed_by, heard.version) == ("127.0.0.77", "127.0.0.1", "3.4")
    # The set of entries of the mapping must not change.
    assert set(heard) == {"id", "ip", "version", "product_key", "product_id"}
    found = scanner.trust_relayed(True).timeout(10).discover(relayed.id)
    assert found is not None
    assert (found.ip, found.relayed_by) == ("127.0.0.77", "127.0.0.1")
    # Trusted or not, the scanner lists them.
    assert [found.id for found in scanner.relayed] == [relayed.id]


def test_relayed_announcements_with_asyncio(relayed: VirtualDevice) -> None:
    async def main() -> None:
        scanner = aio.Scanner().ports(PORTS).bind_address("127.0.0.1").active(False).timeout(0.5)
        assert await scanner.discover(relayed.id) is None
        assert [(found.id, found.relayed_by) for found in scanner.relayed] == [(relayed.id, "127.0.0.1")]
        found = await scanner.trust_relayed(True).timeout(10).discover(relayed.id)
        assert found is not None

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_device_that_is_heard_by_a_relay_alone_says_so(relayed: VirtualDevice) -> None:
    with rustuya.Device(relayed.id, "Auto", relayed.local_key, "3.4") as device:
        with pytest.raises(rustuya.DeviceOffline) as caught:
            device.wait_connected(timeout=1)
        assert caught.value.reason == "relayed"
        assert device.diagnosis is not None
        assert "relay" in device.diagnosis.advice


def test_host_names_are_addresses(virtual_device: Make) -> None:
    lamp = virtual_device("lamp", version="3.3", dps={"1": True})
    with rustuya.Device("lamp", f"localhost:{lamp.port}", lamp.local_key, "3.3") as device:
        assert device.query() == {"1": True}
        assert device.address in ("localhost", "127.0.0.1")
    with rustuya.Device("lamp", "127.0.0.1:9", lamp.local_key, "3.3") as device:
        device.reconfigure(address="localhost", port=lamp.port)
        assert device.query() == {"1": True}


@pytest.mark.parametrize("wrong", ["my lamp", "-lamp", "1.2.3.400", "lamp:port", "lamp:0", "a..b", "l\u00e4mp"])
def test_what_is_neither_an_address_nor_a_name_is_refused(wrong: str) -> None:
    with pytest.raises(rustuya.InvalidAddress):
        rustuya.Device("lamp", wrong, KEY, "3.3")


def test_the_key_is_no_host_name() -> None:
    with rustuya.Device("lamp", "127.0.0.1:9", KEY, "3.3") as device:
        changes: list[dict[str, Any]] = [
            {"address": KEY, "local_key": KEY},
            {"address": f"{KEY}:6668", "local_key": KEY.encode()},
        ]
        for change in changes:
            with pytest.raises(rustuya.InvalidAddress) as caught:
                device.reconfigure(**change)
            assert KEY not in str(caught.value)
