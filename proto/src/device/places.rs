//! Where a device may be.

use core::net::IpAddr;

/// Where a device may be. Announcements can be forged, so that one place is never given up for another that was merely
/// named: where the key was last proven is tried first, and between others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Places {
    /// Where the last connection was tried.
    at: Option<IpAddr>,
    /// Where the key was last proven.
    proven: Option<IpAddr>,
    /// Another place that was announced.
    heard: Option<IpAddr>,
    /// The connection that is tried next is not the first since the last one that worked.
    is_later: bool,
}

impl Places {
    pub(super) const fn new(address: Option<IpAddr>) -> Self {
        Self { at: address, proven: None, heard: None, is_later: false }
    }

    /// Whether there is no place to try.
    pub(super) const fn is_unknown(&self) -> bool {
        self.at.is_none() && self.heard.is_none()
    }

    /// Where the last connection was tried.
    pub(super) const fn at(&self) -> Option<IpAddr> {
        self.at
    }

    /// Where the device most likely is.
    pub(super) fn believed(&self) -> Option<IpAddr> {
        self.proven.or(self.at).or(self.heard)
    }

    /// An announcement names this place. Whether it is another one than where the last connection was tried, and was not
    /// known.
    pub(super) fn hear(&mut self, address: IpAddr) -> bool {
        if self.at == Some(address) || self.proven == Some(address) {
            return false;
        }
        if self.at.is_none() {
            self.at = Some(address);
            return true;
        }
        self.heard.replace(address) != Some(address)
    }

    /// The key is proven where the connection is.
    pub(super) fn prove(&mut self) {
        self.proven = self.at;
        self.heard = None;
        self.is_later = false;
    }

    /// The device gave no sign of life at the place that proved the key: it need not be tried there first.
    pub(super) const fn distrust(&mut self) {
        self.is_later = true;
    }

    /// Whether the next connection goes to another place, that was not tried since the last one that worked.
    pub(super) fn has_untried(&self) -> bool {
        self.heard.is_some() && self.proven.is_some() && self.at == self.proven
    }

    /// Where to try next. `same`: at the same place, to find out more about it.
    pub(super) fn next(&mut self, same: bool) -> Option<IpAddr> {
        let first = !core::mem::replace(&mut self.is_later, true);
        let next = match (self.proven, self.heard) {
            _ if same && self.at.is_some() => self.at,
            (Some(proven), _) if first || self.at != Some(proven) => Some(proven),
            // Of two that are merely heard of, or where the key was proven at neither, they take turns.
            (None, Some(heard)) if first => self.at.or(Some(heard)),
            (_, Some(heard)) => {
                // Kept, to be tried again between.
                self.heard = self.at.filter(|at| self.proven != Some(*at)).or(Some(heard));
                Some(heard)
            }
            (_, None) => self.at,
        };
        self.at = next;
        next
    }
}
