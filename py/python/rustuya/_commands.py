"""What devices and sub-devices of :mod:`rustuya.aio` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Optional, overload

from . import _native
from ._loops import bridge_of_loop, finish

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .models import Queried, Reply
    from .typing import Dps, JsonLike

__all__ = ["Commands", "Wait"]

Wait = Optional[Literal["ack", "effect", "queue"]]


class Commands:
    """What devices and sub-devices have in common."""

    _verbs: _native.AsyncVerbs

    @overload
    async def status(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply: ...
    @overload
    async def status(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    async def status(self, *, wait: Wait = None, timeout: float | None = None) -> Reply | None:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.status(bridge, wait, timeout))

    async def query(self, dps: Iterable[int | str] | None = None, *, timeout: float | None = None) -> Queried:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.query(bridge, dps, timeout))

    @overload
    async def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply: ...
    @overload
    async def set_value(
        self,
        dp_id: int | str,
        value: JsonLike,
        *,
        wait: Literal["queue"] | None = None,
        timeout: float | None = None,
    ) -> None: ...
    async def set_value(
        self, dp_id: int | str, value: JsonLike, *, wait: Wait = None, timeout: float | None = None
    ) -> Reply | None:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.set_value(bridge, dp_id, value, wait, timeout))

    @overload
    async def set_dps(
        self,
        dps_dict: Dps,
        *,
        wait: Literal["ack", "effect"],
        timeout: float | None = None,
    ) -> Reply: ...
    @overload
    async def set_dps(
        self,
        dps_dict: Dps,
        *,
        wait: Literal["queue"] | None = None,
        timeout: float | None = None,
    ) -> None: ...
    async def set_dps(self, dps_dict: Dps, *, wait: Wait = None, timeout: float | None = None) -> Reply | None:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.set_dps(bridge, dps_dict, wait, timeout))

    @overload
    async def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["ack", "effect"], timeout: float | None = None
    ) -> Reply: ...
    @overload
    async def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Literal["queue"] | None = None, timeout: float | None = None
    ) -> None: ...
    async def update_dps(
        self, dp_ids: Iterable[int | str], *, wait: Wait = None, timeout: float | None = None
    ) -> Reply | None:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.update_dps(bridge, dp_ids, wait, timeout))
