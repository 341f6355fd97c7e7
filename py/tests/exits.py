"""A program whose interpreter ends while every call of the package is under way: in the main thread, in threads, in
daemon threads, in an executor, in event loops. Run by test_exits.py for each kind of thread.

``exits.py KIND`` ends 200 times under CI, 24 times elsewhere, or as often as ``RUSTUYA_EXITS`` says, each time in a
process that is forked before the package has started anything: beginning an interpreter anew takes longer than all the
rest. Prints what went wrong, as JSON.
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
# Set some time after the main thread has ended: the interpreter waits for threads that are no daemons.
OVER = threading.Event()


def busy(call: Callable[[], object]) -> Callable[[], None]:
    """Makes the call over and over, until the engine says that it is over."""

    def work() -> None:
        while threading.current_thread().daemon or not OVER.is_set():
            with contextlib.suppress(TuyaError):
                call()

    return work


def waiting(call: Callable[[], object]) -> Callable[[], None]:
    """Makes a call that nothing but the end brings back."""

    def work() -> None:
        with contextlib.suppress(TuyaError):
            call()

    return work


def calls(device: rustuya.Device, manager: Manager, silent: rustuya.Device) -> list[Callable[[], None]]:
    """Every public call, but those that end what the others need."""
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
        busy(lambda: codec.decode("3.3", KEY, frame)),
        waiting(lambda: device.listener().recv()),
        waiting(lambda: list(device.listener())),
        waiting(lambda: manager.listener().recv()),
        waiting(lambda: silent.wait_connected()),
        waiting(lambda: silent.query(timeout=60)),
        waiting(lambda: silent.set_value(1, 1, timeout=60)),
        waiting(lambda: silent.detect_dps()),
        waiting(lambda: scanner.scan()),
        waiting(lambda: scanner.discover("not there")),
    ]


async def all_at_once(device: rustuya.Device, silent: rustuya.Device) -> None:
    """The same in an event loop."""
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
        here.listener().recv(),
        quiet.wait_connected(),
        quiet.query(timeout=60),
        return_exceptions=True,
    )


def main(kind: str, run: int) -> None:
    # Many threads that want to run at once have each their turn soon, more or less.
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
    # One that has more to do than it gets done.
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
    # Each ends at another moment.
    time.sleep(0.002 * (1 + run % 50))
    threading.Timer(0.05, OVER.set).start()


def again_and_again(kind: str, runs: int) -> None:
    """Forks, and returns in each child when that is to end; in the parent when all have ended."""
    told: dict[int, tuple[int, IO[bytes]]] = {}
    wrong: list[tuple[int, object, str]] = []

    def late(*_: object) -> None:
        for pid in told:
            os.kill(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, late)

    def one_ends() -> None:
        # Each has so long from when there was one less.
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
        errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed when the process has ended
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
"""So many processes, since much of the time each of them waits."""
HANGS = 60
"""Seconds without an end of any of them that are a hang."""

if __name__ == "__main__":
    again_and_again(sys.argv[1], int(os.environ.get("RUSTUYA_EXITS", "200" if os.environ.get("CI") else "24")))
