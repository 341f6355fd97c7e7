//! Announcements of a device, for its link.

use core::net::Ipv4Addr;

use rustuya_proto::Version;

use crate::discovery::{Location, Subscriber};
use crate::link::Link;

impl Subscriber for Link {
    fn on_announcement(&self, ip: Ipv4Addr, version: Option<Version>, product_key: Option<&str>) {
        self.with(|engine, _| engine.announced(ip.into(), version, product_key));
    }

    fn on_relayed(&self) {
        self.with(|engine, _| engine.relayed());
    }

    fn location(&self) -> Location {
        self.with(|engine, _| Location {
            is_configured: engine.machine().config().address.is_some(),
            is_known: engine.machine().address().is_some(),
            is_wanted: engine.needs_discovery(),
        })
    }
}
