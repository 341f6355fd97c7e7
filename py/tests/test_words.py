"""Tests that texts for users come from this package: refused arguments, representations, errors, events."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import rustuya
import rustuya.aio
import rustuya.testing.aio
from rustuya import codec
from rustuya.testing import VirtualDevice

KEY = "0123456789abcdef"
CLASSES: list[Any] = [
    rustuya.Device,
    rustuya.SubDevice,
    rustuya.Manager,
    rustuya.Scanner,
    rustuya.DeviceMessageReceiver,
    rustuya.Subscription,
    VirtualDevice,
    rustuya.aio.Device,
    rustuya.aio.SubDevice,
    rustuya.aio.Manager,
    rustuya.aio.Scanner,
    rustuya.aio.Receiver,
]
FUNCTIONS: list[Any] = [rustuya.configure, codec.encode, codec.decode, codec.session_key, codec.announcement]
# Texts of the binding library, and of Rust's debug format.
FOREIGN = re.compile(
    r"argument '|can't extract|failed to extract|PyDowncast|cannot be (converted|cast|interpreted)"
    r"|out of range integral"
    r"|is not an instance of|must be real number|object is not iterable|expected a sequence|'NoneType'"
)
DEBUG = re.compile(r"Some\(|Ok\(|Err\(|\w+ \{ \w|\w::\w|\w Error\w*\(")
# A Rust identifier within Python text.
RUST = re.compile(
    r"Some\(|Ok\(|Err\(|[A-Z]\w+ \{ \w|[a-z]\w*::\w|Error \{|CommandError|CommandCode\(|Duration\(|\bV3[1-5]\b"
)


class Strange:
    """Value that no argument accepts, and whose text no error may contain."""

    def __repr__(self) -> str:
        return "its-own-words"


WRONG: list[Any] = [
    Strange(),
    1.5,
    b"0123456789abcdef",
    KEY,
    -1,
    2**70,
    True,
    [Strange()],
    {"a": Strange()},
    (1, 2, 3, 4),
]
# Arguments that accept any value.
ANYTHING = {("get", "default"), ("get", "key"), ("replace", "changes")}


def parameters(function: Any) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_ONLY)
    try:
        signature = inspect.signature(function)
    except ValueError:
        return []
    return [each for each in signature.parameters.values() if each.kind in kinds and each.name not in {"self", "cls"}]


GOOD: dict[str, Any] = {
    "id": "other",
    "address": "127.0.0.1:1",
    "local_key": KEY,
    "version": "3.3",
    "dp_id": 1,
    "value": True,
    "dps_dict": {"1": True},
    "dps": {"1": True},
    "dp_ids": [1],
    "command": 16,
    "cid": "c",
    "callback": print,
    "network": "127.0.0.1/32",
    "path": "there-is-no-such-file.json",
    "key": KEY,
    "data": b"",
    "client_nonce": b"0" * 16,
    "device_nonce": b"1" * 16,
    "datagram": b"x",
    "nowait": False,
    "persist": True,
    "port": 6668,
    "timeout_ms": 1,
    "timeout_sec": 0.1,
    "connection_timeout_sec": 1,
    "dev_type": "default",
    "ports": (0, 0, 0),
    "addresses": [("127.0.0.1", 1)],
    "active": False,
    "trust": False,
    "online": True,
    "device": None,
}


def call(function: Any, arguments: dict[str, Any]) -> str | None:
    """Returns the text of the raised error, or None."""
    try:
        result = function(**arguments)
        if inspect.iscoroutine(result):

            async def bounded() -> None:
                await asyncio.wait_for(result, 0.05)

            asyncio.run(bounded())
        closing = getattr(result, "close", None)
        # A setter returns its own handle, which the next calls need.
        if (
            result is not getattr(function, "__self__", None)
            and closing is not None
            and not inspect.iscoroutinefunction(closing)
        ):
            closing()
    except asyncio.TimeoutError:
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def callables(device: VirtualDevice, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """Yields everything public that takes arguments, with objects to call it on."""
    listed = tmp_path / "devices.json"
    listed.write_text(json.dumps([{"id": "listed", "name": "Lamp", "key": KEY, "ip": "127.0.0.1", "version": "3.3"}]))
    GOOD["path"] = listed
    other = rustuya.Device("open", "127.0.0.1:1", KEY, "3.3", nowait=True, timeout=0.05)
    handle = rustuya.Device("walked", "127.0.0.1:1", KEY, "3.3", nowait=True, timeout=0.05)
    aio = rustuya.aio.Device.of(handle)
    manager = rustuya.Manager()
    objects: list[Any] = [
        handle,
        handle.sub("c"),
        manager,
        rustuya.Scanner().active(False).ports((0, 0, 0)).timeout(0.01),
        other.listener(),
        device,
        rustuya.testing.aio.VirtualDevice.of(device),
        aio,
        aio.sub("c"),
        rustuya.aio.Manager(),
        rustuya.aio.Scanner().active(False).ports((0, 0, 0)).timeout(0.01),
        rustuya.aio.Device.of(other).listener(),
    ]
    for function in FUNCTIONS:
        yield function.__name__, function
    for thing in objects:
        kind = cast("Any", type(thing))
        if kind not in {rustuya.aio.Receiver, rustuya.aio.SubDevice, rustuya.SubDevice, rustuya.DeviceMessageReceiver}:
            yield f"{kind.__module__}.{kind.__name__}()", kind
        for name in dir(thing):
            # Leaves out calls that end or wait for the process.
            if not name.startswith("_") and name not in {"close", "stop", "shutdown", "shutdown_all", "scan", "of"}:
                member = getattr(kind, name)
                if callable(member) and not isinstance(member, property):
                    yield f"{kind.__module__}.{kind.__name__}.{name}", getattr(thing, name)


def test_what_is_refused_is_told_in_our_own_words(virtual_device: Callable[..., VirtualDevice], tmp_path: Path) -> None:
    wrong: list[str] = []
    checked = 0
    for name, function in callables(virtual_device("walk", dps={"1": True}), tmp_path):
        wanted = parameters(function)
        needed = {each.name: GOOD[each.name] for each in wanted if each.default is inspect.Parameter.empty}
        if name.endswith((".Device()", ".add")):
            needed |= {"local_key": KEY, "address": "127.0.0.1:1", "id": "walked-2"}
        for each in wanted:
            if (name.rsplit(".", 1)[-1], each.name) in ANYTHING or each.kind is inspect.Parameter.POSITIONAL_ONLY:
                continue
            for value in WRONG:
                # A large time limit is valid, and such a call would not return.
                if value == 2**70 and each.name.startswith("timeout"):
                    continue
                told = call(function, {**needed, each.name: value})
                checked += 1
                # Errors of the system about a path are not ours.
                if told is None or (each.name == "path" and "No such file" in told):
                    continue
                shown = f"{name}({each.name}={value!r}): {told}"
                if FOREIGN.search(told) or DEBUG.search(told) or "its-own-words" in told or KEY in told:
                    wrong.append(shown)
                elif isinstance(value, Strange) and "Strange" not in told:
                    wrong.append(f"without the type: {shown}")
    assert not wrong, "\n".join(wrong)
    assert checked > 1000


def test_an_argument_of_another_type_is_refused(virtual_device: Callable[..., VirtualDevice], tmp_path: Path) -> None:
    taken: list[str] = []
    for name, function in callables(virtual_device("walk", dps={"1": True}), tmp_path):
        wanted = parameters(function)
        needed = {each.name: GOOD[each.name] for each in wanted if each.default is inspect.Parameter.empty}
        if name.endswith((".Device()", ".add")):
            needed |= {"local_key": KEY, "address": "127.0.0.1:1", "id": "walked-2"}
        for each in wanted:
            if (name.rsplit(".", 1)[-1], each.name) in ANYTHING or each.kind is inspect.Parameter.POSITIONAL_ONLY:
                continue
            try:
                result = function(**{**needed, each.name: Strange()})
                if inspect.iscoroutine(result):
                    asyncio.run(result)
            except TypeError:
                continue
            except Exception as error:
                if isinstance(error, (rustuya.InvalidDp, rustuya.ConfigError)):
                    continue
                taken.append(f"{name}({each.name}=...): {type(error).__name__}: {error}")
            else:
                taken.append(f"{name}({each.name}=...) takes anything")
    assert not taken, "\n".join(taken)


def test_no_text_is_rusts_own(virtual_device: Callable[..., VirtualDevice]) -> None:
    """Checks representations, texts of errors and of events, with every field, and log records."""
    told: list[str] = []
    records: list[str] = []
    rustuya.set_log_callback(lambda _level, _name, text: records.append(text))
    rustuya.set_log_level(1)

    def tell(thing: Any) -> None:
        told.extend((repr(thing), str(thing)))
        if isinstance(thing, BaseException):
            told.extend(f"{name}={value!r}" for name, value in vars(thing).items())

    def fails(function: Callable[[], object]) -> None:
        with pytest.raises(rustuya.TuyaError) as caught:
            function()
        tell(caught.value)

    gateway = virtual_device("gateway", version="3.4", dps={"1": True, "2": 1.5}, subs={"c": {"1": 1}})
    with gateway.device() as device, device.listener() as listener, rustuya.Manager() as manager:
        manager.add("gateway", gateway.address, gateway.local_key, "3.4")
        events = manager.listener()
        tell(device.set_value(1, False, wait="ack"))
        tell(device.query([1, 9]))
        gateway.set_online("c", False)
        while device.sub("c").is_online is not False:
            assert listener.recv(timeout_ms=5000) is not None
        fails(lambda: device.sub("c").query(timeout=1))
        manager["gateway"].query()
        fails(lambda: device.set_value(99999, 1))
        fails(lambda: device.set_value(1, float("nan")))
        gateway.unplug()
        fails(lambda: device.query(timeout=0.3))
        device.set_nowait(True)
        device.set_value(1, True, timeout=0.05)
        things: list[Any] = [device, device.sub("c"), manager]
        for thing in (*things, manager.list(), device.diagnosis, device.state, device.metrics):
            tell(thing)
        for source in (listener, events):
            tell(source)
            while (event := source.recv(timeout_ms=300)) is not None:
                tell(event)
                tell(event.payload)
                tell(event.error)
    fails(lambda: device.query())
    for version, key in (("3.4", "f" * 16), ("3.5", KEY), ("3.3", "f" * 16)):
        other = virtual_device(version="3.4", dps={"1": True})
        with rustuya.Device(other.id, other.address, key, version, timeout=1) as wrong:
            fails(lambda: wrong.query())
            tell(wrong.diagnosis)
    refusing = virtual_device(version="3.3", dps={"1": True}, quirks=["refuse-queries=1000"])
    other_key: dict[str, Any] = {**refusing.config, "local_key": "f" * 16}
    with rustuya.Device(**other_key) as wrong:
        fails(lambda: wrong.query(timeout=1))
        wrong.reconfigure(local_key=KEY)
        fails(lambda: wrong.query(timeout=1))
    scanner = rustuya.Scanner().active(False).ports((0, 0, 0)).timeout(0.05)
    found: list[Any] = [scanner, scanner.stream()]
    for thing in (*found, scanner.scan(), gateway, gateway.requests(), rustuya.aio.Device.of(device)):
        tell(thing)
    rustuya.set_log_level("WARNING")
    rustuya.set_log_callback(None)
    wrong_texts = [text for text in [*told, *records] if RUST.search(text)]
    assert not wrong_texts
    assert not [text for text in [*told, *records] if KEY in text and "rustuya.testing" not in text]
    assert len(told) > 60
    assert records
