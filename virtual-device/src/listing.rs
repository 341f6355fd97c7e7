//! Entries of a `devices.json` for virtual devices.

use core::net::SocketAddr;

use rustuya_proto::DEFAULT_PORT;
use serde_json::{Map, Value, json};

use crate::device::VirtualDevice;
use crate::profile::Profile;
use crate::shared::Inner;

impl VirtualDevice {
    /// Returns the profile, if it has one.
    pub fn profile(&self) -> Option<Profile> {
        self.inner().store().profile(None)
    }

    /// Returns its entries in a `devices.json`, as tinytuya's wizard writes them, with address and port: that of the device
    /// first, then those of its sub-devices. Devices with a [profile](crate::VirtualDeviceBuilder::profile) have a
    /// category, a product and a `mapping`. The entries contain the local key.
    ///
    /// ```
    /// # use rustuya_virtual_device::{Version, VirtualDevice};
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// let gateway = VirtualDevice::builder("gw0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    ///     .bind("127.0.0.1:0".parse()?) // a free port
    ///     .profile("gateway".parse()?)
    ///     .start()
    ///     .await?;
    /// let entries = gateway.entries();
    /// assert_eq!((&entries[0]["name"], &entries[0]["category"]), (&json!("Zigbee gateway"), &json!("wg2")));
    /// assert_eq!(entries[1]["mapping"]["1"]["code"], json!("doorcontact_state"));
    /// assert_eq!(entries[1]["parent"], entries[0]["id"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn entries(&self) -> Vec<Map<String, Value>> {
        let inner = self.inner();
        let store = inner.store();
        let profile = store.profile(None);
        let mut entry = begin(inner, self.id(), inner.name.as_deref(), profile);
        describe(&mut entry, profile);
        entry.insert("sub".to_owned(), false.into());
        entry.insert("version".to_owned(), self.version().as_str().into());
        if let Some(profile) = profile {
            entry.insert("mapping".to_owned(), profile.mapping().into());
        }
        locate(&mut entry, self.local_addr());
        let children = store.cids().enumerate().map(|(at, cid)| {
            let profile = store.profile(Some(cid));
            let id = format!("{}-{:02}", self.id(), at + 1);
            let mut entry = begin(inner, &id, None, profile);
            describe(&mut entry, profile);
            entry.insert("sub".to_owned(), true.into());
            entry.insert("node_id".to_owned(), cid.into());
            if let Some(profile) = profile {
                entry.insert("mapping".to_owned(), profile.mapping().into());
            }
            entry.insert("parent".to_owned(), self.id().into());
            entry
        });
        core::iter::once(entry).chain(children).collect()
    }
}

fn begin(inner: &Inner, id: &str, name: Option<&str>, profile: Option<Profile>) -> Map<String, Value> {
    let name = name.or(profile.map(Profile::title)).unwrap_or(id);
    let key: String = inner.config.local_key.expose().iter().copied().map(char::from).collect();
    let entry = json!({ "name": name, "id": id, "key": key, "mac": "" });
    entry.as_object().cloned().unwrap_or_default()
}

fn describe(entry: &mut Map<String, Value>, profile: Option<Profile>) {
    let Some(profile) = profile else { return };
    entry.insert("category".to_owned(), profile.category().into());
    entry.insert("product_name".to_owned(), profile.product().into());
    entry.insert("product_id".to_owned(), profile.product_id().into());
    entry.insert("model".to_owned(), profile.model().into());
}

fn locate(entry: &mut Map<String, Value>, address: SocketAddr) {
    // A device that listens everywhere is at this computer, too.
    let ip = if address.ip().is_unspecified() { "127.0.0.1".to_owned() } else { address.ip().to_string() };
    entry.insert("ip".to_owned(), ip.into());
    if address.port() != DEFAULT_PORT {
        entry.insert("port".to_owned(), address.port().into());
    }
}
