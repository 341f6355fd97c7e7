"""Switches a device while its events are shown: asyncio_events.py ID ADDRESS KEY VERSION"""

import asyncio
import sys

from rustuya import aio


async def show(device: aio.Device) -> None:
    async for event in device.listener():
        print(event.kind, event.dps, flush=True)


async def main() -> None:
    async with aio.Device(*sys.argv[1:5]) as device:
        shown = asyncio.create_task(show(device))
        await device.wait_connected()
        for value in (True, False):
            await device.set_value(1, value, wait="ack")
            await asyncio.sleep(0.2)
        shown.cancel()


asyncio.run(main())
