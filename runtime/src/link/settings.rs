//! Settings of a link, and the state that it shares with other links.

use core::time::Duration;
use std::sync::{Arc, LazyLock};

use rustuya_proto::DeviceConfig;

use super::limiter::Limiter;
use super::pacing::Pacing;
use crate::io::buffers::{Pool, RECEIVED};
use crate::report::memory::{self, Common};

/// State shared by all links of one registry.
#[derive(Debug)]
pub(crate) struct Env {
    pub(crate) pool: Pool,
    pub(crate) limiter: Limiter,
    /// Memory budget of all devices together.
    pub(crate) memory: Arc<Common>,
}

impl Env {
    pub(crate) fn new(dials_at_once: usize, memory_limit: usize) -> Arc<Self> {
        let (limiter, memory) = (Limiter::new(dials_at_once), Common::new(memory_limit));
        Arc::new(Self { pool: Pool::default(), limiter, memory })
    }

    /// Environment of links without a registry: shares free buffers, and limits nothing.
    pub(crate) fn standalone() -> &'static Arc<Self> {
        static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Env::new(usize::MAX, usize::MAX));
        &ENV
    }
}

/// Settings of one device that the machine does not need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Time limit for a command to get its connection.
    pub(crate) timeout: Duration,
    /// Completes commands as soon as they are queued.
    pub(crate) nowait: bool,
    /// Queries the state on each persistent connection.
    pub(crate) query_on_connect: bool,
    pub(crate) pacing: Pacing,
    /// Size limit of a received frame, in bytes.
    pub(crate) receive_limit: usize,
    /// Memory limit of the device's state, in bytes.
    pub(crate) memory_limit: usize,
    /// Size limit of the queue of each listener, in bytes.
    pub(crate) backlog_limit: usize,
    /// Host name to look up for each connection; the machine gets a [`stand_in`](crate::io::destination::stand_in) address.
    pub(crate) host: Option<Arc<str>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            nowait: false,
            query_on_connect: true,
            pacing: Pacing::NONE,
            receive_limit: RECEIVED,
            memory_limit: memory::DEVICE,
            backlog_limit: memory::BACKLOG,
            host: None,
        }
    }
}

impl Options {
    /// Returns whether each connection begins with a query. A connection made for one command serves that command
    /// alone, and a device that sleeps is awake for little else.
    pub(crate) fn queries_state(&self, config: &DeviceConfig) -> bool {
        self.query_on_connect && config.persist && self.pacing.sleeps.is_none()
    }
}
