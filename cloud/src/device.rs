//! Devices as the cloud lists them.

use serde_json::Value;

use crate::json;
use crate::mapping::Mapping;
use crate::secret::Secret;

/// A device as the cloud knows it. What the cloud did not say is `None`; where it is, and its public address, are not
/// taken over.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CloudDevice {
    /// Device id.
    pub id: String,
    /// Name that the user gave it.
    pub name: String,
    /// The local key; empty where the cloud does not tell it.
    pub key: Secret,
    /// Hardware address: 12 hex digits; none for sub-devices.
    pub mac: Option<String>,
    /// Identifier of the hardware.
    pub uuid: Option<String>,
    /// Serial number.
    pub sn: Option<String>,
    /// The category of the product, such as `dj` for lights.
    pub category: Option<String>,
    /// The product's name.
    pub product_name: Option<String>,
    /// The product's id.
    pub product_id: Option<String>,
    /// The vendor's kind of business.
    pub biz_type: Option<i64>,
    /// The model.
    pub model: Option<String>,
    /// True if it is reached through a gateway.
    pub is_sub_device: Option<bool>,
    /// The path of its picture.
    pub icon: Option<String>,
    /// Of a sub-device: its cid at the gateway.
    pub node_id: Option<String>,
    /// Of a sub-device: the id of its gateway.
    pub gateway_id: Option<String>,
    /// True if the cloud reaches it.
    pub is_online: Option<bool>,
    /// Meaning of its DPs; `None` where that is unknown.
    pub mapping: Option<Mapping>,
    /// True if `uuid` and `sn` come from the factory's list.
    pub(crate) has_factory_info: bool,
    /// The app's user.
    pub(crate) uid: Secret,
}

impl CloudDevice {
    /// Reads an item of any of the lists. `None` without an id.
    pub fn from_json(item: &Value) -> Option<Self> {
        Some(Self {
            id: json::filled(item, &["id", "devId", "device_id"])?,
            name: json::text(item, &["name", "customName"]).unwrap_or_default().trim().to_owned(),
            key: json::text(item, &["local_key", "localKey"]).unwrap_or_default().into(),
            mac: json::filled(item, &["mac"]),
            uuid: json::text(item, &["uuid"]),
            sn: json::text(item, &["sn"]),
            category: json::text(item, &["category"]),
            product_name: json::text(item, &["product_name", "productName"]),
            product_id: json::text(item, &["product_id", "productId"]),
            biz_type: json::integer(item, &["biz_type", "bizType"]),
            model: json::text(item, &["model"]),
            is_sub_device: json::truth(item, &["sub"]),
            icon: json::text(item, &["icon"]),
            node_id: json::text(item, &["node_id", "nodeId"]),
            gateway_id: json::filled(item, &["gateway_id", "gatewayId"]),
            is_online: json::truth(item, &["online", "isOnline", "is_online"]),
            mapping: None,
            has_factory_info: false,
            uid: json::text(item, &["uid"]).unwrap_or_default().into(),
        })
    }

    /// Takes over what another list knows more: what is filled wins over what is empty.
    pub fn complete(&mut self, other: Self) {
        let fill = |mine: &mut Option<String>, other: Option<String>| {
            if mine.as_ref().is_none_or(String::is_empty) && other.is_some() {
                *mine = other;
            }
        };
        if self.name.is_empty() {
            self.name = other.name;
        }
        if self.key.is_empty() {
            self.key = other.key;
        }
        if self.uid.is_empty() {
            self.uid = other.uid;
        }
        fill(&mut self.mac, other.mac);
        fill(&mut self.uuid, other.uuid);
        fill(&mut self.sn, other.sn);
        fill(&mut self.category, other.category);
        fill(&mut self.product_name, other.product_name);
        fill(&mut self.product_id, other.product_id);
        fill(&mut self.model, other.model);
        fill(&mut self.icon, other.icon);
        fill(&mut self.node_id, other.node_id);
        fill(&mut self.gateway_id, other.gateway_id);
        self.biz_type = self.biz_type.or(other.biz_type);
        self.is_online = self.is_online.or(other.is_online);
        // A list that does not know of gateways says no for all.
        self.is_sub_device = match (self.is_sub_device, other.is_sub_device) {
            (Some(mine), Some(other)) => Some(mine || other),
            (mine, other) => mine.or(other),
        };
        self.mapping = self.mapping.take().or(other.mapping);
    }

    /// Returns whether it is reached through a gateway.
    pub fn is_child(&self) -> bool {
        self.is_sub_device == Some(true)
    }
}

/// Adds devices to a list, and completes those that are in it. Says how many were new.
pub(crate) fn merge(list: &mut Vec<CloudDevice>, more: impl IntoIterator<Item = CloudDevice>) -> usize {
    let before = list.len();
    for device in more {
        match list.iter_mut().find(|known| known.id == device.id) {
            Some(known) => known.complete(device),
            None => list.push(device),
        }
    }
    list.len() - before
}

/// Gives sub-devices of unknown gateway the first device that has their key: a gateway shares its key with its children.
pub fn link_children(devices: &mut [CloudDevice]) {
    let gateways: Vec<(String, Secret)> = devices
        .iter()
        .filter(|device| !device.is_child() && !device.key.is_empty())
        .map(|device| (device.id.clone(), device.key.clone()))
        .collect();
    for child in devices.iter_mut().filter(|device| device.is_child() && device.gateway_id.is_none()) {
        child.gateway_id = gateways.iter().find(|(_, key)| *key == child.key).map(|(id, _)| id.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_complete_each_other() {
        let mut list = Vec::new();
        let read = |item| CloudDevice::from_json(&item).expect("has an id");
        let first = read(json!({ "id": "c", "name": " valve ", "local_key": "", "sub": false, "model": "" }));
        assert_eq!(merge(&mut list, [first]), 1);
        let second =
            read(json!({ "id": "c", "name": "other", "localKey": "k", "sub": 1, "nodeId": "n", "model": "M" }));
        let gateway = read(json!({ "id": "g", "local_key": "k", "sub": "false", "biz_type": "18" }));
        assert_eq!(merge(&mut list, [second, gateway]), 1);
        let child = &list[0];
        assert_eq!((child.name.as_str(), child.key.expose(), child.is_child()), ("valve", "k", true));
        assert_eq!((child.model.as_deref(), child.node_id.as_deref()), (Some("M"), Some("n")));
        assert_eq!((list[1].biz_type, list[1].is_child()), (Some(18), false));
        link_children(&mut list);
        assert_eq!(list[0].gateway_id.as_deref(), Some("g"));
        assert!(CloudDevice::from_json(&json!({ "name": "x" })).is_none());
    }

    #[test]
    fn nothing_private_is_shown() {
        let item = json!({
            "id": "a", "local_key": "hunter2", "uid": "hunter2", "lat": "hunter2", "lon": "hunter2",
            "ip": "hunter2", "owner_id": "hunter2", "asset_id": "hunter2"
        });
        assert!(!format!("{:?}", CloudDevice::from_json(&item)).contains("hunter2"));
    }
}
