//! The port of a faulty device and the thread that accepts on it.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use socket2::{Domain, SockRef, Socket, Type};

use super::conn;
use super::fault::Fault;
use super::state::Shared;

/// A port that stays the device's own, also while nothing listens on it.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    /// Bound, but never listening: nobody else is given the port, and dials to it are refused.
    _reservation: Socket,
    acceptor: Option<Acceptor>,
}

struct Acceptor {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Port {
    /// Reserves a port; number 0 is a free one.
    pub(super) fn reserve(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Self { address, _reservation: socket, acceptor: None })
    }

    /// Accepts connections from now on, if it does not already.
    pub(super) fn open(&mut self, shared: &Arc<Shared>) -> io::Result<()> {
        if self.acceptor.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(shared));
        let thread = thread::Builder::new()
            .name("faulty port".to_owned())
            .stack_size(conn::STACK)
            .spawn(move || accept(&listener, &stopped, &shared))?;
        self.acceptor = Some(Acceptor { stop, thread });
        Ok(())
    }

    /// Accepts nothing any more. Returns when dials are refused.
    pub(super) fn close(&mut self) {
        let Some(acceptor) = self.acceptor.take() else { return };
        acceptor.stop.store(true, Ordering::SeqCst);
        while !acceptor.thread.is_finished() {
            // Wakes the thread; when it is on its way out already, the dial fails.
            drop(TcpStream::connect_timeout(&self.address, Duration::from_millis(100)));
            thread::yield_now();
        }
        assert!(acceptor.thread.join().is_ok(), "the accepting thread of a faulty device panicked");
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, shared: &Arc<Shared>) {
    while !stop.load(Ordering::SeqCst) {
        match listener.accept() {
            Ok(_) if stop.load(Ordering::SeqCst) => return,
            Ok((stream, _)) => welcome(stream, shared),
            // Out of file descriptors, most likely: others may close some.
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Does with a new connection what the fault at hand demands.
fn welcome(stream: TcpStream, shared: &Arc<Shared>) {
    /// More connections are never kept, whoever is behind them.
    const LIMIT: usize = 64;
    shared.change(|state| {
        let number = state.accept();
        let turned_away = match state.fault {
            Some(Fault::Reset) => {
                // Without lingering, closing is resetting.
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                true
            }
            Some(Fault::AcceptAndClose) => true,
            Some(Fault::OneClientOnly) => state.live() > 0,
            _ => state.live() >= state.max_clients || state.conns.len() >= LIMIT,
        };
        state.threads.retain(|thread| !thread.is_finished());
        if !turned_away {
            // A connection that cannot be set up is dropped, which the controller notices.
            let _ = conn::start(number, stream, shared, state);
        }
    });
}
