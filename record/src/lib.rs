#![doc = include_str!("../README.md")]
//!
//! A [`Device`](rustuya_proto::Device) machine reads no clock, no socket and no randomness of its own. With every
//! call, byte and random number and the time of each, a session can therefore be repeated exactly, on another computer
//! and without the device. That is what a record is for: a bug report that can be run.
//!
//! - A driver reports through a [`Tap`](rustuya_runtime::tap::Tap), one per device, and lends the machine a
//!   [`RecordingRng`](rustuya_runtime::tap::RecordingRng) as its generator.
//! - [`Recorder`] is the tap that writes a record: a text file of one JSON object a line. By default it is redacted;
//!   see below.
//! - [`Replay`] reads a record, feeds it to fresh machines, and yields what happens as [`Step`]s.
//!
//! # Events of a driver
//! Each [`TapEvent`](rustuya_runtime::tap::TapEvent) is made right before the call of the machine that it names, with the
//! `now` of that call; outputs and draws follow it. With every `poll` reported, and only those, a replay polls when the
//! driver did.
//!
//! # What a redacted record holds
//! Neither keys nor payloads nor ids, and yet it can be replayed: every frame is opened with the real key, its payload
//! masked without changing its length, and sealed again under a published substitute key (`redacted-key-001`, one
//! number for each key that the device was configured with). Negotiations are redone under the substitute, proofs
//! included. The boundaries of reads and writes, the sizes of frames and the header of each frame stay as they were.
//!
//! - Of the JSON, the structure stays: keys, DP numbers, the kind and the length of each value, `true` and `null`.
//!   Strings become runs of `x`, or of `1` where they were digits; the digits of numbers become 1; `false` becomes
//!   `true` and a space. The words in which devices refuse requests stay.
//! - Ids of devices and sub-devices become numbers of the same length, the same number for the same id.
//! - Addresses become those that are reserved for documentation, the same one for the same address.
//! - What cannot be opened keeps its header; its body becomes arbitrary bytes of the same length, with a right
//!   CRC where the CRC was right. Bytes between frames become `x`.
//! - Kept as they are: times, ports, versions, time limits, sequence numbers, nonces and initialisation vectors, and
//!   the wall clock of commands.
//!
//! A [full](Recorder::full) record holds the bytes as they were, encrypted, and the real ids and addresses. The key is
//! in no record; a full one needs it for its replay.

#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod error;
mod frame;
mod frame_log;
mod ids;
mod keys;
mod line;
mod mask;
mod player;
mod recorder;
mod redact;
mod replay;
mod step;
mod stream;
#[cfg(test)]
mod tests;

pub use error::{RecordError, RecordErrorKind};
pub use frame_log::FrameLog;
pub use recorder::{Recorder, SharedWriter};
pub use replay::Replay;
pub use step::{Divergence, FrameHead, Happened, Step};
