"""Bridge between event loops and the engine."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401  # pyright: ignore[reportUnusedImport]  # see the end of this file
import contextlib
import inspect
import threading
import weakref
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, Union

from . import _native
from .exceptions import ClosedError, InvalidType, InvalidValue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from typing_extensions import Self

__all__ = ["Receiver", "bridge_of_loop", "finish", "subscribe"]

Event_co = TypeVar("Event_co", covariant=True)
T = TypeVar("T")
Started = Union["Awaitable[T]", "tuple[T]"]

_ATTRIBUTE = "_rustuya_bridge"
_END = "_rustuya_end"
_FAIR_SHARE = 128


def bridge_of_loop() -> _native.LoopBridge:
    """Returns the bridge of the running loop: an attribute of the loop, so that it ends with it."""
    loop = asyncio.get_running_loop()
    bridge = getattr(loop, _ATTRIBUTE, None)
    if bridge is None:
        bridge = _native.LoopBridge.attach(loop)
        setattr(loop, _ATTRIBUTE, bridge)
    return bridge


class _Releasable(Protocol):
    def _release(self) -> None: ...


class _LoopEnd:
    """Releases the receivers of a loop when the loop ends.

    A thread of the loop's executor may wait in one of them, and `asyncio.run` joins that thread. It closes asynchronous
    generators before: the only public hook for the end of a loop.
    """

    def __init__(self) -> None:
        # Not a `WeakSet`: it runs Python code while a receiver is freed, where the interpreter must not end.
        self._receivers: list[weakref.ref[_Releasable]] = []
        self._next_cleanup = 64
        self._generator = self._wait()
        # Runs to the `yield`: from then on the loop knows the generator.
        with contextlib.suppress(StopIteration):
            next(self._generator.__anext__().__await__())

    def add(self, receiver: _Releasable) -> None:
        if len(self._receivers) >= self._next_cleanup:
            self._receivers = [known for known in self._receivers if known() is not None]
            self._next_cleanup = max(64, 2 * len(self._receivers))
        self._receivers.append(weakref.ref(receiver))

    async def _wait(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            for known in self._receivers:
                receiver = known()
                if receiver is not None:
                    receiver._release()


def end_with_loop(receiver: _Releasable) -> None:
    """Ends the waits of threads in this receiver when the running loop ends. Does nothing without a loop."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    end = getattr(loop, _END, None)
    if end is None:
        end = _LoopEnd()
        setattr(loop, _END, end)
    end.add(receiver)


async def finish(bridge: _native.LoopBridge, started: Started[T]) -> T:
    if isinstance(started, tuple):
        return started[0]
    try:
        return await started
    except BaseException:
        bridge.cancel(started)
        raise


def check_seconds(timeout: object) -> None:
    """Refuses a timeout that is not a number of seconds."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise InvalidType(f"timeout must be a number of seconds, or None, not {type(timeout).__name__}")
    if timeout != timeout:
        raise InvalidValue("timeout must be a number of seconds, or None")


class _Source(Protocol[Event_co]):
    """A receiver of the synchronous classes."""

    def try_recv(self) -> Event_co | None: ...
    def close(self) -> None: ...
    def _ready(self, bridge: _native.LoopBridge, timeout: float | None = None) -> Started[None]: ...
    @property
    def is_closed(self) -> bool: ...
    @property
    def missed(self) -> int: ...


class Receiver(Generic[Event_co]):
    """Asynchronous iterator over the events since the receiver was made."""

    def __init__(self, source: _Source[Event_co]) -> None:
        self._source = source
        self._turns = 0

    async def recv(self, timeout: float | None = None) -> Event_co | None:
        """Waits for the next event.

        Args:
            timeout: seconds to wait; None for no limit.

        Returns:
            The event, or None after the time limit.

        Raises:
            ClosedError: the receiver has ended.
            InvalidType, InvalidValue: the timeout is not a number.
        """
        check_seconds(timeout)
        event = await self._next_now()
        if event is None and not self._source.is_closed:
            event = await self._next(timeout)
        if event is None and self._source.is_closed:
            raise ClosedError("the receiver has ended: it, its device or its manager was closed")
        return event

    def try_recv(self) -> Event_co | None:
        """Returns the next event if there is one, else None."""
        return self._source.try_recv()

    def close(self) -> None:
        """Ends this receiver."""
        self._source.close()

    @property
    def is_closed(self) -> bool:
        """True if the receiver has ended."""
        return self._source.is_closed

    @property
    def missed(self) -> int:
        """Number of events lost because they were not taken in time."""
        return self._source.missed

    async def _next_now(self) -> Event_co | None:
        self._turns += 1
        if self._turns >= _FAIR_SHARE:
            self._turns = 0
            await asyncio.sleep(0)
        return self._source.try_recv()

    async def _next(self, timeout: float | None = None) -> Event_co | None:
        bridge = bridge_of_loop()
        now = asyncio.get_running_loop().time
        ends = None if timeout is None else now() + timeout
        while True:
            left = None if ends is None else max(ends - now(), 0)
            # Awaits only the readiness, so that a cancelled task loses no event. Not with `asyncio.wait_for`, which
            # loses cancellations up to Python 3.11.
            await finish(bridge, self._source._ready(bridge, left))
            event = self._source.try_recv()
            if event is not None or self._source.is_closed or (ends is not None and now() >= ends):
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
            result = callback(event)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            context = {"message": "a rustuya callback failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


def subscribe(listener: Callable[[], Receiver[T]], callback: Callable[[T], object]) -> Callable[[], None]:
    _native.check_callback(callback)
    receiver = listener()
    task = asyncio.get_running_loop().create_task(_deliver(receiver, callback))

    def unsubscribe() -> None:
        receiver.close()
        # A callback that ends its own subscription must not be cancelled in the middle.
        if asyncio.current_task() is not task:
            task.cancel()

    return unsubscribe


# Exit functions run in reverse order of registration: waits in loops end before executors join the threads that run
# them. A wait outside of loops notices the end by itself. If the interpreter is ending already, there is nothing to do.
with contextlib.suppress(RuntimeError):
    getattr(threading, "_register_atexit", atexit.register)(_native.leave)
