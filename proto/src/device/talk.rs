//! What is learned about the way a device wants to be spoken to.

use core::time::Duration;

use heapless::Vec;

use super::command::{CommandId, Kind};
use super::config::DeviceConfig;
use crate::ids::DpId;
use crate::payload::{Report, RequestData};
use crate::version::{Dialect, Version};

/// DPs asked of a device22 at once; more hardly fit its request limit.
const MAX_NULLS: usize = 16;
/// Ordinary queries that are refused on one connection before it is believed. A device that has just started refuses
/// its first one and answers the next.
const ASKS: u8 = 3;
/// How long after the first and the second refusal the query is repeated.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(700)];
/// DPs that most devices have some of: of plugs, lamps, meters and others. Asked for where no DP was heard of or named.
const CUSTOMARY: [u16; MAX_NULLS] = [1, 2, 3, 4, 5, 6, 7, 9, 18, 19, 20, 21, 22, 24, 101, 102];
/// Connections in a row that have to refuse every ordinary query before device22 is tried.
const CONNECTIONS: u8 = 2;

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
    /// The dialect is configured, or comes with version 3.2: there is nothing to find out.
    certain: bool,
    /// Ordinary queries refused on this connection since one was answered.
    refusals: u8,
    /// Connections in a row, this one included, that refused every ordinary query.
    refusing: u8,
    /// The DPs heard of and those that the caller wrote, one bit each, for queries in the device22 dialect.
    heard: [u32; 8],
    /// The DPs that the query `named_by` asks for.
    named: Vec<DpId, MAX_NULLS, u8>,
    named_by: Option<CommandId>,
    /// A request to measure may still show DPs: none was sent on this connection, or a push came since.
    may_measure: bool,
}

/// How a query that was refused goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is asked in this way, so much later.
    Ask(Way, Duration),
    /// It is asked anew on another connection.
    Redial,
    /// It is refused.
    Refuse,
}

/// A way to ask for the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The query of the version.
    Plain,
    /// In 3.3, the query of the later versions: firmware that does not know it is silent.
    Other,
    /// A request to measure and report certain DPs. Changes nothing either.
    Measure {
        /// When nothing comes of it, nulls follow.
        then_nulls: bool,
    },
    /// A control of nulls. Firmware that is not device22 takes it for a write.
    Nulls,
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
            certain: config.dialect.or(fixed).is_some(),
            refusals: 0,
            refusing: 0,
            heard: [0; 8],
            named: Vec::new(),
            named_by: None,
            may_measure: true,
        }
    }

    /// A connection that speaks `version` came up.
    pub(super) fn begin(&mut self, version: Version, config: &DeviceConfig) {
        self.refusals = 0;
        self.may_measure = true;
        if let Some(dialect) = version.fixed_dialect().filter(|_| config.dialect.is_none()) {
            self.fix(dialect);
        }
        // Nulls are values to all firmware of 3.5.
        match (version, config.dialect) {
            (Version::V35, _) => self.settle(Dialect::Default),
            (_, Some(configured)) => self.settle(configured),
            (_, None) => {}
        }
    }

    /// The DPs heard of or written, at most as many as fit one query.
    #[expect(clippy::arithmetic_side_effects, reason = "eight words of 32 bits: DPs below 256")]
    fn heard(&self) -> impl Iterator<Item = DpId> {
        let bits = self.heard.iter().zip((0u16..).step_by(32));
        let set = bits.flat_map(|(word, base)| {
            let word = *word;
            (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| DpId(base + bit))
        });
        set.take(MAX_NULLS)
    }

    /// The DPs to have measured: those to ask for, or else customary ones. Measuring changes nothing.
    pub(super) fn measured(&mut self, id: CommandId, named: bool) -> Vec<DpId, MAX_NULLS, u8> {
        self.may_measure = false;
        let wanted = self.wanted(id, named);
        if wanted.is_empty() { CUSTOMARY.into_iter().map(DpId).collect() } else { wanted }
    }

    /// The DPs to ask for: those that the query `id` named, or else all that were heard of.
    pub(super) fn wanted(&self, id: CommandId, named: bool) -> Vec<DpId, MAX_NULLS, u8> {
        match named {
            true if self.named_by == Some(id) => self.named.clone(),
            true => Vec::new(),
            false => self.all(),
        }
    }

    /// All DPs heard of or written, at most as many as fit one query.
    pub(super) fn all(&self) -> Vec<DpId, MAX_NULLS, u8> {
        self.heard().collect()
    }

    /// Notes the DPs that a query names.
    pub(super) fn name(&mut self, id: CommandId, ids: &[DpId]) {
        self.named_by = Some(id);
        self.named = ids.iter().copied().take(MAX_NULLS).collect();
    }

    pub(super) fn remember(&mut self, report: &Report<'_>) {
        if report.cid.is_some() {
            return;
        }
        for (id, _) in report.dps.into_iter().flatten() {
            self.may_measure = true;
            self.note(id);
        }
    }

    /// The DPs that a caller writes are known to the caller.
    pub(super) fn remember_written(&mut self, command: &Kind<'_>) {
        if let Kind::Request { data: RequestData::Dps(map), .. } = command {
            map.each(&mut |id, _| self.note(id));
        }
    }

    fn note(&mut self, id: DpId) {
        if let Some(word) = self.heard.get_mut(usize::from(id.0 / 32)) {
            *word |= 1 << (id.0 % 32);
        }
    }

    /// Whether a push looks like a whole state: no DP that was ever heard of is missing, and there are several.
    pub(super) fn is_whole(&self, report: &Report<'_>) -> bool {
        let Some(dps) = report.dps.filter(|_| report.cid.is_none()) else {
            return false;
        };
        dps.into_iter().nth(1).is_some() && self.heard().all(|id| dps.value(id).is_some())
    }

    /// Changes the dialect, and says so.
    pub(super) fn settle(&mut self, dialect: Dialect) {
        if self.dialect != dialect {
            self.dialect = dialect;
            self.news = true;
        }
    }

    /// Changes the dialect to one that need not be found out.
    pub(super) fn fix(&mut self, dialect: Dialect) {
        self.certain = true;
        self.settle(dialect);
    }

    /// Whether queries go out as nulls. A dialect that was found out is tested by one ordinary query on each
    /// connection.
    pub(super) const fn asks_by_nulls(&self) -> bool {
        Version::ANY_DEVICE22 && matches!(self.dialect, Dialect::Device22) && (self.certain || self.refusals > 0)
    }

    /// An ordinary query was answered: the device is an ordinary one.
    pub(super) fn answered(&mut self) {
        self.refusals = 0;
        self.refusing = 0;
        if !self.certain {
            self.settle(Dialect::Default);
        }
    }

    /// An ordinary query was refused. `may_redial`: nothing would be lost with the connection but this query, which
    /// names its DPs. `known`: there are DPs to ask for.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "refusals were counted just now, and those compared here are few"
    )]
    pub(super) fn refused(&mut self, config: &DeviceConfig, version: Version, known: bool, may_redial: bool) -> Next {
        self.refusals = self.refusals.saturating_add(1);
        if Version::ANY_DEVICE22 && self.dialect == Dialect::Device22 {
            return if known { Next::Ask(Way::Nulls, Duration::ZERO) } else { self.measure_or_refuse() };
        }
        if let Some(pause) = PAUSES.get(usize::from(self.refusals - 1)) {
            let last = self.refusals + 1 == ASKS && version == Version::V33;
            return Next::Ask(if last { Way::Other } else { Way::Plain }, *pause);
        }
        if self.refusals == ASKS {
            self.refusing = self.refusing.saturating_add(1);
        }
        // Other versions are device22 only where that is configured.
        let may_try = version == Version::V33
            && config.dialect.is_none()
            && !self.gateway
            && !self.no_device22
            && self.retrying.is_none();
        if !may_try {
            Next::Refuse
        } else if known && self.refusing >= CONNECTIONS {
            Next::Ask(Way::Measure { then_nulls: true }, Duration::ZERO)
        } else if known && may_redial {
            Next::Redial
        } else {
            self.measure_or_refuse()
        }
    }

    /// What may show DPs without being a write, where nothing else is left.
    const fn measure_or_refuse(&self) -> Next {
        if self.may_measure { Next::Ask(Way::Measure { then_nulls: false }, Duration::ZERO) } else { Next::Refuse }
    }
}
