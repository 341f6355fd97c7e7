//! The same bytes without a library: a blocking socket and frames that were encrypted beforehand.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use rustuya_proto::{
    CommandCode, Head, Keys, LocalKey, Sender, Version, VersionHeader, derive_session_key, frame_len, open, seal,
};
use sha2::Sha256;

use crate::virtual_device::VirtualDevice;

/// Raw connection, ready for commands.
pub(crate) struct Raw {
    stream: TcpStream,
    device: VirtualDevice,
    keys: Keys,
    seqno: u32,
    on: bool,
    buffer: Vec<u8>,
}

impl Raw {
    /// Connects to a virtual device, and negotiates if `version` does.
    pub(crate) fn connect(device: VirtualDevice, port: u16, version: Version) -> Result<Self> {
        let stream = TcpStream::connect(SocketAddr::from((device.address, port)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let local = device.local_key()?;
        let keys = Keys::new(version, local.expose());
        let mut raw = Self { stream, device, keys, seqno: 1, on: false, buffer: vec![0; 4096] };
        if version.negotiates() {
            raw.negotiate(version, &local)?;
        }
        Ok(raw)
    }

    fn negotiate(&mut self, version: Version, local: &LocalKey) -> Result<()> {
        loop {
            let ours: [u8; 16] = rand::rng().random();
            let start = self.frame(CommandCode::SESS_KEY_NEG_START, None, &ours)?;
            self.stream.write_all(&start)?;
            let len = self.read_frames(1)?;
            let frame = self.buffer.get_mut(..len).context("the answer to the negotiation")?;
            let opened = open(&self.keys, Sender::Device, frame).context("the answer to the negotiation")?;
            let theirs: [u8; 16] = frame
                .get(opened.payload)
                .and_then(|payload| payload.first_chunk())
                .copied()
                .context("the device's nonce")?;
            let key = derive_session_key(version, local, &ours, &theirs).context("a version that negotiates")?;
            if key.is_refused_by_firmware() {
                continue;
            }
            let mut hmac = Hmac::<Sha256>::new_from_slice(local.expose())?;
            hmac.update(&theirs);
            let finish = self.frame(CommandCode::SESS_KEY_NEG_FINISH, None, &hmac.finalize().into_bytes())?;
            self.stream.write_all(&finish)?;
            self.keys = Keys::new(version, key.expose());
            return Ok(());
        }
    }

    fn frame(&mut self, command: CommandCode, header: Option<VersionHeader>, payload: &[u8]) -> Result<Vec<u8>> {
        let head = Head { sender: Sender::Controller, seqno: self.seqno, command, retcode: None, header };
        self.seqno += 1;
        let iv = rand::rng().random();
        let mut frame = vec![0; 512];
        let len = seal(&self.keys, &head, &iv, payload, &mut frame)?;
        frame.truncate(len);
        Ok(frame)
    }

    /// Makes a command that toggles DP 1, as the measured library writes it.
    fn toggle(&mut self) -> Result<Vec<u8>> {
        self.on = !self.on;
        let (on, id, version) = (self.on, &self.device.id, self.keys.version());
        let header = Some(VersionHeader::controller(version));
        let (command, text) = if version.negotiates() {
            let text = format!(r#"{{"protocol":5,"t":1700000000,"data":{{"dps":{{"1":{on}}}}}}}"#);
            (CommandCode::CONTROL_NEW, text)
        } else {
            let text = format!(r#"{{"devId":"{id}","uid":"{id}","t":"1700000000","dps":{{"1":{on}}}}}"#);
            (CommandCode::CONTROL, text)
        };
        self.frame(command, header, text.as_bytes())
    }

    /// Reads `count` frames. Returns their total size.
    fn read_frames(&mut self, count: usize) -> Result<usize> {
        let (mut have, mut whole, mut frames) = (0, 0, 0);
        loop {
            let got = self.stream.read(self.buffer.get_mut(have..).context("frames larger than the buffer")?)?;
            ensure!(got > 0, "the device closed the raw connection");
            have += got;
            while let Some(len) = frame_len(self.buffer.get(whole..have).unwrap_or_default())?
                && whole + len <= have
            {
                whole += len;
                frames += 1;
                if frames == count {
                    return Ok(whole);
                }
            }
        }
    }

    /// Times `rounds` exchanges: one write of an encrypted command, reads until its acknowledgement and the push.
    pub(crate) fn exchange(&mut self, rounds: usize) -> Result<Vec<Duration>> {
        let commands = (0..rounds).map(|_| self.toggle()).collect::<Result<Vec<_>>>()?;
        let mut times = Vec::with_capacity(rounds);
        for command in &commands {
            let begin = Instant::now();
            self.stream.write_all(command)?;
            self.read_frames(2)?;
            times.push(begin.elapsed());
        }
        Ok(times)
    }
}
