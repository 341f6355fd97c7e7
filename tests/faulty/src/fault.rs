//! Faults of a device.

/// DP of the pushes of [`Fault::BadIntegrity`] and [`Fault::BadPadding`]. A controller that delivers it has accepted a
/// frame whose check failed.
pub const POISON_DP: &str = "250";

/// DP of the push of [`Fault::SuffixInCiphertext`]: a text.
pub const SUFFIX_DP: &str = "251";

/// DP of the pushes of a flood: 1 in the first one, and one more in each that follows, over all floods of the device.
pub const FLOOD_DP: &str = "252";

/// Value that [`Fault::DpsTwice`] puts before each value. A controller that delivers it did not take the last one.
pub const STALE: &str = "stale";

/// Fault of a device. A device has one at a time; [`FaultyDevice::set_fault`](crate::FaultyDevice::set_fault) replaces
/// it.
///
/// Unless a fault says otherwise, it applies at once to live and to new connections; it does not affect the negotiation
/// of 3.4 and 3.5, whose frames do not count. Clearing a fault does not repair a connection that it has cut or
/// silenced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens on the port; live connections stay.
    RefuseDial,
    /// Connections are accepted and closed at once; live ones stay.
    AcceptAndClose,
    /// While a controller is connected, another connection is accepted and closed at once.
    OneClientOnly,
    /// Connections are accepted and reset (RST) at once, and live ones are reset.
    Reset,
    /// Nothing is answered, not even the negotiation. Requests are still recorded and executed, and connections stay
    /// open.
    Silent,
    /// Every answer, also in the negotiation, is replaced by random bytes that contain no frame, different for each
    /// connection.
    Garbage {
        /// Seed of the bytes.
        seed: u64,
    },
    /// The sending half of a connection is closed after `after` frames; requests are still read and executed. 0 closes
    /// it in place of the first frame.
    HalfClose {
        /// Number of frames that are still sent.
        after: u32,
    },
    /// After `after` frames, half of the next one is sent, and then nothing more; requests are neither recorded nor
    /// executed. The connection stays open.
    DisappearMidFrame {
        /// Number of whole frames before the half one.
        after: u32,
    },
    /// Every byte is a segment of its own, also in the negotiation.
    OneByteSegments,
    /// Every frame arrives in two pieces with a pause between them, also in the negotiation. The cut moves on by one
    /// byte with each frame.
    SplitAcrossReads,
    /// Once per connection, the header of a frame of 4 GiB precedes a frame.
    FourGiBLength,
    /// Once per connection, a header whose prefix is wrong in one byte precedes a frame.
    BadPrefixOnce,
    /// `count` pushes of [`FLOOD_DP`] follow every answer, including heartbeats, in the same segment if they fit.
    FloodPushes {
        /// Pushes per answer.
        count: u32,
    },
    /// Every other answer is delayed until the next one has been sent, or for [`Self::HOLD`]. Heartbeats and pushes are
    /// not.
    OutOfOrder,
    /// A push of [`POISON_DP`] precedes every frame. It is valid except for one bit of its CRC, HMAC or tag.
    BadIntegrity,
    /// A push of [`POISON_DP`] precedes every frame. It is valid except for its padding, which is missing. 3.5 has no
    /// padding: the tag is wrong there. Up to 3.3, on a connection where nothing was decrypted before, it proves a
    /// wrong key, and a controller must disconnect.
    BadPadding,
    /// Once per connection, a valid push of [`SUFFIX_DP`] follows a frame, and its ciphertext contains the suffix of
    /// its kind of frame. 3.1 pushes are base64 text, where that cannot happen: nothing is pushed there.
    SuffixInCiphertext,
    /// Every answer is late by `ms`. Heartbeats and pushes are not. Answers keep their order, also with those after the
    /// end of the fault.
    LateAnswers {
        /// Milliseconds.
        ms: u64,
    },
    /// An attacker between device and controller takes all requests and sends them back unchanged.
    Reflect,
    /// An attacker replays pushes of any connection: each push is followed by the previous one.
    ReplayPushes,
    /// An attacker replays the device's answers in the negotiation of any connection: each is preceded by the previous
    /// one.
    StaleAnswers,
    /// A push of [`POISON_DP`] follows every push. It is valid except for its number, which is that of the previous
    /// push.
    OldNumbers,
    /// Every report has each DP twice: first with the text [`STALE`], then with its value.
    DpsTwice {
        /// True if all DPs are in two objects of the same name, instead of each DP twice in one object.
        whole: bool,
    },
    /// Controls are executed and changes pushed, but successful ones are not acknowledged.
    DropAcks,
    /// Controls with more than `max` DPs are refused with `data format error`, and not executed.
    RefuseSeveralDps {
        /// Largest number of accepted DPs.
        max: usize,
    },
    /// Controls that write this DP, alone or with others, are refused with `data format error`, and not executed.
    RefuseDp {
        /// The DP.
        dp: u16,
    },
    /// One in `one_in` frames from the device is lost, one is doubled, one is delayed as by [`Self::OutOfOrder`]; and
    /// one in `one_in` requests is lost. Heartbeats and pushes are lost and doubled, too.
    Unreliable {
        /// Inverse rate of each fault; 0 for never.
        one_in: u32,
        /// True if requests are lost.
        requests: bool,
    },
    /// Reports list this sub-device as offline, while queries for it are still answered from the cache.
    OfflineChild(String),
}

impl Fault {
    /// Longest delay of [`Fault::OutOfOrder`].
    pub const HOLD: core::time::Duration = core::time::Duration::from_millis(200);

    /// Returns whether the port is closed.
    pub(crate) const fn refuses_dials(&self) -> bool {
        matches!(self, Self::RefuseDial)
    }

    /// Returns whether answers are dropped or replaced, so that the device must not end the connection for missing
    /// ones.
    pub(crate) const fn hides_answers(&self) -> bool {
        matches!(self, Self::Silent | Self::Garbage { .. })
    }
}
