#!/usr/bin/env python3
"""Run the vendor's SDK for logins with a QR code against a stand-in for the cloud.

Logs in, reads homes, devices and what their DPs mean, renews the tokens, asks for a room, and logs out. One JSON object with
what came of it is printed; anything unexpected goes to "errors", and the exit status is 1.
"""

import argparse
import json
import os
import sys

import tuya_sharing
from tuya_sharing import user


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True, help="HOST:PORT of the stand-in")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--schema", required=True)
    args = parser.parse_args()
    code = os.environ["TUYA_USER_CODE"]
    user.URL_PATH = args.address
    errors = []

    control = tuya_sharing.LoginControl()
    shown = control.qr_code(args.client_id, args.schema, code)
    token = shown["result"]["qrcode"]
    early, _ = control.login_result(token, args.client_id, code)
    if early:
        errors.append("logged in before the code was scanned")
    done, login = control.login_result(token, args.client_id, code)
    if not done:
        errors.append(f"login: {login}")
        print(json.dumps({"errors": errors}))
        return 1
    info = {key: login[key] for key in ("t", "uid", "expire_time", "access_token", "refresh_token")}
    manager = tuya_sharing.Manager(args.client_id, code, login["terminal_id"], login["endpoint"], info)
    manager.update_device_cache()
    # As if they were about to expire.
    before = manager.customer_api.token_info.access_token
    manager.customer_api.token_info.expire_time = 0
    first = next(iter(manager.device_map))
    room = manager.query_room_by_device(first)
    if room is None or manager.customer_api.token_info.access_token == before:
        errors.append("the tokens were not renewed")
    manager._update_device_list_info_cache([first])
    devices = {
        device.id: [device.name, device.local_key, sorted(device.local_strategy), device.support_local]
        for device in manager.device_map.values()
    }
    manager.user_repository.unload(manager.terminal_id)
    print(json.dumps({"errors": errors, "devices": devices}))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
