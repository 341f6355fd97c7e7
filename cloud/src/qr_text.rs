//! The text of a QR code.

use core::fmt;

use crate::secret::Secret;

/// The text of a QR code. It is enough to log in: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct QrText(Secret);

impl QrText {
    pub(crate) fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text, to be drawn with error correction of level Q.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for QrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QrText(..)")
    }
}
