"""Checks that stubs and asyncio classes have the docstrings of the extension module, and that the asyncio classes of
entities are those of the synchronous ones.

After a change of the module or of `rustuya.entities`, ``python -m tests.test_stubs`` updates all of them.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Union

from rustuya import _native

PACKAGE = Path(__file__).parents[1] / "python" / "rustuya"
STUB = PACKAGE / "_native.pyi"
ASYNCIO = (
    PACKAGE / "aio.py",
    PACKAGE / "_commands.py",
    PACKAGE / "_described.py",
    PACKAGE / "testing" / "aio.py",
)
ENTITIES = PACKAGE / "entities" / "__init__.py"
ASYNCIO_ENTITIES = PACKAGE / "entities" / "aio.py"
MARK = "    # From here on as `rustuya.entities` has it: see `tests/test_stubs.py`.\n"
INTERNAL = {"AsyncVerbs", "CloudRun", "EntityHandle", "LoopBridge"}
# Synchronous twin of each asyncio class, and the methods that differ.
TWINS: dict[str, Any] = {
    "Commands": _native.Device,
    "Device": _native.Device,
    "SubDevice": _native.SubDevice,
    "Manager": _native.Manager,
    "Scanner": _native.Scanner,
    "VirtualDevice": _native.VirtualDevice,
    "WithEntities": _native.WithEntities,
}
OTHERWISE = {"listener", "subscribe", "requests"}
Definition = Union[ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef]


def definitions(body: list[ast.stmt], owner: Any) -> Iterator[tuple[Definition, str]]:
    """Yields every public definition with its docstring; of overloads, only the first."""
    seen: set[str] = set()
    for node in body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name in seen | INTERNAL:
            continue
        seen.add(node.name)
        if node.name.startswith("_"):
            continue
        target = getattr(owner, node.name)
        yield node, inspect.getdoc(target) or ""
        if isinstance(node, ast.ClassDef):
            yield from definitions(node.body, target)


def twins(body: list[ast.stmt]) -> Iterator[tuple[Definition, str]]:
    """Yields every definition of the asyncio classes that has a synchronous twin, with the twin's docstring."""
    for node in body:
        if not isinstance(node, ast.ClassDef) or node.name not in TWINS:
            continue
        twin = TWINS[node.name]
        if node.name != "Commands":
            yield node, inspect.getdoc(twin) or ""
        last = {each.name: each for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))}
        for name, method in last.items():
            if not name.startswith("_") and name not in OTHERWISE and hasattr(twin, name):
                yield method, inspect.getdoc(getattr(twin, name)) or ""


def renewed(text: str, found: Iterable[tuple[Definition, str]]) -> str:
    """Returns the text with the docstrings of the module in place of its own."""
    lines = text.splitlines()
    for node, words in sorted(found, key=lambda entry: -entry[0].lineno):
        indent = " " * (node.col_offset + 4)
        paragraphs = words.splitlines()
        last = '"""' if len(paragraphs) == 1 else f'\n{indent}"""'
        quoted = '"""' + "\n".join(indent * bool(line and at) + line for at, line in enumerate(paragraphs)) + last
        first = node.body[0]
        old = ast.get_docstring(node) is not None
        if old:
            del lines[first.lineno - 1 : first.end_lineno]
        if isinstance(node, ast.ClassDef):
            at = node.lineno
        else:
            at = first.lineno - 1 if old else first.lineno
            if not old:
                lines[at - 1] = lines[at - 1][: -len(" ...")]
        lines[at:at] = (indent + quoted).split("\n")
    return "\n".join(lines) + "\n"


def in_stub() -> list[tuple[Definition, str]]:
    return list(definitions(ast.parse(STUB.read_text(encoding="utf-8")).body, _native))


def in_asyncio(path: Path) -> list[tuple[Definition, str]]:
    return list(twins(ast.parse(path.read_text(encoding="utf-8")).body))


def wrong(found: Iterable[tuple[Definition, str]]) -> list[str]:
    return [node.name for node, words in found if not words or ast.get_docstring(node) != words]


def asyncio_entities() -> str:
    """Returns the text of the asyncio classes of entities: the synchronous ones without setters, with `await`."""
    text = ENTITIES.read_text(encoding="utf-8")
    lines = text.splitlines()
    found: list[str] = []
    for node in ast.parse(text).body:
        if not isinstance(node, ast.ClassDef):
            continue
        # The first class begins in the header, with the way of its own by which it writes.
        kept = lines[node.lineno - 1 : node.body[0].end_lineno] if node.name != "Entity" else []
        for method in node.body[1:]:
            assert isinstance(method, ast.FunctionDef)
            if method.decorator_list or method.name == "_write":
                continue
            written = lines[method.lineno - 1 : method.end_lineno]
            written[0] = written[0].replace("def ", "async def ", 1)
            kept += ["", *(line.replace("return self._write(", "return await self._write(") for line in written)]
        found += ["", "", *kept] if found else kept[1:]
    header = ASYNCIO_ENTITIES.read_text(encoding="utf-8").partition(MARK)[0]
    return header + MARK + "\n".join(found).strip("\n") + "\n"


def test_the_asyncio_classes_of_entities_are_those_of_the_others() -> None:
    assert ASYNCIO_ENTITIES.read_text(encoding="utf-8") == asyncio_entities(), "run `python -m tests.test_stubs`"


def test_everything_is_described_in_the_stubs_as_in_the_module() -> None:
    assert len(in_stub()) > 140
    assert not wrong(in_stub()), "run `python -m tests.test_stubs`"


def test_the_asyncio_face_is_described_as_the_other_one() -> None:
    found = [entry for path in ASYNCIO for entry in in_asyncio(path)]
    assert len(found) > 70
    assert not wrong(found), "run `python -m tests.test_stubs`"


if __name__ == "__main__":
    for path, found in ((STUB, in_stub()), *((path, in_asyncio(path)) for path in ASYNCIO)):
        path.write_text(renewed(path.read_text(encoding="utf-8"), found), encoding="utf-8")
    ASYNCIO_ENTITIES.write_text(asyncio_entities(), encoding="utf-8")
