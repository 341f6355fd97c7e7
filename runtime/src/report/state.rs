//! Last known DPs of a device.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, CidList, DpId, DpValue, Dps, Report};
use serde_json::{Map, Value};

use crate::report::convert;
use crate::report::error::CommandError;
use crate::report::memory::{Budget, allocated};

/// Last known DPs of one device or sub-device, merged DP by DP.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// device.wait_ready(Duration::from_secs(10)).await?; // the device was asked as soon as it was connected
/// let state = device.state(); // asks nobody
/// assert_eq!(state.get(2), Some(&json!(50)));
/// assert_eq!((state.to_map().len(), state.is_fresh()), (2, true));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct State {
    /// Values by DP number.
    pub dps: BTreeMap<u16, DpReading>,
    /// Why these may be out of date; `None` if every DP was received on the present connection.
    pub stale: Option<Stale>,
}

/// Reason why a [`State`] may be out of date.
///
/// ```
/// # use rustuya_runtime::{Stale, State};
/// fn show(state: &State) {
///     match &state.stale {
///         None => println!("{:?}", state.to_map()),
///         Some(why) => println!("{:?}, perhaps out of date: {why}", state.to_map()),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stale {
    /// The device is not connected.
    #[error("the device is not connected")]
    NotConnected,
    /// The device is connected and has not reported its state on this connection.
    #[error("the device has not reported its state on this connection")]
    NotReported,
    /// The device has reported its state on this connection, but without some of the DPs: see [`DpReading::fresh`].
    #[error("the device has not reported all DPs on this connection")]
    Partly,
    /// The query on this connection failed with this error.
    #[error("the device did not report its state: {0}")]
    Failed(Arc<CommandError>),
    /// The gateway reports that it does not reach this sub-device.
    #[error("the gateway does not reach the sub-device")]
    SubDeviceOffline,
}

/// One DP's value.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// # device.query().await?;
/// for (dp, reading) in device.state().dps {
///     println!("{dp} = {}, {:?} ago", reading.value, reading.age);
///     assert!(reading.age < Duration::from_secs(60));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DpReading {
    /// The value.
    pub value: Value,
    /// Time since it was received.
    pub age: Duration,
    /// Whether it was received on the present connection.
    pub fresh: bool,
}

impl State {
    /// Returns whether every DP was received on the present connection, in an answer or a push.
    pub const fn is_fresh(&self) -> bool {
        self.stale.is_none()
    }

    /// Returns the value of one DP, if it is known.
    pub fn get(&self, dp: u16) -> Option<&Value> {
        self.dps.get(&dp).map(|reading| &reading.value)
    }

    /// Returns the values alone, in the form in which devices send them.
    pub fn to_map(&self) -> Map<String, Value> {
        self.dps.iter().map(|(dp, reading)| (dp.to_string(), reading.value.clone())).collect()
    }
}

/// Received DPs, kept across connections. Bounded in bytes, whatever a peer sends.
#[derive(Debug)]
pub(crate) struct Cache {
    own: Values,
    /// Sorted by cid.
    children: Vec<Child>,
    budget: Budget,
}

#[derive(Debug)]
struct Child {
    cid: Arc<str>,
    values: Values,
    online: Option<bool>,
}

/// Sorted by DP. Devices have few of them.
#[derive(Debug, Default)]
struct Values(Vec<StoredDp>);

#[derive(Debug)]
struct StoredDp {
    dp: u16,
    /// Received on the present connection.
    fresh: bool,
    at: proto::Instant,
    value: StoredValue,
}

/// A value. Arrays and objects are stored as text, because as trees they would take many times as much.
#[derive(Debug)]
enum StoredValue {
    Plain(Value),
    Json(Box<[u8]>),
}

/// Limit of sub-devices of one gateway. Gateways hold some 200.
const MOST_CHILDREN: usize = 1024;
/// Limit of DPs of one device. Devices have fewer than 256.
const MOST_DPS: usize = 1024;

impl StoredValue {
    fn new(value: &DpValue<'_>) -> Self {
        match value {
            DpValue::Json(json) => Self::Json(json.as_bytes().into()),
            plain => Self::Plain(convert::dp_value(plain)),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Plain(Value::String(text)) => allocated(text.capacity()),
            Self::Plain(_) => 0,
            Self::Json(text) => allocated(text.len()),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Json(text) => serde_json::from_str(&String::from_utf8_lossy(text)).unwrap_or(Value::Null),
        }
    }

    /// Assigns a value; allocates only if it differs.
    fn assign(&mut self, value: &DpValue<'_>) {
        match (&mut *self, value) {
            (Self::Plain(known), value) if !matches!(value, DpValue::Json(_)) => convert::assign(known, value),
            (Self::Json(known), DpValue::Json(json)) if **known == *json.as_bytes() => {}
            _ => *self = Self::new(value),
        }
    }
}

impl StoredDp {
    fn weight(&self) -> usize {
        size_of::<Self>().saturating_add(self.value.weight())
    }
}

impl Cache {
    pub(crate) const fn new(budget: Budget) -> Self {
        Self { own: Values(Vec::new()), children: Vec::new(), budget }
    }

    /// Returns the memory limit, in bytes.
    pub(crate) const fn limit(&self) -> usize {
        self.budget.limit()
    }

    /// Sets the memory limit, in bytes. Returns how many values were dropped for it.
    pub(crate) fn set_limit(&mut self, limit: usize) -> u64 {
        self.budget.set_limit(limit);
        let mut dropped = 0;
        while self.budget.is_exceeded() {
            if let Some(child) = self.children.pop() {
                self.budget.give(child.weight());
                dropped += child.values.0.len().max(1) as u64;
            } else if let Some(known) = self.own.0.pop() {
                self.budget.give(known.weight());
                dropped += 1;
            } else {
                break;
            }
        }
        dropped
    }

    /// Stores the DPs of a report. `live` tells that an event at the device caused it, as opposed to an answer from a
    /// gateway's memory. Calls `changed` for each sub-device whose reachability has changed. Returns how many values
    /// were dropped for lack of room.
    pub(crate) fn apply(
        &mut self,
        report: &Report<'_>,
        live: bool,
        now: proto::Instant,
        mut changed: impl FnMut(Arc<str>, bool),
    ) -> u64 {
        let mut dropped = 0;
        // Sub-devices that a peer invents must leave room for the device's own values.
        let rest = self.budget.limit() / 4;
        let Self { own, children, budget } = self;
        if let Some(dps) = report.dps {
            match report.cid {
                None => dropped += own.apply(dps, now, budget, 0),
                Some(cid) => match child_mut(children, budget, rest, &cid.to_string()) {
                    Some(child) => {
                        dropped += child.values.apply(dps, now, budget, rest);
                        if live {
                            child.set_online(true, &mut changed);
                        }
                    }
                    None => dropped += dps.into_iter().count() as u64,
                },
            }
        }
        for (list, online) in [(report.online, true), (report.offline, false)] {
            for cid in list.into_iter().flat_map(CidList::into_iter) {
                match child_mut(children, budget, rest, &cid.to_string()) {
                    Some(child) => child.set_online(online, &mut changed),
                    None => dropped += 1,
                }
            }
        }
        dropped
    }

    /// Returns the device's own DPs; `stale` tells why they may be out of date.
    pub(crate) fn own_state(&self, stale: Option<Stale>, now: proto::Instant) -> State {
        State { dps: self.own.readings(now), stale }
    }

    /// Returns the DPs of a sub-device. They are as fresh as the reports of its gateway.
    pub(crate) fn child_state(&self, cid: &str, up: bool, now: proto::Instant) -> State {
        let child = self.child(cid);
        let stale = match child {
            _ if !up => Some(Stale::NotConnected),
            Some(child) if child.online == Some(false) => Some(Stale::SubDeviceOffline),
            Some(child) if child.values.is_fresh() == Some(true) => None,
            Some(child) if child.values.0.iter().any(|known| known.fresh) => Some(Stale::Partly),
            _ => Some(Stale::NotReported),
        };
        State { dps: child.map(|child| child.values.readings(now)).unwrap_or_default(), stale }
    }

    /// Returns whether all of the device's own DPs were received on the present connection; `None` if there are none.
    pub(crate) fn is_fresh(&self) -> Option<bool> {
        self.own.is_fresh()
    }

    /// Marks all values as not fresh, at the begin and end of a connection.
    pub(crate) fn age(&mut self) {
        let children = self.children.iter_mut().map(|child| &mut child.values);
        let all = children.chain([&mut self.own]).flat_map(|values| &mut values.0);
        all.for_each(|known| known.fresh = false);
    }

    /// Returns the last report of a gateway about the reachability of a sub-device.
    pub(crate) fn online(&self, cid: &str) -> Option<bool> {
        self.child(cid)?.online
    }

    /// Returns all known sub-devices, by cid.
    pub(crate) fn children(&self) -> Vec<(Arc<str>, Option<bool>)> {
        self.children.iter().map(|child| (Arc::clone(&child.cid), child.online)).collect()
    }

    fn child(&self, cid: &str) -> Option<&Child> {
        let at = self.children.binary_search_by(|child| (*child.cid).cmp(cid)).ok()?;
        self.children.get(at)
    }
}

/// Returns the sub-device of this cid; adds it if the cid is valid and there is room.
fn child_mut<'a>(children: &'a mut Vec<Child>, budget: &mut Budget, rest: usize, cid: &str) -> Option<&'a mut Child> {
    let at = match children.binary_search_by(|child| (*child.cid).cmp(cid)) {
        Ok(at) => at,
        Err(at) => {
            if children.len() >= MOST_CHILDREN || Cid::new(cid).is_err() {
                return None;
            }
            let child = Child { cid: cid.into(), values: Values::default(), online: None };
            if !budget.take_leaving(rest, child.weight()) {
                return None;
            }
            children.reserve_exact(1);
            children.insert(at, child);
            at
        }
    };
    children.get_mut(at)
}

impl Child {
    fn weight(&self) -> usize {
        let values: usize = self.values.0.iter().map(StoredDp::weight).sum();
        size_of::<Self>() + allocated(2 * size_of::<usize>() + self.cid.len()) + values
    }

    fn set_online(&mut self, online: bool, changed: &mut impl FnMut(Arc<str>, bool)) {
        if self.online.replace(online) != Some(online) {
            changed(Arc::clone(&self.cid), online);
        }
    }
}

impl Values {
    /// Returns whether all were received on the present connection; `None` if there are none.
    fn is_fresh(&self) -> Option<bool> {
        (!self.0.is_empty()).then(|| self.0.iter().all(|known| known.fresh))
    }

    fn readings(&self, now: proto::Instant) -> BTreeMap<u16, DpReading> {
        let reading = |StoredDp { dp, fresh, at, value }: &StoredDp| {
            (*dp, DpReading { value: value.value(), age: now.saturating_since(*at), fresh: *fresh })
        };
        self.0.iter().map(reading).collect()
    }

    /// Stores values, of each DP the last one, and leaves `rest` of the budget. Returns how many were dropped for lack
    /// of room.
    fn apply(&mut self, dps: Dps<'_>, now: proto::Instant, budget: &mut Budget, rest: usize) -> u64 {
        dps.map(|(id, value)| u64::from(!self.insert(id, &value, now, budget, rest))).sum()
    }

    /// Returns whether there was room.
    fn insert(&mut self, id: DpId, value: &DpValue<'_>, now: proto::Instant, budget: &mut Budget, rest: usize) -> bool {
        match self.0.binary_search_by_key(&id.0, |known| known.dp) {
            Ok(at) => {
                let Some(known) = self.0.get_mut(at) else { return false };
                budget.give(known.weight());
                (known.at, known.fresh) = (now, true);
                known.value.assign(value);
                let fits = budget.take_leaving(rest, known.weight());
                if !fits {
                    // The former value is out of date.
                    self.0.remove(at);
                }
                fits
            }
            Err(at) => {
                let known = StoredDp { dp: id.0, fresh: true, at: now, value: StoredValue::new(value) };
                let fits = self.0.len() < MOST_DPS && budget.take_leaving(rest, known.weight());
                if fits {
                    self.0.reserve_exact(1);
                    self.0.insert(at, known);
                }
                fits
            }
        }
    }
}

/// Values collected for one command, bounded in bytes as well.
#[derive(Debug)]
pub(crate) struct Gathered {
    values: Values,
    budget: Budget,
}

impl Gathered {
    /// Sets the limit in bytes; allocates nothing before there are values.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { values: Values(Vec::new()), budget: Budget::alone(limit) }
    }

    /// Stores a value; without room, removes the DP.
    pub(crate) fn insert(&mut self, id: DpId, value: &DpValue<'_>) {
        let Self { values, budget } = self;
        values.insert(id, value, proto::Instant::ZERO, budget, 0);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.values.0.is_empty()
    }

    pub(crate) fn get(&self, dp: u16) -> Option<Value> {
        let at = self.values.0.binary_search_by_key(&dp, |known| known.dp).ok()?;
        self.values.0.get(at).map(|known| known.value.value())
    }

    /// Returns the values in the form in which devices send them.
    pub(crate) fn to_map(&self) -> Map<String, Value> {
        self.values.0.iter().map(|known| (known.dp.to_string(), known.value.value())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::memory;
    use serde_json::json;

    fn cache() -> Cache {
        Cache::new(Budget::alone(LIMIT))
    }

    const LIMIT: usize = memory::DEVICE;

    fn at(seconds: u64) -> proto::Instant {
        proto::Instant::from_micros(seconds * 1_000_000)
    }

    fn note(cache: &mut Cache, json: &str, seconds: u64) -> Vec<(String, bool)> {
        let report = Report::parse(json.as_bytes()).expect("a report");
        let mut changes = Vec::new();
        cache.apply(&report, true, at(seconds), |cid, online| changes.push((cid.to_string(), online)));
        changes
    }

    #[test]
    fn dps_are_merged_one_by_one_with_the_time_heard() {
        let mut cache = cache();
        note(&mut cache, r#"{"dps":{"2":50,"1":true}}"#, 1);
        note(&mut cache, r#"{"dps":{"1":false}}"#, 5);
        let state = cache.own_state(None, at(6));
        assert_eq!(Value::Object(state.to_map()), json!({ "1": false, "2": 50 }));
        let ages: Vec<_> = state.dps.values().map(|reading| reading.age.as_secs()).collect();
        assert_eq!(ages, [1, 5]);
        assert_eq!(cache.child_state("c", true, at(6)).stale, Some(Stale::NotReported));
    }

    #[test]
    fn sub_devices_are_kept_apart_and_changes_told_once() {
        let mut cache = cache();
        let report = r#"{"reqType":"subdev_online_stat_report","data":{"online":["a"],"offline":["b"]}}"#;
        assert_eq!(note(&mut cache, report, 1), [("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(note(&mut cache, report, 2), []);
        assert_eq!((cache.online("a"), cache.online("b"), cache.online("c")), (Some(true), Some(false), None));
        let push = r#"{"protocol":4,"t":1,"data":{"cid":"b","dps":{"1":7}}}"#;
        assert_eq!(note(&mut cache, push, 3), [("b".to_owned(), true)]);
        assert_eq!(cache.child_state("b", true, at(3)).get(1), Some(&json!(7)));
        assert_eq!(cache.own_state(None, at(3)).dps.len(), 0);
    }

    #[test]
    fn the_number_of_sub_devices_and_dps_is_bounded_however_much_memory_there_is() {
        let mut cache = Cache::new(Budget::alone(usize::MAX));
        for n in 0..2 * MOST_CHILDREN {
            note(&mut cache, &format!(r#"{{"cid":"c{n}","dps":{{"{n}":1}}}}"#), 1);
            note(&mut cache, &format!(r#"{{"dps":{{"{n}":1}}}}"#), 1);
        }
        assert_eq!(cache.children().len(), MOST_CHILDREN);
        assert_eq!(cache.own.0.len(), MOST_DPS);
    }

    #[test]
    fn the_sum_of_all_values_is_bounded_and_what_does_not_fit_is_counted() {
        let mut cache = cache();
        let tree = format!("[{}0]", "[],".repeat(10_000));
        let mut dropped = 0;
        for n in 0..200 {
            for dp in 1..4 {
                let text = format!(r#"{{"cid":"c{n}","dps":{{"{dp}":{tree},"9":"{}"}}}}"#, "x".repeat(1000));
                let report = Report::parse(text.as_bytes()).expect("a report");
                dropped += cache.apply(&report, true, at(1), |_, _| ());
            }
            assert!(!cache.budget.is_exceeded());
        }
        let kept: usize = cache.children.iter().map(Child::weight).sum();
        assert_eq!(kept, cache.budget.used());
        assert!((LIMIT / 2..=LIMIT / 4 * 3).contains(&kept), "{kept}");
        assert!(dropped > 400, "{dropped}");
        assert_eq!(cache.child_state("c0", true, at(1)).get(1).and_then(Value::as_array).map(Vec::len), Some(10_001));
        // A value that outgrows the budget is removed, not stale; a small one fits again.
        let before = cache.budget.used();
        note(&mut cache, r#"{"cid":"c0","dps":{"1":true}}"#, 2);
        assert_eq!(before - cache.budget.used(), allocated(tree.len()));
        let grown = format!(r#"{{"cid":"c0","dps":{{"1":"{}"}}}}"#, "y".repeat(LIMIT));
        let report = Report::parse(grown.as_bytes()).expect("a report");
        assert_eq!(cache.apply(&report, true, at(3), |_, _| ()), 1);
        assert_eq!(cache.child_state("c0", true, at(3)).get(1), None);
        let nobody = format!(r#"{{"cid":"{}","dps":{{"1":1}}}}"#, "c".repeat(500));
        let report = Report::parse(nobody.as_bytes()).expect("a report");
        assert_eq!(cache.apply(&report, true, at(3), |_, _| ()), 1, "no cid");
    }

    #[test]
    fn invented_sub_devices_leave_room_for_the_device_itself() {
        let mut cache = Cache::new(Budget::alone(4096));
        for n in 0..1000 {
            note(&mut cache, &format!(r#"{{"cid":"c{n}","dps":{{"1":"{}"}}}}"#, "x".repeat(50)), 1);
        }
        assert!(cache.budget.used() > 2000);
        assert!((1..10).all(|dp| {
            note(&mut cache, &format!(r#"{{"dps":{{"{dp}":true}}}}"#), 2);
            cache.own_state(None, at(2)).get(dp).is_some()
        }));
        let before = cache.children().len() as u64;
        assert_eq!(cache.set_limit(1024), before, "the sub-devices go first");
        assert!(!cache.budget.is_exceeded() && cache.own_state(None, at(2)).dps.len() == 9);
        assert!(cache.set_limit(200) > 0 && !cache.budget.is_exceeded());
    }

    #[test]
    fn what_is_gathered_for_a_command_is_bounded() {
        let mut gathered = Gathered::new(4096);
        for n in 0..1000 {
            gathered.insert(DpId(n), &DpValue::Bool(true));
        }
        assert!(!gathered.is_empty() && gathered.to_map().len() < 100);
        assert_eq!((gathered.get(0), gathered.get(999)), (Some(json!(true)), None));
    }

    #[test]
    fn what_another_connection_told_is_not_fresh() {
        let mut cache = cache();
        assert_eq!(cache.is_fresh(), None);
        note(&mut cache, r#"{"dps":{"1":true,"2":5}}"#, 1);
        note(&mut cache, r#"{"cid":"c","dps":{"1":true}}"#, 1);
        assert_eq!((cache.is_fresh(), cache.child_state("c", true, at(1)).stale), (Some(true), None));
        assert_eq!(cache.child_state("c", false, at(1)).stale, Some(Stale::NotConnected));
        cache.age();
        assert_eq!(cache.child_state("c", true, at(1)).stale, Some(Stale::NotReported));
        note(&mut cache, r#"{"dps":{"2":5,"2":6}}"#, 2);
        assert_eq!(cache.is_fresh(), Some(false));
        let fresh: Vec<_> = cache.own_state(None, at(2)).dps.values().map(|reading| reading.fresh).collect();
        assert_eq!(fresh, [false, true]);
        note(&mut cache, r#"{"cid":"c","dps":{"2":true}}"#, 2);
        assert_eq!(cache.child_state("c", true, at(2)).stale, Some(Stale::Partly));
        note(&mut cache, r#"{"dps":{"1":true}}"#, 3);
        assert_eq!(cache.is_fresh(), Some(true));
        note(&mut cache, r#"{"reqType":"subdev_online_stat_report","data":{"offline":["c"]}}"#, 3);
        assert_eq!(cache.child_state("c", true, at(3)).stale, Some(Stale::SubDeviceOffline));
    }
}
