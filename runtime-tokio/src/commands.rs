//! Commands on their way: waiting for the connection, or sent and waiting for the answer.

use std::collections::VecDeque;

use rustuya_proto::{
    self as proto, Cid, Command, CommandCode, CommandId, DownReason, DpId, DpMap, Message, Outcome, RequestData,
    SendError,
};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::convert;
use crate::error::CommandError;
use crate::net::{Buffers, Clock, unix_time};

/// What a device answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// Command code of the answer; of the command, when no frame was needed to know that it succeeded.
    pub command: CommandCode,
    /// Return code, as the big-endian number on the wire. Not zero can mean success too: errors come as
    /// [`CommandError::Rejected`].
    pub retcode: Option<u32>,
    /// The payload: JSON, a string when it is none, `None` when there is none.
    pub payload: Option<Value>,
    /// The DPs in the payload.
    pub dps: Map<String, Value>,
}

/// What is asked of a device.
#[derive(Debug)]
pub(crate) enum Ask {
    Status,
    /// JSON text of the DPs.
    Set(String),
    Update(Vec<DpId>),
    SubDevices,
    /// Any command, with the JSON text of its data.
    Raw(CommandCode, Option<String>),
}

/// One command, from the handle to the task. Its slot is answered exactly once; when it is dropped unanswered, the
/// handle reads that as closed.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) ask: Ask,
    pub(crate) cid: Option<Cid>,
    /// Until when it may wait for the connection.
    pub(crate) deadline: Instant,
    pub(crate) reply: oneshot::Sender<Result<Reply, CommandError>>,
}

impl Request {
    fn command(&self) -> Command<'_> {
        let command = match &self.ask {
            Ask::Status => Command::status(),
            Ask::Set(json) => Command::set(DpMap::Json(json)),
            Ask::Update(ids) => Command::update_dps(ids),
            Ask::SubDevices => Command::sub_devices(),
            Ask::Raw(code, data) => {
                Command::request(*code, data.as_deref().map_or(RequestData::None, RequestData::Json))
            }
        };
        let command = command.unix_time(unix_time());
        match &self.cid {
            Some(cid) => command.cid(cid.as_str()),
            None => command,
        }
    }

    /// The code by which the command is known before the version decides about it.
    const fn code(&self) -> CommandCode {
        match &self.ask {
            Ask::Status => CommandCode::DP_QUERY,
            Ask::Set(_) => CommandCode::CONTROL,
            Ask::Update(_) => CommandCode::UPDATE_DPS,
            Ask::SubDevices => CommandCode::LAN_EXT_STREAM,
            Ask::Raw(code, _) => *code,
        }
    }

    fn answer(self, result: Result<Reply, CommandError>) {
        // The caller may have lost interest; that is no failure.
        drop(self.reply.send(result));
    }
}

/// The commands of one device.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    waiting: VecDeque<Box<Request>>,
    sent: Vec<(CommandId, Box<Request>)>,
}

impl Commands {
    pub(crate) fn add(&mut self, request: Box<Request>) {
        self.waiting.retain(|request| !request.reply.is_closed());
        self.waiting.push_back(request);
    }

    /// When the next command has waited long enough.
    pub(crate) fn deadline(&self, clock: &Clock) -> Option<proto::Instant> {
        self.waiting.iter().map(|request| request.deadline).min().map(|at| clock.machine_time(at))
    }

    /// Answers what has waited too long.
    pub(crate) fn expire(&mut self, machine: &proto::Device) {
        let now = Instant::now();
        let mut at = 0;
        while let Some(request) = self.waiting.get(at) {
            if request.deadline > now {
                at += 1;
            } else if let Some(request) = self.waiting.remove(at) {
                request.answer(Err(too_late(machine.is_up(), machine.diagnosis())));
            }
        }
    }

    /// Hands what waits to the machine, as much as it takes, in order. Says whether it took any.
    pub(crate) fn send(&mut self, machine: &mut proto::Device, clock: &Clock, buffers: &mut Buffers) -> bool {
        let mut any = false;
        while let Some(request) = self.waiting.pop_front() {
            if request.reply.is_closed() {
                continue;
            }
            let sent = machine.send(&request.command(), clock.now(), &mut rand::rng(), &mut buffers.tx);
            match sent {
                Ok(id) => {
                    self.sent.push((id, request));
                    any = true;
                }
                Err(SendError::NoRoom { need }) if buffers.make_room(need) => self.waiting.push_front(request),
                Err(SendError::NoRoom { .. } | SendError::NotReady | SendError::TooMany) => {
                    self.waiting.push_front(request);
                    break;
                }
                Err(error) => request.answer(Err(error.into())),
            }
        }
        any
    }

    /// A command has found its fate; `reason` is why the connection ended, if it did.
    pub(crate) fn resolve(
        &mut self,
        id: CommandId,
        outcome: Outcome,
        message: Option<&Message<'_>>,
        reason: Option<DownReason>,
    ) {
        let Some(at) = self.sent.iter().position(|(sent, _)| *sent == id) else {
            return;
        };
        let (_, request) = self.sent.swap_remove(at);
        let result = match outcome {
            Outcome::Acknowledged { retcode } => Ok(reply(&request, retcode.map(|code| code.0), message)),
            // Silence is how many devices take this command.
            Outcome::Unanswered if request.code() == CommandCode::UPDATE_DPS => Ok(reply(&request, None, None)),
            Outcome::Rejected { retcode, error } => Err(CommandError::Rejected {
                retcode: retcode.map(|code| code.0),
                text: convert::refusal(message, error),
            }),
            Outcome::ConnectionLost => {
                Err(CommandError::ConnectionLost { reason: reason.unwrap_or(DownReason::Ended) })
            }
            _ => Err(CommandError::Unanswered),
        };
        request.answer(result);
    }

    /// No more commands: answers all that were not sent.
    pub(crate) fn refuse_waiting(&mut self) {
        for request in self.waiting.drain(..) {
            request.answer(Err(CommandError::Closed));
        }
    }
}

/// What has become of a command that could not be sent in time.
pub(crate) const fn too_late(up: bool, reason: Option<DownReason>) -> CommandError {
    if up { CommandError::Busy } else { CommandError::NotConnected { reason } }
}

fn reply(request: &Request, retcode: Option<u32>, message: Option<&Message<'_>>) -> Reply {
    let content = message.map(convert::content).unwrap_or_default();
    Reply {
        command: message.map_or_else(|| request.code(), |message| message.command),
        retcode,
        payload: content.payload,
        dps: content.dps,
    }
}
