//! Commands of an episode and their results.

use core::time::Duration;
use std::collections::BTreeMap;

use rustuya_conformance::{Answer, Call, How, Ticket};
use rustuya_proto::CommandCode;
use rustuya_runtime::CommandError;
use serde_json::{Map, Value, json};

use super::episode::{CHILD, DPS, Episode, LIMIT, MOST_OPEN, pick};
use super::model::{Known, Place};

/// An unresolved command.
pub(super) struct PendingCommand {
    pub(super) ticket: Ticket,
    /// Number of commands given up to it.
    pub(super) number: u64,
    pub(super) writes: Vec<(Place, i64)>,
    how: How,
    /// True if the counters include it.
    pub(super) counts: bool,
    /// True if it queries the state.
    pub(super) asks: bool,
    /// Mark that tells whether its answer is distinguishable from others: see [`Lossy`](super::plan::Lossy).
    mark: Option<u64>,
    pub(super) given: Duration,
}

impl Episode<'_> {
    /// Gives a command.
    pub(super) fn start_command(&mut self) {
        if self.open.len() >= if self.at_once { MOST_OPEN } else { 24 } {
            return;
        }
        let how = match self.rng.below(20) {
            0..=9 => How::Acked,
            10..=13 => How::Written,
            14..=17 => How::Queued,
            _ => {
                let ms = pick(&mut self.rng, &[5, 50, 300]);
                self.within(ms)
            }
        };
        let kind = self.rng.below(20);
        let (call, writes) = match kind {
            0..=9 => {
                let at = self.below(if self.singles { DPS.len() } else { DPS.len() - 1 });
                let value = self.model.add((None, DPS[at].1));
                (Call::Set(DPS[at].0, json!(value)), vec![((None, DPS[at].1), value)])
            }
            10..=12 if !self.singles => {
                let (first, count) = (self.below(DPS.len()), 2 + self.below(3));
                let mut dps = BTreeMap::new();
                for at in 0..count {
                    let (name, dp) = DPS[(first + at) % DPS.len()];
                    dps.insert(name, ((None, dp), self.model.add((None, dp))));
                }
                let values: Map<String, Value> =
                    dps.iter().map(|(name, (_, value))| ((*name).to_owned(), json!(value))).collect();
                (Call::SetDps(Value::Object(values)), dps.into_values().collect())
            }
            13 | 14 if self.gateway => {
                let dp = 1 + self.below(2) as u16;
                let value = self.model.add((Some(CHILD), dp));
                (Call::SubSet(CHILD, dp, json!(value)), vec![((Some(CHILD), dp), value)])
            }
            15 => (Call::Update(vec![1, 2]), Vec::new()),
            16 if self.gateway => (Call::SubQuery(CHILD), Vec::new()),
            17 => (Call::Connection, Vec::new()),
            18 => (Call::Request(CommandCode::DP_QUERY, None, None), Vec::new()),
            _ => (if how == How::Written { Call::Query } else { Call::Status }, Vec::new()),
        };
        let how = if matches!(call, Call::Connection) { self.within(300) } else { how };
        // If each command starts in a thread of its own, commands to the same DP wait for each other.
        if !self.at_once && !writes.is_empty() {
            for at in (0..self.open.len()).rev() {
                if self.open[at].writes.iter().any(|(place, _)| writes.iter().any(|(other, _)| place == other)) {
                    let open = self.open.remove(at);
                    let answer = self.stage.end(open.ticket, LIMIT).expect("resolves in time");
                    self.resolved(&open, &answer).expect("a consistent result");
                }
            }
        }
        let counts = !matches!(call, Call::Connection);
        self.balance.given += u64::from(counts);
        self.balance.may_be_unreported += u64::from(matches!(call, Call::Update(_)));
        self.tally.commands += 1;
        self.note(|| format!("{call:?} {how:?}"));
        let number = self.tally.commands;
        self.balance.last.extend(writes.iter().map(|(place, value)| (*place, (*value, number))));
        let asks = matches!(call, Call::Status | Call::Query | Call::SubQuery(_) | Call::Request(..));
        let mark = self.lossy.mark(self.device.connections());
        let ticket = self.stage.begin(0, &call, how);
        self.open.push(PendingCommand { ticket, number, writes, how, counts, asks, mark, given: self.stage.now() });
    }

    /// Stops waiting for a command.
    pub(super) fn cancel_command(&mut self) {
        if self.open.is_empty() || !self.can_abandon {
            return;
        }
        let at = self.below(self.open.len());
        let open = self.open.remove(at);
        self.note(|| format!("given up: {:?}", open.writes));
        self.stage.forget(open.ticket);
        // An unsent command is discarded without a report.
        self.balance.may_be_unreported += u64::from(open.counts);
        self.balance.unwaited += u64::from(open.counts);
    }

    fn within(&self, ms: u64) -> How {
        How::Within(u64::try_from(self.ms(ms).as_millis()).unwrap_or(u64::MAX))
    }

    /// Checks results, events and the device.
    pub(super) fn check_all(&mut self) -> Result<(), String> {
        self.listen()?;
        for at in (0..self.open.len()).rev() {
            if self.stage.is_done(self.open[at].ticket) {
                let open = self.open.remove(at);
                let answer = self.stage.end(open.ticket, Duration::ZERO).ok_or("resolved, and then not")?;
                self.resolved(&open, &answer)?;
            }
        }
        self.check()
    }

    /// Records and checks the result of a command.
    pub(super) fn resolved(&mut self, open: &PendingCommand, answer: &Answer) -> Result<(), String> {
        let sure = self.lossy.is_sure(open.mark);
        let known = match answer {
            Answer::Failed(error) => {
                self.tally.failed += 1;
                self.balance.count_refusal(open.counts, error);
                match error {
                    CommandError::Rejected { .. } if sure && open.writes.len() == 1 && !self.balance.inexact => {
                        Known::Not
                    }
                    CommandError::Rejected { .. }
                    | CommandError::Unanswered
                    | CommandError::ConnectionLost { .. }
                    | CommandError::Partial { .. } => Known::Maybe,
                    // A split command may have been sent in part.
                    _ if self.balance.inexact => Known::Maybe,
                    _ => Known::Not,
                }
            }
            Answer::Reply { dps, .. } if !matches!(open.how, How::Written | How::Queued) => {
                // Devices round and clamp: a push with another value is an answer, too, and may belong to an older
                // write.
                let shown = |(_, dp): &Place, value| dps.get(&dp.to_string()).is_none_or(|shown| *shown == value);
                let certain = sure && open.writes.iter().all(|(place, value)| shown(place, *value));
                if certain { Known::Done } else { Known::Maybe }
            }
            Answer::Done => {
                self.balance.count_unwaited(open);
                Known::Maybe
            }
            _ => Known::Maybe,
        };
        self.note(|| format!("{:?}: {known:?}, {answer:?}", open.writes));
        self.tally.succeeded += u64::from(!matches!(answer, Answer::Failed(_)));
        for (place, value) in &open.writes {
            if known == Known::Done && !self.real_time {
                self.check()?;
                if !self.model.has(*place, *value) {
                    return Err(format!("write {value} to {place:?} was acknowledged, and not executed"));
                }
            }
            self.model.update(*place, *value, known);
        }
        Ok(())
    }

    /// Compares the device's executed writes with the model.
    fn check(&mut self) -> Result<(), String> {
        let mut checked = Ok(());
        let model = &mut self.model;
        self.device.wait_for(Duration::ZERO, |state| {
            checked = model.check(state.written());
            true
        });
        checked
    }
}
