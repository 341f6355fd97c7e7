"""Virtual devices for asyncio: ``async with``, ``await``, ``async for``.

The pytest fixture ``aio_virtual_device`` makes as many as a test needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _native
from .._loops import Receiver, bridge_of_loop, finish
from ..aio import Device
from ..exceptions import InvalidType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

    from ..models import Json, Request
    from ..profiles import Profile
    from ..quirks import Quirk
    from ..typing import Dps, RejectedWrite

__all__ = ["VirtualDevice"]


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

    def __init__(
        self,
        id: str = "virtual-device",
        local_key: str = "0123456789abcdef",
        version: str | float | None = None,
        *,
        dps: Dps | None = None,
        subs: Mapping[str, Dps] | None = None,
        dev_type: str | None = None,
        quirks: Iterable[Quirk | str] = (),
        bind: str = "127.0.0.1:0",
        announce_to: Iterable[tuple[str, int]] = (),
        announce_every: float = 5.0,
        product_key: str | None = None,
        probes: tuple[str, int] | None = None,
        max_clients: int = 3,
        idle: float = 30.0,
        schema: Dps | None = None,
        offline: Iterable[str] = (),
        strict: bool = False,
        profile: Profile | str | None = None,
        speed: int = 1,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        self._native = _native.VirtualDevice(
            id,
            local_key,
            version,
            dps=dps,
            subs=subs,
            dev_type=dev_type,
            quirks=quirks,
            bind=bind,
            announce_to=announce_to,
            announce_every=announce_every,
            product_key=product_key,
            probes=probes,
            max_clients=max_clients,
            idle=idle,
            schema=schema,
            offline=offline,
            strict=strict,
            profile=profile,
            speed=speed,
            seed=seed,
            name=name,
        )

    @classmethod
    def of(cls, device: _native.VirtualDevice) -> Self:
        """Wraps a virtual device of the synchronous class: the same device.

        Args:
            device: a `rustuya.testing.VirtualDevice`.

        Raises:
            InvalidType: it is none.
        """
        if not isinstance(device, _native.VirtualDevice):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidType(f"device must be a rustuya.testing.VirtualDevice, not {type(device).__name__}")
        this = cls.__new__(cls)
        this._native = device
        return this

    @property
    def sync(self) -> _native.VirtualDevice:
        """The synchronous object of the same device."""
        return self._native

    @property
    def id(self) -> str:
        """The device id."""
        return self._native.id

    @property
    def local_key(self) -> str:
        """The local key that controllers need."""
        return self._native.local_key

    @property
    def version(self) -> str:
        """The protocol version."""
        return self._native.version

    @property
    def address(self) -> str:
        """The address that it listens on: IP address and port, in the form that `Device` takes."""
        return self._native.address

    @property
    def ip(self) -> str:
        """The IP address alone."""
        return self._native.ip

    @property
    def port(self) -> int:
        """The TCP port alone."""
        return self._native.port

    @property
    def probe_address(self) -> tuple[str, int] | None:
        """The address where it receives probes, or None."""
        return self._native.probe_address

    @property
    def config(self) -> dict[str, Any]:
        """Arguments for `Device(**virtual.config)` or `Manager.add(**virtual.config)`: a new dict with `id`,
        `address`, `local_key`, `version`, `port` and `dev_type`.
        """
        return self._native.config

    @property
    def profile(self) -> str | None:
        """The name of its profile, or None."""
        return self._native.profile

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Its entries in a `devices.json`, and those of its sub-devices: a new list of dicts with address, local key and, with
        a profile, `mapping`.
        """
        return self._native.entries

    @property
    def strict(self) -> bool:
        """True if it was made with `strict`."""
        return self._native.strict

    @property
    def rejected_writes(self) -> list[RejectedWrite]:
        """The first 1024 written values that the device did not accept: a list of dicts with `cid`, `dp`, `value` and
        `why`.
        """
        return self._native.rejected_writes

    @property
    def lost_pushes(self) -> int:
        """Number of pushes lost because controllers did not read: each connection queues 1024 at most."""
        return self._native.lost_pushes

    def device(self) -> Device:
        """Creates a `Device` for this device, with a connection of its own."""
        return Device.of(self._native.device())

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
        self._native.set_dps(dps, cid)

    def dps(self, cid: str | None = None) -> dict[str, Json]:
        """Returns the present DPs.

        Args:
            cid: the sub-device; None for the device itself.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        return self._native.dps(cid)

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
        self._native.set_online(cid, online)

    def check(self) -> None:
        """Raises AssertionError if a controller wrote a value that the device did not accept."""
        self._native.check()

    def requests(self) -> Receiver[Request]:
        """Creates a receiver of every request of every controller from now on."""
        return Receiver(self._native.requests())

    async def unplug(self) -> None:
        """Takes the device off the network until `plug()`."""
        bridge = bridge_of_loop()
        await finish(bridge, _native.AsyncVerbs.unplug(bridge, self._native))

    async def plug(self) -> None:
        """Puts the device back on the network, at the same address. Raises OSError when another program has taken the
        port.
        """
        bridge = bridge_of_loop()
        await finish(bridge, _native.AsyncVerbs.plug(bridge, self._native))

    async def stop(self) -> None:
        """Ends the device."""
        bridge = bridge_of_loop()
        await finish(bridge, _native.AsyncVerbs.stop(bridge, self._native))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        await self.stop()
        # An exception in the block is the cause; it must not be replaced by its consequence.
        if self.strict and kind is None:
            self.check()

    def __repr__(self) -> str:
        return repr(self._native)
