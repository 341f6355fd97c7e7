//! The local network, searched while the cloud answers.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use anyhow::Context;
use rustuya_cloud::{CloudDevice, Heard};
use rustuya_runtime_tokio::{Scanner, Tokio};

/// A search that goes on in a thread of its own.
pub(super) struct Lan {
    news: Receiver<Heard>,
    ends: Instant,
}

impl Lan {
    pub(super) fn start(time: Duration, ports: [u16; 3]) -> anyhow::Result<Self> {
        let (send, news) = channel();
        let (started, has_started) = channel();
        thread::Builder::new().name("scan".to_owned()).spawn(move || {
            let result = crate::block_on(async {
                let mut scan =
                    Scanner::new(Tokio).timeout(time).ports(ports).stream().context("see --discovery-ports")?;
                // Fails when the caller has stopped waiting.
                let _ = started.send(None);
                while let Some(found) = scan.recv().await {
                    let version = found.version.map(|version| version.as_str());
                    if send.send(Heard { id: found.id, address: found.ip.into(), version }).is_err() {
                        break;
                    }
                }
                Ok(())
            });
            if let Err(error) = result {
                let _ = started.send(Some(error));
            }
        })?;
        match has_started.recv() {
            Ok(Some(error)) => Err(error),
            _ => Ok(Self { news, ends: Instant::now() + time }),
        }
    }

    /// Returns the received announcements once all of these devices were received, or the time is over.
    pub(super) fn finish(self, devices: &[CloudDevice]) -> Vec<Heard> {
        let mut heard = BTreeMap::new();
        let wanted = || devices.iter().filter(|device| !device.is_child());
        // A version may follow the address.
        let is_complete = |heard: &BTreeMap<String, Heard>| {
            wanted().all(|device| heard.get(&device.id).is_some_and(|heard| heard.version.is_some()))
        };
        while !is_complete(&heard) {
            match self.news.recv_timeout(self.ends.saturating_duration_since(Instant::now())) {
                Ok(found) => drop(heard.insert(found.id.clone(), found)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        heard.into_values().collect()
    }
}
