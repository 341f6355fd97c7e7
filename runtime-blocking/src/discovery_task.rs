//! One discovery's loop, a turn at a time.

use core::net::SocketAddr;
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::time::Instant;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use rustuya_runtime::driver::{DiscoveryAction, DrivenDiscovery, LARGEST_DATAGRAM};

use crate::turns::Next;

#[derive(Debug)]
pub(crate) struct DiscoveryTask {
    discovery: DrivenDiscovery,
    /// Each with whether something may have arrived.
    sockets: Vec<(UdpSocket, bool)>,
    /// The socket that is looked at first.
    turn: usize,
    /// Until when the sockets are left alone.
    rests: Option<Instant>,
}

/// Datagrams that are taken in before others get their turn.
const FAIR_SHARE: u32 = 64;

/// How long sockets are left alone that have nothing but errors: otherwise they would keep a core busy.
const REST: Duration = Duration::from_secs(1);

impl DiscoveryTask {
    pub(crate) fn new(discovery: DrivenDiscovery, sockets: Vec<std::net::UdpSocket>) -> Self {
        let sockets = sockets.into_iter().map(|socket| (UdpSocket::from_std(socket), true)).collect();
        Self { discovery, sockets, turn: 0, rests: None }
    }

    pub(crate) fn register(&mut self, token: Token, registry: &Registry) -> io::Result<()> {
        self.sockets.iter_mut().try_for_each(|(socket, _)| registry.register(socket, token, Interest::READABLE))
    }

    /// They share a token, so any of them may be meant.
    pub(crate) fn note(&mut self) {
        self.sockets.iter_mut().for_each(|(_, ready)| *ready = true);
    }

    pub(crate) fn poll(&mut self, waker: &Waker) -> Next {
        let mut datagram = [0; LARGEST_DATAGRAM];
        let mut any = false;
        for _ in 0..FAIR_SHARE {
            let rested = self.rests.is_none_or(|until| until <= Instant::now());
            match if rested { self.receive(&mut datagram) } else { None } {
                Some(Ok((len, source))) => {
                    any = true;
                    self.discovery.receive(datagram.get_mut(..len).unwrap_or_default(), source);
                    continue;
                }
                // An error, such as an unreachable earlier destination, concerns one datagram.
                Some(Err(_)) => continue,
                None => {}
            }
            return match self.discovery.poll(waker) {
                DiscoveryAction::Sleep(until) => {
                    Next::Sleep(until.into_iter().chain(self.rests.filter(|_| !rested)).min())
                }
                DiscoveryAction::End => Next::End,
            };
        }
        if !any {
            // Nothing but errors, and at once: they are none of single datagrams.
            self.rests = Instant::now().checked_add(REST);
            tracing::warn!("announcements cannot be received at the moment");
        }
        // However much comes in: what is due is done.
        match self.discovery.poll(waker) {
            DiscoveryAction::Sleep(_) => Next::Again,
            DiscoveryAction::End => Next::End,
        }
    }

    /// Takes a datagram from the first socket that has one, in turn: a flood on one of them leaves the others theirs.
    fn receive(&mut self, into: &mut [u8]) -> Option<io::Result<(usize, SocketAddr)>> {
        let count = self.sockets.len();
        for _ in 0..count {
            let at = self.turn % count;
            self.turn = at + 1;
            let Some((socket, ready)) = self.sockets.get_mut(at).filter(|(_, ready)| *ready) else { continue };
            let result = socket.recv_from(into);
            *ready = !result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            if *ready {
                return Some(result);
            }
        }
        None
    }
}
