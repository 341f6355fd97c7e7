//! Controller that reads single frames, for versions without negotiation.

use core::time::Duration;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use rustuya_faulty::FaultyDevice;
use rustuya_proto::{
    CommandCode, FrameError, Head, Keys, Opened, RetCode, Sender, Version, VersionHeader, frame_len, open, seal,
};

use crate::LIMIT;

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    keys: Keys,
    seqno: u32,
    received: Vec<u8>,
}

/// Received frame of the device.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) seqno: u32,
    pub(crate) command: CommandCode,
    pub(crate) retcode: Option<RetCode>,
    pub(crate) text: String,
}

impl Raw {
    /// Connects to a device of 3.3.
    pub(crate) fn to(device: &FaultyDevice) -> Self {
        let stream = TcpStream::connect(device.addr()).expect("somebody listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        Self { stream, keys: Keys::new(Version::V33, device.key().expose()), seqno: 0, received: Vec::new() }
    }

    pub(crate) fn query(&mut self) -> u32 {
        self.send(CommandCode::DP_QUERY, r#"{"gwId":"lamp"}"#)
    }

    pub(crate) fn set(&mut self, dps: &str) -> u32 {
        self.send(CommandCode::CONTROL, &format!("{{\"dps\":{dps}}}"))
    }

    /// Sends a request and returns its number.
    pub(crate) fn send(&mut self, command: CommandCode, payload: &str) -> u32 {
        self.seqno += 1;
        let header = command.carries_version_header().then(|| VersionHeader::controller(Version::V33));
        let head = Head { sender: Sender::Controller, seqno: self.seqno, command, retcode: None, header };
        let mut frame = [0; 1024];
        let len = seal(&self.keys, &head, &[0; 12], payload.as_bytes(), &mut frame).expect("room");
        self.stream.write_all(&frame[..len]).expect("written");
        self.seqno
    }

    /// Reads once.
    pub(crate) fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut buf = [0; 4096];
        let n = self.stream.read(&mut buf)?;
        Ok(buf[..n].to_vec())
    }

    /// Reads the next frame, with the length in its header.
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        loop {
            if let Ok(Some(len)) = frame_len(&self.received)
                && self.received.len() >= len
            {
                let rest = self.received.split_off(len);
                return core::mem::replace(&mut self.received, rest);
            }
            let bytes = self.read().expect("the device answers");
            assert!(!bytes.is_empty(), "closed within a frame: {:02x?}", self.received);
            self.received.extend(bytes);
        }
    }

    /// Reads and decodes the next frame, which must be valid.
    pub(crate) fn message(&mut self) -> Received {
        let mut frame = self.frame();
        let Opened { seqno, command, retcode, payload, .. } = self.open(&mut frame).expect("a sound frame");
        Received { seqno, command, retcode, text: String::from_utf8_lossy(&frame[payload]).into_owned() }
    }

    pub(crate) fn open(&self, frame: &mut [u8]) -> Result<Opened, FrameError> {
        open(&self.keys, Sender::Device, frame)
    }

    /// Returns whether nothing arrives for a while, and the connection stays open.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(150))).expect("a limit");
        let result = self.read();
        self.stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        matches!(result, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Waits for the end of the connection: `None` for a close without an error.
    pub(crate) fn end(&mut self) -> Option<ErrorKind> {
        loop {
            match self.read() {
                Ok(bytes) if bytes.is_empty() => return None,
                Ok(_) => {}
                Err(error) => return Some(error.kind()),
            }
        }
    }
}
