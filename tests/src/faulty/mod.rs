//! A device on real sockets that goes wrong on command, for tests of any driver on any runtime.
//!
//! Between its faults it is the device of `rustuya_proto::Emulator`, so it speaks every version and dialect as firmware
//! does. It needs no runtime: it has a thread that accepts, and two for each connection, which end with it. Nothing
//! here waits for the controller, so a test that runs on a single thread can drive it.

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
use serde_json::{Map, Value};

pub use builder::FaultyDeviceBuilder;
use conn::{End, Op};
pub use fault::{FLOOD_DP, Fault, POISON_DP, STALE, SUFFIX_DP};
pub use memory::{MemoryConn, MemoryNet, Read};
use port::Port;
use state::Shared;
pub use state::{Request, State};
pub use store::Write;

use crate::rng::SeededRng;

/// A device that goes wrong on command. Dropping it closes its connections and waits for its threads.
pub struct FaultyDevice {
    shared: Arc<Shared>,
    port: Mutex<Port>,
}

/// What controllers see of a device that loses its power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerLoss {
    /// Connections are reset, as by a router that sees the device leave.
    Reset,
    /// Connections stay open, and nothing ever comes from the other end. When the device is back at the same address,
    /// they are reset as soon as something is sent on them, or was in the meantime.
    Silence,
}

impl FaultyDevice {
    /// Describes a device: its id, its local key of 16 characters, the version it speaks.
    ///
    /// # Panics
    /// If id or key cannot be one: the test is wrong.
    pub fn builder(id: &str, local_key: &str, version: Version) -> FaultyDeviceBuilder {
        FaultyDeviceBuilder::new(id, local_key, version)
    }

    /// Where it accepts controllers, also while it does not.
    pub fn addr(&self) -> SocketAddr {
        self.port().address
    }

    /// The device id.
    pub fn id(&self) -> DeviceId {
        self.shared.state().config.id.clone()
    }

    /// The local key.
    pub fn key(&self) -> LocalKey {
        self.shared.state().config.local_key.clone()
    }

    /// The version that it speaks with new connections.
    pub fn version(&self) -> Version {
        self.shared.state().config.version
    }

    /// Makes the device go wrong, instead of any fault before; see [`Fault`] for when it shows.
    ///
    /// # Panics
    /// If the port cannot be listened on any more.
    pub fn set_fault(&self, fault: Fault) {
        self.change_fault(Some(fault));
    }

    /// Ends the fault. Connections that it has broken stay so.
    ///
    /// # Panics
    /// If the port cannot be listened on any more.
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

    /// Takes the power away: nothing listens, connections end as `loss` says. The DPs stay.
    pub fn power_off(&self, loss: PowerLoss) {
        self.shared.change(|state| state.powered = false);
        self.port().close();
        match loss {
            PowerLoss::Reset => self.shared.cut(End::Reset, false),
            PowerLoss::Silence => self.hold_all(false),
        }
    }

    /// Gives the power back; the port is the same.
    ///
    /// # Errors
    /// When the port cannot be listened on any more.
    pub fn power_on(&self) -> io::Result<()> {
        let mut port = self.port();
        let refuses = self.shared.change(|state| {
            state.powered = true;
            for conn in state.conns.values().filter(|conn| !conn.left) {
                // One that has just ended hears nothing any more.
                let _ = conn.ops.send(Op::Forgotten);
            }
            state.fault.as_ref().is_some_and(Fault::refuses_dials)
        });
        if refuses { Ok(()) } else { port.open(&self.shared) }
    }

    /// Gives the device another address and the same port. Connections to the old one stay open, but nothing comes
    /// from there any more, and dials to it are refused. A device without power shows at the new address when it has
    /// power again.
    ///
    /// # Errors
    /// When the port is taken at that address; nothing is changed then.
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

    /// Resets all connections, and returns when that is done. New ones are accepted.
    pub fn cut_all(&self) {
        self.shared.cut(End::Reset, true);
    }

    /// Closes all connections in the orderly way, and returns when that is done. New ones are accepted.
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
    /// If it cannot be a key.
    pub fn set_key(&self, local_key: &str) {
        let key = self::local_key(local_key);
        self.shared.change(|state| state.config.local_key = key);
        self.shared.cut(End::Reset, false);
    }

    /// Changes or adds DPs, as if by hand at the device, and pushes them to all controllers. A cid that is not known
    /// makes a new sub-device.
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

    /// Pushes `count` numbers as [`FLOOD_DP`] back to back to all controllers, and returns the first of them. The last
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

    /// Sends the report about the sub-devices to all controllers, unasked, as gateways do when one comes or goes.
    pub fn report_children(&self) {
        self.shared.state().tell(None, || Op::Report);
    }

    /// Sends one announcement from the device's address, as a device of its version does. It names that address, or
    /// `as_ip` instead.
    ///
    /// # Errors
    /// When it cannot be sent, or the device has no IPv4 address and `as_ip` is none.
    pub fn announce_to(&self, to: SocketAddr, as_ip: Option<Ipv4Addr>) -> io::Result<()> {
        let datagram = self.announcement(as_ip)?;
        UdpSocket::bind((self.addr().ip(), 0))?.send_to(&datagram, to)?;
        Ok(())
    }

    /// The datagram of [`announce_to`](Self::announce_to).
    ///
    /// # Errors
    /// When the device has no IPv4 address and `as_ip` is none.
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

    /// The requests that have arrived; see [`State::requests`].
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests().cloned().collect()
    }

    /// The requests that have arrived, which are forgotten.
    pub fn take_requests(&self) -> Vec<Request> {
        self.shared.change(State::forget_requests)
    }

    /// The DPs of the device, or of a sub-device; empty when there is none of that name.
    pub fn dps(&self, cid: Option<&str>) -> Map<String, Value> {
        self.shared.state().dps(cid)
    }

    /// Connections accepted since the device was started, those closed at once included.
    pub fn connections(&self) -> u64 {
        self.shared.state().accepted()
    }

    /// Waits until `holds`, at most for `timeout`, and returns whether it does. Blocks the thread.
    pub fn wait_for(&self, timeout: Duration, holds: impl FnMut(&State) -> bool) -> bool {
        self.shared.wait_for(timeout, holds)
    }

    /// Lets every connection fall silent and not count any more.
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
