"""Measures calls and events of any library."""

from __future__ import annotations

import os
import socket
import time
from statistics import median
from typing import Callable

from .job import Figures, Job, Orders, virtual_device

# Number of consecutive calls of one kind.
TURN = 50
# Number of pushes per device and round of events.
ROUND = 64
# Seconds after which an event counts as lost.
PATIENCE = 2.0

Call = Callable[[], object]
now = time.perf_counter_ns


def spread(values: list[float], *, best_is_high: bool = False) -> dict[str, float]:
    """Returns the median and the limit of the best tenth."""
    ordered = sorted(values, reverse=best_is_high)
    return {"median": median(ordered), "best": ordered[len(ordered) // 10]}


def resident() -> int:
    """Returns the resident memory of this process, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Raw:
    """The same exchange without a library: prepared bytes over a blocking socket."""

    def __init__(self, job: Job) -> None:
        # The first device beyond the fleet expects frames under its local key.
        self._socket = socket.create_connection((virtual_device(job.devices).address, job.port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frame = bytes.fromhex(job.frame)
        self._answer = job.answer

    def send(self) -> None:
        """Sends one query; its answer is not read."""
        self._socket.sendall(self._frame)

    def exchange(self) -> bytes:
        """Sends one query and reads its answer."""
        connection = self._socket
        connection.sendall(self._frame)
        answer = connection.recv(4096)
        while len(answer) < self._answer:
            answer += connection.recv(4096)
        return answer


def each(call: Call, count: int) -> list[float]:
    """Measures each call, in microseconds."""
    times = []
    for _ in range(count):
        begin = now()
        call()
        times.append((now() - begin) / 1e3)
    return times


def exchanges(name: str, call: Call, raw: Call, turns: int) -> Figures:
    """Measures calls that wait for an answer, in turns with the raw socket."""
    times, bare, ratios = [], [], []
    each(call, TURN // 5)
    for _ in range(turns):
        raws, calls = each(raw, TURN), each(call, TURN)
        ratios.append(median(calls) / median(raws))
        times += calls
        bare += raws
    return {name: spread(times), f"{name}_raw": spread(bare), f"{name}_ratio": spread(ratios)}


def cpu_beside(work: Call, idle: Call) -> float:
    """Measures the CPU time of the whole process that ``work`` takes more than ``idle``, in microseconds."""
    begin = time.process_time_ns()
    idle()
    between = time.process_time_ns()
    work()
    return (time.process_time_ns() - between - (between - begin)) / 1e3


def singles(name: str, call: Call, turns: int, pause: float = 0.002) -> Figures:
    """Measures calls that wait for nothing, each after a pause."""
    times: list[float] = []

    def idle() -> None:
        for _ in range(TURN):
            time.sleep(pause)

    def work() -> None:
        for _ in range(TURN):
            begin = now()
            call()
            times.append((now() - begin) / 1e3)
            time.sleep(pause)

    cpu = [cpu_beside(work, idle) / TURN for _ in range(turns)]
    return {name: spread(times), f"{name}_cpu": spread(cpu)}


def bursts(name: str, call: Call, turns: int, pause: float = 0.005) -> Figures:
    """Measures bursts of calls that wait for nothing; the pause between bursts lets them complete."""
    times: list[float] = []

    def work() -> None:
        begin = now()
        for _ in range(TURN):
            call()
        times.append((now() - begin) / 1e3 / TURN)
        time.sleep(pause)

    cpu = [cpu_beside(work, lambda: time.sleep(pause)) / TURN for _ in range(turns)]
    return {name: spread(times), f"{name}_cpu": spread(cpu)}


def sustained(name: str, call: Call, count: int, orders: Orders) -> Figures:
    """Measures calls that wait for nothing, without any pause, until all of them have reached the device."""
    before = orders.counts()["commands"]
    cpu = time.process_time_ns()
    begin = now()
    for _ in range(count):
        call()
    called = now()
    arrived, seen = 0, now()
    while arrived < count and now() - seen < PATIENCE * 1e9:
        time.sleep(0.005)
        arrived, known = orders.counts()["commands"] - before, arrived
        if arrived > known:
            seen = now()
    # Lets the last answers arrive.
    time.sleep(0.02)
    spent = time.process_time_ns() - cpu
    figures = {"": (called - begin, count), "_delivered": (seen - begin, arrived), "_cpu": (spent, arrived)}
    result = {f"{name}{part}": spread([value / 1e3 / max(1, of)]) for part, (value, of) in figures.items()}
    result[f"{name}_lost"] = spread([100.0 * (count - arrived) / count])
    return result


class Rounds:
    """Rounds of pushes from every device, with the number received."""

    def __init__(self, name: str, job: Job, orders: Orders, pushes: int = ROUND) -> None:
        self._name, self._job, self._orders, self._pushes = name, job, orders, pushes
        self._rates: list[float] = []
        self._sent = self._received = self._cpu = 0
        self._seconds = 0.0

    def more(self) -> bool:
        """Returns whether there is time for another round."""
        return self._seconds < self._job.seconds

    def begin(self) -> int:
        """Makes the devices send a round; returns its number of pushes."""
        self._expected = int(self._orders.order(f"prepare {self._pushes}"))
        if self._expected != self._pushes * self._job.devices:
            raise RuntimeError("a device is not connected")
        self._process = time.process_time_ns()
        self._begin = now()
        self._orders.send("burst")
        return self._expected

    def end(self, received: int, waited: float = 0.0) -> None:
        """Records the number of pushes received in a round, ``waited`` seconds ago."""
        seconds = (now() - self._begin) / 1e9 - waited
        self._cpu += time.process_time_ns() - self._process
        self._orders.answer()
        self._rates.append(received / seconds)
        self._seconds += seconds + waited
        self._received += received
        self._sent += self._expected

    def figures(self) -> Figures:
        """Returns events per second, microseconds of CPU time per event, and the share of lost events in per cent."""
        name = self._name
        return {
            name: spread(self._rates, best_is_high=True),
            f"{name}_cpu": spread([self._cpu / 1e3 / max(1, self._received)]),
            f"{name}_lost": spread([100.0 * (self._sent - self._received) / self._sent]),
        }

    def check(self, content: int) -> None:
        """Compares the sum of the numbers in the events with that of the pushes, unless events were lost."""
        rounds = len(self._rates)
        numbers = sum(range(self._pushes)) * self._job.devices * rounds
        if self._received == self._sent and content != numbers:
            raise RuntimeError(f"the numbers in the events add up to {content} instead of {numbers}")


def connected(pending: list[Callable[[], bool]], orders: Orders, devices: int, begin: int) -> float:
    """Waits until both sides report all devices as connected. Returns the milliseconds since ``begin``."""
    ends = time.monotonic() + 60
    while pending := [up for up in pending if not up()]:
        time.sleep(0.001)
        if time.monotonic() > ends:
            raise RuntimeError(f"{len(pending)} of {devices} devices are not connected after a minute")
    passed = (now() - begin) / 1e6
    while (ready := orders.counts()["ready"]) < devices:
        passed = (now() - begin) / 1e6
        if time.monotonic() > ends:
            raise RuntimeError(f"{ready} of {devices} devices are connected after a minute")
    return passed
