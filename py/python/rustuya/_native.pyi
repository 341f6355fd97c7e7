# The extension module. What is public is re-exported by the package.

import builtins
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, TypeVar, final, overload

from typing_extensions import Self, disjoint_base

from .models import DeviceInfo, Diagnosis, DiscoveredDevice, Frame, Json, Metrics, Queried, Reply, Request, Settled, State, Swept
from .quirks import Quirk
from .settings import Pacing, Timing
from .typing import DeviceType, Dps, EventKind, JsonLike, UnfitWrite

__all__ = [
    "__VERSION__",
    "AsyncVerbs",
    "Device",
    "DeviceEvent",
    "DeviceMessageReceiver",
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
    "announcement",
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
    "quirk_names",
    "report",
    "run_command_line",
    "session_key",
    "set_frame_log",
    "set_log_callback",
    "set_log_level",
    "vocabulary",
]

_T = TypeVar("_T")
_Begun = Awaitable[_T] | tuple[_T]

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
    """Sets what the engine is like. Possible until the first device, manager or scanner is made.

    Args:
        worker_threads: threads for input and output, 1 to 64; 2 unless it is given.
        dials_at_once: connections that are made at a time; 128 unless it is given.
        memory_limit: how much is remembered of the device and its sub-devices, in bytes; 262144 unless it is
            given, 1024 at least.
        backlog_limit: how much waits for each listener, in bytes; 1048576 unless it is given, 1024 at least.
        discovery: whether announcements are listened for; True unless it is given.
        ports: three UDP ports, in the place of 6666, 6667 and 7000; 0 takes a free one.
        bind_address: the local IPv4 address to listen on.
        broadcast_address: where devices are asked, in the place of each interface's broadcast address.
        probe_to: pairs of an IPv4 address and a UDP port that are asked instead.
        trust_relayed: whether announcements are believed that were passed on.

    Raises:
        InvalidAddress: this is no IPv4 address.
        InvalidType: it is no text.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
        ClosedError: nothing will come any more.
    """

def command_names() -> list[tuple[str, int]]:
    """Every command that has a name, with its number."""

def vocabulary() -> list[tuple[str, list[str]]]:
    """The words that `rustuya.typing` lists, as far as this module makes them: what they are for, and all of them."""

def quirk_names() -> list[tuple[str, str]]:
    """Every quirk with what it does; `=N` stands for a number."""

def run_command_line(args: Sequence[str]) -> int:
    """Runs the command that `args` are, the program's name first, and returns the exit status."""

def leave() -> None:
    """Ends every connection, and with them every listener, so that threads blocked in one come back. Called before
    the interpreter joins its threads.
    """

def left() -> None:
    """Notes that threads were joined and that the interpreter ends now."""

def forked() -> None:
    """Notes that this process is a forked child. Its parent's threads do not exist here."""

def listed_devices(
    path: str | PathLike[str],
) -> list[tuple[str | None, str, str | None, str | None, str | None, int | None, str | None, str | None]]:
    """The devices that a file of tinytuya describes, but for those behind gateways, which have no connection of their own."""

def set_log_level(level: int) -> None:
    """Sets the level, as a number of Python's module `logging`, from which records are made."""

def set_frame_log(enabled: bool, values: bool) -> None:
    """Has the frames and commands of devices that are made from now on told by the logger `rustuya.frames`, with the values
    of DPs if that is wanted; False ends it for all devices.
    """

def next_callback() -> tuple[Callable[[Any], object], object] | None:
    """The next call for the thread of callbacks; `None` when it is to end. The one before has returned."""

def next_record() -> tuple[Callable[[int, str, str], object] | None, int, str, str] | None:
    """The next record for the thread that hands them over; `None` when it is to end. The one before was handed over."""

def report(error: BaseException, function: object | None) -> None:
    """As [`report`], for Python code."""

def set_log_callback(callback: Callable[[int, str, str], object] | None) -> None:
    """Has a function called with level, logger name and text of every record, instead of the loggers; None ends that."""

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
    """One frame, as a client or a device of this version writes it. `payload` is bytes, text, or what JSON carries.

    Args:
        version: "3.1" to "3.5".
        key: the local key, of 3.4 and 3.5 the session key: text of 16 characters or 16 bytes.
        command: the number of the command, such as `CommandType.Control`.
        payload: bytes and text are sent as they are, anything else as JSON.
        seqno: the sequence number.
        sender: who sends it, "client" or "device".
        retcode: the return code, which devices put first; None for the usual one.

    Raises:
        InvalidKey, InvalidVersion: there is no such key or version.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

def decode(version: str | float, key: str | bytes, data: bytes, *, sender: str = "device") -> tuple[list[Frame], int]:
    """The frames at the front of `data`: a list of frames, and how many bytes they took. What is no frame, or fails its
    check, raises FrameError.

    Args:
        version: "3.1" to "3.5".
        key: the local key, of 3.4 and 3.5 the session key: text of 16 characters or 16 bytes.
        data: bytes as they came.
        sender: who sends it, "client" or "device".

    Raises:
        InvalidKey, InvalidVersion: there is no such key or version.
        FrameError: the bytes are no frame under this key and version.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

def session_key(version: str | float, local_key: str | bytes, client_nonce: bytes, device_nonce: bytes) -> bytes:
    """The session key of a connection of version 3.4 or 3.5, from the nonces of its negotiation, 16 bytes each.

    Args:
        version: "3.1" to "3.5".
        local_key: the local key, as text of 16 characters or 16 bytes.
        client_nonce: 16 bytes of the client's first message.
        device_nonce: 16 bytes of the device's answer.

    Raises:
        InvalidKey, InvalidVersion: there is no such key or version.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

def announcement(datagram: bytes) -> DiscoveredDevice | None:
    """The device that a datagram from UDP 6666, 6667 or 7000 announces; None for a client's question.

    Args:
        datagram: the bytes of one datagram.

    Raises:
        FrameError: the bytes are no announcement.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
    """

@disjoint_base
class DeviceEvent:
    """What happened to a device.

    `kind` tells what it is: "state" (DPs), "acknowledgement" (an answer without DPs), "connection" (the connection or
    a sub-device came or went), "freshness" (the state is what the device has now, or may not be any more), "error" (a
    command failed with nobody waiting), "lag" (this listener lost events), "skipped" (a frame was larger than
    `receive_limit`), "unkept" (`state` lacks values beyond `memory_limit`), "ignored" (a frame that the device did not
    send just now).
    """
    @property
    def kind(self) -> EventKind:
        """What this is: "state", "acknowledgement", "connection", "freshness", "error", "lag", "skipped", "unkept" or
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
        """The parsed JSON of the frame, its text if it is none; of other events, a dict that tells more."""
    @property
    def dps(self) -> dict[str, Json]:
        """The DPs in the frame."""
    @property
    def cid(self) -> str | None:
        """The sub-device that this is about."""
    @property
    def retcode(self) -> int | None:
        """Return code of the frame, if it has one."""
    @property
    def error(self) -> Exception | None:
        """The exception that says why a command failed."""
    def __getitem__(self, key: str, /) -> Any: ...
    def get(self, key: str, default: Any = None) -> Any:
        """The value under a name, or the default where this event has none.

        Args:
            key: a name, such as "payload".
            default: what comes back for another name.
        """
    def __contains__(self, key: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def keys(self) -> tuple[str, ...]:
        """The names under which this event has values."""
    def values(self) -> tuple[Any, ...]:
        """The values, in the order of the names."""
    def items(self) -> tuple[tuple[str, Any], ...]:
        """Pairs of names and values."""

@final
class ManagerEvent(DeviceEvent):
    """What happened to one of a manager's devices: an event with a `device_id`."""
    @property
    def device_id(self) -> str:
        """Id of the device; empty for the kind "lag", which is about the listener."""

@final
class DeviceMessageReceiver:
    """What happens to one device, from the moment this was made. An iterator."""
    def recv(self, timeout_ms: float | None = None) -> DeviceEvent | None:
        """The next entry; None after `timeout_ms` milliseconds. Raises ClosedError when nothing will come any
        more.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None when the time is over.

        Raises:
            ClosedError: nothing will come any more.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> DeviceEvent | None:
        """The next entry if there is one already."""
    def close(self) -> None:
        """Ends this receiver: whoever waits for it comes back."""
    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
    @property
    def missed(self) -> int:
        """How many entries were lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Begun[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> DeviceEvent: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class ManagerEventReceiver:
    """What happens to all devices of a manager, from the moment this was made. An iterator."""
    def recv(self, timeout_ms: float | None = None) -> ManagerEvent | None:
        """The next entry; None after `timeout_ms` milliseconds. Raises ClosedError when nothing will come any
        more.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None when the time is over.

        Raises:
            ClosedError: nothing will come any more.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> ManagerEvent | None:
        """The next entry if there is one already."""
    def close(self) -> None:
        """Ends this receiver: whoever waits for it comes back."""
    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
    @property
    def missed(self) -> int:
        """How many entries were lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Begun[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> ManagerEvent: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class ScanReceiver:
    """The devices that a scan hears, as it hears them. An iterator."""
    def recv(self, timeout_ms: float | None = None) -> DiscoveredDevice | None:
        """The next entry; None after `timeout_ms` milliseconds. Raises ClosedError when nothing will come any
        more.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None when the time is over.

        Raises:
            ClosedError: nothing will come any more.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> DiscoveredDevice | None:
        """The next entry if there is one already."""
    def close(self) -> None:
        """Ends this receiver: whoever waits for it comes back."""
    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
    @property
    def missed(self) -> int:
        """How many entries were lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Begun[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> DiscoveredDevice: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class SweepReceiver:
    """What comes of looking through a network, as it comes. An iterator."""
    def recv(self, timeout_ms: float | None = None) -> Swept | None:
        """The next entry; None after `timeout_ms` milliseconds. Raises ClosedError when nothing will come any
        more.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None when the time is over.

        Raises:
            ClosedError: nothing will come any more.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> Swept | None:
        """The next entry if there is one already."""
    def close(self) -> None:
        """Ends this receiver: whoever waits for it comes back."""
    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
    @property
    def missed(self) -> int:
        """How many entries were lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Begun[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Swept: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class RequestReceiver:
    """The requests that a virtual device receives. An iterator."""
    def recv(self, timeout_ms: float | None = None) -> Request | None:
        """The next entry; None after `timeout_ms` milliseconds. Raises ClosedError when nothing will come any
        more.

        Args:
            timeout_ms: milliseconds to wait; None for no limit.

        Returns:
            The entry, or None when the time is over.

        Raises:
            ClosedError: nothing will come any more.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def try_recv(self) -> Request | None:
        """The next entry if there is one already."""
    def close(self) -> None:
        """Ends this receiver: whoever waits for it comes back."""
    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
    @property
    def missed(self) -> int:
        """How many entries were lost because they were not taken in time."""
    def _ready(self, bridge: LoopBridge, timeout: float | None = None) -> _Begun[None]: ...
    def _release(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Request: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Subscription:
    """What `subscribe` returns: call it to end the subscription. Also a context manager."""
    def __call__(self) -> None: ...
    @property
    def active(self) -> bool:
        """Whether calls may still come."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@disjoint_base
class Device:
    """One device on the local network, kept connected in the background.

    It is a handle, which threads can share. A process has one connection to a device: `Device(id, ...)` shares that of
    the managers and of other `Device(id, ...)` of this id, and it ends with the last of them. Handles of one connection
    are equal.

    Args:
        id: the device id, as text.
        address: an IP address or a host name, with a port where it is not the usual one; "Auto" and None
            have it found out by the device's announcements.
        local_key: the local key, as text of 16 characters or 16 bytes.
        version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None have it found out.
        port: the TCP port, 0 to 65535; 6668 unless it is given.
        dev_type: the dialect: "default", "device22", or "Auto" to have it found out.
        persist: whether the connection is kept while there is nothing to do; True unless it is given.
        nowait: whether commands return as soon as they are queued, or once they are written, which is what
            False means; False unless it is given.
        connection_timeout_sec: how long the dial may take, in seconds, 300 at most; 5 unless it is given.
        timeout: how long commands wait for the connection, in seconds; 10 unless it is given.
        timing: the other time limits, a `Timing`, in seconds.
        pacing: how commands are spaced, joined and split, a `Pacing`, in seconds.
        receive_limit: the largest frame that is received, in bytes; 65536 unless it is given, 1024 at
            least.
        memory_limit: how much is remembered of the device and its sub-devices, in bytes; 262144 unless it is
            given, 1024 at least.
        backlog_limit: how much waits for each listener, in bytes; 1048576 unless it is given, 1024 at least.
        min_version: the oldest version that is believed while `version` is "Auto"; "3.3" unless it is given.
        query_on_connect: whether the state is asked for on each connection; True unless it is given.

    Raises:
        InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
        DeviceConflict: this process has a connection to the device already, with another key, address or
            version.
        InvalidType, InvalidValue: an argument is of another type, or out of range.
        DiscoveryError: announcements cannot be received, and there is no address.
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
    ) -> Self:
        """The device that a file of tinytuya describes, found by name or id.

        Args:
            path: a `devices.json` or `snapshot.json`.
            name: the device's name in that file, or its id; needed where the file has several.
            id: the device's id, in the place of the name.
            address: replaces the address in the file.
            version: replaces the version in the file.

        Returns:
            The device's handle.

        Raises:
            OSError: the file cannot be read.
            DeviceNotFound: it does not list the device, or several by this name.
            ConfigError: what it says of the device, or the file itself, is unusable.
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
            DiscoveryError: announcements cannot be received, and there is no address.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def remember(self, path: str | PathLike[str]) -> bool:
        """Writes the version and the address of the connection into the file that describes the device, so that the next start
        begins with them, whatever somebody announces. All else in the file stays as it is. Says whether something was new.

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
        """The version that is configured or was found out, "Auto" while it is not known."""
    @property
    def address(self) -> str:
        """The address that is configured or was heard of, "Auto" while it is not known."""
    @property
    def port(self) -> int:
        """The TCP port."""
    @property
    def dev_type(self) -> DeviceType:
        """The dialect in use: "default" or "device22"."""
    @property
    def is_connected(self) -> bool:
        """Whether the connection is usable at this moment."""
    @property
    def is_closed(self) -> bool:
        """Whether the device was closed. A closed device stays so."""
    @property
    def nowait(self) -> bool:
        """Whether commands return as soon as they are queued."""
    @property
    def persist(self) -> bool:
        """Whether the connection is kept while there is nothing to do."""
    @property
    def product_key(self) -> str | None:
        """The product id, once the device has announced it."""
    @property
    def last_seen(self) -> float | None:
        """Seconds since the device was last heard or seen."""
    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why the device could not be used, since it last could; None if it can."""
    @property
    def state(self) -> State:
        """The DPs as they were last heard, with their ages, and whether that was on the present connection. Asks nobody."""
    @property
    def metrics(self) -> Metrics:
        """Counters since the device was made."""
    def set_nowait(self, nowait: bool) -> Self:
        """Sets whether commands return as soon as they are queued, or once they are written. Returns the device.

        Args:
            nowait: whether commands return as soon as they are queued, or once they are written, which is what
                False means; False unless it is given.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_nowait(self, nowait: bool) -> Self:
        """The same as `set_nowait`.

        Args:
            nowait: whether commands return as soon as they are queued, or once they are written, which is what
                False means; False unless it is given.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_persist(self, persist: bool) -> Self:
        """Sets whether the connection is kept while there is nothing to do. Returns the device.

        Args:
            persist: whether the connection is kept while there is nothing to do; True unless it is given.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_persist(self, persist: bool) -> Self:
        """The same as `set_persist`.

        Args:
            persist: whether the connection is kept while there is nothing to do; True unless it is given.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_port(self, port: int) -> Self:
        """Sets the TCP port. Returns the device.

        Args:
            port: the TCP port, 0 to 65535; 6668 unless it is given.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_port(self, port: int) -> Self:
        """The same as `set_port`.

        Args:
            port: the TCP port, 0 to 65535; 6668 unless it is given.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_connection_timeout(self, timeout_sec: float) -> Self:
        """Limits the time that the dial may take, in seconds.

        Args:
            timeout_sec: how long the dial may take, in seconds, 300 at most.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_connection_timeout(self, timeout_sec: float) -> Self:
        """The same as `set_connection_timeout`.

        Args:
            timeout_sec: how long the dial may take, in seconds, 300 at most.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_version(self, version: str | float | None) -> Self:
        """Sets the protocol version, "3.1" to "3.5"; "Auto" has it found out. Returns the device.

        Args:
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None have it found out.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_version(self, version: str | float | None) -> Self:
        """The same as `set_version`.

        Args:
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None have it found out.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_dev_type(self, dev_type: str) -> Self:
        """Sets the dialect: "default", "device22", or "Auto" to have it found out. Returns the device.

        Args:
            dev_type: the dialect: "default", "device22", or "Auto" to have it found out.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def with_dev_type(self, dev_type: str) -> Self:
        """The same as `set_dev_type`.

        Args:
            dev_type: the dialect: "default", "device22", or "Auto" to have it found out.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
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
        """Changes what is given, all at once: a connection that must be made anew is so once.

        Args:
            address: an IP address or a host name, with a port where it is not the usual one; "Auto" and None
                have it found out by the device's announcements.
            local_key: the local key, as text of 16 characters or 16 bytes.
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None have it found out.
            port: the TCP port, 0 to 65535; 6668 unless it is given.
            dev_type: the dialect: "default", "device22", or "Auto" to have it found out.
            persist: whether the connection is kept while there is nothing to do; True unless it is given.
            nowait: whether commands return as soon as they are queued, or once they are written, which is what
                False means; False unless it is given.
            connection_timeout_sec: how long the dial may take, in seconds, 300 at most; 5 unless it is given.
            timeout: how long commands wait for the connection, in seconds; 10 unless it is given.
            timing: the other time limits, a `Timing`, in seconds.
            pacing: how commands are spaced, joined and split, a `Pacing`, in seconds.
            receive_limit: the largest frame that is received, in bytes; 65536 unless it is given, 1024 at
                least.
            memory_limit: how much is remembered of the device and its sub-devices, in bytes; 262144 unless it is
                given, 1024 at least.
            backlog_limit: how much waits for each listener, in bytes; 1048576 unless it is given, 1024 at least.
            min_version: the oldest version that is believed while `version` is "Auto"; "3.3" unless it is given.
            query_on_connect: whether the state is asked for on each connection; True unless it is given.

        Returns:
            The device itself, so that calls can be chained.

        Raises:
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            DiscoveryError: announcements cannot be received, and there is no address.
        """
    @overload
    def status(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Asks for the state; the answer comes as an event.

        `wait="ack"` waits for it and returns it as a `Reply`.

        Args:
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @overload
    def status(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    def query(self, dps: Iterable[int | str] | None = None, *, timeout: float | None = None) -> Queried:
        """Asks for the state and returns the DPs in the answer, as a dict that also tells what is `missing` of the DPs that
        were named, and whether it is `partial`.

        Args:
            dps: the DPs that are asked for; None for the state.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Queried`: a dict of DPs and values, with `missing` and `partial`.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType: it is no sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Sets one DP. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
        shows what was written.

        Args:
            dp_id: the DP, a number from 0 to 65535, also as text.
            value: what JSON carries: bool, int, float, str, sequences and mappings of them.
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device shows something else.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["queue"] | None = None, timeout: float | None = None
    ) -> None: ...
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Sets several DPs at once. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
        shows what was written.

        Args:
            dps_dict: a mapping of DPs, numbers from 0 to 65535, also as text, to their values.
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device shows something else.
        """
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    @overload
    def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Asks the device to measure DPs again and to report them.

        Args:
            dp_ids: the DPs to be measured.
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType: it is no sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
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
            data: what it carries, a mapping; None for nothing.
            cid: the sub-device that is meant; None for the device itself.
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            InvalidId: this can be no cid.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
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
        """Asks a gateway for its sub-devices. `wait="ack"` waits for the answer and returns it as a `Reply`.

        Args:
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @overload
    def sub_discover(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    def sub(self, cid: str) -> SubDevice:
        """A sub-device of this gateway, by its cid.

        Args:
            cid: the id that the gateway knows it by.

        Raises:
            InvalidId: this can be no cid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def sub_devices(self) -> dict[str, bool | None]:
        """The sub-devices that were heard of, and whether the gateway reaches them."""
    def detect_dps(self) -> list[int]:
        """Finds out which DPs the device has.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    def wait_connected(self, timeout: float | None = 10.0) -> str:
        """Waits until the connection is usable; returns the version that is spoken.

        Args:
            timeout: seconds to wait; None for no limit.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def wait_ready(self, timeout: float | None = 10.0) -> State:
        """Waits until the connection is usable and the device has told its state on it, or has refused to or not answered:
        then `stale_reason` of the state says so.

        Args:
            timeout: seconds to wait; None for no limit.

        Returns:
            The `State`.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout: the device was connected in time, and its state was not there.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def connect_now(self) -> None:
        """Connects without waiting for the delay between attempts. Returns at once."""
    def listener(self) -> DeviceMessageReceiver:
        """A receiver of what happens to the device from now on.

        Raises:
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def subscribe(self, callback: Callable[[DeviceEvent], object]) -> Subscription:
        """Has a function called with every event, in a thread that all such functions share.

        Args:
            callback: a function of one argument, the event.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def close(self) -> None:
        """Ends the connection, for all handles. A handle that was made by `Device(...)` lets go of it: it ends unless a
        manager or another such handle holds the device.
        """
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class SubDevice:
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
        """Whether the gateway reaches it, as far as it has said; None when it has said nothing yet."""
    @property
    def state(self) -> State:
        """Its DPs as they were last heard, with their ages. Asks nobody."""
    @overload
    def status(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Asks for the state; the answer comes as an event.

        `wait="ack"` waits for it and returns it as a `Reply`.

        Args:
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @overload
    def status(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    def query(self, dps: Iterable[int | str] | None = None, *, timeout: float | None = None) -> Queried:
        """Asks for the state and returns the DPs in the answer, as a dict that also tells what is `missing` of the DPs that
        were named, and whether it is `partial`.

        Args:
            dps: the DPs that are asked for; None for the state.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Queried`: a dict of DPs and values, with `missing` and `partial`.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType: it is no sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Sets one DP. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
        shows what was written.

        Args:
            dp_id: the DP, a number from 0 to 65535, also as text.
            value: what JSON carries: bool, int, float, str, sequences and mappings of them.
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device shows something else.
        """
    @overload
    def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["queue"] | None = None, timeout: float | None = None
    ) -> None: ...
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply:
        """Sets several DPs at once. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
        shows what was written.

        Args:
            dps_dict: a mapping of DPs, numbers from 0 to 65535, also as text, to their values.
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType, InvalidValue: JSON cannot carry the value.
            TooLarge: the request exceeds what devices accept.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
            NoEffect: with `wait="effect"`, the device shows something else.
        """
    @overload
    def set_dps(self, dps_dict: Dps, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    @overload
    def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply:
        """Asks it to measure DPs again and to report them.

        Args:
            dp_ids: the DPs to be measured.
            wait: "ack" waits for the answer, "effect" until the device shows what was written, "queue" for
                nothing; None as `nowait` says.
            timeout: seconds for the connection and as many for the answer; None as the device is configured.

        Returns:
            A `Reply` with `wait="ack"` and `wait="effect"`, else None.

        Raises:
            InvalidDp: what was given is no DP.
            InvalidType: it is no sequence.
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time, for the reason that the error tells.
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
    """Many devices with one stream of events. All managers of a process share their devices' connections."""
    def __new__(cls) -> Self: ...
    @staticmethod
    def maximize_fd_limit() -> None:
        """Raises the limit of open files as far as the system allows. Does nothing on Windows.

        Raises:
            OSError: the system refuses.
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
    ) -> Device:
        """Adds a device, or changes the configuration of the one with this id. Returns its handle.

        Args:
            id: the device id, as text.
            address: an IP address or a host name, with a port where it is not the usual one; "Auto" and None
                have it found out by the device's announcements.
            local_key: the local key, as text of 16 characters or 16 bytes.
            version: "3.1" to "3.5", or a number such as 3.4; "Auto" and None have it found out.
            port: the TCP port, 0 to 65535; 6668 unless it is given.
            dev_type: the dialect: "default", "device22", or "Auto" to have it found out.
            persist: whether the connection is kept while there is nothing to do; True unless it is given.
            nowait: whether commands return as soon as they are queued, or once they are written, which is what
                False means; False unless it is given.
            connection_timeout_sec: how long the dial may take, in seconds, 300 at most; 5 unless it is given.
            timeout: how long commands wait for the connection, in seconds; 10 unless it is given.
            timing: the other time limits, a `Timing`, in seconds.
            pacing: how commands are spaced, joined and split, a `Pacing`, in seconds.
            receive_limit: the largest frame that is received, in bytes; 65536 unless it is given, 1024 at
                least.
            memory_limit: how much is remembered of the device and its sub-devices, in bytes; 262144 unless it is
                given, 1024 at least.
            backlog_limit: how much waits for each listener, in bytes; 1048576 unless it is given, 1024 at least.
            min_version: the oldest version that is believed while `version` is "Auto"; "3.3" unless it is given.
            query_on_connect: whether the state is asked for on each connection; True unless it is given.

        Returns:
            The device's handle.

        Raises:
            DuplicateDevice: the manager has this very device already.
            InvalidId, InvalidAddress, InvalidKey, InvalidVersion, ConfigError: an argument describes no device.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            DiscoveryError: announcements cannot be received, and there is no address.
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def get(self, id: str) -> Device | None:
        """The device with this id, or None.

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
        """Lets go of a device; says whether it was there.

        Args:
            id: the device id, as text.

        Returns:
            Whether it was there.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def delete(self, id: str) -> bool:
        """Ends a device for everybody; says whether it was there.

        Args:
            id: the device id, as text.

        Returns:
            Whether it was there.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def clear(self) -> None:
        """Lets go of all devices."""
    def list(self) -> builtins.list[DeviceInfo]:
        """What is known of all devices, ordered by id."""
    def devices(self) -> builtins.list[Device]:
        """Handles of all devices."""
    def listener(self) -> ManagerEventReceiver:
        """A receiver of what happens to all devices from now on, those that are added later included.

        Raises:
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def subscribe(self, callback: Callable[[ManagerEvent], object]) -> Subscription:
        """Has a function called with every event, in a thread that all such functions share.

        Args:
            callback: a function of one argument, the event.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
            ClosedError: the interpreter is about to end.
            ForkedError: this process is a forked child of one in which rustuya was in use.
        """
    def wait_settled(self, timeout: float | None = 10.0) -> Settled:
        """Waits until every device is connected, and has answered if it was asked for its state, or has a diagnosis.

        Args:
            timeout: seconds to wait; None for no limit.

        Returns:
            A dict from ids to diagnoses, which are None for devices that are connected; its `unsettled` names
            those that were waited for in vain.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @property
    def metrics(self) -> Metrics:
        """The counters of all devices together."""
    def shutdown(self) -> None:
        """Ends this manager, and every device that no other manager holds."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *_exc: object) -> None: ...

@final
class Scanner:
    """Finds devices on the local network. Every method that configures it returns it."""
    def __new__(cls) -> Self: ...
    def timeout(self, timeout_sec: float) -> Self:
        """Sets how long a scan takes, in seconds.

        Args:
            timeout_sec: how long a scan takes, in seconds; 18 unless it is set.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def bind_address(self, address: str) -> Self:
        """Sets the local address to listen on and to ask from.

        Args:
            address: an IPv4 address, as text.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidAddress: this is no IPv4 address.
            InvalidType: it is no text.
        """
    def broadcast_address(self, address: str) -> Self:
        """Sets the address that devices are asked at, instead of each interface's own broadcast address.

        Args:
            address: an IPv4 address, as text.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidAddress: this is no IPv4 address.
            InvalidType: it is no text.
        """
    def ports(self, ports: tuple[int, int, int]) -> Self:
        """Sets the three UDP ports to listen on; 0 takes a free one.

        Args:
            ports: three UDP ports, in the place of 6666, 6667 and 7000; 0 takes a free one.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def probe_to(self, addresses: Iterable[tuple[str, int]]) -> Self:
        """Asks these addresses and ports instead of everybody.

        Args:
            addresses: pairs of an IPv4 address and a UDP port.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidAddress: this is no IPv4 address.
            InvalidType: it is no text.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def active(self, active: bool) -> Self:
        """Sets whether devices are asked at all, or only listened for.

        Args:
            active: False to listen only.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def trust_relayed(self, trust: bool) -> Self:
        """Sets whether announcements are believed that come from another address than the one they name.

        Args:
            trust: True to believe announcements that were passed on.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @property
    def relayed(self) -> list[DiscoveredDevice]:
        """The devices that the last scan() or discover() heard from other addresses than the ones they name only."""
    @property
    def dropped(self) -> int:
        """How many announcements of devices the last scan() or discover() had no room for; 0 on every real network."""
    def scan(self) -> list[DiscoveredDevice]:
        """Scans, and returns all devices that were heard.

        Raises:
            DiscoveryError: the UDP ports are taken.
        """
    def discover(self, id: str) -> DiscoveredDevice | None:
        """Scans until this device is heard; None if it is not.

        Args:
            id: the device id, as text.

        Raises:
            DiscoveryError: the UDP ports are taken.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def stream(self) -> ScanReceiver:
        """Scans; devices come as they are heard.

        Raises:
            DiscoveryError: the UDP ports are taken.
        """
    def sweep(self, network: str, *, port: int = 6668, probe_port: int = 7000) -> SweepReceiver:
        """Looks through a network, address by address.

        Args:
            network: an IPv4 network, such as "192.168.5.0/24".
            port: the TCP port that is tried.
            probe_port: the UDP port that is asked.

        Raises:
            InvalidAddress: this is no IPv4 network.
            DiscoveryError: the UDP ports are taken.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def __iter__(self) -> ScanReceiver: ...

@final
class VirtualDevice:
    """A device that exists only in this process: it speaks the protocol on a real socket, as firmware does.

    Args:
        id: its id; "virtual-device" unless it is given.
        local_key: the local key, text of 16 characters; "0123456789abcdef" unless it is given.
        version: the version that it speaks, "3.1" to "3.5"; "3.4" unless it is given.
        dps: a mapping of DPs to the values that it has at first.
        subs: a mapping of cids to such mappings: makes it a gateway.
        dev_type: the dialect that it speaks, "default" or "device22".
        quirks: names of what it does otherwise, of those in `rustuya.testing.QUIRKS`.
        bind: where it listens, an IP address with a port; a free port of 127.0.0.1 unless it is given.
        announce_to: pairs of an IP address and a UDP port that hear of it.
        announce_every: seconds between two announcements.
        product_key: what it announces as its product.
        probes: a pair of an IP address and a UDP port at which it answers scanners that ask.
        max_clients: how many connections it accepts at a time.
        idle: seconds of silence after which it ends a connection.
        schema: what DPs can hold, as `mapping` in a `devices.json` says it.
        offline: cids of sub-devices that it reports as offline.
        strict: whether the end of a `with` block fails when a write was not taken.

    Raises:
        InvalidId, InvalidKey, InvalidVersion, InvalidAddress, ConfigError: there can be no such device.
        InvalidDp, InvalidType, InvalidValue: an argument is of another type, or out of range.
        OSError: the address cannot be listened on.
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
    ) -> Self: ...
    @property
    def id(self) -> str:
        """The device id."""
    @property
    def local_key(self) -> str:
        """The local key that controllers need."""
    @property
    def version(self) -> str:
        """The version that it speaks."""
    @property
    def address(self) -> str:
        """Where it accepts controllers: IP address and port, as `Device` takes it."""
    @property
    def ip(self) -> str:
        """The IP address alone."""
    @property
    def port(self) -> int:
        """The TCP port alone."""
    @property
    def probe_address(self) -> tuple[str, int] | None:
        """Where it hears requests for announcements, if it does."""
    @property
    def config(self) -> dict[str, Any]:
        """What a controller needs, for `Device(**virtual.config)` or `Manager.add(**virtual.config)`: a new dict with `id`,
        `address`, `local_key`, `version`, `port` and `dev_type`.
        """
    @property
    def lost_pushes(self) -> int:
        """How many pushes controllers did not get because they did not read: 1024 wait for each connection at most."""
    def device(self) -> Device:
        """A controller's handle of this device: a new connection."""
    def set_dps(self, dps: Dps, cid: str | None = None) -> None:
        """Changes or adds DPs, as if by hand at the device, and pushes them, changed or not, to every controller whose
        connection is up at its own end.

        Args:
            dps: a mapping of DPs to their values.
            cid: the sub-device whose DPs they are; None for the device's own.

        Raises:
            InvalidDp, InvalidType, InvalidValue, ConfigError: no device has such DPs, or could send such
                values.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def dps(self, cid: str | None = None) -> dict[str, Json]:
        """The DPs that it has now.

        Args:
            cid: the sub-device whose DPs they are; None for the device's own.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    def set_online(self, cid: str, online: bool) -> None:
        """Says whether a sub-device is online, and reports that to all controllers.

        Args:
            cid: the id that the gateway knows it by.
            online: whether the gateway reaches it.

        Raises:
            InvalidDp, InvalidType, InvalidValue, ConfigError: no device has such DPs, or could send such
                values.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
    @property
    def strict(self) -> bool:
        """Whether it was made with `strict`."""
    @property
    def unfit(self) -> list[UnfitWrite]:
        """The values that controllers wrote and the device did not take, the first 1024 of them: a list of dicts with
        `cid`, `dp`, `value` and `why`.
        """
    def check(self) -> None:
        """Fails when a controller wrote what the device did not take."""
    def requests(self) -> RequestReceiver:
        """Receives every request of every controller from now on."""
    def unplug(self) -> None:
        """Takes the device off the network, until it is plugged in again."""
    def plug(self) -> None:
        """Puts the device back on the network, at the same address. Raises OSError when another program has taken the port."""
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
class AsyncVerbs:
    def __new__(cls, target: Device | SubDevice | None) -> Self: ...
    def status(self, bridge: LoopBridge, wait: str | None, timeout: float | None) -> _Begun[Any]: ...
    def query(self, bridge: LoopBridge, dps: Iterable[int | str] | None, timeout: float | None) -> _Begun[Queried]: ...
    def set_value(
        self, bridge: LoopBridge, dp_id: int | str, value: JsonLike, wait: str | None, timeout: float | None
    ) -> _Begun[Any]: ...
    def set_dps(self, bridge: LoopBridge, dps: Dps, wait: str | None, timeout: float | None) -> _Begun[Any]: ...
    def update_dps(
        self, bridge: LoopBridge, dp_ids: Iterable[int | str], wait: str | None, timeout: float | None
    ) -> _Begun[Any]: ...
    def request(
        self,
        bridge: LoopBridge,
        command: int,
        data: Mapping[str, JsonLike] | None,
        cid: str | None,
        wait: str | None,
        timeout: float | None,
    ) -> _Begun[Any]: ...
    def sub_discover(self, bridge: LoopBridge, wait: str | None, timeout: float | None) -> _Begun[Any]: ...
    @staticmethod
    def detect_dps(bridge: LoopBridge, device: Device) -> _Begun[list[int]]: ...
    @staticmethod
    def wait_connected(bridge: LoopBridge, device: Device, timeout: float | None) -> _Begun[str]: ...
    @staticmethod
    def wait_ready(bridge: LoopBridge, device: Device, timeout: float | None) -> _Begun[State]: ...
    @staticmethod
    def wait_settled(bridge: LoopBridge, manager: Manager, timeout: float | None) -> _Begun[Settled]: ...
    @staticmethod
    def close(bridge: LoopBridge, device: Device) -> _Begun[None]: ...
    @staticmethod
    def shutdown(bridge: LoopBridge, manager: Manager) -> _Begun[None]: ...
    @staticmethod
    def shutdown_all(bridge: LoopBridge) -> _Begun[None]: ...
    @staticmethod
    def unplug(bridge: LoopBridge, device: VirtualDevice) -> _Begun[None]: ...
    @staticmethod
    def plug(bridge: LoopBridge, device: VirtualDevice) -> _Begun[None]: ...
    @staticmethod
    def stop(bridge: LoopBridge, device: VirtualDevice) -> _Begun[None]: ...
    @staticmethod
    def scan(bridge: LoopBridge, scanner: Scanner) -> _Begun[list[DiscoveredDevice]]: ...
    @staticmethod
    def discover(bridge: LoopBridge, scanner: Scanner, id: str) -> _Begun[DiscoveredDevice | None]: ...
