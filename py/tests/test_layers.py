"""Tests that the modules of the extension have layers: each imports only from those above it in `src/lib.rs`."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
# `use crate::one::Thing;`, `use crate::{one, two::Thing};`, and a path in an expression.
IMPORT = re.compile(r"crate::(?:\{([^;]*?)\};|(\w+))", re.DOTALL)


def imported(text: str) -> set[str]:
    """Returns the modules that a source file names."""
    found: set[str] = set()
    for listed, single in IMPORT.findall(re.sub(r"//.*", "", text)):
        names = re.sub(r"\{[^{}]*\}", "", listed).split(",") if listed else [single]
        found |= {name.strip().split("::")[0] for name in names}
    return found - {""}


def test_modules_import_only_from_those_above_them() -> None:
    order = re.findall(r"^mod (\w+);", (SOURCE / "lib.rs").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(order) == sorted(path.stem for path in SOURCE.glob("*.rs") if path.stem != "lib")
    upward = {
        f"{name} imports {other}"
        for at, name in enumerate(order)
        for other in imported((SOURCE / f"{name}.rs").read_text(encoding="utf-8"))
        if other not in order[:at] and other != name
    }
    assert not upward


def test_imports_are_found() -> None:
    text = "use crate::one::{A, B};\nuse crate::{two, three::{C, D}, four::E}; // crate::five\nlet x = crate::six::f();"
    assert imported(text) == {"one", "two", "three", "four", "six"}
