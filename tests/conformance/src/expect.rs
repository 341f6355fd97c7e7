//! Comparison of results and events with the expected ones.

use std::collections::BTreeSet;

use rustuya_faulty::{FaultyDevice, Request};
use rustuya_proto::{CommandCode, Version};
use rustuya_runtime::CommandError;
use serde_json::{Map, Value};

use crate::scenario::{ExpectedEvent, Want};
use crate::subject::{Answer, ReceivedEvent};

/// Returns whether an answer is the expected one. `at` is the device's number.
pub(crate) fn is_answer(devices: &[FaultyDevice], at: usize, answer: &Answer, want: &Want) -> bool {
    match (want, answer) {
        (Want::Either(wants), _) => wants.iter().any(|want| is_answer(devices, at, answer, want)),
        (Want::Ok, answer) => !matches!(answer, Answer::Failed(_)),
        (Want::Up, Answer::Up(version)) => *version == devices[at].version(),
        (Want::Dps(wanted), Answer::Reply { dps, .. }) => wanted.as_object() == Some(dps),
        (Want::Ids(wanted), Answer::Ids(ids)) => wanted == ids,
        (Want::Payload(pointer, wanted), Answer::Reply { payload: Some(payload), .. }) => {
            payload.pointer(pointer) == Some(wanted)
        }
        (Want::Settled(wanted), Answer::Settled(found)) => wanted == found,
        (Want::Found(nodes), Answer::Found(found)) => {
            let wanted: BTreeSet<_> = nodes.iter().map(|node| devices[*node].id().as_str().to_owned()).collect();
            let ids: BTreeSet<_> = found.iter().map(|found| found.id.clone()).collect();
            let fits = |node: &usize| {
                let device = &devices[*node];
                found.iter().any(|found| {
                    found.id == device.id().as_str()
                        && found.version == Some(device.version())
                        && core::net::IpAddr::V4(found.ip) == device.addr().ip()
                })
            };
            wanted == ids
                && found.len() == nodes.len()
                && nodes.iter().all(fits)
                && found.iter().all(|found| found.new != Some(false))
        }
        (want, Answer::Failed(error)) => is_error(error, want),
        _ => false,
    }
}

/// Returns whether a map has all entries of an object.
pub(crate) fn holds(dps: &Map<String, Value>, some: &Value) -> bool {
    some.as_object().is_some_and(|some| some.iter().all(|(dp, value)| dps.get(dp) == Some(value)))
}

/// Returns whether an event is the expected one; `version` is the device's.
pub(crate) fn is_expected(version: Version, received: &ReceivedEvent, expected: &ExpectedEvent) -> bool {
    match (expected, received) {
        (ExpectedEvent::Up(wanted), ReceivedEvent::Up(found)) => *found == wanted.unwrap_or(version),
        (ExpectedEvent::Down(wanted), ReceivedEvent::Down(reason)) => wanted == reason,
        (ExpectedEvent::Dps(wanted, some), ReceivedEvent::Message { cid, dps }) => {
            *wanted == cid.as_deref() && holds(dps, some)
        }
        (ExpectedEvent::Child(wanted, state), ReceivedEvent::Child(cid, online)) => wanted == cid && state == online,
        (ExpectedEvent::Failed(want), ReceivedEvent::Failed(error)) => is_error(error, want),
        (ExpectedEvent::Dialect(wanted), ReceivedEvent::Dialect(dialect)) => wanted == dialect,
        (ExpectedEvent::Skipped, ReceivedEvent::Skipped(_)) => true,
        (ExpectedEvent::ValuesDropped(wanted), ReceivedEvent::ValuesDropped(values)) => wanted == values,
        (ExpectedEvent::Ignored(wanted), ReceivedEvent::Ignored(why)) => wanted == why,
        (ExpectedEvent::Lagged(wanted), ReceivedEvent::Lagged(lost)) => wanted == lost,
        (ExpectedEvent::Fresh, ReceivedEvent::Fresh) | (ExpectedEvent::End, ReceivedEvent::End) => true,
        (ExpectedEvent::Stale(wanted), ReceivedEvent::Stale(why)) => wanted == why,
        _ => false,
    }
}

pub(crate) fn is_error(error: &CommandError, want: &Want) -> bool {
    match (want, error) {
        (Want::Rejected(words), CommandError::Rejected { text, .. }) => text.contains(words),
        (Want::Unanswered, CommandError::Unanswered | CommandError::NoAnswer)
        | (Want::SubDeviceOffline, CommandError::SubDeviceOffline)
        | (Want::NotConnectedAnyhow, CommandError::NotConnected { .. })
        | (Want::Busy, CommandError::Busy)
        | (Want::Closed, CommandError::Closed)
        | (Want::TooLarge, CommandError::TooLarge)
        | (Want::AnswerTooLarge, CommandError::AnswerTooLarge { .. })
        | (Want::InvalidValue, CommandError::InvalidValue(_)) => true,
        (Want::NoEffect(wanted), CommandError::NoEffect { shown, .. }) => wanted.as_object() == Some(&**shown),
        (Want::Partial(wanted), CommandError::Partial { acknowledged, uncertain, failed, .. }) => {
            wanted.iter().zip([acknowledged, uncertain, failed]).all(|(wanted, dps)| *wanted == *dps)
        }
        (Want::Lost(wanted), CommandError::ConnectionLost { reason }) => wanted == reason,
        (Want::NotConnected(wanted), CommandError::NotConnected { reason }) => wanted == reason,
        (Want::InvalidDp(wanted), CommandError::InvalidDp(dp)) => wanted == dp,
        (Want::Either(wants), _) => wants.iter().any(|want| is_error(error, want)),
        _ => false,
    }
}

/// Returns the DPs in a request.
pub(crate) fn dps(request: &Request) -> Option<&Value> {
    let payload = request.payload.as_ref()?;
    payload.pointer("/data/dps").or_else(|| payload.pointer("/dps"))
}

/// Returns the DPs that a control writes; `None` for anything else. A map of nulls is a query.
pub(crate) fn control(request: &Request) -> Option<Value> {
    if !matches!(request.command, CommandCode::CONTROL | CommandCode::CONTROL_NEW) {
        return None;
    }
    let asks = dps(request)?.as_object()?.values().all(Value::is_null);
    if asks { None } else { dps(request).cloned() }
}

/// Returns the DPs that a control queries by nulls; `None` for anything else.
pub(crate) fn nulls(request: &Request) -> Option<Vec<u16>> {
    if !matches!(request.command, CommandCode::CONTROL | CommandCode::CONTROL_NEW) || control(request).is_some() {
        return None;
    }
    Some(dps(request)?.as_object()?.keys().filter_map(|dp| dp.parse().ok()).collect())
}

/// Returns the kind of a request, independent of its version's code.
pub(crate) fn kind(request: &Request) -> CommandCode {
    match request.command {
        CommandCode::CONTROL | CommandCode::CONTROL_NEW if control(request).is_some() => CommandCode::CONTROL,
        CommandCode::CONTROL_NEW | CommandCode::DP_QUERY_NEW => CommandCode::DP_QUERY,
        other => other,
    }
}
