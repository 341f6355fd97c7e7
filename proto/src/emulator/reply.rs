//! JSON that devices send.

use core::cell::Cell;

use super::config::EmulatorConfig;
use super::model::{DpKind, Model};
use crate::ids::DpId;
use crate::json::Writer;
use crate::payload::DpValue;
use crate::version::Version;

/// Function that writes the `dps` of a message.
pub(super) type WriteDps<'a> = &'a dyn Fn(&mut Writer<'_>);

/// Writes the DPs of the model for which `filter` is true.
pub(super) fn dps_of(w: &mut Writer<'_>, model: &dyn Model, cid: Option<&str>, filter: &dyn Fn(DpId) -> bool) {
    let mut first = true;
    w.byte(b'{');
    model.dps(cid, &mut |id, value| {
        if filter(id) {
            entry(w, &mut first, id, value);
        }
    });
    w.byte(b'}');
}

/// Like [`dps_of`], for a query reply.
pub(super) fn state_of(
    w: &mut Writer<'_>,
    config: &EmulatorConfig,
    model: &dyn Model,
    cid: Option<&str>,
    filter: &dyn Fn(DpId) -> bool,
) {
    let mut first = true;
    w.byte(b'{');
    model.dps(cid, &mut |id, value| {
        if filter(id) {
            let hides = config.quirks().raw_as_false && model.kind(cid, id) == DpKind::Raw;
            entry(w, &mut first, id, if hides { DpValue::Bool(false) } else { value });
        }
    });
    w.byte(b'}');
}

/// Returns whether [`dps_of`] has anything to write.
pub(super) fn any_dp(model: &dyn Model, cid: Option<&str>, filter: &dyn Fn(DpId) -> bool) -> bool {
    let mut any = false;
    model.dps(cid, &mut |id, _| any |= filter(id));
    any
}

fn entry(w: &mut Writer<'_>, first: &mut bool, id: DpId, value: DpValue<'_>) {
    if !*first {
        w.byte(b',');
    }
    *first = false;
    w.byte(b'"');
    w.unsigned(u64::from(id.0));
    w.text("\":");
    value.write(w);
}

/// Writes a name, given with its quotes and colon, and its value.
fn string_field(w: &mut Writer<'_>, name: &str, value: &str) {
    w.text(name);
    w.string(value);
}

/// Writes a query reply. The order of fields is that of firmware: 3.1 has its id first, 3.5 last, the others not at
/// all.
pub(super) fn query_reply(w: &mut Writer<'_>, config: &EmulatorConfig, cid: Option<&str>, dps: WriteDps<'_>) {
    w.byte(b'{');
    if config.version() == Version::V31 && cid.is_none() {
        string_field(w, "\"devId\":", config.id.as_str());
        w.byte(b',');
    }
    w.text("\"dps\":");
    dps(w);
    if let Some(cid) = cid {
        string_field(w, ",\"cid\":", cid);
    } else if config.version() == Version::V35 {
        string_field(w, ",\"devId\":", config.id.as_str());
    }
    w.byte(b'}');
}

/// Writes a push, or a query reply in the form of one.
pub(super) fn push(
    w: &mut Writer<'_>,
    config: &EmulatorConfig,
    cid: Option<&str>,
    unix_time: u64,
    report: u32,
    wrapped: bool,
    dps: WriteDps<'_>,
) {
    if wrapped {
        w.text("{\"protocol\":4,\"t\":");
        w.unsigned(unix_time);
        w.text(",\"data\":{\"dps\":");
        dps(w);
        if let Some(cid) = cid {
            string_field(w, ",\"cid\":", cid);
        }
        w.text("}}");
        return;
    }
    w.byte(b'{');
    if cid.is_none() {
        string_field(w, "\"devId\":", config.id.as_str());
        w.byte(b',');
    }
    w.text("\"dps\":");
    dps(w);
    if let Some(cid) = cid {
        string_field(w, ",\"cid\":", cid);
    }
    w.text(",\"t\":");
    w.unsigned(unix_time);
    if config.version() == Version::V31 {
        w.text(",\"s\":");
        w.unsigned(u64::from(report));
    }
    w.byte(b'}');
}

/// Writes a sub-device report about `count` of those for which `filter` is true, beginning with number `from`.
#[expect(clippy::arithmetic_side_effects, reason = "the difference is taken where it is not negative")]
pub(super) fn children(
    w: &mut Writer<'_>,
    model: &dyn Model,
    filter: &dyn Fn(&str) -> bool,
    from: usize,
    count: usize,
) {
    let list = |w: &mut Writer<'_>, wanted: bool| {
        let (mut at, mut first) = (0usize, true);
        w.byte(b'[');
        model.children(&mut |cid, online| {
            if !filter(cid) {
                return;
            }
            let here = at >= from && at - from < count;
            at = at.saturating_add(1);
            if here && online == wanted {
                if !first {
                    w.byte(b',');
                }
                first = false;
                w.string(cid);
            }
        });
        w.byte(b']');
    };
    w.text("{\"reqType\":\"subdev_online_stat_report\",\"data\":{\"online\":");
    list(w, true);
    w.text(",\"offline\":");
    list(w, false);
    w.text("}}");
}

/// Returns the number of sub-devices for which `filter` is true.
pub(super) fn child_count(model: &dyn Model, filter: &dyn Fn(&str) -> bool) -> usize {
    let count = Cell::new(0usize);
    model.children(&mut |cid, _| {
        if filter(cid) {
            count.set(count.get().saturating_add(1));
        }
    });
    count.get()
}
