//! Port of a faulty device, and the thread that accepts on it.

use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use socket2::{Domain, SockRef, Socket, Type};

use crate::conn::{self, End};
use crate::fault::Fault;
use crate::state::{Shared, State};

/// Port that stays reserved for the device while it is closed.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    place: Place,
}

enum Place {
    Socket {
        /// Bound, but never listening: the system gives the port to no one else, and refuses dials to it.
        _reservation: Socket,
        acceptor: Option<Acceptor>,
    },
    Memory(Spot),
}

/// Port on a network in memory: its address, and whether it is open.
pub(crate) type Spot = Arc<Mutex<(SocketAddr, bool)>>;

struct Acceptor {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Port {
    /// Reserves a port; number 0 is a free one.
    pub(crate) fn reserve(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Self { address, place: Place::Socket { _reservation: socket, acceptor: None } })
    }

    /// Creates a port on a network in memory.
    pub(crate) fn in_memory(address: SocketAddr) -> Self {
        Self { address, place: Place::Memory(Arc::new(Mutex::new((address, false)))) }
    }

    /// Creates the port of the same device at another address.
    pub(crate) fn elsewhere(&self, ip: IpAddr) -> io::Result<Self> {
        let address = SocketAddr::new(ip, self.address.port());
        match &self.place {
            Place::Socket { .. } => Self::reserve(address),
            Place::Memory(spot) => {
                *lock(spot) = (address, false);
                Ok(Self { address, place: Place::Memory(Arc::clone(spot)) })
            }
        }
    }

    /// Returns its entry in the network, if it is in memory.
    pub(crate) const fn spot(&self) -> Option<&Spot> {
        match &self.place {
            Place::Socket { .. } => None,
            Place::Memory(spot) => Some(spot),
        }
    }

    /// Starts to accept connections, unless it does.
    pub(crate) fn open(&mut self, shared: &Arc<Shared>) -> io::Result<()> {
        let acceptor = match &mut self.place {
            Place::Socket { acceptor, .. } => acceptor,
            Place::Memory(spot) => {
                *lock(spot) = (self.address, true);
                return Ok(());
            }
        };
        if acceptor.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(shared));
        let thread = thread::Builder::new()
            .name("faulty port".to_owned())
            .stack_size(conn::STACK)
            .spawn(move || accept(&listener, &stopped, &shared))?;
        *acceptor = Some(Acceptor { stop, thread });
        Ok(())
    }

    /// Stops accepting. Returns once dials are refused.
    pub(crate) fn close(&mut self) {
        let acceptor = match &mut self.place {
            Place::Socket { acceptor, .. } => acceptor.take(),
            Place::Memory(spot) => {
                lock(spot).1 = false;
                None
            }
        };
        let Some(acceptor) = acceptor else { return };
        acceptor.stop.store(true, Ordering::SeqCst);
        while !acceptor.thread.is_finished() {
            // Wakes the thread; fails if the thread is ending already.
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
            Ok((stream, _)) => handle_connection(stream, shared),
            // Probably out of file descriptors: other threads may close some.
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Handles a new connection as the present fault demands.
fn handle_connection(stream: TcpStream, shared: &Arc<Shared>) {
    shared.change(|state| {
        let number = state.accept();
        let turned_away = rejection(state);
        if turned_away == Some(End::Reset) {
            // Without lingering, a close is a reset.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        state.threads.retain(|thread| !thread.is_finished());
        if turned_away.is_none() {
            // A connection that cannot be set up is closed by its drop.
            let _ = conn::start(number, stream, shared, state);
        }
    });
}

/// Returns the end of a new connection that is not kept.
pub(crate) fn rejection(state: &State) -> Option<End> {
    /// Largest number of connections, including those of a device without power.
    const LIMIT: usize = 64;
    let turned_away = match state.fault {
        Some(Fault::Reset) => return Some(End::Reset),
        Some(Fault::AcceptAndClose) => true,
        Some(Fault::OneClientOnly) => state.live() > 0,
        _ => state.live() >= state.max_clients || state.conns.len() >= LIMIT,
    };
    turned_away.then_some(End::Close)
}

fn lock(spot: &Spot) -> MutexGuard<'_, (SocketAddr, bool)> {
    spot.lock().unwrap_or_else(PoisonError::into_inner)
}
