#![doc = include_str!("../README.md")]

mod builder;
pub mod client;
mod conn;
mod craft;
mod fault;
mod filter;
mod memory;
mod port;
mod state;
mod store;
mod tap;
mod worker;

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustuya_proto::{Announcement, DeviceId, LocalKey, Version};
use rustuya_seeded::SeededRng;
use serde_json::{Map, Value};

pub use builder::FaultyDeviceBuilder;
use conn::{End, Op};
pub use fault::{FLOOD_DP, Fault, POISON_DP, STALE, SUFFIX_DP};
pub use memory::{MemoryConn, MemoryNet, Read};
use port::Port;
use state::Shared;
pub use state::{Request, State};
pub use store::Write;

/// Device with faults on command. Dropping it closes its connections and waits for its threads.
pub struct FaultyDevice {
    shared: Arc<Shared>,
    port: Mutex<Port>,
}

/// Effect of a power loss on connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerLoss {
    /// Connections are reset, as by a router that notices the loss of the device.
    Reset,
    /// Connections stay open, and the device sends nothing. When it is back at the same address, they are reset as soon
    /// as bytes arrive on them, or if bytes arrived in the meantime.
    Silence,
}

impl FaultyDevice {
    /// Creates the builder of a device with this id, local key of 16 characters, and version.
    ///
    /// # Panics
    /// If the id or the key is invalid.
    pub fn builder(id: &str, local_key: &str, version: Version) -> FaultyDeviceBuilder {
        FaultyDeviceBuilder::new(id, local_key, version)
    }

    /// Returns the address of its port, even while that is closed.
    pub fn addr(&self) -> SocketAddr {
        self.port().address
    }

    /// Returns the device id.
    pub fn id(&self) -> DeviceId {
        self.shared.state().config.id.clone()
    }

    /// Returns the local key.
    pub fn key(&self) -> LocalKey {
        self.shared.state().config.local_key.clone()
    }

    /// Returns the version of new connections.
    pub fn version(&self) -> Version {
        self.shared.state().config.version
    }

    /// Sets a fault, which replaces the previous one; [`Fault`] tells when it applies.
    ///
    /// # Panics
    /// If the port cannot be bound again.
    pub fn set_fault(&self, fault: Fault) {
        self.change_fault(Some(fault));
    }

    /// Ends the fault. Connections that it has broken stay broken.
    ///
    /// # Panics
    /// If the port cannot be bound again.
    pub fn clear_fault(&self) {
        self.change_fault(None);
    }

    fn change_fault(&self, fault: Option<Fault>) {
        let mut port = self.port();
        let resets = fault == Some(Fault::Reset);
        let (powered, refuses) = self.shared.change(|state| {
            state.store.offline = match &fault {
                Some(Fault::OfflineChild(cid)) => Some(cid.clone()),
                _ => None,
            };
            state.tell(None, || Op::Fault(fault.clone()));
            state.fault = fault;
            (state.powered, state.fault.as_ref().is_some_and(Fault::refuses_dials))
        });
        if refuses {
            port.close();
        } else if powered {
            port.open(&self.shared).expect("the port is reserved");
        }
        drop(port);
        if resets {
            self.shared.cut(End::Reset, false);
        }
    }

    /// Turns the power off: the port is closed, and `loss` tells the end of connections. Keeps the DPs.
    pub fn power_off(&self, loss: PowerLoss) {
        self.shared.change(|state| state.powered = false);
        self.port().close();
        match loss {
            PowerLoss::Reset => self.shared.cut(End::Reset, false),
            PowerLoss::Silence => self.hold_all(false),
        }
    }

    /// Turns the power on; the port is the same.
    ///
    /// # Errors
    /// Fails when the port cannot be bound again.
    pub fn power_on(&self) -> io::Result<()> {
        let mut port = self.port();
        let refuses = self.shared.change(|state| {
            state.powered = true;
            for conn in state.conns.values().filter(|conn| !conn.left) {
                // Fails for a connection that has just ended.
                let _ = conn.ops.send(Op::Forgotten);
            }
            state.fault.as_ref().is_some_and(Fault::refuses_dials)
        });
        if refuses { Ok(()) } else { port.open(&self.shared) }
    }

    /// Moves the device to another address with the same port. Connections to the old one stay open, but silent, and
    /// dials to it are refused. A device without power is at the new address once it has power again.
    ///
    /// # Errors
    /// Fails when the port is taken at that address; changes nothing then.
    pub fn move_to(&self, ip: IpAddr) -> io::Result<()> {
        let mut port = self.port();
        let mut new = port.elsewhere(ip)?;
        let listens =
            self.shared.change(|state| state.powered && !state.fault.as_ref().is_some_and(Fault::refuses_dials));
        port.close();
        self.hold_all(true);
        if listens {
            new.open(&self.shared)?;
        }
        *port = new;
        Ok(())
    }

    /// Resets all connections, and waits until that is done. New ones are accepted.
    pub fn cut_all(&self) {
        self.shared.cut(End::Reset, true);
    }

    /// Closes all connections without a reset, and waits until that is done. New ones are accepted.
    pub fn close_all(&self) {
        self.shared.cut(End::Close, true);
    }

    /// Changes the version as a firmware update does: connections are reset, and new ones speak `version`.
    pub fn set_version(&self, version: Version) {
        self.shared.change(|state| state.config.version = version);
        self.shared.cut(End::Reset, false);
    }

    /// Changes the local key as a new pairing does: connections are reset, and new ones need `local_key`.
    ///
    /// # Panics
    /// If the key is invalid.
    pub fn set_key(&self, local_key: &str) {
        let key = self::local_key(local_key);
        self.shared.change(|state| state.config.local_key = key);
        self.shared.cut(End::Reset, false);
    }

    /// Changes or adds DPs, as if by hand at the device, and pushes them to all controllers. A new cid adds a
    /// sub-device.
    ///
    /// # Panics
    /// If `dps` is not an object of DP numbers.
    pub fn push(&self, cid: Option<&str>, dps: Value) {
        let dps = object(dps);
        let text = Value::Object(dps.clone()).to_string();
        self.shared.change(|state| {
            state.store.set(cid, &dps);
            state.tell(None, || Op::Push { cid: cid.map(str::to_owned), dps: text.clone() });
        });
    }

    /// Pushes `count` numbers as [`FLOOD_DP`] without a pause to all controllers. Returns the first number. The last
    /// one becomes the value of the DP.
    pub fn flood(&self, count: u32) -> u64 {
        self.shared.change(|state| {
            let first = state.flood(count);
            let last = first + u64::from(count) - 1;
            state.store.set(None, &object(serde_json::json!({ FLOOD_DP: last })));
            state.tell(None, || Op::Flood { first, count });
            first
        })
    }

    /// Sends a report of the sub-devices to all controllers, as gateways do when one goes online or offline.
    pub fn report_children(&self) {
        self.shared.state().tell(None, || Op::Report);
    }

    /// Sends one announcement from the device's address, as a device of its version does. It names that address, or
    /// `as_ip` instead.
    ///
    /// # Errors
    /// Fails when it cannot be sent, or the device has no IPv4 address and `as_ip` is none.
    pub fn announce_to(&self, to: SocketAddr, as_ip: Option<Ipv4Addr>) -> io::Result<()> {
        let datagram = self.announcement(as_ip)?;
        UdpSocket::bind((self.addr().ip(), 0))?.send_to(&datagram, to)?;
        Ok(())
    }

    /// Returns the datagram of [`announce_to`](Self::announce_to).
    ///
    /// # Errors
    /// Fails when the device has no IPv4 address and `as_ip` is none.
    pub fn announcement(&self, as_ip: Option<Ipv4Addr>) -> io::Result<Vec<u8>> {
        let ip = self.addr().ip();
        let named = match (as_ip, ip) {
            (Some(named), _) | (None, IpAddr::V4(named)) => named,
            (None, IpAddr::V6(_)) => return Err(io::ErrorKind::Unsupported.into()),
        };
        let (id, version) = (self.id(), self.version());
        let announcement = Announcement::new(id.as_str(), named, version);
        let mut rng = SeededRng::new(self.shared.seed ^ self.shared.now().as_micros());
        let iv = core::array::from_fn(|_| rng.bits() as u8);
        let mut datagram = [0; 512];
        let len = announcement.write(&iv, &mut datagram).map_err(io::Error::other)?;
        Ok(datagram[..len].to_vec())
    }

    /// Returns the received requests; see [`State::requests`].
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests().cloned().collect()
    }

    /// Takes the received requests.
    pub fn take_requests(&self) -> Vec<Request> {
        self.shared.change(State::forget_requests)
    }

    /// Returns the DPs of the device or a sub-device; empty for an unknown one.
    pub fn dps(&self, cid: Option<&str>) -> Map<String, Value> {
        self.shared.state().dps(cid)
    }

    /// Returns the number of accepted connections since the start, including those closed at once.
    pub fn connections(&self) -> u64 {
        self.shared.state().accepted()
    }

    /// Waits until `holds` is true, at most for `timeout`. Returns whether it is. Blocks the thread.
    pub fn wait_for(&self, timeout: Duration, holds: impl FnMut(&State) -> bool) -> bool {
        self.shared.wait_for(timeout, holds)
    }

    /// Makes every connection silent, and stops counting it.
    fn hold_all(&self, left: bool) {
        self.shared.change(|state| {
            state.tell(None, || Op::Hold);
            for conn in state.conns.values_mut() {
                conn.held = true;
                conn.left |= left;
            }
        });
    }

    fn port(&self) -> MutexGuard<'_, Port> {
        self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FaultyDevice {
    fn drop(&mut self) {
        self.port().close();
        self.shared.cut(End::Close, true);
        let threads = core::mem::take(&mut self.shared.state().threads);
        let panicked = threads.into_iter().filter_map(|thread| thread.join().err()).count();
        if !std::thread::panicking() {
            assert_eq!(panicked, 0, "threads of a faulty device panicked");
        }
    }
}

impl core::fmt::Debug for FaultyDevice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FaultyDevice").field("id", &self.id()).field("addr", &self.addr()).finish_non_exhaustive()
    }
}

fn local_key(text: &str) -> LocalKey {
    LocalKey::from_text(text).unwrap_or_else(|error| panic!("the local key: {error}"))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("not an object of DPs: {other}"),
    }
}
