"""Shows the events of a device for some seconds: listener.py ID ADDRESS KEY VERSION [SECONDS]"""

import sys
import time

from rustuya import Device


def main() -> None:
    seconds = float(sys.argv[5]) if len(sys.argv) > 5 else 60.0
    with Device(*sys.argv[1:5]) as device, device.listener() as listener:
        # The listener receives answers, too.
        device.status()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            event = listener.recv(timeout_ms=left * 1000)
            if event is None:
                break
            if event.kind == "state":
                print("state", event.dps, flush=True)
            elif event.kind == "lag":
                # The queue of a listener is bounded: events that are not taken in time are lost and counted.
                print("events were lost:", listener.missed, flush=True)
            else:
                print(event.kind, event.payload, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        # Ctrl-C interrupts every wait.
        print("stopped")
