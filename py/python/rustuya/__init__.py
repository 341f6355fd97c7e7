"""Tuya smart-home devices on the local network.

``import rustuya`` is for threads; :mod:`rustuya.aio` has the same classes for asyncio, :mod:`rustuya.entities` the
lights, switches and sensors that devices have, :mod:`rustuya.cloud` fetches local keys, :mod:`rustuya.testing` has
virtual devices, :mod:`rustuya.codec` frames for tools, :mod:`rustuya.typing` types for annotations.
"""

from __future__ import annotations

import atexit as _atexit
import os as _os
import threading as _threading
from abc import ABCMeta as _ABCMeta
from collections.abc import Mapping as _Mapping
from importlib import import_module as _import_module

from . import (
    _interpreter,  # noqa: F401  # pyright: ignore[reportUnusedImport]  # first: refuses to run in a subinterpreter
    _native,
)
from ._native import (
    ChangeReceiver,
    Device,
    DeviceEvent,
    DeviceMessageReceiver,
    Manager,
    ManagerEvent,
    ManagerEventReceiver,
    Scanner,
    ScanReceiver,
    SubDevice,
    Subscription,
    SweepReceiver,
    configure,
)
from .exceptions import (
    ClosedError,
    CloudAccountError,
    CloudAddressError,
    CloudAnswerError,
    CloudBusy,
    CloudClockError,
    CloudCredentialsError,
    CloudError,
    CloudLoginError,
    CloudPlanExpired,
    CloudQuotaUsed,
    CloudServiceError,
    CloudTokenError,
    CloudUnreachable,
    CodeNotScanned,
    CommandRejected,
    ConfigError,
    ConnectError,
    ConnectionLost,
    DeviceBusy,
    DeviceConflict,
    DeviceNotFound,
    DeviceOffline,
    DeviceTimeout,
    DiscoveryError,
    DuplicateDevice,
    ForkedError,
    FrameError,
    InvalidAddress,
    InvalidDp,
    InvalidId,
    InvalidKey,
    InvalidType,
    InvalidValue,
    InvalidVersion,
    KeyOrVersionError,
    NoEffect,
    NoSuchEntity,
    OutOfDescriptors,
    PartialWrite,
    PayloadError,
    SubDeviceOffline,
    TooLarge,
    TuyaError,
    UnknownState,
    Unsupported,
    WrongKey,
    WrongVersion,
)

# As in `typing`, which takes longer to import than this package.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from .commands import CommandType
    from .logs import set_frame_log, set_log_callback, set_log_level
    from .models import (
        Description,
        DeviceConfig,
        DeviceInfo,
        Diagnosis,
        DiscoveredDevice,
        Json,
        Metrics,
        QueryReply,
        Reply,
        Settled,
        State,
        SweepEvent,
    )
    from .settings import Pacing, Timing
else:
    # Imported on demand: few programs need them, and dataclasses and logging take longer to import than the rest.
    _LAZY = {
        "CommandType": "commands",
        "set_frame_log": "logs",
        "set_log_callback": "logs",
        "set_log_level": "logs",
        "Description": "models",
        "DeviceConfig": "models",
        "DeviceInfo": "models",
        "Diagnosis": "models",
        "DiscoveredDevice": "models",
        "Json": "models",
        "Metrics": "models",
        "QueryReply": "models",
        "Settled": "models",
        "Reply": "models",
        "State": "models",
        "SweepEvent": "models",
        "Pacing": "settings",
        "Timing": "settings",
    }

    def __getattr__(name: str) -> object:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(_import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__: str = _native.__VERSION__

__all__ = [
    "ChangeReceiver",
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
    "CommandType",
    "ConfigError",
    "ConnectError",
    "ConnectionLost",
    "Description",
    "Device",
    "DeviceBusy",
    "DeviceConfig",
    "DeviceConflict",
    "DeviceEvent",
    "DeviceInfo",
    "DeviceMessageReceiver",
    "DeviceNotFound",
    "DeviceOffline",
    "DeviceTimeout",
    "Diagnosis",
    "DiscoveredDevice",
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
    "Json",
    "KeyOrVersionError",
    "Manager",
    "ManagerEvent",
    "ManagerEventReceiver",
    "Metrics",
    "NoEffect",
    "NoSuchEntity",
    "OutOfDescriptors",
    "Pacing",
    "PartialWrite",
    "PayloadError",
    "QueryReply",
    "Reply",
    "ScanReceiver",
    "Scanner",
    "Settled",
    "State",
    "SubDevice",
    "SubDeviceOffline",
    "Subscription",
    "SweepEvent",
    "SweepReceiver",
    "Timing",
    "TooLarge",
    "TuyaError",
    "UnknownState",
    "Unsupported",
    "WrongKey",
    "WrongVersion",
    "__version__",
    "configure",
    "set_frame_log",
    "set_log_callback",
    "set_log_level",
]

_ABCMeta.register(_Mapping, DeviceEvent)  # pyright: ignore[reportArgumentType]  # protocols hide their metaclass

# Runs before threads are joined, so that those blocked in a listener return; where that is not possible, at exit.
_atexit.register(_native.left)
getattr(_threading, "_register_atexit", _atexit.register)(_native.leave)
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_native.forked)
