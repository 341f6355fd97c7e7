"""Settings of devices: immutable, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pacing", "Timing"]


@dataclass(frozen=True)
class Timing:
    """Time limits of a connection, in seconds. One below 0.02 counts as 0.02.

    Args:
        connect: how long a dial may take; `connection_timeout_sec` sets the same.
        negotiate: how long a device of 3.4 or 3.5 may take for its part of the negotiation.
        answer: how long a command waits for its answer, and a heartbeat for its own.
        heartbeat: silence of ours after which a heartbeat is sent. Devices close after 30 s without one.
        backoff_min: the first delay between attempts to connect; doubled on each further failure.
        backoff_max: the longest delay between attempts.
    """

    connect: float = 5.0
    negotiate: float = 5.0
    answer: float = 5.0
    heartbeat: float = 10.0
    backoff_min: float = 1.0
    backoff_max: float = 60.0


@dataclass(frozen=True)
class Pacing:
    """How commands to a device are spaced, joined and split; times are in seconds.

    Args:
        merge: how long a write waits for others, with which it is sent as one command. Later values of a DP replace
            earlier ones.
        gap: the least time between two commands. Bulbs like 0.1.
        max_dps: the most DPs in one write; larger ones are sent in parts.
        max_bytes: the most bytes in one frame that writes several DPs; larger ones are sent in parts, so that a
            frame fits one TCP segment. `None` for the limit of devices alone, 4095.
        sleeps: for devices that sleep: how long commands wait for them to wake up, in place of `timeout`. Writes
            that wait are merged.
    """

    merge: float = 0.0
    gap: float = 0.0
    max_dps: int | None = None
    max_bytes: int | None = 1024
    sleeps: float | None = None
