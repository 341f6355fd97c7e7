"""Checks that memory, files and threads do not grow under repeated use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .churn import Sample, grown

PROGRAM = Path(__file__).with_name("churn.py")


def test_what_grows_is_told() -> None:
    flat = [Sample(memory=50_000 + at % 3, files=20, threads=7, objects=9000) for at in range(12)]
    assert grown(flat) == ""
    leaks = [Sample(50_000, files=20 + at, threads=7, objects=9000 + 200 * at) for at in range(12)]
    assert grown(leaks) == "files by 6, objects by 1200"


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells nothing of files and threads in /proc")
def test_nothing_grows() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "0.25"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
