"""The examples run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from rustuya.testing import VirtualDevice

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
    assert run("basic.py", *of(device)) == "{'1': True}\n"
    assert "state {" in run("listener.py", *of(device), "1")
    assert "state {'1': False}" in run("asyncio_events.py", *of(device))


def test_a_gateway(virtual_device: Callable[..., VirtualDevice]) -> None:
    device = virtual_device(subs={"c": {"1": 5}})
    assert run("gateway.py", *of(device)) == "c online {'1': 5}\n"


def test_a_manager(virtual_device: Callable[..., VirtualDevice], tmp_path: Path) -> None:
    device = virtual_device(dps={"1": 5})
    entry = {"id": device.id, "key": device.local_key, "ip": device.ip, "port": device.port, "version": "3.4"}
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([entry]))
    assert run("manager.py", str(path)).splitlines() == [
        f"{device.id} {{'1': 5}}",
        f"{device.id} 127.0.0.1 3.4 fine",
    ]


def test_testing() -> None:
    assert run("testing.py") == "passed\n"


def test_the_rest_is_compiled_only() -> None:
    # A scan asks the whole network.
    source = (EXAMPLES / "scanner.py").read_text(encoding="utf-8")
    compile(source, "scanner.py", "exec")
    assert len(list(EXAMPLES.glob("*.py"))) == 7
