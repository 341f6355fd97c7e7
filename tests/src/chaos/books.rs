//! What was told, held against what was given.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use rustuya_runtime::CommandError;
use serde_json::Value;

use super::episode::{BY_HAND, Episode, LIMIT};
use super::give::Open;
use super::model::Place;
use crate::conformance::{Call, Counters, Ear, Heard, How};

/// What listeners of the current handle have heard.
#[derive(Default)]
pub(super) struct Listened {
    pub(super) up: bool,
    pub(super) ended: bool,
    pub(super) heard: u64,
    pub(super) last_by_hand: i64,
    /// Failures of commands for whose answer nobody waited.
    pub(super) failed: u64,
    /// Refusals among them.
    pub(super) rejected: u64,
    /// Some were lost, and said to be.
    pub(super) lagged: bool,
}

/// Commands of the current handle, and what they came to.
#[derive(Default)]
pub(super) struct Books {
    pub(super) given: u64,
    /// Failures that callers were told.
    pub(super) refused: u64,
    /// Refusals by the device among them.
    rejected: u64,
    /// Commands for whose answer nobody waits.
    pub(super) unwaited: u64,
    /// Commands that may end without anybody being told.
    pub(super) may_be_silent: u64,
    /// Queries for whose answer nobody waits: of those that a device refuses in a row, the first is told.
    unwaited_queries: u64,
    /// Commands were joined or split, so that they do not count one by one.
    pub(super) inexact: bool,
    /// The last write to each place, and the number of its command.
    pub(super) last: BTreeMap<Place, (i64, u64)>,
    /// Numbers of writes for whose answer nobody waits.
    left: BTreeSet<u64>,
}

impl Books {
    /// A caller was told of a failure.
    pub(super) fn refuse(&mut self, counts: bool, error: &CommandError) {
        self.refused += u64::from(counts);
        self.rejected += u64::from(matches!(error, CommandError::Rejected { .. }));
    }

    /// A caller goes before there is an answer: listeners are told if it fails.
    pub(super) fn leave(&mut self, open: &Open) {
        self.unwaited += u64::from(open.counts);
        self.unwaited_queries += u64::from(open.asks);
        self.left.insert(open.number);
    }

    /// Commands for whose answer nobody waits, and that must have failed: they were the last to write a DP, and the device
    /// has not obeyed them.
    fn unobeyed(&self, has: impl Fn(Place, i64) -> bool) -> u64 {
        let last = self.last.iter().filter(|(_, (_, number))| self.left.contains(number));
        let failed: BTreeSet<u64> =
            last.filter(|(place, (value, _))| !has(**place, *value)).map(|(_, (_, number))| *number).collect();
        failed.len() as u64
    }

    /// Compares what was given with what was told, once everything is decided; `unobeyed` as above.
    fn balance(&self, listened: &Listened, counters: &Counters, unobeyed: u64) -> Result<(), String> {
        let Counters { sent, acknowledged, failed, rejected, .. } = *counters;
        if acknowledged + failed > sent {
            return Err(format!("{sent} sent, {acknowledged} acknowledged and {failed} failed"));
        }
        if listened.failed > self.unwaited {
            return Err(format!(
                "{} failures were told to listeners, of {} commands for whose answer nobody waits",
                listened.failed, self.unwaited
            ));
        }
        if listened.lagged {
            return Ok(());
        }
        if listened.failed < unobeyed {
            return Err(format!(
                "{} failures were told to listeners, and {unobeyed} commands for whose answer nobody waits were not obeyed",
                listened.failed
            ));
        }
        // What is not counted, like the subject that has no counters, and what was joined or split.
        if sent == 0 || self.inexact {
            return Ok(());
        }
        let (told, silent) = (self.rejected + listened.rejected, if rejected > 0 { self.unwaited_queries } else { 0 });
        if !(told <= rejected && rejected <= told + silent) {
            return Err(format!("{rejected} commands were refused, {told} refusals told, and at most {silent} not"));
        }
        let (told, silent) = (acknowledged + self.refused + listened.failed, self.may_be_silent + silent);
        if !(told <= self.given && self.given <= told + silent) {
            return Err(format!(
                "of {} commands {acknowledged} were acknowledged, {} failed, {} failures were told to listeners, and at \
                 most {silent} end in silence",
                self.given, self.refused, listened.failed
            ));
        }
        Ok(())
    }
}

impl Episode<'_> {
    /// Hears what there is to be heard.
    pub(super) fn listen(&mut self) -> Result<(), String> {
        while !self.listened.ended {
            let Some(heard) = self.stage.hear(0, Ear::Own, Duration::ZERO) else { return Ok(()) };
            self.tally.events += 1;
            self.listened.heard += 1;
            if !matches!(heard, Heard::Message { .. }) {
                self.note(|| format!("heard {heard:?}"));
            }
            match heard {
                Heard::Up(_) if core::mem::replace(&mut self.listened.up, true) => return Err("up twice".into()),
                Heard::Down(_) => self.listened.up = false,
                Heard::Failed(error) => {
                    self.listened.failed += 1;
                    self.listened.rejected += u64::from(matches!(error, CommandError::Rejected { .. }));
                }
                // This is one more event, and not one of those that it stands for.
                Heard::Lagged(lost) => {
                    self.listened.heard += lost - 1;
                    self.listened.lagged = true;
                }
                Heard::Message { cid: None, dps } => {
                    if let Some(number) = dps.get(BY_HAND).and_then(Value::as_i64) {
                        self.listened.last_by_hand = number;
                    }
                    if dps.contains_key(crate::faulty::POISON_DP) {
                        return Err("a frame was believed whose check fails".into());
                    }
                }
                Heard::End => {
                    self.listened.ended = true;
                    self.listened.heard -= 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends the handle, which decides everything.
    pub(super) fn close(&mut self) -> Result<(), String> {
        let ticket = self.stage.begin(0, &Call::Close, How::Written);
        self.stage.end(ticket, LIMIT).ok_or("closing has no end")?;
        for open in core::mem::take(&mut self.open) {
            let answer = self.stage.end(open.ticket, LIMIT).ok_or("a command is open after its device is closed")?;
            self.decided(&open, &answer)?;
        }
        let mut looks = 0;
        while !self.listened.ended {
            self.listen()?;
            looks += 1;
            if looks > 10_000 {
                return Err("a listener does not end with its device".into());
            }
            self.stage.breathe();
        }
        self.look()?;
        self.balance()
    }

    /// Compares what was given with what was told.
    fn balance(&mut self) -> Result<(), String> {
        let (mut slow, mut lagged) = (0, 0);
        loop {
            match self.stage.hear(0, Ear::Extra(0), LIMIT) {
                Some(Heard::Lagged(lost)) => lagged += lost,
                Some(Heard::End) => break,
                Some(_) => slow += 1,
                None => return Err("a slow listener does not end with its device".into()),
            }
        }
        if !self.real_time && slow + lagged != self.listened.heard {
            return Err(format!(
                "{slow} events and {lagged} lost ones where another listener heard {}",
                self.listened.heard
            ));
        }
        let counters = self.stage.look(0).counters;
        let open = self.books.unobeyed(|place, value| self.lossy.ever() || self.model.has(place, value));
        self.books.balance(&self.listened, &counters, open)
    }
}
