//! Ways in which devices, and emulators of devices, differ from faithful firmware.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Deviations from faithful firmware. [`Default`] has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// How a control is answered.
    pub control: ControlReply,
    /// How an update request is answered.
    pub update: UpdateReply,
    /// What becomes of refusals.
    pub errors: ErrorReply,
    /// Sequence numbers of what the device sends.
    pub seqnos: Seqnos,
    /// How a driver cuts what it writes. Not used by the machine itself.
    pub segments: Segments,
    /// Query replies come in the wrapper of pushes (`{"protocol":4,...}`).
    pub wrapped_reply: bool,
    /// Query replies carry the version header.
    pub reply_header: bool,
    /// Pushes come without version header.
    pub push_without_header: bool,
    /// Pushes follow a control even when it changed nothing.
    pub push_unchanged: bool,
    /// A successful control is acknowledged with return code 1; in 3.5 in the byte order of a little-endian chip.
    pub ack_retcode_one: bool,
    /// Frames come without return code.
    pub no_retcode: bool,
    /// A device22 refusal has return code 0.
    pub refusal_retcode_zero: bool,
    /// A device22 query is answered with data in the 0d reply instead of a push.
    pub device22_data_in_reply: bool,
    /// Unknown commands are answered with `json obj data unvalid` instead of silence.
    pub unknown_command_error: bool,
    /// Unknown sub-devices are answered with `devid not found` instead of silence.
    pub unknown_cid_error: bool,
    /// Sub-device queries are not answered, as by 3.3 gateways.
    pub no_children_report: bool,
    /// Sub-devices named in one report frame; `None` for all of them.
    pub report_chunk: Option<NonZeroU32>,
    /// Heartbeats are not answered.
    pub ignore_heartbeats: bool,
    /// 3.4 and 3.5: a frame that does not verify is ignored instead of ending the connection, so that a controller with
    /// a wrong key meets silence until the idle limit.
    pub silent_on_wrong_key: bool,
    /// 3.4 and 3.5: a frame of another version is ignored instead of ending the connection.
    pub ignore_other_version: bool,
    /// The second message of the negotiation proves another key.
    pub wrong_proof: bool,
    /// The first negotiation of the connection gives a key that begins with zero, which firmware takes for no key.
    pub zero_key: bool,
    /// Everything after the negotiation is sealed under a wrong key.
    pub wrong_key: bool,
    /// Pushes carry the time 809, as if counted since boot.
    pub bad_clock: bool,
    /// A few random bytes follow each frame.
    pub garbage: bool,
    /// After so many frames (the negotiation does not count) nothing is sent any more.
    pub silent_after: Option<u32>,
    /// After so many frames (the negotiation does not count) the connection is closed.
    pub close_after: Option<u32>,
    /// How long an answer is held back.
    pub delay: Duration,
}

/// How a control is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlReply {
    /// Acknowledgement, then push of what changed.
    #[default]
    AckThenPush,
    /// Push of what changed, then acknowledgement.
    PushThenAck,
    /// Push only.
    PushOnly,
    /// Acknowledgement only.
    AckOnly,
    /// Written, but not answered.
    Silence,
}

/// How an update request is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateReply {
    /// Acknowledgement, then push of the asked DPs.
    #[default]
    AckThenPush,
    /// Acknowledgement only.
    AckOnly,
    /// Push only.
    PushOnly,
    /// Nothing, as from published 3.5 firmware.
    Silence,
}

/// What becomes of refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorReply {
    /// Sealed like any other reply.
    #[default]
    Sealed,
    /// 3.2 and 3.3: in clear text. Other versions, and builds without 3.1: as [`Sealed`](Self::Sealed).
    Clear,
    /// Not sent.
    Silence,
}

/// Sequence numbers of what a device sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seqnos {
    /// Up to 3.3 an echo in replies and 0 in pushes and heartbeat replies; the device's own counter in 3.4 and 3.5.
    #[default]
    Faithful,
    /// An echo in every reply; pushes as faithful firmware does.
    Echo,
    /// The device's own counter in everything.
    Counter,
    /// 0 in everything.
    Zero,
}

/// How a driver cuts the device's frames into segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Segments {
    /// One write for what one poll produced.
    #[default]
    AsIs,
    /// One write for each byte.
    OneByte,
    /// One write for everything until no more input waits.
    Merged,
}

impl Quirks {
    /// Every name that [`set`](Self::set) takes, with what it does. `=N` stands for a number.
    pub const NAMES: &'static [(&'static str, &'static str)] = &[
        ("push-before-ack", "push the change before acknowledging the control"),
        ("drop-ack", "push the change, never acknowledge the control"),
        ("drop-push", "acknowledge the control, never push the change"),
        ("silent-control", "write, but neither acknowledge nor push"),
        ("push-unchanged", "push after a control that changed nothing, too"),
        ("update-ack-only", "acknowledge update requests, push nothing"),
        ("update-push-only", "push after update requests, acknowledge nothing"),
        ("update-silence", "ignore update requests"),
        ("clear-errors", "3.2, 3.3: refusals in clear text"),
        ("silent-errors", "silence instead of refusals"),
        ("seqno-echo", "echo the sequence number in every reply"),
        ("seqno-counter", "number everything with the device's counter"),
        ("seqno-zero", "number everything 0"),
        ("split-segments", "write every byte on its own"),
        ("merge-segments", "write as many frames as possible at once"),
        ("wrapped-reply", "query replies in the wrapper of pushes"),
        ("reply-header", "query replies with the version header"),
        ("push-without-header", "pushes without the version header"),
        ("ack-retcode-one", "acknowledge controls with return code 1"),
        ("no-retcode", "leave the return code out"),
        ("refusal-retcode-zero", "device22: refuse queries with return code 0"),
        ("device22-data-in-reply", "device22: data in the 0d reply, no push"),
        ("unknown-command-error", "answer unknown commands with an error"),
        ("unknown-cid-error", "answer unknown sub-devices with an error"),
        ("no-children-report", "ignore sub-device queries, as 3.3 gateways do"),
        ("report-chunk=N", "name at most N sub-devices in one report"),
        ("ignore-heartbeats", "never answer heartbeats"),
        ("silent-on-wrong-key", "3.4, 3.5: ignore what does not verify, do not close"),
        ("ignore-other-version", "3.4, 3.5: ignore frames of another version, do not close"),
        ("wrong-proof", "3.4, 3.5: prove another key in the negotiation"),
        ("zero-key", "3.4, 3.5: first negotiate a key that begins with 0"),
        ("wrong-key", "answer under a wrong key"),
        ("bad-clock", "pushes carry the time 809"),
        ("garbage", "random bytes between frames"),
        ("silent-after=N", "go silent after N frames"),
        ("close-after=N", "close the connection after N frames"),
        ("delay-ms=N", "hold every answer back for N milliseconds"),
    ];

    /// Turns on the quirk called `name`, one of [`NAMES`](Self::NAMES).
    ///
    /// # Errors
    /// [`UnknownQuirk`] for any other name, and for a number that is missing, superfluous or out of range.
    pub fn set(&mut self, name: &str) -> Result<(), UnknownQuirk> {
        if let Some((name, number)) = name.split_once('=') {
            let number: u32 = number.parse().map_err(|_| UnknownQuirk)?;
            return self.set_number(name, number);
        }
        match name {
            "push-before-ack" => self.control = ControlReply::PushThenAck,
            "drop-ack" => self.control = ControlReply::PushOnly,
            "drop-push" => self.control = ControlReply::AckOnly,
            "silent-control" => self.control = ControlReply::Silence,
            "push-unchanged" => self.push_unchanged = true,
            "update-ack-only" => self.update = UpdateReply::AckOnly,
            "update-push-only" => self.update = UpdateReply::PushOnly,
            "update-silence" => self.update = UpdateReply::Silence,
            "clear-errors" => self.errors = ErrorReply::Clear,
            "silent-errors" => self.errors = ErrorReply::Silence,
            "seqno-echo" => self.seqnos = Seqnos::Echo,
            "seqno-counter" => self.seqnos = Seqnos::Counter,
            "seqno-zero" => self.seqnos = Seqnos::Zero,
            "split-segments" => self.segments = Segments::OneByte,
            "merge-segments" => self.segments = Segments::Merged,
            "wrapped-reply" => self.wrapped_reply = true,
            "reply-header" => self.reply_header = true,
            "push-without-header" => self.push_without_header = true,
            "ack-retcode-one" => self.ack_retcode_one = true,
            "no-retcode" => self.no_retcode = true,
            "refusal-retcode-zero" => self.refusal_retcode_zero = true,
            "device22-data-in-reply" => self.device22_data_in_reply = true,
            "unknown-command-error" => self.unknown_command_error = true,
            "unknown-cid-error" => self.unknown_cid_error = true,
            "no-children-report" => self.no_children_report = true,
            "ignore-heartbeats" => self.ignore_heartbeats = true,
            "silent-on-wrong-key" => self.silent_on_wrong_key = true,
            "ignore-other-version" => self.ignore_other_version = true,
            "wrong-proof" => self.wrong_proof = true,
            "zero-key" => self.zero_key = true,
            "wrong-key" => self.wrong_key = true,
            "bad-clock" => self.bad_clock = true,
            "garbage" => self.garbage = true,
            _ => return Err(UnknownQuirk),
        }
        Ok(())
    }

    fn set_number(&mut self, name: &str, number: u32) -> Result<(), UnknownQuirk> {
        match name {
            "report-chunk" => {
                self.report_chunk = Some(NonZeroU32::new(number).ok_or(UnknownQuirk)?);
            }
            "silent-after" => self.silent_after = Some(number),
            "close-after" => self.close_after = Some(number),
            "delay-ms" => self.delay = Duration::from_millis(u64::from(number)),
            _ => return Err(UnknownQuirk),
        }
        Ok(())
    }
}

/// The text names no quirk. Use one of [`Quirks::NAMES`], with a number where the name has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct UnknownQuirk;

impl fmt::Display for UnknownQuirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown quirk: use one of")?;
        for (i, (name, _)) in Quirks::NAMES.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { " " } else { ", " })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownQuirk {}
