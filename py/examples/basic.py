"""Switches a device on and shows its state: basic.py ID ADDRESS KEY [VERSION]"""

import sys

from rustuya import Device, TuyaError


def main() -> None:
    # The address and the version may be "Auto". Leaving the block ends the connection.
    with Device(*sys.argv[1:5], timeout=5) as device:
        # Without `wait` this returns once the command is written; so it is confirmed by the device.
        device.set_value(1, True, wait="ack")
        for dp, value in device.query().items():
            print(f"DP {dp}: {value}")


if __name__ == "__main__":
    try:
        main()
    except TuyaError as error:
        # The text says what to do, the code is the number that tinytuya gives such an error.
        sys.exit(f"error {error.code}: {error}")
