"""Exceptions: one root, and one class for each way to correct the error.

Every exception has a ``code``: tinytuya's number of the error, 900 to 914.
"""

from __future__ import annotations

# As in `typing`, which takes long to import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .models import Diagnosis
    from .typing import Reason

__all__ = [
    "ClosedError",
    "CloudAccountError",
    "CloudAddressError",
    "CloudAnswerError",
    "CloudBusy",
    "CloudClockError",
    "CloudCredentialsError",
    "CloudError",
    "CloudLoginError",
    "CloudPlanExpired",
    "CloudQuotaUsed",
    "CloudServiceError",
    "CloudTokenError",
    "CloudUnreachable",
    "CodeNotScanned",
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
    "NoSuchEntity",
    "OutOfDescriptors",
    "PartialWrite",
    "PayloadError",
    "SubDeviceOffline",
    "TooLarge",
    "TuyaError",
    "UnknownState",
    "Unsupported",
    "WrongKey",
    "WrongVersion",
]


class TuyaError(Exception):
    """Root of all exceptions of rustuya."""

    code: int = 906
    """tinytuya's number of the error."""
    device_id: str | None = None
    """Id of the device, with ``/`` and the cid for a sub-device."""
    reason: Reason | None = None
    """Why there is no connection, if that is the cause: the ``reason`` of a :class:`rustuya.Diagnosis`."""
    diagnosis: Diagnosis | None = None
    """The diagnosis with that reason."""
    was_sent: bool = False
    """True if the command was sent, so that it may have taken effect. An unsent command can be repeated at once."""


class ConfigError(TuyaError, ValueError):
    """The description of a device is invalid."""

    code = 912


class InvalidId(ConfigError):
    """The id of a device or sub-device is invalid."""


class InvalidKey(ConfigError):
    """The local key does not have 16 characters."""

    code = 914


class InvalidVersion(ConfigError):
    """There is no such protocol version."""

    code = 914


class InvalidAddress(ConfigError):
    """The address is not an IP address or a host name."""


class DuplicateDevice(TuyaError, ValueError):
    """The manager already has this device."""

    code = 912


class DeviceConflict(ConfigError):
    """The process is already connected to the device, with another address, key, version or setting.

    One device has one connection per process: give the same settings, or change them with ``Manager.add`` or
    ``reconfigure``.
    """


class DeviceNotFound(TuyaError, LookupError):
    """A file does not list the wanted device, or lists several with this name."""

    code = 912


class NoSuchEntity(TuyaError, LookupError):
    """The device has no entity of this kind or id. The text names those that it has."""

    code = 907


class UnknownState(TuyaError, RuntimeError):
    """The state that a verb starts from is not known, such as that of a switch that is toggled."""

    code = 906


class ConnectError(TuyaError, ConnectionError):
    """There is no usable connection."""

    code = 901


class KeyOrVersionError(ConnectError):
    """The local key or the version is wrong: correct them."""

    code = 914


class WrongKey(KeyOrVersionError):
    """The local key is wrong: fetch it again."""


class WrongVersion(KeyOrVersionError):
    """The device speaks another version."""


class DeviceBusy(ConnectError):
    """Another client is connected to the device, or too many commands wait for it."""


class DeviceOffline(ConnectError):
    """The device is not reachable: check address, power and Wi-Fi."""

    code = 905


class OutOfDescriptors(ConnectError):
    """This process, or the system, is out of file descriptors. The device may be fine."""


class SubDeviceOffline(DeviceOffline):
    """The gateway does not reach the sub-device: check its battery and distance."""


class ConnectionLost(ConnectError):
    """The connection ended before the answer. The command may have taken effect."""


class DeviceTimeout(TuyaError, TimeoutError):
    """No answer in time. The command may have taken effect."""

    code = 902


class CommandRejected(TuyaError):
    """The device refused the command."""

    code = 904
    text: str = ""
    """The device's error text."""
    retcode: int | None = None
    """The return code of the refusal."""


class NoEffect(TuyaError):
    """The device acknowledged the write (``wait="effect"``), but reports other values, or none, for the written DPs."""

    code = 904
    wanted: dict[str, object] = {}
    """The written DPs with their values."""
    shown: dict[str, object] = {}
    """Those of them that the device reports, with the reported values."""


class PartialWrite(TuyaError):
    """A write of several DPs was sent in parts with different results: query the state before you repeat it.

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
    """A received or sent payload is invalid."""

    code = 904


class InvalidDp(PayloadError, ValueError):
    """An argument is not a DP number, 0 to 65535."""

    code = 903
    dp: object = None
    """The invalid argument."""


class InvalidValue(PayloadError, ValueError):
    """The value is not valid in JSON, or is not a map of DPs."""

    code = 903


class Unsupported(InvalidValue):
    """The entity has no such setting, or is only reported. The text names the settings that it has."""

    code = 907


class InvalidType(PayloadError, TypeError):
    """An argument or value is of the wrong type."""

    code = 912


class TooLarge(PayloadError, ValueError):
    """The request exceeds what devices accept: send fewer DPs at once. Or the answer exceeds ``receive_limit``: raise
    that."""

    code = 903
    size: int | None = None
    """Size of the answer in bytes, if that is too large."""
    limit: int | None = None
    """Largest allowed size of the answer, in bytes."""


class FrameError(PayloadError, ValueError):
    """Bytes are not a valid frame of this key and version."""


class DiscoveryError(TuyaError, OSError):
    """Announcements of devices cannot be received."""

    code = 901


class ClosedError(TuyaError, RuntimeError):
    """The device, manager or engine has ended."""


class ForkedError(ClosedError):
    """This process is a forked child of one in which rustuya was in use."""


class CloudError(TuyaError):
    """The vendor's cloud did not give the local keys. The text ends with the advice."""

    code = 913
    advice: str = ""
    """How to correct it."""
    cloud_code: int | None = None
    """The cloud's number of the error, if the cloud refused."""
    tid: str | None = None
    """The number by which the vendor's support finds the request, if the cloud refused."""
    tried: dict[str, CloudError] = {}
    """If several data centres were tried: their names and errors. The class is that of the error that says most."""


class CloudUnreachable(CloudError, ConnectionError):
    """The cloud did not answer: check the connection to the internet, the proxy and its certificate."""

    code = 901


class CloudAnswerError(CloudError):
    """The answer is not the cloud's, or is incomplete: check the proxy and the endpoint, or report it."""

    code = 910


class CloudBusy(CloudError):
    """The cloud had too many requests, again and again: wait some minutes."""


class CloudCredentialsError(CloudError):
    """The Access ID or the Access Secret is wrong, or the project is in another data centre."""

    code = 909


class CloudTokenError(CloudError):
    """Another program keeps fetching tokens for the same project: stop it, or make a second project."""

    code = 911


class CloudClockError(CloudError):
    """The cloud does not accept this computer's clock: set it."""


class CloudAccountError(CloudError):
    """The project has no devices of the account: link the account of the home's owner, in its data centre."""


class CloudAddressError(CloudError):
    """The project's IP allowlist does not have this network's address: add it, or switch the list off."""


class CloudServiceError(CloudError):
    """The project has no right to the call: subscribe its service, and authorize the project."""


class CloudPlanExpired(CloudServiceError):
    """The trial of the service is over, or the data centre is switched off for the project."""


class CloudQuotaUsed(CloudServiceError):
    """The calls of the month are used up: wait for the next one, or make a second project."""


class CloudLoginError(CloudError):
    """The login with a QR code was refused, or has ended: check client id, schema and user code, and begin again."""

    code = 911


class CodeNotScanned(CloudLoginError, TimeoutError):
    """Nobody scanned the QR code in time."""

    code = 902
