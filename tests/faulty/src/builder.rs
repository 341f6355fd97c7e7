//! Builder of a faulty device.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustuya_proto::{DeviceId, Dialect, EmulatorConfig, UnknownQuirk, Version};
use serde_json::Value;

use crate::memory::MemoryNet;
use crate::port::Port;
use crate::state::{Clock, Shared};
use crate::store::Store;
use crate::{FaultyDevice, object};

/// Describes a faulty device; made by [`FaultyDevice::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before start"]
pub struct FaultyDeviceBuilder {
    config: EmulatorConfig,
    store: Store,
    bind: SocketAddr,
    max_clients: usize,
    seed: u64,
}

impl FaultyDeviceBuilder {
    pub(crate) fn new(id: &str, local_key: &str, version: Version) -> Self {
        let id = DeviceId::new(id).unwrap_or_else(|error| panic!("the device id {id:?}: {error}"));
        Self {
            config: EmulatorConfig::new(id, version, crate::local_key(local_key)),
            store: Store::default(),
            bind: (Ipv4Addr::LOCALHOST, 0).into(),
            max_clients: 3,
            seed: 1,
        }
    }

    /// Sets the dialect; ignored for 3.2, which is always device22.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.dialect = dialect;
        self
    }

    /// Adds DPs, an object by DP number. Controllers can write existing DPs, with values of the same type.
    ///
    /// # Panics
    /// If `dps` is not an object of DP numbers.
    pub fn dps(mut self, dps: Value) -> Self {
        self.store.set(None, &object(dps));
        self
    }

    /// Adds a sub-device, which makes this a gateway. A gateway without DPs of its own refuses queries for them.
    ///
    /// # Panics
    /// As [`dps`](Self::dps).
    pub fn sub(mut self, cid: &str, dps: Value) -> Self {
        self.store.set(Some(cid), &object(dps));
        self
    }

    /// Turns on a quirk by its name, one of [`Quirks::NAMES`](rustuya_proto::Quirks::NAMES). Can be repeated.
    ///
    /// # Errors
    /// [`UnknownQuirk`].
    pub fn quirk(mut self, name: &str) -> Result<Self, UnknownQuirk> {
        self.config.quirks.set(name)?;
        Ok(self)
    }

    /// Sets the address, 127.0.0.1 by default, with a free port.
    pub const fn bind(mut self, ip: IpAddr) -> Self {
        self.bind = SocketAddr::new(ip, self.bind.port());
        self
    }

    /// Sets the port: for several devices with one port and different addresses, as on a real network.
    pub const fn port(mut self, port: u16) -> Self {
        self.bind = SocketAddr::new(self.bind.ip(), port);
        self
    }

    /// Limits the simultaneous controllers, 3 by default. More are accepted and closed at once.
    pub const fn max_clients(mut self, limit: usize) -> Self {
        self.max_clients = limit;
        self
    }

    /// Sets the idle time after which the device closes a connection, 30 s by default.
    pub const fn idle(mut self, limit: Duration) -> Self {
        self.config.idle = limit;
        self
    }

    /// Sets the seed of the device's random numbers. The same seed gives the same nonces: for tests only.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Puts the device on the network.
    ///
    /// # Errors
    /// Fails when the address or port cannot be bound.
    pub fn start(mut self) -> io::Result<FaultyDevice> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.config.clock = since_1970.as_secs();
        let port = Port::reserve(self.bind)?;
        self.put(port, Clock::Real(std::time::Instant::now()))
    }

    /// Puts the device on a network in memory, at a free address if none was given.
    ///
    /// # Panics
    /// If another device has this address and port.
    #[must_use]
    pub fn start_in(self, net: &MemoryNet) -> FaultyDevice {
        let port = net.reserve(self.bind);
        let device = self.put(port, net.clock()).expect("memory has no limits");
        net.enter(&device.shared, &device.port.lock().unwrap_or_else(PoisonError::into_inner));
        device
    }

    fn put(self, port: Port, clock: Clock) -> io::Result<FaultyDevice> {
        let shared = Arc::new(Shared::new(self.config, self.store, self.max_clients, self.seed, clock));
        let device = FaultyDevice { shared, port: Mutex::new(port) };
        device.port.lock().unwrap_or_else(PoisonError::into_inner).open(&device.shared)?;
        Ok(device)
    }
}
