"""Tests the memory of a process, as the system reports it, while a device sends without end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from rustuya.testing import VirtualDevice

Make = Callable[..., VirtualDevice]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

CHILD = """
import sys, time
import rustuya

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))

address, key, version, limit = sys.argv[1:]
limits = {"memory_limit": int(limit), "backlog_limit": int(limit)} if limit != "none" else {}
device = rustuya.Device("hostile", address, key, version, **limits)
listener = device.listener()
device.wait_connected(30)
with open("/proc/self/clear_refs", "w") as refs:
    refs.write("5")
before = peak()
print("up", flush=True)
frames = int(sys.stdin.readline())
ends = time.monotonic() + 60
while device.metrics.frames < frames and time.monotonic() < ends:
    time.sleep(0.005)
grown, frames_read, values_dropped = peak() - before, device.metrics.frames, device.metrics.values_dropped
kinds = set()
while (event := listener.try_recv()) is not None:
    kinds.add(event.kind)
print(grown, frames_read, values_dropped, ",".join(sorted(kinds)), flush=True)
"""

PUSHES = 500


def flooded(virtual_device: Make, version: str, limit: str) -> tuple[int, int, int, set[str]]:
    """Floods a process with 20 MB. Returns its largest growth, frames, dropped values, and kinds of events."""
    device = virtual_device("hostile", version=version, dps={"1": True})
    arguments = [sys.executable, "-c", CHILD, device.address, device.local_key, version, limit]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        for number in range(PUSHES):
            device.set_dps({str(1 + number % 200): f"{number:06}" + "x" * 40_000})
        child.stdin.write(f"{PUSHES}\n")
        child.stdin.flush()
        grown, frames, values_dropped, kinds = child.stdout.readline().split()
    return int(grown), int(frames), int(values_dropped), set(kinds.split(","))


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.5"])
def test_a_hostile_device_does_not_fill_the_memory(virtual_device: Make, version: str) -> None:
    grown, frames, values_dropped, kinds = flooded(virtual_device, version, "none")
    assert frames >= PUSHES
    assert values_dropped > 0
    assert {"lag", "dropped"} <= kinds
    assert grown < 6 << 20


def test_without_a_bound_it_would(virtual_device: Make) -> None:
    grown, frames, _, _ = flooded(virtual_device, "3.1", str(1 << 30))
    assert frames >= PUSHES
    assert grown > 12 << 20
