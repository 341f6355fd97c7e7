"""Records: immutable, with attributes, and readable like a dict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Union

from . import _native

if TYPE_CHECKING:
    from os import PathLike

    from typing_extensions import Self, TypeAlias

    from .settings import Pacing, Timing
    from .typing import Reason, SweptKind

__all__ = [
    "DeviceConfig",
    "DeviceInfo",
    "Diagnosis",
    "DiscoveredDevice",
    "Frame",
    "Json",
    "Metrics",
    "Queried",
    "Record",
    "Reply",
    "Request",
    "Settled",
    "State",
    "Swept",
]

Json: TypeAlias = Union[bool, int, float, str, list["Json"], dict[str, "Json"], None]
"""What a DP's value or a payload can be."""


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
"""Marks a field that is no entry of the mapping, whose entries programs rely on."""


def _is_entry(entry: Any) -> bool:
    return not entry.metadata.get("attribute")


def _absent() -> Any:
    """Stands for a default where an argument has to be given, and comes after one that has not."""
    raise TypeError("missing required argument: 'local_key'")


@dataclass(frozen=True, eq=False)
class DeviceConfig(Record):
    """What it takes to reach a device. As a mapping it holds the arguments of ``Device`` and of ``Manager.add``.

    So ``Device(**config)`` makes the device. What is None is left to its default, and no argument then. Values are
    checked when a device is made of them.

    Args:
        id: the device id.
        local_key: the local key, which is in no text of this.
        address: IP address, with a port where it is not the usual one; "Auto" has it found out.
        version: protocol version, "3.1" to "3.5"; "Auto" has it found out.
        name: what the user calls it. Not an argument.
        port: the TCP port, where it is not 6668.
        dev_type: the dialect: "default", "device22" or "Auto".
        persist: whether the connection is kept while there is nothing to do.
        nowait: whether commands return as soon as they are queued.
        connection_timeout_sec: how long the dial may take, in seconds.
        timeout: how long commands wait for the connection, in seconds.
        timing: other time limits.
        pacing: how commands are spaced, joined and split.
        receive_limit: the largest frame that is received, in bytes; 65536 where it is not given.
        memory_limit: how much is remembered of the device and its sub-devices, in bytes; 262144 where it is not given.
        backlog_limit: how much waits for each listener of the device, in bytes; 1048576 where it is not given.
        min_version: the oldest protocol version that is believed while `version` is "Auto"; "3.3" where it is not
            given.
        query_on_connect: whether the state is asked for on each connection, as it is where this is not given.
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

    @classmethod
    def load(cls, path: str | PathLike[str]) -> list[Self]:
        """Reads the devices that a ``devices.json`` or ``snapshot.json`` of tinytuya describes.

        Those behind a gateway are not among them: :meth:`rustuya.Device.sub` reaches them.

        Args:
            path: the file.

        Returns:
            A list of configurations, in the order of the file.

        Raises:
            OSError: the file cannot be read.
            ConfigError: it describes no devices.
            InvalidType: the path is none.
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
            )
            for name, id, key, address, version, port, dev_type, least in _native.listed_devices(path)
        ]

    def replace(self, **changes: Any) -> Self:
        """Makes the same, but for some values.

        Args:
            changes: the other values, by name.

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
    """Why a device cannot be used, and what helps.

    Attributes:
        code: number of the error, as tinytuya numbers them.
        reason: a name for programs, such as `wrong_key`, `unreachable` or `busy`.
        text: the reason in words.
        advice: what can be done about it.
        speaks: of a wrong version, the one that the device speaks, if it can be told.
        sure: whether it is proven. A wrong key may be no more than most likely: some devices just close.
            `key_or_version` never is.
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
    """What is known of a device at one moment.

    Attributes:
        id: the device id.
        address: where it is; "Auto" while that is not known.
        port: the TCP port.
        version: the version that it speaks; "Auto" while that is not known.
        is_connected: whether its connection is usable.
        last_seen: seconds since it was last heard or seen.
        product_key: the product id, once it has announced it.
        diagnosis: why it could not be used, since it last could.
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
    """A device that was heard.

    Attributes:
        id: the device id.
        ip: its address.
        version: the version that it announces; None when it is one that is not known here.
        product_key: the product id, if it announces one.
        relayed_by: who has announced it, when it was another address than the device's own: a relay.
        unpaired: whether it waits to be paired: it has no local key yet, and takes no commands.
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
class Swept(Record):
    """What comes of looking through a network.

    Attributes:
        kind: "found": a device announced itself; "open": something accepts connections; "progress": how far it is.
        found: of the kind "found", the device.
        ip: the address that it is about.
        done: addresses that are done.
        total: addresses to be looked at.
    """

    kind: SweptKind
    found: DiscoveredDevice | None = None
    ip: str | None = None
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, eq=False)
class Reply(Record):
    """What a device answered.

    Attributes:
        cmd: command number of the answer.
        retcode: return code. Not zero can mean success, too: a refusal is raised.
        payload: the parsed JSON, or the text.
        dps: the DPs in the payload; of a query that was answered without any, those that the device pushed instead.
        partial: of a query: whether the device may have more DPs than these.
    """

    cmd: int
    retcode: int | None
    payload: Json
    dps: dict[str, Json]
    partial: bool = False


class Settled(dict[str, "Diagnosis | None"]):
    """Diagnoses by device ids: None for devices that are connected. A dict, which also says what is not known."""

    unsettled: tuple[str, ...]
    """Ids of devices that were waited for in vain: neither connected, nor is it known why."""

    def __init__(self, diagnoses: Mapping[str, Diagnosis | None], unsettled: tuple[str, ...] = ()) -> None:
        super().__init__(diagnoses)
        self.unsettled = unsettled


class Queried(dict[str, Json]):
    """The DPs that a device told when it was asked: a dict, which also says what it lacks."""

    missing: tuple[int, ...]
    """The DPs that were named and were not told."""
    partial: bool
    """Whether the device may have more DPs than these.

    device22 firmware, which includes 3.2, tells those alone that it is asked for.
    """

    def __init__(self, dps: Mapping[str, Json], missing: tuple[int, ...] = (), partial: bool = False) -> None:
        super().__init__(dps)
        self.missing = missing
        self.partial = partial


@dataclass(frozen=True, eq=False)
class Request(Record):
    """A request that reached a virtual device.

    Attributes:
        cmd: command number.
        name: name of the command, if it has one.
        seqno: sequence number.
        cid: the sub-device that it is for.
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
        data: the payload as it came.
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
        reconnects: those of them that came after another.
        failed_attempts: rounds of attempts that came to nothing.
        frames: valid frames received.
        bad_frames: frames that failed their check.
        ignored: frames that are our own, sent back, or came before.
        resyncs: how often bytes were skipped to find the next frame.
        sent: commands sent.
        acknowledged: commands that were answered.
        rejected: commands that the device refused.
        unanswered: commands that nothing answered in time.
        lost: commands whose connection ended first.
        lagged: events that slow listeners lost.
        unkept: values that `state` lacks because there was no room for them: see `memory_limit`.
        latency_p50: seconds from command to acknowledgement that half of the commands stayed below.
        latency_p99: the same for all but one in a hundred.
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
    unkept: int
    latency_p50: float | None
    latency_p99: float | None


class State(Mapping[str, Json]):
    """The DPs of a device as they were last heard, and whether that was on the present connection."""

    __slots__ = ("_ages", "_stale_dps", "_stale_reason", "_stale_text", "_values")

    def __init__(
        self,
        values: dict[str, Json],
        ages: dict[str, float],
        stale_dps: Iterable[str] = (),
        stale_reason: str | None = None,
        stale_text: str | None = None,
    ) -> None:
        self._values = values
        self._ages = ages
        self._stale_dps = frozenset(stale_dps)
        self._stale_reason = stale_reason
        self._stale_text = stale_text

    @property
    def is_fresh(self) -> bool:
        """Whether every DP was heard on the present connection, from an answer or from what the device pushed."""
        return self._stale_reason is None

    @property
    def stale_reason(self) -> str | None:
        """A name for programs of why this may be out of date; None when it is fresh.

        ``not_connected``, ``not_told`` (the device has not told its state since it is connected), ``partly`` (not all
        of the DPs: see ``stale_dps``), ``failed`` (it was asked in vain), ``sub_device_offline``.
        """
        return self._stale_reason

    @property
    def stale_text(self) -> str | None:
        """Why this may be out of date, in words; None when it is fresh."""
        return self._stale_text

    @property
    def stale_dps(self) -> frozenset[str]:
        """The DPs that were not heard on the present connection."""
        return self._stale_dps

    @property
    def ages(self) -> Mapping[str, float]:
        """Seconds since each DP was last heard."""
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
