//! Asking for state, as a verb that may take several commands.

use core::ops::Deref;
use core::time::Duration;
use std::collections::BTreeSet;

use rustuya_proto::{Cid, Dialect, DownReason, DpId};
use serde_json::{Map, Value};

use crate::device::Device;
use crate::error::CommandError;
use crate::link::Ask;
use crate::reply::Reply;

/// The DPs that a device told when it was asked for its state. Used like the map that it holds.
///
/// ```
/// # use rustuya_runtime::*;
/// # async fn example(device: &Device) -> Result<(), CommandError> {
/// let state = device.query_dps(&[20, 21]).await?;
/// println!("{:?}, not told: {:?}", state.get("20"), state.missing);
/// if state.partial {
///     println!("the device may have more DPs than these");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Queried {
    /// Values by DP number.
    pub dps: Map<String, Value>,
    /// The DPs that were asked for by number and were not told.
    pub missing: Vec<u16>,
    /// Whether the device may have more DPs than these: device22 firmware, which includes 3.2, tells those alone that it
    /// is asked for, and a device that answers by pushes may push less than all.
    pub partial: bool,
}

impl Deref for Queried {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.dps
    }
}

impl IntoIterator for Queried {
    type Item = (String, Value);
    type IntoIter = serde_json::map::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.dps.into_iter()
    }
}

impl<'a> IntoIterator for &'a Queried {
    type Item = (&'a String, &'a Value);
    type IntoIter = serde_json::map::Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.dps.iter()
    }
}

impl From<Queried> for Map<String, Value> {
    fn from(queried: Queried) -> Self {
        queried.dps
    }
}

impl From<Reply> for Queried {
    fn from(reply: Reply) -> Self {
        Self { dps: reply.dps, missing: Vec::new(), partial: reply.partial }
    }
}

/// DPs asked for in one command: what fits the request limit of device22 firmware, whatever their numbers.
const AT_ONCE: usize = 10;
/// Commands without an answer after which device22 firmware is asked no further.
const SILENCES: u32 = 2;
/// How long device22 firmware may take to tell a DP that it may not have.
const EACH: Duration = Duration::from_secs(2);

/// Asks for certain DPs, until all are told or all was tried.
pub(crate) async fn query_dps(
    device: &Device,
    cid: Option<&Cid>,
    dps: &[u16],
    timeout: Option<Duration>,
) -> Result<Queried, CommandError> {
    let mut search = Search { device, cid, timeout, state: Queried::default(), failure: None, silences: 0 };
    let wanted: Vec<u16> = dps.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if wanted.is_empty() {
        search.ask(&[], None).await?;
    }
    for ids in wanted.chunks(AT_ONCE) {
        search.ask(ids, None).await?;
        if !search.is_device22() {
            // One answer tells everything.
            break;
        }
    }
    // Some firmware tells one DP at a time, and some nothing when one that it is asked for does not exist.
    for dp in wanted.iter().filter(|_| wanted.len() > 1) {
        if search.is_device22() && search.silences < SILENCES && search.lacks(*dp) {
            search.ask(&[*dp], Some(EACH)).await?;
        }
    }
    let missing = wanted.into_iter().filter(|dp| search.lacks(*dp)).collect();
    match search.failure {
        Some(error) if search.state.dps.is_empty() => Err(error),
        _ => Ok(Queried { missing, ..search.state }),
    }
}

/// A search for DPs.
struct Search<'a> {
    device: &'a Device,
    cid: Option<&'a Cid>,
    timeout: Option<Duration>,
    state: Queried,
    /// The first command that was met with silence or a refusal.
    failure: Option<CommandError>,
    silences: u32,
}

impl Search<'_> {
    fn is_device22(&self) -> bool {
        self.device.dialect() == Dialect::Device22
    }

    fn lacks(&self, dp: u16) -> bool {
        !self.state.dps.contains_key(&dp.to_string())
    }

    /// Asks for these DPs, or for everything. How many were told that were not known.
    async fn ask(&mut self, ids: &[u16], limit: Option<Duration>) -> Result<usize, CommandError> {
        let mut redialed = false;
        loop {
            let ask = match ids {
                [] => Ask::Status,
                ids => Ask::StatusOf(ids.iter().copied().map(DpId).collect()),
            };
            let mut sending = self.device.ask(Ok(ask), self.cid.cloned());
            if let Some(limit) = self.timeout.into_iter().chain(limit).min() {
                sending = sending.timeout(limit);
            }
            match sending.acknowledged().await {
                Ok(reply) => {
                    let known = self.state.dps.len();
                    self.state.partial |= reply.partial;
                    self.state.dps.extend(reply.dps);
                    self.silences = 0;
                    return Ok(self.state.dps.len() - known);
                }
                // The machine asks a device that refuses on another connection before it tries anything else.
                Err(CommandError::ConnectionLost { reason: DownReason::Ended }) if !redialed => redialed = true,
                Err(error @ (CommandError::NoAnswer | CommandError::Rejected { .. })) => {
                    self.silences += u32::from(error == CommandError::NoAnswer);
                    self.failure.get_or_insert(error);
                    return Ok(0);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Where device22 firmware is known to have its DPs; tinytuya looks there, too.
const RANGES: [core::ops::RangeInclusive<u16>; 9] =
    [2..=10, 11..=20, 21..=30, 50..=60, 61..=70, 100..=110, 111..=120, 121..=130, 131..=140];

/// Finds out which DPs a device has.
pub(crate) async fn detect_dps(device: &Device) -> Result<BTreeSet<u16>, CommandError> {
    let mut search = Search { device, cid: None, timeout: None, state: Queried::default(), failure: None, silences: 0 };
    search.ask(&[], None).await?;
    let heard = || device.state().dps.into_keys();
    // It exists, or does so almost always: a device that has none of the named ones does not answer.
    let anchor = heard().next().unwrap_or(1);
    // Whether each answer tells one DP alone, as far as that was seen.
    let mut one_each = true;
    for range in RANGES {
        if !search.is_device22() {
            break;
        }
        let mut ids: Vec<u16> = core::iter::once(anchor).chain(range.filter(|dp| *dp != anchor)).collect();
        let mut limit = None;
        loop {
            let told = search.ask(&ids, limit).await?;
            one_each &= told < 2;
            ids.retain(|dp| search.lacks(*dp));
            if !one_each || ids.is_empty() || (told == 0 && limit.is_some()) {
                break;
            }
            limit = Some(EACH);
        }
    }
    let known: BTreeSet<u16> = search.state.keys().filter_map(|dp| dp.parse().ok()).chain(heard()).collect();
    match search.failure {
        Some(error) if known.is_empty() => Err(error),
        _ => Ok(known),
    }
}
