"""A program whose interpreter ends while every call of the package is under way: in the main thread, in threads, in
daemon threads, in an executor, in event loops. Run by test_exits.py, once for each kind of thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import rustuya
from rustuya import Manager, TuyaError, aio, codec
from rustuya.testing import VirtualDevice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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


def main(kind: str) -> None:
    # Many threads that want to run at once have each their turn soon.
    sys.setswitchinterval(0.0002)
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
    time.sleep(float(sys.argv[2]))
    threading.Timer(0.2, OVER.set).start()
    print("ends", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
