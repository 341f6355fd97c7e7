//! Values of such a file.

use core::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use rustuya_proto::Dialect;

use super::entry::DeviceEntry;
use crate::device::Address;
use crate::text;

/// A value of the file, as far as it matters. Deserializing it never fails by itself, because errors of typed
/// deserialization quote text, and thereby keys.
#[derive(Default)]
pub(super) struct Field {
    text: Option<Zeroizing<String>>,
    number: Option<String>,
    is_true: bool,
    is_null: bool,
    /// For a list, its objects with an id.
    list: Option<Vec<DeviceEntry>>,
    object: Option<Object>,
}

/// An object: a device, or a container of devices.
#[derive(Default)]
struct Object {
    /// Fields of a device.
    entry: DeviceEntry,
    /// List of devices in it.
    devices: Option<Vec<DeviceEntry>>,
    /// Members that are devices. Those without an id use the name of the member.
    members: Vec<DeviceEntry>,
}

impl Field {
    /// Returns the devices of a list, of a device, or of an object with devices as members.
    pub(super) fn into_devices(self) -> Option<Vec<DeviceEntry>> {
        let Some(object) = self.object else { return self.list };
        if object.devices.is_some() {
            return object.devices;
        }
        if object.entry.is_device() {
            return Some(vec![object.entry]);
        }
        Some(object.members).filter(|members| !members.is_empty())
    }
}

impl DeviceEntry {
    /// Returns whether the fields alone prove that it is a device.
    fn is_device(&self) -> bool {
        !self.id.is_empty() && (self.key.is_some() || self.address != Address::Auto || self.is_sub_device)
    }

    /// Sets one field of the entry.
    fn take(&mut self, name: &str, field: Field) {
        let text = field.text.filter(|text| !text.trim().is_empty());
        let owned = |text: Zeroizing<String>| Some(text.as_str().to_owned());
        match name {
            "id" => self.id = text.and_then(owned).unwrap_or_default(),
            "gwId" | "device_id" if self.id.is_empty() => self.id = text.and_then(owned).unwrap_or_default(),
            "name" => self.name = text.and_then(owned),
            "friendly_name" if self.name.is_none() => self.name = text.and_then(owned),
            "key" => self.key = text.map(|text| text::local_key(&text)).or_else(|| self.key.take()),
            "local_key" if self.key.is_none() => self.key = text.map(|text| text::local_key(&text)),
            "ip" => self.address = text.and_then(|text| text.trim().parse().ok()).unwrap_or_default(),
            "host" if self.address == Address::Auto => {
                self.address = text.and_then(|text| text.trim().parse().ok()).unwrap_or_default();
            }
            "port" => self.port = field.number.as_ref().and_then(|number| number.parse().ok()),
            "version" | "ver" | "protocol_version" => {
                let said = text.as_ref().map(|text| text.trim().trim_start_matches(['v', 'V']));
                let said = said.or(field.number.as_deref());
                self.version = said.and_then(|said| said.parse().ok()).or(self.version);
            }
            "min_version" => {
                let said = text.as_ref().map(|text| text.trim()).or(field.number.as_deref());
                self.min_version = said.and_then(|said| said.parse().ok());
            }
            "dev_type" | "dialect" => {
                self.dialect = match text.as_ref().map(|text| text.trim()) {
                    Some("device22") => Some(Dialect::Device22),
                    Some("default") => Some(Dialect::Default),
                    _ => self.dialect,
                };
            }
            "sub" => self.is_sub_device |= field.is_true,
            "parent" => {
                self.is_sub_device |= !field.is_null;
                self.parent = text.and_then(owned);
            }
            "node_id" => self.cid = text.and_then(owned).or_else(|| self.cid.take()),
            "cid" | "device_cid" if self.cid.is_none() => self.cid = text.and_then(owned),
            "uuid" => self.uuid = text.and_then(owned),
            "category" => self.category = text.and_then(owned),
            "product_id" => self.product_id = text.and_then(owned),
            "productKey" if self.product_id.is_none() => self.product_id = text.and_then(owned),
            "product_name" => self.product_name = text.and_then(owned),
            "model" => self.model = text.and_then(owned),
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field { text: Some(Zeroizing::new(text.to_owned())), ..Field::default() })
    }

    fn visit_bool<E>(self, is_true: bool) -> Result<Field, E> {
        Ok(Field { is_true, ..Field::default() })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        Ok(Field { number: Some(number.to_string()), ..Field::default() })
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
        Ok(Field { number: Some(number.to_string()), ..Field::default() })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field, E> {
        Ok(Field { number: Some(number.to_string()), ..Field::default() })
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field { is_null: true, ..Field::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Field>()? {
            list.extend(item.object.map(|object| object.entry).filter(|entry| !entry.id.is_empty()));
        }
        Ok(Field { list: Some(list), ..Field::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Field, A::Error> {
        let mut object = Object::default();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "devices" => object.devices = fields.next_value::<Field>()?.into_devices().or(object.devices),
                // Answer of the cloud. It contains the address of the router, as the cloud sees it.
                "result" => {
                    let found = fields.next_value::<Field>()?.into_devices();
                    let without_ip = |listed| DeviceEntry { address: Address::Auto, ..listed };
                    object.devices = found.map(|list| list.into_iter().map(without_ip).collect()).or(object.devices);
                }
                "list" => object.devices = fields.next_value::<Field>()?.list.or(object.devices),
                // Kept as text, whatever its depth.
                "mapping" => object.entry.mapping = Some(fields.next_value()?),
                // Skipped, whatever their depth.
                "dps" | "status" => drop(fields.next_value::<IgnoredAny>()?),
                _ => object.take(name, fields.next_value()?),
            }
        }
        Ok(Field { object: Some(object), ..Field::default() })
    }
}

impl Object {
    fn take(&mut self, name: String, mut field: Field) {
        if let Some(inner) = field.object.take() {
            let mut member = inner.entry;
            if member.id.is_empty() {
                member.id = name;
            }
            self.members.extend(Some(member).filter(DeviceEntry::is_device));
        } else {
            self.entry.take(&name, field);
        }
    }
}
