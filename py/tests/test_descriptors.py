"""Tests the lack of file descriptors: reported as such, and over as soon as there are some."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="only Unix has such limits")

PROGRAM = """
import asyncio, resource, sys
import rustuya
# Imported in advance: importing a module opens a file.
import rustuya._calls, rustuya.aio, rustuya.exceptions, rustuya.models
from rustuya.testing import VirtualDevice

SOFT, HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
KEY = "0123456789abcdef"
face = sys.argv[1]


def limit(count):
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, HARD))


def expect(call, exception):
    try:
        call()
    except exception as error:
        text = str(error)
        assert "ulimit -n" in text and "power" not in text and "free the UDP" not in text, text
        return error
    raise AssertionError(f"no {exception.__name__}")


def device(id, address):
    return rustuya.Device(id, address, KEY, "3.4", timeout=5)


# Starts the engine with too few descriptors: each attempt fails, and none is final.
for count in range(3, 9):
    limit(count)
    expect(lambda: device("bf0123456789abcdefgh", "127.0.0.1"), rustuya.OutOfDescriptors)
limit(SOFT)
lamp = VirtualDevice("bf0123456789abcdefgh", KEY, version="3.4", dps={"1": True})
loop, other = asyncio.new_event_loop(), asyncio.new_event_loop()
with rustuya.Device(lamp.id, lamp.address, KEY, "3.4") as before:
    assert loop.run_until_complete(rustuya.aio.Device.of(before).query()) == {"1": True}

limit(5)
here = rustuya.Device(lamp.id, lamp.address, KEY, "3.4", timeout=0.5)
if face == "aio":
    expect(lambda: other.run_until_complete(rustuya.aio.Device.of(here).query()), rustuya.OutOfDescriptors)
    error = expect(lambda: loop.run_until_complete(rustuya.aio.Device.of(here).query()), rustuya.OutOfDescriptors)
else:
    error = expect(here.query, rustuya.OutOfDescriptors)
assert isinstance(error, ConnectionError) and error.code == 901, error
assert error.reason == "out_of_descriptors" and not error.was_sent, error
assert here.diagnosis.reason == "out_of_descriptors", here.diagnosis
expect(lambda: rustuya.Scanner().timeout(0.1).scan(), rustuya.DiscoveryError)
limit(SOFT)

here.wait_connected(20)
assert here.query() == {"1": True}
print("done")
"""


@pytest.mark.parametrize("face", ["sync", "aio"])
def test_a_shortage_is_told_and_passes(face: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, face], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


THREADLESS = """
import rustuya

try:
    rustuya.Device("bf0123456789abcdefgh", "127.0.0.1", "0123456789abcdef", "3.4")
except rustuya.ClosedError as error:
    assert "threads for input and output cannot be started" in str(error), error
    print("done")
"""


@pytest.mark.skipif(sys.maxsize < 2**60, reason="every stack fits somewhere")
def test_without_threads_it_says_so() -> None:
    # A stack that does not fit any memory.
    env = {**os.environ, "RUST_MIN_STACK": str(1 << 46)}
    done = subprocess.run(
        [sys.executable, "-c", THREADLESS], capture_output=True, text=True, timeout=120, check=False, env=env
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
