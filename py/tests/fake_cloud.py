"""The repository's stand-in for the vendor's cloud, as a process: HTTPS on loopback, which verifies every signature."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rustuya.cloud import QrCode

VARIABLE = "RUSTUYA_FAKE_CLOUD"
BUILT = Path(__file__).parents[2] / "target" / "debug" / "rustuya-fake-cloud"


def program() -> str | None:
    """Returns the path of the program: from the environment, else from a build in this repository."""
    given = os.environ.get(VARIABLE)
    if given:
        return given
    return str(BUILT) if BUILT.is_file() else None


needs_cloud = pytest.mark.skipif(program() is None, reason=f"{VARIABLE} does not name the program rustuya-fake-cloud")


HOMES = "/v1.0/m/life/users/homes"
"""The first call of a login."""


def ignore(code: QrCode) -> None:
    """Shows no code."""


class FakeCloud:
    """The running process. `ca_file` is the certificate to trust."""

    def __init__(self, folder: Path) -> None:
        path = program()
        assert path is not None
        self._process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told: dict[str, Any] = self._line()
        self.url: str = self.told["url"]
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_text(self.told["ca"], encoding="utf-8")

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def order(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._line()

    def fail(self, path: str, fault: Any, times: int = 1) -> None:
        self.order(fail={"path": path, "fault": fault, "times": times})

    def calls(self, part: str = "") -> list[str]:
        calls: list[str] = self.order()["calls"]
        return [call for call in calls if part in call]

    @property
    def is_logged_in(self) -> bool:
        return bool(self.order()["is_logged_in"])

    @property
    def project(self) -> dict[str, Any]:
        """Arguments of `fetch`."""
        return {name: self.told[name] for name in ("access_id", "access_secret")} | self._address

    @property
    def app(self) -> dict[str, Any]:
        """Arguments of `fetch_with_app`, except `show`."""
        return {name: self.told[name] for name in ("client_id", "schema", "user_code")} | self._address

    @property
    def _address(self) -> dict[str, Any]:
        return {"endpoint": self.url, "ca_file": self.ca_file}

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for something that another thread brings about."""
        ends = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < ends, self.calls()
            time.sleep(0.01)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
