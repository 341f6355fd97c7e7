"""Refuses to be imported in a subinterpreter, where the engine cannot work."""

from __future__ import annotations

from importlib import import_module

# As in `typing`, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _subinterpreters() -> Any:
    """Returns the interpreter's module for subinterpreters, whose name depends on the version; None if it has none."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


_module = _subinterpreters()
if _module is not None and _module.get_current() != _module.get_main():
    raise ImportError("rustuya cannot be used in a subinterpreter: import it in the main interpreter of the process")
