//! One connection to a virtual device: the socket, and the bytes that wait on either side of it.

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::Result;
use mio::net::TcpStream;
use rand::rngs::StdRng;

use super::session::{Out, Session};
use crate::control::Counts;

/// Largest accepted frame.
const FRAME: usize = 2048;

/// State of a connection after a turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Open,
    /// The client closed it.
    Ended,
    /// The device closed it.
    Refused,
}

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) index: usize,
    /// True if it was counted as ready.
    pub(super) counted: bool,
    session: Session,
    /// Start of an incomplete frame.
    partial: Vec<u8>,
    /// Bytes that the socket did not take, from `sent` on.
    out: Out,
    sent: usize,
    /// Prepared burst.
    prepared: Out,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, index: usize, session: Session) -> Self {
        let (partial, out, prepared) = (Vec::new(), Vec::new(), Vec::new());
        Self { stream, index, counted: false, session, partial, out, sent: 0, prepared }
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.session.is_ready()
    }

    /// Reads the received bytes and answers them with one write.
    pub(super) fn read(&mut self, replies: &mut Out, rng: &mut StdRng, counts: &mut Counts) -> State {
        let mut buffer = [0; FRAME];
        loop {
            let old = self.partial.len();
            let (front, spare) = buffer.split_at_mut(old);
            front.copy_from_slice(&self.partial);
            let got = match self.stream.read(spare) {
                Ok(0) => return State::Ended,
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return State::Open,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return State::Ended,
            };
            let room = spare.len();
            let have = buffer.get_mut(..old + got).unwrap_or_default();
            replies.clear();
            let taken = match self.session.receive(have, replies, rng, counts) {
                Ok(taken) if have.len() - taken < FRAME => taken,
                _ => return State::Refused,
            };
            self.partial.clear();
            self.partial.extend_from_slice(have.get(taken..).unwrap_or_default());
            let state = self.send(replies);
            // A short read has drained the socket; new bytes raise another event.
            if state != State::Open || got < room {
                return state;
            }
        }
    }

    /// Writes `bytes` after the waiting ones.
    fn send(&mut self, bytes: &[u8]) -> State {
        let taken = if self.out.is_empty() { write_some(&mut self.stream, bytes) } else { Some(0) };
        let Some(taken) = taken else {
            return State::Ended;
        };
        self.out.extend_from_slice(bytes.get(taken..).unwrap_or_default());
        State::Open
    }

    /// Writes waiting bytes, as far as the socket takes them.
    pub(super) fn flush(&mut self) -> State {
        let Some(count) = write_some(&mut self.stream, self.out.get(self.sent..).unwrap_or_default()) else {
            return State::Ended;
        };
        self.sent += count;
        if self.sent == self.out.len() {
            self.out = Vec::new();
            self.sent = 0;
        }
        State::Open
    }

    /// Encrypts `count` pushes of 6 DPs each, numbered by DP 3, for the next burst.
    pub(super) fn prepare(&mut self, count: usize) -> Result<()> {
        self.prepared = Vec::with_capacity(count * 192);
        for number in 0..count {
            let on = number % 2 == 0;
            let dps = format!(r#"{{"1":{on},"2":"white","3":{number},"4":250,"7":0,"9":"off"}}"#);
            self.session.push(dps.as_bytes(), &mut self.prepared)?;
        }
        Ok(())
    }

    /// Sends the prepared pushes.
    pub(super) fn burst(&mut self) -> State {
        let prepared = core::mem::take(&mut self.prepared);
        self.out.extend_from_slice(&prepared);
        self.flush()
    }
}

/// Writes as much of `bytes` as the socket takes. Returns the number; `None` when the connection has ended.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> Option<usize> {
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        match stream.write(rest) {
            Ok(count) => taken += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(taken)
}
