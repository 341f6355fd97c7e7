"""Measures the package ``rustuya`` 0.3. ``python -m benches.peer JOB``, in an environment with it."""

from __future__ import annotations

import importlib
import time
from functools import partial
from typing import Any, Callable

from . import job
from .clocks import PATIENCE, Raw, Rounds, bursts, connected, exchanges, now, resident, singles, spread, sustained
from .job import Figures, Job, Orders, virtual_device

# Imported by name: type checkers would find this package instead.
rustuya: Any = importlib.import_module("rustuya")

# Queue size of the listener of the variant "ring", in events.
RING = 1 << 17


def start(job: Job, index: int, *, nowait: bool = False) -> Any:
    it = virtual_device(index)
    return rustuya.Device(it.id, it.key, it.address, job.version, port=job.port, nowait=nowait)


def wait_connected(devices: list[Any], job: Job, orders: Orders, begin: int) -> float:
    return connected([partial(getattr, device, "is_connected") for device in devices], orders, job.devices, begin)


def calls(job: Job, orders: Orders) -> Figures:
    """Measures single calls to one device, and to another one that does not wait."""
    raw = Raw(job).exchange
    device, other = start(job, 0), start(job, 1, nowait=True)
    wait_connected([device, other], job, orders, now())
    figures = exchanges("asked", device.status, raw, job.turns)
    figures |= exchanges("answered", partial(device.set_value, 1, True), raw, job.turns)
    call = partial(other.set_value, 1, True)
    figures |= singles("nowait_single", call, max(1, job.turns // 4))
    figures |= bursts("nowait_burst", call, job.turns)
    figures |= sustained("nowait", call, job.commands, orders)
    return figures


def untouched(_event: object) -> int:
    return 0


def of_payload(event: Any) -> int:
    return int(dps_of(event["payload"])["3"])


def dps_of(payload: Any) -> Any:
    return payload["data"]["dps"] if "data" in payload else payload["dps"]


def events(job: Job, orders: Orders) -> Figures:
    """Measures a fleet whose devices send pushes as fast as they are received."""
    devices = [start(job, index) for index in range(job.devices)]
    wait_connected(devices, job, orders, now())
    ways: dict[str, Callable[[Any], int]] = {"untouched": untouched, "payload": of_payload}
    if job.variant == "ring":
        listener = rustuya.unified_listener(devices, capacity=RING)
    else:
        listener = rustuya.unified_listener(devices)
    figures: Figures = {}
    for name, take in ways.items():
        rounds, content = Rounds(f"events_{name}", job, orders), 0
        while listener.recv(timeout_ms=200) is not None:
            pass
        while rounds.more():
            received, expected, waited = 0, rounds.begin(), 0.0
            while received < expected:
                event = listener.recv(timeout_ms=int(PATIENCE * 1000))
                if event is None:
                    waited = PATIENCE
                    break
                if take is not untouched:
                    content += take(event)
                received += 1
            rounds.end(received, waited)
        if take is not untouched:
            rounds.check(content)
        figures |= rounds.figures()
    return figures


def fleet(job: Job, orders: Orders) -> Figures:
    """Measures many devices: time until all are connected, memory and CPU time."""
    rustuya.maximize_fd_limit()
    time.sleep(0.1)
    empty, spent, begin = resident(), time.process_time_ns(), now()
    devices = [start(job, index) for index in range(job.devices)]
    up = wait_connected(devices, job, orders, begin)
    spent = time.process_time_ns() - spent
    time.sleep(1)
    grown = resident() - empty
    return {
        "fleet_up": spread([up]),
        "fleet_cpu": spread([spent / 1e6]),
        "fleet_resident": spread([grown / 1024 / job.devices]),
    }


if __name__ == "__main__":
    job.run({"calls": calls, "events": events, "fleet": fleet})
