//! Virtual devices of the demo.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use anyhow::Context;
use rand::distr::{Alphanumeric, SampleString};
use rustuya_runtime_tokio::{Dialect, Version};
use rustuya_virtual_device::VirtualDevice;
use serde_json::{Map, Value};

/// Description of one device.
pub(super) struct DevicePlan {
    pub(super) name: &'static str,
    version: Version,
    device22: bool,
    dps: &'static str,
    /// DPs that the demo sets.
    set: &'static str,
    /// DPs that change at the device, as if by hand.
    by_hand: &'static str,
    children: &'static [ChildPlan],
}

struct ChildPlan {
    name: &'static str,
    cid: &'static str,
    dps: &'static str,
    set: &'static str,
    by_hand: &'static str,
}

const PLANS: &[DevicePlan] = &[
    DevicePlan {
        name: "old plug",
        version: Version::V31,
        device22: false,
        dps: r#"{"1":false,"9":0}"#,
        set: r#"{"1":true}"#,
        by_hand: r#"{"1":false}"#,
        children: &[],
    },
    DevicePlan {
        name: "curtain",
        version: Version::V32,
        device22: false,
        dps: r#"{"1":"stop","2":20}"#,
        set: r#"{"1":"open","2":100}"#,
        by_hand: r#"{"1":"stop"}"#,
        children: &[],
    },
    DevicePlan {
        name: "bulb",
        version: Version::V33,
        device22: false,
        dps: r#"{"20":false,"22":400}"#,
        set: r#"{"20":true,"22":1000}"#,
        by_hand: r#"{"22":10}"#,
        children: &[],
    },
    DevicePlan {
        name: "air conditioner",
        version: Version::V33,
        device22: true,
        dps: r#"{"1":true,"2":24}"#,
        set: r#"{"2":21}"#,
        by_hand: r#"{"1":false}"#,
        children: &[],
    },
    DevicePlan {
        name: "heater",
        version: Version::V34,
        device22: false,
        dps: r#"{"1":false,"16":180}"#,
        set: r#"{"1":true,"16":215}"#,
        by_hand: r#"{"16":190}"#,
        children: &[],
    },
    DevicePlan {
        name: "power strip",
        version: Version::V35,
        device22: false,
        dps: r#"{"1":false,"2":false}"#,
        set: r#"{"1":true,"2":true}"#,
        by_hand: r#"{"2":false}"#,
        children: &[],
    },
    DevicePlan {
        name: "gateway",
        version: Version::V34,
        device22: false,
        dps: r#"{"4":false,"32":"normal"}"#,
        set: r#"{"32":"arm"}"#,
        by_hand: r#"{"4":true}"#,
        children: &[
            ChildPlan {
                name: "radiator valve",
                cid: "a4c1380000000001",
                dps: r#"{"2":200,"3":195}"#,
                set: r#"{"2":225}"#,
                by_hand: r#"{"3":201}"#,
            },
            ChildPlan {
                name: "wall switch",
                cid: "a4c1380000000002",
                dps: r#"{"1":false,"2":false}"#,
                set: r#"{"1":true}"#,
                by_hand: r#"{"2":true}"#,
            },
        ],
    },
];

/// Running device, or a sub-device behind one.
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) id: String,
    pub(super) key: String,
    pub(super) version: Version,
    pub(super) device22: bool,
    pub(super) set: Map<String, Value>,
    pub(super) by_hand: Map<String, Value>,
    pub(super) virtual_device: VirtualDevice,
    /// Cid of a sub-device.
    pub(super) cid: Option<&'static str>,
}

/// Starts every device, which announces itself to `announce`: the ports of clear announcements, of encrypted ones and
/// of answers to probes. Sub-devices follow their gateway.
pub(super) async fn start(announce: [SocketAddr; 3]) -> anyhow::Result<Vec<Member>> {
    let [clear, encrypted, answers] = announce;
    let mut members = Vec::new();
    for plan in PLANS {
        let to = match plan.version {
            Version::V31 | Version::V32 => clear,
            Version::V33 | Version::V34 => encrypted,
            Version::V35 => answers,
        };
        let id = format!("demo{}", Alphanumeric.sample_string(&mut rand::rng(), 16).to_lowercase());
        let key = Alphanumeric.sample_string(&mut rand::rng(), 16);
        let mut builder = VirtualDevice::builder(&id, &key, plan.version)?
            .dps(map(plan.dps)?)?
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .announce_to(to)
            .announce_every(Duration::from_millis(500));
        if plan.device22 {
            builder = builder.dialect(Dialect::Device22);
        }
        for child in plan.children {
            builder = builder.sub(child.cid, map(child.dps)?)?;
        }
        let virtual_device = builder.start().await.with_context(|| format!("{} cannot start", plan.name))?;
        let member = |name, cid, set, by_hand| -> anyhow::Result<Member> {
            Ok(Member {
                name,
                id: id.clone(),
                key: key.clone(),
                version: plan.version,
                device22: plan.device22 || plan.version.fixed_dialect() == Some(Dialect::Device22),
                set: map(set)?,
                by_hand: map(by_hand)?,
                virtual_device: virtual_device.clone(),
                cid,
            })
        };
        members.push(member(plan.name, None, plan.set, plan.by_hand)?);
        for child in plan.children {
            members.push(member(child.name, Some(child.cid), child.set, child.by_hand)?);
        }
    }
    Ok(members)
}

fn map(text: &str) -> anyhow::Result<Map<String, Value>> {
    Ok(serde_json::from_str(text)?)
}

impl Member {
    /// Returns the device's own DPs.
    pub(super) fn current_dps(&self) -> Map<String, Value> {
        self.virtual_device.dps(self.cid)
    }

    /// Returns its version and dialect as text.
    pub(super) fn version_text(&self) -> String {
        match (self.cid, self.device22) {
            (Some(_), _) => format!("{} gateway", self.version),
            (None, true) => format!("{} device22", self.version),
            (None, false) => self.version.to_string(),
        }
    }
}
