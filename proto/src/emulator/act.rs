//! Execution of a request, one action at a time.

use core::ops::Range;

use super::config::EmulatorConfig;
use super::frame_sender::{Frame, FrameSender, Io};
use super::model::{DpKind, Model, WriteError};
use super::pending_request::PendingRequest;
use super::quirks::ErrorReply;
use super::request::{Positions, ReplyAction, Request, is_control, target};
use super::{Emulator, EmulatorStep, RawEvent, reply};
use crate::buf::Rx;
use crate::codec::NoRoom;
use crate::ids::DpId;
use crate::payload::{DeviceError, DpValue};
use crate::version::Version;
use crate::wire::command::RetCode;

impl Emulator {
    /// Performs the next action of the current request.
    #[expect(clippy::arithmetic_side_effects, reason = "the index of an action, and one more")]
    pub(super) fn advance(
        &mut self,
        current: &mut PendingRequest,
        io: &mut Io<'_, '_>,
        model: &mut dyn Model,
        rx: &mut Rx<'_>,
    ) -> Result<EmulatorStep, NoRoom> {
        let Some(action) = current.actions.get(current.next) else {
            return Ok(EmulatorStep::Again);
        };
        if io.now < current.due {
            return Ok(EmulatorStep::Idle(Some(current.due)));
        }
        let offset = rx.offset();
        let event = self.act(*action, current, io, model, rx, offset)?;
        current.next += 1;
        Ok(event.map_or(EmulatorStep::Again, EmulatorStep::Event))
    }

    fn act(
        &mut self,
        action: ReplyAction,
        current: &mut PendingRequest,
        io: &mut Io<'_, '_>,
        model: &mut dyn Model,
        rx: &mut Rx<'_>,
        offset: usize,
    ) -> Result<Option<RawEvent>, NoRoom> {
        let (config, sender) = (&self.config, &mut self.sender);
        let (command, seqno) = (current.command, current.seqno);
        let payload = rx.unread().get(current.payload.clone()).unwrap_or_default();
        let request = Request::parse(command, payload).unwrap_or_default();
        let cid = target(config, model, &request);
        match action {
            ReplyAction::Ack => {
                let mut frame = Frame::reply(command, Some(seqno));
                if is_control(command) && config.quirks().ack_retcode_one {
                    frame.retcode = match config.version() {
                        Version::V35 => RetCode(1u32.swap_bytes()),
                        _ => RetCode(1),
                    };
                }
                sender.send(config, io, &frame, |_| {})?;
            }
            ReplyAction::Write => {
                for (at, (id, value)) in request.dps.into_iter().flatten().enumerate() {
                    let accepted = match value {
                        DpValue::Null if config.quirks().null_as_value => write_nothing(model, cid, id),
                        DpValue::Null => Err(WriteError::Kind),
                        value => model.write(cid, id, value),
                    };
                    match accepted {
                        Ok(changed) if changed || config.quirks().push_unchanged => current.changes.set(at),
                        Ok(_) => {}
                        Err(_) => current.rejected.set(at),
                    }
                }
            }
            ReplyAction::PushChanged => {
                let changes = current.changes;
                let filter = |id| {
                    let mut entries = request.dps.into_iter().flatten().enumerate();
                    entries.any(|(at, (found, _))| found == id && changes.has(at))
                };
                push_some(sender, config, io, model, cid, &filter)?;
            }
            ReplyAction::PushAsked => {
                let first = match config.quirks().device22_one_dp {
                    true => first_dp(model, cid, &|id| request.asks(id)),
                    false => None,
                };
                let filter = |id| request.asks(id) && first.is_none_or(|first| first == id);
                push_some(sender, config, io, model, cid, &filter)?;
            }
            ReplyAction::PushAll => push_some(sender, config, io, model, cid, &|_| true)?,
            ReplyAction::ReplyAsked => sender.reply(config, io, command, seqno, cid, &|w| {
                reply::state_of(w, config, model, cid, &|id| request.asks(id));
            })?,
            ReplyAction::ReplyAll => sender.reply(config, io, command, seqno, cid, &|w| {
                reply::state_of(w, config, model, cid, &|_| true);
            })?,
            ReplyAction::Report => {
                let wants = |cid: &str| request.wants_child(cid);
                sender.report_children(config, io, model, Some(seqno), &wants, &mut current.reports)?;
            }
            ReplyAction::Refuse(_) if config.quirks().errors == ErrorReply::Silence => {}
            ReplyAction::Refuse(error) => {
                let mut frame = Frame::reply(command, Some(seqno));
                let is_device22 = error == DeviceError::DataUnvalid && config.is_device22();
                if !(is_device22 && config.quirks().refusal_retcode_zero) {
                    frame.retcode = RetCode::REFUSED;
                }
                sender.send(config, io, &frame, |w| w.text(error.text()))?;
                return Ok(Some(RawEvent::Refused { command, error }));
            }
            ReplyAction::Written | ReplyAction::Rejected | ReplyAction::AllRejected => {
                let payload = shift(&current.payload, offset);
                let (accepted, which) = match action {
                    ReplyAction::Written => (true, current.changes),
                    ReplyAction::Rejected => (false, current.rejected),
                    _ => (false, Positions::ALL),
                };
                // A control without any value changes and rejects nothing.
                let any = !which.is_empty() && request.dps.is_some_and(|mut dps| dps.next().is_some());
                let is_own = cid.is_none();
                return Ok(any.then_some(RawEvent::Values { command, payload, which, accepted, is_own }));
            }
        }
        Ok(None)
    }
}

/// Writes the value that firmware reads in place of a null.
fn write_nothing(model: &mut dyn Model, cid: Option<&str>, wanted: DpId) -> Result<bool, WriteError> {
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
    nothing.map_or(Err(WriteError::Kind), |nothing| model.write(cid, wanted, nothing))
}

/// Returns the first DP of the model for which `filter` is true.
fn first_dp(model: &dyn Model, cid: Option<&str>, filter: &dyn Fn(DpId) -> bool) -> Option<DpId> {
    let mut first = None;
    model.dps(cid, &mut |id, _| first = first.or(Some(id).filter(|id| filter(*id))));
    first
}

/// Pushes the DPs for which `filter` is true, if there are any.
fn push_some(
    sender: &mut FrameSender,
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
    sender.push(config, io, cid, &|w| reply::dps_of(w, model, cid, &filter))
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start.saturating_add(by)..range.end.saturating_add(by)
}
