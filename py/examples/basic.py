"""Switches a device on and shows its state: basic.py ID ADDRESS KEY [VERSION]"""

import sys

from rustuya import Device, TuyaError


def main() -> None:
    # The address and the version may be "Auto". Leaving the block ends the connection.
    with Device(*sys.argv[1:5], timeout=5) as device:
        # Without `wait` this returns once the command is written; "ack" waits for the device's confirmation.
        device.set_value(1, True, wait="ack")
        for dp, value in device.query().items():
            print(f"DP {dp}: {value}")


if __name__ == "__main__":
    try:
        main()
    except TuyaError as error:
        # The text names the remedy; the code is tinytuya's number of the error.
        sys.exit(f"error {error.code}: {error}")
