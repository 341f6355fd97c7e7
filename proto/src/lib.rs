#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    forbid(
        clippy::expect_used,
        clippy::get_unwrap,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![doc = include_str!("../README.md")]

#[cfg(not(any(feature = "v31", feature = "v33", feature = "v34", feature = "v35")))]
compile_error!("no protocol version is enabled: turn on at least one of the features v31, v33, v34 and v35");

mod buf;
mod codec;
mod device;
mod discovery;
#[cfg(feature = "emulator")]
mod emulator;
mod ids;
mod json;
mod payload;
mod session;
#[cfg(test)]
mod testing;
mod time;
mod version;
mod wire;

pub use buf::{RxBuf, Storage, TxBuf};
pub use codec::{Head, Keys, NoRoom, Opened, Sender, VersionHeader, open, seal};
pub use device::{
    Command, CommandId, ConnId, DEFAULT_PORT, Device, DeviceConfig, DownReason, Event, LossReason, Message, Outcome,
    Output, SendError, Stats, Timing,
};
#[cfg(feature = "emulator")]
pub use discovery::Probe;
pub use discovery::{
    Announcement, AnnouncementError, Datagram, Discovery, DiscoveryConfig, DiscoveryError, DiscoveryOutput, Interface,
    MAX_INTERFACES, MAX_PROBE, NoHost, Origin, SeenDevice, Sighting, SightingKind, TooManyInterfaces, write_probe,
};
#[cfg(feature = "quirks")]
pub use emulator::{ControlReply, ErrorReply, QueryReply, Quirks, Segments, Seqnos, UnknownQuirk, UpdateReply};
#[cfg(feature = "emulator")]
pub use emulator::{
    DpKind, Emulator, EmulatorConfig, EmulatorEvent, EmulatorOutput, FixedModel, HangupReason, Model, ModelError,
    PushError, WriteError, WrittenDps,
};
pub use ids::{Cid, DeviceId, DpId, InvalidId, InvalidKey, LocalKey};
pub use json::{Chars, Decimal, JsonText, Text};
pub use payload::{CidList, DeviceError, DpMap, DpValue, Dps, Payload, Report, RequestData};
pub use rand_core::{CryptoRng, Rng, TryCryptoRng, TryRng};
pub use session::guard::Repeated;
pub use session::handshake::{Nonce, SessionKey, derive_session_key, negotiation_proof};
pub use time::Instant;
pub use version::{Dialect, Scheme, UnknownVersion, Version};
pub use wire::command::{CommandCode, RetCode};
pub use wire::{FrameError, FrameKind, frame_kind, frame_len};
