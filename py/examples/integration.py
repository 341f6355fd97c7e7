"""Finds a device, checks its key, shows and switches a DP, unloads: integration.py ID KEY DP [ADDRESS 3 PORTS PORT]"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from rustuya import DeviceEvent, DiscoveredDevice, KeyOrVersionError, TuyaError, aio


async def discover(id: str, scanner: aio.Scanner) -> DiscoveredDevice | None:
    """Finds the device. A hub shows a form with the result, or asks for the address."""
    return await scanner.timeout(8).discover(id)


async def validate(id: str, address: str, key: str, version: str | None) -> str:
    """Checks the input of a form: returns "ok", or the name of the error."""
    async with aio.Device(id, address, key, version, timeout=5) as device:
        try:
            await device.wait_connected(timeout=5)
            # A device of 3.1 accepts every key on connecting: only the answer proves it.
            await device.query(timeout=5)
        except KeyOrVersionError as error:
            return error.reason or "key_or_version"
        except TuyaError as error:
            # `error.reason` is a name for programs, the text is for people.
            return error.reason or "cannot_connect"
    return "ok"


class Switch:
    """One DP as an entity: shows the last reported value without a query, and whether it is available."""

    def __init__(self, device: aio.Device, dp: str, changed: Callable[[Switch], None]) -> None:
        self.device = device
        self.dp = dp
        self._changed = changed

    @property
    def available(self) -> bool:
        return self.device.is_connected and self.dp in self.device.state

    @property
    def is_on(self) -> bool:
        return self.device.state.get(self.dp) is True

    async def turn(self, on: bool) -> None:
        # Returns when the device reports the value; otherwise raises an error whose text a hub can show.
        await self.device.set_value(self.dp, on, wait="effect", timeout=5)

    def heard(self, event: DeviceEvent) -> None:
        """Handles an event in the loop: a push, or a change of the connection."""
        if event.kind == "connection" or self.dp in event.dps:
            self._changed(self)


class Entry:
    """Objects of one device until it is unloaded."""

    def __init__(self, id: str, address: str, key: str, version: str | None) -> None:
        self.device = aio.Device(id, address, key, version)
        self.switches: list[Switch] = []
        self._end_of_events: list[Callable[[], None]] = []

    async def setup(self, dps: list[str], changed: Callable[[Switch], None]) -> None:
        await self.device.wait_connected(timeout=10)
        await self.device.query(timeout=10)
        for dp in dps:
            switch = Switch(self.device, dp, changed)
            self.switches.append(switch)
            self._end_of_events.append(self.device.subscribe(switch.heard))

    async def unload(self) -> None:
        """Ends everything: no task, thread or connection is left."""
        for end in self._end_of_events:
            end()
        self.switches.clear()
        await self.device.close()


def show(switch: Switch) -> None:
    print("told:", "on" if switch.is_on else "off", "" if switch.available else "(unavailable)")


async def main() -> int:
    id, key, dp = sys.argv[1:4]
    scanner = aio.Scanner()
    if len(sys.argv) > 4:
        first, second, third = map(int, sys.argv[5:8])
        scanner.bind_address(sys.argv[4]).ports((first, second, third))
    found = await discover(id, scanner)
    if found is None:
        print("not found: ask for the address")
        return 1
    # An announcement has no port: the usual one is meant, and the address leaves it out.
    address = found.ip if len(sys.argv) <= 8 else f"{found.ip}:{sys.argv[8]}"
    print("found", found.id, "which speaks", found.version)
    valid = await validate(id, address, key, found.version)
    print("key:", valid)
    if valid != "ok":
        return 1
    entry = Entry(id, address, key, found.version)
    try:
        await entry.setup([dp], show)
        (switch,) = entry.switches
        print("at first:", "on" if switch.is_on else "off")
        await switch.turn(not switch.is_on)
        await asyncio.sleep(0.1)
    finally:
        await entry.unload()
    print("unloaded")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except TuyaError as error:
        sys.exit(f"error {error.code}: {error}")
