"""Tests that the interpreter ends during any call: no abort, no hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("exits.py")


def end(arguments: list[str]) -> tuple[int, str]:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False)
    told = [line for line in done.stderr.splitlines() if not line.startswith(("DEBUG", "WARNING:rustuya"))]
    return done.returncode, "\n".join(told)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("kind", ["main", "thread", "daemon", "executor", "loop"])
def test_every_call_in_every_kind_of_thread_lets_the_interpreter_end(kind: str) -> None:
    program = [sys.executable, "-W", "error", str(PROGRAM), kind]
    done = subprocess.run(program, capture_output=True, text=True, timeout=1200, check=False)
    assert (done.returncode, done.stderr, json.loads(done.stdout)) == (0, "", [])


START = """
import sys, time
import rustuya
from rustuya.testing import VirtualDevice
rustuya.configure(discovery=False)
virtual = VirtualDevice(dps={"1": 0})
device = virtual.device()
device.query()
"""


@pytest.mark.parametrize("takes", ["0.01", "3600"])
def test_a_callback_with_a_backlog_does_not_keep_the_interpreter(takes: str) -> None:
    body = f"""
    device.subscribe(lambda event: time.sleep({takes}))
    rustuya.set_log_level(10)
    rustuya.set_log_callback(lambda *record: time.sleep({takes}))
    for value in range(1000): virtual.set_dps({{"1": value}})
    """
    status, text = end(["-c", START + body.replace("\n    ", "\n")])
    assert (status, text) == (0, "")


def test_a_callback_under_way_is_let_finish() -> None:
    body = """
    device.subscribe(lambda event: (time.sleep(0.5), print("done", flush=True)))
    virtual.set_dps({"1": 5})
    time.sleep(0.2)
    """
    program = [sys.executable, "-c", START + body.replace("\n    ", "\n")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    # Only the first: waiting calls are not started.
    assert done.stdout == "done\n"


def test_python_code_below_which_the_package_waits_is_let_finish() -> None:
    """Up to 3.13, a thread that is killed there aborts the process.

    It must want to run while the interpreter ends, and for longer than callbacks are waited for.
    """
    body = """
    import threading
    from collections.abc import Mapping
    class Slow(Mapping):
        def __len__(self):
            return 1
        def __iter__(self):
            for _ in range(4000): time.sleep(0.001)
            return iter(["1"])
        def __getitem__(self, key):
            return 1
    threading.Thread(target=device.set_dps, args=(Slow(),), daemon=True).start()
    time.sleep(0.2)
    """
    assert end(["-c", START + body.replace("\n    ", "\n")]) == (0, "")


@pytest.mark.parametrize(
    "order", ["import concurrent.futures.thread, rustuya", "import rustuya, concurrent.futures.thread"]
)
@pytest.mark.parametrize("call", ["recv", "__next__"])
def test_a_worker_of_an_executor_that_waits_is_released(order: str, call: str) -> None:
    body = f"""
    pool = concurrent.futures.ThreadPoolExecutor()
    listener = device.listener()
    waits = pool.submit(listener.{call})
    time.sleep(0.1)
    assert not waits.done()
    """
    assert end(["-c", order + START + body.replace("\n    ", "\n")]) == (0, "")


def test_asyncio_run_ends_while_its_executor_waits() -> None:
    body = """
    import asyncio
    async def listen():
        listener = device.listener()
        while True:
            await asyncio.get_running_loop().run_in_executor(None, listener.recv)
    async def main():
        task = asyncio.create_task(listen())
        await asyncio.sleep(0.1)
    asyncio.run(main())
    assert device.query() == {"1": 0}
    """
    assert end(["-c", START + body.replace("\n    ", "\n")]) == (0, "")


@pytest.mark.parametrize(
    "order", ["import concurrent.futures.thread, rustuya", "import rustuya, concurrent.futures.thread"]
)
@pytest.mark.parametrize("wait", ["async for _ in device.listener(): pass", "await device.wait_connected(None)"])
def test_a_loop_in_a_worker_of_an_executor_is_released(order: str, wait: str) -> None:
    body = f"""
    import asyncio
    from rustuya import aio
    virtual.unplug()
    async def main():
        device = aio.Device.of(virtual.device())
        {wait}
    pool = concurrent.futures.ThreadPoolExecutor()
    waits = pool.submit(asyncio.run, main())
    time.sleep(0.1)
    assert not waits.done()
    """
    assert end(["-c", order + START + body.replace("\n    ", "\n")]) == (0, "")
