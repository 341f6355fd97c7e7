"""The pytest fixture ``virtual_device``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from . import VirtualDevice


@pytest.fixture
def virtual_device() -> Iterator[Callable[..., VirtualDevice]]:
    """Makes virtual devices with the arguments of ``VirtualDevice``; they end with the test."""
    from . import VirtualDevice

    made: list[VirtualDevice] = []

    def make(*args: Any, **kwargs: Any) -> VirtualDevice:
        device = VirtualDevice(*args, **kwargs)
        made.append(device)
        return device

    yield make
    for device in made:
        device.stop()
    for device in made:
        if device.strict:
            device.check()
