#!/usr/bin/env python3
"""Run tinytuya's own cloud client and wizard against a stand-in for the cloud.

The wizard writes devices.json into the current folder. With --read FILE, tinytuya reads that file instead. One JSON object
with what came of it is printed; anything unexpected goes to "errors", and the exit status is 1.
"""

import argparse
import contextlib
import io
import json
import os
import sys

import tinytuya
from tinytuya import wizard


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", help="HOST:PORT of the stand-in")
    parser.add_argument("--access-id")
    parser.add_argument("--device-id", default="", help="fetch its owner's devices, as tinytuya did before 2023")
    parser.add_argument("--read", help="a devices.json to read")
    return parser.parse_args()


def fetch(args):
    secret = os.environ["TUYA_ACCESS_SECRET"]

    class Cloud(tinytuya.Cloud):
        def setregion(self, region=None):
            super().setregion(region)
            self.urlhost = args.address

    errors = []
    cloud = Cloud("eu", args.access_id, secret, args.device_id)
    if cloud.error:
        return {"errors": [f"token: {cloud.error}"]}
    if args.device_id:
        listed = cloud.getdevices(include_map=False)
    else:
        cloud.use_old_device_list = False
        listed = cloud.getdevices(include_map=False)
    if not isinstance(listed, list):
        return {"errors": [f"devices: {listed}"]}
    # Its own renewal knows one spelling of the error only; the stand-in has the other.
    odd = cloud.cloudrequest("/v1.0/iot-01/associated-users/devices", query={"size": "2", "last_row_key": "row 2"})
    if not odd.get("success") or len(odd["result"]["devices"]) == 0:
        errors.append(f"a query with a blank: {odd}")
    tinytuya.Cloud = Cloud
    with contextlib.redirect_stdout(io.StringIO()) as said:
        credentials = {"apiKey": args.access_id, "apiSecret": secret, "apiRegion": "eu", "apiDeviceID": ""}
        wizard.wizard(color=False, assume_yes=True, skip_poll=True, credentials=credentials)
    if not os.path.exists("devices.json"):
        errors.append(said.getvalue())
    return {"errors": errors, "listed": [device["id"] for device in listed]}


def read(args):
    listed = tinytuya.load_devicefile(args.read)
    found = {}
    for device in listed:
        entry = tinytuya.device_info(device["id"])
        found[device["id"]] = [entry["name"], entry["key"], entry.get("mapping")]
    return {"errors": [], "found": found}


def main():
    args = parse()
    result = read(args) if args.read else fetch(args)
    print(json.dumps(result))
    return 1 if result["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
