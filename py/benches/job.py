"""Arguments and results of a worker, and its connection to the device server."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import asdict, dataclass
from typing import Any, Callable

MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Job:
    """One run of one library, in a process of its own."""

    scenario: str
    variant: str
    version: str
    port: int
    orders: int
    devices: int
    # An encrypted query, in hex, and the size of its answer.
    frame: str
    answer: int
    # Number of turns of alternating measurements.
    turns: int
    # Number of consecutive commands without a pause.
    commands: int
    # Seconds for each way to receive events.
    seconds: float

    def to_json(self) -> str:
        """Serializes it for the argument of a worker."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class VirtualDevice:
    """One device of the server; everything follows from its index."""

    id: str
    key: str
    address: str


def virtual_device(index: int) -> VirtualDevice:
    """Returns device number ``index``, as the server makes it."""
    number = index + 1
    key = (number * 0x9E3779B97F4A7C15) & MASK
    return VirtualDevice(f"fleet{index:017}", f"{key:016x}", f"127.1.{number >> 8 & 255}.{number & 255}")


class Orders:
    """Control connection to the device server. The server ends with it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = self._socket.makefile("r", encoding="utf-8", newline="\n")

    def send(self, order: str) -> None:
        """Sends a command whose answer is read later."""
        self._socket.sendall(f"{order}\n".encode())

    def answer(self) -> str:
        """Reads the answer to the oldest unanswered command."""
        line = self._lines.readline()
        word, _, rest = line.rstrip("\n").partition(" ")
        if word != "ok":
            raise RuntimeError(f"the device server answered {line!r}")
        return rest

    def order(self, order: str) -> str:
        """Sends a command and waits for its answer."""
        self.send(order)
        return self.answer()

    def counts(self) -> dict[str, int]:
        """Returns the server's counters."""
        counts: dict[str, int] = json.loads(self.order("counts"))
        return counts


Figures = dict[str, dict[str, float]]
Scenario = Callable[[Job, Orders], Figures]


def run(scenarios: dict[str, Scenario]) -> None:
    """Main program of a worker: runs the job of its argument and prints the figures."""
    fields: dict[str, Any] = json.loads(sys.argv[1])
    job = Job(**fields)
    orders = Orders(job.orders)
    print(json.dumps(scenarios[job.scenario](job, orders)), flush=True)
