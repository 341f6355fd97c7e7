"""Fixtures for pytest: ``virtual_device``, ``aio_virtual_device``, ``session_virtual_device``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from . import VirtualDevice, aio


@contextmanager
def _factory() -> Generator[Callable[..., VirtualDevice], None, None]:
    # Imported on demand: pytest loads this plugin in every run.
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


@pytest.fixture
def virtual_device() -> Iterator[Callable[..., VirtualDevice]]:
    """Creates virtual devices with the arguments of ``VirtualDevice``; they end with the test."""
    with _factory() as make:
        yield make


@pytest.fixture
def aio_virtual_device() -> Iterator[Callable[..., aio.VirtualDevice]]:
    """Creates virtual devices for asyncio, with the same arguments; they end with the test."""
    from . import aio

    with _factory() as make:
        yield lambda *args, **kwargs: aio.VirtualDevice.of(make(*args, **kwargs))


@pytest.fixture(scope="session")
def session_virtual_device() -> Iterator[Callable[..., VirtualDevice]]:
    """Creates virtual devices with the arguments of ``VirtualDevice``; they end with the session. Each process of
    pytest-xdist has its own.
    """
    with _factory() as make:
        yield make
