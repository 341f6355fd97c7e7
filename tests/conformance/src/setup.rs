//! Devices of a scenario, and their configuration at the controller.

use rustuya_faulty::Fault;
use rustuya_proto::{Dialect, Version};
use rustuya_runtime::Pacing;
use serde_json::{Value, json};

use crate::scenario::{Ms, Need};

/// Device with its configuration at the controller.
#[derive(Clone, Debug)]
#[must_use]
pub struct Setup {
    /// True if it has the id of the first device, as the same device at another address.
    pub twin: bool,
    /// Last byte of its address, if it has the port of the first device.
    pub elsewhere: Option<u8>,
    /// Its version, instead of the scenario's.
    pub version: Option<Version>,
    /// Its dialect.
    pub dialect: Dialect,
    /// Its DPs.
    pub dps: Value,
    /// Its sub-devices with their DPs.
    pub subs: Vec<(&'static str, Value)>,
    /// Quirks of the emulator by name.
    pub quirks: Vec<&'static str>,
    /// Fault from the beginning.
    pub fault: Option<Fault>,
    /// True if it has no power at the beginning.
    pub off: bool,
    /// Configuration at the controller.
    pub known: Known,
    /// Its holder from the beginning.
    pub held: Holder,
}

/// Configuration of a device at the controller.
#[derive(Clone, Debug)]
pub struct Known {
    /// True if the address is configured; otherwise announcements tell it. The port is always configured.
    pub address: bool,
    /// The configured version.
    pub speaks: ConfiguredVersion,
    /// Oldest accepted version; `None` is 3.1 for a device of 3.1, else the default.
    pub min_version: Option<Version>,
    /// Configured key, if it is another one.
    pub key: Option<&'static str>,
    /// Configured dialect.
    pub dialect: Option<Dialect>,
    /// True if the idle connection is kept.
    pub persist: bool,
    /// True if commands are done when they are queued.
    pub nowait: bool,
    /// Time limit of a command for the connection.
    pub command_timeout: Ms,
    /// Time limit of a command for its answer.
    pub answer: Ms,
    /// Idle time after which a heartbeat is sent.
    pub heartbeat: Ms,
    /// First and longest delay between attempts.
    pub backoff: (Ms, Ms),
    /// Spacing of commands.
    pub pacing: Pacing,
    /// True if announcements are received.
    pub discovered: bool,
    /// Largest received frame, in bytes.
    pub receive_limit: usize,
    /// Memory limit of the device, in bytes.
    pub memory_limit: usize,
    /// True if the state is queried on each connection. Off, unlike the default: scenarios count requests.
    pub query_on_connect: bool,
}

/// Configured version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfiguredVersion {
    /// The device's present version.
    Right,
    /// None: it is detected.
    Auto,
    /// This one.
    Only(Version),
}

/// Holder of a device from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A handle of its own.
    Alone,
    /// The first manager.
    Manager,
    /// None before a step adds it.
    Nobody,
}

impl Setup {
    /// A lamp with a switch, a brightness and a mode, with a complete configuration.
    pub fn lamp() -> Self {
        Self {
            twin: false,
            elsewhere: None,
            version: None,
            dialect: Dialect::Default,
            dps: json!({ "1": false, "2": 50, "3": "white" }),
            subs: Vec::new(),
            quirks: Vec::new(),
            fault: None,
            off: false,
            known: Known {
                address: true,
                speaks: ConfiguredVersion::Right,
                min_version: None,
                key: None,
                dialect: None,
                persist: true,
                nowait: false,
                command_timeout: 8_000,
                answer: 2_000,
                heartbeat: 10_000,
                backoff: (40, 160),
                pacing: Pacing::NONE,
                discovered: false,
                receive_limit: 65_536,
                memory_limit: 262_144,
                query_on_connect: false,
            },
            held: Holder::Alone,
        }
    }

    /// A gateway with a plug and a sensor.
    pub fn gateway() -> Self {
        let plug = ("plug", json!({ "1": false, "9": 7 }));
        let sensor = ("sensor", json!({ "4": 21, "5": "dry" }));
        Self { dps: json!({ "32": "armed" }), subs: vec![plug, sensor], ..Self::lamp() }
    }

    /// With these DPs.
    pub fn dps(self, dps: Value) -> Self {
        Self { dps, ..self }
    }

    /// With another quirk.
    pub fn quirk(mut self, name: &'static str) -> Self {
        self.quirks.push(name);
        self
    }

    /// With a fault.
    pub fn fault(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// With device22 firmware.
    pub fn device22(self) -> Self {
        Self { dialect: Dialect::Device22, ..self }
    }

    /// Of this version, independent of the scenario's.
    pub fn of(self, version: Version) -> Self {
        Self { version: Some(version), ..self }
    }

    /// With the id of the first device.
    pub fn twin(self) -> Self {
        Self { twin: true, ..self }
    }

    /// With the id and the port of the first device, at another address.
    pub fn elsewhere(self, last: u8) -> Self {
        Self { twin: true, elsewhere: Some(last), ..self }
    }

    /// Without power.
    pub fn off(self) -> Self {
        Self { off: true, ..self }
    }

    /// Holder by the first manager.
    pub fn managed(self) -> Self {
        Self { held: Holder::Manager, ..self }
    }

    /// Without a holder.
    pub fn unheld(self) -> Self {
        Self { held: Holder::Nobody, ..self }
    }

    /// The configured version.
    pub fn speaks(mut self, speaks: ConfiguredVersion) -> Self {
        self.known.speaks = speaks;
        self
    }

    /// Oldest accepted version.
    pub fn min_version(mut self, version: Version) -> Self {
        self.known.min_version = Some(version);
        self
    }

    /// Configured dialect.
    pub fn knows_dialect(mut self, dialect: Dialect) -> Self {
        self.known.dialect = Some(dialect);
        self
    }

    /// Configures a wrong key.
    pub fn wrong_key(mut self) -> Self {
        self.known.key = Some(OTHER_KEY);
        self
    }

    /// Time limit of commands for the connection.
    pub fn command_timeout(mut self, limit: Ms) -> Self {
        self.known.command_timeout = limit;
        self
    }

    /// Time limit of commands for their answer.
    pub fn answer(mut self, limit: Ms) -> Self {
        self.known.answer = limit;
        self
    }

    /// Idle time before a heartbeat.
    pub fn heartbeat(mut self, after: Ms) -> Self {
        self.known.heartbeat = after;
        self
    }

    /// Delays between attempts.
    pub fn backoff(mut self, first: Ms, longest: Ms) -> Self {
        self.known.backoff = (first, longest);
        self
    }

    /// Spacing of commands.
    pub fn pacing(mut self, pacing: Pacing) -> Self {
        self.known.pacing = pacing;
        self
    }

    /// The largest frame that is received.
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.known.receive_limit = bytes;
        self
    }

    /// Memory limit of the device.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.known.memory_limit = bytes;
        self
    }

    /// Queries the state on each connection.
    pub fn queries_on_connect(mut self) -> Self {
        self.known.query_on_connect = true;
        self
    }

    /// Makes commands done when they are queued.
    pub fn nowait(mut self) -> Self {
        self.known.nowait = true;
        self
    }

    /// Connects only when it is needed.
    pub fn unkept(mut self) -> Self {
        self.known.persist = false;
        self
    }

    /// Receives announcements.
    pub fn discovered(mut self) -> Self {
        self.known.discovered = true;
        self
    }

    /// Configures no address: announcements tell it.
    pub fn unlocated(mut self) -> Self {
        self.known.address = false;
        self.discovered()
    }
}

impl Setup {
    pub(crate) fn needs(&self) -> Vec<Need> {
        let known = &self.known;
        let pacing = (known.pacing != Pacing::NONE).then_some(Need::Pacing);
        let splits =
            matches!(self.fault, Some(Fault::RefuseSeveralDps { .. } | Fault::RefuseDp { .. })).then_some(Need::Pacing);
        let manager = (self.held == Holder::Manager).then_some(Need::Manager);
        let queue = known.nowait.then_some(Need::Queue);
        let state = known.query_on_connect.then_some(Need::State);
        [pacing, splits, manager, queue, state].into_iter().flatten().collect()
    }
}

/// Local key of every device.
pub const KEY: &str = "0123456789abcdef";
/// A wrong local key.
pub const OTHER_KEY: &str = "fedcba9876543210";
