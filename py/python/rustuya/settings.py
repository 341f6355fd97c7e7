"""Settings of devices: immutable, times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Pacing", "Timing"]


@dataclass(frozen=True)
class Timing:
    """Time limits of a connection, in seconds. One below 0.02 counts as 0.02.

    Args:
        connect: time limit for connecting; `connection_timeout_sec` sets the same.
        negotiate: time limit for a device of 3.4 or 3.5 to answer in the negotiation.
        answer: time limit for the answer to a command or a heartbeat.
        heartbeat: idle time of sending after which a heartbeat is sent. Devices close after 30 s without one.
        backoff_min: first delay between attempts to connect; doubled on each further failure.
        backoff_max: longest delay between attempts.
    """

    connect: float = 5.0
    negotiate: float = 5.0
    answer: float = 5.0
    heartbeat: float = 10.0
    backoff_min: float = 1.0
    backoff_max: float = 60.0


@dataclass(frozen=True)
class Pacing:
    """Spacing, joining and splitting of commands to a device; times are in seconds.

    Args:
        merge: time that a write waits for others to be sent with it as one command. Later values of a DP replace
            earlier ones.
        gap: minimum time between two commands. Bulbs work well with 0.1.
        max_dps: maximum number of DPs in one write; larger writes are sent in parts.
        max_bytes: maximum size of one frame that writes several DPs, in bytes; larger writes are sent in parts, so that
            a frame fits one TCP segment. `None` for the limit of devices alone, 4095.
        sleeps: time limit for a sleeping device to wake up, instead of `timeout` of commands. Waiting writes are
            merged.
    """

    merge: float = 0.0
    gap: float = 0.0
    max_dps: int | None = None
    max_bytes: int | None = 1024
    sleeps: float | None = None
