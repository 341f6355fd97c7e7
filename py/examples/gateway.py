"""Lists the sub-devices of a gateway with their states: gateway.py ID ADDRESS KEY VERSION"""

import sys

from rustuya import Device

with Device(*sys.argv[1:5]) as gateway:
    gateway.sub_discover(wait="ack")
    for cid, online in gateway.sub_devices().items():
        print(cid, "online" if online else "offline", gateway.sub(cid).query() if online else {})
