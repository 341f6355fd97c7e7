#!/usr/bin/env python3
"""Run tuya_client.py against tuya_device.py, for every version and dialect.

Both are based on tinytuya; only if they work together can either test anything else.
"""

import json
import subprocess
import sys
from pathlib import Path

import tinytuya

HERE = Path(__file__).resolve().parent
ID = "eb0123456789abcdefghij"
KEY = "0123456789abcdef"
ODD_KEY = "x'$]a{7~&Z<q#9!?"
CIDS = ("a4c1380123456789", "00124b002d8e6a68")
DEADLINE = 60


def start(version, key, options):
    """Starts a device; returns it with its port."""
    server = subprocess.Popen(
        [sys.executable, HERE / "tuya_device.py", "--version", version, "--key", key, "--id", ID]
        + list(options),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return server, json.loads(server.stdout.readline())["port"]


def run(version, key=KEY, client_key=None, client_version=None, device=(), client=()):
    """Runs one client against one device; returns the client's result and the device's log."""
    server, port = start(version, key, device)
    try:
        done = subprocess.run(
            [sys.executable, HERE / "tuya_client.py", "--port", str(port), "--id", ID]
            + ["--version", client_version or version, "--key", client_key or key]
            + list(client),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        output, _ = server.communicate(timeout=DEADLINE)
        log = [json.loads(line) for line in output.splitlines()]
    finally:
        server.kill()
        server.wait()
    if not done.stdout:
        raise SystemExit(f"{version}: the client printed nothing\n{done.stderr}")
    return done.returncode, json.loads(done.stdout), log


def good(name, *args, **kwargs):
    code, result, log = run(*args, **kwargs)
    violations = [line for line in log if "violation" in line]
    requests = [line for line in log if "cmd" in line]
    if code != 0 or not result["ok"] or violations or len(requests) < 6:
        raise SystemExit(f"{name}: exit {code}\n{result}\n{violations}\n{requests}")
    print(f"{name}: {len(requests)} requests, {result['frames']} frames received")
    return result


def bad(name, *args, **kwargs):
    code, result, _ = run(*args, **kwargs)
    if code == 0 or result["ok"] or not result["errors"]:
        raise SystemExit(f"{name}: went through\n{result}")
    print(f"{name}: refused")


def orders():
    """Checks that the device executes its standard input: a push, then the end of the connection."""
    server, port = start("3.5", KEY, ())
    try:
        client = tinytuya.Device(ID, "127.0.0.1", KEY, version=3.5, port=port, persist=True)
        client.status()
        server.stdin.write('{"push":{"2":77}}\n')
        server.stdin.flush()
        pushed = client.receive()
        if not pushed or pushed.get("dps") != {"2": 77}:
            raise SystemExit(f"order to push: {pushed}")
        server.stdin.write('{"close":true}\n')
        server.stdin.flush()
        if client.socket.recv(1) != b"":
            raise SystemExit("order to close: the connection is still there")
        server.stdin.close()
        server.wait(timeout=DEADLINE)
    finally:
        server.kill()
        server.wait()
    print("orders: obeyed")


def main():
    gateway = [part for cid in CIDS for part in ("--sub", cid + '={"1":false,"9":0}')]
    children = [part for cid in CIDS for part in ("--cid", cid)]
    for version in ("3.1", "3.2", "3.3", "3.4", "3.5"):
        good(version, version)
        good(f"{version} odd key", version, key=ODD_KEY)
    for version in ("3.3", "3.4"):
        result = good(f"{version} device22 detected", version, device=["--device22"])
        if result["dev_type"] != "device22":
            raise SystemExit(f"{version}: device22 was not detected")
    good("3.5 device22", "3.5", device=["--device22"], client=["--dev-type", "device22"])
    for version in ("3.3", "3.4", "3.5"):
        good(f"{version} gateway", version, device=gateway, client=children)
    quick = ["--timeout", "0.5"]
    for version in ("3.3", "3.4", "3.5"):
        bad(f"{version} wrong key", version, client_key=ODD_KEY, client=quick)
    for version in ("3.4", "3.5"):
        # tinytuya does not know that devices treat such a key as missing.
        bad(f"{version} zero key", version, device=["--zero-key"], client=quick)
    bad("3.4 spoken to 3.5", "3.5", client_version="3.4", client=quick)
    orders()


if __name__ == "__main__":
    main()
