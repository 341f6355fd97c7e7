//! Queries that a device refused, asked again in the way that may help.

use core::time::Duration;

use heapless::Vec;
use rand_core::CryptoRng;

use super::command::CommandId;
use super::event::DownReason;
use super::pending::CAPACITY;
use super::send::transmit;
use super::talk::{Next, Way};
use super::{Command, Device, Link};
use crate::buf::Tx;
use crate::payload::RequestData;
use crate::time::Instant;
use crate::version::{Dialect, Version};
use crate::wire::command::{CommandCode, RetCode};

/// How long after leaving a connection to ask on another one that is dialed: time for the device to free it.
pub(super) const REDIAL: Duration = Duration::from_millis(100);

impl Device {
    /// How the device has refused this query, which is being asked again: what to tell a caller who waits no longer.
    pub fn refusal(&self, id: CommandId) -> Option<RetCode> {
        self.pending.refusal(id)
    }

    /// The query at `at` was refused. Whether that is final; if not, it is asked again when and how that may help.
    pub(super) fn refused(&mut self, at: usize, retcode: RetCode, now: Instant) -> bool {
        let (Link::Up(conn), Some(entry)) = (&self.link, self.pending.entry(at)) else {
            return true;
        };
        let (id, named) = (entry.id, entry.named);
        let known = Version::ANY_DEVICE22 && !self.talk.wanted(id, named).is_empty();
        let may_redial = named && self.config.persist && self.pending.is_alone(id);
        match self.talk.refused(&self.config, conn.session.version(), known, may_redial) {
            Next::Ask(way, pause) => {
                if let Some(entry) = self.pending.entry_mut(at) {
                    entry.ask_again(retcode, way, now + pause);
                }
                false
            }
            Next::Redial => {
                self.end(DownReason::Ended, now + REDIAL);
                false
            }
            Next::Refuse => true,
        }
    }

    /// Asks again what was refused, all that is due: what stays overdue waits as if there were no room for it.
    pub(super) fn ask_again(&mut self, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) {
        // Each command is decided about once and sent once.
        for _ in 0..2 * CAPACITY {
            if !self.ask_one_again(now, rng, tx) {
                return;
            }
        }
    }

    /// Asks again what was refused, in the way that is due. Whether there may be more.
    fn ask_one_again(&mut self, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) -> bool {
        let Some((at, way)) = self.pending.due_again(now) else {
            return false;
        };
        let (Link::Up(conn), Some(entry)) = (&mut self.link, self.pending.entry_mut(at)) else {
            return false;
        };
        let Some(way) = way else {
            let retcode = entry.refusal().unwrap_or_default();
            if self.refused(at, retcode, now) {
                self.pending.give_up(at);
            }
            return true;
        };
        let (id, named) = (entry.id, entry.named);
        let (way, ids) = match way {
            // Nothing else is ever due in such a build.
            _ if !Version::ANY_DEVICE22 => (Way::Plain, Vec::new()),
            Way::Measure { then_nulls: false } => (way, self.talk.measured(id, named)),
            _ => (way, self.talk.wanted(id, named)),
        };
        let (query, dialect) = match way {
            Way::Plain => (Command::status(), Dialect::Default),
            Way::Other => (Command::request(CommandCode::DP_QUERY_NEW, RequestData::None), Dialect::Default),
            Way::Measure { .. } => (Command::update_dps(&ids), Dialect::Default),
            Way::Nulls => (Command::status_of(&ids), Dialect::Device22),
        };
        let sent = transmit(&mut conn.session, &self.config, dialect, &query, now, rng, tx);
        if let Ok((code, seqno)) = sent {
            entry.asked_again(way, code, seqno, &ids, now);
            if way == Way::Nulls && self.talk.dialect == Dialect::Default {
                self.talk.retrying = Some(id);
            }
        }
        sent.is_ok()
    }
}
