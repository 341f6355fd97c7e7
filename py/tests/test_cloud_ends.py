"""Tests how fetches from the vendor's cloud end: cancelled, interrupted, with the program; and in several threads."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rustuya import cloud
from rustuya.cloud import Progress
from rustuya.cloud import aio as aio_cloud

from .fake_cloud import HOMES, FakeCloud, ignore, needs_cloud

pytestmark = needs_cloud


def test_a_cancelled_task_logs_out(fake: FakeCloud) -> None:
    fake.order(scan_after=1)
    fake.fail(HOMES, "silence")

    async def main() -> float:
        logged_in = asyncio.Event()

        def progress(step: Progress) -> None:
            if step.kind == "logged_in":
                logged_in.set()

        task = asyncio.create_task(aio_cloud.fetch_with_app(show=ignore, progress=progress, **fake.app))
        await logged_in.wait()
        while not fake.calls(HOMES):
            await asyncio.sleep(0.01)
        assert fake.is_logged_in
        begin = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - begin

    assert asyncio.run(main()) < 4, "the answer that does not come is not waited for"
    assert not fake.is_logged_in


def test_a_cancelled_task_of_a_project_ends_at_once(fake: FakeCloud) -> None:
    fake.fail("/v1.0/token", "silence")

    async def main() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(aio_cloud.fetch(**fake.project), 0.3)
        # The loop goes on meanwhile.
        turns = 0
        task = asyncio.create_task(aio_cloud.fetch(**fake.project))
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 10
        assert len(task.result()) == 9

    begin = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begin < 15


PROGRAM = """
import asyncio, json, signal, sys
from rustuya import cloud
from rustuya.cloud import aio
# A parent in the background may have it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
arguments = json.load(sys.stdin)
way = arguments.pop("way")
try:
    if way == "app":
        cloud.fetch_with_app(show=lambda code: print("code", flush=True), **arguments)
    elif way == "aio":
        asyncio.run(aio.fetch_with_app(show=lambda code: print("code", flush=True), **arguments))
    else:
        cloud.fetch(progress=lambda step: print(step.kind, flush=True), **arguments)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def interrupted(arguments: dict[str, Any], ready: Callable[[], bool], fake: FakeCloud) -> tuple[str, float]:
    """Runs a program that fetches, and sends Ctrl-C when it is ready. Returns its output, and the time to its end."""
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(arguments, default=str))
    child.stdin.close()
    child.stdin = None
    fake.until(ready)
    begin = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert err == ""
    assert child.returncode == 0
    return out, time.monotonic() - begin


@pytest.mark.skipif(os.name != "posix", reason="there is no such signal")
def test_ctrl_c_ends_a_waiting_call_and_logs_out(fake: FakeCloud) -> None:
    fake.fail("/v1.0/token", "silence")
    out, took = interrupted({"way": "project", **fake.project}, lambda: bool(fake.calls("/v1.0/token")), fake)
    assert out.splitlines()[-1] == "interrupted"
    assert took < 4

    fake.order(scan_after=1)
    asked = 0

    def asks_for_homes() -> bool:
        return len(fake.calls(HOMES)) > asked

    for way in ("app", "aio"):
        fake.fail(HOMES, "silence")
        out, took = interrupted({"way": way, **fake.app}, asks_for_homes, fake)
        asked += 1
        assert out.splitlines() == ["code", "interrupted"]
        assert took < 4
        assert not fake.is_logged_in


def test_a_program_that_ends_logs_out(fake: FakeCloud) -> None:
    fake.order(scan_after=1)
    fake.fail(HOMES, "silence")
    code = (
        "import json, sys, threading\n"
        "from rustuya import cloud\n"
        "arguments = json.load(sys.stdin)\n"
        "def run():\n"
        "    try:\n"
        "        cloud.fetch_with_app(show=print, **arguments)\n"
        "    except BaseException as error:\n"
        "        print(type(error).__name__, flush=True)\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "sys.__stdin__.close()\n"
        "ended = threading.Event()\n"
        "ended.wait(2.6)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(fake.app, default=str),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert fake.calls(HOMES), "it was logged in"
    assert not fake.is_logged_in


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_is_refused(fake: FakeCloud) -> None:
    fake.fail("/v1.0/token", "silence")
    code = (
        "import contextlib, json, os, sys, threading, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "from rustuya import ClosedError, ForkedError, cloud\n"
        "arguments = json.load(sys.stdin)\n"
        "started = threading.Event()\n"
        "def run():\n"
        "    with contextlib.suppress(ClosedError):\n"
        "        cloud.fetch(progress=lambda step: started.set(), **arguments)\n"
        "threading.Thread(target=run, daemon=True).start()\n"
        "started.wait()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n"
        "        cloud.fetch(**arguments)\n"
        "    except ForkedError:\n"
        "        os._exit(7)\n"
        "    os._exit(8)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    text = json.dumps(fake.project, default=str)
    done = subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "7\n", "")


def test_threads_fetch_at_the_same_time_without_the_gil(tmp_path: Path) -> None:
    fakes: list[FakeCloud] = []
    for at in range(3):
        (tmp_path / str(at)).mkdir()
        fakes.append(FakeCloud(tmp_path / str(at)))
        # Each waits a second.
        fakes[at].fail("/v1.0/iot-01", {"status": 503})
    results: list[int] = []

    def run(fake: FakeCloud) -> None:
        results.append(len(cloud.fetch(**fake.project)))

    threads = [threading.Thread(target=run, args=(fake,)) for fake in fakes]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    turns = 0
    while any(thread.is_alive() for thread in threads):
        turns += 1
        time.sleep(0.001)
    assert turns > 100
    assert results == [9, 9, 9]
    assert time.monotonic() - begin < 3 * len(fakes)
    for fake in fakes:
        fake.close()
