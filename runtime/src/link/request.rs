//! One command, from the caller to the machine.

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, CommandCode, DpId, DpMap, RequestData};
use serde_json::{Map, Value};

use crate::clock::unix_time;
use crate::pacing::Pacing;
use crate::record::Asked;
use crate::slot::Slot;
use crate::state::Gathered;

/// What is asked of a device.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// A usable connection, and nothing else.
    Connection,
    Status,
    /// The state of these DPs.
    StatusOf(Vec<DpId>),
    Set(Writes),
    Update(Vec<DpId>),
    SubDevices,
    /// Any command, with the JSON text of its data.
    Raw(CommandCode, Option<String>),
}

/// DPs to be written: JSON text of an object, and how many it has.
#[derive(Clone, Debug)]
pub(crate) struct Writes {
    pub(crate) json: Arc<str>,
    pub(crate) count: usize,
}

impl Ask {
    /// The code by which the command is known to listeners; `None` for what is no command.
    pub(crate) const fn command(&self) -> Option<CommandCode> {
        match self {
            Self::Connection => None,
            _ => Some(self.code()),
        }
    }

    /// The JSON text of the DPs that it writes, as far as it writes any.
    pub(crate) fn writes(&self) -> Option<Arc<str>> {
        match self {
            Self::Set(writes) => Some(Arc::clone(&writes.json)),
            Self::Raw(CommandCode::CONTROL | CommandCode::CONTROL_NEW, Some(data)) => Some(data.as_str().into()),
            _ => None,
        }
    }

    /// Whether it asks and changes nothing, so that it may be asked again.
    pub(crate) const fn is_read(&self) -> bool {
        matches!(self, Self::Status | Self::StatusOf(_) | Self::Update(_) | Self::SubDevices)
    }

    /// How many bytes it holds besides its own size.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Connection | Self::Status | Self::SubDevices => 0,
            Self::StatusOf(ids) | Self::Update(ids) => size_of_val(ids.as_slice()),
            Self::Set(writes) => writes.json.len(),
            Self::Raw(_, data) => data.as_ref().map_or(0, String::len),
        }
    }

    /// The command for the machine, without what is not its own.
    pub(super) fn asked(&self) -> Asked<'_> {
        let data = match self {
            Self::Connection | Self::Status | Self::SubDevices => RequestData::None,
            Self::StatusOf(ids) | Self::Update(ids) => RequestData::Ids(ids),
            Self::Set(writes) => RequestData::Dps(DpMap::Json(&writes.json)),
            Self::Raw(_, data) => data.as_deref().map_or(RequestData::None, RequestData::Json),
        };
        Asked::request(self.code(), data)
    }

    /// The code by which the command is known before the version decides about it.
    const fn code(&self) -> CommandCode {
        match self {
            Self::Connection | Self::Status | Self::StatusOf(_) => CommandCode::DP_QUERY,
            Self::Set(_) => CommandCode::CONTROL,
            Self::Update(_) => CommandCode::UPDATE_DPS,
            Self::SubDevices => CommandCode::LAN_EXT_STREAM,
            Self::Raw(code, _) => *code,
        }
    }
}

impl Writes {
    pub(crate) fn new(dps: &Map<String, Value>) -> Self {
        // A map of strings and values is always written.
        Self { json: serde_json::to_string(dps).unwrap_or_default().into(), count: dps.len() }
    }

    fn map(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// Adds later writes; what they write replaces what was to be written to the same DPs.
    fn merge(&mut self, later: &Self) {
        let mut dps = self.map();
        dps.extend(later.map());
        *self = Self::new(&dps);
    }

    /// Leaves out what later ones write, too.
    fn give_way(&mut self, later: &Self) {
        let (mut dps, later) = (self.map(), later.map());
        dps.retain(|dp, _| !later.contains_key(dp));
        *self = Self::new(&dps);
    }

    /// The same writes, at most `most` at a time.
    fn split(&self, most: usize) -> Vec<Self> {
        let dps: Vec<_> = self.map().into_iter().collect();
        dps.chunks(most.max(1)).map(|part| Self::new(&part.iter().cloned().collect())).collect()
    }
}

/// A write that a device refused and that is tried in smaller parts.
#[derive(Debug)]
pub(crate) struct Trial {
    size: usize,
    left: AtomicU32,
}

/// One command on its way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    pub(crate) cid: Option<Cid>,
    /// When it was given.
    pub(crate) issued: proto::Instant,
    /// Until when it may wait to be sent.
    pub(crate) deadline: proto::Instant,
    /// How long it waits for its answer, if not as long as usual.
    pub(crate) answer: Option<Duration>,
    pub(crate) slot: Arc<Slot>,
    /// Of a query that looks for the effect of a write: that write.
    pub(crate) looks_for: Option<Arc<Slot>>,
    /// Of the commands that were merged into this one.
    pub(crate) merged: Vec<Arc<Slot>>,
    pub(crate) trial: Option<Arc<Trial>>,
    /// Of a larger write, with which it must not be joined again.
    pub(crate) part: bool,
    /// When it was sent.
    pub(crate) sent: proto::Instant,
    /// Of a query: what the device has pushed since then.
    pub(crate) pushed: Gathered,
}

impl Request {
    /// A command as it is given.
    pub(crate) fn new(
        ask: Ask,
        cid: Option<Cid>,
        slot: Arc<Slot>,
        issued: proto::Instant,
        deadline: proto::Instant,
    ) -> Self {
        Self {
            ask,
            cid,
            issued,
            deadline,
            answer: None,
            slot,
            looks_for: None,
            merged: Vec::new(),
            trial: None,
            part: false,
            sent: issued,
            pushed: Gathered::new(PUSHED),
        }
    }

    /// The command for the machine.
    pub(crate) fn asked(&self, pacing: &Pacing) -> Asked<'_> {
        let cid = self.cid.as_ref().map(Cid::as_str);
        let asked = self.ask.asked().cid(cid).unix_time(unix_time()).timeout(self.answer);
        // What cannot be split goes out as it is.
        let splits = matches!(&self.ask, Ask::Set(writes) if writes.count > 1);
        asked.at_most(pacing.max_bytes.filter(|_| splits))
    }

    /// The code by which the command is known before the version decides about it.
    pub(crate) const fn code(&self) -> CommandCode {
        self.ask.code()
    }

    /// Whether it asks for state and changes nothing.
    pub(crate) const fn is_query(&self) -> bool {
        match &self.ask {
            Ask::Status | Ask::StatusOf(_) => true,
            Ask::Raw(code, _) => matches!(*code, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW),
            Ask::Connection | Ask::Set(_) | Ask::Update(_) | Ask::SubDevices => false,
        }
    }

    /// Everybody who waits for this command.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        core::iter::once(&self.slot).chain(&self.merged)
    }

    /// Whether nobody wants it to be sent any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.slots().all(|slot| slot.is_gone())
    }

    /// Takes another write to the same device into this one. Gives it back if it is something else, or if its caller
    /// set another time limit: each is to have its own.
    pub(crate) fn merge(&mut self, other: Box<Self>) -> Option<Box<Self>> {
        match (&mut self.ask, &other.ask) {
            (Ask::Set(writes), Ask::Set(later))
                if self.cid == other.cid && self.answer == other.answer && !self.part && !other.part =>
            {
                writes.merge(later);
                self.deadline = self.deadline.max(other.deadline);
                self.merged.push(other.slot);
                self.merged.extend(other.merged);
                None
            }
            _ => Some(other),
        }
    }

    /// Leaves out the DPs that a later command has written to the same device.
    pub(crate) fn give_way(&mut self, later: &Self) {
        if let (Ask::Set(writes), Ask::Set(others)) = (&mut self.ask, &later.ask)
            && self.cid == later.cid
        {
            writes.give_way(others);
        }
    }

    /// The same write in parts of at most `most` DPs; `trial` when it is to be seen whether that helps.
    pub(crate) fn split(self, most: usize, trial: bool) -> Vec<Self> {
        let Ask::Set(writes) = &self.ask else { return vec![self] };
        let parts = writes.split(most);
        let more = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_sub(1);
        self.slots().for_each(|slot| slot.split(more));
        let trial = trial.then(|| Arc::new(Trial { size: most, left: AtomicU32::new(more.saturating_add(1)) }));
        let part = |writes| Self {
            ask: Ask::Set(writes),
            cid: self.cid.clone(),
            looks_for: None,
            slot: Arc::clone(&self.slot),
            merged: self.merged.clone(),
            trial: trial.clone(),
            part: true,
            pushed: Gathered::new(PUSHED),
            ..self
        };
        parts.into_iter().map(part).collect()
    }
}

impl Trial {
    /// One part was accepted. The size of the parts, once all of them were.
    pub(crate) fn accepted(&self) -> Option<usize> {
        (self.left.fetch_sub(1, Ordering::Relaxed) == 1).then_some(self.size)
    }
}

/// What is kept of the pushes that may be all that answers a query: as much as an answer in one frame has.
const PUSHED: usize = crate::buffers::RECEIVED;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Caller;
    use serde_json::json;

    fn set(dps: &Value) -> Request {
        let dps = dps.as_object().expect("an object");
        Request {
            ask: Ask::Set(Writes::new(dps)),
            cid: None,
            issued: proto::Instant::ZERO,
            deadline: proto::Instant::ZERO,
            answer: None,
            looks_for: None,
            slot: Slot::new(Caller::Answer),
            merged: Vec::new(),
            trial: None,
            part: false,
            sent: proto::Instant::ZERO,
            pushed: Gathered::new(PUSHED),
        }
    }

    fn written(request: &Request) -> &str {
        match &request.ask {
            Ask::Set(writes) => &writes.json,
            _ => "",
        }
    }

    #[test]
    fn later_writes_win_when_merged() {
        let mut first = set(&json!({ "1": true, "2": 5 }));
        assert!(first.merge(Box::new(set(&json!({ "2": 6, "3": "x" })))).is_none());
        assert_eq!(written(&first), r#"{"1":true,"2":6,"3":"x"}"#);
        assert_eq!(first.slots().count(), 2);
        let mut other = set(&json!({ "1": 1 }));
        other.cid = Cid::new("child").ok();
        assert!(first.merge(Box::new(other)).is_some());
        let mut hurried = set(&json!({ "1": 1 }));
        hurried.answer = Some(Duration::from_millis(500));
        assert!(first.merge(Box::new(hurried)).is_some(), "its time limit is its own");
    }

    #[test]
    fn a_write_gives_way_to_a_later_one_of_the_same_device() {
        let mut first = set(&json!({ "1": true, "2": 5 }));
        first.give_way(&set(&json!({ "2": 6, "3": "x" })));
        assert_eq!(written(&first), r#"{"1":true}"#);
        let mut other = set(&json!({ "1": false }));
        other.cid = Cid::new("child").ok();
        first.give_way(&other);
        assert_eq!(written(&first), r#"{"1":true}"#);
        first.give_way(&set(&json!({ "1": false })));
        assert!(matches!(first.ask, Ask::Set(Writes { count: 0, .. })));
    }

    #[test]
    fn parts_hold_every_dp_once_and_tell_when_all_were_accepted() {
        let parts = set(&json!({ "1": 1, "2": 2, "3": 3 })).split(2, true);
        assert_eq!(parts.iter().map(written).collect::<Vec<_>>(), [r#"{"1":1,"2":2}"#, r#"{"3":3}"#]);
        let trials: Vec<_> = parts.iter().filter_map(|part| part.trial.as_deref()).map(Trial::accepted).collect();
        assert_eq!(trials, [None, Some(2)]);
    }
}
