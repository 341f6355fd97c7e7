//! Generator for tests: the same bytes in every run.

use core::convert::Infallible;

use heapless::Vec;

/// Generator that returns the bytes of a script first, and then bytes that count up.
pub(crate) struct Counter {
    next: u8,
    pub(crate) script: Vec<u8, 64>,
}

impl Counter {
    /// Creates a generator that counts from `first`.
    pub(crate) const fn new(first: u8) -> Self {
        Self { next: first, script: Vec::new() }
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new(1)
    }
}

impl rand_core::TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            if self.script.is_empty() {
                *byte = self.next;
                self.next = self.next.wrapping_add(1);
            } else {
                *byte = self.script.remove(0);
            }
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Counter {}
