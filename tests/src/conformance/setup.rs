//! The devices of a scenario, and what their controller knows of them.

use rustuya_proto::{Dialect, Version};
use rustuya_runtime::Pacing;
use serde_json::{Value, json};

use super::scenario::{Ms, Need};
use crate::faulty::Fault;

/// A device, and what its controller knows of it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Setup {
    /// It has the id of the first device, as the same device elsewhere.
    pub twin: bool,
    /// The last byte of its address, where it has the port of the first device.
    pub elsewhere: Option<u8>,
    /// Instead of the scenario's version.
    pub version: Option<Version>,
    /// The dialect that it understands.
    pub dialect: Dialect,
    /// Its DPs.
    pub dps: Value,
    /// Its sub-devices with their DPs.
    pub subs: Vec<(&'static str, Value)>,
    /// Quirks of the emulator by name.
    pub quirks: Vec<&'static str>,
    /// What is wrong with it from the beginning.
    pub fault: Option<Fault>,
    /// It has no power at the beginning.
    pub off: bool,
    /// What the controller knows.
    pub known: Known,
    /// Who has it from the beginning.
    pub held: Held,
}

/// What a controller knows of a device, and how it is to treat it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its address; if not, announcements tell it. The port is always known.
    pub address: bool,
    /// The version that is configured.
    pub speaks: Speaks,
    /// The oldest version that is believed; `None` is 3.1 for a device of 3.1, and else the default.
    pub min_version: Option<Version>,
    /// The key that is configured is another one.
    pub key: Option<&'static str>,
    /// The dialect that is configured.
    pub dialect: Option<Dialect>,
    /// The connection is kept.
    pub persist: bool,
    /// Commands are done when they are queued.
    pub nowait: bool,
    /// How long a command waits for the connection.
    pub command_timeout: Ms,
    /// How long a command waits for its answer.
    pub answer: Ms,
    /// Silence after which a heartbeat is sent.
    pub heartbeat: Ms,
    /// The first delay between attempts, and the longest.
    pub backoff: (Ms, Ms),
    /// How commands are spaced.
    pub pacing: Pacing,
    /// Announcements are listened to.
    pub discovered: bool,
    /// The largest frame that is received, in bytes.
    pub receive_limit: usize,
    /// What is remembered of the device, in bytes.
    pub memory_limit: usize,
    /// The state is asked for on each connection. Not as by default: scenarios count what arrives.
    pub query_on_connect: bool,
}

/// Which version is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// The one that the device speaks at that moment.
    Right,
    /// None: it is found out.
    Auto,
    /// This one.
    Only(Version),
}

/// Who has a device from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A handle of its own.
    Alone,
    /// The first manager.
    Manager,
    /// Nobody before a step says so.
    Nobody,
}

impl Setup {
    /// A lamp with a switch, a brightness and a mode, known by everything.
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
                speaks: Speaks::Right,
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
            held: Held::Alone,
        }
    }

    /// A gateway with a plug and a sensor behind it.
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

    /// Of this version, whatever the scenario's.
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

    /// Held by the first manager.
    pub fn managed(self) -> Self {
        Self { held: Held::Manager, ..self }
    }

    /// Held by nobody.
    pub fn unheld(self) -> Self {
        Self { held: Held::Nobody, ..self }
    }

    /// The version that is configured.
    pub fn speaks(mut self, speaks: Speaks) -> Self {
        self.known.speaks = speaks;
        self
    }

    /// The oldest version that is believed.
    pub fn min_version(mut self, version: Version) -> Self {
        self.known.min_version = Some(version);
        self
    }

    /// The dialect that is configured.
    pub fn knows_dialect(mut self, dialect: Dialect) -> Self {
        self.known.dialect = Some(dialect);
        self
    }

    /// A wrong key is configured.
    pub fn wrong_key(mut self) -> Self {
        self.known.key = Some(OTHER_KEY);
        self
    }

    /// Commands wait so long for the connection.
    pub fn command_timeout(mut self, limit: Ms) -> Self {
        self.known.command_timeout = limit;
        self
    }

    /// Commands wait so long for their answer.
    pub fn answer(mut self, limit: Ms) -> Self {
        self.known.answer = limit;
        self
    }

    /// Heartbeats after so much silence.
    pub fn heartbeat(mut self, after: Ms) -> Self {
        self.known.heartbeat = after;
        self
    }

    /// Delays between attempts.
    pub fn backoff(mut self, first: Ms, longest: Ms) -> Self {
        self.known.backoff = (first, longest);
        self
    }

    /// How commands are spaced.
    pub fn pacing(mut self, pacing: Pacing) -> Self {
        self.known.pacing = pacing;
        self
    }

    /// The largest frame that is received.
    pub fn receive_limit(mut self, bytes: usize) -> Self {
        self.known.receive_limit = bytes;
        self
    }

    /// What is remembered of the device.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.known.memory_limit = bytes;
        self
    }

    /// The state is asked for on each connection.
    pub fn queries_on_connect(mut self) -> Self {
        self.known.query_on_connect = true;
        self
    }

    /// Commands are done when they are queued.
    pub fn nowait(mut self) -> Self {
        self.known.nowait = true;
        self
    }

    /// The connection is made when it is needed.
    pub fn unkept(mut self) -> Self {
        self.known.persist = false;
        self
    }

    /// Announcements are listened to.
    pub fn discovered(mut self) -> Self {
        self.known.discovered = true;
        self
    }

    /// The address is not known, announcements tell it.
    pub fn unlocated(mut self) -> Self {
        self.known.address = false;
        self.discovered()
    }
}

impl Setup {
    pub(super) fn needs(&self) -> Vec<Need> {
        let known = &self.known;
        let pacing = (known.pacing != Pacing::NONE).then_some(Need::Pacing);
        let splits =
            matches!(self.fault, Some(Fault::RefuseSeveralDps { .. } | Fault::RefuseDp { .. })).then_some(Need::Pacing);
        let manager = (self.held == Held::Manager).then_some(Need::Manager);
        let queue = known.nowait.then_some(Need::Queue);
        let state = known.query_on_connect.then_some(Need::State);
        [pacing, splits, manager, queue, state].into_iter().flatten().collect()
    }
}

/// The local key of every device.
pub const KEY: &str = "0123456789abcdef";
/// Another one.
pub const OTHER_KEY: &str = "fedcba9876543210";
