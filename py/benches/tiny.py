"""Measures the package ``tinytuya``. ``python -m benches.tiny JOB``, in an environment with it."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from . import job
from .clocks import Raw, bursts, exchanges, singles, sustained
from .job import Figures, Job, Orders, virtual_device

tinytuya: Any = importlib.import_module("tinytuya")


def start(job: Job, index: int) -> Any:
    it = virtual_device(index)
    device = tinytuya.Device(it.id, it.address, it.key, version=float(job.version), port=job.port, persist=True)
    if job.variant == "tuned":
        device.set_sendWait(None)
    return device


def answered(call: Any) -> Any:
    """Wraps a call so that an error in the answer raises an exception."""

    def checked() -> Any:
        answer = call()
        if answer is None or "Error" in answer:
            raise RuntimeError(f"tinytuya got {answer!r}")
        return answer

    return checked


def calls(job: Job, orders: Orders) -> Figures:
    """Measures single calls to one device, and to another one that does not wait."""
    raw = Raw(job).exchange
    device, other = start(job, 0), start(job, 1)
    figures = exchanges("asked", answered(device.status), raw, job.turns)
    # tinytuya may return a push instead of the answer, or nothing at all.
    figures |= exchanges("answered", partial(device.set_value, 1, True), raw, job.turns)
    call = partial(other.set_value, 1, True, nowait=True)
    call()
    figures |= singles("nowait_single", call, max(1, job.turns // 4))
    figures |= bursts("nowait_burst", call, job.turns)
    figures |= sustained("nowait", call, job.commands, orders)
    return figures


if __name__ == "__main__":
    job.run({"calls": calls})
