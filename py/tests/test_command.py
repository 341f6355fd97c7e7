"""Checks that the command line of the package is that of the Rust binary."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
import rustuya
from rustuya import codec
from rustuya.testing import VirtualDevice

KEY = "0123456789abcdef"
SCRIPT = str(Path(sysconfig.get_path("scripts")) / ("rustuya.exe" if sys.platform == "win32" else "rustuya"))


def run(program: list[str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*program, *args], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("program", [[sys.executable, "-m", "rustuya"], [SCRIPT]])
def test_it_runs(program: list[str]) -> None:
    version = run(program, "--version")
    assert (version.returncode, version.stdout.split()) == (0, ["rustuya", rustuya.__version__])
    wrong = run(program, "nonsense")
    assert wrong.returncode == 2
    assert "nonsense" in wrong.stderr
    frame = codec.encode("3.3", KEY, 9, {}, sender="client").hex()
    args = ["decode", "--version", "3.3", "--key-hex", KEY.encode().hex(), "--from", "client"]
    decoded = run(program, *args, frame)
    assert (decoded.returncode, json.loads(decoded.stdout)["name"]) == (0, "HeartBeat")
    assert run(program, *args, frame[:-2] + "00").returncode == 1


def test_it_talks_to_devices(virtual_device: Callable[..., VirtualDevice], tmp_path: Path) -> None:
    device = virtual_device(dps={"1": True})
    entry = {"id": device.id, "key": device.local_key, "ip": device.ip, "port": device.port, "version": "3.4"}
    path = tmp_path / "devices.json"
    path.write_text(json.dumps([entry]))
    done = run([sys.executable, "-m", "rustuya"], "get", "--devices", str(path), device.id)
    assert done.returncode == 0, done.stderr
    assert "true" in done.stdout
