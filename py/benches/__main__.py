"""Runs every library in turns and prints a table. ``cargo xtask bench python`` calls it with the arguments."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from rustuya import CommandType, codec

from .clocks import spread
from .job import Figures, Job, virtual_device
from .table import COLUMNS, markdown

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- python results: begin -->\n", "<!-- python results: end -->\n"
MODULES = {"ours": "benches.ours", "peer": "benches.peer", "tiny": "benches.tiny"}
# Scenarios with their columns and numbers of devices.
SCENARIOS = {
    "calls": (["ours", "peer", "tiny", "tiny tuned"], 2),
    "events": (["ours", "peer", "peer ring"], 100),
    "fleet": (["ours", "peer"], 1000),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cargo xtask bench python --", description=__doc__)
    parser.add_argument("--server", type=Path, required=True, help="the program of the device server")
    for name in MODULES:
        parser.add_argument(f"--{name}", type=Path, help="a Python interpreter that has this library")
    parser.add_argument("--version", default="3.5", choices=["3.3", "3.4", "3.5"], help="protocol (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the table shows medians (%(default)s)")
    parser.add_argument("--only", choices=[*SCENARIOS, "import"], action="append", help="only this part")
    parser.add_argument("--columns", nargs="+", choices=list(COLUMNS), default=list(COLUMNS), help="only these")
    parser.add_argument("--smoke", action="store_true", help="all of it in a few seconds, this package only")
    parser.add_argument("--json", type=Path, help="a file for the figures of all rounds")
    parser.add_argument("--write", type=Path, help="a Markdown file whose results are replaced")
    return parser.parse_args()


@contextmanager
def served(server: Path, devices: int, version: str) -> Iterator[tuple[int, int]]:
    """Starts a fresh device server; yields the ports of its devices and of its control connection."""
    command = [str(server), "server", "--devices", str(devices), "--version", version, "--replay"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            _, port, orders = line.split()
            yield int(port), int(orders)
        finally:
            process.kill()


def query(version: str, index: int) -> tuple[bytes, int]:
    """Makes an encrypted query as this package sends it; returns also the size of the answer."""
    it = virtual_device(index)
    negotiates = version in ("3.4", "3.5")
    command = CommandType.DpQueryNew if negotiates else CommandType.DpQuery
    if negotiates:
        frame = codec.encode(version, it.key, command, {})
    else:
        frame = codec.encode(version, it.key, command, {"gwId": it.id, "devId": it.id, "uid": it.id, "t": "1700000000"})
    answer = codec.encode(version, it.key, command, {"dps": {"1": False}}, sender="device", retcode=0)
    return frame, len(answer)


def one(args: argparse.Namespace, scenario: str, column: str) -> Figures:
    """Measures one library in one scenario, in a fresh process with a fresh server."""
    library, _, variant = column.partition(" ")
    _, devices = SCENARIOS[scenario]
    turns, commands, seconds = (4, 200, 0.02) if args.smoke else (20, 20_000, 1.5)
    if args.smoke:
        devices = min(devices, 20)
    if column == "tiny":
        # A call of tinytuya takes ten milliseconds.
        turns, commands = 4, 200
    with served(args.server, devices, args.version) as (port, orders):
        frame, answer = query(args.version, devices)
        job = Job(scenario, variant, args.version, port, orders, devices, frame.hex(), answer, turns, commands, seconds)
        command = [getattr(args, library), "-m", MODULES[library], job.to_json()]
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{column} failed in {scenario}:\n{done.stderr}")
    figures: Figures = json.loads(done.stdout)
    return figures


def started(python: Path, code: str) -> tuple[float, float]:
    """Runs one line in a fresh interpreter; returns its duration and CPU time in milliseconds."""
    begin, spent = time.perf_counter(), children()
    # In this folder, so that the package is not imported from its sources.
    subprocess.run([python, "-c", code], cwd=HERE, check=True)
    return (time.perf_counter() - begin) * 1e3, (children() - spent) * 1e3


def children() -> float:
    """Returns the CPU time of all ended child processes, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def imports(python: Path, library: str, count: int) -> Figures:
    """Measures the time that `import` adds to the start of an interpreter."""
    name = "tinytuya" if library == "tiny" else "rustuya"
    pairs = {"import": ("pass", f"import {name}")}
    if library == "ours":
        pairs["import_aio"] = ("import asyncio", f"import {name}.aio")
    figures = {}
    for figure, (bare, full) in pairs.items():
        times = [(started(python, bare), started(python, full)) for _ in range(count)]
        for part, name_of_part in enumerate((figure, f"{figure}_cpu")):
            usual = median(bare[part] for bare, _ in times)
            figures[name_of_part] = spread([full[part] - usual for _, full in times])
    return figures


def plausible(figures: Figures) -> None:
    """Checks properties that hold on any machine, however slow."""
    for name, values in figures.items():
        if name.endswith("_lost") and values["median"] != 0:
            raise SystemExit(f"{name} is {values['median']}: commands or events were lost")
        if not name.endswith(("_lost", "_cpu", "_resident", "import", "import_aio")) and values["median"] <= 0:
            raise SystemExit(f"{name} is {values['median']}")


def rounds(args: argparse.Namespace) -> dict[str, list[Figures]]:
    columns = [column for column in args.columns if getattr(args, column.split(" ")[0])]
    runs: dict[str, list[Figures]] = {column: [] for column in columns}
    for number in range(args.rounds):
        order = columns if number % 2 == 0 else columns[::-1]
        for scenario, (capable, _) in SCENARIOS.items():
            for column in order:
                if column not in capable or (args.only and scenario not in args.only):
                    continue
                begin = time.monotonic()
                runs[column].append(one(args, scenario, column))
                print(f"round {number + 1} {column} {scenario}: {time.monotonic() - begin:.1f} s", file=sys.stderr)
        if args.only and "import" not in args.only:
            continue
        for library in [column for column in order if " " not in column]:
            runs[library].append(imports(getattr(args, library), library, 2 if args.smoke else 15))
    return runs


def machine(args: argparse.Namespace) -> str:
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    system, load = f"{platform.system()} {platform.release()}", os.getloadavg()[0]
    busy = "; **the machine did other work meanwhile**" if load > 0.5 else ""
    return (
        f"{os.cpu_count()} cores of {model}, {system}, CPython {platform.python_version()}, protocol {args.version}, "
        f"{args.rounds} rounds, load before the run {load:.2f}{busy}."
    )


def main() -> None:
    args = arguments()
    if args.smoke:
        args.columns, args.rounds = ["ours"], 1
    head = machine(args)
    runs = rounds(args)
    text = f"{head}\n\n{markdown(runs)}"
    print(text)
    if args.smoke:
        for figures in runs["ours"]:
            plausible(figures)
    if args.json:
        args.json.write_text(json.dumps({"machine": head, "runs": runs}, indent=1), encoding="utf-8")
    if args.write:
        before, begin, rest = args.write.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not begin or not end:
            raise SystemExit(f"{args.write} has no place for the results")
        args.write.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
