//! Doing what a request demands, one action at a time.

use core::ops::Range;

use super::config::EmulatorConfig;
use super::line::{Frame, Io, Line, Reports};
use super::model::{DpKind, Model, Unfit};
use super::quirks::ErrorReply;
use super::receive::Glance;
use super::request::{Action, Request, Which, is_control, target};
use super::{Emulator, Notice, Step, reply};
use crate::buf::Rx;
use crate::codec::NoRoom;
use crate::ids::DpId;
use crate::payload::{DeviceError, DpValue};
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};

/// A request that is being answered. Its opened frame lies at the front of the receive buffer.
pub(super) struct Current {
    pub(super) command: CommandCode,
    seqno: u32,
    /// Size of the frame.
    pub(super) len: usize,
    /// Where the payload lies in the frame.
    payload: Range<usize>,
    /// Not to be answered before.
    due: Instant,
    actions: &'static [Action],
    next: usize,
    /// What was taken and is to be pushed.
    changes: Which,
    /// What was not taken.
    misfits: Which,
    reports: Reports,
}

impl Current {
    /// Whether every action is taken.
    pub(super) const fn is_done(&self) -> bool {
        self.next >= self.actions.len()
    }

    pub(super) fn new(
        config: &EmulatorConfig,
        glance: &Glance,
        len: usize,
        payload: Range<usize>,
        now: Instant,
        actions: &'static [Action],
    ) -> Self {
        Self {
            command: glance.command,
            seqno: glance.seqno,
            len,
            payload,
            due: now + config.quirks().delay,
            actions,
            next: 0,
            changes: Which::NONE,
            misfits: Which::NONE,
            reports: Reports::new(config),
        }
    }
}

impl Emulator {
    /// Takes the next action of the current request.
    #[expect(clippy::arithmetic_side_effects, reason = "the index of an action, and one more")]
    pub(super) fn advance(
        &mut self,
        current: &mut Current,
        io: &mut Io<'_, '_>,
        model: &mut dyn Model,
        rx: &mut Rx<'_>,
    ) -> Result<Step, NoRoom> {
        let Some(action) = current.actions.get(current.next) else {
            return Ok(Step::Again);
        };
        if io.now < current.due {
            return Ok(Step::Idle(Some(current.due)));
        }
        let offset = rx.offset();
        let notice = self.act(*action, current, io, model, rx, offset)?;
        current.next += 1;
        Ok(notice.map_or(Step::Again, Step::Notice))
    }

    fn act(
        &mut self,
        action: Action,
        current: &mut Current,
        io: &mut Io<'_, '_>,
        model: &mut dyn Model,
        rx: &mut Rx<'_>,
        offset: usize,
    ) -> Result<Option<Notice>, NoRoom> {
        let (config, line) = (&self.config, &mut self.line);
        let (command, seqno) = (current.command, current.seqno);
        let payload = rx.unread().get(current.payload.clone()).unwrap_or_default();
        let request = Request::parse(command, payload).unwrap_or_default();
        let cid = target(config, model, &request);
        match action {
            Action::Ack => {
                let mut frame = Frame::reply(command, Some(seqno));
                if is_control(command) && config.quirks().ack_retcode_one {
                    frame.retcode = match config.version() {
                        Version::V35 => RetCode(1u32.swap_bytes()),
                        _ => RetCode(1),
                    };
                }
                line.send(config, io, &frame, |_| {})?;
            }
            Action::Write => {
                for (at, (id, value)) in request.dps.into_iter().flatten().enumerate() {
                    let taken = match value {
                        DpValue::Null if config.quirks().null_as_value => write_nothing(model, cid, id),
                        DpValue::Null => Err(Unfit::Kind),
                        value => model.write(cid, id, value),
                    };
                    match taken {
                        Ok(changed) if changed || config.quirks().push_unchanged => current.changes.set(at),
                        Ok(_) => {}
                        Err(_) => current.misfits.set(at),
                    }
                }
            }
            Action::PushChanged => {
                let changes = current.changes;
                let filter = |id| {
                    let mut entries = request.dps.into_iter().flatten().enumerate();
                    entries.any(|(at, (found, _))| found == id && changes.has(at))
                };
                push_some(line, config, io, model, cid, &filter)?;
            }
            Action::PushAsked => {
                let first = match config.quirks().device22_one_dp {
                    true => first_dp(model, cid, &|id| request.asks(id)),
                    false => None,
                };
                let filter = |id| request.asks(id) && first.is_none_or(|first| first == id);
                push_some(line, config, io, model, cid, &filter)?;
            }
            Action::PushAll => push_some(line, config, io, model, cid, &|_| true)?,
            Action::ReplyAsked => line.reply(config, io, command, seqno, cid, &|w| {
                reply::state_of(w, config, model, cid, &|id| request.asks(id));
            })?,
            Action::ReplyAll => line.reply(config, io, command, seqno, cid, &|w| {
                reply::state_of(w, config, model, cid, &|_| true);
            })?,
            Action::Report => {
                let wants = |cid: &str| request.wants_child(cid);
                line.report_children(config, io, model, Some(seqno), &wants, &mut current.reports)?;
            }
            Action::Refuse(_) if config.quirks().errors == ErrorReply::Silence => {}
            Action::Refuse(error) => {
                let mut frame = Frame::reply(command, Some(seqno));
                let is_device22 = error == DeviceError::DataUnvalid && config.is_device22();
                if !(is_device22 && config.quirks().refusal_retcode_zero) {
                    frame.retcode = RetCode::REFUSED;
                }
                line.send(config, io, &frame, |w| w.text(error.text()))?;
                return Ok(Some(Notice::Refused { command, error }));
            }
            Action::Written | Action::Misfits | Action::NoneTaken => {
                let payload = shift(&current.payload, offset);
                let (taken, which) = match action {
                    Action::Written => (true, current.changes),
                    Action::Misfits => (false, current.misfits),
                    _ => (false, Which::ALL),
                };
                // A control without any value changes nothing, and nothing of it is left out.
                let any = !which.is_empty() && request.dps.is_some_and(|mut dps| dps.next().is_some());
                let is_own = cid.is_none();
                return Ok(any.then_some(Notice::Values { command, payload, which, taken, is_own }));
            }
        }
        Ok(None)
    }
}

/// Writes what firmware takes a null for.
fn write_nothing(model: &mut dyn Model, cid: Option<&str>, wanted: DpId) -> Result<bool, Unfit> {
    let mut nothing = None;
    model.dps(cid, &mut |id, value| {
        if id == wanted {
            nothing = match value {
                DpValue::Bool(_) => Some(DpValue::Bool(false)),
                DpValue::Int(_) => Some(DpValue::Int(0)),
                DpValue::Str(_) => Some(DpValue::text("")),
                DpValue::Null | DpValue::Float(_) | DpValue::Json(_) => None,
            };
        }
    });
    nothing.map_or(Err(Unfit::Kind), |nothing| model.write(cid, wanted, nothing))
}

/// The first DP of the model that `filter` lets through.
fn first_dp(model: &dyn Model, cid: Option<&str>, filter: &dyn Fn(DpId) -> bool) -> Option<DpId> {
    let mut first = None;
    model.dps(cid, &mut |id, _| first = first.or(Some(id).filter(|id| filter(*id))));
    first
}

/// Pushes the DPs that `filter` lets through, if there are any.
fn push_some(
    line: &mut Line,
    config: &EmulatorConfig,
    io: &mut Io<'_, '_>,
    model: &dyn Model,
    cid: Option<&str>,
    filter: &dyn Fn(DpId) -> bool,
) -> Result<(), NoRoom> {
    let filter = |id| filter(id) && !(config.quirks().hold_bitmaps && model.kind(cid, id) == DpKind::Bitmap);
    if !reply::any_dp(model, cid, &filter) {
        return Ok(());
    }
    line.push(config, io, cid, &|w| reply::dps_of(w, model, cid, &filter))
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start.saturating_add(by)..range.end.saturating_add(by)
}
