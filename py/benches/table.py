"""Makes a Markdown table of the figures of all runs."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from .job import Figures

# Columns with the names of their libraries in the table.
COLUMNS = {
    "ours": "ours",
    "peer": "`rustuya` 0.3",
    "peer ring": "`rustuya` 0.3, larger ring",
    "tiny": "tinytuya",
    "tiny tuned": "tinytuya, no sleep",
}


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    figure: str
    text: str
    digits: int = 1
    # True if the best tenth is shown.
    best: bool = True
    # Target, and whether less is better.
    target: float | None = None
    less: bool = True


ROWS = [
    Row("nowait_single", "`set_value`, nowait, alone: us", target=2),
    Row("nowait_single_cpu", "... CPU us", best=False),
    Row("raw_single", "... raw `sendall` in its place: us"),
    Row("raw_single_cpu", "... CPU us", best=False),
    Row("nowait_burst", "`set_value`, nowait, 50 in a row: us per call", target=2),
    Row("nowait_burst_cpu", "... CPU us", best=False),
    Row("raw_burst", "... raw `sendall` in its place: us"),
    Row("raw_burst_cpu", "... CPU us", best=False),
    Row("nowait", "`set_value`, nowait, without a pause: us per call", best=False, target=2),
    Row("nowait_delivered", "... until the last has reached the device, us per command received", best=False),
    Row("nowait_cpu", "... CPU us per command received", best=False),
    Row("nowait_lost", "... not received by the device, %", best=False),
    Row("waiting", "`set_value`, until it is written, without a pause: us per call", best=False),
    Row("waiting_delivered", "... until the last has reached the device, us per command received", best=False),
    Row("waiting_cpu", "... CPU us per command received", best=False),
    Row("waiting_lost", "... not received by the device, %", best=False),
    Row("asked", "`query()` (others: `status()`), answered: us"),
    Row("asked_raw", "... raw socket beside it, us"),
    Row("asked_ratio", "... ratio to the raw socket", 2, target=2.5),
    Row("answered", '`set_value(wait="ack")` (others: `set_value`), answered: us'),
    Row("answered_ratio", "... ratio to the raw socket", 2),
    Row("written", "`status()`, written to the socket: us"),
    Row("aio_asked", "aio, `await query()`: us"),
    Row("aio_asked_ratio", "... ratio to the raw socket", 2),
    Row("aio_nowait", "aio, `set_value`, nowait, 50 in a row: us per call"),
    Row("aio_nowait_cpu", "... CPU us", best=False),
    Row("events_untouched", "events/s, one listener, untouched", 0, target=300_000, less=False),
    Row("events_untouched_cpu", "... CPU us per event", 2, best=False),
    Row("events_untouched_lost", "... lost, %", best=False),
    Row("events_dps", "events/s, one listener, `dps` read", 0),
    Row("events_dps_cpu", "... CPU us per event", 2, best=False),
    Row("events_dps_lost", "... lost, %", best=False),
    Row("events_payload", "events/s, one listener, `payload` read", 0),
    Row("events_payload_cpu", "... CPU us per event", 2, best=False),
    Row("events_payload_lost", "... lost, %", best=False),
    Row("subscribe_untouched", "events/s, `subscribe`, untouched", 0),
    Row("subscribe_untouched_cpu", "... CPU us per event", 2, best=False),
    Row("subscribe_untouched_lost", "... lost, %", best=False),
    Row("subscribe_dps", "events/s, `subscribe`, `dps` read", 0),
    Row("subscribe_dps_lost", "... lost, %", best=False),
    Row("subscribe_payload", "events/s, `subscribe`, `payload` read", 0),
    Row("subscribe_payload_lost", "... lost, %", best=False),
    Row("aio_untouched", "events/s, `aio` `async for`, untouched", 0, target=300_000, less=False),
    Row("aio_untouched_cpu", "... CPU us per event", 2, best=False),
    Row("aio_untouched_lost", "... lost, %", best=False),
    Row("aio_dps", "events/s, `aio` `async for`, `dps` read", 0),
    Row("aio_dps_lost", "... lost, %", best=False),
    Row("aio_payload", "events/s, `aio` `async for`, `payload` read", 0),
    Row("aio_payload_lost", "... lost, %", best=False),
    Row("fleet_up", "1,000 devices, all connected: ms", 0, best=False, target=500),
    Row("fleet_cpu", "... CPU ms", 0, best=False),
    Row("fleet_resident", "... resident KiB per device", best=False, target=5),
    Row("import", "`import`, more than the bare interpreter: ms", target=50),
    Row("import_cpu", "... CPU ms", best=False),
    Row("import_aio", "`import rustuya.aio`, more than `import asyncio`: ms"),
    Row("import_aio_cpu", "... CPU ms", best=False),
]


def markdown(runs: dict[str, list[Figures]]) -> str:
    """Makes the table of the medians over all rounds."""
    names = [name for name in COLUMNS if runs.get(name)]
    lines = [
        "| figure | target | " + " | ".join(COLUMNS[name] for name in names) + " |",
        "|---|--:|" + "--:|" * len(names),
    ]
    for row in ROWS:
        cells = [cell(row, [figures[row.figure] for figures in runs[name] if row.figure in figures]) for name in names]
        if any(text != "-" for text in cells):
            lines.append(f"| {row.text} | {target(row, runs.get('ours', []))} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(row: Row, found: list[dict[str, float]]) -> str:
    """Formats the median of the rounds' medians; in brackets that of their best tenths."""
    if not found:
        return "-"
    text = show(median(one["median"] for one in found), row.digits)
    best = show(median(one["best"] for one in found), row.digits)
    return f"{text} ({best})" if row.best else text


def show(value: float, digits: int) -> str:
    """Formats a number; small negative ones are measurement noise around zero."""
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text


def target(row: Row, ours: list[Figures]) -> str:
    """Formats the target, and whether it is met."""
    if row.target is None:
        return ""
    found = [figures[row.figure]["median"] for figures in ours if row.figure in figures]
    met = found and (median(found) <= row.target if row.less else median(found) >= row.target)
    return f"{'≤' if row.less else '≥'} {row.target:,g}: {'met' if met else 'missed'}"
