//! What is put to the test: one implementation per runtime.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use rustuya_proto::{DeviceId, Dialect, DownReason, LocalKey, Repeated, Version};
use rustuya_runtime::{CommandError, DiscoveredDevice, Event, Pacing, SightingKind, Stale};
use serde_json::{Map, Value};

use super::scenario::{Added, Call, Counter, Ear, How, Need};
use crate::faulty::{FaultyDevice, FaultyDeviceBuilder, State};

/// A runtime, or the machine without one.
pub trait Subject: Sync {
    /// Its column in the table.
    fn name(&self) -> &'static str;

    /// Why it cannot do this, if it cannot.
    fn lacks(&self, need: Need) -> Option<&'static str>;

    /// A fresh world for one run of a scenario.
    fn stage(&self) -> Box<dyn Stage + '_>;

    /// The world of a seed, where a subject has a world that repeats itself; a fresh one elsewhere.
    fn stage_of(&self, seed: u64) -> Box<dyn Stage + '_> {
        let _ = seed;
        self.stage()
    }

    /// Whether a command has been given when [`Stage::begin`] returns. If not, those that are open at the same time are
    /// given in any order.
    fn gives_at_once(&self) -> bool {
        true
    }
}

/// One run. All calls block; limits are in the time of the stage.
///
/// Devices are named by their number in the scenario, managers by any number: they are made when they are first named.
pub trait Stage {
    /// Puts a device on the network of this stage.
    fn plug_in(&mut self, device: FaultyDeviceBuilder) -> FaultyDevice;

    /// The time of this stage.
    fn now(&self) -> Duration;

    /// Lets time pass until `holds`; whether it does within `limit`.
    fn until(&mut self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool;

    /// Lets a little time pass.
    fn breathe(&mut self);

    /// Makes a handle of a device, and a listener.
    fn spawn(&mut self, node: usize, plan: &Plan);

    /// Gives a device to a manager, and makes listeners of both if there are none.
    fn add(&mut self, manager: usize, node: usize, plan: &Plan) -> Added;

    /// Has the manager let go of a device; whether it was there.
    fn remove(&mut self, manager: usize, node: usize) -> bool;

    /// Ends a device for everybody; whether it was there.
    fn delete(&mut self, manager: usize, node: usize) -> bool;

    /// Has the manager let go of everything.
    fn clear(&mut self, manager: usize);

    /// Changes what is known of a device.
    fn reconfigure(&mut self, node: usize, plan: &Plan);

    /// Gives a command. With calls that block, it may be given a moment after this has returned.
    fn begin(&mut self, node: usize, call: &Call, how: How) -> Ticket;

    /// What came of it, within `limit`.
    fn end(&mut self, ticket: Ticket, limit: Duration) -> Option<Answer>;

    /// Whether it is decided what came of it.
    fn is_done(&mut self, ticket: Ticket) -> bool;

    /// Waits for it no more.
    fn forget(&mut self, ticket: Ticket);

    /// Another listener of a device.
    fn listen(&mut self, node: usize, extra: usize);

    /// The listener of a device reads from now on, before it is asked what it hears. Nothing to do where it is asked
    /// without delay.
    fn attend(&mut self, _node: usize) {}

    /// The next news within `limit`; those of a manager about other devices are skipped.
    fn hear(&mut self, node: usize, ear: Ear, limit: Duration) -> Option<Heard>;

    /// What is known of a device.
    fn look(&mut self, node: usize) -> Look;

    /// The DPs that were heard, of the device or a sub-device.
    fn state(&mut self, node: usize, cid: Option<&str>) -> Map<String, Value>;

    /// Why that may be out of date; `None` when it is fresh.
    fn stale(&mut self, node: usize, cid: Option<&str>) -> Option<WhyStale>;

    /// Whether a sub-device is reachable.
    fn online(&mut self, node: usize, cid: &str) -> Option<bool>;

    /// How many devices a manager has.
    fn holds(&mut self, manager: usize) -> usize;

    /// How many devices the registry has.
    fn registered(&mut self) -> usize;

    /// Whether a device is connected, and why not, in the list of a manager.
    fn listed(&mut self, manager: usize, node: usize) -> Option<(bool, Option<DownReason>)>;

    /// Has the announcement of a device reach those who listen for it.
    fn announce(&mut self, device: &FaultyDevice, named: Option<IpAddr>);
}

/// Names a command that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub usize);

/// What a controller is told of a device.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its id.
    pub id: DeviceId,
    /// The key that is configured.
    pub key: LocalKey,
    /// The address that is configured.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The version that is configured.
    pub version: Option<Version>,
    /// The dialect that is configured.
    pub dialect: Option<Dialect>,
    /// The connection is kept.
    pub persist: bool,
    /// Commands are done when they are queued.
    pub nowait: bool,
    /// How long a command waits for the connection.
    pub command_timeout: Duration,
    /// Time limits.
    pub timing: rustuya_proto::Timing,
    /// How commands are spaced.
    pub pacing: Pacing,
    /// Announcements are listened to.
    pub discovered: bool,
    /// The largest frame that is received, in bytes.
    pub receive_limit: usize,
    /// What is remembered of the device, in bytes.
    pub memory_limit: usize,
    /// The oldest version that is believed while the version is open.
    pub min_version: Version,
    /// The state is asked for on each connection.
    pub query_on_connect: bool,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was written, queued, or done without an answer.
    Done,
    /// It was answered.
    Reply {
        /// The DPs of the answer.
        dps: Map<String, Value>,
        /// The payload.
        payload: Option<Value>,
    },
    /// There is a connection.
    Up(Version),
    /// Every device of a manager is connected or not, and why not.
    Settled(Vec<(bool, Option<DownReason>)>),
    /// These DPs exist.
    Ids(Vec<u16>),
    /// It failed.
    Failed(CommandError),
    /// These devices were found.
    Found(Vec<Sighted>),
}

/// A device that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// Its id.
    pub id: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// The version that it announces.
    pub version: Option<Version>,
    /// Whether it is news, where the subject tells.
    pub new: Option<bool>,
}

impl From<DiscoveredDevice> for Sighted {
    fn from(found: DiscoveredDevice) -> Self {
        Self { id: found.id, ip: found.ip, version: found.version, new: Some(found.kind == SightingKind::New) }
    }
}

/// News as they came.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Connected.
    Up(Version),
    /// Not connected.
    Down(DownReason),
    /// A message.
    Message {
        /// The sub-device.
        cid: Option<String>,
        /// The DPs.
        dps: Map<String, Value>,
    },
    /// A sub-device came or went.
    Child(String, bool),
    /// A command failed with nobody waiting for it.
    Failed(CommandError),
    /// The dialect was found out.
    Dialect(Dialect),
    /// A frame of so many bytes was skipped.
    Skipped(usize),
    /// So many values are not remembered.
    Unkept(u64),
    /// A frame was ignored.
    Ignored(Repeated),
    /// The state is fresh.
    Fresh,
    /// The state may be out of date.
    Stale(WhyStale),
    /// So many were lost.
    Lagged(u64),
    /// There are no more.
    End,
}

impl From<Event> for Heard {
    fn from(event: Event) -> Self {
        match event {
            Event::Up { version } => Self::Up(version),
            Event::Down { reason, .. } => Self::Down(reason),
            Event::Message(message) => Self::Message { cid: message.cid(), dps: message.dps() },
            Event::SubDevice { cid, online } => Self::Child(cid.to_string(), online),
            Event::Failed(failed) => Self::Failed(failed.error.clone()),
            Event::Dialect(dialect) => Self::Dialect(dialect),
            Event::Skipped { len, .. } => Self::Skipped(len),
            Event::Unkept { values, .. } => Self::Unkept(values),
            Event::Ignored { why, .. } => Self::Ignored(why),
            Event::Lagged(lost) => Self::Lagged(lost),
            Event::Fresh => Self::Fresh,
            Event::Stale(why) => Self::Stale(why.into()),
            other => panic!("an event that no scenario knows: {other:?}"),
        }
    }
}

/// Why a state may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyStale {
    /// The device is not connected.
    NotConnected,
    /// It has told nothing yet.
    NotTold,
    /// It has not told all DPs that are shown.
    Partly,
    /// It was asked, and that failed.
    Failed,
    /// The gateway does not reach the sub-device.
    SubDeviceOffline,
}

impl From<Stale> for WhyStale {
    fn from(why: Stale) -> Self {
        match why {
            Stale::NotConnected => Self::NotConnected,
            Stale::NotTold => Self::NotTold,
            Stale::Partly => Self::Partly,
            Stale::Failed(_) => Self::Failed,
            Stale::SubDeviceOffline => Self::SubDeviceOffline,
            other => panic!("a reason that no scenario knows: {other:?}"),
        }
    }
}

/// What is known of a device at one moment.
#[derive(Clone, Debug)]
pub struct Look {
    /// Whether the connection is usable.
    pub connected: bool,
    /// The version in use.
    pub version: Option<Version>,
    /// The dialect in use.
    pub dialect: Dialect,
    /// Why the device could not be used.
    pub diagnosis: Option<DownReason>,
    /// Where it is.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: u16,
    /// Whether it was closed.
    pub closed: bool,
    /// Counters.
    pub counters: Counters,
}

/// Counters of a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Connections that became usable.
    pub connects: u64,
    /// Frames that were not believed.
    pub bad_frames: u64,
    /// Times that bytes were skipped.
    pub resyncs: u64,
    /// Frames that were ignored.
    pub ignored: u64,
    /// Events that were lost.
    pub lagged: u64,
    /// Commands sent, where the subject counts them.
    pub sent: u64,
    /// Commands acknowledged.
    pub acknowledged: u64,
    /// Sent commands that failed, those that were rejected among them.
    pub failed: u64,
    /// Sent commands that were rejected.
    pub rejected: u64,
}

impl Counters {
    /// One of them.
    #[must_use]
    pub const fn get(&self, counter: Counter) -> u64 {
        match counter {
            Counter::Connects => self.connects,
            Counter::BadFrames => self.bad_frames,
            Counter::Ignored => self.ignored,
            Counter::Resyncs => self.resyncs,
            Counter::Lagged => self.lagged,
        }
    }
}
