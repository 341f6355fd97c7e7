"""Types for annotations: what values of DPs can be, and the words and dicts that events and diagnoses are made of.

All of it can be imported at run time, too, on every supported version of Python; nothing here is needed for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Optional, Protocol, TypedDict, Union

from .models import Json
from .quirks import Quirk

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

__all__ = [
    "ConnectionDown",
    "ConnectionUp",
    "DeviceType",
    "DeviceTypeChoice",
    "DialectFound",
    "Dps",
    "EventKind",
    "EventPayload",
    "FailedCommand",
    "Freshness",
    "IgnoredFrame",
    "Json",
    "JsonArray",
    "JsonLike",
    "LostEvents",
    "ProtocolVersion",
    "Quirk",
    "Reason",
    "SkippedFrame",
    "StaleReason",
    "SubDeviceChange",
    "SweptKind",
    "UnfitWrite",
    "UnkeptValues",
    "Wait",
]


class JsonArray(Protocol):
    """A list, a tuple, or another sequence of what JSON carries, whatever the exact type of its items; not bytes."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[JsonLike]: ...
    def __getitem__(self, index: Any, /) -> Any: ...
    def __contains__(self, item: object, /) -> bool: ...
    def index(self, value: Any, /) -> int:
        """The first place of a value."""
        ...


JsonLike: TypeAlias = Union[bool, int, float, str, JsonArray, Mapping[str, "JsonLike"], Mapping[int, "JsonLike"], None]
"""What can be given as the value of a DP or as a payload: ``list[int]``, ``dict[str, int]`` and tuples are of it, too.
What comes back is a :data:`Json`."""

Dps: TypeAlias = Mapping[Any, JsonLike]
"""DPs and their values; the DPs are numbers, or numbers as text."""

Wait: TypeAlias = Literal["ack", "effect", "queue"]
"""What a command can wait for. None, which is not among them, is as the device is configured."""

ProtocolVersion: TypeAlias = Literal["3.1", "3.2", "3.3", "3.4", "3.5"]
"""A version of the protocol, as the properties and records of this package name it."""

DeviceType: TypeAlias = Literal["default", "device22"]
"""The dialect that a device speaks: ``device.dev_type``."""

DeviceTypeChoice: TypeAlias = Literal["default", "device22", "Auto"]
"""What the argument ``dev_type`` can be."""

EventKind: TypeAlias = Literal[
    "state", "acknowledgement", "connection", "freshness", "error", "lag", "skipped", "unkept", "ignored"
]
"""What an event is: ``event.kind``."""

SweptKind: TypeAlias = Literal["found", "open", "progress"]
"""What a record of ``scanner.sweep`` is: ``swept.kind``."""

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
"""Why a device cannot be used: the ``reason`` of a diagnosis, of an error and of a :class:`ConnectionDown`."""


class ConnectionUp(TypedDict):
    """The payload of the kind "connection", when the connection is usable."""

    connected: Literal[True]
    version: ProtocolVersion


class ConnectionDown(TypedDict):
    """The payload of the kind "connection", when the connection has ended or could not be made."""

    connected: Literal[False]
    Error: str
    """The reason in words."""
    Err: str
    """Number of the error, as tinytuya numbers them, as text."""
    reason: Reason
    advice: str
    """What can be done about it."""
    speaks: Optional[str]  # noqa: UP045  # can be evaluated on Python 3.9, as the others below
    """Of a wrong version, the one that the device speaks, if it can be told."""
    sure: bool
    """Whether the reason is proven."""
    retry_in: Optional[float]  # noqa: UP045
    """Seconds until the next attempt; None where there is none without an announcement or a command."""


class SubDeviceChange(TypedDict):
    """The payload of the kind "connection", when a gateway reported that a sub-device came or went."""

    cid: str
    online: bool


class DialectFound(TypedDict):
    """The payload of the kind "connection", when the device turned out to speak the other dialect."""

    dev_type: DeviceType


StaleReason: TypeAlias = Literal["not_connected", "not_told", "partly", "failed", "sub_device_offline"]
"""Why a state may be out of date: ``state.stale_reason``, and the ``reason`` of a :class:`Freshness`."""


class Freshness(TypedDict):
    """The payload of the kind "freshness"."""

    is_fresh: bool
    """Whether the state is what the device has now."""
    reason: Optional[StaleReason]  # noqa: UP045
    """Why it may be out of date; None when it is fresh."""
    text: Optional[str]  # noqa: UP045
    """The reason in words; None when it is fresh."""


class FailedCommand(TypedDict):
    """The payload of the kind "error"."""

    Error: str
    """What is wrong, in words."""
    Err: str
    """Number of the error, as tinytuya numbers them, as text."""


class LostEvents(TypedDict):
    """The payload of the kind "lag"."""

    lost: int
    """How many events were lost before this one."""


class SkippedFrame(TypedDict):
    """The payload of the kind "skipped"."""

    size: int
    """Bytes of the frame."""
    limit: int
    """Bytes that it was allowed to have."""


class UnkeptValues(TypedDict):
    """The payload of the kind "unkept"."""

    values: int
    """How many values are not in `state`, because there is no room for them."""
    limit: int
    """Bytes that are remembered of the device at most."""


class IgnoredFrame(TypedDict):
    """The payload of the kind "ignored"."""

    reason: Literal["reflected", "replayed"]
    """Whether the frame is one of our own, sent back, or came before."""


EventPayload: TypeAlias = Union[
    ConnectionUp,
    ConnectionDown,
    SubDeviceChange,
    DialectFound,
    Freshness,
    FailedCommand,
    LostEvents,
    SkippedFrame,
    UnkeptValues,
    IgnoredFrame,
]
"""The dict that events of every kind but "state" and "acknowledgement" have as their payload."""


class UnfitWrite(TypedDict):
    """A value that a virtual device did not take: ``virtual_device.unfit``."""

    cid: Optional[str]  # noqa: UP045
    """The sub-device that it was for."""
    dp: int
    value: Json
    why: str
    """What is wrong with it, in words."""
