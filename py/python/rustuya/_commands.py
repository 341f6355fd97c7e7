"""Commands that devices and sub-devices of :mod:`rustuya.aio` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Optional, overload

from . import _native
from ._loops import bridge_of_loop, finish

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .models import QueryReply, Reply
    from .typing import Dps, JsonLike

__all__ = ["Commands", "Wait"]

Wait = Optional[Literal["ack", "effect", "queue"]]


class Commands:
    """Commands that devices and sub-devices share."""

    _verbs: _native.AsyncVerbs

    @overload
    async def status(self, *, wait: Literal["ack", "effect"], timeout: float | None = None) -> Reply: ...
    @overload
    async def status(self, *, wait: Literal["queue"] | None = None, timeout: float | None = None) -> None: ...
    async def status(self, *, wait: Wait = None, timeout: float | None = None) -> Reply | None:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.status(bridge, wait, timeout))

    async def query(self, dps: Iterable[int | str] | None = None, *, timeout: float | None = None) -> QueryReply:
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
        bridge = bridge_of_loop()
        return await finish(bridge, self._verbs.update_dps(bridge, dp_ids, wait, timeout))
