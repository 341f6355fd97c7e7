//! The scenarios.

mod changes;
mod discovery;
mod effects;
mod faults;
mod firmware;
mod gateways;
mod late;
mod managers;
mod pacing;
mod state;
mod vendor;
mod verbs;
mod waiting;
mod wire;

use rustuya_proto::{CommandCode, DownReason, Version};
use serde_json::Value;

use super::scenario::{Call, ExpectedEvent, Fact, How, Scenario, Setup, Source, Step, Want};

/// Returns all scenarios, in the order of the table.
#[must_use]
pub(super) fn scenarios() -> Vec<Scenario> {
    [
        verbs::list(),
        waiting::list(),
        firmware::list(),
        gateways::list(),
        pacing::list(),
        effects::list(),
        faults::list(),
        late::list(),
        wire::list(),
        changes::list(),
        discovery::list(),
        managers::list(),
        state::list(),
        vendor::list(),
    ]
    .concat()
}

/// Every version.
const ALL: &[Version] = &[Version::V31, Version::V32, Version::V33, Version::V34, Version::V35];
/// One version of each kind of session.
const EACH: &[Version] = &[Version::V31, Version::V33, Version::V34, Version::V35];
/// One version without and one with negotiation.
const BOTH: &[Version] = &[Version::V33, Version::V35];
/// Versions that negotiate.
const NEW: &[Version] = &[Version::V34, Version::V35];
/// Version of most devices.
const V33: &[Version] = &[Version::V33];

fn scenario(
    name: &'static str,
    versions: &'static [Version],
    devices: impl Into<Vec<Setup>>,
    steps: Vec<Step>,
) -> Scenario {
    Scenario { name, versions, devices: devices.into(), steps, also: Vec::new() }
}

fn lamp() -> Setup {
    Setup::lamp()
}

/// Expects a connection at both ends.
fn up() -> Step {
    Step::Ask(Call::Connection, How::Acked, Want::Up)
}

fn ask(call: Call, want: Want) -> Step {
    Step::Ask(call, How::Acked, want)
}

fn write(call: Call, want: Want) -> Step {
    Step::Ask(call, How::Written, want)
}

fn within(call: Call, limit: u64, want: Want) -> Step {
    Step::Ask(call, How::Within(limit), want)
}

fn queue(call: Call, want: Want) -> Step {
    Step::Ask(call, How::Queued, want)
}

/// The verb `query`.
fn query(want: Want) -> Step {
    Step::Ask(Call::Query, How::Written, want)
}

/// The verb `query_dps`.
fn query_dps(dps: &[u16], want: Want) -> Step {
    Step::Ask(Call::QueryDps(dps.to_vec()), How::Written, want)
}

/// Expects an answer to a query, for any version: 3.2 reports only the named DPs.
fn reports(want: Want) -> Step {
    query_dps(&[1], want)
}

/// The verb `query` of a sub-device.
fn sub_query(cid: &'static str, want: Want) -> Step {
    Step::Ask(Call::SubQuery(cid), How::Written, want)
}

fn set(dp: &'static str, value: impl Into<Value>) -> Call {
    Call::Set(dp, value.into())
}

fn receive(expected: ExpectedEvent) -> Step {
    Step::Receive(Source::Own, expected)
}

fn dps(dps: Value) -> ExpectedEvent {
    ExpectedEvent::Dps(None, dps)
}

fn on(node: usize, step: Step) -> Step {
    Step::At(node, Box::new(step))
}

/// Expects the first request of this code.
fn arrived(code: CommandCode) -> Step {
    Step::Arrived(code, 1)
}

fn diagnosed(reason: DownReason) -> Step {
    Step::Becomes(Fact::Diagnosis(Some(reason)))
}

fn connected() -> Step {
    Step::Becomes(Fact::Connected(true))
}

fn disconnected() -> Step {
    Step::Becomes(Fact::Connected(false))
}
