//! Sending of frames on one connection, numbered and sealed according to the device's quirks.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::config::EmulatorConfig;
use super::model::Model;
use super::quirks::{ErrorReply, Seqnos};
use super::reply::{self, WriteDps};
use crate::buf::Tx;
use crate::codec::{Keys, NoRoom, VersionHeader};
use crate::json::Writer;
use crate::session::responder::Resp;
use crate::session::{Outgoing, Session};
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};

/// Parameters that all sending calls share.
pub(super) struct Io<'a, 't> {
    pub(super) now: Instant,
    pub(super) rng: &'a mut dyn CryptoRng,
    pub(super) tx: &'a mut Tx<'t>,
}

/// Sending half of a connection.
pub(super) struct FrameSender {
    pub(super) session: Session,
    /// Number of the next push, for its version header.
    pub(super) report: u32,
    /// Number of frames sent, without the negotiation.
    pub(super) sent: u32,
    /// True if the next negotiation has to give a key that begins with zero.
    pub(super) zero_key: bool,
    /// Sequence number of the controller's last frame.
    pub(super) last_received: u32,
}

/// Head of a frame to send, without its number.
pub(super) struct Frame {
    pub(super) command: CommandCode,
    /// Sequence number of the request; `None` for pushes.
    pub(super) answers: Option<u32>,
    pub(super) retcode: RetCode,
    pub(super) header: Option<VersionHeader>,
}

impl Frame {
    pub(super) const fn reply(command: CommandCode, answers: Option<u32>) -> Self {
        Self { command, answers, retcode: RetCode::OK, header: None }
    }
}

/// Progress of a series of sub-device reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reports {
    sent: usize,
    /// Most sub-devices in one frame.
    chunk: usize,
}

impl Reports {
    pub(super) fn new(config: &EmulatorConfig) -> Self {
        let chunk = config.quirks().report_chunk.map(|n| n.get());
        Self { sent: 0, chunk: chunk.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX) }
    }
}

impl FrameSender {
    /// Answers the first message of the negotiation.
    pub(super) fn respond(&mut self, config: &EmulatorConfig, io: &mut Io<'_, '_>) -> Result<(), NoRoom> {
        let how = Resp {
            retcode: (!config.quirks().no_retcode).then_some(RetCode::OK),
            seqno: seqno(config, Some(self.last_received), CommandCode::SESS_KEY_NEG_RESP),
            wrong_proof: config.quirks().wrong_proof,
            zero_key: config.quirks().zero_key && self.zero_key,
        };
        self.session.respond(io.now, &config.local_key, io.rng, io.tx, &how)?;
        self.zero_key = false;
        Ok(())
    }

    /// Sends one frame, unless [`Quirks::silent_after`](super::Quirks::silent_after) has been reached.
    pub(super) fn send(
        &mut self,
        config: &EmulatorConfig,
        io: &mut Io<'_, '_>,
        frame: &Frame,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), NoRoom> {
        let quirks = &config.quirks();
        if quirks.silent_after.is_some_and(|limit| self.sent >= limit) {
            return Ok(());
        }
        let out = Outgoing {
            command: frame.command,
            retcode: (!quirks.no_retcode).then_some(frame.retcode),
            header: frame.header,
            seqno: seqno(config, frame.answers, frame.command),
        };
        match self.other_keys(config, frame) {
            Some(keys) => self.session.send_under(&keys, io.now, io.rng, io.tx, &out, write)?,
            None => self.session.send(io.now, io.rng, io.tx, &out, write)?,
        };
        self.sent = self.sent.saturating_add(1);
        if quirks.garbage {
            garbage(io);
        }
        Ok(())
    }

    /// Pushes DPs.
    pub(super) fn push(
        &mut self,
        config: &EmulatorConfig,
        io: &mut Io<'_, '_>,
        cid: Option<&str>,
        dps: WriteDps<'_>,
    ) -> Result<(), NoRoom> {
        let report = self.report;
        let has_header = config.version() != Version::V31 && !config.quirks().push_without_header;
        let frame = Frame {
            header: has_header.then(|| VersionHeader::device(config.version(), report)),
            ..Frame::reply(CommandCode::STATUS, None)
        };
        let (unix_time, wrapped) = (config.unix_time(io.now), config.version().negotiates());
        self.send(config, io, &frame, |w| {
            reply::push(w, config, cid, unix_time, report, wrapped, dps);
        })?;
        self.report = self.report.wrapping_add(1);
        Ok(())
    }

    /// Replies to a query.
    pub(super) fn reply(
        &mut self,
        config: &EmulatorConfig,
        io: &mut Io<'_, '_>,
        command: CommandCode,
        answers: u32,
        cid: Option<&str>,
        dps: WriteDps<'_>,
    ) -> Result<(), NoRoom> {
        let has_header = config.version() != Version::V31 && config.quirks().reply_header;
        let report = self.report;
        let frame = Frame {
            header: has_header.then(|| VersionHeader::device(config.version(), report)),
            ..Frame::reply(command, Some(answers))
        };
        let unix_time = config.unix_time(io.now);
        self.send(config, io, &frame, |w| {
            if config.quirks().wrapped_reply {
                reply::push(w, config, cid, unix_time, report, true, dps);
            } else {
                reply::query_reply(w, config, cid, dps);
            }
        })
    }

    /// Sends the rest of a series of sub-device reports. On failure, frames that were sent stay counted.
    pub(super) fn report_children(
        &mut self,
        config: &EmulatorConfig,
        io: &mut Io<'_, '_>,
        model: &dyn Model,
        answers: Option<u32>,
        filter: &dyn Fn(&str) -> bool,
        series: &mut Reports,
    ) -> Result<(), NoRoom> {
        let frame = Frame::reply(CommandCode::LAN_EXT_STREAM, answers);
        let total = reply::child_count(model, filter);
        loop {
            let (from, chunk) = (series.sent, series.chunk.min(total.max(1)));
            let sent = self.send(config, io, &frame, |w| {
                reply::children(w, model, filter, from, chunk);
            });
            match sent {
                Ok(()) => series.sent = from.saturating_add(chunk),
                // Too many for the buffer: retries with fewer per frame.
                Err(_) if io.tx.is_empty() && chunk > 1 => series.chunk = chunk / 2,
                Err(no_room) => return Err(no_room),
            }
            if series.sent >= total.max(1) {
                return Ok(());
            }
        }
    }

    /// Returns other keys than those in use, for a frame that a quirk affects.
    fn other_keys(&self, config: &EmulatorConfig, frame: &Frame) -> Option<Keys> {
        let is_refusal = frame.retcode == RetCode::REFUSED;
        let in_clear = config.quirks().errors == ErrorReply::Clear && is_refusal;
        if in_clear && matches!(config.version(), Version::V32 | Version::V33) && Version::V31.is_supported() {
            // 3.1 frames differ only in the encryption.
            return Some(Keys::new(Version::V31, config.local_key.expose()));
        }
        config.quirks().wrong_key.then(|| {
            let mut key = Zeroizing::new(*config.local_key.expose());
            for byte in key.iter_mut() {
                *byte = !*byte;
            }
            Keys::new(config.version(), &key)
        })
    }
}

/// Returns the sequence number for a frame; `None` for the device's own counter.
fn seqno(config: &EmulatorConfig, answers: Option<u32>, command: CommandCode) -> Option<u32> {
    match (config.quirks().seqnos, answers) {
        (Seqnos::Zero, _) => Some(0),
        (Seqnos::Counter, _) => None,
        (Seqnos::Echo, Some(echo)) => Some(echo),
        (Seqnos::Faithful | Seqnos::Echo, _) if config.version().negotiates() => None,
        (Seqnos::Faithful, Some(echo)) if command != CommandCode::HEART_BEAT => Some(echo),
        (Seqnos::Faithful | Seqnos::Echo, _) => Some(0),
    }
}

/// Appends random bytes that never look like a frame, as many as there is room for.
#[expect(clippy::arithmetic_side_effects, reason = "at most seven")]
fn garbage(io: &mut Io<'_, '_>) {
    let mut bytes = [0; 7];
    io.rng.fill_bytes(&mut bytes);
    let spare = io.tx.spare();
    let mut n = 0;
    for (slot, byte) in spare.iter_mut().zip(bytes) {
        *slot = byte | 1;
        n += 1;
    }
    io.tx.commit(n);
}
