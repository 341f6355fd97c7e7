"""Agent for the synchronous classes: a thread for each wait."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import traceback
from typing import Any

import rustuya

from . import results
from .results import Result
from .scene import BEGIN, PAUSE, EventReader, Order, Scene, settings, wait_for_listener


class ThreadReader(EventReader):
    """Takes the events of a flood in a thread."""

    def __init__(self, listener: Any) -> None:
        super().__init__(listener)
        self.taken: queue.Queue[Any] = queue.Queue()

    def take(self, limit: float) -> list[Any]:
        """Returns the next event and those queued behind it; an empty list if none comes in time."""
        while self.flooded:
            event = self.taken.get()
            if event is not None:
                return self.with_queued(event, self.taken.get_nowait)
            self.flooded = False
        event = self.wait(limit)
        return [] if event is None else self.with_queued(event, self.listener.try_recv)

    def wait(self, limit: float) -> Any:
        """Returns the next event; None after the limit or the end."""
        try:
            return self.listener.recv(timeout_ms=limit * 1000)
        except rustuya.ClosedError:
            assert self.listener.is_closed
            return None

    def attend(self) -> None:
        """Takes events from now on, until a flood is over."""
        if not self.flooded:
            self.flooded = True
            threading.Thread(target=self.take_flood, daemon=True).start()

    def take_flood(self) -> None:
        limit = BEGIN
        while event := self.wait(limit):
            self.taken.put(event)
            limit = PAUSE
        self.taken.put(None)


class Threads(Scene[rustuya.Device, rustuya.Manager]):
    """Scenario on :mod:`rustuya`."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[int, queue.Queue[Result]] = {}
        self.done: dict[int, Result] = {}

    def new_device(self, plan: Order) -> rustuya.Device:
        return rustuya.Device(plan["id"], **settings(plan))

    def new_manager(self) -> rustuya.Manager:
        return rustuya.Manager()

    def new_scanner(self, order: Order) -> rustuya.Scanner:
        scanner = rustuya.Scanner().timeout(order["limit"]).ports(tuple(order["ports"]))
        return scanner.bind_address(order["address"]).active(False)

    def new_reader(self, listener: Any) -> ThreadReader:
        return ThreadReader(listener)

    def run(self, order: Order, result: queue.Queue[Result]) -> None:
        try:
            result.put(results.outcome(order["verb"], self.command(order)))
        except rustuya.TuyaError as error:
            result.put(results.error(error))
        except Exception:
            result.put({"failed": traceback.format_exc()})

    def do_begin(self, order: Order) -> Result:
        result = self.given[order["ticket"]] = queue.Queue()
        if order["how"] == "queued":
            self.run(order, result)
        else:
            threading.Thread(target=self.run, args=(order, result), daemon=True).start()
        if order["verb"] in ("scan", "discover"):
            wait_for_listener(order["address"], order["ports"][1])
        return {}

    def do_end(self, order: Order) -> Result:
        ticket = order["ticket"]
        result = self.given.pop(ticket)
        if ticket in self.done:
            return {"answer": self.done.pop(ticket)}
        try:
            return {"answer": result.get(timeout=order["limit"])}
        except queue.Empty:
            return {"answer": None}

    def do_is_done(self, order: Order) -> Result:
        ticket = order["ticket"]
        if ticket not in self.done and not self.given[ticket].empty():
            self.done[ticket] = self.given[ticket].get()
        return {"done": ticket in self.done}

    def do_forget(self, _order: Order) -> Result:
        raise AssertionError("a thread that waits cannot be stopped")

    def do_receive(self, order: Order) -> Result:
        reader, about = self.readers[order["source"]], order["about"]
        deadline = time.monotonic() + order["limit"]
        while True:
            events = reader.take(max(0.0, deadline - time.monotonic()))
            answer: Result | None = reader.answer(events, about)
            if answer is not None:
                return answer

    def do_reset(self, _order: Order) -> Result:
        for device in self.devices.values():
            device.close()
        for manager in self.managers.values():
            manager.shutdown()
        rustuya.Manager.shutdown_all()
        return {}


def serve() -> None:
    """Executes and answers orders one by one."""
    scene = Threads()
    for line in sys.stdin:
        order = json.loads(line)
        try:
            result = getattr(scene, f"do_{order['do']}")(order)
        except Exception:
            result = {"failed": traceback.format_exc()}
        if order["do"] == "reset":
            scene = Threads()
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
