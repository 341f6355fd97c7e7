//! Retries of queries that a device refused.

use core::time::Duration;

use heapless::Vec;
use rand_core::CryptoRng;

use super::command::CommandId;
use super::dialect::{QueryForm, RefusalAction};
use super::event::DownReason;
use super::pending::CAPACITY;
use super::send::transmit;
use super::{Command, Device, Link};
use crate::buf::Tx;
use crate::payload::RequestData;
use crate::time::Instant;
use crate::version::{Dialect, Version};
use crate::wire::command::{CommandCode, RetCode};

/// Pause between the end of a connection and the dial of the next one: time for the device to free the first.
pub(super) const REDIAL: Duration = Duration::from_millis(100);

impl Device {
    /// Returns how the device refused this query, which is being retried. A caller who gives up can report this as the
    /// answer.
    pub fn refusal(&self, id: CommandId) -> Option<RetCode> {
        self.pending.refusal(id)
    }

    /// Handles the refusal of the query at `at`. Returns whether it is final; if not, a retry is scheduled.
    pub(super) fn on_refused(&mut self, at: usize, retcode: RetCode, now: Instant) -> bool {
        let (Link::Up(conn), Some(entry)) = (&self.link, self.pending.entry(at)) else {
            return true;
        };
        let (id, named) = (entry.id, entry.named);
        let known = Version::ANY_DEVICE22 && !self.dialect_state.dps_to_query(id, named).is_empty();
        let may_redial = named && self.config.persist && self.pending.is_alone(id);
        match self.dialect_state.on_refused(&self.config, conn.session.version(), known, may_redial) {
            RefusalAction::Retry(way, pause) => {
                if let Some(entry) = self.pending.entry_mut(at) {
                    entry.schedule_retry(retcode, way, now + pause);
                }
                false
            }
            RefusalAction::Redial => {
                self.end(DownReason::Ended, now + REDIAL);
                false
            }
            RefusalAction::Refuse => true,
        }
    }

    /// Sends all retries that are due. One that stays overdue waits as if there were no room for it.
    pub(super) fn send_retries(&mut self, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) {
        // Each command is decided once and sent once.
        for _ in 0..2 * CAPACITY {
            if !self.send_retry(now, rng, tx) {
                return;
            }
        }
    }

    /// Sends one retry, in the way that is due. Returns whether there may be more.
    fn send_retry(&mut self, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) -> bool {
        let Some((at, way)) = self.pending.due_retry(now) else {
            return false;
        };
        let (Link::Up(conn), Some(entry)) = (&mut self.link, self.pending.entry_mut(at)) else {
            return false;
        };
        let Some(way) = way else {
            let retcode = entry.refusal().unwrap_or_default();
            if self.on_refused(at, retcode, now) {
                self.pending.give_up(at);
            }
            return true;
        };
        let (id, named) = (entry.id, entry.named);
        let (way, ids) = match way {
            // Such a build schedules no other retry.
            _ if !Version::ANY_DEVICE22 => (QueryForm::Plain, Vec::new()),
            QueryForm::Measure { then_nulls: false } => (way, self.dialect_state.dps_to_measure(id, named)),
            _ => (way, self.dialect_state.dps_to_query(id, named)),
        };
        let (query, dialect) = match way {
            QueryForm::Plain => (Command::status(), Dialect::Default),
            QueryForm::Other => (Command::request(CommandCode::DP_QUERY_NEW, RequestData::None), Dialect::Default),
            QueryForm::Measure { .. } => (Command::update_dps(&ids), Dialect::Default),
            QueryForm::Nulls => (Command::status_of(&ids), Dialect::Device22),
        };
        let sent = transmit(&mut conn.session, &self.config, dialect, &query, now, rng, tx);
        if let Ok((code, seqno)) = sent {
            entry.on_retry_sent(way, code, seqno, &ids, now);
            if way == QueryForm::Nulls && self.dialect_state.dialect == Dialect::Default {
                self.dialect_state.retrying = Some(id);
            }
        }
        sent.is_ok()
    }
}
