//! What a device can do wrong.

/// DP of the pushes that come with [`Fault::BadIntegrity`] and [`Fault::BadPadding`]. Whoever delivers it has believed
/// a frame whose check failed.
pub const POISON_DP: &str = "250";

/// DP of the push that comes with [`Fault::SuffixInCiphertext`]: a text.
pub const SUFFIX_DP: &str = "251";

/// DP of the pushes of a flood: 1 in the first one, and one more in each that follows, over all floods of the device.
pub const FLOOD_DP: &str = "252";

/// The value that [`Fault::DpsTwice`] puts before each value. Whoever delivers it did not read on.
pub const STALE: &str = "stale";

/// What a device does wrong. One at a time; [`FaultyDevice::set_fault`](super::FaultyDevice::set_fault) replaces the
/// one before.
///
/// Unless said otherwise, a fault holds at once for live connections and for those to come, it leaves the negotiation
/// of 3.4 and 3.5 alone, and counts of frames do not include it. Clearing a fault does not mend a connection that it
/// has already cut or silenced.
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
    /// Nothing is ever answered, not even the negotiation. Requests still arrive, are recorded and obeyed, and
    /// connections stay open.
    Silent,
    /// Every answer, also of the negotiation, is replaced by random bytes without a frame in them, different for each
    /// connection.
    Garbage {
        /// Seed of the bytes.
        seed: u64,
    },
    /// The sending half of a connection is closed after so many frames; the other half is read on, and obeyed. After 0
    /// frames means: in place of the first one.
    HalfClose {
        /// Frames that still go out.
        after: u32,
    },
    /// After so many frames, half of the next one is sent, and then nothing ever again; requests are neither recorded
    /// nor obeyed. The connection stays open.
    DisappearMidFrame {
        /// Whole frames before the half one.
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
    /// So many pushes of [`FLOOD_DP`] follow every answer, heartbeats included, in the same segment as far as it goes.
    FloodPushes {
        /// Pushes per answer.
        count: u32,
    },
    /// Every other answer is held back until the next one has been sent, or for [`Self::HOLD`]. Heartbeats and pushes
    /// keep their place.
    OutOfOrder,
    /// A push of [`POISON_DP`] precedes every frame. Everything about it is right but one bit of its CRC, HMAC or tag.
    BadIntegrity,
    /// A push of [`POISON_DP`] precedes every frame. Everything about it is right but its padding, which is missing.
    /// 3.5 has no padding: the tag is wrong there. Up to 3.3, on a connection where nothing was decrypted before, it
    /// proves a wrong key, and a controller is right to give up.
    BadPadding,
    /// Once per connection, a valid push of [`SUFFIX_DP`] follows a frame, and its ciphertext contains the suffix of its
    /// kind of frame. 3.1 pushes are base64 text, where that cannot happen: nothing is pushed there.
    SuffixInCiphertext,
    /// Every answer is so late. Heartbeats and pushes keep their place, and answers their order, also with those that
    /// come after the fault is cleared.
    LateAnswers {
        /// Milliseconds.
        ms: u64,
    },
    /// Somebody between device and controller keeps all requests for himself, and sends them back as they are.
    Reflect,
    /// Somebody has recorded what the device pushes, on any connection: each push is followed by the one before it.
    ReplayPushes,
    /// Somebody has recorded the device's answers in the negotiation, on any connection: each is preceded by the one before
    /// it.
    StaleAnswers,
    /// A push of [`POISON_DP`] follows every push. It is right in everything but its number, which is that of the push
    /// before it.
    OldNumbers,
    /// Whatever tells DPs tells each of them twice: first as the text [`STALE`], then as it is.
    DpsTwice {
        /// All DPs come twice as a whole, in two objects of the same name, not each twice in one object.
        whole: bool,
    },
    /// Controls are obeyed and changes pushed, but successful ones are not acknowledged.
    DropAcks,
    /// Controls with more than so many DPs are refused with `data format error`, and not obeyed.
    RefuseSeveralDps {
        /// The most DPs that are accepted.
        max: usize,
    },
    /// Controls that write this DP, alone or with others, are refused with `data format error`, and not obeyed.
    RefuseDp {
        /// The DP.
        dp: u16,
    },
    /// One in so many frames from the device is lost, one comes twice, one is held back as by [`Self::OutOfOrder`]; and
    /// one in so many requests is lost. Heartbeats and pushes are lost and come twice, too.
    Unreliable {
        /// How rare each of that is; 0 for never.
        one_in: u32,
        /// Whether requests are lost.
        requests: bool,
    },
    /// Reports name this sub-device as offline, while queries for it are still answered from memory.
    OfflineChild(String),
}

impl Fault {
    /// How long [`Fault::OutOfOrder`] waits for another answer.
    pub const HOLD: core::time::Duration = core::time::Duration::from_millis(200);

    /// Whether the port is closed.
    pub(super) const fn refuses_dials(&self) -> bool {
        matches!(self, Self::RefuseDial)
    }

    /// Whether answers are swallowed or replaced, so that the connection must also survive what would end it.
    pub(super) const fn hides_answers(&self) -> bool {
        matches!(self, Self::Silent | Self::Garbage { .. })
    }
}
