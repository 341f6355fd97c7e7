//! Configurations and faults of a device.

use core::time::Duration;

use rustuya_conformance::{OTHER_KEY, Plan};
use rustuya_faulty::Fault;
use rustuya_proto::{Dialect, LocalKey, Timing, Version};
use rustuya_runtime::Pacing;

use super::episode::{Episode, pick};

/// Versions of the ordinary dialect.
const ORDINARY: [Version; 4] = [Version::V31, Version::V33, Version::V34, Version::V35];
/// Versions of the dialect device22.
const DEVICE22: [Version; 2] = [Version::V32, Version::V33];
/// A DP that a device may refuse.
const REFUSED: u16 = 3;

/// Returns the versions that a device of this dialect may speak.
pub(super) const fn versions(dialect: Dialect) -> &'static [Version] {
    match dialect {
        Dialect::Default => &ORDINARY,
        Dialect::Device22 => &DEVICE22,
    }
}

/// Times in which answers may be matched to wrong commands: some were lost, late or doubled, and most firmware does not
/// number its answers as the commands.
#[derive(Default)]
pub(super) struct Lossy {
    now: bool,
    /// Number of such times.
    times: u64,
    /// Number of connections up to the last such time.
    connections: u64,
}

impl Lossy {
    /// Marks a new command for [`is_sure`](Self::is_sure); `connections` is the number of the device's connections so
    /// far.
    pub(super) const fn mark(&self, connections: u64) -> Option<u64> {
        if self.now || connections <= self.connections { None } else { Some(self.times) }
    }

    /// Returns whether an answer surely belongs to the command with this mark.
    pub(super) fn is_sure(&self, mark: Option<u64>) -> bool {
        mark == Some(self.times)
    }

    /// Returns whether there was ever such a time.
    pub(super) const fn ever(&self) -> bool {
        self.times > 0
    }

    fn set(&mut self, now: bool, connections: u64) {
        if self.now {
            self.connections = connections;
        }
        self.times += u64::from(now);
        self.now = now;
    }
}

impl Episode<'_> {
    /// Configures the device with random settings.
    pub(super) fn vary_plan(&mut self) {
        let mut timing = Timing::DEFAULT;
        // Long enough for answers that a fault delays.
        (timing.connect, timing.negotiate, timing.answer) = (self.ms(300), self.ms(300), self.ms(500));
        let heartbeat = pick(&mut self.rng, &[300, 1_000, 2_000]);
        timing.heartbeat = self.ms(heartbeat);
        let patience = pick(&mut self.rng, &[100, 600, 600]);
        (timing.backoff_min, timing.backoff_max) = (self.ms(4), self.ms(20));
        let pacing = self.vary_pacing();
        let (ip, port) = (self.device.addr().ip(), self.device.addr().port());
        let dialect = (self.dialect == Dialect::Device22 && self.rng.below(3) > 0).then_some(self.dialect);
        self.plan = Plan {
            key: self.device.key(),
            address: Some(ip),
            port,
            version: if self.rng.below(5) == 0 { None } else { Some(self.device.version()) },
            dialect,
            persist: self.rng.below(5) > 0,
            nowait: self.rng.below(8) == 0,
            command_timeout: self.ms(patience),
            timing,
            pacing,
            ..self.plan.clone()
        };
    }

    /// Draws a pacing: spacing, joining and splitting, alone and together.
    fn vary_pacing(&mut self) -> Pacing {
        let mut pacing = Pacing::NONE;
        if self.rng.below(2) == 0 {
            return pacing;
        }
        if self.rng.below(4) == 0 {
            let gap = pick(&mut self.rng, &[1, 5, 10]);
            pacing = pacing.gap(self.ms(gap));
        }
        if self.rng.below(4) == 0 {
            pacing = pacing.max_dps(pick(&mut self.rng, &[1, 2, 3]));
        }
        if self.rng.below(4) == 0 {
            // Frames of one DP have 100 to 250 bytes, depending on the version.
            pacing = pacing.max_bytes(pick(&mut self.rng, &[1, 160, 200, 240]));
        }
        // Single writes are never joined.
        if !self.singles && self.rng.below(4) == 0 {
            let merge = pick(&mut self.rng, &[5, 10, 20]);
            pacing = pacing.merge(self.ms(merge));
        }
        if !self.singles && self.rng.below(8) == 0 {
            pacing = pacing.sleeps(self.ms(800));
        }
        pacing
    }

    pub(super) fn reconfigure(&mut self) {
        self.vary_plan();
        if self.rng.below(6) == 0 {
            self.plan.key = LocalKey::from_text(OTHER_KEY).expect("16 characters");
        }
        self.note_pacing();
        self.note_plan("reconfigured");
        self.stage.reconfigure(0, &self.plan);
    }

    /// Records whether each command is one frame from now on.
    pub(super) fn note_pacing(&mut self) {
        let Pacing { merge, max_dps, max_bytes, sleeps, .. } = self.plan.pacing;
        // A device may refuse an unreadable command, like one with too many DPs.
        let unread = self.plan.key != self.device.key() || self.plan.version != Some(self.device.version());
        let splits = self.splits || unread || max_dps.is_some() || max_bytes != Pacing::NONE.max_bytes;
        self.balance.inexact |= !merge.is_zero() || sleeps.is_some() || (splits && !self.singles);
    }

    pub(super) fn note_plan(&mut self, what: &str) {
        let Plan { version, dialect, persist, nowait, command_timeout, pacing, .. } = self.plan.clone();
        self.note(|| {
            format!("{what}: {version:?} {dialect:?} persist {persist} nowait {nowait} {command_timeout:?} {pacing:?}")
        });
    }

    /// Sets a random fault of the device, or ends it.
    pub(super) fn fault(&mut self) {
        let faults = [
            Fault::RefuseDial,
            Fault::AcceptAndClose,
            Fault::Reset,
            Fault::Silent,
            Fault::Garbage { seed: self.rng.bits() },
            Fault::HalfClose { after: 2 },
            Fault::DisappearMidFrame { after: 3 },
            Fault::OneByteSegments,
            Fault::SplitAcrossReads,
            Fault::FourGiBLength,
            Fault::BadPrefixOnce,
            Fault::FloodPushes { count: 20 },
            Fault::OutOfOrder,
            Fault::BadIntegrity,
            Fault::DropAcks,
            Fault::RefuseSeveralDps { max: 1 },
            Fault::RefuseDp { dp: REFUSED },
            Fault::Unreliable { one_in: 4, requests: false },
            Fault::Unreliable { one_in: 8, requests: true },
        ];
        let fault = faults.get(self.below(faults.len() + 6)).cloned();
        self.set_fault(fault);
    }

    pub(super) fn set_fault(&mut self, fault: Option<Fault>) {
        self.splits = matches!(fault, Some(Fault::RefuseSeveralDps { .. } | Fault::RefuseDp { .. }));
        self.note_pacing();
        let loses = |fault: &Fault| {
            matches!(fault, Fault::Unreliable { .. } | Fault::DropAcks | Fault::Silent | Fault::Garbage { .. })
        };
        let loses = fault.as_ref().is_some_and(loses);
        self.lossy.set(loses, self.device.connections());
        self.note(|| format!("fault: {fault:?}"));
        match fault {
            Some(fault) => self.device.set_fault(fault),
            None => self.device.clear_fault(),
        }
    }
}

/// Scales milliseconds to the subject's clock: longer in virtual time, which costs nothing.
pub(super) fn scaled(ms: u64, real_time: bool) -> Duration {
    Duration::from_millis(ms) * if real_time { 1 } else { 10 }
}
