"""What can go wrong: one root, and a leaf for each thing that is to be done about it.

Every exception has a ``code``: the number that tinytuya gives such an error, 900 to 914.
"""

from __future__ import annotations

# As in `typing`, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .models import Diagnosis
    from .typing import Reason

__all__ = [
    "ClosedError",
    "CommandRejected",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "DeviceBusy",
    "DeviceNotFound",
    "DeviceOffline",
    "DeviceTimeout",
    "DiscoveryError",
    "DuplicateDevice",
    "ForkedError",
    "FrameError",
    "InvalidAddress",
    "InvalidDp",
    "InvalidId",
    "InvalidKey",
    "InvalidType",
    "InvalidValue",
    "InvalidVersion",
    "KeyOrVersionError",
    "NoEffect",
    "OutOfDescriptors",
    "PartialWrite",
    "PayloadError",
    "SubDeviceOffline",
    "TooLarge",
    "TuyaError",
    "WrongKey",
    "WrongVersion",
]


class TuyaError(Exception):
    """The root of everything that rustuya raises."""

    code: int = 906
    """Number of the error, as tinytuya numbers them."""
    device_id: str | None = None
    """The device that it is about, with ``/`` and the cid for a sub-device."""
    reason: Reason | None = None
    """Why there is no connection, where that is the cause: the ``reason`` of a :class:`rustuya.Diagnosis`."""
    diagnosis: Diagnosis | None = None
    """All that is known about that reason."""
    was_sent: bool = False
    """Whether the command was sent, so that it may have taken effect. One that was not can be repeated at once."""


class ConfigError(TuyaError, ValueError):
    """A device cannot be described like this."""

    code = 912


class InvalidId(ConfigError):
    """The id of a device or sub-device is unusable."""


class InvalidKey(ConfigError):
    """The local key does not have 16 characters."""

    code = 914


class InvalidVersion(ConfigError):
    """There is no such protocol version."""

    code = 914


class InvalidAddress(ConfigError):
    """This is no IP address."""


class DuplicateDevice(TuyaError, ValueError):
    """The manager has this very device already."""

    code = 912


class DeviceConflict(ConfigError):
    """The process has a connection to the device already, with another address, key, version or setting.

    One device has one connection per process: give the same settings, or change them with ``Manager.add`` or
    ``reconfigure``.
    """


class DeviceNotFound(TuyaError, LookupError):
    """A file does not list the device that was asked for, or lists several."""

    code = 912


class ConnectError(TuyaError, ConnectionError):
    """There is no usable connection."""

    code = 901


class KeyOrVersionError(ConnectError):
    """Local key or version must be corrected."""

    code = 914


class WrongKey(KeyOrVersionError):
    """The local key must be fetched again."""


class WrongVersion(KeyOrVersionError):
    """The device speaks another version."""


class DeviceBusy(ConnectError):
    """Another client holds the device, or too many commands wait for it."""


class DeviceOffline(ConnectError):
    """Check address, power and Wi-Fi."""

    code = 905


class OutOfDescriptors(ConnectError):
    """This process, or the system, is out of file descriptors. It says nothing about the device."""


class SubDeviceOffline(DeviceOffline):
    """The gateway does not reach the sub-device: check its battery and reach."""


class ConnectionLost(ConnectError):
    """The connection ended before the answer. The command may have taken effect."""


class DeviceTimeout(TuyaError, TimeoutError):
    """No answer in time. The command may have taken effect."""

    code = 902


class CommandRejected(TuyaError):
    """The device refused the command."""

    code = 904
    text: str = ""
    """The device's own words."""
    retcode: int | None = None
    """The return code of the refusal."""


class NoEffect(TuyaError):
    """The device took the write (``wait="effect"``), but shows something else, or nothing, of what was written."""

    code = 904
    wanted: dict[str, object] = {}
    """The DPs that were written."""
    shown: dict[str, object] = {}
    """Those of them that the device shows, with the values that it shows."""


class PartialWrite(TuyaError):
    """A write of several DPs went out in parts that ended differently: ask for the state before it is repeated.

    ``code`` is that of ``cause``.
    """

    code = 904
    acknowledged: list[int] = []
    """The DPs whose write the device has acknowledged."""
    uncertain: list[int] = []
    """The DPs that were sent and not acknowledged. Their write may have taken effect."""
    failed: list[int] = []
    """The DPs that the device refused, or that were not sent."""
    cause: TuyaError | None = None
    """The first failure."""


class PayloadError(TuyaError):
    """What was received, or was to be sent, makes no sense."""

    code = 904


class InvalidDp(PayloadError, ValueError):
    """DPs are numbers from 0 to 65535."""

    code = 903
    dp: object = None
    """What was given instead."""


class InvalidValue(PayloadError, ValueError):
    """The value cannot be carried by JSON, or is no map of DPs."""

    code = 903


class InvalidType(PayloadError, TypeError):
    """A value of this type cannot be carried by JSON."""

    code = 912


class TooLarge(PayloadError, ValueError):
    """The request exceeds what devices accept: send fewer DPs at once. Or the answer exceeds ``receive_limit``: raise
    that."""

    code = 903
    size: int | None = None
    """Bytes of the answer, where that is too large."""
    limit: int | None = None
    """Bytes that it was allowed to have."""


class FrameError(PayloadError, ValueError):
    """Bytes are no valid frame under this key and version."""


class DiscoveryError(TuyaError, OSError):
    """Announcements of devices cannot be received."""

    code = 901


class ClosedError(TuyaError, RuntimeError):
    """The device, manager or engine has ended."""


class ForkedError(ClosedError):
    """This process is a forked child of one in which rustuya was in use."""
