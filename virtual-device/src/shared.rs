//! State of a virtual device.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustuya_proto::{DpId, DpKind, EmulatorConfig, Model as _};
use rustuya_runtime::driver::{Clock, Pool, Source};
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::acceptor::Acceptor;
use crate::behavior::Changed;
use crate::events::{Change, RejectedWrite, Request};
use crate::store::Store;

/// State shared by the handle, the task and the connections of a virtual device.
pub(crate) struct Inner {
    pub(crate) config: EmulatorConfig,
    pub(crate) store: Mutex<Store>,
    pub(crate) acceptor: Acceptor,
    /// Pushes that were dropped because a controller did not read.
    pub(crate) lost_pushes: AtomicU64,
    pub(crate) requests: Source<Request>,
    pub(crate) rejected: Source<RejectedWrite>,
    /// Limited to the first [`MAX_REJECTED`].
    pub(crate) rejected_writes: Mutex<Vec<RejectedWrite>>,
    pub(crate) is_strict: bool,
    /// Name in a list of devices.
    pub(crate) name: Option<String>,
    /// Set while no connection is served.
    pub(crate) wedged: watch::Sender<bool>,
    pub(crate) clock: Clock,
    pub(crate) pool: Pool,
    /// Wakes the task after a reaction, which may have brought the next change forward.
    pub(crate) reacted: Notify,
}

impl Inner {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pushes DPs to all controllers except the one that wrote them, without those that are never pushed. Called with
    /// the store locked, so that changes are pushed in their order.
    pub(crate) fn publish(&self, store: &Store, by: Option<u64>, cid: Option<String>, mut dps: Map<String, Value>) {
        if self.config.quirks.hold_bitmaps {
            let kind = |key: &str| key.parse().map(|dp| store.kind(cid.as_deref(), DpId(dp)));
            dps.retain(|key, _| kind(key) != Ok(DpKind::Bitmap));
        }
        if !dps.is_empty() {
            self.acceptor.publish(&Change::Dps { by, cid, dps: Value::Object(dps).to_string() });
        }
    }

    /// Pushes what the device changed by itself.
    pub(crate) fn publish_all(&self, store: &Store, changes: Vec<Changed>) {
        for Changed { cid, dps } in changes {
            self.publish(store, None, cid, dps);
        }
    }

    /// Lets the device react to the writes that it has accepted, and pushes what that changes.
    pub(crate) fn react(&self, store: &mut Store) {
        if store.has_news() {
            let changes = store.react(Instant::now());
            self.publish_all(store, changes);
            self.reacted.notify_one();
        }
    }

    /// Counts pushes that a controller did not get.
    pub(crate) fn lose(&self, client: u64, lost: u64) {
        self.lost_pushes.fetch_add(lost, Ordering::Relaxed);
        tracing::warn!(id = %self.config.id, client, lost, "pushes were dropped: the controller does not read");
    }

    /// Ends all listeners.
    pub(crate) fn close(&self) {
        self.requests.close();
        self.rejected.close();
    }

    pub(crate) fn rejected_writes(&self) -> MutexGuard<'_, Vec<RejectedWrite>> {
        self.rejected_writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report_rejected(&self, rejected: RejectedWrite) {
        let why = rejected.why.map_or_else(|| "not for this device".to_owned(), |why| why.to_string());
        let id = &self.config.id;
        if self.is_strict {
            tracing::warn!(%id, cid = rejected.cid, dp = rejected.dp, why, "a write was acknowledged, but not taken");
        } else {
            tracing::debug!(%id, cid = rejected.cid, dp = rejected.dp, why, "a write was acknowledged, but not taken");
        }
        self.rejected.publish(&rejected);
        let mut writes = self.rejected_writes();
        if writes.len() < MAX_REJECTED {
            writes.push(rejected);
        }
    }
}

/// Limit of stored writes; further ones are only published.
const MAX_REJECTED: usize = 1024;
