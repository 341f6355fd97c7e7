"""Threads that call callbacks and pass on log records.

They are daemon threads of Python, which fetch one call after the other from the engine: when the interpreter ends, it
stops them at any place, and only Python code may be running there.
"""

from __future__ import annotations

import logging
import threading

from . import _native


def start(function: str) -> None:
    """Starts the thread that runs one of the functions below."""
    target = {"callbacks": callbacks, "records": records}[function]
    threading.Thread(target=target, name=f"rustuya-{function}", daemon=True).start()


def callbacks() -> None:
    """Calls the functions of subscriptions."""
    while True:
        call = _native.next_callback()
        if call is None:
            return
        function, event = call
        try:
            function(event)
        except BaseException as error:  # any error: the other callbacks must go on
            _native.report(error, function)
        # Nothing is kept alive while the next event is waited for.
        del call, function, event


def records() -> None:
    """Passes log records on to loggers or to the function of `set_log_callback`."""
    while True:
        record = _native.next_record()
        if record is None:
            return
        callback, level, name, text = record
        try:
            if callback is None:
                logging.getLogger(name).log(level, "%s", text)
            else:
                callback(level, name, text)
        except BaseException as error:
            _native.report(error, callback)
        del record, callback
