"""Runs the examples."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
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
    # The state queried on connecting may come first.
    assert "speaks 3.4\n" in told
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


def announced(virtual_device: Callable[..., VirtualDevice], ports: tuple[int, int, int]) -> VirtualDevice:
    return virtual_device("lamp", dps={"1": False}, announce_to=[("127.0.0.1", ports[1])], announce_every=0.1)


def test_an_integration(virtual_device: Callable[..., VirtualDevice]) -> None:
    ports = free_ports()
    device = announced(virtual_device, ports)
    told = run("integration.py", "lamp", device.local_key, "1", "127.0.0.1", *map(str, ports), str(device.port))
    assert told.splitlines() == ["found lamp which speaks 3.4", "key: ok", "at first: off", "told: on ", "unloaded"]
    assert device.dps() == {"1": True}


def test_an_integration_with_a_wrong_key(virtual_device: Callable[..., VirtualDevice]) -> None:
    ports = free_ports()
    device = announced(virtual_device, ports)
    command = [sys.executable, str(EXAMPLES / "integration.py"), "lamp", "f" * 16, "1", "127.0.0.1", *map(str, ports)]
    done = subprocess.run([*command, str(device.port)], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.splitlines()) == (1, ["found lamp which speaks 3.4", "key: wrong_key"])


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are counted with Linux's /proc")
def test_an_integration_leaves_nothing_behind(
    virtual_device: Callable[..., VirtualDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    integration = importlib.import_module("integration")
    device = virtual_device("lamp", dps={"1": False})

    def sockets() -> int:
        count = 0
        for name in os.listdir("/proc/self/fd"):
            # The listing itself has a descriptor, which is closed by now.
            with contextlib.suppress(OSError):
                count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        return count

    async def reload(times: int) -> None:
        for _ in range(times):
            entry = integration.Entry("lamp", device.address, device.local_key, "3.4")
            changes: list[object] = []
            await entry.setup(["1"], changes.append)
            await entry.switches[0].turn(not entry.switches[0].is_on)
            await entry.unload()
            assert not asyncio.all_tasks() - {asyncio.current_task()} or await settled()

    async def settled() -> bool:
        for _ in range(100):
            if asyncio.all_tasks() == {asyncio.current_task()}:
                return True
            await asyncio.sleep(0.01)
        return False

    def count() -> tuple[int, int]:
        # A loop has sockets of its own until it is collected.
        gc.collect()
        return threading.active_count(), sockets()

    asyncio.run(reload(1))
    before = count()
    asyncio.run(reload(20))
    # The device at the other end notices a moment later.
    deadline = time.monotonic() + 5
    while count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert count() <= before


def test_there_are_no_others() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == {"basic", "listener", "manager", "gateway", "scanner", "asyncio_events", "testing", "integration"}
