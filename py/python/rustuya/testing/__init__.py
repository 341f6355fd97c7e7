"""Virtual devices, to test automations without hardware. :mod:`rustuya.testing.aio` is for asyncio.

For pytest, the fixtures ``virtual_device`` and ``session_virtual_device`` create them.
"""

from .._native import RequestReceiver, VirtualDevice, profile_names, quirk_names
from ..models import Request
from ..profiles import Profile
from ..quirks import Quirk

__all__ = ["PROFILES", "QUIRKS", "Profile", "Quirk", "Request", "RequestReceiver", "VirtualDevice"]

#: Every name that ``quirks`` takes, with its description. ``=N`` stands for a number.
QUIRKS: dict[str, str] = dict(quirk_names())

#: Every name that ``profile`` takes, with what it is.
PROFILES: dict[str, str] = dict(profile_names())
