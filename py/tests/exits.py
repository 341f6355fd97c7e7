"""Ends the interpreter during every call of the package: in the main thread, in threads, in daemon threads, in an
executor, in event loops. test_exits.py runs it for each kind of thread.

``exits.py KIND`` ends 200 times under CI, 24 times elsewhere, or ``RUSTUYA_EXITS`` times, each time in a process that
is forked before the package has started anything: starting a new interpreter takes longer than the rest. Prints the
failures as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import rustuya
from rustuya import Manager, TuyaError, aio, codec
from rustuya.testing import VirtualDevice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import IO

KEY = "0123456789abcdef"
# Set some time after the main thread has ended: the interpreter waits for non-daemon threads.
OVER = threading.Event()


def busy(call: Callable[[], object]) -> Callable[[], None]:
    """Repeats the call until the engine reports the end."""

    def work() -> None:
        while threading.current_thread().daemon or not OVER.is_set():
            with contextlib.suppress(TuyaError):
                call()

    return work


def waiting(call: Callable[[], object]) -> Callable[[], None]:
    """Makes a call that returns only at the end."""

    def work() -> None:
        with contextlib.suppress(TuyaError):
            call()

    return work


def calls(device: rustuya.Device, manager: Manager, silent: rustuya.Device) -> list[Callable[[], None]]:
    """Lists every public call, except those that end objects of the others."""
    child = device.sub("child")
    frame = codec.encode("3.3", KEY, 10, {"dps": {"1": True}})
    scanner = rustuya.Scanner().bind_address("127.0.0.1").ports((0, 0, 0)).active(False)
    return [
        busy(lambda: device.state),
        busy(lambda: device.metrics),
        busy(lambda: device.diagnosis),
        busy(lambda: repr(device)),
        busy(lambda: manager.list()),
        busy(lambda: manager.devices()),
        busy(lambda: child.state),
        busy(lambda: device.set_value("no DP", 1)),
        busy(lambda: device.set_value(1, 2)),
        busy(lambda: device.set_value(1, 2, wait="ack")),
        busy(lambda: device.set_dps({"1": 3}, wait="queue")),
        busy(lambda: device.query()),
        busy(lambda: device.status()),
        busy(lambda: device.reconfigure(timeout=3)),
        busy(lambda: device.listener().try_recv()),
        busy(lambda: device.subscribe(lambda _event: None)()),
        busy(lambda: device.entities()),
        busy(lambda: device.entity("dp_1").set(1, wait="ack")),
        busy(lambda: device.changes().try_recv()),
        busy(lambda: codec.decode("3.3", KEY, frame)),
        waiting(lambda: device.listener().recv()),
        waiting(lambda: list(device.listener())),
        waiting(lambda: list(device.changes())),
        waiting(lambda: manager.listener().recv()),
        waiting(lambda: silent.wait_connected()),
        waiting(lambda: silent.query(timeout=60)),
        waiting(lambda: silent.set_value(1, 1, timeout=60)),
        waiting(lambda: silent.detect_dps()),
        waiting(lambda: scanner.scan()),
        waiting(lambda: scanner.discover("not there")),
    ]


async def all_at_once(device: rustuya.Device, silent: rustuya.Device) -> None:
    """Makes the same calls in an event loop."""
    here, quiet = aio.Device.of(device), aio.Device.of(silent)

    async def again(call: Callable[[], Awaitable[object]]) -> None:
        while threading.current_thread().daemon or not OVER.is_set():
            with contextlib.suppress(TuyaError):
                await call()
            await asyncio.sleep(0)

    await asyncio.gather(
        again(here.query),
        again(lambda: here.set_value(1, 4, wait="ack")),
        again(lambda: here.listener().recv(0.001)),
        again(lambda: here.changes().recv(0.001)),
        again(lambda: here.entity("dp_1").set(2, wait="ack")),
        here.changes().recv(),
        here.listener().recv(),
        quiet.wait_connected(),
        quiet.query(timeout=60),
        return_exceptions=True,
    )


def main(kind: str, run: int) -> None:
    # Varies the interleaving of the threads.
    sys.setswitchinterval(0.0002 * (1 + run % 9))
    rustuya.configure(discovery=False)
    logging.basicConfig(level=logging.CRITICAL)
    rustuya.set_log_level(logging.DEBUG)
    virtual = VirtualDevice(dps={"1": 0})
    gone = VirtualDevice(dps={"1": 0})
    gone.unplug()
    manager = Manager()
    device = manager.add(virtual.id, virtual.address, virtual.local_key, virtual.version)
    silent = gone.device()
    device.query()
    # A callback that falls behind its events.
    device.subscribe(lambda _event: time.sleep(0.001))
    for value in range(200):
        virtual.set_dps({"1": value})
    everything = calls(device, manager, silent)
    kept: list[Any] = []
    if kind == "loop":
        for daemon in (False, True):
            loop = threading.Thread(target=lambda: asyncio.run(all_at_once(device, silent)), daemon=daemon)
            loop.start()
    elif kind == "executor":
        pool = ThreadPoolExecutor(len(everything))
        kept.extend(pool.submit(call) for call in everything)
    elif kind == "main":
        kept.extend((device.listener(), manager.listener(), silent))
    else:
        for call in everything:
            threading.Thread(target=call, daemon=kind == "daemon").start()
    # Ends each run at another moment.
    time.sleep(0.002 * (1 + run % 50))
    threading.Timer(0.05, OVER.set).start()


def again_and_again(kind: str, runs: int) -> None:
    """Forks. Returns in each child at its end, in the parent after all children have ended."""
    told: dict[int, tuple[int, IO[bytes]]] = {}
    wrong: list[tuple[int, object, str]] = []

    def late(*_: object) -> None:
        for pid in told:
            os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, late)

    def one_ends() -> None:
        # Restarts the time limit whenever a child has ended.
        signal.alarm(HANGS)
        pid, status = os.wait()
        run, errors = told.pop(pid)
        with errors:
            errors.seek(0)
            lines = errors.read().decode(errors="replace").splitlines()
        text = "\n".join(line for line in lines if not line.startswith(("DEBUG", "WARNING:rustuya")))
        if status or text:
            wrong.append((run, f"signal {status}" if os.WIFSIGNALED(status) else status >> 8, text))

    for run in range(runs):
        if len(told) >= AT_ONCE:
            one_ends()
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed after the process has ended
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            os.dup2(errors.fileno(), 2)
            errors.close()
            for _, others in told.values():
                others.close()
            main(kind, run)
            return
        told[pid] = run, errors
    while told:
        one_ends()
    signal.alarm(0)
    print(json.dumps(wrong))


AT_ONCE = 6
"""Number of processes at a time: each of them mostly waits."""
HANGS = 60
"""Seconds without the end of any process that count as a hang."""

if __name__ == "__main__":
    again_and_again(sys.argv[1], int(os.environ.get("RUSTUYA_EXITS", "200" if os.environ.get("CI") else "24")))
