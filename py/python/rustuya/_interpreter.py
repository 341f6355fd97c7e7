"""Refuses to be imported where the engine cannot work: in a sub-interpreter."""

from __future__ import annotations

from importlib import import_module

# As in `typing`, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _subinterpreters() -> Any:
    """The interpreter's module that knows about them, whose name depends on the version; None where there is none."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            return import_module(name)
        except ImportError:
            continue
    return None


_known = _subinterpreters()
if _known is not None and _known.get_current() != _known.get_main():
    raise ImportError("rustuya cannot be used in a subinterpreter: import it in the main interpreter of the process")
