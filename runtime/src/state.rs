//! What is known of a device's DPs.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustuya_proto::{self as proto, Cid, CidList, DpValue, Dps, Report};
use serde_json::{Map, Value};

use crate::convert;

/// The DPs of one device or sub-device as they were last heard, merged DP by DP.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
/// assert_eq!(device.state().get(2), None); // nothing was heard yet
/// device.query().await?;
/// let state = device.state(); // asks nobody
/// assert_eq!(state.get(2), Some(&json!(50)));
/// assert_eq!(state.to_map().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct State {
    /// Values by DP number.
    pub dps: BTreeMap<u16, Heard>,
}

/// One DP's value.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
/// # device.query().await?;
/// for (dp, heard) in device.state().dps {
///     println!("{dp} = {}, {:?} ago", heard.value, heard.age);
///     assert!(heard.age < Duration::from_secs(60));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Heard {
    /// The value.
    pub value: Value,
    /// How long ago it was heard.
    pub age: Duration,
}

impl State {
    /// The value of one DP, if it was heard of.
    pub fn get(&self, dp: u16) -> Option<&Value> {
        self.dps.get(&dp).map(|heard| &heard.value)
    }

    /// The values alone, in the form in which devices send them.
    pub fn to_map(&self) -> Map<String, Value> {
        self.dps.iter().map(|(dp, heard)| (dp.to_string(), heard.value.clone())).collect()
    }
}

/// What was heard, for as long as the device is known. Bounded in bytes, whatever a peer sends.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    own: Values,
    children: Vec<Child>,
    /// What all this takes.
    bytes: usize,
}

#[derive(Debug)]
struct Child {
    cid: Arc<str>,
    values: Values,
    online: Option<bool>,
}

/// Sorted by DP. Devices have few of them.
#[derive(Debug, Default)]
struct Values(Vec<Known>);

#[derive(Debug)]
struct Known {
    dp: u16,
    at: proto::Instant,
    value: Kept,
}

/// A value. Arrays and objects are kept as their text: as trees they would take many times as much.
#[derive(Debug)]
enum Kept {
    Plain(Value),
    Json(Box<[u8]>),
}

/// What is remembered of one device and its sub-devices together, in bytes.
const BUDGET: usize = 1 << 20;
/// Sub-devices that are remembered of one gateway. Gateways hold some 200.
const MOST_CHILDREN: usize = 1024;
/// DPs that are remembered of one device. Devices have fewer than 256.
const MOST_DPS: usize = 1024;

impl Kept {
    fn new(value: &DpValue<'_>) -> Self {
        match value {
            DpValue::Json(json) => Self::Json(json.as_bytes().into()),
            plain => Self::Plain(convert::dp_value(plain)),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Plain(Value::String(text)) => text.capacity(),
            Self::Plain(_) => 0,
            Self::Json(text) => text.len(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Json(text) => serde_json::from_str(&String::from_utf8_lossy(text)).unwrap_or(Value::Null),
        }
    }

    /// Becomes the value, without a new allocation where it already is.
    fn assign(&mut self, value: &DpValue<'_>) {
        match (&mut *self, value) {
            (Self::Plain(known), value) if !matches!(value, DpValue::Json(_)) => convert::assign(known, value),
            (Self::Json(known), DpValue::Json(json)) if **known == *json.as_bytes() => {}
            _ => *self = Self::new(value),
        }
    }
}

impl Cache {
    /// Takes a message in. `live` when it was sent because something happened, not from a gateway's memory. `changed`
    /// is called for each sub-device whose reachability has changed. Returns how many values there was no room for:
    /// they are not known from then on.
    pub(crate) fn note(
        &mut self,
        report: &Report<'_>,
        live: bool,
        now: proto::Instant,
        mut changed: impl FnMut(Arc<str>, bool),
    ) -> u64 {
        let mut dropped = 0;
        if let Some(dps) = report.dps {
            match report.cid {
                None => dropped += self.own.note(dps, now, &mut self.bytes),
                Some(cid) => match child_mut(&mut self.children, &mut self.bytes, &cid.to_string()) {
                    Some(child) => {
                        dropped += child.values.note(dps, now, &mut self.bytes);
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
                match child_mut(&mut self.children, &mut self.bytes, &cid.to_string()) {
                    Some(child) => child.set_online(online, &mut changed),
                    None => dropped += 1,
                }
            }
        }
        dropped
    }

    pub(crate) fn state(&self, cid: Option<&str>, now: proto::Instant) -> State {
        let values = match cid {
            None => Some(&self.own),
            Some(cid) => self.child(cid).map(|child| &child.values),
        };
        let heard =
            |known: &Known| (known.dp, Heard { value: known.value.value(), age: now.saturating_since(known.at) });
        State { dps: values.into_iter().flat_map(|values| &values.0).map(heard).collect() }
    }

    /// What the gateway last said about a sub-device.
    pub(crate) fn online(&self, cid: &str) -> Option<bool> {
        self.child(cid)?.online
    }

    /// All sub-devices that were heard of.
    pub(crate) fn children(&self) -> Vec<(Arc<str>, Option<bool>)> {
        self.children.iter().map(|child| (Arc::clone(&child.cid), child.online)).collect()
    }

    fn child(&self, cid: &str) -> Option<&Child> {
        self.children.iter().find(|child| &*child.cid == cid)
    }
}

/// The sub-device of this name, if it is known or can be: its name is one, and there is room.
fn child_mut<'a>(children: &'a mut Vec<Child>, bytes: &mut usize, cid: &str) -> Option<&'a mut Child> {
    let known = children.iter().position(|child| &*child.cid == cid);
    if let Some(at) = known {
        return children.get_mut(at);
    }
    let weight = size_of::<Child>() + cid.len();
    if children.len() >= MOST_CHILDREN || *bytes + weight > BUDGET || Cid::new(cid).is_err() {
        return None;
    }
    *bytes += weight;
    children.push(Child { cid: cid.into(), values: Values::default(), online: None });
    children.last_mut()
}

impl Child {
    fn set_online(&mut self, online: bool, changed: &mut impl FnMut(Arc<str>, bool)) {
        if self.online.replace(online) != Some(online) {
            changed(Arc::clone(&self.cid), online);
        }
    }
}

impl Values {
    /// Returns how many there was no room for.
    fn note(&mut self, dps: Dps<'_>, now: proto::Instant, bytes: &mut usize) -> u64 {
        let mut dropped = 0;
        for (id, value) in dps {
            let at = self.0.binary_search_by_key(&id.0, |known| known.dp);
            match at {
                Ok(at) => {
                    let Some(known) = self.0.get_mut(at) else { continue };
                    *bytes = bytes.saturating_sub(known.value.weight());
                    known.at = now;
                    known.value.assign(&value);
                    let weight = known.value.weight();
                    if *bytes + weight > BUDGET {
                        // The former value is not the device's any more.
                        *bytes = bytes.saturating_sub(size_of::<Known>());
                        self.0.remove(at);
                        dropped += 1;
                    } else {
                        *bytes += weight;
                    }
                }
                Err(at) => {
                    let value = Kept::new(&value);
                    let weight = size_of::<Known>() + value.weight();
                    if self.0.len() < MOST_DPS && *bytes + weight <= BUDGET {
                        *bytes += weight;
                        self.0.reserve_exact(1);
                        self.0.insert(at, Known { dp: id.0, at: now, value });
                    } else {
                        dropped += 1;
                    }
                }
            }
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(seconds: u64) -> proto::Instant {
        proto::Instant::from_micros(seconds * 1_000_000)
    }

    fn note(cache: &mut Cache, json: &str, seconds: u64) -> Vec<(String, bool)> {
        let report = Report::parse(json.as_bytes()).expect("a report");
        let mut changes = Vec::new();
        cache.note(&report, true, at(seconds), |cid, online| changes.push((cid.to_string(), online)));
        changes
    }

    #[test]
    fn dps_are_merged_one_by_one_with_the_time_heard() {
        let mut cache = Cache::default();
        note(&mut cache, r#"{"dps":{"2":50,"1":true}}"#, 1);
        note(&mut cache, r#"{"dps":{"1":false}}"#, 5);
        let state = cache.state(None, at(6));
        assert_eq!(Value::Object(state.to_map()), json!({ "1": false, "2": 50 }));
        let ages: Vec<_> = state.dps.values().map(|heard| heard.age.as_secs()).collect();
        assert_eq!(ages, [1, 5]);
        assert_eq!(cache.state(Some("c"), at(6)), State::default());
    }

    #[test]
    fn sub_devices_are_kept_apart_and_changes_told_once() {
        let mut cache = Cache::default();
        let report = r#"{"reqType":"subdev_online_stat_report","data":{"online":["a"],"offline":["b"]}}"#;
        assert_eq!(note(&mut cache, report, 1), [("a".to_owned(), true), ("b".to_owned(), false)]);
        assert_eq!(note(&mut cache, report, 2), []);
        assert_eq!((cache.online("a"), cache.online("b"), cache.online("c")), (Some(true), Some(false), None));
        let push = r#"{"protocol":4,"t":1,"data":{"cid":"b","dps":{"1":7}}}"#;
        assert_eq!(note(&mut cache, push, 3), [("b".to_owned(), true)]);
        assert_eq!(cache.state(Some("b"), at(3)).get(1), Some(&json!(7)));
        assert_eq!(cache.state(None, at(3)), State::default());
    }

    #[test]
    fn memory_is_bounded_whatever_a_peer_invents() {
        let mut cache = Cache::default();
        for n in 0..2 * MOST_CHILDREN {
            note(&mut cache, &format!(r#"{{"cid":"c{n}","dps":{{"{n}":1}}}}"#), 1);
            note(&mut cache, &format!(r#"{{"dps":{{"{n}":1}}}}"#), 1);
        }
        assert_eq!(cache.children().len(), MOST_CHILDREN);
        assert_eq!(cache.own.0.len(), MOST_DPS);
    }

    #[test]
    fn the_sum_of_all_values_is_bounded_and_what_does_not_fit_is_counted() {
        let mut cache = Cache::default();
        let tree = format!("[{}0]", "[],".repeat(10_000));
        let mut dropped = 0;
        for n in 0..200 {
            for dp in 1..4 {
                let text = format!(r#"{{"cid":"c{n}","dps":{{"{dp}":{tree},"9":"{}"}}}}"#, "x".repeat(1000));
                let report = Report::parse(text.as_bytes()).expect("a report");
                dropped += cache.note(&report, true, at(1), |_, _| ());
            }
            assert!(cache.bytes <= BUDGET);
        }
        let kept: usize =
            cache.children.iter().flat_map(|child| &child.values.0).map(|known| known.value.weight()).sum();
        assert!((BUDGET / 2..=BUDGET).contains(&kept), "{kept}");
        assert!(dropped > 400, "{dropped}");
        assert_eq!(cache.state(Some("c0"), at(1)).get(1).and_then(Value::as_array).map(Vec::len), Some(10_001));
        // A value that grows out of the budget is gone, not stale; a small one fits again.
        let before = cache.bytes;
        note(&mut cache, r#"{"cid":"c0","dps":{"1":true}}"#, 2);
        assert_eq!(before - cache.bytes, tree.len());
        let grown = format!(r#"{{"cid":"c0","dps":{{"1":"{}"}}}}"#, "y".repeat(BUDGET));
        let report = Report::parse(grown.as_bytes()).expect("a report");
        assert_eq!(cache.note(&report, true, at(3), |_, _| ()), 1);
        assert_eq!(cache.state(Some("c0"), at(3)).get(1), None);
        let nobody = format!(r#"{{"cid":"{}","dps":{{"1":1}}}}"#, "c".repeat(500));
        let report = Report::parse(nobody.as_bytes()).expect("a report");
        assert_eq!(cache.note(&report, true, at(3), |_, _| ()), 1, "no cid");
    }
}
