"""Records of the engine in Python's :mod:`logging`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import _native
from .exceptions import InvalidType

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["set_frame_log", "set_log_callback", "set_log_level"]


def set_log_level(level: int | str) -> None:
    """Sets from which level on the engine makes records, and the level of the logger ``rustuya``.

    It may be changed at any time. Records go to the loggers ``rustuya.*``, from a thread of their own: none slows the
    connections down, and when there are more than can be handed over, the rest is counted and dropped.

    Args:
        level: a number or name of :mod:`logging`; ``WARNING`` at first.

    Raises:
        ValueError: there is no such level.
        InvalidType: it is neither a number nor text.
    """
    if isinstance(level, bool) or not isinstance(level, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidType(f"level must be a number or a name of a level of logging, not {type(level).__name__}")
    logger = logging.getLogger("rustuya")
    try:
        # It knows the names, those that a program has added included.
        logger.setLevel(level.upper() if isinstance(level, str) else level)
    except ValueError:
        raise ValueError(f"{level!r} is no level of logging: give a name such as 'DEBUG', or a number") from None
    _native.set_log_level(max(0, min(logger.level, 255)))


def set_log_callback(callback: Callable[[int, str, str], object] | None) -> None:
    """Has a function called with level, logger name and text of every record, instead of the loggers.

    Args:
        callback: the function; ``None`` gives the records back to the loggers.

    Raises:
        InvalidType: it cannot be called.
    """
    if callback is not None and not callable(callback):
        raise InvalidType(
            f"callback must be a function of level, logger name and text, or None, not {type(callback).__name__}"
        )
    _native.set_log_callback(callback)


def set_frame_log(enabled: bool, *, values: bool = False) -> None:
    """Has every command and frame told by the logger ``rustuya.frames``, whose level becomes ``DEBUG``.

    That is so for the devices that are made after the call. Keys are in no record. It costs time: for looking into
    what a device does, not for every day.

    Args:
        enabled: True begins it, False ends it for all devices.
        values: whether the values of DPs and other text are shown; kinds and lengths stand in their place otherwise.

    Raises:
        InvalidType: an argument is neither True nor False.
    """
    for name, value in (("enabled", enabled), ("values", values)):
        if not isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(f"{name} must be True or False, not {type(value).__name__}")
    logging.getLogger("rustuya.frames").setLevel(logging.DEBUG if enabled else logging.NOTSET)
    _native.set_frame_log(enabled, values)
