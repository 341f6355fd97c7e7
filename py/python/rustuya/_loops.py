"""What event loops and the engine have to do with each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, Union

from . import _native

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from typing_extensions import Self

__all__ = ["Receiver", "bridge_of_loop", "finish", "subscribe"]

Event_co = TypeVar("Event_co", covariant=True)
T = TypeVar("T")
Begun = Union["Awaitable[T]", "tuple[T]"]

_ATTRIBUTE = "_rustuya_bridge"
_FAIR_SHARE = 128


def bridge_of_loop() -> _native.LoopBridge:
    """The bridge of the running loop: an attribute of the loop, so that it ends with it."""
    loop = asyncio.get_running_loop()
    bridge = getattr(loop, _ATTRIBUTE, None)
    if bridge is None:
        bridge = _native.LoopBridge.attach(loop)
        setattr(loop, _ATTRIBUTE, bridge)
    return bridge


async def finish(bridge: _native.LoopBridge, begun: Begun[T]) -> T:
    if isinstance(begun, tuple):
        return begun[0]
    try:
        return await begun
    except BaseException:
        bridge.cancel(begun)
        raise


class _Source(Protocol[Event_co]):
    """A receiver of the synchronous face."""

    def try_recv(self) -> Event_co | None: ...
    def close(self) -> None: ...
    def _ready(self, bridge: _native.LoopBridge) -> Begun[None]: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def missed(self) -> int: ...


class Receiver(Generic[Event_co]):
    """What happens, from the moment this was made. An asynchronous iterator."""

    def __init__(self, source: _Source[Event_co]) -> None:
        self._source = source
        self._turns = 0

    async def recv(self, timeout: float | None = None) -> Event_co | None:
        """The next event; None after ``timeout`` seconds, or when nothing will come any more."""
        event = await self._next_now()
        if event is not None or self._source.is_closed:
            return event
        if timeout is None:
            return await self._next()
        try:
            return await asyncio.wait_for(self._next(), timeout)
        except asyncio.TimeoutError:
            return None

    def try_recv(self) -> Event_co | None:
        """The next event if there is one already."""
        return self._source.try_recv()

    def close(self) -> None:
        """Ends this receiver."""
        self._source.close()

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._source.is_closed

    @property
    def missed(self) -> int:
        """How many events were lost because they were not taken in time."""
        return self._source.missed

    async def _next_now(self) -> Event_co | None:
        self._turns += 1
        if self._turns >= _FAIR_SHARE:
            self._turns = 0
            await asyncio.sleep(0)
        return self._source.try_recv()

    async def _next(self) -> Event_co | None:
        bridge = bridge_of_loop()
        while True:
            # What is awaited is only the news that there is something, so that nothing is lost with a cancelled task.
            await finish(bridge, self._source._ready(bridge))
            event = self._source.try_recv()
            if event is not None or self._source.is_closed:
                return event

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event_co:
        event = await self._next_now()
        if event is None:
            event = await self._next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.close()


async def _deliver(receiver: Receiver[T], callback: Callable[[T], object]) -> None:
    async for event in receiver:
        try:
            callback(event)
        except Exception as error:
            context = {"message": "a rustuya callback failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


def subscribe(receiver: Receiver[T], callback: Callable[[T], object]) -> Callable[[], None]:
    task = asyncio.get_running_loop().create_task(_deliver(receiver, callback))

    def unsubscribe() -> None:
        receiver.close()
        task.cancel()

    return unsubscribe
