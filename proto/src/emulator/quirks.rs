//! Ways in which devices, and emulators of devices, differ from each other.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use crate::version::Version;

/// How a device behaves where devices differ. [`of`](Self::of) gives what firmware of a version does; 3.5 is the
/// vendor's own device software. [`Default`] is firmware of 3.3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// How a control is answered.
    pub control: ControlReply,
    /// How an update request is answered.
    pub update: UpdateReply,
    /// How an ordinary query is answered.
    pub query: QueryReply,
    /// Ordinary queries that are refused on each connection before one is answered.
    pub refuse_queries: u32,
    /// A null in a control is taken as a value, as ordinary firmware does: false, 0, or an empty text.
    pub null_as_value: bool,
    /// A device22 query is answered with the first of the DPs that it asks for.
    pub device22_one_dp: bool,
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
    /// Pushes name every value of a control that was taken, also those that changed nothing.
    pub push_unchanged: bool,
    /// A control that is taken apart is acknowledged with return code 1, whatever came of it; in 3.5 in the byte order
    /// of a little-endian chip.
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
    /// Commands before the negotiation that are dropped; the next one ends the connection.
    pub early_commands: u8,
    /// Pushes also go to controllers that have not negotiated yet, then under the local key.
    pub early_pushes: bool,
    /// 3.5: heartbeats are answered unread, also before the negotiation.
    pub blind_heartbeats: bool,
    /// 3.4 takes the sequence number 0, 3.5 every one.
    pub ignore_seqnos: bool,
    /// 3.5 reads as the vendor's software does: a first read below 50 bytes is ignored, what follows a whole frame has to
    /// become one within 10 ms, and what is no frame ends the connection. Not for pipes that cut what they carry, such as
    /// a UART.
    pub strict_reads: bool,
    /// 3.5: frames of 4096 bytes and more are dropped instead of ending the connection.
    pub drop_long_frames: bool,
    /// A driver that serves several controllers stops serving all of them for good when one closes in the middle of a
    /// frame. Not used by the machine itself; see [`Emulator::is_amid_frame`](super::Emulator::is_amid_frame).
    pub wedge_on_cut_frame: bool,
    /// 3.4 and 3.5: the query of older versions (0a) is answered, too.
    pub answer_dp_query: bool,
    /// `cid` is ignored by devices that are no gateways.
    pub ignore_cid: bool,
    /// Controls without `data`, and those whose `data` names another device, are acknowledged and not obeyed.
    pub wrapped_controls: bool,
    /// Query replies show raw DPs as `false`.
    pub raw_as_false: bool,
    /// Bitmap DPs are never pushed.
    pub hold_bitmaps: bool,
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
    /// Acknowledgement, then push of what changed: 3.1 to 3.4.
    #[default]
    AckThenPush,
    /// Push of what changed, then acknowledgement: 3.5.
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
    /// Acknowledgement, then push of the asked DPs: 3.1 to 3.4.
    #[default]
    AckThenPush,
    /// Acknowledgement only.
    AckOnly,
    /// Push only.
    PushOnly,
    /// Nothing: 3.5.
    Silence,
}

/// How an ordinary query is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryReply {
    /// With the state.
    #[default]
    State,
    /// Without values; the state is pushed.
    EmptyThenPush,
    /// Not at all; the state is pushed.
    PushOnly,
    /// Without values.
    Empty,
    /// Not at all.
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
    /// What firmware of `version` does.
    ///
    /// 3.5 is the vendor's published device software. 3.1 to 3.4 are known by captures and by other programs.
    pub fn of(version: Version) -> Self {
        let is_35 = version == Version::V35;
        Self {
            control: if is_35 { ControlReply::PushThenAck } else { ControlReply::AckThenPush },
            update: if is_35 { UpdateReply::Silence } else { UpdateReply::AckThenPush },
            push_unchanged: is_35,
            ack_retcode_one: is_35,
            early_commands: if version == Version::V34 { 3 } else { 0 },
            early_pushes: is_35,
            blind_heartbeats: is_35,
            strict_reads: is_35,
            answer_dp_query: is_35,
            ignore_cid: is_35,
            wrapped_controls: is_35,
            raw_as_false: is_35,
            hold_bitmaps: is_35,
            ..Self::default()
        }
    }

    /// Every name that [`set`](Self::set) takes, with what it does. `=N` stands for a number. Some name what a version
    /// does anyway, to have the others do it.
    pub const NAMES: &'static [(&'static str, &'static str)] = &[
        ("push-before-ack", "push the change before acknowledging the control, as 3.5"),
        ("ack-before-push", "acknowledge the control before pushing the change, as up to 3.4"),
        ("drop-ack", "push the change, never acknowledge the control"),
        ("drop-push", "acknowledge the control, never push the change"),
        ("silent-control", "write, but neither acknowledge nor push"),
        ("push-unchanged", "push what a control names, changed or not, as 3.5"),
        ("push-changes-only", "push only what a control changed, as up to 3.4"),
        ("update-answered", "acknowledge update requests and push, as up to 3.4"),
        ("update-ack-only", "acknowledge update requests, push nothing"),
        ("update-push-only", "push after update requests, acknowledge nothing"),
        ("update-silence", "ignore update requests, as 3.5"),
        ("query-empty-then-push", "answer queries without values, then push the state"),
        ("query-push-only", "push the state instead of answering queries"),
        ("query-empty", "answer queries without values"),
        ("query-silence", "never answer queries"),
        ("refuse-queries=N", "refuse the first N queries of each connection"),
        ("null-as-value", "take a null in a control for false, 0 or an empty text, as ordinary firmware does"),
        ("device22-one-dp", "device22: answer with the first of the DPs that are asked for"),
        ("clear-errors", "3.2, 3.3: refusals in clear text"),
        ("silent-errors", "silence instead of refusals"),
        ("seqno-echo", "echo the sequence number in every reply"),
        ("seqno-counter", "number everything with the device's counter"),
        ("seqno-zero", "number everything 0"),
        ("ignore-seqnos", "3.4, 3.5: take any sequence number, do not close"),
        ("split-segments", "write every byte on its own"),
        ("merge-segments", "write as many frames as possible at once"),
        ("patient-reads", "3.5: wait for the rest of a frame however it is cut, skip what is none"),
        ("drop-long-frames", "3.5: drop frames of 4096 bytes and more, do not close"),
        ("wedge-on-cut-frame", "serve nobody any more after a connection that ended amid a frame"),
        ("wrapped-reply", "query replies in the wrapper of pushes"),
        ("reply-header", "query replies with the version header"),
        ("push-without-header", "pushes without the version header"),
        ("early-pushes", "3.4, 3.5: push before the negotiation, too, under the local key, as 3.5"),
        ("negotiated-pushes", "3.4, 3.5: push only after the negotiation, as 3.4"),
        ("early-commands=N", "3.4, 3.5: drop N commands before the negotiation, then close (3.4: 3, 3.5: 0)"),
        ("ack-retcode-one", "acknowledge controls with return code 1, as 3.5"),
        ("ack-retcode-zero", "acknowledge controls with return code 0, as up to 3.4"),
        ("no-retcode", "leave the return code out"),
        ("refusal-retcode-zero", "device22: refuse queries with return code 0"),
        ("device22-data-in-reply", "device22: data in the 0d reply, no push"),
        ("flat-controls", "3.5: obey controls without data, and for other devices"),
        ("answer-dp-query", "3.4, 3.5: answer the query of older versions (0a), as 3.5"),
        ("ignore-dp-query", "3.4, 3.5: ignore the query of older versions (0a), as 3.4"),
        ("unknown-command-error", "answer unknown commands with an error"),
        ("unknown-cid-error", "answer unknown sub-devices with an error"),
        ("ignore-cid", "take requests to a sub-device as one's own without any, as 3.5"),
        ("obey-cid", "ignore requests to a sub-device without any, as up to 3.4"),
        ("raw-as-false", "query replies with false for raw DPs, as 3.5"),
        ("raw-in-replies", "query replies with the value of raw DPs, as up to 3.4"),
        ("hold-bitmaps", "never push bitmap DPs, as 3.5"),
        ("push-bitmaps", "push bitmap DPs like others, as up to 3.4"),
        ("no-children-report", "ignore sub-device queries, as 3.3 gateways do"),
        ("report-chunk=N", "name at most N sub-devices in one report"),
        ("ignore-heartbeats", "never answer heartbeats"),
        ("read-heartbeats", "3.5: answer only heartbeats that verify, after the negotiation"),
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
            "ack-before-push" => self.control = ControlReply::AckThenPush,
            "drop-ack" => self.control = ControlReply::PushOnly,
            "drop-push" => self.control = ControlReply::AckOnly,
            "silent-control" => self.control = ControlReply::Silence,
            "push-unchanged" => self.push_unchanged = true,
            "push-changes-only" => self.push_unchanged = false,
            "update-answered" => self.update = UpdateReply::AckThenPush,
            "update-ack-only" => self.update = UpdateReply::AckOnly,
            "update-push-only" => self.update = UpdateReply::PushOnly,
            "update-silence" => self.update = UpdateReply::Silence,
            "query-empty-then-push" => self.query = QueryReply::EmptyThenPush,
            "query-push-only" => self.query = QueryReply::PushOnly,
            "query-empty" => self.query = QueryReply::Empty,
            "query-silence" => self.query = QueryReply::Silence,
            "null-as-value" => self.null_as_value = true,
            "device22-one-dp" => self.device22_one_dp = true,
            "clear-errors" => self.errors = ErrorReply::Clear,
            "silent-errors" => self.errors = ErrorReply::Silence,
            "seqno-echo" => self.seqnos = Seqnos::Echo,
            "seqno-counter" => self.seqnos = Seqnos::Counter,
            "seqno-zero" => self.seqnos = Seqnos::Zero,
            "ignore-seqnos" => self.ignore_seqnos = true,
            "split-segments" => self.segments = Segments::OneByte,
            "merge-segments" => self.segments = Segments::Merged,
            "patient-reads" => self.strict_reads = false,
            "drop-long-frames" => self.drop_long_frames = true,
            "wedge-on-cut-frame" => self.wedge_on_cut_frame = true,
            "wrapped-reply" => self.wrapped_reply = true,
            "reply-header" => self.reply_header = true,
            "push-without-header" => self.push_without_header = true,
            "early-pushes" => self.early_pushes = true,
            "negotiated-pushes" => self.early_pushes = false,
            "ack-retcode-one" => self.ack_retcode_one = true,
            "ack-retcode-zero" => self.ack_retcode_one = false,
            "no-retcode" => self.no_retcode = true,
            "refusal-retcode-zero" => self.refusal_retcode_zero = true,
            "device22-data-in-reply" => self.device22_data_in_reply = true,
            "flat-controls" => self.wrapped_controls = false,
            "answer-dp-query" => self.answer_dp_query = true,
            "ignore-dp-query" => self.answer_dp_query = false,
            "unknown-command-error" => self.unknown_command_error = true,
            "unknown-cid-error" => {
                self.unknown_cid_error = true;
                self.ignore_cid = false;
            }
            "ignore-cid" => self.ignore_cid = true,
            "obey-cid" => self.ignore_cid = false,
            "raw-as-false" => self.raw_as_false = true,
            "raw-in-replies" => self.raw_as_false = false,
            "hold-bitmaps" => self.hold_bitmaps = true,
            "push-bitmaps" => self.hold_bitmaps = false,
            "no-children-report" => self.no_children_report = true,
            "ignore-heartbeats" => self.ignore_heartbeats = true,
            "read-heartbeats" => self.blind_heartbeats = false,
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
            "early-commands" => self.early_commands = u8::try_from(number).map_err(|_| UnknownQuirk)?,
            "refuse-queries" => self.refuse_queries = number,
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
