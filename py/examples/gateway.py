"""Lists the sub-devices of a gateway with their states: gateway.py ID ADDRESS KEY VERSION"""

import sys

from rustuya import Device, DeviceOffline


def main() -> None:
    with Device(*sys.argv[1:5]) as gateway:
        # Queries the sub-devices, and which of them the gateway reaches.
        gateway.sub_discover(wait="ack")
        for cid, online in gateway.sub_devices().items():
            sub_device = gateway.sub(cid)
            try:
                print(cid, "online" if online else "offline", sub_device.query())
            except DeviceOffline as error:
                # Empty battery, or out of reach: the connection to the gateway is fine.
                print(cid, "offline", error)


if __name__ == "__main__":
    main()
