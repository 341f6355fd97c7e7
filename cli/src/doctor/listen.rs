//! Announcements on the local network, received before the devices are examined.

use std::collections::BTreeMap;

use rustuya_runtime_tokio::{DiscoveredDevice, Scanner, Tokio};
use tokio::time::Instant;

use super::Args;

/// Received announcements.
#[derive(Default)]
pub(super) struct Heard {
    devices: BTreeMap<String, DiscoveredDevice>,
    /// Announced by another address than the one that is named, and not believed.
    relayed: Vec<DiscoveredDevice>,
    /// Reason for which nothing could be received at all.
    pub(super) error: Option<String>,
    /// Duration of the reception, in seconds.
    pub(super) seconds: f64,
}

impl Heard {
    /// Listens until all of these have announced themselves with a version, or the time is over.
    pub(super) async fn listen(args: &Args, wanted: &[String]) -> Self {
        let mut heard = Self::default();
        let begun = Instant::now();
        let scanner = Scanner::new(Tokio).timeout(args.listen).ports(args.discovery_ports.0);
        let mut scan = match scanner.trust_relayed(args.trust_relayed).stream() {
            Ok(scan) => scan,
            Err(error) => return Self { error: Some(error.to_string()), ..heard },
        };
        let is_complete = |devices: &BTreeMap<String, DiscoveredDevice>| {
            wanted.iter().all(|id| devices.get(id).is_some_and(|found| found.version.is_some()))
        };
        while !is_complete(&heard.devices) {
            let Some(found) = scan.recv().await else { break };
            heard.devices.insert(found.id.clone(), found);
        }
        heard.relayed = scan.relayed();
        heard.seconds = begun.elapsed().as_secs_f64();
        heard
    }

    pub(super) fn device(&self, id: &str) -> Option<&DiscoveredDevice> {
        self.devices.get(id)
    }

    pub(super) fn relayed(&self, id: &str) -> Option<&DiscoveredDevice> {
        self.relayed.iter().find(|found| found.id == id)
    }

    pub(super) fn others(&self) -> usize {
        self.devices.len()
    }
}
