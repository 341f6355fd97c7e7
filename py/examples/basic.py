"""Sets a DP and shows the state: basic.py ID ADDRESS KEY VERSION"""

import sys

from rustuya import Device, TuyaError

try:
    with Device(*sys.argv[1:5], timeout=5) as device:
        device.set_value(1, True, wait="ack")
        print(device.query())
except TuyaError as error:
    sys.exit(f"error {error.code}: {error}")
