"""Shows the state of every device of tinytuya's devices.json, then their events: manager.py FILE [SECONDS]"""

import sys
import time

from rustuya import DeviceConfig, Manager, ManagerEvent, TuyaError


def show(event: ManagerEvent) -> None:
    """Handles every event of all devices, in the thread of callbacks."""
    if event.kind == "state":
        print(event.device_id, "tells", event.dps, flush=True)


def main() -> None:
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    configs = DeviceConfig.load(sys.argv[1])
    names = {config.id: config.name or config.id for config in configs}
    Manager.maximize_fd_limit()  # a connection is an open file
    with Manager() as manager:
        for config in configs:
            # As a mapping, a configuration holds the arguments.
            manager.add(**config)
        # All devices connect at the same time; each command waits only for its own.
        for device in manager.devices():
            try:
                print(names[device.id], device.query(timeout=10))
            except TuyaError as error:
                print(names[device.id], "failed:", error)
        for info in manager.list():
            print(names[info.id], info.address, info.version, info.diagnosis or "fine")
        with manager.subscribe(show):
            time.sleep(seconds)
        print(manager.metrics.acknowledged, "commands were answered")


if __name__ == "__main__":
    main()
