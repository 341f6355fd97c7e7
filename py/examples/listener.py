"""Shows what a device tells, for some seconds: listener.py ID ADDRESS KEY VERSION [SECONDS]"""

import sys
import time

from rustuya import Device

seconds = float(sys.argv[5]) if len(sys.argv) > 5 else 60.0
with Device(*sys.argv[1:5]) as device, device.listener() as listener:
    device.status()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        event = listener.recv(timeout_ms=left * 1000)
        if event is not None:
            print(event.kind, event.payload, flush=True)
