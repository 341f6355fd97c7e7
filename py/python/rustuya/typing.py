"""Types for annotations: values of DPs, and the literals and dicts in events and diagnoses.

All of it can also be imported at run time, on every supported version of Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Optional, Protocol, TypedDict, Union

from ._json import Json
from .profiles import Profile
from .quirks import Quirk

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

__all__ = [
    "CloudChange",
    "CloudProgressKind",
    "CloudRegion",
    "ConnectionDown",
    "ConnectionUp",
    "DeviceType",
    "DeviceTypeChoice",
    "DialectFound",
    "DpMeaning",
    "Dps",
    "DroppedValues",
    "EventKind",
    "EventPayload",
    "FailedCommand",
    "Freshness",
    "IgnoredFrame",
    "Json",
    "JsonArray",
    "JsonLike",
    "LostEvents",
    "Profile",
    "ProtocolVersion",
    "Quirk",
    "Reason",
    "RejectedWrite",
    "SkippedFrame",
    "StaleReason",
    "SubDeviceChange",
    "SweepEventKind",
    "Wait",
]


class JsonArray(Protocol):
    """A list, a tuple, or another sequence of JSON values, of any item type; not bytes."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[JsonLike]: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def __contains__(self, item: object, /) -> bool: ...
    def index(self, value: Any, /) -> int:
        """Returns the first index of a value."""
        ...


JsonLike: TypeAlias = Union[bool, int, float, str, JsonArray, Mapping[str, "JsonLike"], Mapping[int, "JsonLike"], None]
"""Value of a DP or payload as an argument: also ``list[int]``, ``dict[str, int]`` and tuples. Results are
:data:`Json`."""

Dps: TypeAlias = Mapping[Any, JsonLike]
"""DPs and their values; the DPs are numbers, or numbers as text."""

Wait: TypeAlias = Literal["ack", "effect", "queue"]
"""Point until which a command is waited for. None, which is not among them, follows the device's ``nowait``."""

ProtocolVersion: TypeAlias = Literal["3.1", "3.2", "3.3", "3.4", "3.5"]
"""Protocol version, as the properties and records of this package name it."""

DeviceType: TypeAlias = Literal["default", "device22"]
"""Dialect of a device: ``device.dev_type``."""

DeviceTypeChoice: TypeAlias = Literal["default", "device22", "Auto"]
"""Values of the argument ``dev_type``."""

EventKind: TypeAlias = Literal[
    "state", "acknowledgement", "connection", "freshness", "error", "lag", "skipped", "dropped", "ignored"
]
"""Kind of an event: ``event.kind``."""

SweepEventKind: TypeAlias = Literal["found", "open", "progress"]
"""Kind of a record of ``scanner.sweep``: ``event.kind``."""

Reason: TypeAlias = Literal[
    "unreachable",
    "refused",
    "busy",
    "silent",
    "wrong_key",
    "wrong_version",
    "left_out",
    "key_or_version",
    "peer_closed",
    "unresponsive",
    "garbage",
    "unresolved",
    "relayed",
    "ended",
    "too_old",
    "out_of_descriptors",
]
"""Reason why a device cannot be used: the ``reason`` of a diagnosis, of an error and of a :class:`ConnectionDown`."""


class ConnectionUp(TypedDict):
    """Payload of the kind "connection" when the connection is usable."""

    connected: Literal[True]
    version: ProtocolVersion


class ConnectionDown(TypedDict):
    """Payload of the kind "connection" when the connection has ended or could not be made."""

    connected: Literal[False]
    Error: str
    """The reason as text."""
    Err: str
    """tinytuya's number of the error, as text."""
    reason: Reason
    advice: str
    """Advice on how to correct it."""
    speaks: Optional[str]  # noqa: UP045  # can be evaluated on Python 3.9, as the others below
    """For a wrong version, the version that the device speaks, if it is known."""
    sure: bool
    """True if the reason is proven."""
    retry_in: Optional[float]  # noqa: UP045
    """Seconds until the next attempt; None if it needs an announcement or a command."""


class SubDeviceChange(TypedDict):
    """Payload of the kind "connection" when a gateway reported a sub-device as online or offline."""

    cid: str
    online: bool


class DialectFound(TypedDict):
    """Payload of the kind "connection" when the other dialect was detected."""

    dev_type: DeviceType


StaleReason: TypeAlias = Literal["not_connected", "not_reported", "partly", "failed", "sub_device_offline"]
"""Reason why a state may be out of date: ``state.stale_reason``, and the ``reason`` of a :class:`Freshness`."""


class Freshness(TypedDict):
    """Payload of the kind "freshness"."""

    is_fresh: bool
    """True if the state is current."""
    reason: Optional[StaleReason]  # noqa: UP045
    """Reason why it may be out of date; None when it is fresh."""
    text: Optional[str]  # noqa: UP045
    """The reason as text; None when it is fresh."""


class FailedCommand(TypedDict):
    """Payload of the kind "error"."""

    Error: str
    """The error as text."""
    Err: str
    """tinytuya's number of the error, as text."""


class LostEvents(TypedDict):
    """Payload of the kind "lag"."""

    lost: int
    """Number of events lost before this one."""


class SkippedFrame(TypedDict):
    """Payload of the kind "skipped"."""

    size: int
    """Size of the frame, in bytes."""
    limit: int
    """Largest allowed size, in bytes."""


class DroppedValues(TypedDict):
    """Payload of the kind "dropped"."""

    values: int
    """Number of values that are missing in `state` for lack of room."""
    limit: int
    """Memory limit of the device, in bytes."""


class IgnoredFrame(TypedDict):
    """Payload of the kind "ignored"."""

    reason: Literal["reflected", "replayed"]
    """True if the frame is one of our own, sent back, or was received before."""


EventPayload: TypeAlias = Union[
    ConnectionUp,
    ConnectionDown,
    SubDeviceChange,
    DialectFound,
    Freshness,
    FailedCommand,
    LostEvents,
    SkippedFrame,
    DroppedValues,
    IgnoredFrame,
]
"""Payload of every kind of event except "state" and "acknowledgement"."""


class RejectedWrite(TypedDict):
    """A written value that a virtual device did not accept: ``virtual_device.rejected_writes``."""

    cid: Optional[str]  # noqa: UP045
    """The sub-device that was written to."""
    dp: int
    value: Json
    why: str
    """The reason as text."""


class _DpMeaning(TypedDict):
    code: str
    """Name of the DP, such as `switch_led`."""
    type: str
    """`Boolean`, `Integer`, `Enum`, `String`, `Json`, `Raw`, `Bitmap`, or another word of the cloud."""
    values: Json
    """Range, unit and so on; text for `String`, and if it cannot be read."""


class DpMeaning(_DpMeaning, total=False):
    """Meaning of one DP: an entry of the `mapping` of a device, in the format of a `devices.json`."""

    raw_values: str
    """The text of `values`, for the type `Json`."""


CloudRegion: TypeAlias = Literal["auto", "eu", "us", "cn", "in", "sg", "us-e", "eu-w"]
"""Code of a data centre; "auto" tries all, in this order. tinytuya's other codes for them are understood, too."""

CloudChange: TypeAlias = Literal["new", "key", "field", "same"]
"""Kind of change of a device in ``fetched.write``: a new device, another key, another field, or none."""

CloudProgressKind: TypeAlias = Literal[
    "trying",
    "refused",
    "accepted",
    "clock",
    "token_renewed",
    "devices",
    "product",
    "waiting",
    "code",
    "logged_in",
    "logged_out",
]
"""Kind of a ``Progress``."""
