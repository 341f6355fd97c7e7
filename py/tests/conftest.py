from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import rustuya
from rustuya.testing import VirtualDevice

from .fake_cloud import FakeCloud


def free_ports() -> tuple[int, int, int]:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    first, second, third = (each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return first, second, third


PORTS = free_ports()
rustuya.configure(ports=PORTS, bind_address="127.0.0.1", probe_to=[("127.0.0.1", PORTS[2])])


@pytest.fixture(params=["3.1", "3.2", "3.3", "3.4", "3.5"])
def lamp(request: pytest.FixtureRequest, virtual_device: Callable[..., VirtualDevice]) -> VirtualDevice:
    """A virtual device of every version."""
    return virtual_device("lamp", version=request.param, dps={"1": False, "2": 50})


@pytest.fixture
def manager() -> Iterator[rustuya.Manager]:
    with rustuya.Manager() as manager:
        yield manager


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCloud]:
    """A running stand-in for the vendor's cloud."""
    fake = FakeCloud(tmp_path)
    yield fake
    fake.close()


def next_of_kind(
    receiver: rustuya.DeviceMessageReceiver | rustuya.ManagerEventReceiver, kind: str
) -> rustuya.DeviceEvent:
    while True:
        event = receiver.recv(timeout_ms=5000)
        assert event is not None, f"no event of the kind {kind}"
        if event.kind == kind:
            return event
