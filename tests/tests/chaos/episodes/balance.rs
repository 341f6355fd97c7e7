//! Balance of an episode: compares results and events with the commands.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use rustuya_conformance::{Call, Counters, How, ReceivedEvent, Source};
use rustuya_runtime::CommandError;
use serde_json::Value;

use super::commands::PendingCommand;
use super::episode::{BY_HAND, Episode, LIMIT};
use super::model::Place;

/// Counts of events that the listeners of the current handle received.
#[derive(Default)]
pub(super) struct Listened {
    pub(super) up: bool,
    pub(super) ended: bool,
    pub(super) received: u64,
    pub(super) last_by_hand: i64,
    /// Failures of commands that no caller waited for.
    pub(super) failed: u64,
    /// Refusals by the device among them.
    pub(super) rejected: u64,
    /// True if the listener reported lost events.
    pub(super) lagged: bool,
}

/// Commands of the current handle with their results.
#[derive(Default)]
pub(super) struct Balance {
    pub(super) given: u64,
    /// Failures reported to callers.
    pub(super) refused: u64,
    /// Refusals by the device among them.
    rejected: u64,
    /// Commands that no caller waits for.
    pub(super) unwaited: u64,
    /// Commands that may end without a report.
    pub(super) may_be_unreported: u64,
    /// Queries that no caller waits for: of consecutive refused ones, only the first is reported.
    unwaited_queries: u64,
    /// True if commands were joined or split, so that the counters do not match one by one.
    pub(super) inexact: bool,
    /// Last write to each place, with the number of its command.
    pub(super) last: BTreeMap<Place, (i64, u64)>,
    /// Numbers of writes that no caller waits for.
    left: BTreeSet<u64>,
}

impl Balance {
    /// Counts a failure that was reported to its caller.
    pub(super) fn count_refusal(&mut self, counts: bool, error: &CommandError) {
        self.refused += u64::from(counts);
        self.rejected += u64::from(matches!(error, CommandError::Rejected { .. }));
    }

    /// Counts a command whose caller stops waiting: listeners receive its failure.
    pub(super) fn count_unwaited(&mut self, open: &PendingCommand) {
        self.unwaited += u64::from(open.counts);
        self.unwaited_queries += u64::from(open.asks);
        self.left.insert(open.number);
    }

    /// Counts the commands without a waiting caller that must have failed: each was the last to write a DP, and the
    /// device does not have its value.
    fn without_effect(&self, has: impl Fn(Place, i64) -> bool) -> u64 {
        let last = self.last.iter().filter(|(_, (_, number))| self.left.contains(number));
        let failed: BTreeSet<u64> =
            last.filter(|(place, (value, _))| !has(**place, *value)).map(|(_, (_, number))| *number).collect();
        failed.len() as u64
    }

    /// Compares commands with results, once every command is resolved; `without_effect` as above.
    fn check_balance(&self, listened: &Listened, counters: &Counters, without_effect: u64) -> Result<(), String> {
        let Counters { sent, acknowledged, failed, rejected, .. } = *counters;
        if acknowledged + failed > sent {
            return Err(format!("{sent} sent, {acknowledged} acknowledged and {failed} failed"));
        }
        if listened.failed > self.unwaited {
            return Err(format!(
                "{} failures were reported to listeners, of {} commands without a waiting caller",
                listened.failed, self.unwaited
            ));
        }
        if listened.lagged {
            return Ok(());
        }
        if listened.failed < without_effect {
            return Err(format!(
                "{} failures were reported to listeners, and {without_effect} commands without a waiting caller had no effect",
                listened.failed
            ));
        }
        // Skips subjects without counters, and commands that were joined or split.
        if sent == 0 || self.inexact {
            return Ok(());
        }
        let (reported, unreported) =
            (self.rejected + listened.rejected, if rejected > 0 { self.unwaited_queries } else { 0 });
        if !(reported <= rejected && rejected <= reported + unreported) {
            return Err(format!(
                "{rejected} commands were refused, {reported} refusals reported, and at most {unreported} not"
            ));
        }
        let (reported, unreported) =
            (acknowledged + self.refused + listened.failed, self.may_be_unreported + unreported);
        if !(reported <= self.given && self.given <= reported + unreported) {
            return Err(format!(
                "of {} commands {acknowledged} were acknowledged, {} failed, {} failures were reported to listeners, and at \
                 most {unreported} end without a report",
                self.given, self.refused, listened.failed
            ));
        }
        Ok(())
    }
}

impl Episode<'_> {
    /// Receives the queued events.
    pub(super) fn listen(&mut self) -> Result<(), String> {
        while !self.listened.ended {
            let Some(received) = self.stage.receive(0, Source::Own, Duration::ZERO) else { return Ok(()) };
            self.tally.events += 1;
            self.listened.received += 1;
            if !matches!(received, ReceivedEvent::Message { .. }) {
                self.note(|| format!("heard {received:?}"));
            }
            match received {
                ReceivedEvent::Up(_) if core::mem::replace(&mut self.listened.up, true) => {
                    return Err("up twice".into());
                }
                ReceivedEvent::Down(_) => self.listened.up = false,
                ReceivedEvent::Failed(error) => {
                    self.listened.failed += 1;
                    self.listened.rejected += u64::from(matches!(error, CommandError::Rejected { .. }));
                }
                // The report itself is one more event, besides the lost ones.
                ReceivedEvent::Lagged(lost) => {
                    self.listened.received += lost - 1;
                    self.listened.lagged = true;
                }
                ReceivedEvent::Message { cid: None, dps } => {
                    if let Some(number) = dps.get(BY_HAND).and_then(Value::as_i64) {
                        self.listened.last_by_hand = number;
                    }
                    if dps.contains_key(rustuya_faulty::POISON_DP) {
                        return Err("a frame was believed whose check fails".into());
                    }
                }
                ReceivedEvent::End => {
                    self.listened.ended = true;
                    self.listened.received -= 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes the handle, which resolves every command.
    pub(super) fn close(&mut self) -> Result<(), String> {
        let ticket = self.stage.begin(0, &Call::Close, How::Written);
        self.stage.end(ticket, LIMIT).ok_or("closing has no end")?;
        for open in core::mem::take(&mut self.open) {
            let answer = self.stage.end(open.ticket, LIMIT).ok_or("a command is open after its device is closed")?;
            self.resolved(&open, &answer)?;
        }
        let mut looks = 0;
        while !self.listened.ended {
            self.listen()?;
            looks += 1;
            if looks > 10_000 {
                return Err("a listener does not end with its device".into());
            }
            self.stage.wait_briefly();
        }
        self.check_all()?;
        self.check_balance()
    }

    /// Compares commands with results.
    fn check_balance(&mut self) -> Result<(), String> {
        let (mut slow, mut lagged) = (0, 0);
        loop {
            match self.stage.receive(0, Source::Extra(0), LIMIT) {
                Some(ReceivedEvent::Lagged(lost)) => lagged += lost,
                Some(ReceivedEvent::End) => break,
                Some(_) => slow += 1,
                None => return Err("a slow listener does not end with its device".into()),
            }
        }
        if !self.real_time && slow + lagged != self.listened.received {
            return Err(format!(
                "{slow} events and {lagged} lost ones where another listener heard {}",
                self.listened.received
            ));
        }
        let counters = self.stage.snapshot(0).counters;
        let open = self.balance.without_effect(|place, value| self.lossy.ever() || self.model.has(place, value));
        self.balance.check_balance(&self.listened, &counters, open)
    }
}
