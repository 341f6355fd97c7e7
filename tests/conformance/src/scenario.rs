//! Parts of a scenario: plain data, independent of any runtime.

use core::fmt;

use rustuya_faulty::{Fault, PowerLoss};
use rustuya_proto::{CommandCode, Dialect, DownReason, Repeated, Version};
use serde_json::Value;

pub use crate::setup::{ConfiguredVersion, Holder, KEY, Known, OTHER_KEY, Setup};
use crate::subject::WhyStale;

/// Milliseconds.
pub type Ms = u64;

/// Scenario of devices and their controller, with the expected results.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Property that it checks.
    pub name: &'static str,
    /// Versions of the devices, one run for each.
    pub versions: &'static [Version],
    /// The devices. Steps concern the first one unless they name another.
    pub devices: Vec<Setup>,
    /// Steps, in order.
    pub steps: Vec<Step>,
    /// Needs of the subject beyond those of the steps.
    pub also: Vec<Need>,
}

/// A command.
#[derive(Clone, Debug)]
pub enum Call {
    /// Wait for the connection.
    Connection,
    /// Wait for the connection and the state, and return the state.
    Ready,
    /// Wait until every device of the manager with this number is connected or has a diagnosis.
    Settled(usize),
    /// Query the state.
    Status,
    /// Query the state and return it.
    Query,
    /// Query certain DPs and return them.
    QueryDps(Vec<u16>),
    /// Set one DP, named by text.
    Set(&'static str, Value),
    /// Set several DPs.
    SetDps(Value),
    /// Make the device measure DPs anew.
    Update(Vec<u16>),
    /// Any command.
    Request(CommandCode, Option<Value>, Option<&'static str>),
    /// Query the sub-devices.
    SubDiscover,
    /// Detect the DPs.
    Detect,
    /// Query the state of a sub-device and return it.
    SubQuery(&'static str),
    /// Set one DP of a sub-device.
    SubSet(&'static str, u16, Value),
    /// Make a sub-device measure DPs anew.
    SubUpdate(&'static str, Vec<u16>),
    /// Close the device.
    Close,
    /// Shut the manager with this number down.
    Shutdown(usize),
    /// Shut the registry down.
    ShutdownAll,
    /// Scan for this time.
    Scan(Ms),
    /// Find a device, this one or (`None`) one that does not exist, within this time.
    Find(Option<usize>, Ms),
}

/// Point until which a caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Until it is written.
    Written,
    /// Until it is answered.
    Acked,
    /// Until it is answered, for this time at most.
    Within(Ms),
    /// Until the device reports the written values.
    Confirmed,
    /// Not at all.
    Queued,
}

/// Expected result of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// Success.
    Ok,
    /// Success with exactly these DPs.
    Dps(Value),
    /// A connection with the device's version.
    Up,
    /// Success with exactly these DP numbers.
    Ids(Vec<u16>),
    /// Success with a payload that contains this member, named by a JSON pointer.
    Payload(&'static str, Value),
    /// A refusal with this text.
    Rejected(&'static str),
    /// No answer in time.
    Unanswered,
    /// The connection ended first, for this reason.
    Lost(DownReason),
    /// There was no connection, with this diagnosis.
    NotConnected(Option<DownReason>),
    /// There was no connection, for any reason.
    NotConnectedAnyhow,
    /// The sub-device is offline.
    SubDeviceOffline,
    /// The device is closed.
    Closed,
    /// Other commands kept the device busy.
    Busy,
    /// The request exceeds the limit.
    TooLarge,
    /// The answer exceeds its limit.
    AnswerTooLarge,
    /// The device acknowledged the write, and reports these of its DPs.
    NoEffect(Value),
    /// The write took effect in part: DPs acknowledged, sent without an acknowledgement, refused or not sent.
    Partial([&'static [u16]; 3]),
    /// This is not a DP number.
    InvalidDp(&'static str),
    /// This is not a valid value.
    InvalidValue,
    /// Connection (true or false) and diagnosis of each device of the manager, in the order of ids.
    Settled(Vec<(bool, Option<DownReason>)>),
    /// The scan found these devices, each as new.
    Found(Vec<usize>),
    /// One of these.
    Either(Vec<Self>),
}

/// Expected event.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpectedEvent {
    /// Connected with this version, or (`None`) the device's.
    Up(Option<Version>),
    /// Not connected, for this reason.
    Down(DownReason),
    /// A message with these DPs among others, of the device or a sub-device.
    Dps(Option<&'static str>, Value),
    /// A sub-device came online or went offline.
    Child(&'static str, bool),
    /// A command failed that no caller waited for.
    Failed(Box<Want>),
    /// The dialect was detected.
    Dialect(Dialect),
    /// A frame was skipped because it exceeds the limit.
    Skipped,
    /// This number of values of a frame were not kept.
    ValuesDropped(u64),
    /// A frame was ignored, for this reason.
    Ignored(Repeated),
    /// This number of events were lost.
    Lagged(u64),
    /// The state is fresh.
    Fresh,
    /// The state may be out of date, for this reason.
    Stale(WhyStale),
    /// The listener has ended.
    End,
}

/// Source of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The present device's listener, which exists from the beginning.
    Own,
    /// A listener that a step made.
    Extra(usize),
    /// The listener of the manager with this number, which exists from the beginning; only events of the present
    /// device.
    Manager(usize),
}

/// Property that can be read at any time.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The connection is usable, or is not.
    Connected(bool),
    /// The connection is usable, and the device has sent a frame on it.
    Working,
    /// The version in use, if it is known: one, or the device's.
    Version(Option<Version>),
    /// The device's own version is in use.
    RightVersion,
    /// The dialect in use.
    Dialect(Dialect),
    /// Reason why the device is not connected, since its last connection.
    Diagnosis(Option<DownReason>),
    /// The diagnosis is a wrong version, with the device's version.
    DiagnosedVersion,
    /// All reported DPs of the device or a sub-device.
    State(Option<&'static str>, Value),
    /// Reason why the state of the device or a sub-device may be out of date; `None` when it is fresh.
    Stale(Option<&'static str>, Option<WhyStale>),
    /// A sub-device is reachable, or is not; `None` before the first report.
    Online(&'static str, Option<bool>),
    /// Address and port are those of this device.
    At(usize),
    /// A counter has at least this value.
    AtLeast(Counter, u64),
    /// A counter has exactly this value.
    Exactly(Counter, u64),
    /// Number of devices of this manager.
    Holds(usize, usize),
    /// Number of devices in the registry.
    Registered(usize),
    /// Connection (true or false) and diagnosis of the present device, in the list of this manager.
    DeviceEntry(usize, bool, Option<DownReason>),
    /// The device was closed.
    Closed,
}

/// A counter of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Connections that became usable.
    Connects,
    /// Frames that failed their check.
    BadFrames,
    /// Times that bytes were skipped to find a frame.
    Resyncs,
    /// Frames that were ignored.
    Ignored,
    /// Events that slow listeners lost.
    Lagged,
}

/// Change of the configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// The address of this device.
    At(usize),
    /// The version.
    Version(ConfiguredVersion),
    /// The device's own key, or this one.
    Key(Option<&'static str>),
    /// Time limit of commands for the connection.
    CommandTimeout(Ms),
}

/// Result of adding a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was added.
    Ok,
    /// The manager already had it.
    Duplicate,
    /// The manager was shut down.
    Closed,
}

/// Action or expectation.
#[derive(Clone, Debug)]
pub enum Step {
    /// A step of another device.
    At(usize, Box<Self>),
    /// Repeats steps.
    Times(usize, Vec<Self>),
    /// Runs a command; expects its result.
    Ask(Call, How, Want),
    /// Starts a command under a number.
    Begin(usize, Call, How),
    /// Expects the result of that command.
    End(usize, Want),
    /// Stops waiting for that command.
    Drop(usize),
    /// Expects this event, possibly after others.
    Receive(Source, ExpectedEvent),
    /// Expects this as the next event.
    Next(Source, ExpectedEvent),
    /// Expects that this event was not received since the last check.
    NotReceived(Source, ExpectedEvent),
    /// Expects a message with this DP.
    ReceiveDp(Source, &'static str),
    /// Expects a report of lost events.
    ReceiveLag(Source),
    /// Expects this number of a flood, after all numbers since the first received one, in order.
    ReceiveNumber(Source, u64),
    /// Expects all numbers of a flood from the first to this one, in order.
    ReceiveFlood(Source, u64),
    /// Creates another listener.
    Listen(usize),
    /// Expects this property.
    Is(Fact),
    /// Expects this property within the time limit.
    Becomes(Fact),
    /// Connects another controller to the device with this number.
    SpawnAt(usize),
    /// Changes the configuration.
    Reconfigure(Vec<Edit>),
    /// Adds the device to a manager, with changes.
    Add(usize, Vec<Edit>, Added),
    /// Makes the manager release the device.
    Remove(usize),
    /// Makes the manager end the device for all its holders.
    Delete(usize),
    /// Makes the manager release all devices.
    Clear(usize),
    /// Sends an announcement of the device.
    Announce,
    /// Repeats announcements of the device until that command is done.
    AnnounceTill(usize),
    /// Sends an announcement of the device that names 127.0.0.N.
    AnnounceAs(u8),

    /// Sets a fault of the device.
    Fault(Fault),
    /// Ends the fault.
    Mend,
    /// Turns the device's power off.
    PowerOff(PowerLoss),
    /// Turns the device's power on.
    PowerOn,
    /// Moves the device to the address 127.0.0.N.
    MoveTo(u8),
    /// Resets the device's connections.
    CutAll,
    /// Closes the device's connections.
    CloseAll,
    /// Changes the device's version.
    SetVersion(Version),
    /// Changes the device's key.
    SetKey(&'static str),
    /// Changes DPs by hand.
    Push(Option<&'static str>, Value),
    /// Makes the device push this many numbers.
    Flood(u32),
    /// Makes the device report its sub-devices.
    Report,

    /// Expects this total number of requests of this code (or its version's equivalent) within the time limit.
    Arrived(CommandCode, usize),
    /// Expects that exactly this number of requests of this code (or its version's equivalent) have arrived.
    ArrivedOnly(CommandCode, usize),
    /// Expects exactly these written DPs, by control.
    Controls(Vec<Value>),
    /// Expects exactly these written DPs, by control, in any order.
    ControlsInAnyOrder(Vec<Value>),
    /// Expects exactly these DPs queried by nulls, which firmware other than device22 treats as a write.
    Nulls(Vec<Vec<u16>>),
    /// Expects that the device has these DPs within the time limit.
    Has(Option<&'static str>, Value),
    /// Expects this number of open connections within the time limit.
    Open(usize),
    /// Expects this number of connections that accept pushes within the time limit.
    Ready(usize),
    /// Expects at least this number of connections within the time limit.
    Accepted(u64),
    /// Expects exactly this number of connections.
    AcceptedOnly(u64),

    /// Lets this time pass.
    Linger(Ms),
    /// Starts the stopwatch.
    Mark,
    /// Expects that less time has passed since.
    Before(Ms),
    /// Expects that at least this time has passed since.
    After(Ms),
}

/// Feature of a subject that a step needs, beyond a machine and its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Managers and registries.
    Manager,
    /// Scans.
    Scan,
    /// The reported state is kept.
    Cache,
    /// Commands can be queued without a wait.
    Queue,
    /// A caller can cancel a command.
    Abandon,
    /// Commands are spaced, joined and split.
    Pacing,
    /// DPs and values of any form are converted.
    Values,
    /// Several listeners with queues of their own.
    Listeners,
    /// Verbs made of several commands.
    Detect,
    /// The effect of a write can be awaited.
    Confirm,
    /// Failed queries are repeated.
    Repeat,
    /// The state is queried without a command.
    State,
    /// Two controllers of one device.
    Rivals,
}

impl Scenario {
    /// Adds a need of the subject.
    #[must_use]
    pub fn needing(mut self, need: Need) -> Self {
        self.also.push(need);
        self
    }

    /// Returns all needs of the subject, without duplicates.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> = self.devices.iter().flat_map(Setup::needs).chain(self.also.clone()).collect();
        self.steps.iter().for_each(|step| step.add_needs(&mut needs));
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}

impl Want {
    fn needs(&self) -> Option<Need> {
        match self {
            Self::InvalidDp(_) | Self::InvalidValue => Some(Need::Values),
            Self::SubDeviceOffline => Some(Need::Cache),
            Self::Either(wants) => wants.iter().find_map(Self::needs),
            _ => None,
        }
    }
}

impl Step {
    fn add_needs(&self, needs: &mut Vec<Need>) {
        let need = match self {
            Self::At(_, step) => return step.add_needs(needs),
            Self::Times(_, steps) => return steps.iter().for_each(|step| step.add_needs(needs)),
            Self::End(_, want) => {
                needs.extend(want.needs());
                return;
            }
            Self::Ask(call, how, want) => {
                needs.extend(want.needs());
                return Self::Begin(0, call.clone(), *how).add_needs(needs);
            }
            Self::Begin(_, call, how) => match (call, how) {
                (Call::Shutdown(_) | Call::ShutdownAll | Call::Settled(_), _) => Need::Manager,
                (Call::Ready, _) => Need::State,
                (Call::Scan(_) | Call::Find(..), _) => Need::Scan,
                (Call::Detect, _) => Need::Detect,
                (_, How::Queued) => Need::Queue,
                (_, How::Confirmed) => Need::Confirm,
                _ => return,
            },
            Self::Add(..) | Self::Remove(_) | Self::Delete(_) | Self::Clear(_) => Need::Manager,
            Self::Drop(_) => Need::Abandon,
            Self::SpawnAt(_) => Need::Rivals,
            Self::Listen(_) => Need::Listeners,
            Self::ReceiveLag(_) | Self::ReceiveNumber(..) => Need::Listeners,
            Self::Receive(source, expected) | Self::Next(source, expected) | Self::NotReceived(source, expected) => {
                match (source, expected) {
                    (Source::Manager(_), _) => Need::Manager,
                    (Source::Extra(_), _) | (_, ExpectedEvent::Lagged(_)) => Need::Listeners,
                    (_, ExpectedEvent::Child(..) | ExpectedEvent::ValuesDropped(_)) => Need::Cache,
                    (_, ExpectedEvent::Failed(_)) => Need::Queue,
                    (_, ExpectedEvent::Fresh | ExpectedEvent::Stale(_)) => Need::State,
                    _ => return,
                }
            }
            Self::Is(fact) | Self::Becomes(fact) => match fact {
                Fact::State(..) | Fact::Online(..) => Need::Cache,
                Fact::Stale(..) => Need::State,
                Fact::Holds(..) | Fact::DeviceEntry(..) | Fact::Registered(_) => Need::Manager,
                Fact::AtLeast(Counter::Lagged, _) | Fact::Exactly(Counter::Lagged, _) => Need::Listeners,
                _ => return,
            },
            _ => return,
        };
        needs.push(need);
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manager => "managers and registries",
            Self::Scan => "scans",
            Self::Cache => "the state that was heard",
            Self::Queue => "commands that nobody waits for",
            Self::Abandon => "waits that are given up",
            Self::Pacing => "pacing",
            Self::Values => "DPs and values as callers have them",
            Self::Listeners => "listeners",
            Self::Detect => "detection of DPs",
            Self::Confirm => "confirmation of writes",
            Self::Repeat => "repetition of reads",
            Self::State => "state without asking",
            Self::Rivals => "two controllers of one device",
        })
    }
}
