"""Tests of the state without queries, its freshness, and waits that end with a diagnosis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import rustuya
from rustuya import aio
from rustuya.testing import RequestReceiver, VirtualDevice

from .conftest import next_of_kind


def queries(requests: RequestReceiver) -> int:
    names: list[str | None] = []
    while (request := requests.try_recv()) is not None:
        names.append(request.name)
    return sum(name in ("DpQuery", "DpQueryNew") for name in names)


@pytest.mark.parametrize("version", ["3.1", "3.3", "3.4", "3.5"])
def test_the_state_is_known_without_asking_and_stale_after_an_outage(
    virtual_device: Callable[..., VirtualDevice], version: str
) -> None:
    lamp = virtual_device("lamp", version=version, dps={"1": False, "2": 50})
    requests = lamp.requests()
    with rustuya.Manager() as manager:
        listener = manager.listener()
        device = manager.add("lamp", lamp.address, lamp.local_key, version)
        state = device.wait_ready()
        assert dict(state) == dict(device.state) == {"1": False, "2": 50}
        assert state.is_fresh
        assert (state.stale_reason, state.stale_text, state.stale_dps) == (None, None, frozenset())
        assert next_of_kind(listener, "freshness").payload == {"is_fresh": True, "reason": None, "text": None}
        assert queries(requests) == 1
        assert device.metrics.sent == 0
        lamp.unplug()
        stale = next_of_kind(listener, "freshness")
        assert (stale.payload["is_fresh"], stale.payload["reason"]) == (False, "not_connected")
        assert device.state.stale_reason == "not_connected"
        assert device.state.stale_text
        assert device.state.stale_dps == {"1", "2"}
        lamp.set_dps({"1": True})
        lamp.plug()
        device.connect_now()
        assert next_of_kind(listener, "freshness").payload["is_fresh"]
        assert dict(device.state) == {"1": True, "2": 50}


def test_asking_can_be_turned_off_and_wait_ready_asks_then(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device("lamp", version="3.4", dps={"1": False})
    requests = lamp.requests()
    with rustuya.Device("lamp", lamp.address, lamp.local_key, "3.4", query_on_connect=False) as device:
        device.wait_connected()
        device.set_value(1, True, wait="ack")
        assert queries(requests) == 0
        assert dict(device.wait_ready()) == {"1": True}
        assert queries(requests) == 1
        assert device.wait_ready().is_fresh
        assert queries(requests) == 0


def test_a_state_that_is_not_to_be_had_says_why(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device(
        "lamp", version="3.4", dps={"1": False}, quirks=["refuse-queries=4000000000", "update-silence"]
    )
    lamp.unplug()
    with rustuya.Device("lamp", lamp.address, lamp.local_key, "3.4") as device:
        listener = device.listener()
        lamp.plug()
        device.connect_now()
        state = device.wait_ready()
        assert (dict(state), state.stale_reason) == ({}, "failed")
        assert "unvalid" in str(state.stale_text)
        assert next_of_kind(listener, "freshness").payload["reason"] == "failed"
        assert device.is_connected


def test_a_wrong_key_that_is_proven_fails_at_once(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device("lamp", version="3.3", dps={"1": False})
    with rustuya.Device("lamp", lamp.address, "fedcba9876543210", "3.3", timeout=60) as device:
        began = time.monotonic()
        for call in (
            lambda: device.wait_ready(60),
            lambda: device.wait_connected(60),
            lambda: device.set_value(1, True),
            device.query,
        ):
            with pytest.raises(rustuya.WrongKey) as caught:
                call()
            assert caught.value.diagnosis is not None
            assert caught.value.diagnosis.sure
            assert not caught.value.was_sent
        assert time.monotonic() - began < 20
        device.reconfigure(local_key=lamp.local_key)
        assert dict(device.wait_ready()) == {"1": False}


def test_a_manager_waits_until_all_is_said(virtual_device: Callable[..., VirtualDevice]) -> None:
    good, bad = virtual_device("good", version="3.4"), virtual_device("bad", version="3.3")
    off = virtual_device("off", version="3.4")
    off.unplug()
    with rustuya.Manager() as manager:
        manager.add("good", good.address, good.local_key, "3.4")
        manager.add("bad", bad.address, "fedcba9876543210", "3.3")
        manager.add("off", off.address, off.local_key, "3.4")
        settled = manager.wait_settled(30)
        assert list(settled) == ["bad", "good", "off"]
        assert settled["good"] is None
        assert settled.unsettled == ()
        reasons = {id: diagnosis.reason for id, diagnosis in settled.items() if diagnosis is not None}
        assert reasons == {"bad": "wrong_key", "off": "refused"}
        manager.add("unheard", "Auto", good.local_key, "3.4")
        began = time.monotonic()
        settled = manager.wait_settled(0.2)
        assert (settled.unsettled, settled["unheard"]) == (("unheard",), None)
        assert 0.2 <= time.monotonic() - began < 10
        with pytest.raises(ValueError, match="timeout must be"):
            manager.wait_settled(float("nan"))


def test_the_same_for_asyncio(virtual_device: Callable[..., VirtualDevice]) -> None:
    lamp = virtual_device("lamp", version="3.4", dps={"1": False})

    async def main() -> None:
        async with aio.Manager() as manager:
            device = manager.add("lamp", lamp.address, lamp.local_key, "3.4")
            state = await device.wait_ready()
            assert (dict(state), state.is_fresh) == ({"1": False}, True)
            settled = await manager.wait_settled(10)
            assert (dict(settled), settled.unsettled) == ({"lamp": None}, ())
            await asyncio.get_running_loop().run_in_executor(None, lamp.unplug)
            while device.state.is_fresh:
                await asyncio.sleep(0.01)
            with pytest.raises(rustuya.ConnectError):
                await device.wait_ready(0.1)

    asyncio.run(main())
