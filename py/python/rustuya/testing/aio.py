"""Virtual devices for programs of asyncio: ``async with``, ``await``, ``async for``.

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
    from ..quirks import Quirk
    from ..typing import Dps, UnfitWrite

__all__ = ["VirtualDevice"]


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
        )

    @classmethod
    def of(cls, device: _native.VirtualDevice) -> Self:
        """Makes the asyncio face of a virtual device of the synchronous one: the same device.

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
        """The synchronous face of this device: the same device."""
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
        """The version that it speaks."""
        return self._native.version

    @property
    def address(self) -> str:
        """Where it accepts controllers: IP address and port, as `Device` takes it."""
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
        """Where it hears requests for announcements, if it does."""
        return self._native.probe_address

    @property
    def config(self) -> dict[str, Any]:
        """What a controller needs, for `Device(**virtual.config)` or `Manager.add(**virtual.config)`: a new dict with `id`,
        `address`, `local_key`, `version`, `port` and `dev_type`.
        """
        return self._native.config

    @property
    def strict(self) -> bool:
        """Whether it was made with `strict`."""
        return self._native.strict

    @property
    def unfit(self) -> list[UnfitWrite]:
        """The values that controllers wrote and the device did not take, the first 1024 of them: a list of dicts with
        `cid`, `dp`, `value` and `why`.
        """
        return self._native.unfit

    @property
    def lost_pushes(self) -> int:
        """How many pushes controllers did not get because they did not read: 1024 wait for each connection at most."""
        return self._native.lost_pushes

    def device(self) -> Device:
        """A controller's handle of this device: a new connection."""
        return Device.of(self._native.device())

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
        self._native.set_dps(dps, cid)

    def dps(self, cid: str | None = None) -> dict[str, Json]:
        """The DPs that it has now.

        Args:
            cid: the sub-device whose DPs they are; None for the device's own.

        Raises:
            InvalidType, InvalidValue: an argument is of another type, or out of range.
        """
        return self._native.dps(cid)

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
        self._native.set_online(cid, online)

    def check(self) -> None:
        """Fails when a controller wrote what the device did not take."""
        self._native.check()

    def requests(self) -> Receiver[Request]:
        """Receives every request of every controller from now on."""
        return Receiver(self._native.requests())

    async def unplug(self) -> None:
        """Takes the device off the network, until it is plugged in again."""
        bridge = bridge_of_loop()
        await finish(bridge, _native.AsyncVerbs.unplug(bridge, self._native))

    async def plug(self) -> None:
        """Puts the device back on the network, at the same address. Raises OSError when another program has taken the port."""
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
        # What has failed already is told, not what came of it.
        if self.strict and kind is None:
            self.check()

    def __repr__(self) -> str:
        return repr(self._native)
