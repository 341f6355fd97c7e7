//! The keys of a recorded connection, and those that take their place.

use rustuya_proto::{Keys, LocalKey, Nonce, SessionKey, Version, derive_session_key, negotiation_proof};

/// One key, prepared for each way in which frames are sealed.
pub(crate) struct Schedules {
    pub(crate) v31: Keys,
    pub(crate) v33: Keys,
    pub(crate) v34: Keys,
    pub(crate) v35: Keys,
}

impl Schedules {
    fn new(key: &[u8; 16]) -> Self {
        Self {
            v31: Keys::new(Version::V31, key),
            v33: Keys::new(Version::V33, key),
            v34: Keys::new(Version::V34, key),
            v35: Keys::new(Version::V35, key),
        }
    }
}

/// The real key and its substitute.
pub(crate) struct Both<T> {
    pub(crate) real: T,
    pub(crate) substitute: T,
}

/// The key that stands for the `number`th key of a device in a redacted record. Published, and of no device.
pub(crate) fn substitute(number: u32) -> LocalKey {
    let text = format!("redacted-key-{:03}", number % 1000);
    LocalKey::from_text(&text).unwrap_or(LocalKey::new(*b"redacted-key-000"))
}

/// The keys of one configuration, and what the negotiation of the current connection came to.
pub(crate) struct KeyRing {
    local_key: Both<LocalKey>,
    pub(crate) local: Both<Schedules>,
    pub(crate) session: Option<Both<Schedules>>,
    /// The controller's nonce of the last negotiation, and whether it waits for the device's.
    ours: Option<Nonce>,
    waits: bool,
    /// The device's nonce: the real one, and the one that is recorded.
    theirs: Option<(Nonce, Nonce)>,
}

impl KeyRing {
    /// The keys of a device whose `number`th key this is.
    pub(crate) fn new(key: &LocalKey, number: u32) -> Self {
        let substitute = substitute(number);
        Self {
            local: Both { real: Schedules::new(key.expose()), substitute: Schedules::new(substitute.expose()) },
            local_key: Both { real: key.clone(), substitute },
            session: None,
            ours: None,
            waits: false,
            theirs: None,
        }
    }

    /// Forgets the connection.
    pub(crate) fn disconnect(&mut self) {
        self.session = None;
        self.ours = None;
        self.waits = false;
        self.theirs = None;
    }

    /// Takes the first message of a negotiation.
    pub(crate) fn start(&mut self, payload: &[u8]) {
        if let Some(nonce) = payload.first_chunk() {
            self.ours = Some(*nonce);
            self.waits = true;
        }
    }

    /// Takes the second message; what it is under the substitute, or `None` when its proof is wrong.
    pub(crate) fn resp(&mut self, version: Version, payload: &[u8]) -> Option<[u8; 48]> {
        let ours = self.ours?;
        let (theirs, rest) = payload.split_first_chunk::<16>()?;
        if !same(rest.first_chunk::<32>()?, &negotiation_proof(&self.local_key.real, &ours)) {
            return None;
        }
        let (_, shown) = match &self.theirs {
            Some(known) if !self.waits => *known,
            _ => self.derive(version, &ours, theirs)?,
        };
        let mut message = [0; 48];
        let proof = negotiation_proof(&self.local_key.substitute, &ours);
        for (slot, byte) in message.iter_mut().zip(shown.iter().chain(&proof)) {
            *slot = *byte;
        }
        Some(message)
    }

    /// Takes the third message; what it is under the substitute, or `None` when it is not the right one.
    pub(crate) fn finish(&self, payload: &[u8]) -> Option<[u8; 32]> {
        let (theirs, shown) = self.theirs?;
        let right = same(payload.first_chunk::<32>()?, &negotiation_proof(&self.local_key.real, &theirs));
        right.then(|| negotiation_proof(&self.local_key.substitute, &shown))
    }

    /// Derives both session keys. A key that begins with zero makes the machine negotiate again, so the recorded
    /// nonce is chosen so that the substitute begins with zero exactly where the real one does.
    fn derive(&mut self, version: Version, ours: &Nonce, theirs: &Nonce) -> Option<(Nonce, Nonce)> {
        let real = derive_session_key(version, &self.local_key.real, ours, theirs)?;
        let mut shown = *theirs;
        let mut tries = 0..=u16::MAX;
        let substitute = loop {
            let key = derive_session_key(version, &self.local_key.substitute, ours, &shown)?;
            if key.is_refused_by_firmware() == real.is_refused_by_firmware() {
                break key;
            }
            let front = shown.first_chunk_mut()?;
            *front = tries.next()?.to_le_bytes();
        };
        let refused = real.is_refused_by_firmware();
        let schedules = |key: &SessionKey| Schedules::new(key.expose());
        self.session = (!refused).then(|| Both { real: schedules(&real), substitute: schedules(&substitute) });
        self.waits = false;
        self.theirs = Some((*theirs, shown));
        self.theirs
    }
}

/// Compares in a time that depends on nothing.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    core::hint::black_box(a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b))) == 0
}
