//! Names of the quirks.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use super::quirks::{ControlReply, ErrorReply, QueryReply, Quirks, Segments, Seqnos, UpdateReply};

impl Quirks {
    /// All names that [`set`](Self::set) accepts, with a description. `=N` stands for a number. Some are the normal
    /// behaviour of one version, for use with the others.
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

    /// Turns on the quirk `name`, one of [`NAMES`](Self::NAMES).
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

/// Text is no name of a quirk. Use one of [`Quirks::NAMES`], with a number where the name has one.
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
