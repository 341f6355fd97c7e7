//! What is known of a device's DPs.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use rustuya_proto::{self as proto, CidList, Dps, Report};
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

/// What was heard, for as long as the device is known.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    own: Values,
    children: Vec<Child>,
}

#[derive(Debug)]
struct Child {
    cid: Arc<str>,
    values: Values,
    online: Option<bool>,
}

/// Sorted by DP. Devices have few of them.
#[derive(Debug, Default)]
struct Values(Vec<(u16, proto::Instant, Value)>);

/// Sub-devices that are remembered of one gateway. Gateways hold some 200.
const MOST_CHILDREN: usize = 1024;
/// DPs that are remembered of one device. Devices have fewer than 256.
const MOST_DPS: usize = 1024;

impl Cache {
    /// Takes a message in. `live` when it was sent because something happened, not from a gateway's memory. `changed`
    /// is called for each sub-device whose reachability has changed.
    pub(crate) fn note(
        &mut self,
        report: &Report<'_>,
        live: bool,
        now: proto::Instant,
        mut changed: impl FnMut(Arc<str>, bool),
    ) {
        if let Some(dps) = report.dps {
            match report.cid {
                None => self.own.note(dps, now),
                Some(cid) => {
                    if let Some(child) = self.child_mut(&cid.to_string()) {
                        child.values.note(dps, now);
                        if live {
                            child.set_online(true, &mut changed);
                        }
                    }
                }
            }
        }
        for (list, online) in [(report.online, true), (report.offline, false)] {
            for cid in list.into_iter().flat_map(CidList::into_iter) {
                if let Some(child) = self.child_mut(&cid.to_string()) {
                    child.set_online(online, &mut changed);
                }
            }
        }
    }

    pub(crate) fn state(&self, cid: Option<&str>, now: proto::Instant) -> State {
        let values = match cid {
            None => Some(&self.own),
            Some(cid) => self.child(cid).map(|child| &child.values),
        };
        let heard = |(dp, at, value): &(u16, proto::Instant, Value)| {
            (*dp, Heard { value: value.clone(), age: now.saturating_since(*at) })
        };
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

    fn child_mut(&mut self, cid: &str) -> Option<&mut Child> {
        let children = &mut self.children;
        let known = children.iter().position(|child| &*child.cid == cid);
        match known {
            Some(at) => children.get_mut(at),
            None if children.len() < MOST_CHILDREN => {
                children.push(Child { cid: cid.into(), values: Values::default(), online: None });
                children.last_mut()
            }
            None => None,
        }
    }
}

impl Child {
    fn set_online(&mut self, online: bool, changed: &mut impl FnMut(Arc<str>, bool)) {
        if self.online.replace(online) != Some(online) {
            changed(Arc::clone(&self.cid), online);
        }
    }
}

impl Values {
    fn note(&mut self, dps: Dps<'_>, now: proto::Instant) {
        for (id, value) in dps {
            let at = self.0.binary_search_by_key(&id.0, |(dp, _, _)| *dp);
            match at {
                Ok(at) => {
                    if let Some(known) = self.0.get_mut(at) {
                        known.1 = now;
                        convert::assign(&mut known.2, &value);
                    }
                }
                Err(at) if self.0.len() < MOST_DPS => {
                    self.0.reserve_exact(1);
                    self.0.insert(at, (id.0, now, convert::dp_value(&value)));
                }
                Err(_) => {}
            }
        }
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
}
