//! Sending of commands.

use heapless::Vec;
use rand_core::CryptoRng;

use super::command::Kind;
use super::config::DeviceConfig;
use super::expected_push::{ExpectedPush, ExpectedReply};
use super::pending::Entry;
use super::{Command, CommandId, Device, Link, SendError};
use crate::buf::{Storage, Tx, TxBuf};
use crate::codec::VersionHeader;
use crate::ids::Cid;
use crate::json::JsonText;
use crate::payload::{Envelope, RequestData, wire_code, write_request};
use crate::session::{Outgoing, Session};
use crate::time::Instant;
use crate::version::{Dialect, Version};
use crate::wire::command::CommandCode;

impl Device {
    /// Writes `command` to `tx`. Exactly one [`Event::Resolved`](super::Event::Resolved) will follow.
    ///
    /// # Errors
    /// Nothing was sent and nothing will follow; see [`SendError`].
    pub fn send(
        &mut self,
        command: &Command<'_>,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut TxBuf<impl Storage>,
    ) -> Result<CommandId, SendError> {
        self.transmit(command, now, rng, &mut tx.lend())
    }

    fn transmit(
        &mut self,
        command: &Command<'_>,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
    ) -> Result<CommandId, SendError> {
        if !self.is_up() {
            return Err(SendError::NotReady);
        }
        check(command)?;
        if !self.pending.has_room() {
            return Err(SendError::TooMany);
        }
        let Link::Up(conn) = &mut self.link else {
            return Err(SendError::NotReady);
        };
        let version = conn.session.version();
        let mut command = *command;
        let (known, mut named) =
            (if Version::ANY_DEVICE22 { self.dialect_state.known_dps() } else { Vec::new() }, None);
        let mut dialect = if self.dialect_state.queries_by_nulls() { Dialect::Device22 } else { Dialect::Default };
        if let Kind::Request { command: CommandCode::DP_QUERY, data } = &mut command.kind {
            match (dialect, &*data) {
                // No DP is invented: a query without names is sent in the ordinary form, which writes nothing, as long
                // as no DP is known. The DPs of sub-devices are never known here.
                (Dialect::Device22, RequestData::None) if known.is_empty() || command.cid.is_some() => {
                    dialect = Dialect::Default;
                }
                (Dialect::Device22, RequestData::None) => *data = RequestData::Ids(&known),
                // Ordinary firmware answers with its whole state.
                (Dialect::Default, RequestData::Ids(ids)) => {
                    named = Some(*ids);
                    *data = RequestData::None;
                }
                _ => {}
            }
        }
        if let Kind::Request { command: code @ CommandCode::CONTROL, .. } = &mut command.kind
            && self.dialect_state.control_as_new
            && !version.negotiates()
        {
            *code = CommandCode::CONTROL_NEW;
        }
        let (code, seqno) = transmit(&mut conn.session, &self.config, dialect, &command, now, rng, tx)?;
        conn.note_sent(now);
        self.last_command = self.last_command.wrapping_add(1);
        let id = CommandId(self.last_command);
        let deadline = now + command.timeout.unwrap_or(self.config.timing.answer);
        let expects = expected_reply(&command, dialect);
        self.dialect_state.has_children |= command.cid.is_some();
        self.dialect_state.remember_written(&command.kind);
        let expected_push = ExpectedPush::remember(&command.kind, expects);
        let mut entry = Entry::new(id, code, seqno, deadline, expects, command.cid, expected_push);
        if let Some(ids) = named {
            entry.named = true;
            self.dialect_state.remember_named(id, ids);
        }
        self.pending.push(entry);
        Ok(id)
    }
}

/// Seals one command. Returns its command code and number on the wire.
pub(super) fn transmit(
    session: &mut Session,
    config: &DeviceConfig,
    dialect: Dialect,
    command: &Command<'_>,
    now: Instant,
    rng: &mut dyn CryptoRng,
    tx: &mut Tx<'_>,
) -> Result<(CommandCode, u32), SendError> {
    let version = session.version();
    let dialect = if Version::ANY_DEVICE22 { dialect } else { Dialect::Default };
    let code = match command.kind {
        Kind::Request { command, .. } => wire_code(version, dialect, command),
        Kind::Raw { command, .. } => command,
    };
    let header = (version != Version::V31 && code.carries_version_header()).then(|| VersionHeader::controller(version));
    let out = Outgoing { command: code, retcode: None, header, seqno: None };
    let envelope =
        Envelope { version, dialect, device: config.id.as_str(), cid: command.cid, unix_time: command.unix_time };
    let sent = session.send(now, rng, &mut tx.at_most(command.most), &out, |w| match command.kind {
        Kind::Request { command, data } => write_request(w, &envelope, command, data),
        Kind::Raw { payload, .. } => w.bytes(payload),
    });
    match sent {
        Ok(seqno) => Ok((code, seqno)),
        Err(room) if room.need > command.most => Err(SendError::TooLarge),
        Err(room) => Err(SendError::NoRoom { need: room.need }),
    }
}

/// Refuses data that makes no sense for the command.
fn check(command: &Command<'_>) -> Result<(), SendError> {
    let data_is_valid = match command.kind {
        Kind::Request { command: CommandCode::CONTROL, data: RequestData::Dps(map) } => {
            map.is_valid() && !map.has_null()
        }
        Kind::Request { data: RequestData::Dps(map), .. } => map.is_valid(),
        Kind::Request { data: RequestData::Json(text), .. } => JsonText::new(text).is_some(),
        Kind::Request { command: CommandCode::CONTROL, data: RequestData::None } => false,
        Kind::Request { .. } | Kind::Raw { .. } => true,
    };
    let cid_is_valid = command.cid.is_none_or(|cid| Cid::new(cid).is_ok());
    if data_is_valid && cid_is_valid && !command.code().is_negotiation() { Ok(()) } else { Err(SendError::InvalidData) }
}

/// Returns the kind of answer that a command gets.
fn expected_reply(command: &Command<'_>, dialect: Dialect) -> ExpectedReply {
    let Kind::Request { command, data } = command.kind else {
        return ExpectedReply::Reply;
    };
    match command {
        CommandCode::DP_QUERY if Version::ANY_DEVICE22 && dialect == Dialect::Device22 => ExpectedReply::State22,
        CommandCode::CONTROL_NEW if Version::ANY_DEVICE22 && matches!(data, RequestData::Ids(_)) => {
            ExpectedReply::State22
        }
        CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW => ExpectedReply::State,
        CommandCode::CONTROL | CommandCode::CONTROL_NEW | CommandCode::UPDATE_DPS => ExpectedReply::Change,
        _ => ExpectedReply::Reply,
    }
}
