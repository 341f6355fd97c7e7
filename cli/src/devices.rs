//! Device lists in the form of tinytuya's `devices.json`.

use core::net::IpAddr;
use std::path::Path;

use anyhow::{Context, bail};
use rustuya_runtime_tokio::Version;
use serde_json::{Map, Value};

use crate::key::Secret;

/// The devices of a file.
#[derive(Debug)]
pub(crate) struct DeviceList(Vec<Listed>);

/// What the file says about one device.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) key: Option<Secret>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) version: Option<Version>,
    /// What the file says when it is about a sub-device.
    pub(crate) child: Option<Child>,
}

/// A sub-device's place at its gateway.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) cid: Option<String>,
    /// Id of the gateway, when the file knows it.
    parent: Option<String>,
}

impl DeviceList {
    /// Reads a file: a list of devices, or an object that has one in `devices`.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let file = || format!("--devices {}", path.display());
        let text = std::fs::read(path).with_context(file)?;
        // Through `Value`, because errors of typed parsing quote the text, and with it keys.
        let value: Value = serde_json::from_slice(&text).with_context(file)?;
        let list = match &value {
            Value::Object(object) => object.get("devices"),
            value => Some(value),
        };
        let Some(Value::Array(list)) = list else {
            bail!("{}: not a list of devices", file());
        };
        Ok(Self(list.iter().filter_map(Value::as_object).filter_map(Listed::read).collect()))
    }

    /// The device with this id, else the only one with this name.
    pub(crate) fn find(&self, wanted: &str) -> anyhow::Result<Option<&Listed>> {
        if let Some(listed) = self.0.iter().find(|listed| listed.id == wanted) {
            return Ok(Some(listed));
        }
        let mut named = self.0.iter().filter(|listed| listed.name.as_deref() == Some(wanted));
        match (named.next(), named.next()) {
            (found, None) => Ok(found),
            _ => bail!("several devices are called {wanted}: give the id"),
        }
    }

    /// The gateway of a sub-device: the one named as its parent, else the only device with the same key.
    pub(crate) fn gateway(&self, listed: &Listed, child: &Child) -> Option<&Listed> {
        if let Some(parent) = &child.parent {
            return self.0.iter().find(|listed| listed.id == *parent);
        }
        let key = listed.key.as_ref()?.read("").ok()?;
        let same_key = |other: &&Listed| {
            let other_key = other.key.as_ref().and_then(|key| key.read("").ok());
            other.child.is_none() && other_key.is_some_and(|other_key| other_key == key)
        };
        let mut gateways = self.0.iter().filter(same_key);
        gateways.next().filter(|_| gateways.next().is_none())
    }
}

impl Listed {
    fn read(object: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let is_child = object.contains_key("parent") || object.get("sub").and_then(Value::as_bool) == Some(true);
        Some(Self {
            id: text("id")?.to_owned(),
            name: text("name").map(str::to_owned),
            key: text("key").map(|key| Secret::from(key.as_bytes())),
            ip: text("ip").and_then(|ip| ip.parse().ok()),
            port: object.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()),
            version: ["version", "ver"].into_iter().find_map(|name| version(object.get(name)?)),
            child: is_child.then(|| Child {
                cid: text("node_id").or_else(|| text("cid")).map(str::to_owned),
                parent: text("parent").map(str::to_owned),
            }),
        })
    }
}

/// A version as text or as a number.
fn version(value: &Value) -> Option<Version> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> DeviceList {
        let value: Value = serde_json::from_str(text).expect("JSON");
        let objects = value.as_array().expect("a list").iter().filter_map(Value::as_object);
        DeviceList(objects.filter_map(Listed::read).collect())
    }

    #[test]
    fn what_the_file_leaves_empty_is_unknown() {
        let list =
            list(r#"[{"id":"a","name":"","key":"","ip":"","version":""},{"id":"b","ip":"::1","ver":3.4,"port":7}]"#);
        let a = list.find("a").expect("one").expect("listed");
        assert!(a.name.is_none() && a.key.is_none() && a.ip.is_none() && a.version.is_none() && a.child.is_none());
        let b = list.find("b").expect("one").expect("listed");
        assert_eq!((b.ip, b.version, b.port), ("::1".parse().ok(), Some(Version::V34), Some(7)));
    }

    #[test]
    fn a_sub_device_finds_its_gateway_by_name_or_by_key() {
        let list = list(
            r#"[{"id":"g","key":"0123456789abcdef"},{"id":"h","key":"fedcba9876543210"},
                {"id":"c","node_id":"c1","parent":"h","key":"0123456789abcdef"},
                {"id":"d","node_id":"d1","parent":"","key":"0123456789abcdef"},
                {"id":"e","sub":true,"key":"another key here"}]"#,
        );
        let gateway_of = |id: &str| {
            let listed = list.find(id).expect("one").expect("listed");
            let gateway = list.gateway(listed, listed.child.as_ref().expect("a child"));
            gateway.map(|gateway| gateway.id.as_str())
        };
        assert_eq!((gateway_of("c"), gateway_of("d"), gateway_of("e")), (Some("h"), Some("g"), None));
    }

    #[test]
    fn names_serve_as_long_as_they_are_clear() {
        let list = list(r#"[{"id":"a","name":"lamp"},{"id":"b","name":"fan"},{"id":"c","name":"fan"}]"#);
        assert_eq!(list.find("lamp").expect("clear").map(|listed| listed.id.as_str()), Some("a"));
        assert!(list.find("fan").is_err());
        assert!(list.find("heater").expect("clear").is_none());
    }
}
