"""Virtual devices: test automations without hardware.

With pytest, the fixture ``virtual_device`` makes as many as a test needs.
"""

from .._native import RequestReceiver, VirtualDevice
from ..models import Request

__all__ = ["Request", "RequestReceiver", "VirtualDevice"]
