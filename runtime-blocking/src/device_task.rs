//! Task of one device. It executes the actions of the link and decides nothing.

use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustuya_runtime::driver::{
    Action, Candidates, Destination, DirectWriter, DrivenLink, LookingUp, Transport, look_up, loss, reset_on_drop,
    unresolved,
};
use rustuya_runtime::proto::LossReason;

use crate::next::Next;

pub(crate) struct DeviceTask {
    link: DrivenLink,
    wire: Wire,
    candidates: Candidates,
    ready: Ready,
}

enum Wire {
    Off,
    LookingUp(LookingUp),
    Dialing(TcpStream),
    Up(Arc<TcpStream>),
}

/// Readiness of the socket. The selector is edge-triggered: it reports only changes.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    read: bool,
    write: bool,
    /// The other end has closed: reads continue to the end without further events.
    ended: bool,
}

impl DeviceTask {
    pub(crate) fn new(link: DrivenLink) -> Self {
        Self { link, wire: Wire::Off, candidates: Candidates::default(), ready: Ready::default() }
    }

    pub(crate) fn on_event(&mut self, event: &Event) {
        self.ready.ended |= event.is_read_closed() || event.is_error();
        self.ready.read |= event.is_readable() || self.ready.ended;
        self.ready.write |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    pub(crate) fn close(&self) {
        self.link.close();
    }

    pub(crate) fn run(&mut self, waker: &Waker, token: Token, registry: &Registry) -> Next {
        loop {
            self.finish_look_up(waker, token, registry);
            self.finish_dial(token, registry);
            let mut ends = match &self.wire {
                Wire::Up(stream) => Some(Ends { stream, ready: &mut self.ready }),
                Wire::Off | Wire::LookingUp(_) | Wire::Dialing(_) => None,
            };
            match self.link.poll(ends.as_mut().map(|ends| ends as &mut dyn Transport), waker) {
                Action::Dial(Destination::Socket(to)) => {
                    self.candidates.begin(vec![to]);
                    self.dial(LossReason::Other, token, registry);
                }
                Action::Dial(Destination::Name(name, port)) => self.wire = Wire::LookingUp(look_up(&name, port)),
                Action::Hangup => self.hang_up(registry),
                Action::Reset => {
                    self.reset();
                    self.hang_up(registry);
                }
                Action::Again => return Next::Again,
                Action::Sleep(until) => return Next::Sleep(until),
                Action::End => return Next::End,
            }
        }
    }

    /// Polls the look-up of the host name.
    fn finish_look_up(&mut self, waker: &Waker, token: Token, registry: &Registry) {
        let Wire::LookingUp(looking) = &mut self.wire else { return };
        let Poll::Ready(found) = looking.as_mut().poll(&mut Context::from_waker(waker)) else { return };
        self.wire = Wire::Off;
        let why = match found {
            Ok(found) => {
                self.candidates.begin(found);
                LossReason::Unresolved
            }
            Err(error) => {
                tracing::debug!(id = self.link.id(), %error, "the host name cannot be looked up");
                unresolved(&error)
            }
        };
        self.dial(why, token, registry);
    }

    /// Dials the next address; if there is none, reports the loss with this reason.
    fn dial(&mut self, mut failed: LossReason, token: Token, registry: &Registry) {
        for to in self.candidates.by_ref() {
            self.link.resolved(to);
            match dial(to, token, registry) {
                Ok(stream) => {
                    self.ready = Ready::default();
                    self.wire = Wire::Dialing(stream);
                    return;
                }
                Err(error) => failed = loss(&error),
            }
        }
        self.link.lost(failed);
    }

    /// Checks whether the dial has succeeded.
    fn finish_dial(&mut self, token: Token, registry: &Registry) {
        let Wire::Dialing(stream) = &self.wire else { return };
        if !self.ready.write {
            return;
        }
        match is_connected(stream) {
            Ok(false) => self.ready.write = false,
            Ok(true) => {
                if let Wire::Dialing(stream) = core::mem::replace(&mut self.wire, Wire::Off) {
                    let stream = Arc::new(stream);
                    self.candidates.on_connected();
                    self.link.dialed(Some(Arc::new(Writer(Arc::clone(&stream)))));
                    self.wire = Wire::Up(stream);
                }
            }
            Err(why) => {
                self.hang_up(registry);
                self.dial(why, token, registry);
            }
        }
    }

    /// Makes the drop of the connection reset it.
    fn reset(&self) {
        if let Wire::Up(stream) = &self.wire
            && let Err(error) = reset_on_drop(&**stream)
        {
            tracing::debug!(%error, "a connection could not be reset");
        }
    }

    fn hang_up(&mut self, registry: &Registry) {
        let stream = match core::mem::replace(&mut self.wire, Wire::Off) {
            Wire::Off | Wire::LookingUp(_) => None,
            Wire::Dialing(stream) => Some(stream),
            // The link dropped the direct writer before it returned the action.
            Wire::Up(stream) => Arc::into_inner(stream),
        };
        if let Some(mut stream) = stream
            && let Err(error) = registry.deregister(&mut stream)
        {
            tracing::debug!(%error, "a closed connection was not listed");
        }
    }
}

impl Drop for DeviceTask {
    fn drop(&mut self) {
        if self.link.is_cut() {
            self.reset();
        }
    }
}

fn dial(to: SocketAddr, token: Token, registry: &Registry) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(to)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

/// Returns whether a dial has succeeded. Then turns Nagle's delay off: some firmware discards a frame that arrives in
/// two segments.
fn is_connected(stream: &TcpStream) -> Result<bool, LossReason> {
    if let Some(error) = stream.take_error().map_err(|error| loss(&error))? {
        return Err(loss(&error));
    }
    match stream.peer_addr() {
        Ok(_) => stream.set_nodelay(true).map(|()| true).map_err(|error| loss(&error)),
        // A spurious wake-up.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(loss(&error)),
    }
}

/// Connection with its readiness, during one run.
struct Ends<'a> {
    stream: &'a TcpStream,
    ready: &'a mut Ready,
}

impl Transport for Ends<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !self.ready.read {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut stream = self.stream;
        let result = stream.read(into);
        match &result {
            Ok(n) if *n > 0 && *n < into.len() && REPORTS_MORE && !self.ready.ended => self.ready.read = false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.ready.read = false,
            _ => {}
        }
        result
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.ready.write {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut stream = self.stream;
        let result = stream.write(bytes);
        if result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.ready.write = false;
        }
        result
    }
}

/// True if the selector reports the next bytes, and the end, after a read that left room. On other systems it does so
/// only after a read that returned `WouldBlock`.
const REPORTS_MORE: bool = cfg!(any(target_os = "linux", target_os = "android"));

#[derive(Debug)]
struct Writer(Arc<TcpStream>);

impl DirectWriter for Writer {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = &*self.0;
        stream.write(bytes)
    }
}

impl core::fmt::Debug for DeviceTask {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DeviceTask").field("link", &self.link).finish_non_exhaustive()
    }
}
