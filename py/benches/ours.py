"""Measures this package. ``python -m benches.ours JOB``."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from functools import partial
from typing import Any, Callable

import rustuya
from rustuya import aio

from . import job
from .clocks import PATIENCE, TURN, Raw, Rounds, bursts, connected, exchanges, now, resident, singles, spread, sustained
from .job import Figures, Job, Orders, virtual_device

Take = Callable[[Any], int]


def configure() -> None:
    """Configures discovery on loopback only."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    first, second, third = (each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    rustuya.configure(ports=(first, second, third), bind_address="127.0.0.1", probe_to=[("127.0.0.1", third)])


def add(manager: rustuya.Manager | aio.Manager, job: Job, index: int) -> Any:
    it = virtual_device(index)
    return manager.add(it.id, it.address, it.key, job.version, port=job.port)


def calls(job: Job, orders: Orders) -> Figures:
    """Measures single calls to one device."""
    raw = Raw(job).exchange
    with rustuya.Manager() as manager:
        device: rustuya.Device = add(manager, job, 0)
        device.wait_connected()
        figures = exchanges("asked", device.query, raw, job.turns)
        figures |= exchanges("answered", partial(device.set_value, 1, True, wait="ack"), raw, job.turns)
        figures |= exchanges("written", device.status, raw, job.turns)
        call = partial(device.set_value, 1, True)
        figures |= sustained("waiting", call, job.commands, orders)
        device.set_nowait(True)
        figures |= singles("nowait_single", call, max(1, job.turns // 4))
        figures |= bursts("nowait_burst", call, job.turns)
        figures |= sustained("nowait", partial(patiently, call), job.commands, orders)
        figures |= singles("raw_single", Raw(job).send, max(1, job.turns // 4))
        figures |= bursts("raw_burst", Raw(job).send, job.turns)
        figures |= asyncio.run(calls_of_a_loop(aio.Device.of(device), raw, job.turns))
    return figures


def patiently(call: Callable[[], object]) -> None:
    """Repeats a command that is refused because too many wait, as its error advises."""
    while True:
        try:
            call()
            return
        except rustuya.DeviceBusy:
            time.sleep(0.0005)


async def calls_of_a_loop(device: aio.Device, raw: Callable[[], object], turns: int) -> Figures:
    """Measures the same for asyncio. The device is set to ``nowait``."""
    times: dict[str, list[float]] = {"aio_asked": [], "aio_nowait": [], "raw": []}
    ratios, cpu = [], []
    for _ in range(turns):
        for name, call in (("raw", raw), ("aio_asked", device.query)):
            for _ in range(TURN):
                begin = now()
                done = call()
                if name != "raw":
                    await done  # type: ignore[misc]
                times[name].append((now() - begin) / 1e3)
        ratios.append(sorted(times["aio_asked"][-TURN:])[TURN // 2] / sorted(times["raw"][-TURN:])[TURN // 2])
        idle = time.process_time_ns()
        await asyncio.sleep(0.005)
        spent = time.process_time_ns()
        begin = now()
        for _ in range(TURN):
            await device.set_value(1, True)
        times["aio_nowait"].append((now() - begin) / 1e3 / TURN)
        await asyncio.sleep(0.005)
        cpu.append((time.process_time_ns() - spent - (spent - idle)) / 1e3 / TURN)
    figures = {name: spread(values) for name, values in times.items() if name != "raw"}
    return figures | {"aio_asked_ratio": spread(ratios), "aio_nowait_cpu": spread(cpu)}


def untouched(_event: object) -> int:
    return 0


def of_dps(event: rustuya.ManagerEvent) -> int:
    number = event.dps["3"]
    return number if isinstance(number, int) else 0


def of_payload(event: rustuya.ManagerEvent) -> int:
    payload = event["payload"]
    dps = payload["data"]["dps"] if "data" in payload else payload["dps"]
    return int(dps["3"])


WAYS: dict[str, Take] = {"untouched": untouched, "dps": of_dps, "payload": of_payload}


def events(job: Job, orders: Orders) -> Figures:
    """Measures a fleet whose devices send pushes as fast as they are received."""
    figures: Figures = {}
    with rustuya.Manager() as manager:
        for device in [add(manager, job, index) for index in range(job.devices)]:
            # The events of the first query must not be counted with the pushes.
            device.wait_ready()
        for name, take in WAYS.items():
            figures |= by_listener(manager, Rounds(f"events_{name}", job, orders), take)
            figures |= by_callback(manager, Rounds(f"subscribe_{name}", job, orders), take)
    figures |= asyncio.run(events_of_a_loop(job, orders))
    return figures


def by_listener(manager: rustuya.Manager, rounds: Rounds, take: Take) -> Figures:
    content = 0
    with manager.listener() as listener:
        while rounds.more():
            received, expected, waited = 0, rounds.begin(), 0.0
            while received < expected:
                event = listener.recv(timeout_ms=PATIENCE * 1000)
                if event is None:
                    waited = PATIENCE
                    break
                if take is not untouched:
                    content += take(event)
                received += 1
            rounds.end(received - listener.missed, waited)
    if take is not untouched:
        rounds.check(content)
    return rounds.figures()


def by_callback(manager: rustuya.Manager, rounds: Rounds, take: Take) -> Figures:
    received = content = expected = 0
    done = threading.Event()

    def count(event: object) -> None:
        nonlocal received, content
        received += 1
        if take is not untouched:
            content += take(event)
        if received >= expected:
            done.set()

    with manager.subscribe(count):
        while rounds.more():
            received = 0
            expected = 1 << 60
            done.clear()
            expected = rounds.begin()
            # All may be received before the expected number was known.
            complete = received >= expected or done.wait(PATIENCE * 2)
            rounds.end(received, 0.0 if complete else PATIENCE * 2)
    if take is not untouched:
        rounds.check(content)
    return rounds.figures()


async def events_of_a_loop(job: Job, orders: Orders) -> Figures:
    figures: Figures = {}
    async with aio.Manager() as manager:
        for device in [add(manager, job, index) for index in range(job.devices)]:
            await device.wait_ready()
        for name, take in WAYS.items():
            rounds, content, received = Rounds(f"aio_{name}", job, orders), 0, 0

            async def read(listener: aio.Receiver[rustuya.ManagerEvent], expected: int, take: Take) -> None:
                nonlocal content, received
                async for event in listener:
                    received += 1
                    if take is not untouched:
                        content += take(event)
                    if received >= expected:
                        break

            async with manager.listener() as listener:
                while rounds.more():
                    received, expected, waited = 0, rounds.begin(), 0.0
                    try:
                        await asyncio.wait_for(read(listener, expected, take), PATIENCE * 2)
                    except asyncio.TimeoutError:
                        waited = PATIENCE * 2
                    rounds.end(received - listener.missed, waited)
            if take is not untouched:
                rounds.check(content)
            figures |= rounds.figures()
    return figures


def fleet(job: Job, orders: Orders) -> Figures:
    """Measures many devices: time until all are connected, memory and CPU time."""
    rustuya.Manager.maximize_fd_limit()
    manager = rustuya.Manager()
    time.sleep(0.1)
    empty, spent, begin = resident(), time.process_time_ns(), now()
    devices = [add(manager, job, index) for index in range(job.devices)]
    up = connected([partial(getattr, device, "is_connected") for device in devices], orders, job.devices, begin)
    spent = time.process_time_ns() - spent
    time.sleep(1)
    grown = resident() - empty
    # Checks that they are usable, too.
    for device in devices:
        device.query()
    return {
        "fleet_up": spread([up]),
        "fleet_cpu": spread([spent / 1e6]),
        "fleet_resident": spread([grown / 1024 / job.devices]),
    }


if __name__ == "__main__":
    configure()
    job.run({"calls": calls, "events": events, "fleet": fleet})
