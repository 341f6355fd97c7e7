"""Log records of the engine in Python's :mod:`logging`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from . import _native
from .exceptions import InvalidType

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["set_frame_log", "set_log_callback", "set_log_level"]


def set_log_level(level: int | str) -> None:
    """Sets the lowest level of the engine's log records, and the level of the logger ``rustuya``.

    It may be changed at any time. Records go to the loggers ``rustuya.*`` from a thread of their own, so that logging
    never slows the connections down. Records beyond its queue are dropped and counted.

    Args:
        level: a number or name of :mod:`logging`; ``WARNING`` by default.

    Raises:
        ValueError: there is no such level.
        InvalidType: it is neither a number nor text.
    """
    if isinstance(level, bool) or not isinstance(level, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidType(f"level must be a number or a name of a level of logging, not {type(level).__name__}")
    logger = logging.getLogger("rustuya")
    try:
        # The logger knows all names, including those added by the program.
        logger.setLevel(level.upper() if isinstance(level, str) else level)
    except ValueError:
        raise ValueError(f"{level!r} is not a level of logging: give a name such as 'DEBUG', or a number") from None
    _native.set_log_level(max(0, min(logger.level, 255)))


def set_log_callback(callback: Callable[[int, str, str], object] | None) -> None:
    """Calls a function with level, logger name and text of every record, instead of the loggers.

    Args:
        callback: the function; ``None`` restores the loggers.

    Raises:
        InvalidType: it is not callable.
    """
    if callback is not None and not callable(callback):
        raise InvalidType(
            f"callback must be a function of level, logger name and text, or None, not {type(callback).__name__}"
        )
    _native.set_log_callback(callback)


def set_frame_log(enabled: bool, *, values: bool = False) -> None:
    """Logs every command and frame to the logger ``rustuya.frames``, and sets its level to ``DEBUG``.

    Applies to devices made after the call. Records contain no keys. It costs time: use it to examine a device, not in
    production.

    Args:
        enabled: True starts the log for new devices, False ends it for all devices.
        values: True to log the values of DPs and other text; False to log only their types and lengths.

    Raises:
        InvalidType: an argument is neither True nor False.
    """
    for name, value in (("enabled", enabled), ("values", values)):
        if not isinstance(value, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(f"{name} must be True or False, not {type(value).__name__}")
    logging.getLogger("rustuya.frames").setLevel(logging.DEBUG if enabled else logging.NOTSET)
    _native.set_frame_log(enabled, values)
