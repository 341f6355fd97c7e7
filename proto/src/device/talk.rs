//! What is learned about the way a device wants to be spoken to.

use super::command::CommandId;
use super::config::DeviceConfig;
use crate::ids::DpId;
use crate::payload::Report;
use crate::version::{Dialect, Version};

/// DPs asked of a device22 at once; more do not fit its request limit.
const MAX_NULLS: usize = 24;

/// What is known about the way the device wants to be spoken to.
pub(super) struct Talk {
    pub(super) dialect: Dialect,
    /// The dialect changed and nobody was told.
    pub(super) news: bool,
    /// The query that is being tried in the device22 dialect.
    pub(super) retrying: Option<CommandId>,
    /// The other dialect was tried and did not help.
    pub(super) no_device22: bool,
    /// Sub-devices were seen: a refused query without a cid then says nothing about the dialect.
    pub(super) gateway: bool,
    /// Device22 controls go out as 0x0d because 0x07 was not answered.
    pub(super) control_new: bool,
    /// The DPs heard of, one bit each, for queries in the device22 dialect.
    heard: [u32; 8],
}

impl Talk {
    pub(super) fn new(config: &DeviceConfig) -> Self {
        let fixed = config.version.and_then(Version::fixed_dialect);
        Self {
            dialect: config.dialect.or(fixed).unwrap_or_default(),
            news: false,
            retrying: None,
            no_device22: false,
            gateway: false,
            control_new: false,
            heard: [2, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// The DPs heard of, at most as many as fit one query; DP 1 at least.
    pub(super) fn heard(&self) -> ([DpId; MAX_NULLS], usize) {
        let mut ids = [DpId(1); MAX_NULLS];
        let bits = self.heard.iter().zip((0u16..).step_by(32));
        let set =
            bits.flat_map(|(word, base)| (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| base + bit));
        let mut known = 0;
        for (slot, id) in ids.iter_mut().zip(set) {
            *slot = DpId(id);
            known += 1;
        }
        (ids, known)
    }

    pub(super) fn remember(&mut self, report: &Report<'_>) {
        if report.cid.is_some() {
            return;
        }
        for (id, _) in report.dps.into_iter().flatten() {
            if let Some(word) = self.heard.get_mut(usize::from(id.0 / 32)) {
                *word |= 1 << (id.0 % 32);
            }
        }
    }

    /// Changes the dialect for good, and says so.
    pub(super) fn settle(&mut self, dialect: Dialect) {
        if self.dialect != dialect {
            self.dialect = dialect;
            self.news = true;
        }
    }

    pub(super) fn may_retry22(&self, config: &DeviceConfig) -> bool {
        config.dialect.is_none()
            && self.dialect == Dialect::Default
            && !self.gateway
            && !self.no_device22
            && self.retrying.is_none()
    }
}
