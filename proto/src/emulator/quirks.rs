//! Differences between devices, and between emulators of devices.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::version::Version;

/// Behaviour of a device where devices differ. [`of`](Self::of) returns that of the firmware of a version; 3.5 is the
/// vendor's own device software. [`Default`] is firmware of 3.3.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// Answer to a control.
    pub control: ControlReply,
    /// Answer to an update request.
    pub update: UpdateReply,
    /// Answer to an ordinary query.
    pub query: QueryReply,
    /// Number of ordinary queries that are refused on each connection before one is answered.
    pub refuse_queries: u32,
    /// A null in a control is taken as a value, as ordinary firmware does: false, 0, or an empty text.
    pub null_as_value: bool,
    /// A device22 query is answered with the first of the DPs that it asks for.
    pub device22_one_dp: bool,
    /// Form of refusals.
    pub errors: ErrorReply,
    /// Sequence numbers of the device's frames.
    pub seqnos: Seqnos,
    /// Segments that a driver writes. Not used by the machine itself.
    pub segments: Segments,
    /// Query replies come in the wrapper of pushes (`{"protocol":4,...}`).
    pub wrapped_reply: bool,
    /// Query replies have the version header.
    pub reply_header: bool,
    /// Pushes have no version header.
    pub push_without_header: bool,
    /// Pushes contain every accepted value of a control, also unchanged ones.
    pub push_unchanged: bool,
    /// A control that could be parsed is acknowledged with return code 1, whatever its result; in 3.5 in the byte order
    /// of a little-endian chip.
    pub ack_retcode_one: bool,
    /// Frames have no return code.
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
    /// Most sub-devices in one report frame; `None` for all of them.
    pub report_chunk: Option<NonZeroU32>,
    /// Heartbeats are not answered.
    pub ignore_heartbeats: bool,
    /// 3.4 and 3.5: a frame that does not verify is ignored instead of ending the connection, so that a controller with
    /// a wrong key receives nothing until the idle limit.
    pub silent_on_wrong_key: bool,
    /// Number of commands before the negotiation that are dropped; the next one ends the connection.
    pub early_commands: u8,
    /// Pushes also go to controllers that have not negotiated yet, then under the local key.
    pub early_pushes: bool,
    /// 3.5: heartbeats are answered unread, also before the negotiation.
    pub blind_heartbeats: bool,
    /// 3.4 accepts the sequence number 0, 3.5 any number.
    pub ignore_seqnos: bool,
    /// 3.5 reads like the vendor's software: it ignores a first read below 50 bytes, the bytes behind a whole frame
    /// must become a frame within 10 ms, and garbage ends the connection. Not for transports that cut frames anywhere,
    /// such as a UART.
    pub strict_reads: bool,
    /// 3.5: frames of 4096 bytes and more are dropped instead of ending the connection.
    pub drop_long_frames: bool,
    /// A driver that serves several controllers stops serving all of them for good if one closes in the middle of a
    /// frame. Not used by the machine itself; see [`Emulator::has_partial_frame`](super::Emulator::has_partial_frame).
    pub wedge_on_cut_frame: bool,
    /// 3.4 and 3.5: the query of older versions (0a) is also answered.
    pub answer_dp_query: bool,
    /// Devices that are no gateways ignore `cid`.
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
    /// The first negotiation of the connection gives a key that begins with zero, which firmware treats as no key.
    pub zero_key: bool,
    /// All frames after the negotiation are sealed under a wrong key.
    pub wrong_key: bool,
    /// Pushes have the time 809, as if counted since boot.
    pub bad_clock: bool,
    /// A few random bytes follow each frame.
    pub garbage: bool,
    /// Number of frames, without the negotiation, after which nothing is sent any more.
    pub silent_after: Option<u32>,
    /// Number of frames, without the negotiation, after which the connection is closed.
    pub close_after: Option<u32>,
    /// Delay of each answer.
    pub delay: Duration,
}

/// Answer to a control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlReply {
    /// Acknowledgement, then push of the changes: 3.1 to 3.4.
    #[default]
    AckThenPush,
    /// Push of the changes, then acknowledgement: 3.5.
    PushThenAck,
    /// Push only.
    PushOnly,
    /// Acknowledgement only.
    AckOnly,
    /// Write without answer.
    Silence,
}

/// Answer to an update request.
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

/// Answer to an ordinary query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryReply {
    /// Reply with the state.
    #[default]
    State,
    /// Reply without values, then push of the state.
    EmptyThenPush,
    /// Push of the state, no reply.
    PushOnly,
    /// Reply without values.
    Empty,
    /// Nothing.
    Silence,
}

/// Form of refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorReply {
    /// Sealed like any other reply.
    #[default]
    Sealed,
    /// 3.2 and 3.3: in clear text. Other versions, and builds without 3.1: like [`Sealed`](Self::Sealed).
    Clear,
    /// Not sent.
    Silence,
}

/// Sequence numbers of a device's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Seqnos {
    /// Numbers of faithful firmware: up to 3.3 an echo in replies and 0 in pushes and heartbeat replies; the device's
    /// own counter in 3.4 and 3.5.
    #[default]
    Faithful,
    /// An echo in every reply; pushes like faithful firmware.
    Echo,
    /// The device's own counter in everything.
    Counter,
    /// 0 in everything.
    Zero,
}

/// Segments into which a driver cuts the device's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Segments {
    /// One write per poll.
    #[default]
    AsIs,
    /// One write per byte.
    OneByte,
    /// One write for all replies until no more input waits.
    Merged,
}

impl Quirks {
    /// Behaviour of 3.3 firmware.
    const V33: Self = Self {
        control: ControlReply::AckThenPush,
        update: UpdateReply::AckThenPush,
        query: QueryReply::State,
        refuse_queries: 0,
        null_as_value: false,
        device22_one_dp: false,
        errors: ErrorReply::Sealed,
        seqnos: Seqnos::Faithful,
        segments: Segments::AsIs,
        wrapped_reply: false,
        reply_header: false,
        push_without_header: false,
        push_unchanged: false,
        ack_retcode_one: false,
        no_retcode: false,
        refusal_retcode_zero: false,
        device22_data_in_reply: false,
        unknown_command_error: false,
        unknown_cid_error: false,
        no_children_report: false,
        report_chunk: None,
        ignore_heartbeats: false,
        silent_on_wrong_key: false,
        early_commands: 0,
        early_pushes: false,
        blind_heartbeats: false,
        ignore_seqnos: false,
        strict_reads: false,
        drop_long_frames: false,
        wedge_on_cut_frame: false,
        answer_dp_query: false,
        ignore_cid: false,
        wrapped_controls: false,
        raw_as_false: false,
        hold_bitmaps: false,
        ignore_other_version: false,
        wrong_proof: false,
        zero_key: false,
        wrong_key: false,
        bad_clock: false,
        garbage: false,
        silent_after: None,
        close_after: None,
        delay: Duration::ZERO,
    };

    /// Returns the behaviour of firmware of `version`.
    ///
    /// 3.5 is the vendor's published device software. 3.1 to 3.4 are known by captures and by other programs.
    pub const fn of(version: Version) -> Self {
        let is_35 = matches!(version, Version::V35);
        Self {
            control: if is_35 { ControlReply::PushThenAck } else { ControlReply::AckThenPush },
            update: if is_35 { UpdateReply::Silence } else { UpdateReply::AckThenPush },
            push_unchanged: is_35,
            ack_retcode_one: is_35,
            early_commands: if matches!(version, Version::V34) { 3 } else { 0 },
            early_pushes: is_35,
            blind_heartbeats: is_35,
            strict_reads: is_35,
            answer_dp_query: is_35,
            ignore_cid: is_35,
            wrapped_controls: is_35,
            raw_as_false: is_35,
            hold_bitmaps: is_35,
            ..Self::V33
        }
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self::V33
    }
}
