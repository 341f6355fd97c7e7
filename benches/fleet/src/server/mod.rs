//! Server of the virtual devices: one thread, one listening socket, one state for each connection.
//!
//! The socket listens on every address of the loopback interface, and of no other; the dialed address selects the
//! device.

mod connection;
mod orders;
mod session;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, Result};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rustuya_proto::Version;
use slab::Slab;
use socket2::{Domain, Protocol, Socket, Type};

use crate::control::{Back, Counts};
use crate::usage;
use crate::virtual_device::{EXTRA, MAX_DEVICES, VirtualDevice};
use connection::{Connection, State};
use orders::Orders;
use session::{Out, Session};

const DEVICES: Token = Token(0);
const ORDERS: Token = Token(1);
const ORDER_LINE: Token = Token(2);
const FIRST_CONNECTION: usize = 3;

/// Runs `devices` virtual devices until the control connection is closed. Prints the port of the devices and that of
/// the control connection first. With `replay`, devices beyond those use their local key without negotiation.
pub(crate) fn run(devices: usize, version: Version, replay: bool) -> Result<()> {
    anyhow::ensure!(devices <= MAX_DEVICES, "at most {MAX_DEVICES} devices");
    usage::raise_file_limit(devices + EXTRA)?;
    let poll = Poll::new()?;
    let mut listener = listen()?;
    let port = listener.local_addr()?.port();
    poll.registry().register(&mut listener, DEVICES, Interest::READABLE)?;
    let orders = Orders::new(poll.registry())?;
    println!("ready {port} {}", orders.port()?);
    std::io::stdout().flush()?;
    Server::new(poll, listener, orders, devices, version, replay).run()
}

fn listen() -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind_device(Some(b"lo")).context("the socket cannot be tied to the loopback interface `lo`")?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(socket.into()))
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    orders: Orders,
    connections: Slab<Connection>,
    version: Version,
    replay: bool,
    /// Ready connections of each device.
    ready: Vec<u32>,
    fleet: usize,
    replies: Out,
    rng: StdRng,
    counts: Counts,
    cut: Option<Cut>,
}

/// Last cut of the connections.
struct Cut {
    at: std::time::Instant,
    connections: u64,
    back: Back,
}

impl Server {
    fn new(poll: Poll, listener: TcpListener, orders: Orders, fleet: usize, version: Version, replay: bool) -> Self {
        Self {
            poll,
            listener,
            orders,
            connections: Slab::with_capacity(fleet + EXTRA),
            version,
            replay,
            ready: vec![0; fleet + EXTRA],
            fleet,
            replies: Vec::new(),
            rng: StdRng::from_rng(&mut rand::rng()),
            counts: Counts::default(),
            cut: None,
        }
    }

    fn run(mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token() {
                    DEVICES => self.accept()?,
                    ORDERS => self.orders.accept(self.poll.registry())?,
                    ORDER_LINE => {
                        while let Some(line) = self.orders.next()? {
                            let answer = self.execute(&line);
                            self.orders.answer(&answer)?;
                        }
                        if self.orders.ended() {
                            return Ok(());
                        }
                    }
                    Token(token) => self.turn(token - FIRST_CONNECTION, event),
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let (mut stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // The client closed before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("a connection cannot be accepted"),
            };
            self.counts.accepted += 1;
            stream.set_nodelay(true)?;
            let index = match stream.local_addr()?.ip() {
                IpAddr::V4(address) => VirtualDevice::index_of(address),
                IpAddr::V6(_) => None,
            };
            let Some(index) = index.filter(|index| *index < self.ready.len()) else {
                self.counts.refused += 1;
                continue;
            };
            let negotiates = self.version.negotiates() && !(self.replay && index >= self.fleet);
            let session = Session::new(VirtualDevice::new(index), self.version, negotiates, &mut self.rng)?;
            let entry = self.connections.vacant_entry();
            let token = Token(entry.key() + FIRST_CONNECTION);
            self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            let key = entry.key();
            entry.insert(Connection::new(stream, index, session));
            self.note_ready(key);
        }
    }

    fn turn(&mut self, key: usize, event: &Event) {
        // The connection may have been closed by an event before this one.
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let mut state = State::Open;
        if event.is_writable() {
            state = connection.flush();
        }
        if state == State::Open && event.is_readable() {
            state = connection.read(&mut self.replies, &mut self.rng, &mut self.counts);
        }
        self.note_ready(key);
        self.settle(key, state);
    }

    fn settle(&mut self, key: usize, state: State) {
        match state {
            State::Open => return,
            State::Ended => {}
            State::Refused => self.counts.refused += 1,
        }
        let connection = self.connections.remove(key);
        if connection.counted {
            self.note(connection.index, -1);
        }
    }

    fn note_ready(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key)
            && connection.is_ready()
            && !connection.counted
        {
            connection.counted = true;
            let index = connection.index;
            self.note(index, 1);
        }
    }

    /// Updates the count of devices with a ready connection.
    fn note(&mut self, index: usize, change: i32) {
        let Some(ready) = self.ready.get_mut(index).filter(|_| index < self.fleet) else {
            return;
        };
        let before = *ready;
        *ready = before.saturating_add_signed(change);
        match (before, *ready) {
            (0, 1..) => self.counts.ready += 1,
            (1.., 0) => self.counts.ready -= 1,
            _ => return,
        }
        if let Some(cut) = &mut self.cut {
            let since = cut.at.elapsed().as_secs_f64();
            if self.counts.ready >= cut.connections.div_ceil(2) {
                cut.back.half.get_or_insert(since);
            }
            if self.counts.ready >= cut.connections {
                cut.back.all.get_or_insert(since);
            }
        }
    }

    /// Returns the keys of the fleet's connections.
    fn fleet(&self) -> Vec<usize> {
        self.connections.iter().filter(|(_, one)| one.index < self.fleet).map(|(key, _)| key).collect()
    }

    fn execute(&mut self, line: &str) -> String {
        match self.try_execute(line) {
            Ok(answer) => format!("ok {answer}\n"),
            Err(error) => format!("error {error:#}\n"),
        }
    }

    fn try_execute(&mut self, line: &str) -> Result<String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "prepare" => self.prepare(rest.parse()?),
            "burst" => {
                for key in self.fleet() {
                    let state = self.connections.get_mut(key).map_or(State::Open, Connection::burst);
                    self.settle(key, state);
                }
                Ok(String::new())
            }
            "cut" => {
                let connections = self.counts.ready;
                let at = std::time::Instant::now();
                self.cut = None;
                for key in self.fleet() {
                    self.settle(key, State::Ended);
                }
                self.cut = Some(Cut { at, connections, back: Back::default() });
                Ok(connections.to_string())
            }
            "back" => Ok(serde_json::to_string(&self.cut.as_ref().context("nothing was cut")?.back)?),
            "counts" => {
                self.counts.cpu_us = u64::try_from(usage::cpu()?.as_micros())?;
                Ok(serde_json::to_string(&self.counts)?)
            }
            _ => anyhow::bail!("unknown order"),
        }
    }

    fn prepare(&mut self, count: usize) -> Result<String> {
        let mut all = 0;
        for key in self.fleet() {
            if let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.is_ready()) {
                connection.prepare(count)?;
                all += u64::try_from(count)?;
            }
        }
        self.counts.pushes += all;
        Ok(all.to_string())
    }
}
