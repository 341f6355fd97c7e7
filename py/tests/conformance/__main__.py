"""Executes orders from standard input until its end."""

from __future__ import annotations

import argparse
import asyncio

import rustuya

from . import loops, threads

PORTS = (6666, 6667, 7000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance")
    parser.add_argument("face", choices=["threads", "asyncio"])
    parser.add_argument(
        "--announcements-at", metavar="ADDRESS", help="the loopback address at which announcements are received"
    )
    given = parser.parse_args()
    if given.announcements_at is None:
        rustuya.configure(discovery=False)
    else:
        # Probes reach only this process.
        rustuya.configure(
            ports=PORTS, bind_address=given.announcements_at, probe_to=[(given.announcements_at, PORTS[2])]
        )
    if given.face == "threads":
        threads.serve()
    else:
        asyncio.run(loops.serve())


main()
