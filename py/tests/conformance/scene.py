"""Run of a scenario: the calls that do not wait, which the synchronous and the asyncio agent share."""

from __future__ import annotations

import asyncio
import queue
import socket
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import rustuya

from . import results
from .results import AnyDevice, AnyManager, Result

DeviceT = TypeVar("DeviceT", bound=AnyDevice)
ManagerT = TypeVar("ManagerT", bound=AnyManager)
Order = dict[str, Any]

AT_ONCE = 50
"""Largest number of events in one answer."""
BEGIN = 10.0
"""Time limit for a flood to begin, in seconds."""
PAUSE = 0.2
"""Silence that ends a flood, in seconds."""


def settings(plan: Order) -> dict[str, Any]:
    """Returns the arguments of a device, without its id."""
    return {
        "address": plan["address"],
        "local_key": plan["key"],
        "version": plan["version"],
        "port": plan["port"],
        "dev_type": plan["dev_type"],
        "persist": plan["persist"],
        "nowait": plan["nowait"],
        "timeout": plan["timeout"],
        "timing": rustuya.Timing(**plan["timing"]),
        "pacing": rustuya.Pacing(**plan["pacing"]),
        "receive_limit": plan["receive_limit"],
        "memory_limit": plan["memory_limit"],
        "min_version": plan["min_version"],
        "query_on_connect": plan["query_on_connect"],
    }


def give(device: Any, order: Order) -> Any:
    """Calls a verb. Returns its result, or for asyncio its awaitable."""
    verb: str = order["verb"]
    options: dict[str, Any] = {}
    if order["how"] == "queued":
        options["wait"] = "queue"
    elif order["how"] == "confirmed":
        options["wait"] = "effect"
    elif order["how"] in ("acked", "within"):
        options["wait"] = "ack"
    if order["how"] == "within":
        options["timeout"] = order["limit"]
    to = device if order.get("to") is None else device.sub(order["to"])
    if verb in ("wait_connected", "wait_ready"):
        return getattr(device, verb)(timeout=options.get("timeout", 10.0))
    if verb == "query" and "dps" in order:
        return to.query(order["dps"])
    if verb in ("close", "detect_dps", "query"):
        return getattr(to, verb)()
    if verb in ("status", "sub_discover"):
        return getattr(to, verb)(**options)
    if verb == "set_value":
        return to.set_value(order["dp"], order["value"], **options)
    if verb == "set_dps":
        return to.set_dps(order["value"], **options)
    if verb == "update_dps":
        return to.update_dps(order["value"], **options)
    assert verb == "request", verb
    return to.request(order["code"], order["value"], order["cid"], **options)


def wait_for_listener(address: str, port: int) -> None:
    """Waits until a socket is bound there: a datagram to an unbound port is refused."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address, port))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                probe.send(b"\0")
                probe.send(b"\0")
                return
            except ConnectionRefusedError:
                time.sleep(0.001)
    raise AssertionError("the scan does not begin")


class EventReader:
    """A listener whose events are taken in the background during a flood, so that it keeps up."""

    def __init__(self, listener: Any) -> None:
        self.listener = listener
        self.flooded = False

    def with_queued(self, event: Any, take: Callable[[], Any]) -> list[Any]:
        """Returns the event and those behind it that ``take`` returns without a wait."""
        events = [event]
        while len(events) < AT_ONCE:
            try:
                event = take()
            except (queue.Empty, asyncio.QueueEmpty):
                break
            if event is None:
                # The flood is over, or nothing is queued.
                self.flooded = False
                break
            events.append(event)
        return events

    def answer(self, events: list[Any], about: str | None) -> Result | None:
        """Returns the answer with the events of this device; None when all are of others."""
        if not events:
            return {"events": [{"end": True}] if self.listener.is_closed else []}
        wanted = [event for event in events if about is None or event.device_id == about]
        return {"events": [results.event(event) for event in wanted]} if wanted else None


class Scene(Generic[DeviceT, ManagerT]):
    """Devices and managers by their numbers in the scenario."""

    def __init__(self) -> None:
        self.devices: dict[int, DeviceT] = {}
        self.managers: dict[int, ManagerT] = {}
        self.readers: dict[str, Any] = {}

    def new_device(self, plan: Order) -> DeviceT:
        raise NotImplementedError

    def new_manager(self) -> ManagerT:
        raise NotImplementedError

    def new_scanner(self, order: Order) -> Any:
        raise NotImplementedError

    def new_reader(self, listener: Any) -> Any:
        raise NotImplementedError

    def manager(self, number: int) -> ManagerT:
        if number not in self.managers:
            made = self.managers[number] = self.new_manager()
            self.readers[f"manager {number}"] = self.new_reader(made.listener())
        return self.managers[number]

    def command(self, order: Order) -> Any:
        """Calls :func:`give` for all verbs."""
        verb = order["verb"]
        if verb == "shutdown":
            return self.manager(order["manager"]).shutdown()
        if verb == "wait_settled":
            return self.manager(order["manager"]).wait_settled(order.get("limit", 10.0))
        if verb == "shutdown_all":
            return self.manager(0).shutdown_all()
        if verb in ("scan", "discover"):
            scanner = self.new_scanner(order)
            return scanner.scan() if verb == "scan" else scanner.discover(order["id"])
        return give(self.devices[order["node"]], order)

    def keep(self, node: int, device: DeviceT) -> None:
        self.devices[node] = device
        self.readers[f"own {node}"] = self.new_reader(device.listener())

    def do_spawn(self, order: Order) -> Result:
        self.keep(order["node"], self.new_device(order["plan"]))
        return {}

    def do_add(self, order: Order) -> Result:
        node, plan = order["node"], order["plan"]
        try:
            device = self.manager(order["manager"]).add(plan["id"], **settings(plan))
        except rustuya.DuplicateDevice:
            return {"added": "duplicate"}
        except rustuya.ClosedError:
            return {"added": "closed"}
        known = node in self.devices and not self.devices[node].is_closed
        if not known:
            self.keep(node, device)  # type: ignore[arg-type]
        return {"added": "ok", "known": known}

    def do_remove(self, order: Order) -> Result:
        return {"was": self.manager(order["manager"]).remove(self.devices[order["node"]].id)}

    def do_delete(self, order: Order) -> Result:
        return {"was": self.manager(order["manager"]).delete(self.devices[order["node"]].id)}

    def do_clear(self, order: Order) -> Result:
        self.manager(order["manager"]).clear()
        return {}

    def do_reconfigure(self, order: Order) -> Result:
        device = self.devices[order["node"]]
        assert device.reconfigure(**settings(order["plan"])) is device
        return {}

    def do_listen(self, order: Order) -> Result:
        self.readers[f"extra {order['extra']}"] = self.new_reader(self.devices[order["node"]].listener())
        return {}

    def do_attend(self, order: Order) -> Result:
        """Prepares the listener for a flood, during which it must keep up."""
        self.readers[f"own {order['node']}"].attend()
        return {}

    def do_snapshot(self, order: Order) -> Result:
        return results.snapshot(self.devices[order["node"]])

    def do_state(self, order: Order) -> Result:
        device = self.devices[order["node"]]
        state = device.state if order["cid"] is None else device.sub(order["cid"]).state
        assert state.keys() == state.ages.keys()
        assert state.is_fresh == (state.stale_reason is None) == (state.stale_text is None)
        assert state.stale_dps <= state.keys()
        assert not (state.is_fresh and state.stale_dps)
        return {"state": dict(state), "stale": state.stale_reason}

    def do_online(self, order: Order) -> Result:
        device = self.devices[order["node"]]
        online = device.sub(order["cid"]).is_online
        assert device.sub_devices().get(order["cid"]) == online
        return {"online": online}

    def do_holds(self, order: Order) -> Result:
        manager = self.manager(order["manager"])
        assert len(list(manager)) == len(manager) == len(manager.list())
        return {"count": len(manager)}

    def do_registered(self, _order: Order) -> Result:
        """Returns the devices of all managers: Python does not show the registry."""
        return {"count": len({id for manager in self.managers.values() for id in manager})}

    def do_listed(self, order: Order) -> Result:
        id = self.devices[order["node"]].id
        for info in self.manager(order["manager"]).list():
            if info.id == id:
                return {"listed": {"connected": info.is_connected, "diagnosis": results.diagnosis(info.diagnosis)}}
        return {"listed": None}
