"""Runs every Python example of the documents against virtual devices."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
import rustuya
from rustuya.testing import VirtualDevice

from .conftest import free_ports
from .products import write_house

ROOT = Path(__file__).parents[2]
# In a source distribution, the pages are not there.
PAGES = sorted((ROOT / "docs" / "python").glob("*.md"))
FILES = [*PAGES, ROOT / "README.md", ROOT / "py" / "README.md", *sorted((ROOT / "py" / "docs").glob("*.md"))]
SUBS = {"cid": {"1": 21}, "sub_id_123": {"1": True}}
KEY = "0123456789abcdef"


# A block of Python, and the following block of text: its output. An ellipsis there matches any text.
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\s*^```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)


def is_as_told(output: str, told: str) -> bool:
    """Returns whether the output matches the document. The line before an ellipsis line may be repeated."""
    pattern = "".join(
        "(?:.*\n)*" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + "\n" for line in told.splitlines()
    )
    return re.fullmatch(pattern, output) is not None


def blocks() -> list[Any]:
    found: list[Any] = []
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text[: match.start()].count("\n") + 1
            found.append(pytest.param(match[1], match[2], id=f"{name}:{line}"))
    return found


def filled_in(code: str, device: VirtualDevice, ports: tuple[int, int, int]) -> str:
    """Replaces placeholders with real arguments."""
    where = f'"id", "{device.address}", "{device.local_key}", "{device.version}"'
    for placeholder in ['"id", "ip", "key", "ver"', '"id", "address", "key", "version"']:
        code = code.replace(placeholder, where)
    code = code.replace('"id", "192.168.1.20", "0123456789abcdef", "3.4"', where)
    code = code.replace('"key"', f'"{KEY}"')
    code = code.replace("from rustuya import Scanner\n", "")
    code = code.replace('"192.168.5.0/24"', '"127.0.0.1/32", port=1, probe_port=1')
    # Ends at the first device.
    code = code.replace("timeout(18).discover", "timeout(15).discover")
    code = code.replace("timeout(18)", "timeout(0.4)").replace('"0.0.0.0"', '"127.0.0.1"')
    code = code.replace("aio.Scanner()", f'aio.Scanner().active(False).ports({ports}).bind_address("127.0.0.1")')
    # Wraps code that needs a running loop.
    if re.search(r"^asyncio\.create_task", code, re.MULTILINE):
        body = code.replace("asyncio.create_task(", "task = asyncio.create_task(")
        body += "\nawait _then(task)\n"
        code = "async def _main():\n" + textwrap.indent(body, "    ") + "\nasyncio.run(_main())\n"
    return code


def in_the_house(code: str, request: pytest.FixtureRequest, virtual_device: Any, folder: Path) -> dict[str, Any]:
    """Starts the devices of the examples of entities. Returns handles by name, for blocks without an import."""
    if "entities.md" not in request.node.name and "Desk lamp" not in code:
        return {}
    devices = write_house(virtual_device, folder / "devices.json")
    handles = {name: rustuya.Device.from_devices_file("devices.json", name) for name in devices}
    names = {
        "Desk lamp": "lamp",
        "Plug": "plug",
        "Thermostat": "thermostat",
        "Curtain": "curtain",
        "Gateway": "gateway",
    }
    for handle in handles.values():
        request.addfinalizer(handle.close)
        handle.wait_ready()
    for virtual in devices.values():
        request.addfinalizer(virtual.stop)
    return {**{names[name]: handle for name, handle in handles.items()}, "devices": devices}


@pytest.mark.parametrize(("code", "told"), blocks())
def test_example(
    code: str,
    told: str | None,
    request: pytest.FixtureRequest,
    virtual_device: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    if "@pytest.fixture" in code:
        # Only pytest provides the fixtures.
        (tmp_path / "test_example.py").write_text(code, encoding="utf-8")
        program = [sys.executable, "-m", "pytest", "-q", str(tmp_path)]
        done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout
        return
    ports = free_ports()
    device = virtual_device(
        "id",
        dps={"1": False, "2": 5},
        subs=SUBS,
        announce_to=[("127.0.0.1", ports[1])],
        announce_every=0.1,
    )
    listed = {"id": device.id, "name": "Lamp", "key": device.local_key, "ip": device.ip, "port": device.port}
    (tmp_path / "devices.json").write_text(json.dumps([{**listed, "version": device.version}]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    manager = rustuya.Manager()
    dev = manager.add(device.id, device.address, device.local_key, device.version)
    if "Manager()" in code or ".add(" in code:
        manager.clear()

    async def then(task: asyncio.Task[None]) -> None:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(dev.set_value, 1, True, wait="ack") if hasattr(asyncio, "to_thread") else None
        await asyncio.sleep(0.2)
        task.cancel()
        # Threads that wait return.
        dev.close()

    scope: dict[str, Any] = {
        "__name__": "__main__",
        "Manager": rustuya.Manager,
        "Scanner": lambda: rustuya.Scanner().active(False).ports(ports).timeout(0.4),
        "Device": rustuya.Device,
        "asyncio": asyncio,
        "mgr": manager,
        "dev": dev,
        "device": dev,
        "parent_dev": dev,
        "gateway": dev,
        "sub_dev": dev.sub("cid"),
        "virtual_device": virtual_device,
        "_then": then,
        **in_the_house(code, request, virtual_device, tmp_path),
    }
    failures: list[BaseException] = []
    compiled = compile(filled_in(code, device, ports), "<example>", "exec")

    def run() -> None:
        try:
            exec(compiled, scope)
            for name, test in list(scope.items()):
                if name.startswith("test_"):
                    test(virtual_device)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    endless = "in mgr.listener()" in code
    if endless:
        thread.join(0.3)
        assert thread.is_alive()
        dev.set_value(2, 7, wait="ack")
        thread.join(0.3)
        manager.shutdown()
    thread.join(20)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
    output = capsys.readouterr().out
    # Replaces the addresses of the test with those of the document.
    for here, there in [(device.address, "192.168.1.20"), (device.ip, "192.168.1.20")]:
        output = output.replace(here, there)
    assert is_as_told(output, told or ""), f"the document has to say that it prints\n{output}"
    dev.close()
    manager.shutdown()


def test_there_are_examples() -> None:
    assert len(blocks()) >= (45 if PAGES else 4)
    assert sum(block.values[1] is not None for block in blocks()) >= (15 if PAGES else 2)


def test_what_is_printed_is_compared() -> None:
    assert is_as_told("DP 1: True\n", "DP 1: …\n")
    assert is_as_told("a\nb\nc\n", "a\n…\n")
    assert not is_as_told("DP 1: True\nmore\n", "DP 1: …\n")
    assert not is_as_told("DP 2: True\n", "DP 1: …\n")
    assert not is_as_told("", "DP 1: …\n")
