//! Device's end of one connection. As lean as possible: its cost reduces the figures of the measured library on the
//! same machine.

use anyhow::{Context as _, Result, bail};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use rand::rngs::StdRng;
use rustuya_proto::{
    CommandCode, Head, Keys, LocalKey, Nonce, RetCode, Sender, Version, VersionHeader, derive_session_key, frame_len,
    open, seal,
};
use sha2::Sha256;

use crate::control::Counts;
use crate::virtual_device::VirtualDevice;

/// Room for the replies to one read, and for one push.
const ROOM: usize = 512;
/// Time in pushes, in seconds since 1970.
const TIME: u32 = 1_700_000_000;

/// Frames to be written.
pub(super) type Out = Vec<u8>;

pub(super) struct Session {
    version: Version,
    id: String,
    local: LocalKey,
    /// The local key until the negotiation ends, then the session key.
    keys: Keys,
    phase: Phase,
    /// Frames sealed so far.
    sealed: u64,
    /// Part of the initialisation vectors that differs between connections.
    salt: [u8; 4],
}

enum Phase {
    AwaitStart,
    AwaitFinish { ours: Nonce, theirs: Nonce },
    Ready,
}

impl Session {
    /// Creates a connection to `device`. Without negotiation it is ready at once, with the local key.
    pub(super) fn new(device: VirtualDevice, version: Version, negotiates: bool, rng: &mut StdRng) -> Result<Self> {
        let local = device.local_key()?;
        let keys = Keys::new(version, local.expose());
        let phase = if negotiates { Phase::AwaitStart } else { Phase::Ready };
        Ok(Self { version, id: device.id, local, keys, phase, sealed: 0, salt: rng.random() })
    }

    /// Returns whether messages may be sent.
    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Takes every whole frame from the start of `bytes`, and appends answers to `out`. Returns the number of bytes
    /// taken.
    pub(super) fn receive(
        &mut self,
        bytes: &mut [u8],
        out: &mut Out,
        rng: &mut StdRng,
        counts: &mut Counts,
    ) -> Result<usize> {
        let mut taken = 0;
        loop {
            let rest = bytes.get_mut(taken..).unwrap_or_default();
            let Some(frame) = frame_len(rest)?.and_then(|len| rest.get_mut(..len)) else {
                return Ok(taken);
            };
            taken += frame.len();
            self.take(frame, out, rng, counts)?;
        }
    }

    fn take(&mut self, frame: &mut [u8], out: &mut Out, rng: &mut StdRng, counts: &mut Counts) -> Result<()> {
        let opened = open(&self.keys, Sender::Controller, frame)?;
        let payload = frame.get(opened.payload).unwrap_or_default();
        match (&self.phase, opened.command) {
            (Phase::AwaitStart | Phase::AwaitFinish { .. }, CommandCode::SESS_KEY_NEG_START) => {
                let theirs = payload.first_chunk().copied().context("a nonce")?;
                self.respond(theirs, out, rng)
            }
            (Phase::AwaitFinish { ours, theirs }, CommandCode::SESS_KEY_NEG_FINISH) => {
                anyhow::ensure!(payload == proof(&self.local, ours)?, "another key");
                let key = derive_session_key(self.version, &self.local, theirs, ours).context("a key")?;
                self.keys = Keys::new(self.version, key.expose());
                self.phase = Phase::Ready;
                Ok(())
            }
            (Phase::Ready, CommandCode::CONTROL | CommandCode::CONTROL_NEW) => {
                counts.commands += 1;
                let on = payload.windows(8).any(|window| window == br#""1":true"#);
                self.reply(opened.command, opened.seqno, b"", out)?;
                self.push(if on { br#"{"1":true}"# } else { br#"{"1":false}"# }, out)
            }
            (Phase::Ready, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW) => {
                counts.queries += 1;
                self.reply(opened.command, opened.seqno, br#"{"dps":{"1":false}}"#, out)
            }
            (Phase::Ready, CommandCode::HEART_BEAT) => {
                counts.heartbeats += 1;
                self.reply(opened.command, 0, b"", out)
            }
            (Phase::Ready, command) => self.reply(command, opened.seqno, b"", out),
            _ => bail!("{:?} before the negotiation", opened.command),
        }
    }

    /// Sends the second message of the negotiation.
    fn respond(&mut self, theirs: Nonce, out: &mut Out, rng: &mut StdRng) -> Result<()> {
        let ours = loop {
            let ours: Nonce = rng.random();
            let key = derive_session_key(self.version, &self.local, &theirs, &ours).context("a key")?;
            // A controller must start over with such a key.
            if !key.is_refused_by_firmware() {
                break ours;
            }
        };
        let payload = [&ours[..], &proof(&self.local, &theirs)?].concat();
        self.reply(CommandCode::SESS_KEY_NEG_RESP, 0, &payload, out)?;
        self.phase = Phase::AwaitFinish { ours, theirs };
        Ok(())
    }

    /// Pushes `dps`, the text of a JSON object.
    pub(super) fn push(&mut self, dps: &[u8], out: &mut Out) -> Result<()> {
        let time = TIME.to_string();
        let payload = if self.version.negotiates() {
            [br#"{"protocol":4,"t":"#, time.as_bytes(), br#","data":{"dps":"#, dps, b"}}"].concat()
        } else {
            [br#"{"devId":""#, self.id.as_bytes(), br#"","dps":"#, dps, br#","t":"#, time.as_bytes(), b"}"].concat()
        };
        let report = u32::try_from(self.sealed & 0xFFFF_FFFF)?;
        let header = Some(VersionHeader::device(self.version, report));
        self.seal(CommandCode::STATUS, 0, header, &payload, out)
    }

    fn reply(&mut self, command: CommandCode, answers: u32, payload: &[u8], out: &mut Out) -> Result<()> {
        self.seal(command, answers, None, payload, out)
    }

    /// Appends one encrypted frame to `out`. Devices of 3.4 and 3.5 count their frames, others repeat the number of the
    /// request.
    fn seal(
        &mut self,
        command: CommandCode,
        answers: u32,
        header: Option<VersionHeader>,
        payload: &[u8],
        out: &mut Out,
    ) -> Result<()> {
        self.sealed += 1;
        let seqno = if self.version.negotiates() { u32::try_from(self.sealed)? } else { answers };
        let head = Head { sender: Sender::Device, seqno, command, retcode: Some(RetCode::OK), header };
        let mut iv = [0; 12];
        let (front, back) = iv.split_at_mut(4);
        front.copy_from_slice(&self.salt);
        back.copy_from_slice(&self.sealed.to_be_bytes());
        let begin = out.len();
        out.resize(begin + ROOM, 0);
        let len = seal(&self.keys, &head, &iv, payload, out.get_mut(begin..).unwrap_or_default())?;
        out.truncate(begin + len);
        Ok(())
    }
}

/// Computes the proof of `local` for the sender of `nonce`.
fn proof(local: &LocalKey, nonce: &Nonce) -> Result<[u8; 32]> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(local.expose())?;
    hmac.update(nonce);
    Ok(hmac.finalize().into_bytes().into())
}
