# Stub of the extension module. The package re-exports its public names.

import builtins
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypeVar, final, overload

from typing_extensions import Self, disjoint_base

from .cloud._records import CloudDevice, Note, Progress, Written
from .entities import (
    Alarm,
    BinarySensor,
    Button,
    Change,
    Climate,
    Cover,
    Entity,
    EventSource,
    Fan,
    Humidifier,
    Light,
    Lock,
    Number,
    Select,
    Sensor,
    Siren,
    Switch,
    Text,
    Vacuum,
    Valve,
)
from .models import (
    Description,
    DeviceInfo,
    Diagnosis,
    DiscoveredDevice,
    Frame,
    Json,
    Metrics,
    QueryReply,
    Reply,
    Request,
    Settled,
    State,
    SweepEvent,
)
from .profiles import Profile
from .quirks import Quirk
from .settings import Pacing, Timing
from .typing import DeviceType, Dps, EventKind, JsonLike, RejectedWrite

__all__ = [
    "__VERSION__",
    "AsyncVerbs",
    "ChangeReceiver",
    "CloudRun",
    "Device",
    "DeviceEvent",
    "DeviceMessageReceiver",
    "EntityHandle",
    "Fetched",
    "LoopBridge",
    "Manager",
    "ManagerEvent",
    "ManagerEventReceiver",
    "RequestReceiver",
    "ScanReceiver",
    "Scanner",
    "SubDevice",
    "Subscription",
    "SweepReceiver",
    "VirtualDevice",
    "WithEntities",
    "announcement",
    "check_callback",
    "command_names",
    "configure",
    "decode",
    "encode",
    "forked",
    "leave",
    "left",
    "listed_devices",
    "next_callback",
    "next_record",
    "profile_names",
    "quirk_names",
    "report",
    "run_command_line",
    "session_key",
    "set_frame_log",
    "set_log_callback",
    "set_log_level",
    "stored_project",
    "vocabulary",
]

_T = TypeVar("_T")
_Started = Awaitable[_T] | tuple[_T]

__VERSION__: str

def configure(
    *,
    worker_threads: int | None = None,
    dials_at_once: int | None = None,
    memory_limit: int | None = None,
    backlog_limit: int | None = None,
    discovery: bool | None = None,
    ports: tuple[int, int, int] | None = None,
    bind_address: str | None = None,
    broadcast_address: str | None = None,
    probe_to: Iterable[tuple[str, int]] | None = None,
    trust_relayed: bool | None = None,
) -> None:
    """Configures the engine. Possible until the first device, manager or scanner is made.

    Args:
        worker_threads: threads for input and output, 1 to 64; 2 by default.
        dials_at_once: number of simultaneous connection attempts; 128 by default.
        memory_limit: memory for the state of all devices together, in bytes; 8388608 by default. Each device
            has 4096 in any case.
        backlog_limit: size of the queue of each listener of a manager, in bytes; 8388608 by default, 1024 at
            least.
        discovery: whether to listen for announcements; True by default.
        ports: three UDP ports, instead of 6666, 6667 and 7000; 0 takes a free one.
        bind_address: the local IPv4 address to listen on.
        broadcast_address: destination of probes, instead of each interface's broadcast address.
        probe_to: pairs of an IPv4 address and a UDP port to probe instead.
        trust_relayed: whether to believe relayed announcements.

    Raises:
        InvalidAddress: this is not an IPv4 address.
        InvalidType: it is not text.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
        ClosedError: there is a device, manager or scanner, or the interpreter is about to end.
    """

def check_callback(callback: object) -> None:
    """Refuses a callback that is not callable, and a generator function, whose call runs nothing."""

def command_names() -> list[tuple[str, int]]:
    """Returns every named command with its number."""

def vocabulary() -> list[tuple[str, list[str]]]:
    """Returns the literals of `rustuya.typing` that this module makes: the name of the type, and all its values."""

def profile_names() -> list[tuple[str, str]]:
    """Returns every profile with what it is."""

def quirk_names() -> list[tuple[str, str]]:
    """Returns every quirk with its description; `=N` stands for a number."""

def run_command_line(args: Sequence[str]) -> int:
    """Runs a command; `args` begins with the program's name. Returns the exit status."""

def leave() -> None:
    """Ends every connection and with them every listener, so that threads blocked in one return. Called before the
    interpreter joins its threads.
    """

def left() -> None:
    """Marks the end of the interpreter. Called after its threads were joined."""

def forked() -> None:
    """Marks this process as a forked child, where the engine's threads do not exist."""

def listed_devices(
    path: str | PathLike[str],
) -> list[
    tuple[str | None, str, str | None, str | None, str | None, int | None, str | None, str | None, dict[str, Any]]
]:
    """Reads the devices of a file of tinytuya, without sub-devices, which have no connection of their own."""

def set_log_level(level: int) -> None:
    """Sets the lowest level of which records are made, as a number of Python's module `logging`."""

def set_frame_log(enabled: bool, values: bool) -> None:
    """Logs the frames and commands of devices created from now on to the logger `rustuya.frames`, with the values of DPs
    if `values` is true. False ends it for all devices.
    """

def next_callback() -> tuple[Callable[[Any], object], object] | None:
    """Waits for the next call of the thread of callbacks; `None` ends the thread. The call before has returned."""

def next_record() -> tuple[Callable[[int, str, str], object] | None, int, str, str] | None:
    """Waits for the next record of the thread that passes them on; `None` ends it. The record before was passed on."""

def report(error: BaseException, function: object | None) -> None:
    """Reports an error, for Python code."""

def set_log_callback(callback: Callable[[int, str, str], object] | None) -> None:
    """Sets a function that is called with level, logger name and text of every record, instead of the loggers. None resets
    it.
    """

def encode(
    version: str | float,
    key: str | bytes,
    command: int,
    payload: JsonLike | bytes = None,
    *,
    seqno: int = 1,
    sender: str = "client",
    retcode: int | None = None,
) -> bytes:
    """Encodes one frame as a client or a device of this version does. `payload` is bytes, text, or a JSON value.

    Args:
        version: "3.1" to "3.5".
        key: the local key, or for 3.4 and 3.5 the session key: text of 16 characters or 16 bytes.
        command: the number of the command, such as `CommandType.Control`.
        payload: bytes and text are sent unchanged, anything else as JSON.
        seqno: the sequence number.
        sender: the sender, "client" or "device".
        retcode: the return code, which only devices send; None for the usual one.

    Raises:
        InvalidKey, InvalidVersion: the key or the version is invalid.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

def decode(version: str | float, key: str | bytes, data: bytes, *, sender: str = "device") -> tuple[list[Frame], int]:
    """Decodes the frames at the start of `data`. Returns a list of frames and the number of bytes that they take. Raises
    FrameError for bytes that are not a frame or fail its check.

    Args:
        version: "3.1" to "3.5".
        key: the local key, or for 3.4 and 3.5 the session key: text of 16 characters or 16 bytes.
        data: received bytes.
        sender: the sender, "client" or "device".

    Raises:
        InvalidKey, InvalidVersion: the key or the version is invalid.
        FrameError: the bytes are not a frame of this key and version.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

def session_key(version: str | float, local_key: str | bytes, client_nonce: bytes, device_nonce: bytes) -> bytes:
    """Derives the session key of a connection of version 3.4 or 3.5 from the nonces of its negotiation, 16 bytes each.

    Args:
        version: "3.1" to "3.5".
        local_key: the local key, as text of 16 characters or 16 bytes.
        client_nonce: 16 bytes of the client's first message.
        device_nonce: 16 bytes of the device's answer.

    Raises:
        InvalidKey, InvalidVersion: the key or the version is invalid.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

def announcement(datagram: bytes) -> DiscoveredDevice | None:
    """Decodes a datagram from UDP 6666, 6667 or 7000. Returns the announced device; None for a client's request.

    Args:
        datagram: the bytes of one datagram.

    Raises:
        FrameError: the bytes are not an announcement.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

@disjoint_base
class DeviceEvent:
    """Event of a device.

    `kind` is one of: "state" (DPs), "acknowledgement" (an answer without DPs), "connection" (the connection or a
    sub-device came up or went down), "freshness" (the state became current, or may be out of date), "error" (a command
    failed and nothing waited for it), "lag" (this listener lost events), "skipped" (a frame was larger than
    `receive_limit`), "dropped" (`state` lacks values beyond `memory_limit`), "ignored" (a frame that was replayed or
    reflected).
    """
    @property
    def kind(self) -> EventKind:
        """Kind of the event: "state", "acknowledgement", "connection", "freshness", "error", "lag", "skipped", "dropped" or
        "ignored".
        """
    @property
    def cmd(self) -> int | None:
        """Command number of the frame, or of the command that failed."""
    @property
    def seqno(self) -> int | None:
        """Sequence number of the frame."""
    @property
    def payload(self) -> Any:
        """The parsed JSON of the frame, or its text if it is not JSON; for other events, a dict with details."""
    @property
    def dps(self) -> dict[str, Json]:
        """The DPs in the frame."""
    @property
    def cid(self) -> str | None:
        """The cid of the sub-device, if the event is about one."""
    @property
    def retcode(self) -> int | None:
        """Return code of the frame, if it has one."""
    @property
    def error(self) -> Exception | None:
        """The exception of the failed command."""
    def __getitem__(self, key: str, /) -> Any: ...
    def get(self, key: str, default: Any = None) -> Any:
        """Returns the value under a name, or the default for an unknown name.

        Args:
            key: a name, such as "payload".
            default: the result for any other name.
        """
    def __contains__(self, key: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> tuple[str, ...]:
        """The names of this event's values."""
    def values(self) -> tuple[Any, ...]:
        """The values, in the order of the names."""
    def items(self) -> tuple[tuple[str, Any], ...]:
        """Pairs of names and values."""

@final
class ManagerEvent(DeviceEvent):
    """Event of one of a manager's devices, with its `device_id`."""
    @property
    def device_id(self) -> str:
        """Id of the device; empty for the kind "lag", which concerns the listener."""

@final
class DeviceMessageReceiver:
    """Iterator over the events of one device since the receiver was made."""
    def recv(self, timeout_ms: float | None = None) -> DeviceEvent | None:
        """Waits for the next entry. Returns None after `timeout_ms` milliseconds; raises ClosedError after the
        end.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None after the time limit.

        Raises:
            ClosedError: the receiver has ended.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> DeviceEvent | None:
        """Returns the next entry if there is one, else None."""
    def close(self) -> None:
        """Ends this receiver. Threads and tasks that wait for it return."""
    @property
    def is_closed(self) -> bool:
        """True if the receiver has ended."""
    @property
    def missed(self) -> int:
        """Number of entries lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Started[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> DeviceEvent: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class ChangeReceiver:
    """Iterator over the changes of a device's entities since the receiver was made: `change.entity`, `change.state`."""
    def recv(self, timeout_ms: float | None = None) -> Change[Entity] | None:
        """Waits for the next entry. Returns None after `timeout_ms` milliseconds; raises ClosedError after the
        end.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None after the time limit.

        Raises:
            ClosedError: the receiver has ended.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> Change[Entity] | None:
        """Returns the next entry if there is one, else None."""
    def close(self) -> None:
        """Ends this receiver. Threads and tasks that wait for it return."""
    @property
    def is_closed(self) -> bool:
        """True if the receiver has ended."""
    @property
    def missed(self) -> int:
        """Number of entries lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Started[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Change[Entity]: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class ManagerEventReceiver:
    """Iterator over the events of all devices of a manager since the receiver was made."""
    def recv(self, timeout_ms: float | None = None) -> ManagerEvent | None:
        """Waits for the next entry. Returns None after `timeout_ms` milliseconds; raises ClosedError after the
        end.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None after the time limit.

        Raises:
            ClosedError: the receiver has ended.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> ManagerEvent | None:
        """Returns the next entry if there is one, else None."""
    def close(self) -> None:
        """Ends this receiver. Threads and tasks that wait for it return."""
    @property
    def is_closed(self) -> bool:
        """True if the receiver has ended."""
    @property
    def missed(self) -> int:
        """Number of entries lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Started[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> ManagerEvent: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class ScanReceiver:
    """Iterator over the devices that a scan finds."""
    def recv(self, timeout_ms: float | None = None) -> DiscoveredDevice | None:
        """Waits for the next entry. Returns None after `timeout_ms` milliseconds; raises ClosedError after the
        end.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None after the time limit.

        Raises:
            ClosedError: the receiver has ended.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> DiscoveredDevice | None:
        """Returns the next entry if there is one, else None."""
    def close(self) -> None:
        """Ends this receiver. Threads and tasks that wait for it return."""
    @property
    def is_closed(self) -> bool:
        """True if the receiver has ended."""
    @property
    def missed(self) -> int:
        """Number of entries lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Started[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> DiscoveredDevice: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class SweepReceiver:
    """Iterator over the results of the scan of a network."""
    def recv(self, timeout_ms: float | None = None) -> SweepEvent | None:
        """Waits for the next entry. Returns None after `timeout_ms` milliseconds; raises ClosedError after the
        end.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None after the time limit.

        Raises:
            ClosedError: the receiver has ended.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> SweepEvent | None:
        """Returns the next entry if there is one, else None."""
    def close(self) -> None:
        """Ends this receiver. Threads and tasks that wait for it return."""
    @property
    def is_closed(self) -> bool:
        """True if the receiver has ended."""
    @property
    def missed(self) -> int:
        """Number of entries lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Started[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> SweepEvent: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class RequestReceiver:
    """Iterator over the requests that a virtual device receives."""
    def recv(self, timeout_ms: float | None = None) -> Request | None:
        """Waits for the next entry. Returns None after `timeout_ms` milliseconds; raises ClosedError after the
        end.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None after the time limit.

        Raises:
            ClosedError: the receiver has ended.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> Request | None:
        """Returns the next entry if there is one, else None."""
    def close(self) -> None:
        """Ends this receiver. Threads and tasks that wait for it return."""
    @property
    def is_closed(self) -> bool:
        """True if the receiver has ended."""
    @property
    def missed(self) -> int:
        """Number of entries lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Started[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Request: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Subscription:
    """Subscription of a function to events; call it to end the subscription. Also a context manager."""
    def __call__(self) -> None: ...
    @property
    def active(self) -> bool:
        """True if the function may still be called."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@disjoint_base
class WithEntities:
    """Base of devices and sub-devices: their entities."""
    def describe(
        self,
        *,
        category: str | None = None,
        product_id: str | None = None,
        model: str | None = None,
        mapping: Mapping[str, Any] | None = None,
        children: Mapping[str, Description] | None = None,
        overrides: str | PathLike[str] | None = None,
        profiles: str | PathLike[str] | None = None,
    ) -> Self:
        """Adds facts about the device, by which it gets entities with names and values. Facts that are not given stay as
        they are. `Device.from_devices_file` and `DeviceConfig.load` do this by themselves.

        Args:
            category: the category of the product, such as "dj" for lights.
            product_id: the id of the product.
            model: the model of the product.
            mapping: the codes, types and ranges of its DPs, as `mapping` of a `devices.json` has them.
            children: descriptions of the sub-devices of a gateway, by cid.
            overrides: path of a JSON file with the user's own facts, which replace all others.
            profiles: path of a device file of tuya-local, or of a directory of them, of which the one that lists
                the product is taken.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            OSError: a file of `overrides` or `profiles` cannot be read.
            ConfigError: it is invalid; the text names the place.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def entities(self) -> list[Entity]:
        """Returns all entities, the main ones first. An entity of a DP that no description has appears once the device has
        reported the DP.
        """
    def entity(self, id: str) -> Entity:
        """Returns the entity with this id.

        Args:
            id: the entity's id, such as "switch_1", or its code.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def alarm(self, id: str | None = None) -> Alarm:
        """Returns its alarm; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def binary_sensor(self, id: str | None = None) -> BinarySensor:
        """Returns its binary sensor; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def button(self, id: str | None = None) -> Button:
        """Returns its button; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def climate(self, id: str | None = None) -> Climate:
        """Returns its climate, such as a thermostat; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def cover(self, id: str | None = None) -> Cover:
        """Returns its cover, such as a curtain; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def event_source(self, id: str | None = None) -> EventSource:
        """Returns its source of events, such as a button of a remote control; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def fan(self, id: str | None = None) -> Fan:
        """Returns its fan; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def humidifier(self, id: str | None = None) -> Humidifier:
        """Returns its humidifier or dehumidifier; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def light(self, id: str | None = None) -> Light:
        """Returns its light; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def lock(self, id: str | None = None) -> Lock:
        """Returns its lock; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def number(self, id: str | None = None) -> Number:
        """Returns its number; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def select(self, id: str | None = None) -> Select:
        """Returns its select, one of several words; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def sensor(self, id: str | None = None) -> Sensor:
        """Returns its sensor; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def siren(self, id: str | None = None) -> Siren:
        """Returns its siren; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def switch(self, id: str | None = None) -> Switch:
        """Returns its switch or outlet; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def text(self, id: str | None = None) -> Text:
        """Returns its text; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def vacuum(self, id: str | None = None) -> Vacuum:
        """Returns its vacuum robot; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def valve(self, id: str | None = None) -> Valve:
        """Returns its valve; the first one without an id.

        Args:
            id: the entity's id, such as "switch_1", or its code; None for the first one.

        Raises:
            NoSuchEntity: it has no such entity; the text names those that it has.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def changes(self) -> ChangeReceiver:
        """Creates a receiver of the changes of its entities from now on: `change.entity`, `change.state`.

        Raises:
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def _entity_handles(self) -> list[EntityHandle]: ...
    def _entity_handle(self, kind: str | None, id: str | None) -> EntityHandle: ...

@disjoint_base
class Device(WithEntities):
    """One device on the local network, kept connected in the background.

    It is a handle, which threads can share. A process has one connection to a device: `Device(id, ...)` shares it with
    the managers and the other `Device(id, ...)` of this id, and the last of them ends it. Handles of one connection are
    equal.

    Args:
        id: the device id, as text.
        address: an IP address or a host name, with a port unless it is the usual one; with "Auto" and
            None the device's announcements tell the address.
        local_key: the local key, as text of 16 characters or 16 bytes.
        version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None detect it.
        port: the TCP port, 0 to 65535; 6668 by default.
        dev_type: the dialect: "default", "device22", or "Auto" to detect it.
        persist: whether to keep the connection while it is idle; True by default.
        nowait: True: commands return as soon as they are queued; False: once they are written, which is
            the default.
        connection_timeout_sec: time limit for connecting, in seconds, 300 at most; 5 by default.
        timeout: time limit of commands for the connection, in seconds; 10 by default.
        timing: the other time limits, a `Timing`, in seconds.
        pacing: spacing, joining and splitting of commands, a `Pacing`, in seconds.
        receive_limit: largest frame that is received, in bytes; 65536 by default, 1024 at least.
        memory_limit: memory for the state of the device and its sub-devices, in bytes; 262144 by default,
            1024 at least.
        backlog_limit: size of each listener's queue, in bytes; 1048576 by default, 1024 at least.
        min_version: oldest version that is accepted while `version` is "Auto"; "3.3" by default.
        query_on_connect: whether to query the state on each connection; True by default.
        description: the product and its DPs, a `Description`, by which the device has entities.

    Raises:
        InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
        DeviceConflict: this process is already connected to the device, with another key, address or
            version.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
        DiscoveryError: announcements cannot be received, and no address is given.
        ClosedError: the interpreter is about to end.
        ForkedError: this process is a forked child of one in which rustuya was in use.
    """
    def __init__(
        self,
        id: str,
        address: str | None = None,
        local_key: str | bytes | None = None,
        version: str | float | None = None,
        *,
        port: int | None = None,
        dev_type: str | None = None,
        persist: bool | None = None,
        nowait: bool | None = None,
        connection_timeout_sec: float | None = None,
        timeout: float | None = None,
        timing: Timing | None = None,
        pacing: Pacing | None = None,
        receive_limit: int | None = None,
        memory_limit: int | None = None,
        backlog_limit: int | None = None,
        min_version: str | float | None = None,
        query_on_connect: bool | None = None,
        description: Description | None = None,
    ) -> None: ...
    @classmethod
    def from_devices_file(
        cls,
        path: str | PathLike[str],
        name: str | None = None,
        *,
        id: str | None = None,
        address: str | None = None,
        version: str | float | None = None,
        overrides: str | PathLike[str] | None = None,
        profiles: str | PathLike[str] | None = None,
    ) -> Self:
        """Creates a device from a file of tinytuya, by name or id.

        Args:
            path: a `devices.json` or `snapshot.json`.
            name: the device's name in that file, or its id; needed if the file has several.
            id: the device's id, instead of the name.
            address: replaces the address in the file.
            version: replaces the version in the file.
            overrides: path of a JSON file with the user's own facts, which replace all others.
            profiles: path of a device file of tuya-local, or of a directory of them, of which the one that lists
                the product is taken.

        Returns:
            The device's handle.

        Raises:
            OSError: the file cannot be read.
            DeviceNotFound: it does not list the device, or lists several with this name.
            ConfigError: the file, or its entry of the device, is invalid.
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
            DiscoveryError: announcements cannot be received, and no address is given.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def remember(self, path: str | PathLike[str]) -> bool:
        """Writes the version and the address of the connection into the file that describes the device, so that the next
        start uses them, whatever is announced. Leaves the rest of the file unchanged. Returns whether something was
        new.

        Args:
            path: a `devices.json` or `snapshot.json`.

        Raises:
            ConnectError: there is no connection.
            OSError: the file cannot be read or written.
            DeviceNotFound, ConfigError: it does not describe the device.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @property
    def id(self) -> str:
        """The device id."""
    @property
    def version(self) -> str:
        """The configured or detected version, "Auto" while it is unknown."""
    @property
    def address(self) -> str:
        """The configured or announced address, "Auto" while it is unknown."""
    @property
    def port(self) -> int:
        """The TCP port."""
    @property
    def dev_type(self) -> DeviceType:
        """The dialect in use: "default" or "device22"."""
    @property
    def is_connected(self) -> bool:
        """True if the connection is usable now."""
    @property
    def is_closed(self) -> bool:
        """True if the device was closed. A closed device stays closed."""
    @property
    def nowait(self) -> bool:
        """True if commands return as soon as they are queued."""
    @property
    def persist(self) -> bool:
        """True if the connection is kept while it is idle."""
    @property
    def product_key(self) -> str | None:
        """The product id, once the device has announced it."""
    @property
    def last_seen(self) -> float | None:
        """Seconds since the device last sent anything."""
    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why the device is not connected, since its last connection; None while it is connected."""
    @property
    def state(self) -> State:
        """The DPs as last reported, with their ages, and whether that was on the present connection. Sends nothing."""
    @property
    def metrics(self) -> Metrics:
        """Counters since the device was made."""
    def set_nowait(self, nowait: bool) -> Self:
        """Sets whether commands return as soon as they are queued, or once they are written. Returns the device.

        Args:
            nowait: True: commands return as soon as they are queued; False: once they are written, which is
                the default.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_nowait(self, nowait: bool) -> Self:
        """The same as `set_nowait`.

        Args:
            nowait: True: commands return as soon as they are queued; False: once they are written, which is
                the default.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_persist(self, persist: bool) -> Self:
        """Sets whether the connection is kept while it is idle. Returns the device.

        Args:
            persist: whether to keep the connection while it is idle; True by default.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_persist(self, persist: bool) -> Self:
        """The same as `set_persist`.

        Args:
            persist: whether to keep the connection while it is idle; True by default.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_port(self, port: int) -> Self:
        """Sets the TCP port. Returns the device.

        Args:
            port: the TCP port, 0 to 65535; 6668 by default.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_port(self, port: int) -> Self:
        """The same as `set_port`.

        Args:
            port: the TCP port, 0 to 65535; 6668 by default.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_connection_timeout(self, timeout_sec: float) -> Self:
        """Sets the time limit for connecting, in seconds. Returns the device.

        Args:
            timeout_sec: time limit for connecting, in seconds, 300 at most.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_connection_timeout(self, timeout_sec: float) -> Self:
        """The same as `set_connection_timeout`.

        Args:
            timeout_sec: time limit for connecting, in seconds, 300 at most.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_version(self, version: str | float | None) -> Self:
        """Sets the protocol version, "3.1" to "3.5"; "Auto" detects it. Returns the device.

        Args:
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None detect it.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_version(self, version: str | float | None) -> Self:
        """The same as `set_version`.

        Args:
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None detect it.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_dev_type(self, dev_type: str) -> Self:
        """Sets the dialect: "default", "device22", or "Auto" to detect it. Returns the device.

        Args:
            dev_type: the dialect: "default", "device22", or "Auto" to detect it.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_dev_type(self, dev_type: str) -> Self:
        """The same as `set_dev_type`.

        Args:
            dev_type: the dialect: "default", "device22", or "Auto" to detect it.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def reconfigure(
        self,
        *,
        address: str | None = None,
        local_key: str | bytes | None = None,
        version: str | float | None = None,
        port: int | None = None,
        dev_type: str | None = None,
        persist: bool | None = None,
        nowait: bool | None = None,
        connection_timeout_sec: float | None = None,
        timeout: float | None = None,
        timing: Timing | None = None,
        pacing: Pacing | None = None,
        receive_limit: int | None = None,
        memory_limit: int | None = None,
        backlog_limit: int | None = None,
        min_version: str | float | None = None,
        query_on_connect: bool | None = None,
    ) -> Self:
        """Changes the given settings at once: the device reconnects once at most.

        Args:
            address: an IP address or a host name, with a port unless it is the usual one; with "Auto" and
                None the device's announcements tell the address.
            local_key: the local key, as text of 16 characters or 16 bytes.
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None detect it.
            port: the TCP port, 0 to 65535; 6668 by default.
            dev_type: the dialect: "default", "device22", or "Auto" to detect it.
            persist: whether to keep the connection while it is idle; True by default.
            nowait: True: commands return as soon as they are queued; False: once they are written, which is
                the default.
            connection_timeout_sec: time limit for connecting, in seconds, 300 at most; 5 by default.
            timeout: time limit of commands for the connection, in seconds; 10 by default.
            timing: the other time limits, a `Timing`, in seconds.
            pacing: spacing, joining and splitting of commands, a `Pacing`, in seconds.
            receive_limit: largest frame that is received, in bytes; 65536 by default, 1024 at least.
            memory_limit: memory for the state of the device and its sub-devices, in bytes; 262144 by default,
                1024 at least.
            backlog_limit: size of each listener's queue, in bytes; 1048576 by default, 1024 at least.
            min_version: oldest version that is accepted while `version` is "Auto"; "3.3" by default.
            query_on_connect: whether to query the state on each connection; True by default.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            DiscoveryError: announcements cannot be received, and no address is given.
        """
    @overload
    def status(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Queries the state; the answer comes as an event.

        `wait="ack"` waits for the answer and returns it as a `Reply`.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @overload
    def status(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    def query(self, dps: Iterable[int | str] | None = None, *, timeout: float | None = None) -> QueryReply:
        """Queries the state, or the named DPs, and returns the DPs of the answer: a dict with two attributes, the named
        DPs that are `missing`, and whether the answer is `partial`.

        Args:
            dps: the DPs to query; None for the whole state.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `QueryReply`: a dict of DPs and values, with `missing` and `partial`.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType: it is not a sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Sets one DP. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
        reports the written value.

        Args:
            dp_id: the DP, a number from 0 to 65535, also as text.
            value: a JSON value: bool, int, float, str, sequences and mappings of them.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device reports other values.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["queue"] | None = None, timeout: float | None = None
    ) -> None: ...
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Sets several DPs at once. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until
        the device reports the written values.

        Args:
            dps_dict: a mapping of DPs, numbers from 0 to 65535, also as text, to their values.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device reports other values.
        """
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    @overload
    def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Asks the device to measure DPs anew and to report them.

        Args:
            dp_ids: the DPs to measure.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType: it is not a sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    @overload
    def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["queue"] | None = None, timeout: float | None = None
    ) -> None: ...
    @overload
    def request(
        self,
        command: int,
        data: Mapping[str, JsonLike] | None = None,
        cid: str | None = None,
        *,
        wait: Literal["ack", "effect"],
        timeout: float | None = None,
    ) -> Reply:
        """Sends a raw command, to a sub-device if `cid` is given.

        `wait="ack"` waits for the answer and returns it as a `Reply`.

        Args:
            command: the number of the command, such as `CommandType.Control`.
            data: its payload, a mapping; None for an empty one.
            cid: the sub-device; None for the device itself.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            InvalidId: this is not a valid cid.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    @overload
    def request(
        self,
        command: int,
        data: Mapping[str, JsonLike] | None = None,
        cid: str | None = None,
        *,
        wait: Literal["queue"] | None = None,
        timeout: float | None = None,
    ) -> None: ...
    @overload
    def sub_discover(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Queries the sub-devices of a gateway. `wait="ack"` waits for the answer and returns it as a `Reply`.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @overload
    def sub_discover(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    def sub(self, cid: str) -> SubDevice:
        """Returns a sub-device of this gateway by its cid.

        Args:
            cid: the sub-device's id at the gateway.

        Raises:
            InvalidId: this is not a valid cid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def sub_devices(self) -> dict[str, bool | None]:
        """Returns the reported sub-devices by cid, and whether the gateway reaches them."""
    def detect_dps(self) -> list[int]:
        """Detects which DPs the device has.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    def wait_connected(self, timeout: float | None = 10.0) -> str:
        """Waits until the connection is usable. Returns its version.

        Args:
            timeout: seconds to wait; None for no limit.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def wait_ready(self, timeout: float | None = 10.0) -> State:
        """Waits until the connection is usable and the device has reported its state on it, or has refused or not
        answered: `stale_reason` of the state then says why.

        Args:
            timeout: seconds to wait; None for no limit.

        Returns:
            The `State`.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout: the device was connected in time, but did not report its state.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def connect_now(self) -> None:
        """Starts to connect without the delay between attempts. Returns at once."""
    def listener(self) -> DeviceMessageReceiver:
        """Creates a receiver of the device's events from now on.

        Raises:
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def subscribe(self, callback: Callable[[DeviceEvent], object]) -> Subscription:
        """Calls a function with every event, in a thread that all such functions share.

        Args:
            callback: a function of one argument, the event.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def close(self) -> None:
        """Ends the connection for all handles. A handle made by `Device(...)` only releases it: it ends unless a manager
        or another such handle holds the device. Listeners and subscriptions of that handle end in any case.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class SubDevice(WithEntities):
    """A device behind a gateway. Shares the connection and the configuration of the gateway, whose listeners receive
    its events, marked with its cid. Made by `Device.sub`.
    """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    @property
    def id(self) -> str:
        """Its cid."""
    @property
    def gateway(self) -> Device:
        """A handle of its gateway."""
    @property
    def is_online(self) -> bool | None:
        """True if the gateway reaches it, as last reported; None before the first report."""
    @property
    def state(self) -> State:
        """Its DPs as last reported, with their ages. Sends nothing."""
    @overload
    def status(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Queries the state; the answer comes as an event.

        `wait="ack"` waits for the answer and returns it as a `Reply`.

        Args:
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @overload
    def status(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    def query(self, dps: Iterable[int | str] | None = None, *, timeout: float | None = None) -> QueryReply:
        """Queries the state, or the named DPs, and returns the DPs of the answer: a dict with two attributes, the named
        DPs that are `missing`, and whether the answer is `partial`.

        Args:
            dps: the DPs to query; None for the whole state.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `QueryReply`: a dict of DPs and values, with `missing` and `partial`.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType: it is not a sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Sets one DP. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
        reports the written value.

        Args:
            dp_id: the DP, a number from 0 to 65535, also as text.
            value: a JSON value: bool, int, float, str, sequences and mappings of them.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device reports other values.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["queue"] | None = None, timeout: float | None = None
    ) -> None: ...
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Sets several DPs at once. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until
        the device reports the written values.

        Args:
            dps_dict: a mapping of DPs, numbers from 0 to 65535, also as text, to their values.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device reports other values.
        """
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    @overload
    def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Asks the sub-device to measure DPs anew and to report them.

        Args:
            dp_ids: the DPs to measure.
            wait: "ack" waits for the answer, "effect" until the device reports the written values, "queue" for
                nothing; None follows `nowait`.
            timeout: seconds for the connection and the answer together; None for the device's own limits.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: an argument is not a DP number.
            InvalidType: it is not a sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    @overload
    def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["queue"] | None = None, timeout: float | None = None
    ) -> None: ...

@final
class Manager:
    """Set of devices with one stream of events. All managers of a process share their devices' connections."""
    def __new__(cls) -> Self: ...
    @staticmethod
    def maximize_fd_limit() -> None:
        """Raises the limit of open files to the maximum that the system allows. Does nothing on Windows.

        Raises:
            OSError: the system refuses the change.
        """
    @staticmethod
    def shutdown_all() -> None:
        """Ends every device of the process. Managers can be filled again afterwards."""
    def add(
        self,
        id: str,
        address: str | None = None,
        local_key: str | bytes | None = None,
        version: str | float | None = None,
        *,
        port: int | None = None,
        dev_type: str | None = None,
        persist: bool | None = None,
        nowait: bool | None = None,
        connection_timeout_sec: float | None = None,
        timeout: float | None = None,
        timing: Timing | None = None,
        pacing: Pacing | None = None,
        receive_limit: int | None = None,
        memory_limit: int | None = None,
        backlog_limit: int | None = None,
        min_version: str | float | None = None,
        query_on_connect: bool | None = None,
        description: Description | None = None,
    ) -> Device:
        """Adds a device, or changes the configuration of the one with this id. Returns its handle.

        Args:
            id: the device id, as text.
            address: an IP address or a host name, with a port unless it is the usual one; with "Auto" and
                None the device's announcements tell the address.
            local_key: the local key, as text of 16 characters or 16 bytes.
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None detect it.
            port: the TCP port, 0 to 65535; 6668 by default.
            dev_type: the dialect: "default", "device22", or "Auto" to detect it.
            persist: whether to keep the connection while it is idle; True by default.
            nowait: True: commands return as soon as they are queued; False: once they are written, which is
                the default.
            connection_timeout_sec: time limit for connecting, in seconds, 300 at most; 5 by default.
            timeout: time limit of commands for the connection, in seconds; 10 by default.
            timing: the other time limits, a `Timing`, in seconds.
            pacing: spacing, joining and splitting of commands, a `Pacing`, in seconds.
            receive_limit: largest frame that is received, in bytes; 65536 by default, 1024 at least.
            memory_limit: memory for the state of the device and its sub-devices, in bytes; 262144 by default,
                1024 at least.
            backlog_limit: size of each listener's queue, in bytes; 1048576 by default, 1024 at least.
            min_version: oldest version that is accepted while `version` is "Auto"; "3.3" by default.
            query_on_connect: whether to query the state on each connection; True by default.
            description: the product and its DPs, a `Description`, by which the device has entities.

        Returns:
            The device's handle.

        Raises:
            DuplicateDevice: the manager already has this device.
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument is invalid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            DiscoveryError: announcements cannot be received, and no address is given.
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def get(self, id: str) -> Device | None:
        """Returns the device with this id, or None.

        Args:
            id: the device id, as text.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def __getitem__(self, id: str, /) -> Device: ...
    def __contains__(self, id: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def remove(self, id: str) -> bool:
        """Releases a device. Returns whether the manager had it.

        Args:
            id: the device id, as text.

        Returns:
            Whether the manager had it.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def delete(self, id: str) -> bool:
        """Ends a device for all managers and handles. Returns whether the manager had it.

        Args:
            id: the device id, as text.

        Returns:
            Whether the manager had it.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def clear(self) -> None:
        """Releases all devices."""
    def list(self) -> builtins.list[DeviceInfo]:
        """Returns a `DeviceInfo` of each device, ordered by id."""
    def devices(self) -> builtins.list[Device]:
        """Returns handles of all devices."""
    def listener(self) -> ManagerEventReceiver:
        """Creates a receiver of the events of all devices from now on, including devices added later.

        Raises:
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def subscribe(self, callback: Callable[[ManagerEvent], object]) -> Subscription:
        """Calls a function with every event, in a thread that all such functions share.

        Args:
            callback: a function of one argument, the event.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def wait_settled(self, timeout: float | None = 10.0) -> Settled:
        """Waits until every device is connected and has answered the state query, if there was one, or has a diagnosis.

        Args:
            timeout: seconds to wait; None for no limit.

        Returns:
            A dict from ids to diagnoses, which are None for devices that are connected; its `unsettled` names
            those that were neither within the time limit.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @property
    def metrics(self) -> Metrics:
        """Sums of the counters of all devices."""
    def shutdown(self) -> None:
        """Ends this manager, its listeners, and every device that neither another manager nor a `Device(...)` holds."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Scanner:
    """Finds devices on the local network. Every method that configures it returns it."""
    def __new__(cls) -> Self: ...
    def timeout(self, timeout_sec: float) -> Self:
        """Sets the duration of a scan, in seconds.

        Args:
            timeout_sec: duration of a scan, in seconds; 18 by default.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def bind_address(self, address: str) -> Self:
        """Sets the local address to listen on and to probe from.

        Args:
            address: an IPv4 address, as text.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidAddress: this is not an IPv4 address.
            InvalidType: it is not text.
        """
    def broadcast_address(self, address: str) -> Self:
        """Sets the destination of probes, instead of each interface's own broadcast address.

        Args:
            address: an IPv4 address, as text.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidAddress: this is not an IPv4 address.
            InvalidType: it is not text.
        """
    def ports(self, ports: tuple[int, int, int]) -> Self:
        """Sets the three UDP ports to listen on; 0 takes a free one.

        Args:
            ports: three UDP ports, instead of 6666, 6667 and 7000; 0 takes a free one.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def probe_to(self, addresses: Iterable[tuple[str, int]]) -> Self:
        """Probes these addresses and ports instead of broadcasting.

        Args:
            addresses: pairs of an IPv4 address and a UDP port.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidAddress: this is not an IPv4 address.
            InvalidType: it is not text.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def active(self, active: bool) -> Self:
        """Sets whether to probe for devices, or only to listen.

        Args:
            active: False to listen only.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def trust_relayed(self, trust: bool) -> Self:
        """Sets whether to believe announcements whose sender is not the address that they name.

        Args:
            trust: True to believe relayed announcements.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @property
    def relayed(self) -> list[DiscoveredDevice]:
        """The devices of the last scan() or discover() whose announcements all came from another address than they name."""
    @property
    def dropped(self) -> int:
        """Number of announcements that the last scan() or discover() dropped for lack of room; 0 on every real network."""
    def scan(self) -> list[DiscoveredDevice]:
        """Scans, and returns all devices found.

        Raises:
            DiscoveryError: the UDP ports are taken.
        """
    def discover(self, id: str) -> DiscoveredDevice | None:
        """Scans until this device is found. Returns None if it is not.

        Args:
            id: the device id, as text.

        Raises:
            DiscoveryError: the UDP ports are taken.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def stream(self) -> ScanReceiver:
        """Scans, and returns a receiver of the devices as they are found.

        Raises:
            DiscoveryError: the UDP ports are taken.
        """
    def sweep(self, network: str, *, port: int = 6668, probe_port: int = 7000) -> SweepReceiver:
        """Scans a network address by address. Returns a receiver of what it finds.

        Args:
            network: an IPv4 network, such as "192.168.5.0/24".
            port: the TCP port to try.
            probe_port: the UDP port to query.

        Raises:
            InvalidAddress: this is not an IPv4 network.
            DiscoveryError: the UDP ports are taken.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def __iter__(self) -> ScanReceiver: ...

@final
class VirtualDevice:
    """Device that exists only in this process: it speaks the protocol on a real socket, as firmware does.

    Args:
        id: its id; "virtual-device" by default.
        local_key: the local key, text of 16 characters; "0123456789abcdef" by default.
        version: its protocol version, "3.1" to "3.5"; "3.4" by default.
        dps: a mapping of DPs to their initial values.
        subs: a mapping of cids to such mappings; makes it a gateway.
        dev_type: its dialect, "default" or "device22".
        quirks: names of deviations, from `rustuya.testing.QUIRKS`.
        bind: the address it listens on, an IP address with a port; a free port of 127.0.0.1 by default.
        announce_to: pairs of an IP address and a UDP port that it sends announcements to.
        announce_every: seconds between two announcements.
        product_key: the product key in its announcements.
        probes: a pair of an IP address and a UDP port where it answers probes of scanners.
        max_clients: the number of connections that it accepts at a time.
        idle: seconds of silence after which it ends a connection.
        schema: the types and ranges of DPs, in the format of `mapping` in a `devices.json`.
        offline: cids of sub-devices that it reports as offline.
        strict: whether the end of a `with` block fails after a write that the device did not accept.
        profile: the kind of device, a name from `rustuya.testing.PROFILES`: gives it DPs, ranges and behavior.
        speed: simulated seconds per second, for the behavior of the profile; at 0, only writes have effects.
        seed: number that makes the random part of the behavior repeatable.
        name: its name in `entries`; that of the profile by default.

    Raises:
        InvalidId, InvalidKey, InvalidVersion, InvalidAddress, ConfigError: an argument is invalid.
        InvalidDp, InvalidType, InvalidValue: an argument is of another type, or out of range.
        OSError: the address cannot be bound.
    """
    def __new__(
        cls,
        id: str | None = None,
        local_key: str | None = None,
        version: str | float | None = None,
        *,
        dps: Dps | None = None,
        subs: Mapping[str, Dps] | None = None,
        dev_type: str | None = None,
        quirks: Iterable[Quirk | str] | None = None,
        bind: str | None = None,
        announce_to: Iterable[tuple[str, int]] | None = None,
        announce_every: float = 5.0,
        product_key: str | None = None,
        probes: tuple[str, int] | None = None,
        max_clients: int = 3,
        idle: float = 30.0,
        schema: Dps | None = None,
        offline: Iterable[str] | None = None,
        strict: bool = False,
        profile: Profile | str | None = None,
        speed: int = 1,
        seed: int | None = None,
        name: str | None = None,
    ) -> Self: ...
    @property
    def id(self) -> str:
        """The device id."""
    @property
    def local_key(self) -> str:
        """The local key that controllers need."""
    @property
    def version(self) -> str:
        """The protocol version."""
    @property
    def address(self) -> str:
        """The address that it listens on: IP address and port, in the form that `Device` takes."""
    @property
    def ip(self) -> str:
        """The IP address alone."""
    @property
    def port(self) -> int:
        """The TCP port alone."""
    @property
    def probe_address(self) -> tuple[str, int] | None:
        """The address where it receives probes, or None."""
    @property
    def config(self) -> dict[str, Any]:
        """Arguments for `Device(**virtual.config)` or `Manager.add(**virtual.config)`: a new dict with `id`,
        `address`, `local_key`, `version`, `port` and `dev_type`.
        """
    @property
    def profile(self) -> str | None:
        """The name of its profile, or None."""
    @property
    def entries(self) -> list[dict[str, Any]]:
        """Its entries in a `devices.json`, and those of its sub-devices: a new list of dicts with address, local key and, with
        a profile, `mapping`.
        """
    @property
    def lost_pushes(self) -> int:
        """Number of pushes lost because controllers did not read: each connection queues 1024 at most."""
    def device(self) -> Device:
        """Creates a `Device` for this device, with a connection of its own."""
    def set_dps(self, dps: Dps, cid: str | None = None) -> None:
        """Changes or adds DPs, as if by hand at the device, and pushes them, changed or not, to every controller that
        regards itself as connected.

        Args:
            dps: a mapping of DPs to their values.
            cid: the sub-device; None for the device itself.

        Raises:
            InvalidDp, InvalidType, InvalidValue, ConfigError: no device has such DPs or can send such
                values.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def dps(self, cid: str | None = None) -> dict[str, Json]:
        """Returns the present DPs.

        Args:
            cid: the sub-device; None for the device itself.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_online(self, cid: str, online: bool) -> None:
        """Sets whether a sub-device is online, and reports that to all controllers.

        Args:
            cid: the sub-device's id at the gateway.
            online: whether the gateway reaches it.

        Raises:
            InvalidDp, InvalidType, InvalidValue, ConfigError: no device has such DPs or can send such
                values.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @property
    def strict(self) -> bool:
        """True if it was made with `strict`."""
    @property
    def rejected_writes(self) -> list[RejectedWrite]:
        """The first 1024 written values that the device did not accept: a list of dicts with `cid`, `dp`, `value` and
        `why`.
        """
    def check(self) -> None:
        """Raises AssertionError if a controller wrote a value that the device did not accept."""
    def requests(self) -> RequestReceiver:
        """Creates a receiver of every request of every controller from now on."""
    def unplug(self) -> None:
        """Takes the device off the network until `plug()`."""
    def plug(self) -> None:
        """Puts the device back on the network, at the same address. Raises OSError when another program has taken the
        port.
        """
    def stop(self) -> None:
        """Ends the device."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class LoopBridge:
    @staticmethod
    def attach(event_loop: object) -> LoopBridge: ...
    def drain(self) -> None: ...
    def cancel(self, future: object) -> None: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...

@final
class Fetched:
    """Devices of an account, as the cloud lists them."""
    @property
    def devices(self) -> list[CloudDevice]:
        """The devices, in the cloud's order: a new list of `CloudDevice`."""
    @property
    def notes(self) -> list[Note]:
        """Failures of single requests: a new list of `Note`."""
    @property
    def region(self) -> str | None:
        """Code of the data centre that has the devices; None if it is not known, as after `fetch_with_app`."""
    @property
    def clock_offset(self) -> float:
        """The cloud's clock less that of this computer, in seconds."""
    @property
    def calls(self) -> int:
        """Number of requests that the fetch took."""
    def write(self, path: str | PathLike[str], heard: Iterable[DiscoveredDevice] | None = None) -> Written:
        """Brings a `devices.json` up to date, in tinytuya's format. Creates the file if there is none; only its owner can
        read it, and it is replaced in one step. Keeps entries and fields of the file that the cloud does not have.

        Args:
            path: the `devices.json`.
            heard: the `DiscoveredDevice` of a scan, whose addresses and versions are written, too.

        Returns:
            A `Written` with the changes.

        Raises:
            OSError: the file cannot be read or written; it is as it was.
            ConfigError: it is not a list of devices, and is not replaced.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def __len__(self) -> int: ...

def stored_project(path: str | PathLike[str]) -> tuple[str | None, str | None, str | None, list[str]]:
    """Reads the project from a file of tinytuya."""

@final
class CloudRun:
    @staticmethod
    def project(
        access_id: str,
        access_secret: str,
        *,
        region: str,
        device_ids: Iterable[str],
        known: str | PathLike[str] | None,
        mappings: bool,
        endpoint: str | None,
        ca_file: str | PathLike[str] | None,
        timeout: float,
    ) -> CloudRun: ...
    @staticmethod
    def app(
        client_id: str,
        schema: str,
        user_code: str,
        *,
        known: str | PathLike[str] | None,
        endpoint: str | None,
        ca_file: str | PathLike[str] | None,
        timeout: float,
    ) -> CloudRun: ...
    def next(self) -> Progress | Fetched: ...
    def close(self) -> None: ...

@final
class AsyncVerbs:
    def __new__(cls, target: Device | SubDevice | None) -> Self: ...
    def status(self, bridge: LoopBridge, wait: str | None, timeout: float | None) -> _Started[Any]: ...
    def query(
        self, bridge: LoopBridge, dps: Iterable[int | str] | None, timeout: float | None
    ) -> _Started[QueryReply]: ...
    def set_value(
        self, bridge: LoopBridge, dp_id: int | str, value: JsonLike, wait: str | None, timeout: float | None
    ) -> _Started[Any]: ...
    def set_dps(self, bridge: LoopBridge, dps: Dps, wait: str | None, timeout: float | None) -> _Started[Any]: ...
    def update_dps(
        self, bridge: LoopBridge, dp_ids: Iterable[int | str], wait: str | None, timeout: float | None
    ) -> _Started[Any]: ...
    def request(
        self,
        bridge: LoopBridge,
        command: int,
        data: Mapping[str, JsonLike] | None,
        cid: str | None,
        wait: str | None,
        timeout: float | None,
    ) -> _Started[Any]: ...
    def sub_discover(self, bridge: LoopBridge, wait: str | None, timeout: float | None) -> _Started[Any]: ...
    @staticmethod
    def cloud_next(bridge: LoopBridge, run: CloudRun) -> _Started[Progress | Fetched]: ...
    @staticmethod
    def cloud_close(bridge: LoopBridge, run: CloudRun) -> _Started[None]: ...
    @staticmethod
    def detect_dps(bridge: LoopBridge, device: Device) -> _Started[list[int]]: ...
    @staticmethod
    def wait_connected(bridge: LoopBridge, device: Device, timeout: float | None) -> _Started[str]: ...
    @staticmethod
    def wait_ready(bridge: LoopBridge, device: Device, timeout: float | None) -> _Started[State]: ...
    @staticmethod
    def wait_settled(bridge: LoopBridge, manager: Manager, timeout: float | None) -> _Started[Settled]: ...
    @staticmethod
    def close(bridge: LoopBridge, device: Device) -> _Started[None]: ...
    @staticmethod
    def shutdown(bridge: LoopBridge, manager: Manager) -> _Started[None]: ...
    @staticmethod
    def shutdown_all(bridge: LoopBridge) -> _Started[None]: ...
    @staticmethod
    def unplug(bridge: LoopBridge, device: VirtualDevice) -> _Started[None]: ...
    @staticmethod
    def plug(bridge: LoopBridge, device: VirtualDevice) -> _Started[None]: ...
    @staticmethod
    def stop(bridge: LoopBridge, device: VirtualDevice) -> _Started[None]: ...
    @staticmethod
    def scan(bridge: LoopBridge, scanner: Scanner) -> _Started[list[DiscoveredDevice]]: ...
    @staticmethod
    def discover(bridge: LoopBridge, scanner: Scanner, id: str) -> _Started[DiscoveredDevice | None]: ...

@final
class EntityHandle:
    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def code(self) -> str: ...
    @property
    def dps(self) -> tuple[int, ...]: ...
    @property
    def unit(self) -> str | None: ...
    @property
    def device_class(self) -> str | None: ...
    @property
    def state_class(self) -> str | None: ...
    @property
    def category(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def settings(self) -> tuple[str, ...]: ...
    @property
    def capabilities(self) -> object: ...
    @property
    def state(self) -> object: ...
    @property
    def attributes(self) -> dict[str, Any]: ...
    @property
    def is_out_of_spec(self) -> bool: ...
    @property
    def device_id(self) -> str: ...
    @property
    def cid(self) -> str | None: ...
    def write(self, parts: dict[str, object], wait: str | None, timeout: float | None) -> Reply | None: ...
    def start(
        self, bridge: LoopBridge, parts: dict[str, object], wait: str | None, timeout: float | None
    ) -> _Started[Reply | None]: ...
