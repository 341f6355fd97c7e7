"""Tests of signals, fork, subinterpreters and the end of the interpreter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

START = """
import signal, sys, threading, time
# A shell ignores this signal in background jobs.
signal.signal(signal.SIGINT, signal.default_int_handler)
import rustuya
from rustuya.testing import VirtualDevice
rustuya.configure(discovery=False)
device = VirtualDevice(dps={"1": 0})
dev = device.device()
"""


def script(body: str) -> list[str]:
    return [sys.executable, "-W", "ignore::DeprecationWarning", "-c", START + textwrap.dedent(body)]


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(script(body), capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    "call",
    [
        "dev.listener().recv()",
        "next(dev.listener())",
        "dev.query()",
        "dev.set_value(1, 1)",
        "dev.wait_connected(None)",
        "rustuya.Scanner().bind_address('127.0.0.1').ports((0, 0, 0)).active(False).scan()",
        "next(rustuya.Manager().listener())",
        "list(dev.listener())",
        "list(dev.changes())",
        "dev.describe(mapping={'1': {'code': 'switch_1', 'type': 'Boolean'}}).switch().turn_on()",
    ],
)
def test_ctrl_c_interrupts_every_wait(call: str) -> None:
    body = f"""
    device.unplug()
    # A new handle never had a connection to lose.
    dev = device.device()
    print("waiting", flush=True)
    try:
        # Events may end a wait sooner.
        while True:
            {call}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    """
    with subprocess.Popen(script(body), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        took = time.monotonic() - begin
        assert process.wait(10) == 0
    assert took < 0.2


def test_the_interpreter_ends_with_devices_connected_and_threads_waiting() -> None:
    begin = time.monotonic()
    done = run("""
    manager = rustuya.Manager()
    held = manager.add("other", device.address, device.local_key, device.version)
    ended = []
    def read(receiver):
        for _ in receiver:
            pass
        print("ended", flush=True)
    for receiver in (dev.listener(), manager.listener(), held.listener(), dev.changes()):
        threading.Thread(target=read, args=(receiver,)).start()
    threading.Thread(target=dev.listener().recv, daemon=True).start()
    dev.subscribe(print)
    rustuya.set_log_level("DEBUG")
    dev.query()
    """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ended") == 4
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begin < 10


def test_the_interpreter_ends_in_the_middle_of_a_loop() -> None:
    done = run("""
    import asyncio
    from rustuya import aio
    async def main():
        device = aio.Device.of(dev)
        asyncio.ensure_future(device.listener().recv())
        await device.query()
        sys.exit(3)
    asyncio.run(main())
    """)
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_forked_child_is_told() -> None:
    done = run("""
    import os
    dev.query()
    number, changes = dev.entity("dp_1"), dev.changes()
    pid = os.fork()
    if pid == 0:
        of_device = (dev.query, dev.listener, dev.entities, dev.changes, lambda: dev.id)
        of_entities = (lambda: number.state, lambda: number.set(1), changes.try_recv, dev.describe)
        for act in (*of_device, *of_entities, rustuya.Manager, rustuya.Scanner().scan):
            try:
                act()
            except rustuya.ForkedError as error:
                print(error.code, "spawn" in str(error))
        del dev, device, number, changes
        sys.exit(0)
    _, status = os.waitpid(pid, 0)
    print("child", status, dev.query())
    """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["906 True"] * 11 + ["child 0 {'1': 0}"], done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
def test_a_fork_before_the_first_use_is_fine() -> None:
    body = """
    import os, rustuya, sys
    pid = os.fork()
    from rustuya.testing import VirtualDevice
    rustuya.configure(discovery=False)
    with VirtualDevice(dps={"1": 0}) as device, device.device() as dev:
        assert dev.query() == {"1": 0}
    if pid:
        sys.exit(os.waitpid(pid, 0)[1])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(body)], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the module has another name there")
def test_a_sub_interpreter_is_told() -> None:
    body = """
    import rustuya, _xxsubinterpreters as interpreters
    interpreters.run_string(interpreters.create(), "import rustuya")
    """
    command = [sys.executable, "-c", textwrap.dedent(body)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "subinterpreter" in done.stderr


@pytest.mark.parametrize("wait", ["async for _ in aio.Device.of(dev).listener(): pass", "await off.query(timeout=60)"])
def test_a_loop_in_a_thread_does_not_keep_the_interpreter(wait: str) -> None:
    body = f"""
    import asyncio
    from rustuya import ClosedError, aio
    begun = threading.Event()
    async def main():
        await aio.Device.of(dev).wait_connected()
        off = aio.Device("off", "127.0.0.1:1", "0123456789abcdef", "3.4")
        asyncio.get_running_loop().call_later(0.1, begun.set)
        try:
            {wait}
        except ClosedError as error:
            print(error)
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    begun.wait()
    """
    ended = run(body)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "the interpreter is ending\n", "")
