"""Checks the package in a fresh environment without any other package. Runs without pytest."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import rustuya
from rustuya import aio
from rustuya.testing import VirtualDevice


def control(version: str) -> None:
    """Controls one device of this version, with the synchronous and the asyncio classes."""
    with VirtualDevice("lamp", version=version, dps={"1": False}) as lamp, lamp.device() as device:
        device.set_value(1, True, wait="ack")
        assert device.query(timeout=5) == {"1": True}

        async def main() -> None:
            async with aio.Device("lamp", lamp.address, lamp.local_key, version) as again:
                # Firmware of 3.2 reports only the named DPs, and none is known yet.
                assert await again.query([1], timeout=5) == {"1": True}
                assert again.version == version

        asyncio.run(main())


def main() -> None:
    """Checks that the environment has no other package, then that the package works in it."""
    for program in ("cargo", "rustc", "cc"):
        assert shutil.which(program) is None, f"{program} is on the search path"
    installed = metadata.distribution("rustuya")
    assert installed.version == rustuya.__version__
    assert installed.requires is None
    names = {Path(str(path)).name for path in installed.files or ()}
    assert {"LICENSE-MIT", "LICENSE-APACHE", "py.typed", "_native.pyi"} <= names
    for version in ("3.1", "3.2", "3.3", "3.4", "3.5"):
        control(version)
    script = Path(sysconfig.get_path("scripts"), "rustuya.exe" if os.name == "nt" else "rustuya")
    for command in ([str(script)], [sys.executable, "-m", "rustuya"]):
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=30, check=True)
        assert done.stdout.split() == ["rustuya", rustuya.__version__]
    print(f"rustuya {rustuya.__version__} works")


if __name__ == "__main__":
    main()
