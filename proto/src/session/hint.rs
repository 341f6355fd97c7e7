//! Properties of a sender, found from a frame that may be of any version.

use crate::codec::{self, Keys, Sender, VersionHeader};
use crate::ids::LocalKey;
use crate::payload::Payload;
use crate::version::Version;
use crate::wire::{FrameKind, frame_55aa, frame_kind};

/// Properties of a sender, found from one of its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// Version that has frames of this form.
    pub(crate) form: Form,
    /// True if the frame is sealed under our local key; `None` where that cannot be known.
    pub(crate) key: Option<bool>,
}

/// Form of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Form of this version. 3.3 stands for 3.2 as well.
    Exactly(Version),
    /// Form of 3.1, 3.2 and 3.3: a right CRC, and no difference between them.
    Crc,
}

/// Conclusion from a [`Hint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The sender uses another version: this one, or (`None`) one of 3.1, 3.2 and 3.3.
    Speaks(Option<Version>),
    /// The sender uses the expected version, under another key.
    OtherKey,
}

impl Form {
    fn is_of(self, version: Version) -> bool {
        match self {
            Self::Crc => !version.negotiates(),
            Self::Exactly(form) => form.scheme() == version.scheme(),
        }
    }
}

impl Hint {
    /// Compares the hint with the `expected` version; returns `None` when nothing is wrong.
    pub(crate) fn finding(self, expected: Version) -> Option<Finding> {
        match (self.form, self.key) {
            (form, key) if form.is_of(expected.narrowed()) => (key == Some(false)).then_some(Finding::OtherKey),
            (Form::Exactly(version), _) => Some(Finding::Speaks(Some(version))),
            (Form::Crc, _) => Some(Finding::Speaks(None)),
        }
    }
}

/// Examines a whole frame that could not be opened. May change its bytes. Does not check the key of a version that this
/// build leaves out: the build would need its ciphers for nothing else.
pub(super) fn of_frame(local: &LocalKey, frame: &mut [u8]) -> Option<Hint> {
    match frame_kind(frame)? {
        FrameKind::F6699 => {
            let key = Version::V35.is_supported().then(|| is_sealed(Version::V35, local, frame));
            Some(Hint { form: Form::Exactly(Version::V35), key })
        }
        FrameKind::F55aa if codec::crc_fits(frame) => {
            let opened = codec::open_clear(frame).ok()?;
            Some(of_body(local, frame.get(opened.payload).unwrap_or_default()))
        }
        FrameKind::F55aa if has_hmac_length(frame.len()) => {
            let key = Version::V34.is_supported().then(|| codec::hmac_fits(local.expose(), frame));
            Some(Hint { form: Form::Exactly(Version::V34), key })
        }
        FrameKind::F55aa => None,
    }
}

/// Examines the body of a frame with a right CRC, behind its return code.
pub(crate) fn of_body(local: &LocalKey, body: &[u8]) -> Hint {
    let payload = Payload::new(body);
    let has_state = || payload.report().is_some_and(|report| report.dps.is_some());
    let ciphertext = |text: &[u8]| Hint {
        form: Form::Exactly(Version::V33),
        key: Version::V33.is_supported().then(|| codec::ciphertext_fits(local.expose(), text)),
    };
    match VersionHeader::at_front_of(body).map(|header| header.version()) {
        Some(Some(Version::V31)) => Hint { form: Form::Exactly(Version::V31), key: None },
        Some(Some(Version::V32 | Version::V33)) => ciphertext(body.get(VersionHeader::LEN..).unwrap_or_default()),
        // Only 3.1 sends its state in the clear. Clear JSON without state may come from any version.
        _ if has_state() => Hint { form: Form::Exactly(Version::V31), key: None },
        _ if is_text(body) || !codec::is_ciphertext_length(body.len()) => Hint { form: Form::Crc, key: None },
        _ => ciphertext(body),
    }
}

/// Returns whether a frame of `version` is sealed under the local key.
fn is_sealed(version: Version, local: &LocalKey, frame: &mut [u8]) -> bool {
    codec::open(&Keys::new(version, local.expose()), Sender::Device, frame).is_ok()
}

/// Returns whether a frame of this length can carry an HMAC: ciphertext, with a return code or without.
const fn has_hmac_length(len: usize) -> bool {
    match len.checked_sub(frame_55aa::BODY + frame_55aa::HMAC_FOOTER) {
        Some(body) => matches!(body % 16, 0 | 4),
        None => false,
    }
}

/// Returns whether these bytes are text, ASCII or not. Ciphertext is text by chance, once in thousands.
pub(crate) fn is_text(body: &[u8]) -> bool {
    core::str::from_utf8(body).is_ok_and(|text| !text.chars().any(char::is_control))
}
