#!/usr/bin/env python3
"""Drive tinytuya's own client against a device and print one JSON object with what it got.

Reads the state, flips boolean DP 1, reads again, has a heartbeat answered, asks for DP 1 to be
reported, and receives an unexpected push; the same for each sub-device named by --cid.
Every step is checked here: anything unexpected goes to "errors", and the exit status is 1.
"""

import argparse
import json
import sys

import tinytuya
from tinytuya.core import command_types as CT

# Seconds without an answer after which a device counts as silent.
SILENCE = 0.5


class Run:
    def __init__(self, args):
        self.args = args
        self.errors = []
        self.results = {}
        # Sets the version afterwards: for 3.2 the constructor would start to scan for DPs.
        self.device = tinytuya.Device(
            args.id,
            args.host,
            args.key,
            args.dev_type,
            connection_timeout=args.timeout,
            port=args.port,
        )
        self.device.set_dpsUsed({"1": None, "2": None})
        self.device.set_version(float(args.version))
        self.device.set_socketPersistent(True)
        self.device.set_socketRetryLimit(3)
        self.device.set_socketRetryDelay(0)
        self.device.set_sendWait(None)
        self.frames = 0
        receive = self.device._receive

        def checked():
            message = receive()
            self.frames += 1
            # tinytuya only logs a wrong checksum.
            if not message.crc_good:
                self.errors.append(f"frame of command {message.cmd} fails its check")
            return message

        self.device._receive = checked

    def expect(self, name, answer, dps=None):
        """Record an answer; `dps` are the values that must be in it."""
        if isinstance(answer, dict):
            answer = {key: value for key, value in answer.items() if key != "device"}
        self.results[name] = answer
        if not isinstance(answer, dict) or "Error" in answer or "dps" not in answer:
            self.errors.append(f"{name}: {answer!r}")
            return {}
        for dp, value in (dps or {}).items():
            if answer["dps"].get(dp) != value:
                self.errors.append(f"{name}: DP {dp} is not {value!r} in {answer['dps']!r}")
        return answer["dps"]

    def round(self, prefix, device):
        """Query, set, query again, receive a push, on a device or a sub-device."""
        before = self.expect(prefix + "status", device.status())
        value = before.get("1")
        if not isinstance(value, bool):
            self.errors.append(f"{prefix}status: DP 1 is {value!r}")
            return
        self.expect(prefix + "set", device.set_value(1, not value), {"1": not value})
        self.expect(prefix + "status_after", device.status(), {"1": not value})
        device.set_value(1, value, nowait=True)
        self.expect(prefix + "push", device.receive(), {"1": value})
        self.update(prefix + "updatedps", device, value)

    def update(self, name, device, value):
        """Ask for DP 1 to be reported, which firmware of 3.5 ignores."""
        if not self.args.silent_updates:
            self.expect(name, device.updatedps([1]), {"1": value})
            return
        self.device.set_socketTimeout(SILENCE)
        answer = device.updatedps([1])
        self.device.set_socketTimeout(self.args.timeout)
        self.results[name] = answer
        if answer is not None:
            self.errors.append(f"{name}: {answer!r} instead of silence")

    def heartbeat(self):
        self.device.heartbeat(nowait=True)
        message = self.device._receive()
        self.results["heartbeat"] = {"cmd": message.cmd, "retcode": message.retcode}
        if message.cmd != CT.HEART_BEAT or message.retcode != 0 or message.payload:
            self.errors.append(f"heartbeat: {message!r}")

    def children(self):
        for cid in self.args.cid:
            child = tinytuya.Device("child-" + cid, cid=cid, parent=self.device)
            child.set_socketPersistent(True)
            self.round(cid + ":", child)
        report = self.device.subdev_query()
        self.results["subdevices"] = report
        online = (report or {}).get("data", {}).get("online", [])
        if sorted(online) != sorted(self.args.cid):
            self.errors.append(f"subdevices: {report!r}")

    def all(self):
        self.round("", self.device)
        self.heartbeat()
        if self.args.cid:
            self.children()
        self.results["dev_type"] = self.device.dev_type
        self.results["frames"] = self.frames
        self.device.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--key", required=True, help="16 characters; a test key")
    parser.add_argument("--version", choices=("3.1", "3.2", "3.3", "3.4", "3.5"), required=True)
    parser.add_argument("--dev-type", choices=("default", "device22"), default="default")
    parser.add_argument("--cid", action="append", default=[], help="a sub-device; repeatable")
    parser.add_argument(
        "--silent-updates",
        action="store_true",
        help="the device must ignore requests for fresh values, as firmware of 3.5 does",
    )
    parser.add_argument("--timeout", type=float, default=5, help="seconds for each answer")
    args = parser.parse_args()
    run = Run(args)
    try:
        run.all()
    except Exception as error:  # any exception is a failed run
        run.errors.append(f"{type(error).__name__}: {error}")
    print(json.dumps({"ok": not run.errors, "errors": run.errors, **run.results}))
    sys.exit(1 if run.errors else 0)


if __name__ == "__main__":
    main()
