//! Queries of the state, which may take several commands.

use core::ops::Deref;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustuya_proto::{Cid, Dialect, DownReason, DpId};
use serde_json::{Map, Value};

use super::sending::Sending;
use crate::link::{Link, Operation};
use crate::report::error::CommandError;
use crate::report::reply::Reply;

/// DPs in the answer to a query of the state. Dereferences to the map of values.
///
/// ```
/// # use rustuya_runtime::*;
/// # async fn example(device: &Device) -> Result<(), CommandError> {
/// let state = device.query_dps(&[20, 21]).await?;
/// println!("{:?}, missing: {:?}", state.get("20"), state.missing);
/// if state.partial {
///     println!("the device may have more DPs than these");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct QueryReply {
    /// Values by DP number.
    pub dps: Map<String, Value>,
    /// Requested DPs that the device did not report.
    pub missing: Vec<u16>,
    /// Whether the device may have more DPs than these. Device22 firmware, which includes 3.2, reports the requested
    /// ones alone, and a device that answers by pushes may push less than all.
    pub partial: bool,
}

impl Deref for QueryReply {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.dps
    }
}

impl IntoIterator for QueryReply {
    type Item = (String, Value);
    type IntoIter = serde_json::map::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.dps.into_iter()
    }
}

impl<'a> IntoIterator for &'a QueryReply {
    type Item = (&'a String, &'a Value);
    type IntoIter = serde_json::map::Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.dps.iter()
    }
}

impl From<QueryReply> for Map<String, Value> {
    fn from(queried: QueryReply) -> Self {
        queried.dps
    }
}

impl From<Reply> for QueryReply {
    fn from(reply: Reply) -> Self {
        Self { dps: reply.dps, missing: Vec::new(), partial: reply.partial }
    }
}

/// DPs per command: as many as fit the request limit of device22 firmware, whatever their numbers.
const MAX_PER_QUERY: usize = 10;
/// Unanswered commands after which device22 firmware is queried no further.
const MAX_UNANSWERED: u32 = 2;
/// Time limit for device22 firmware to report a DP that it may not have.
const SINGLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Queries certain DPs, until all are reported or every way was tried.
pub(crate) async fn query_dps(
    link: &Arc<Link>,
    cid: Option<&Cid>,
    dps: &[u16],
    timeout: Option<Duration>,
) -> Result<QueryReply, CommandError> {
    let mut search = Search { link, cid, timeout, state: QueryReply::default(), failure: None, unanswered: 0 };
    let wanted: Vec<u16> = dps.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if wanted.is_empty() {
        search.ask(&[], None).await?;
    }
    for ids in wanted.chunks(MAX_PER_QUERY) {
        search.ask(ids, None).await?;
        if !search.is_device22() {
            // One answer contains everything.
            break;
        }
    }
    // Some firmware reports one DP at a time, and some reports nothing if one of the requested DPs does not exist.
    for dp in wanted.iter().filter(|_| wanted.len() > 1) {
        if search.is_device22() && search.unanswered < MAX_UNANSWERED && search.misses(*dp) {
            search.ask(&[*dp], Some(SINGLE_TIMEOUT)).await?;
        }
    }
    let missing = wanted.into_iter().filter(|dp| search.misses(*dp)).collect();
    match search.failure {
        Some(error) if search.state.dps.is_empty() => Err(error),
        _ => Ok(QueryReply { missing, ..search.state }),
    }
}

/// Search for DPs.
struct Search<'a> {
    link: &'a Arc<Link>,
    cid: Option<&'a Cid>,
    timeout: Option<Duration>,
    state: QueryReply,
    /// First command that was refused or not answered.
    failure: Option<CommandError>,
    unanswered: u32,
}

impl Search<'_> {
    fn is_device22(&self) -> bool {
        self.link.with(|engine, _| engine.machine().dialect()) == Dialect::Device22
    }

    fn misses(&self, dp: u16) -> bool {
        !self.state.dps.contains_key(&dp.to_string())
    }

    /// Queries these DPs, or everything. Returns how many new ones were reported.
    async fn ask(&mut self, ids: &[u16], limit: Option<Duration>) -> Result<usize, CommandError> {
        let mut redialed = false;
        loop {
            let operation = match ids {
                [] => Operation::Status,
                ids => Operation::StatusOf(ids.iter().copied().map(DpId).collect()),
            };
            let mut sending = Sending::new(self.link, Ok(operation), self.cid.cloned());
            if let Some(limit) = self.timeout.into_iter().chain(limit).min() {
                sending = sending.timeout(limit);
            }
            match sending.acknowledged().await {
                Ok(reply) => {
                    let known = self.state.dps.len();
                    self.state.partial |= reply.partial;
                    self.state.dps.extend(reply.dps);
                    self.unanswered = 0;
                    return Ok(self.state.dps.len() - known);
                }
                // The machine repeats a refused query on another connection before it tries anything else.
                Err(CommandError::ConnectionLost { reason: DownReason::Ended }) if !redialed => redialed = true,
                Err(error @ (CommandError::NoAnswer | CommandError::Rejected { .. })) => {
                    self.unanswered += u32::from(error == CommandError::NoAnswer);
                    self.failure.get_or_insert(error);
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Ranges in which device22 firmware is known to have its DPs; tinytuya tries the same.
const RANGES: [core::ops::RangeInclusive<u16>; 9] =
    [2..=10, 11..=20, 21..=30, 50..=60, 61..=70, 100..=110, 111..=120, 121..=130, 131..=140];

/// Detects the DPs of a device.
pub(crate) async fn detect_dps(link: &Arc<Link>) -> Result<BTreeSet<u16>, CommandError> {
    let mut search =
        Search { link, cid: None, timeout: None, state: QueryReply::default(), failure: None, unanswered: 0 };
    search.ask(&[], None).await?;
    let known_dps = || link.with(|engine, _| engine.state()).dps.into_keys();
    // A DP that almost certainly exists: a device that has none of the requested DPs does not answer.
    let anchor = known_dps().next().unwrap_or(1);
    // Set while each answer has contained one DP alone.
    let mut one_per_answer = true;
    for range in RANGES {
        if !search.is_device22() {
            break;
        }
        let mut ids: Vec<u16> = core::iter::once(anchor).chain(range.filter(|dp| *dp != anchor)).collect();
        let mut limit = None;
        loop {
            let reported = search.ask(&ids, limit).await?;
            one_per_answer &= reported < 2;
            ids.retain(|dp| search.misses(*dp));
            if !one_per_answer || ids.is_empty() || (reported == 0 && limit.is_some()) {
                break;
            }
            limit = Some(SINGLE_TIMEOUT);
        }
    }
    let known: BTreeSet<u16> = search.state.keys().filter_map(|dp| dp.parse().ok()).chain(known_dps()).collect();
    match search.failure {
        Some(error) if known.is_empty() => Err(error),
        _ => Ok(known),
    }
}
