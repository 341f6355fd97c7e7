"""The stubs carry the words of the extension module, for editors to show.

After a change of either, ``python -m tests.test_stubs`` renews the stubs.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

from rustuya import _native

STUB = Path(__file__).parents[1] / "python" / "rustuya" / "_native.pyi"
INTERNAL = {"AsyncVerbs", "LoopBridge"}
Definition = Union[ast.ClassDef, ast.FunctionDef]


def definitions(body: list[ast.stmt], owner: Any) -> Iterator[tuple[Definition, str]]:
    """Everything public that is defined there, and its words. Of overloads, the first stands for all."""
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


def renewed(text: str) -> str:
    """The stub with the words of the module in the place of its own."""
    lines = text.splitlines()
    found = list(definitions(ast.parse(text).body, _native))
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


def test_everything_is_described_in_the_stubs_as_in_the_module() -> None:
    found = list(definitions(ast.parse(STUB.read_text(encoding="utf-8")).body, _native))
    assert len(found) > 140
    wrong = [node.name for node, words in found if not words or ast.get_docstring(node) != words]
    assert not wrong, "run `python -m tests.test_stubs`"


if __name__ == "__main__":
    STUB.write_text(renewed(STUB.read_text(encoding="utf-8")), encoding="utf-8")
