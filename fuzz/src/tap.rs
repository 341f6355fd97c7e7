//! Reads the traffic for the session key, to encrypt any payload with it.

use rustuya_proto::{
    CommandCode, Head, Keys, LocalKey, RetCode, Sender, Version, VersionHeader, derive_session_key, frame_len, open,
    seal,
};
use serde_json::Value;

use crate::input::Input;

pub(crate) struct Tap {
    version: Version,
    key: LocalKey,
    local: Keys,
    session: Option<Keys>,
    nonces: [[u8; 16]; 2],
    /// Last sequence number of controller and device.
    seqnos: [u32; 2],
    /// Bytes of an incomplete frame of controller and device.
    partial: [Vec<u8>; 2],
}

impl Tap {
    /// Creates the reader for a device with this key.
    pub(crate) fn new(version: Version, key: &LocalKey) -> Self {
        let (key, local) = (key.clone(), Keys::new(version, key.expose()));
        let partial = [Vec::new(), Vec::new()];
        Self { version, key, local, session: None, nonces: [[0; 16]; 2], seqnos: [0; 2], partial }
    }

    pub(crate) fn controller_wrote(&mut self, bytes: &[u8]) {
        self.wrote(Sender::Controller, bytes);
    }

    pub(crate) fn device_wrote(&mut self, bytes: &[u8]) {
        self.wrote(Sender::Device, bytes);
    }

    /// Returns the data of a controller's frame. Without negotiation, its version and key may differ from the device's.
    pub(crate) fn read(&self, frame: &[u8], keys: &[[u8; 16]]) -> Option<Value> {
        let read = |keys: &Keys| {
            let mut frame = frame.to_vec();
            let opened = open(keys, Sender::Controller, &mut frame).ok()?;
            serde_json::from_slice(frame.get(opened.payload)?).ok()
        };
        let plain =
            [Version::V33, Version::V31].into_iter().flat_map(|version| keys.iter().map(move |key| (version, key)));
        let mut plain = plain.map(|(version, key)| Keys::new(version, key));
        self.session.as_ref().and_then(read).or_else(|| plain.find_map(|keys| read(&keys)))
    }

    /// Makes a valid frame of `sender` with the input's content.
    pub(crate) fn forge(&mut self, sender: Sender, input: &mut Input<'_>) -> Vec<u8> {
        let (choice, code, len) = (input.byte(), input.byte(), input.byte());
        let payload = input.take(usize::from(len));
        let seqno = &mut self.seqnos[index(sender)];
        *seqno = seqno.wrapping_add(u32::from(choice >> 4));
        let head = Head {
            sender,
            seqno: *seqno,
            command: CommandCode(u32::from(code % 0x48)),
            retcode: (sender == Sender::Device && choice & 1 == 0).then_some(RetCode(u32::from(choice >> 3 & 1))),
            header: (choice & 6 == 0 && self.version != Version::V31)
                .then(|| VersionHeader::device(self.version, u32::from(choice))),
        };
        let keys = self.session.as_ref().filter(|_| !head.command.is_negotiation()).unwrap_or(&self.local);
        let mut frame = vec![0; payload.len() * 2 + 256];
        let iv = [choice; 12];
        let len = seal(keys, &head, &iv, payload, &mut frame).expect("there is room");
        frame.truncate(len);
        frame
    }

    fn wrote(&mut self, sender: Sender, bytes: &[u8]) {
        let mut stream = core::mem::take(&mut self.partial[index(sender)]);
        stream.extend_from_slice(bytes);
        let mut rest = stream.as_mut_slice();
        loop {
            match frame_len(rest) {
                Ok(Some(len)) if len <= rest.len() => {
                    let (frame, behind) = rest.split_at_mut(len);
                    self.frame(sender, frame);
                    rest = behind;
                }
                Ok(_) => break,
                // Skips garbage that a quirk puts between frames.
                Err(_) => rest = rest.get_mut(1..).unwrap_or_default(),
            }
        }
        self.partial[index(sender)] = rest.to_vec();
    }

    fn frame(&mut self, sender: Sender, frame: &mut [u8]) {
        let at = if frame.starts_with(&[0, 0, 0x66, 0x99]) { 6 } else { 4 };
        if let Some(seqno) = frame.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()) {
            self.seqnos[index(sender)] = u32::from_be_bytes(seqno);
        }
        if !self.version.negotiates() {
            return;
        }
        // Skips frames with the session key, which do not decode with the local key.
        let Ok(opened) = open(&self.local, sender, frame) else { return };
        let expected = [CommandCode::SESS_KEY_NEG_START, CommandCode::SESS_KEY_NEG_RESP][index(sender)];
        let nonce = frame.get(opened.payload).and_then(|payload| payload.first_chunk());
        if let Some(nonce) = nonce.filter(|_| opened.command == expected) {
            self.nonces[index(sender)] = *nonce;
            let [controller, device] = &self.nonces;
            let key = derive_session_key(self.version, &self.key, controller, device);
            self.session = key.map(|key| Keys::new(self.version, key.expose()));
        }
    }
}

const fn index(sender: Sender) -> usize {
    match sender {
        Sender::Controller => 0,
        Sender::Device => 1,
    }
}
