//! Addresses of a device.

use core::net::IpAddr;

/// Addresses of a device. Announcements can be forged, so an announced address never replaces a proven one: the address
/// that last proved the key is tried first, and between others.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Addresses {
    /// Address of the last dial.
    at: Option<IpAddr>,
    /// Address that last proved the key.
    proven: Option<IpAddr>,
    /// Another address, from an announcement.
    announced: Option<IpAddr>,
    /// True if the next dial is not the first since the last connection that worked.
    has_dialed: bool,
}

impl Addresses {
    pub(super) const fn new(address: Option<IpAddr>) -> Self {
        Self { at: address, proven: None, announced: None, has_dialed: false }
    }

    /// Returns whether there is no address to try.
    pub(super) const fn is_unknown(&self) -> bool {
        self.at.is_none() && self.announced.is_none()
    }

    /// Address of the last dial.
    pub(super) const fn at(&self) -> Option<IpAddr> {
        self.at
    }

    /// Returns the most likely address of the device.
    pub(super) fn most_likely(&self) -> Option<IpAddr> {
        self.proven.or(self.at).or(self.announced)
    }

    /// Records an announced address. Returns whether it is new: not known, and not that of the last dial.
    pub(super) fn note_announced(&mut self, address: IpAddr) -> bool {
        if self.at == Some(address) || self.proven == Some(address) {
            return false;
        }
        if self.at.is_none() {
            self.at = Some(address);
            return true;
        }
        self.announced.replace(address) != Some(address)
    }

    /// Records that the address of the connection has proven the key.
    pub(super) fn prove(&mut self) {
        self.proven = self.at;
        self.announced = None;
        self.has_dialed = false;
    }

    /// Records that the device did not answer at the proven address, which then need not be tried first.
    pub(super) const fn skip_proven(&mut self) {
        self.has_dialed = true;
    }

    /// Returns whether the next dial goes to another address, one that was not tried since the last connection that
    /// worked.
    pub(super) fn has_untried(&self) -> bool {
        self.announced.is_some() && self.proven.is_some() && self.at == self.proven
    }

    /// Returns the address to dial next. `same` keeps the address, to find out more about it.
    pub(super) fn next(&mut self, same: bool) -> Option<IpAddr> {
        let first = !core::mem::replace(&mut self.has_dialed, true);
        let next = match (self.proven, self.announced) {
            _ if same && self.at.is_some() => self.at,
            (Some(proven), _) if first || self.at != Some(proven) => Some(proven),
            // Two addresses without a proof take turns.
            (None, Some(announced)) if first => self.at.or(Some(announced)),
            (_, Some(announced)) => {
                // The other one is kept, to be tried again in between.
                self.announced = self.at.filter(|at| self.proven != Some(*at)).or(Some(announced));
                Some(announced)
            }
            (_, None) => self.at,
        };
        self.at = next;
        next
    }
}
