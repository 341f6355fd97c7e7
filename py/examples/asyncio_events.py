"""Switches a device on and off, and shows its events: asyncio_events.py ID ADDRESS KEY VERSION"""

import asyncio
import sys

from rustuya import DeviceEvent, TuyaError, aio


async def show(events: aio.Receiver[DeviceEvent]) -> None:
    async for event in events:
        if event.kind == "state":
            print("state", event.dps, flush=True)


async def main() -> None:
    async with aio.Device(*sys.argv[1:5]) as device:
        # Created before the commands, so that it misses no event.
        shown = asyncio.create_task(show(device.listener()))
        print("speaks", await device.wait_connected())
        for value in (True, False):
            await device.set_value(1, value, wait="ack", timeout=5)
            await asyncio.sleep(0.2)
        # Cancelling is safe at any time.
        shown.cancel()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except TuyaError as error:
        sys.exit(f"error {error.code}: {error}")
