"""Virtual devices: test automations without hardware.

With pytest, the fixture ``virtual_device`` makes as many as a test needs.
"""

from .._native import RequestReceiver, VirtualDevice, quirk_names
from ..models import Request
from ..quirks import Quirk

__all__ = ["QUIRKS", "Quirk", "Request", "RequestReceiver", "VirtualDevice"]

#: Every name that ``quirks`` takes, with what it does. ``=N`` stands for a number.
QUIRKS: dict[str, str] = dict(quirk_names())
