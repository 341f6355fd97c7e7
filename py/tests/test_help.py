"""Tests that `help()` describes arguments, units, results and errors of everything public."""

from __future__ import annotations

import builtins
import enum
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import rustuya
import rustuya.aio
import rustuya.cloud.aio
import rustuya.exceptions
import rustuya.models
import rustuya.settings
import rustuya.testing.aio
import rustuya.typing
from rustuya import codec

MODULES: list[Any] = [
    rustuya,
    rustuya.aio,
    rustuya.testing,
    rustuya.testing.aio,
    rustuya.cloud,
    rustuya.cloud.aio,
    codec,
    rustuya.exceptions,
    rustuya.models,
    rustuya.settings,
    rustuya.typing,
]
# Names of arguments that are times.
TIMES = re.compile(r"timeout|idle|announce_every|merge|gap|sleeps|retry_in")
# Calls that cannot fail.
CANNOT_FAIL = {"get", "replace", "QUIRKS"}


def public() -> Iterator[tuple[str, Any, Any]]:
    """Yields name, object and owner of everything public: modules, classes, functions, and attributes of classes."""
    for module in MODULES:
        yield module.__name__, module, None
        for name in module.__all__:
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isroutine(thing)):
                continue
            yield f"{module.__name__}.{name}", thing, None
            if not inspect.isclass(thing) or issubclass(thing, (Exception, enum.Enum)) or module is rustuya.typing:
                continue
            for attribute in dir(thing):
                if attribute.startswith("_"):
                    continue
                for base in inspect.getmro(thing):
                    if attribute in vars(base):
                        if base.__module__.startswith("rustuya"):
                            yield f"{module.__name__}.{name}.{attribute}", vars(base)[attribute], thing
                        break


def found() -> list[Any]:
    return [pytest.param(thing, owner, id=name) for name, thing, owner in public()]


def is_value(thing: Any, owner: Any) -> bool:
    """Returns whether this is the default of a field of a record, which the record's docstring describes."""
    return owner is not None and not callable(thing) and not hasattr(thing, "__get__")


def function_of(thing: Any) -> Any:
    return getattr(thing, "__func__", thing)


@pytest.mark.parametrize(("thing", "owner"), found())
def test_it_has_words(thing: Any, owner: Any) -> None:
    if is_value(thing, owner) or inspect.ismemberdescriptor(thing):
        return
    words = inspect.getdoc(function_of(thing)) or ""
    assert len(words.split()) >= 2
    assert words != getattr(object, "__doc__", None)
    # No markup of rustdoc, which help() would show unchanged.
    assert "[`" not in words


def arguments(thing: Any) -> list[str]:
    function = function_of(thing)
    if isinstance(thing, property) or not callable(function):
        return []
    if inspect.isclass(thing) and issubclass(thing, (Exception, dict)):
        return []
    try:
        signature = inspect.signature(function)
    except ValueError:
        # Classes without a public constructor.
        return []
    return [name for name in signature.parameters if name not in {"self", "cls", "args", "kwargs", "_exc"}]


@pytest.mark.parametrize(("thing", "owner"), found())
def test_it_tells_its_arguments_with_their_units(thing: Any, owner: Any) -> None:
    names = [name for name in arguments(thing) if name not in {"native", "source", "values", "ages"} or owner is None]
    if inspect.isclass(thing) and thing.__module__ in {"rustuya.typing", "rustuya._loops"}:
        return
    if inspect.isclass(thing) and thing in {rustuya.State, rustuya.aio.SubDevice, rustuya.CommandType}:
        return
    words = inspect.getdoc(function_of(thing)) or ""
    for name in names:
        line = re.search(rf"^ +{name}: (.*(?:\n {{8,}}.*)*)", words, re.MULTILINE)
        assert line, f"{name} is not described"
        if TIMES.search(name) and name != "sleeps":
            told = line[1] if not re.search(r"in seconds", words.split("Args:")[0]) else "seconds"
            assert re.search(r"seconds|milliseconds", told), f"{name} has no unit"


@pytest.mark.parametrize(("thing", "owner"), found())
def test_it_tells_what_is_raised(thing: Any, owner: Any) -> None:
    function = function_of(thing)
    name = getattr(function, "__name__", "")
    words = inspect.getdoc(function) or ""
    raised = words.split("Raises:")[1] if "Raises:" in words else ""
    named = re.findall(r"^ +([A-Z]\w+(?:, [A-Z]\w+)*):", raised, re.MULTILINE)
    for each in ", ".join(named).split(", ") if named else []:
        kind = getattr(rustuya.exceptions, each, None) or getattr(builtins, each, None)
        assert isinstance(kind, type), each
        assert issubclass(kind, BaseException), each
    if inspect.isclass(thing) or inspect.ismodule(thing) or isinstance(thing, property) or name in CANNOT_FAIL:
        return
    if owner is rustuya.testing.Request or not arguments(thing):
        return
    assert named, "no error is named"


def test_everything_is_walked() -> None:
    names = {name for name, _, _ in public()}
    assert len(names) > 300
    assert {"rustuya.Device.set_value", "rustuya.aio.Manager.add", "rustuya.codec.encode"} <= names
