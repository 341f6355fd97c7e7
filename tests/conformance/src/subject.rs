//! Interface of the tested runtimes: one implementation for each kind.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder, State};
use rustuya_proto::{DeviceId, Dialect, DownReason, LocalKey, Repeated, Version};
use rustuya_runtime::{CommandError, DiscoveredDevice, Event, Pacing, SightingKind, Stale};
use serde_json::{Map, Value};

use crate::scenario::{Added, Call, Counter, How, Need, Source};

/// A runtime, or the machine without one.
pub trait Subject: Sync {
    /// Returns its column in the table.
    fn name(&self) -> &'static str;

    /// Returns the reason why it lacks a feature, if it does.
    fn lacks(&self, need: Need) -> Option<&'static str>;

    /// Creates a stage for one run of a scenario.
    fn stage(&self) -> Box<dyn Stage + '_>;

    /// Creates the stage of a seed, if the subject is deterministic; otherwise an ordinary one.
    fn stage_of(&self, seed: u64) -> Box<dyn Stage + '_> {
        let _ = seed;
        self.stage()
    }

    /// Returns whether a command is queued when [`Stage::begin`] returns. If not, simultaneous commands are queued in
    /// any order.
    fn gives_at_once(&self) -> bool {
        true
    }
}

/// One run of a scenario. All calls block; limits are in the time of the stage.
///
/// Devices have their number in the scenario, managers any number; the first use of a number creates the manager.
pub trait Stage {
    /// Puts a device on the network of this stage.
    fn plug_in(&mut self, device: FaultyDeviceBuilder) -> FaultyDevice;

    /// Returns the time of this stage.
    fn now(&self) -> Duration;

    /// Lets time pass until `holds` is true. Returns whether it is within `limit`.
    fn until(&mut self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool;

    /// Lets a little time pass.
    fn wait_briefly(&mut self);

    /// Creates a handle of a device, and a listener.
    fn spawn(&mut self, node: usize, plan: &Plan);

    /// Adds a device to a manager, and creates listeners of both if there are none.
    fn add(&mut self, manager: usize, node: usize, plan: &Plan) -> Added;

    /// Makes the manager release a device. Returns whether it had it.
    fn remove(&mut self, manager: usize, node: usize) -> bool;

    /// Ends a device for all its holders. Returns whether the manager had it.
    fn delete(&mut self, manager: usize, node: usize) -> bool;

    /// Makes the manager release all devices.
    fn clear(&mut self, manager: usize);

    /// Changes the configuration of a device.
    fn reconfigure(&mut self, node: usize, plan: &Plan);

    /// Starts a command. With blocking calls it may be queued a moment after this has returned.
    fn begin(&mut self, node: usize, call: &Call, how: How) -> Ticket;

    /// Waits for its result, for `limit` at most.
    fn end(&mut self, ticket: Ticket, limit: Duration) -> Option<Answer>;

    /// Returns whether it is resolved.
    fn is_done(&mut self, ticket: Ticket) -> bool;

    /// Stops waiting for it.
    fn forget(&mut self, ticket: Ticket);

    /// Creates another listener of a device.
    fn listen(&mut self, node: usize, extra: usize);

    /// Makes the listener of a device read from now on, before [`receive`](Self::receive). Only for subjects where that call
    /// is delayed.
    fn attend(&mut self, _node: usize) {}

    /// Returns the next event within `limit`; skips a manager's events of other devices.
    fn receive(&mut self, node: usize, source: Source, limit: Duration) -> Option<ReceivedEvent>;

    /// Returns a snapshot of a device.
    fn snapshot(&mut self, node: usize) -> Snapshot;

    /// Returns the reported DPs of the device or a sub-device.
    fn state(&mut self, node: usize, cid: Option<&str>) -> Map<String, Value>;

    /// Returns the reason why that may be out of date; `None` when it is fresh.
    fn stale(&mut self, node: usize, cid: Option<&str>) -> Option<WhyStale>;

    /// Returns whether a sub-device is reachable.
    fn online(&mut self, node: usize, cid: &str) -> Option<bool>;

    /// Returns the number of devices of a manager.
    fn holds(&mut self, manager: usize) -> usize;

    /// Returns the number of devices in the registry.
    fn registered(&mut self) -> usize;

    /// Returns whether a device is connected, and its diagnosis, from the list of a manager.
    fn listed(&mut self, manager: usize, node: usize) -> Option<(bool, Option<DownReason>)>;

    /// Delivers an announcement of a device.
    fn announce(&mut self, device: &FaultyDevice, named: Option<IpAddr>);
}

/// Number of a started command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub usize);

/// Arguments of a device for the controller.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its id.
    pub id: DeviceId,
    /// Configured key.
    pub key: LocalKey,
    /// Configured address.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// Configured version.
    pub version: Option<Version>,
    /// Configured dialect.
    pub dialect: Option<Dialect>,
    /// True if the idle connection is kept.
    pub persist: bool,
    /// True if commands are done when they are queued.
    pub nowait: bool,
    /// Time limit of a command for the connection.
    pub command_timeout: Duration,
    /// Time limits.
    pub timing: rustuya_proto::Timing,
    /// Spacing of commands.
    pub pacing: Pacing,
    /// True if announcements are received.
    pub discovered: bool,
    /// Largest received frame, in bytes.
    pub receive_limit: usize,
    /// Memory limit of the device, in bytes.
    pub memory_limit: usize,
    /// Oldest accepted version while the version is not known.
    pub min_version: Version,
    /// True if the state is queried on each connection.
    pub query_on_connect: bool,
}

/// Result of a command.
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
    /// It waited for a connection, which has this version.
    Up(Version),
    /// Connection (true or false) and diagnosis of each device of a manager.
    Settled(Vec<(bool, Option<DownReason>)>),
    /// These DPs exist.
    Ids(Vec<u16>),
    /// It failed.
    Failed(CommandError),
    /// These devices were found.
    Found(Vec<FoundDevice>),
}

/// A device that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundDevice {
    /// Its id.
    pub id: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// The version that it announces.
    pub version: Option<Version>,
    /// True if it is new; `None` if the subject does not tell.
    pub new: Option<bool>,
}

impl From<DiscoveredDevice> for FoundDevice {
    fn from(found: DiscoveredDevice) -> Self {
        Self { id: found.id, ip: found.ip, version: found.version, new: Some(found.kind == SightingKind::New) }
    }
}

/// Received event.
#[derive(Clone, Debug, PartialEq)]
pub enum ReceivedEvent {
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
    /// A sub-device came online or went offline.
    Child(String, bool),
    /// A command failed that no caller waited for.
    Failed(CommandError),
    /// The dialect was detected.
    Dialect(Dialect),
    /// A frame of this size was skipped.
    Skipped(usize),
    /// This number of values were not kept.
    ValuesDropped(u64),
    /// A frame was ignored.
    Ignored(Repeated),
    /// The state is fresh.
    Fresh,
    /// The state may be out of date.
    Stale(WhyStale),
    /// This number of events were lost.
    Lagged(u64),
    /// The listener has ended.
    End,
}

impl From<Event> for ReceivedEvent {
    fn from(event: Event) -> Self {
        match event {
            Event::Up { version } => Self::Up(version),
            Event::Down { reason, .. } => Self::Down(reason),
            Event::Message(message) => Self::Message { cid: message.cid().map(str::to_owned), dps: message.dps() },
            Event::SubDevice { cid, online } => Self::Child(cid.to_string(), online),
            Event::Failed(failed) => Self::Failed(failed.error.clone()),
            Event::Dialect(dialect) => Self::Dialect(dialect),
            Event::Skipped { len, .. } => Self::Skipped(len),
            Event::ValuesDropped { values, .. } => Self::ValuesDropped(values),
            Event::Ignored { why, .. } => Self::Ignored(why),
            Event::Lagged(lost) => Self::Lagged(lost),
            Event::Fresh => Self::Fresh,
            Event::Stale(why) => Self::Stale(why.into()),
            other => panic!("an event that no scenario knows: {other:?}"),
        }
    }
}

/// Reason why a state may be out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyStale {
    /// The device is not connected.
    NotConnected,
    /// The device has not reported its state on this connection.
    NotReported,
    /// The device has not reported all known DPs on this connection.
    Partly,
    /// The query failed.
    Failed,
    /// The gateway does not reach the sub-device.
    SubDeviceOffline,
}

impl From<Stale> for WhyStale {
    fn from(why: Stale) -> Self {
        match why {
            Stale::NotConnected => Self::NotConnected,
            Stale::NotReported => Self::NotReported,
            Stale::Partly => Self::Partly,
            Stale::Failed(_) => Self::Failed,
            Stale::SubDeviceOffline => Self::SubDeviceOffline,
            other => panic!("a reason that no scenario knows: {other:?}"),
        }
    }
}

/// Snapshot of a device.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// True if the connection is usable.
    pub connected: bool,
    /// The version in use.
    pub version: Option<Version>,
    /// The dialect in use.
    pub dialect: Dialect,
    /// Reason why the device is not connected.
    pub diagnosis: Option<DownReason>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: u16,
    /// True if it was closed.
    pub closed: bool,
    /// Counters.
    pub counters: Counters,
}

/// Counters of a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Connections that became usable.
    pub connects: u64,
    /// Frames that failed their check.
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
    /// Returns one of them.
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
