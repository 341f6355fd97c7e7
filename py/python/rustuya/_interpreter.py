"""Refuses to be imported where the engine cannot work: in a sub-interpreter."""

try:
    import _interpreters as _subinterpreters  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    try:
        import _xxsubinterpreters as _subinterpreters  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        _subinterpreters = None

if _subinterpreters is not None and _subinterpreters.get_current() != _subinterpreters.get_main():
    raise ImportError("rustuya cannot be used in a subinterpreter: import it in the main interpreter of the process")
