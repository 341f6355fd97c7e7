"""Checks that the reference names everything public, and nothing that does not exist."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import rustuya
import rustuya.aio
import rustuya.cloud.aio
import rustuya.entities.aio
import rustuya.exceptions
import rustuya.testing.aio
import rustuya.typing
from rustuya import codec

PAGE = Path(__file__).parents[2] / "docs" / "python" / "reference.md"
MODULES = [
    rustuya,
    rustuya.aio,
    rustuya.testing,
    rustuya.testing.aio,
    rustuya.cloud,
    rustuya.cloud.aio,
    rustuya.entities,
    rustuya.entities.aio,
    codec,
    rustuya.exceptions,
    rustuya.typing,
]
FOR_LOOPS = {
    rustuya.aio: rustuya.__name__,
    rustuya.testing.aio: rustuya.testing.__name__,
    rustuya.cloud.aio: rustuya.cloud.__name__,
}
"""Modules with the asyncio classes, and the modules whose sections describe the common parts."""
# Heading of a section, which names its classes.
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the source distribution has no such page")


def sections() -> dict[str, str]:
    """Returns the sections of the page by the classes and modules in their headings."""
    text = PAGE.read_text(encoding="utf-8")
    parts = HEADING.split(text)
    found: dict[str, str] = {}
    for heading, body in zip(parts[1::2], parts[2::2]):
        for name in re.findall(r"`([\w.]+)`", heading):
            found[name] = heading + body
    return found


def words(text: str) -> set[str]:
    """Returns the identifiers in code blocks and inline code."""
    code = re.findall(r"```\w+\n(.*?)```|`([^`]+)`", text, re.DOTALL)
    return {word for pair in code for part in pair for word in re.findall(r"\w+", part)}


def members(thing: type[Any]) -> set[str]:
    """Returns the public attributes of a class, including its fields."""
    own = {name for base in inspect.getmro(thing) if base.__module__.startswith("rustuya") for name in vars(base)}
    if is_dataclass(thing):
        own |= {field.name for field in fields(thing)}
    return {name for name in own if not name.startswith("_")}


def parameters(thing: Any) -> set[str]:
    """Returns the parameters of a function or constructor."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return set()
    return {name for name in signature.parameters if name not in {"self", "args", "kwargs"}}


def wanted(module: Any, name: str) -> set[str]:
    """Returns the names that the reference must have about a public name."""
    thing = getattr(module, name)
    if module is rustuya.typing:
        return set(getattr(thing, "__required_keys__", ()))
    if not inspect.isclass(thing):
        return parameters(thing) if callable(thing) and not hasattr(thing, "__origin__") else set()
    if issubclass(thing, Enum):
        return {entry.name for entry in thing}
    own = members(thing)
    if issubclass(thing, Exception):
        return own - {"code", "device_id", "reason"} if thing is not rustuya.TuyaError else own
    takes = parameters(thing) if issubclass(thing, (rustuya.Device, rustuya.testing.VirtualDevice)) else set[str]()
    for member in own:
        takes |= parameters(getattr(thing, member, None))
    return own | takes


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_it_names_everything(module: Any) -> None:
    known = sections()
    missing: dict[str, set[str]] = {}
    for name in module.__all__:
        # The class has a section of its own, or is in that of its module.
        at = name if module not in FOR_LOOPS and name in known else module.__name__
        if inspect.isclass(getattr(module, name)) and issubclass(getattr(module, name), Exception):
            at = "rustuya.exceptions"
        told = words(known[at]) if at in known else set[str]()
        if module in FOR_LOOPS:
            # The common parts of synchronous and asyncio classes are described once.
            told |= words(known.get(name, known.get(FOR_LOOPS[module], "")))
        lacking = ({name} | wanted(module, name)) - told
        if lacking:
            missing[f"{name} (section {at})"] = lacking
    assert not missing


def test_it_names_nothing_that_is_not_there() -> None:
    names = {name for module in MODULES for name in module.__all__}
    named = set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)", PAGE.read_text(encoding="utf-8")))
    builtin = {
        "AssertionError",
        "ValueError",
        "TypeError",
        "KeyError",
        "TimeoutError",
        "ConnectionError",
        "RuntimeError",
        "OSError",
        "IntEnum",
    }
    commands = {entry.name for entry in rustuya.CommandType}
    assert named - names - builtin - commands == set()
