"""Records: immutable, with attributes, also readable like a dict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from . import _native
from ._json import Json

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Self

    from .settings import Pacing, Timing
    from .typing import Reason, StaleReason, SweepEventKind

__all__ = [
    "Description",
    "DeviceConfig",
    "DeviceInfo",
    "Diagnosis",
    "DiscoveredDevice",
    "Frame",
    "Json",
    "Metrics",
    "QueryReply",
    "Record",
    "Reply",
    "Request",
    "Settled",
    "State",
    "SweepEvent",
]


class Record(Mapping[str, Any]):
    """A record that also answers ``record["name"]``, ``.get``, ``in`` and iteration over its names."""

    def __getitem__(self, name: str) -> Any:
        if name in self.__dataclass_fields__ and _is_entry(self.__dataclass_fields__[name]):  # type: ignore[attr-defined]
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (entry.name for entry in fields(self) if _is_entry(entry))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return sum(1 for _ in self)


_ATTRIBUTE = {"attribute": True}
"""Marks a field that is an attribute only, not an entry of the mapping: programs rely on the set of entries."""


def _is_entry(entry: Any) -> bool:
    return not entry.metadata.get("attribute")


def _absent() -> Any:
    """Default of a required argument that follows an optional one."""
    raise TypeError("missing required argument: 'local_key'")


def _no_children() -> dict[str, Description]:
    return {}


@dataclass(frozen=True, eq=False)
class Description(Record):
    """Facts about a device, by which it has entities with names, units and values: see :mod:`rustuya.entities`.

    ``DeviceConfig.load`` and ``Device.from_devices_file`` read them from a file.

    Args:
        category: the category of the product, such as "dj" for lights.
        product_id: the id of the product.
        model: the model of the product.
        mapping: the codes, types and ranges of its DPs, as `mapping` of a `devices.json` has them.
        children: descriptions of the sub-devices of a gateway, by cid.
        id: the id by which a file of overrides may name it; that of the device by default.
    """

    category: str | None = None
    product_id: str | None = None
    model: str | None = None
    mapping: Mapping[str, Any] | None = field(default=None, repr=False)
    children: Mapping[str, Description] = field(default_factory=_no_children, repr=False)
    id: str | None = None

    @classmethod
    def _of(cls, facts: Mapping[str, Any]) -> Self:
        known: Mapping[str, Mapping[str, Any]] = facts.get("children", {})
        own: dict[str, Any] = {name: value for name, value in facts.items() if name != "children"}
        return cls(**own, children={cid: cls._of(child) for cid, child in known.items()})


@dataclass(frozen=True, eq=False)
class DeviceConfig(Record):
    """Configuration of a device. As a mapping it holds the arguments of ``Device`` and of ``Manager.add``.

    ``Device(**config)`` makes the device. None means the default, and is left out of the mapping. Values are checked
    when the device is made.

    Args:
        id: the device id.
        local_key: the local key, which `repr` omits.
        address: IP address, with a port unless it is the usual one; with "Auto" announcements tell it.
        version: protocol version, "3.1" to "3.5"; "Auto" detects it.
        name: the user's name for it. Not an argument.
        port: the TCP port; 6668 by default.
        dev_type: the dialect: "default", "device22" or "Auto".
        persist: whether to keep the connection while it is idle.
        nowait: whether commands return as soon as they are queued.
        connection_timeout_sec: time limit for connecting, in seconds.
        timeout: time limit of commands for the connection, in seconds.
        timing: other time limits.
        pacing: spacing, joining and splitting of commands.
        receive_limit: largest frame that is received, in bytes; 65536 by default.
        memory_limit: memory for the state of the device and its sub-devices, in bytes; 262144 by default.
        backlog_limit: size of each listener's queue, in bytes; 1048576 by default.
        min_version: oldest protocol version that is accepted while `version` is "Auto"; "3.3" by default.
        query_on_connect: whether to query the state on each connection; True by default.
        description: the product and its DPs, by which the device has entities.
    """

    id: str
    address: str = "Auto"
    local_key: str | bytes = field(default_factory=_absent, repr=False)
    version: str | float = "Auto"
    name: str | None = None
    port: int | None = None
    dev_type: str | None = None
    persist: bool | None = None
    nowait: bool | None = None
    connection_timeout_sec: float | None = None
    timeout: float | None = None
    timing: Timing | None = None
    pacing: Pacing | None = None
    receive_limit: int | None = None
    memory_limit: int | None = None
    backlog_limit: int | None = None
    min_version: str | float | None = None
    query_on_connect: bool | None = None
    description: Description | None = field(default=None, repr=False)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> list[Self]:
        """Reads the devices of a ``devices.json`` or ``snapshot.json`` of tinytuya.

        Leaves out sub-devices: :meth:`rustuya.Device.sub` reaches them.

        Args:
            path: the file.

        Returns:
            A list of configurations, in the order of the file.

        Raises:
            OSError: the file cannot be read.
            ConfigError: it is not a list of devices.
            InvalidType: the path is not a path.
        """
        return [
            cls(
                id,
                address or "Auto",
                key or "",
                version or "Auto",
                name=name,
                port=port,
                dev_type=dev_type,
                min_version=least,
                description=Description._of(facts) if facts.keys() - {"id"} else None,
            )
            for name, id, key, address, version, port, dev_type, least, facts in _native.listed_devices(path)
        ]

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with some values changed.

        Args:
            changes: the new values, by name.

        Raises:
            TypeError: there is no such value.
        """
        return replace(self, **changes)

    def __getitem__(self, name: str) -> Any:
        value = None if name == "name" else super().__getitem__(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in super().__iter__() if name != "name" and getattr(self, name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, eq=False)
class Diagnosis(Record):
    """Why a device cannot be used, with advice.

    Attributes:
        code: tinytuya's number of the error.
        reason: a name for programs, such as `wrong_key`, `unreachable` or `busy`.
        text: the reason as text.
        advice: how to correct it.
        speaks: for a wrong version, the version that the device speaks, if it is known.
        sure: whether it is proven. A wrong key may only be the most likely reason: some devices just close.
            `key_or_version` is never proven.
    """

    code: int
    reason: Reason
    text: str
    advice: str
    speaks: str | None = None
    sure: bool = True

    def __str__(self) -> str:
        return f"{self.text} ({self.advice})"


@dataclass(frozen=True, eq=False)
class DeviceInfo(Record):
    """Snapshot of a device.

    Attributes:
        id: the device id.
        address: its address; "Auto" while that is unknown.
        port: the TCP port.
        version: its protocol version; "Auto" while that is unknown.
        is_connected: whether its connection is usable.
        last_seen: seconds since it last sent anything.
        product_key: the product id, once it has announced it.
        diagnosis: why it is not connected; None while it is.
    """

    id: str
    address: str
    port: int
    version: str
    is_connected: bool
    last_seen: float | None
    product_key: str | None
    diagnosis: Diagnosis | None


@dataclass(frozen=True, eq=False)
class DiscoveredDevice(Record):
    """A device that a scan found.

    Attributes:
        id: the device id.
        ip: its address.
        version: the version that it announces; None for an unsupported one.
        product_key: the product id, if it announces one.
        relayed_by: the sender of the announcement, if that is not the device's own address.
        unpaired: whether it waits to be paired: it has no local key yet, and accepts no commands.
        product_id: the same as `product_key`.
    """

    id: str
    ip: str
    version: str | None
    product_key: str | None
    relayed_by: str | None = field(default=None, metadata=_ATTRIBUTE)
    unpaired: bool = field(default=False, metadata=_ATTRIBUTE)
    product_id: str | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "product_id", self.product_key)


@dataclass(frozen=True, eq=False)
class SweepEvent(Record):
    """Result of the scan of a network.

    Attributes:
        kind: "found": a device announced itself; "open": an address accepts connections; "progress":
            addresses done so far.
        found: for the kind "found", the device.
        ip: the address.
        done: number of addresses done.
        total: number of addresses in the network.
    """

    kind: SweepEventKind
    found: DiscoveredDevice | None = None
    ip: str | None = None
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, eq=False)
class Reply(Record):
    """Answer of a device.

    Attributes:
        cmd: command number of the answer.
        retcode: return code. A value other than zero can mean success, too: a refusal raises an exception.
        payload: the parsed JSON, or the text.
        dps: the DPs in the payload; for a query that was answered without DPs, those that the device pushed instead.
        partial: for a query, whether the device may have more DPs than these.
    """

    cmd: int
    retcode: int | None
    payload: Json
    dps: dict[str, Json]
    partial: bool = False


class Settled(dict[str, "Diagnosis | None"]):
    """Dict of diagnoses by device id: None for connected devices. Also has the ids that are not settled."""

    unsettled: tuple[str, ...]
    """Ids of devices that are neither connected nor have a diagnosis."""

    def __init__(self, diagnoses: Mapping[str, Diagnosis | None], unsettled: tuple[str, ...] = ()) -> None:
        super().__init__(diagnoses)
        self.unsettled = unsettled


class QueryReply(dict[str, Json]):
    """Dict of the DPs in the answer to a query. Also has the missing ones."""

    missing: tuple[int, ...]
    """The queried DPs that are not in the answer."""
    partial: bool
    """True if the device may have more DPs than these.

    device22 firmware, which includes 3.2, reports only the queried DPs.
    """

    def __init__(self, dps: Mapping[str, Json], missing: tuple[int, ...] = (), partial: bool = False) -> None:
        super().__init__(dps)
        self.missing = missing
        self.partial = partial


@dataclass(frozen=True, eq=False)
class Request(Record):
    """Request that a virtual device received.

    Attributes:
        cmd: command number.
        name: name of the command, if it has one.
        seqno: sequence number.
        cid: the sub-device, if it is for one.
        payload: the parsed JSON, or the text.
    """

    cmd: int
    name: str | None
    seqno: int
    cid: str | None
    payload: Json


@dataclass(frozen=True, eq=False)
class Frame(Record):
    """One frame, verified and decrypted.

    Attributes:
        cmd: command number.
        seqno: sequence number.
        retcode: return code, if it has one.
        payload: the parsed JSON, or the text.
        data: the payload as received.
    """

    cmd: int
    seqno: int
    retcode: int | None
    payload: Json
    data: bytes


@dataclass(frozen=True, eq=False)
class Metrics(Record):
    """Counters of one device, or of all devices of a manager.

    Attributes:
        connects: connections that became usable.
        reconnects: those of them that followed another connection.
        failed_attempts: failed rounds of connection attempts.
        frames: valid frames received.
        bad_frames: frames that failed their check.
        ignored: frames that are our own, sent back, or were received before.
        resyncs: times that bytes were skipped to find the next frame.
        sent: commands sent.
        acknowledged: commands that were answered.
        rejected: commands that the device refused.
        unanswered: commands that nothing answered in time.
        lost: commands whose connection ended first.
        lagged: events that slow listeners lost.
        values_dropped: values missing in `state` for lack of room: see `memory_limit`.
        latency_p50: median time from command to acknowledgement, in seconds.
        latency_p99: 99th percentile of that time, in seconds.
    """

    connects: int
    reconnects: int
    failed_attempts: int
    frames: int
    bad_frames: int
    ignored: int
    resyncs: int
    sent: int
    acknowledged: int
    rejected: int
    unanswered: int
    lost: int
    lagged: int
    values_dropped: int
    latency_p50: float | None
    latency_p99: float | None


class State(Mapping[str, Json]):
    """The DPs of a device as last reported, and whether that was on the present connection."""

    __slots__ = ("_ages", "_stale_dps", "_stale_reason", "_stale_text", "_values")

    def __init__(
        self,
        values: dict[str, Json],
        ages: dict[str, float],
        stale_dps: Iterable[str] = (),
        stale_reason: StaleReason | None = None,
        stale_text: str | None = None,
    ) -> None:
        self._values = values
        self._ages = ages
        self._stale_dps = frozenset(stale_dps)
        self._stale_reason: StaleReason | None = stale_reason
        self._stale_text = stale_text

    @property
    def is_fresh(self) -> bool:
        """True if every DP was reported on the present connection, in an answer or a push."""
        return self._stale_reason is None

    @property
    def stale_reason(self) -> StaleReason | None:
        """Reason, as a name for programs, why this may be out of date; None when it is fresh.

        ``not_connected``, ``not_reported`` (the device has not reported its state on this connection), ``partly`` (not
        all of the DPs: see ``stale_dps``), ``failed`` (the query failed), ``sub_device_offline``.
        """
        return self._stale_reason

    @property
    def stale_text(self) -> str | None:
        """Reason, as text, why this may be out of date; None when it is fresh."""
        return self._stale_text

    @property
    def stale_dps(self) -> frozenset[str]:
        """The DPs that were not reported on the present connection."""
        return self._stale_dps

    @property
    def ages(self) -> Mapping[str, float]:
        """Seconds since each DP was last reported."""
        return MappingProxyType(self._ages)

    def __getitem__(self, dp: str | int) -> Json:
        return self._values[str(dp)]

    def __contains__(self, dp: object) -> bool:
        return str(dp) in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"State({self._values!r})"
