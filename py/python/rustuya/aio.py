"""The classes of :mod:`rustuya` for asyncio: ``await``, ``async with``, ``async for``.

Both faces share one engine: a manager here and one there hold the same connections. Nothing here blocks the loop or
starts a thread per device. Cancelling what is awaited is safe: a command that was not sent yet is not sent, one that
was takes effect, and no event is lost.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Literal, overload

from . import _native
from ._commands import Commands as _Commands
from ._commands import Wait as _Wait
from ._described import WithEntities as _WithEntities
from ._loops import Receiver, bridge_of_loop, finish, subscribe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from os import PathLike
    from types import TracebackType

    from typing_extensions import Self

    from .models import Description, DeviceInfo, Diagnosis, DiscoveredDevice, Metrics, Reply, Settled, State, SweepEvent
    from .settings import Pacing, Timing
    from .typing import DeviceType, JsonLike

__all__ = ["Device", "Manager", "Receiver", "Scanner", "SubDevice"]


class Device(_Commands, _WithEntities):
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
        address: str | None = "Auto",
        local_key: str | bytes | None = None,
        version: str | float | None = "Auto",
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
    ) -> None:
        if local_key is None:
            raise TypeError("missing required argument: 'local_key'")
        native = _native.Device(
            id,
            address,
            local_key,
            version,
            port=port,
            dev_type=dev_type,
            persist=persist,
            nowait=nowait,
            connection_timeout_sec=connection_timeout_sec,
            timeout=timeout,
            timing=timing,
            pacing=pacing,
            receive_limit=receive_limit,
            memory_limit=memory_limit,
            backlog_limit=backlog_limit,
            min_version=min_version,
            query_on_connect=query_on_connect,
            description=description,
        )
        self._adopt(native)

    def _adopt(self, native: _native.Device) -> None:
        self._native = native
        self._host = native
        self._verbs = _native.AsyncVerbs(native)

    @classmethod
    def of(cls, device: _native.Device) -> Self:
        """Wraps a device of the synchronous class: the same connection.

        Args:
            device: a `rustuya.Device`.

        Raises:
            InvalidType: it is none.
        """
        this = cls.__new__(cls)
        this._adopt(device)
        return this

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
        return cls.of(
            _native.Device.from_devices_file(
                path, name, id=id, address=address, version=version, overrides=overrides, profiles=profiles
            )
        )

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
        return self._native.remember(path)

    @property
    def sync(self) -> _native.Device:
        """The synchronous object of the same device, with the same connection and configuration."""
        return self._native

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
        self._native.reconfigure(
            address=address,
            local_key=local_key,
            version=version,
            port=port,
            dev_type=dev_type,
            persist=persist,
            nowait=nowait,
            connection_timeout_sec=connection_timeout_sec,
            timeout=timeout,
            timing=timing,
            pacing=pacing,
            receive_limit=receive_limit,
            memory_limit=memory_limit,
            backlog_limit=backlog_limit,
            min_version=min_version,
            query_on_connect=query_on_connect,
        )
        return self

    @property
    def id(self) -> str:
        """The device id."""
        return self._native.id

    @property
    def version(self) -> str:
        """The configured or detected version, "Auto" while it is unknown."""
        return self._native.version

    @property
    def address(self) -> str:
        """The configured or announced address, "Auto" while it is unknown."""
        return self._native.address

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._native.port

    @property
    def dev_type(self) -> DeviceType:
        """The dialect in use: "default" or "device22"."""
        return self._native.dev_type

    @property
    def is_connected(self) -> bool:
        """True if the connection is usable now."""
        return self._native.is_connected

    @property
    def is_closed(self) -> bool:
        """True if the device was closed. A closed device stays closed."""
        return self._native.is_closed

    @property
    def nowait(self) -> bool:
        """True if commands return as soon as they are queued."""
        return self._native.nowait

    @property
    def persist(self) -> bool:
        """True if the connection is kept while it is idle."""
        return self._native.persist

    @property
    def product_key(self) -> str | None:
        """The product id, once the device has announced it."""
        return self._native.product_key

    @property
    def last_seen(self) -> float | None:
        """Seconds since the device last sent anything."""
        return self._native.last_seen

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why the device is not connected, since its last connection; None while it is connected."""
        return self._native.diagnosis

    @property
    def state(self) -> State:
        """The DPs as last reported, with their ages, and whether that was on the present connection. Sends nothing."""
        return self._native.state

    @property
    def metrics(self) -> Metrics:
        """Counters since the device was made."""
        return self._native.metrics

    @overload
    async def request(
        self,
        command: int,
        data: Mapping[str, JsonLike] | None = None,
        cid: str | None = None,
        *,
        wait: Literal["ack", "effect"],
        timeout: float | None = None,
    ) -> Reply: ...
    @overload
    async def request(
        self,
        command: int,
        data: Mapping[str, JsonLike] | None = None,
        cid: str | None = None,
        *,
        wait: Literal["queue"] | None = None,
        timeout: float | None = None,
    ) -> None: ...
    async def request(
        self,
        command: int,
        data: Mapping[str, JsonLike] | None = None,
        cid: str | None = None,
        *,
        wait: _Wait = None,
        timeout: float | None = None,
    ) -> Reply | None:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.request(bridge, command, data, cid, wait, timeout))

    @overload
    async def sub_discover(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply: ...
    @overload
    async def sub_discover(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    async def sub_discover(self, *, wait: _Wait = None, timeout: float | None = None) -> Reply | None:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.sub_discover(bridge, wait, timeout))

    def sub(self, cid: str) -> SubDevice:
        """Returns a sub-device of this gateway by its cid.

        Args:
            cid: the sub-device's id at the gateway.

        Raises:
            InvalidId: this is not a valid cid.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        return SubDevice(self._native.sub(cid))

    def sub_devices(self) -> dict[str, bool | None]:
        """Returns the reported sub-devices by cid, and whether the gateway reaches them."""
        return self._native.sub_devices()

    async def detect_dps(self) -> list[int]:
        """Detects which DPs the device has.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            DeviceTimeout, ConnectionLost: there was no answer; the command may have taken effect.
            CommandRejected: the device refused it.
        """
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.detect_dps(bridge, self._native))

    async def wait_connected(self, timeout: float | None = 10.0) -> str:
        """Waits until the connection is usable. Returns its version.

        Args:
            timeout: seconds to wait; None for no limit.

        Raises:
            DeviceOffline, DeviceBusy, WrongKey, WrongVersion, KeyOrVersionError, ConnectError: there was no
                connection in time; the error names the reason.
            ClosedError: the device was closed.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.wait_connected(bridge, self._native, timeout))

    async def wait_ready(self, timeout: float | None = 10.0) -> State:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.wait_ready(bridge, self._native, timeout))

    def connect_now(self) -> None:
        """Starts to connect without the delay between attempts. Returns at once."""
        self._native.connect_now()

    def listener(self) -> Receiver[_native.DeviceEvent]:
        """Creates a receiver of the device's events from now on."""
        return Receiver(self._native.listener())

    def subscribe(self, callback: Callable[[_native.DeviceEvent], object]) -> Callable[[], None]:
        """Calls a function in the loop with every event.

        Args:
            callback: a function of one argument, the event; what an async function gives is awaited before the next
                event is told.

        Returns:
            A function without arguments, which ends that.

        Raises:
            InvalidType: the callback cannot be called.
            ClosedError: the interpreter is about to end.
        """
        return subscribe(self.listener, callback)

    async def close(self) -> None:
        """Ends the connection for all handles. A handle made by `Device(...)` only releases it: it ends unless a manager
        or another such handle holds the device. Listeners and subscriptions of that handle end in any case.
        """
        bridge = bridge_of_loop()
        await finish(bridge, self._verbs.close(bridge, self._native))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __eq__(self, other: object) -> bool:
        return self._native == other._native if isinstance(other, Device) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._native)

    def __repr__(self) -> str:
        return repr(self._native).replace("rustuya.", "rustuya.aio.", 1)


class SubDevice(_Commands, _WithEntities):
    """A device behind a gateway. Shares the connection and the configuration of the gateway, whose listeners receive
    its events, marked with its cid. Made by `Device.sub`.
    """

    def __init__(self, native: _native.SubDevice) -> None:
        self._native = native
        self._host = native
        self._verbs = _native.AsyncVerbs(native)

    @property
    def id(self) -> str:
        """Its cid."""
        return self._native.id

    @property
    def gateway(self) -> Device:
        """A handle of its gateway."""
        return Device.of(self._native.gateway)

    @property
    def is_online(self) -> bool | None:
        """True if the gateway reaches it, as last reported; None before the first report."""
        return self._native.is_online

    @property
    def state(self) -> State:
        """Its DPs as last reported, with their ages. Sends nothing."""
        return self._native.state

    def __eq__(self, other: object) -> bool:
        return self._native == other._native if isinstance(other, SubDevice) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._native)

    def __repr__(self) -> str:
        return repr(self._native).replace("rustuya.", "rustuya.aio.", 1)


class Manager:
    """Set of devices with one stream of events. All managers of a process share their devices' connections."""

    def __init__(self) -> None:
        self._native = _native.Manager()

    @staticmethod
    def maximize_fd_limit() -> None:
        """Raises the limit of open files to the maximum that the system allows. Does nothing on Windows.

        Raises:
            OSError: the system refuses the change.
        """
        _native.Manager.maximize_fd_limit()

    @staticmethod
    async def shutdown_all() -> None:
        """Ends every device of the process. Managers can be filled again afterwards."""
        bridge = bridge_of_loop()
        await finish(bridge, _native.AsyncVerbs.shutdown_all(bridge))

    def add(
        self,
        id: str,
        address: str | None = "Auto",
        local_key: str | bytes | None = None,
        version: str | float | None = "Auto",
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
        if local_key is None:
            raise TypeError("missing required argument: 'local_key'")
        device = self._native.add(
            id,
            address,
            local_key,
            version,
            port=port,
            dev_type=dev_type,
            persist=persist,
            nowait=nowait,
            connection_timeout_sec=connection_timeout_sec,
            timeout=timeout,
            timing=timing,
            pacing=pacing,
            receive_limit=receive_limit,
            memory_limit=memory_limit,
            backlog_limit=backlog_limit,
            min_version=min_version,
            query_on_connect=query_on_connect,
            description=description,
        )
        return Device.of(device)

    def get(self, id: str) -> Device | None:
        """Returns the device with this id, or None.

        Args:
            id: the device id, as text.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        device = self._native.get(id)
        return None if device is None else Device.of(device)

    def __getitem__(self, id: str) -> Device:
        return Device.of(self._native[id])

    def __contains__(self, id: object) -> bool:
        return id in self._native

    def __iter__(self) -> Iterator[str]:
        return iter(self._native)

    def __len__(self) -> int:
        return len(self._native)

    def __bool__(self) -> bool:
        return True

    def remove(self, id: str) -> bool:
        """Releases a device. Returns whether the manager had it.

        Args:
            id: the device id, as text.

        Returns:
            Whether the manager had it.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        return self._native.remove(id)

    def delete(self, id: str) -> bool:
        """Ends a device for all managers and handles. Returns whether the manager had it.

        Args:
            id: the device id, as text.

        Returns:
            Whether the manager had it.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        return self._native.delete(id)

    def clear(self) -> None:
        """Releases all devices."""
        self._native.clear()

    def list(self) -> builtins.list[DeviceInfo]:
        """Returns a `DeviceInfo` of each device, ordered by id."""
        return self._native.list()

    def devices(self) -> builtins.list[Device]:
        """Returns handles of all devices."""
        return [Device.of(device) for device in self._native.devices()]

    @property
    def metrics(self) -> Metrics:
        """Sums of the counters of all devices."""
        return self._native.metrics

    async def wait_settled(self, timeout: float | None = 10.0) -> Settled:
        """Waits until every device is connected and has answered the state query, if there was one, or has a diagnosis.

        Args:
            timeout: seconds to wait; None for no limit.

        Returns:
            A dict from ids to diagnoses, which are None for devices that are connected; its `unsettled` names
            those that were neither within the time limit.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        bridge = bridge_of_loop()
        return await finish(bridge, _native.AsyncVerbs.wait_settled(bridge, self._native, timeout))

    def listener(self) -> Receiver[_native.ManagerEvent]:
        """Creates a receiver of the events of all devices from now on."""
        return Receiver(self._native.listener())

    def subscribe(self, callback: Callable[[_native.ManagerEvent], object]) -> Callable[[], None]:
        """Calls a function in the loop with every event.

        Args:
            callback: a function of one argument, the event; what an async function gives is awaited before the next
                event is told.

        Returns:
            A function without arguments, which ends that.

        Raises:
            InvalidType: the callback cannot be called.
            ClosedError: the interpreter is about to end.
        """
        return subscribe(self.listener, callback)

    async def shutdown(self) -> None:
        """Ends this manager, its listeners, and every device that neither another manager nor a `Device(...)` holds."""
        bridge = bridge_of_loop()
        await finish(bridge, _native.AsyncVerbs.shutdown(bridge, self._native))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.shutdown()

    def __repr__(self) -> str:
        return repr(self._native).replace("rustuya.", "rustuya.aio.", 1)


class Scanner:
    """Finds devices on the local network. Every method that configures it returns it."""

    def __init__(self) -> None:
        self._native = _native.Scanner()

    def timeout(self, timeout_sec: float) -> Self:
        """Sets the duration of a scan, in seconds.

        Args:
            timeout_sec: duration of a scan, in seconds; 18 by default.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        self._native.timeout(timeout_sec)
        return self

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
        self._native.bind_address(address)
        return self

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
        self._native.broadcast_address(address)
        return self

    def ports(self, ports: tuple[int, int, int]) -> Self:
        """Sets the three UDP ports to listen on; 0 takes a free one.

        Args:
            ports: three UDP ports, instead of 6666, 6667 and 7000; 0 takes a free one.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        self._native.ports(ports)
        return self

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
        self._native.probe_to(addresses)
        return self

    def active(self, active: bool) -> Self:
        """Sets whether to probe for devices, or only to listen.

        Args:
            active: False to listen only.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        self._native.active(active)
        return self

    def trust_relayed(self, trust: bool) -> Self:
        """Sets whether to believe announcements whose sender is not the address that they name.

        Args:
            trust: True to believe relayed announcements.

        Returns:
            The scanner itself, so that calls can be chained.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        self._native.trust_relayed(trust)
        return self

    @property
    def relayed(self) -> list[DiscoveredDevice]:
        """The devices of the last scan() or discover() whose announcements all came from another address than they name."""
        return self._native.relayed

    @property
    def dropped(self) -> int:
        """Number of announcements that the last scan() or discover() dropped for lack of room; 0 on every real network."""
        return self._native.dropped

    async def scan(self) -> list[DiscoveredDevice]:
        """Scans, and returns all devices found.

        Raises:
            DiscoveryError: the UDP ports are taken.
        """
        bridge = bridge_of_loop()
        return await finish(bridge, _native.AsyncVerbs.scan(bridge, self._native))

    async def discover(self, id: str) -> DiscoveredDevice | None:
        """Scans until this device is found. Returns None if it is not.

        Args:
            id: the device id, as text.

        Raises:
            DiscoveryError: the UDP ports are taken.
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        bridge = bridge_of_loop()
        return await finish(bridge, _native.AsyncVerbs.discover(bridge, self._native, id))

    def stream(self) -> Receiver[DiscoveredDevice]:
        """Scans, and returns a receiver of the devices as they are found.

        Raises:
            DiscoveryError: the UDP ports are taken.
        """
        return Receiver(self._native.stream())

    def sweep(self, network: str, *, port: int = 6668, probe_port: int = 7000) -> Receiver[SweepEvent]:
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
        return Receiver(self._native.sweep(network, port=port, probe_port=probe_port))

    def __aiter__(self) -> Receiver[DiscoveredDevice]:
        return self.stream()
