"""Tests the package's contents besides code."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
import rustuya

ROOT = Path(__file__).parents[2]
LICENCES = ["LICENSE-APACHE", "LICENSE-MIT"]


@pytest.mark.parametrize("name", LICENCES)
def test_licences_are_those_of_the_repository(name: str) -> None:
    assert (ROOT / "py" / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_metadata_name_licences_and_pages() -> None:
    told = metadata.metadata("rustuya")
    assert told["Version"] == rustuya.__version__
    assert told["License-Expression"] == "MIT OR Apache-2.0"
    assert sorted(told.get_all("License-File") or []) == LICENCES
    assert told.get_all("Requires-Dist") is None
    text = metadata.distribution("rustuya").read_text("METADATA") or ""
    # The package index shows the page elsewhere: links must not be relative.
    assert "](" in text
    assert text.count("](") == text.count("](https://")


def test_it_announces_its_pytest_plugin_and_its_command() -> None:
    ours = {(point.group, point.name): point.value for point in metadata.distribution("rustuya").entry_points}
    assert ours["pytest11", "rustuya"] == "rustuya.testing.plugin"
    assert ours["console_scripts", "rustuya"] == "rustuya.__main__:main"


def test_what_is_not_tested_without_the_gil_does_not_declare_it() -> None:
    assert not [name for name in metadata.metadata("rustuya").get_all("Classifier") or [] if "Free Threading" in name]
    source = ROOT / "py" / "src" / "lib.rs"
    assert re.findall(r"pymodule\((.*)\)\]", source.read_text(encoding="utf-8")) == ["gil_used = true"]
    # A build with a GIL has no such function.
    assert getattr(sys, "_is_gil_enabled", lambda: True)()
