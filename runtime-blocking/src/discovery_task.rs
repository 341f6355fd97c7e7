//! Task of one discovery.

use core::net::SocketAddr;
use core::task::Waker;
use core::time::Duration;
use std::io;
use std::time::Instant;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use rustuya_runtime::driver::{DiscoveryAction, DrivenDiscovery, LARGEST_DATAGRAM};

use crate::next::Next;

#[derive(Debug)]
pub(crate) struct DiscoveryTask {
    discovery: DrivenDiscovery,
    /// Sockets, each with whether datagrams may have arrived.
    sockets: Vec<(UdpSocket, bool)>,
    /// Index of the socket to read first.
    next_socket: usize,
    /// End of the pause in which the sockets are not read.
    paused_until: Option<Instant>,
}

/// Most datagrams to receive before other tasks run.
const FAIR_SHARE: u32 = 64;

/// Pause after reads that all returned errors: without it they would keep a core busy.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

impl DiscoveryTask {
    pub(crate) fn new(discovery: DrivenDiscovery, sockets: Vec<std::net::UdpSocket>) -> Self {
        let sockets = sockets.into_iter().map(|socket| (UdpSocket::from_std(socket), true)).collect();
        Self { discovery, sockets, next_socket: 0, paused_until: None }
    }

    pub(crate) fn register(&mut self, token: Token, registry: &Registry) -> io::Result<()> {
        self.sockets.iter_mut().try_for_each(|(socket, _)| registry.register(socket, token, Interest::READABLE))
    }

    /// Marks all sockets as readable, because they share a token.
    pub(crate) fn on_event(&mut self) {
        self.sockets.iter_mut().for_each(|(_, ready)| *ready = true);
    }

    pub(crate) fn poll(&mut self, waker: &Waker) -> Next {
        let mut datagram = [0; LARGEST_DATAGRAM];
        let mut any = false;
        for _ in 0..FAIR_SHARE {
            let may_read = self.paused_until.is_none_or(|until| until <= Instant::now());
            match if may_read { self.receive(&mut datagram) } else { None } {
                Some(Ok((len, source))) => {
                    any = true;
                    self.discovery.receive(datagram.get_mut(..len).unwrap_or_default(), source);
                    continue;
                }
                // An error, such as an unreachable earlier destination, belongs to one datagram.
                Some(Err(_)) => continue,
                None => {}
            }
            return match self.discovery.poll(waker) {
                DiscoveryAction::Sleep(until) => {
                    Next::Sleep(until.into_iter().chain(self.paused_until.filter(|_| !may_read)).min())
                }
                DiscoveryAction::End => Next::End,
            };
        }
        if !any {
            // Only errors, without any wait: they do not belong to single datagrams.
            self.paused_until = Instant::now().checked_add(ERROR_PAUSE);
            tracing::warn!("announcements cannot be received at the moment");
        }
        // Runs timers that are due, however much arrives.
        match self.discovery.poll(waker) {
            DiscoveryAction::Sleep(_) => Next::Again,
            DiscoveryAction::End => Next::End,
        }
    }

    /// Receives a datagram from the next socket that has one. The sockets take turns, so that a flood on one does not
    /// starve the others.
    fn receive(&mut self, into: &mut [u8]) -> Option<io::Result<(usize, SocketAddr)>> {
        let count = self.sockets.len();
        for _ in 0..count {
            let at = self.next_socket % count;
            self.next_socket = at + 1;
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
