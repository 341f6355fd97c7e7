"""Records of the engine in Python's :mod:`logging`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["set_log_callback", "set_log_level"]


def set_log_level(level: int | str) -> None:
    """Sets from which level on the engine makes records, and the level of the logger ``rustuya``.

    The level is a number or name of :mod:`logging`. It is ``WARNING`` at first, and may be changed at any time.
    Records go to the loggers ``rustuya.*``, from a thread of their own: none slows the connections down, and when
    there are more than can be handed over, the rest is counted and dropped.
    """
    logger = logging.getLogger("rustuya")
    try:
        # It knows the names, those that a program has added included.
        logger.setLevel(level.upper() if isinstance(level, str) else level)
    except ValueError:
        raise ValueError(f"{level!r} is no level of logging: give a name such as 'DEBUG', or a number") from None
    _native.set_log_level(max(0, min(logger.level, 255)))


def set_log_callback(callback: Callable[[int, str, str], object] | None) -> None:
    """Has a function called with level, logger name and text of every record, instead of the loggers.

    ``None`` gives the records back to the loggers.
    """
    if callback is not None and not callable(callback):
        raise TypeError("the callback must be callable with level, logger name and text, or None")
    _native.set_log_callback(callback)
