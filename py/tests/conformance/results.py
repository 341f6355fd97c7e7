"""Converts Python's results to JSON, without knowledge of the expected ones."""

from __future__ import annotations

from typing import Any, Union

import rustuya
from rustuya import aio

AnyDevice = Union[rustuya.Device, aio.Device]
AnyManager = Union[rustuya.Manager, aio.Manager]
Result = dict[str, Any]


def diagnosis(shown: rustuya.Diagnosis | None) -> Result | None:
    if shown is None:
        return None
    assert shown.text
    assert shown.advice
    return {"reason": shown.reason, "code": shown.code, "speaks": shown.speaks, "sure": shown.sure}


def error(raised: BaseException) -> Result:
    assert isinstance(raised, rustuya.TuyaError), repr(raised)
    assert str(raised)
    result: Result = {
        "class": type(raised).__name__,
        "code": raised.code,
        "was_sent": raised.was_sent,
        "diagnosis": diagnosis(raised.diagnosis),
        "words": str(raised),
    }
    assert raised.reason == (raised.diagnosis and raised.diagnosis.reason)
    if isinstance(raised, rustuya.CommandRejected):
        result.update(text=raised.text, retcode=raised.retcode)
    if isinstance(raised, rustuya.NoEffect):
        result.update(wanted=raised.wanted, shown=raised.shown)
    if isinstance(raised, rustuya.PartialWrite):
        result.update(acknowledged=raised.acknowledged, uncertain=raised.uncertain, failed=raised.failed)
        assert raised.cause is not None
        result.update(cause=error(raised.cause)["error"])
    if isinstance(raised, rustuya.TooLarge):
        result.update(size=raised.size, limit=raised.limit)
    if isinstance(raised, rustuya.InvalidDp):
        result.update(dp=raised.dp)
    return {"error": result}


def found(shown: rustuya.DiscoveredDevice) -> Result:
    return {"id": shown.id, "ip": shown.ip, "version": shown.version, "product_key": shown.product_key}


def outcome(verb: str, result: Any) -> Result:
    """Converts the outcome of a command."""
    if isinstance(result, rustuya.Reply):
        return {"reply": {"dps": result.dps, "payload": result.payload}}
    if verb == "scan":
        return {"found": [found(each) for each in result]}
    if verb == "discover":
        return {"found": [] if result is None else [found(result)]}
    if verb == "wait_connected":
        return {"up": result}
    if verb == "wait_ready":
        return {"reply": {"dps": dict(result), "payload": None}}
    if verb == "wait_settled":
        listed = [(id, id not in result.unsettled and shown is None, shown) for id, shown in result.items()]
        return {"settled": [{"connected": up, "diagnosis": diagnosis(shown)} for _, up, shown in sorted(listed)]}
    if verb == "detect_dps":
        return {"ids": result}
    if isinstance(result, dict):
        return {"reply": {"dps": result, "payload": None}}
    assert result is None, result
    return {"done": True}


def event(shown: rustuya.DeviceEvent) -> Result:
    kind, payload = shown.kind, shown.payload
    assert shown["kind"] == kind
    if kind in ("state", "acknowledgement"):
        return {"message": {"cid": shown.cid, "dps": shown.dps}}
    if kind == "error":
        assert shown.error is not None
        return error(shown.error)
    if kind == "skipped":
        assert payload["size"] > payload["limit"]
        return {"skipped": payload["size"]}
    if kind == "dropped":
        return {"values_dropped": payload["values"]}
    if kind == "ignored":
        return {"ignored": payload["reason"]}
    if kind == "freshness":
        assert payload["is_fresh"] == (payload["reason"] is None) == (payload["text"] is None)
        return {"fresh": True} if payload["is_fresh"] else {"stale": payload["reason"]}
    if kind == "lag":
        return {"lagged": payload["lost"]}
    if "online" in payload:
        return {"child": {"cid": shown.cid, "online": payload["online"]}}
    if "dev_type" in payload:
        return {"dialect": payload["dev_type"]}
    if payload["connected"]:
        return {"up": payload["version"]}
    return {"down": {"code": int(payload["Err"]), **{name: payload[name] for name in ("reason", "speaks", "sure")}}}


def snapshot(device: AnyDevice) -> Result:
    metrics = device.metrics
    return {
        "connected": device.is_connected,
        "version": device.version,
        "dialect": device.dev_type,
        "diagnosis": diagnosis(device.diagnosis),
        "address": device.address,
        "port": device.port,
        "closed": device.is_closed,
        "counters": {name: metrics[name] for name in ("connects", "bad_frames", "ignored", "resyncs", "lagged")},
    }
