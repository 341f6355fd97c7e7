//! Detection of a device's dialect.

use core::time::Duration;

use heapless::Vec;

use super::command::{CommandId, Kind};
use super::config::DeviceConfig;
use crate::ids::DpId;
use crate::payload::{Report, RequestData};
use crate::version::{Dialect, Version};

/// Most DPs in one query of a device22; more hardly fit its request limit.
const MAX_NULLS: usize = 16;
/// Refusals of ordinary queries on one connection that count as proof. A device that has just started refuses its first
/// query and answers the next.
const REFUSALS: u8 = 3;
/// Pauses before the query is repeated, after the first and after the second refusal.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(700)];
/// Common DPs of plugs, lamps, meters and others. Asked for if no DP is known or named.
const CUSTOMARY: [u16; MAX_NULLS] = [1, 2, 3, 4, 5, 6, 7, 9, 18, 19, 20, 21, 22, 24, 101, 102];
/// Connections in a row that must refuse every ordinary query before device22 is tried.
const CONNECTIONS: u8 = 2;

/// Knowledge about a device's dialect.
pub(super) struct DialectState {
    pub(super) dialect: Dialect,
    /// True if the dialect changed and that is not reported yet.
    pub(super) is_unreported: bool,
    /// Query that is being tried in the device22 dialect.
    pub(super) retrying: Option<CommandId>,
    /// True if the device22 dialect was tried and did not help.
    pub(super) no_device22: bool,
    /// True if there are sub-devices: then a refused query without a cid proves nothing about the dialect.
    pub(super) has_children: bool,
    /// True if device22 controls are sent as 0x0d because 0x07 was not answered.
    pub(super) control_as_new: bool,
    /// True if the dialect is certain: configured, or implied by version 3.2.
    certain: bool,
    /// Number of ordinary queries refused on this connection since one was answered.
    refusals: u8,
    /// Number of connections in a row, this one included, that refused every ordinary query.
    refusing: u8,
    /// DPs that were received, and those that the caller wrote, one bit each, for queries in the device22 dialect.
    known_dps: [u32; 8],
    /// DPs that the query `named_by` asks for.
    named: Vec<DpId, MAX_NULLS, u8>,
    named_by: Option<CommandId>,
    /// True if a request to measure may still show DPs: none was sent on this connection, or a push came since.
    may_measure: bool,
}

/// Next step for a query that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusalAction {
    /// Repeat it in this way, after this pause.
    Retry(QueryForm, Duration),
    /// Repeat it on another connection.
    Redial,
    /// Report the refusal.
    Refuse,
}

/// Way to ask for the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueryForm {
    /// Query of the version.
    Plain,
    /// In 3.3, the query of the later versions; firmware that does not know it stays silent.
    Other,
    /// Request to measure and report certain DPs, which writes nothing.
    Measure {
        /// True if nulls follow when no DP comes.
        then_nulls: bool,
    },
    /// Control of nulls. Firmware that is not device22 takes it for a write.
    Nulls,
}

impl DialectState {
    pub(super) fn new(config: &DeviceConfig) -> Self {
        let fixed = config.version.and_then(Version::fixed_dialect);
        Self {
            dialect: config.dialect.or(fixed).unwrap_or_default(),
            is_unreported: false,
            retrying: None,
            no_device22: false,
            has_children: false,
            control_as_new: false,
            certain: config.dialect.or(fixed).is_some(),
            refusals: 0,
            refusing: 0,
            known_dps: [0; 8],
            named: Vec::new(),
            named_by: None,
            may_measure: true,
        }
    }

    /// Prepares for a new connection with `version`.
    pub(super) fn on_connection(&mut self, version: Version, config: &DeviceConfig) {
        self.refusals = 0;
        self.may_measure = true;
        if let Some(dialect) = version.fixed_dialect().filter(|_| config.dialect.is_none()) {
            self.set_certain(dialect);
        }
        // All firmware of 3.5 takes nulls for values.
        match (version, config.dialect) {
            (Version::V35, _) => self.set_dialect(Dialect::Default),
            (_, Some(configured)) => self.set_dialect(configured),
            (_, None) => {}
        }
    }

    /// Returns the known DPs, at most as many as fit one query.
    #[expect(clippy::arithmetic_side_effects, reason = "eight words of 32 bits: DPs below 256")]
    fn known(&self) -> impl Iterator<Item = DpId> {
        let bits = self.known_dps.iter().zip((0u16..).step_by(32));
        let set = bits.flat_map(|(word, base)| {
            let word = *word;
            (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| DpId(base + bit))
        });
        set.take(MAX_NULLS)
    }

    /// Returns the DPs to measure: those to ask for, or else common ones. A measurement writes nothing.
    pub(super) fn dps_to_measure(&mut self, id: CommandId, named: bool) -> Vec<DpId, MAX_NULLS, u8> {
        self.may_measure = false;
        let wanted = self.dps_to_query(id, named);
        if wanted.is_empty() { CUSTOMARY.into_iter().map(DpId).collect() } else { wanted }
    }

    /// Returns the DPs to ask for: those that the query `id` named, or else all known ones.
    pub(super) fn dps_to_query(&self, id: CommandId, named: bool) -> Vec<DpId, MAX_NULLS, u8> {
        match named {
            true if self.named_by == Some(id) => self.named.clone(),
            true => Vec::new(),
            false => self.known_dps(),
        }
    }

    /// Collects the known DPs, at most as many as fit one query.
    pub(super) fn known_dps(&self) -> Vec<DpId, MAX_NULLS, u8> {
        self.known().collect()
    }

    /// Remembers the DPs that a query names.
    pub(super) fn remember_named(&mut self, id: CommandId, ids: &[DpId]) {
        self.named_by = Some(id);
        self.named = ids.iter().copied().take(MAX_NULLS).collect();
    }

    pub(super) fn remember(&mut self, report: &Report<'_>) {
        if report.cid.is_some() {
            return;
        }
        for (id, _) in report.dps.into_iter().flatten() {
            self.may_measure = true;
            self.remember_dp(id);
        }
    }

    /// Remembers the DPs that a caller writes, because the device should have them.
    pub(super) fn remember_written(&mut self, command: &Kind<'_>) {
        if let Kind::Request { data: RequestData::Dps(map), .. } = command {
            map.each(&mut |id, _| self.remember_dp(id));
        }
    }

    fn remember_dp(&mut self, id: DpId) {
        if let Some(word) = self.known_dps.get_mut(usize::from(id.0 / 32)) {
            *word |= 1 << (id.0 % 32);
        }
    }

    /// Returns whether a push looks like a whole state: it has several DPs, and all known ones.
    pub(super) fn is_whole(&self, report: &Report<'_>) -> bool {
        let Some(dps) = report.dps.filter(|_| report.cid.is_none()) else {
            return false;
        };
        dps.into_iter().nth(1).is_some() && self.known().all(|id| dps.value(id).is_some())
    }

    /// Changes the dialect, and reports a change.
    pub(super) fn set_dialect(&mut self, dialect: Dialect) {
        if self.dialect != dialect {
            self.dialect = dialect;
            self.is_unreported = true;
        }
    }

    /// Sets the dialect to one that is certain.
    pub(super) fn set_certain(&mut self, dialect: Dialect) {
        self.certain = true;
        self.set_dialect(dialect);
    }

    /// Returns whether queries are sent as nulls. A dialect that was found out is tested with one ordinary query on
    /// each connection.
    pub(super) const fn queries_by_nulls(&self) -> bool {
        Version::ANY_DEVICE22 && matches!(self.dialect, Dialect::Device22) && (self.certain || self.refusals > 0)
    }

    /// Records that an ordinary query was answered, which shows an ordinary device.
    pub(super) fn on_answered(&mut self) {
        self.refusals = 0;
        self.refusing = 0;
        if !self.certain {
            self.set_dialect(Dialect::Default);
        }
    }

    /// Decides what follows the refusal of an ordinary query. `may_redial` means that the query names its DPs, and is
    /// all that would be lost with the connection. `known` means that there are DPs to ask for.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "refusals were counted just now, and those compared here are few"
    )]
    pub(super) fn on_refused(
        &mut self,
        config: &DeviceConfig,
        version: Version,
        known: bool,
        may_redial: bool,
    ) -> RefusalAction {
        self.refusals = self.refusals.saturating_add(1);
        if Version::ANY_DEVICE22 && self.dialect == Dialect::Device22 {
            return if known {
                RefusalAction::Retry(QueryForm::Nulls, Duration::ZERO)
            } else {
                self.measure_or_refuse()
            };
        }
        if let Some(pause) = PAUSES.get(usize::from(self.refusals - 1)) {
            let last = self.refusals + 1 == REFUSALS && version == Version::V33;
            return RefusalAction::Retry(if last { QueryForm::Other } else { QueryForm::Plain }, *pause);
        }
        if self.refusals == REFUSALS {
            self.refusing = self.refusing.saturating_add(1);
        }
        // Other versions use device22 only if that is configured.
        let may_try = version == Version::V33
            && config.dialect.is_none()
            && !self.has_children
            && !self.no_device22
            && self.retrying.is_none();
        if !may_try {
            RefusalAction::Refuse
        } else if known && self.refusing >= CONNECTIONS {
            RefusalAction::Retry(QueryForm::Measure { then_nulls: true }, Duration::ZERO)
        } else if known && may_redial {
            RefusalAction::Redial
        } else {
            self.measure_or_refuse()
        }
    }

    /// Chooses a measurement, the last way that may show DPs without a write, or else the refusal.
    const fn measure_or_refuse(&self) -> RefusalAction {
        if self.may_measure {
            RefusalAction::Retry(QueryForm::Measure { then_nulls: false }, Duration::ZERO)
        } else {
            RefusalAction::Refuse
        }
    }
}
