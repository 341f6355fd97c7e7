"""Agent for asyncio: one loop, and a task for each wait."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import time
import traceback
from typing import Any

import rustuya
from rustuya import aio

from . import results
from .results import Result
from .scene import BEGIN, PAUSE, EventReader, Order, Scene, settings


class TaskReader(EventReader):
    """Takes the events of a flood in a task."""

    def __init__(self, listener: Any) -> None:
        super().__init__(listener)
        self.taken: asyncio.Queue[Any] = asyncio.Queue()
        self.flood: asyncio.Task[None] | None = None

    async def take(self, limit: float) -> list[Any]:
        """Returns the next event and those queued behind it; an empty list if none comes in time."""
        while self.flooded:
            event = await self.taken.get()
            if event is not None:
                return self.with_queued(event, self.taken.get_nowait)
            self.flooded = False
        event = await self.wait(limit)
        return [] if event is None else self.with_queued(event, self.listener.try_recv)

    async def wait(self, limit: float) -> Any:
        """Returns the next event; None after the limit or the end."""
        try:
            return await self.listener.recv(timeout=limit)
        except rustuya.ClosedError:
            assert self.listener.is_closed
            return None

    def attend(self) -> None:
        """Takes events from now on, until a flood is over."""
        if not self.flooded:
            self.flooded = True
            self.flood = asyncio.create_task(self.take_flood())

    async def take_flood(self) -> None:
        limit = BEGIN
        while event := await self.wait(limit):
            self.taken.put_nowait(event)
            limit = PAUSE
        self.taken.put_nowait(None)


class Loops(Scene[aio.Device, aio.Manager]):
    """Scenario on :mod:`rustuya.aio`."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[int, asyncio.Task[Result]] = {}

    def new_device(self, plan: Order) -> aio.Device:
        return aio.Device(plan["id"], **settings(plan))

    def new_manager(self) -> aio.Manager:
        return aio.Manager()

    def new_scanner(self, order: Order) -> aio.Scanner:
        scanner = aio.Scanner().timeout(order["limit"]).ports(tuple(order["ports"]))
        return scanner.bind_address(order["address"]).active(False)

    def new_reader(self, listener: Any) -> TaskReader:
        return TaskReader(listener)

    async def run(self, order: Order) -> Result:
        try:
            return results.outcome(order["verb"], await self.command(order))
        except rustuya.TuyaError as error:
            return results.error(error)
        except Exception:
            return {"failed": traceback.format_exc()}

    async def do_begin(self, order: Order) -> Result:
        self.given[order["ticket"]] = asyncio.create_task(self.run(order))
        # Lets the task run up to its wait.
        await asyncio.sleep(0)
        return {}

    async def do_end(self, order: Order) -> Result:
        task = self.given.pop(order["ticket"])
        await asyncio.wait([task], timeout=order["limit"])
        return {"answer": task.result() if task.done() else None}

    async def do_is_done(self, order: Order) -> Result:
        return {"done": self.given[order["ticket"]].done()}

    async def do_forget(self, order: Order) -> Result:
        task = self.given.pop(order["ticket"])
        assert task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        return {}

    async def do_receive(self, order: Order) -> Result:
        reader, about = self.readers[order["source"]], order["about"]
        deadline = time.monotonic() + order["limit"]
        while True:
            events = await reader.take(max(0.0, deadline - time.monotonic()))
            answer: Result | None = reader.answer(events, about)
            if answer is not None:
                return answer

    async def do_reset(self, _order: Order) -> Result:
        for device in self.devices.values():
            await device.close()
        for manager in self.managers.values():
            await manager.shutdown()
        await aio.Manager.shutdown_all()
        if self.given:
            await asyncio.wait(self.given.values())
        return {}


async def serve() -> None:
    """Executes and answers orders one by one."""
    lines = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    scene = Loops()
    while line := await lines.readline():
        order = json.loads(line)
        try:
            result = getattr(scene, f"do_{order['do']}")(order)
            if inspect.isawaitable(result):
                result = await result
        except Exception:
            result = {"failed": traceback.format_exc()}
        if order["do"] == "reset":
            scene = Loops()
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
