"""The examples run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rustuya.testing import VirtualDevice

from .conftest import free_ports

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name: str, *args: str) -> str:
    command = [sys.executable, str(EXAMPLES / name), *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def of(device: VirtualDevice) -> list[str]:
    return [device.id, device.address, device.local_key, device.version]


def test_one_device(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": False})
    assert run("basic.py", *of(device)) == "DP 1: True\n"
    assert "state {'1': True}\n" in run("listener.py", *of(device), "1")
    told = run("asyncio_events.py", *of(device))
    assert told.startswith("speaks 3.4\n")
    assert told.endswith("state {'1': False}\n")


def test_an_error_is_told(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(dps={"1": False})
    command = [sys.executable, str(EXAMPLES / "basic.py"), device.id, device.address, "f" * 16, "3.4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error 914: ")


def test_a_gateway(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(subs={"c": {"1": 5}})
    assert run("gateway.py", *of(device)) == "c online {'1': 5}\n"


def test_a_manager(virtual_device: Callable[..., VirtualDevice], tmp_path: Path) -> None:
    device = virtual_device(dps={"1": 5})
    entry = {
        "id": device.id,
        "name": "Lamp",
        "key": device.local_key,
        "ip": device.ip,
        "port": device.port,
        "version": "3.4",
    }
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([entry]), encoding="utf-8")
    assert run("manager.py", str(path)).splitlines() == [
        "Lamp {'1': 5}",
        "Lamp 127.0.0.1 3.4 fine",
        "1 commands were answered",
    ]


def test_a_scan(virtual_device: Callable[..., VirtualDevice]) -> None:
    ports = free_ports()
    announced = [("127.0.0.1", ports[1])]
    virtual_device("heard", version="3.4", announce_to=announced, announce_every=0.1, product_key="product")
    told = run("scanner.py", "1.5", "127.0.0.1", *map(str, ports))
    assert told.splitlines() == ["heard 127.0.0.1 3.4 product", "1 devices"]


def test_testing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(EXAMPLES / "testing.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "2 passed" in done.stdout


def test_there_are_no_others() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"basic", "listener", "manager", "gateway", "scanner", "asyncio_events", "testing"}
