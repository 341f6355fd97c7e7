//! What a scenario is made of. Plain data: nothing here knows a runtime.

use core::fmt;

use rustuya_proto::{CommandCode, Dialect, DownReason, Repeated, Version};
use serde_json::Value;

pub use super::setup::{Held, KEY, Known, OTHER_KEY, Setup, Speaks};
use super::subject::WhyStale;
use crate::faulty::{Fault, PowerLoss};

/// Milliseconds.
pub type Ms = u64;

/// One story about devices and their controller, with everything that is to come of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What holds, in a few words.
    pub name: &'static str,
    /// The versions that the devices speak, one run for each.
    pub versions: &'static [Version],
    /// The devices; steps are about the first one unless they say otherwise.
    pub devices: Vec<Setup>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What it asks of a subject that its steps do not tell.
    pub also: Vec<Need>,
}

/// A command.
#[derive(Clone, Debug)]
pub enum Call {
    /// Wait for the connection.
    Connection,
    /// Wait for the connection and the state, and return that.
    Ready,
    /// Wait until every device of the manager with this number is connected or has a diagnosis.
    Settled(usize),
    /// Ask for the state.
    Status,
    /// Ask for the state and return it.
    Query,
    /// Ask for certain DPs and return them.
    QueryDps(Vec<u16>),
    /// Set one DP, named by text.
    Set(&'static str, Value),
    /// Set several DPs.
    SetDps(Value),
    /// Have DPs measured again.
    Update(Vec<u16>),
    /// Any command.
    Request(CommandCode, Option<Value>, Option<&'static str>),
    /// Ask for the sub-devices.
    SubDiscover,
    /// Find out which DPs there are.
    Detect,
    /// Ask for the state of a sub-device and return it.
    SubQuery(&'static str),
    /// Set one DP of a sub-device.
    SubSet(&'static str, u16, Value),
    /// Have DPs of a sub-device measured again.
    SubUpdate(&'static str, Vec<u16>),
    /// Close the device.
    Close,
    /// Shut the manager with this number down.
    Shutdown(usize),
    /// Shut the registry down.
    ShutdownAll,
    /// Scan for so long.
    Scan(Ms),
    /// Look for a device, this one or (`None`) one that does not exist, for so long at most.
    Find(Option<usize>, Ms),
}

/// What a caller waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Until it is written.
    Written,
    /// Until it is answered.
    Acked,
    /// Until it is answered, for so long at most.
    Within(Ms),
    /// Until the device shows what was written.
    Confirmed,
    /// For nothing.
    Queued,
}

/// What a command has to come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// Success.
    Ok,
    /// Success with exactly these DPs.
    Dps(Value),
    /// A connection that speaks the device's version.
    Up,
    /// Success with exactly these DP numbers.
    Ids(Vec<u16>),
    /// Success with a payload that holds this member, named by a JSON pointer.
    Payload(&'static str, Value),
    /// A refusal in these words.
    Rejected(&'static str),
    /// No answer in time.
    Unanswered,
    /// The connection ended first, for this reason.
    Lost(DownReason),
    /// There was no connection, with this diagnosis.
    NotConnected(Option<DownReason>),
    /// There was no connection, for whatever reason.
    NotConnectedAnyhow,
    /// The sub-device is offline.
    SubDeviceOffline,
    /// The device is closed.
    Closed,
    /// Other commands kept the device busy.
    Busy,
    /// The request exceeds the limit.
    TooLarge,
    /// The answer exceeds the limit that is set for it.
    AnswerTooLarge,
    /// The device took the write, and shows these DPs of it.
    NoEffect(Value),
    /// The write was done in part: these DPs were acknowledged, these sent without an acknowledgement, these not taken.
    Partial([&'static [u16]; 3]),
    /// This is no DP.
    InvalidDp(&'static str),
    /// This is no value.
    InvalidValue,
    /// Each device of the manager is connected or not, and why not, in the order of ids.
    Settled(Vec<(bool, Option<DownReason>)>),
    /// The scan found these devices, each as new.
    Found(Vec<usize>),
    /// One of these.
    Either(Vec<Self>),
}

/// A piece of news.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// Connected, speaking this version, or (`None`) the device's.
    Up(Option<Version>),
    /// Not connected, because of this.
    Down(DownReason),
    /// A message with these DPs among others, about the device or a sub-device.
    Dps(Option<&'static str>, Value),
    /// A sub-device came or went.
    Child(&'static str, bool),
    /// A command failed with nobody waiting for it.
    Failed(Box<Want>),
    /// The dialect was found out.
    Dialect(Dialect),
    /// A frame was skipped because it exceeds the limit.
    Skipped,
    /// So many values of a frame are not remembered.
    Unkept(u64),
    /// A frame was ignored, because of this.
    Ignored(Repeated),
    /// So many events were lost.
    Lagged(u64),
    /// The state is fresh.
    Fresh,
    /// The state may be out of date, because of this.
    Stale(WhyStale),
    /// There will be no more.
    End,
}

/// Where news come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ear {
    /// The listener that the device at hand has had from the beginning.
    Own,
    /// A listener that a step made.
    Extra(usize),
    /// The listener that the manager with this number has had from the beginning; news about the device at hand count.
    Manager(usize),
}

/// Something that can be asked for at any time.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Whether the connection is usable.
    Connected(bool),
    /// The connection is usable, and the device has spoken on it.
    Working,
    /// The version in use, if it is known: one, or the device's.
    Version(Option<Version>),
    /// The device's own version is in use.
    RightVersion,
    /// The dialect in use.
    Dialect(Dialect),
    /// Why the device could not be used, since it last could.
    Diagnosis(Option<DownReason>),
    /// The version is wrong, and the device's is named.
    DiagnosedVersion,
    /// All that was heard of the device or a sub-device.
    State(Option<&'static str>, Value),
    /// Why the state of the device or a sub-device may be out of date; `None` when it is fresh.
    Stale(Option<&'static str>, Option<WhyStale>),
    /// Whether a sub-device is reachable.
    Online(&'static str, Option<bool>),
    /// Address and port are those of this device.
    At(usize),
    /// A counter is at least so high.
    AtLeast(Counter, u64),
    /// A counter is just so high.
    Exactly(Counter, u64),
    /// How many devices this manager has.
    Holds(usize, usize),
    /// How many devices the registry has.
    Registered(usize),
    /// In the list of this manager the device at hand is connected or not, and why not.
    DeviceEntry(usize, bool, Option<DownReason>),
    /// The device was closed.
    Closed,
}

/// A counter of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Connections that became usable.
    Connects,
    /// Frames that were not believed.
    BadFrames,
    /// Times that bytes were skipped to find a frame.
    Resyncs,
    /// Frames that were ignored.
    Ignored,
    /// Events that slow listeners lost.
    Lagged,
}

/// A change of what the controller knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// The device is where this one is.
    At(usize),
    /// It speaks this.
    Speaks(Speaks),
    /// It has its own key, or this one.
    Key(Option<&'static str>),
    /// Commands wait so long.
    CommandTimeout(Ms),
}

/// What adding a device comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Ok,
    /// It was there already.
    Duplicate,
    /// The manager was shut down.
    Closed,
}

/// Something happens, or something has to be so.
#[derive(Clone, Debug)]
pub enum Step {
    /// A step about another device.
    At(usize, Box<Self>),
    /// Steps, so many times.
    Times(usize, Vec<Self>),
    /// A command, and what it comes to.
    Ask(Call, How, Want),
    /// A command is given, and named by a number.
    Begin(usize, Call, How),
    /// What that command comes to.
    End(usize, Want),
    /// Nobody waits for that command any more.
    Drop(usize),
    /// This is heard, whatever comes before it.
    Hear(Ear, Sign),
    /// The next news are these.
    Next(Ear, Sign),
    /// This was not heard since the last look.
    Unheard(Ear, Sign),
    /// A message with this DP is heard.
    HearDp(Ear, &'static str),
    /// News were lost, and the listener is told so.
    HearLag(Ear),
    /// This number of a flood is heard, and up to it all that follow the first one heard, in order.
    HearNumber(Ear, u64),
    /// The numbers of a flood are heard, all from the first to this one, in order.
    HearFlood(Ear, u64),
    /// Another listener.
    Listen(usize),
    /// This is so.
    Is(Fact),
    /// This is so soon.
    Becomes(Fact),
    /// Another controller connects to the device with this number.
    SpawnAt(usize),
    /// The configuration is changed.
    Reconfigure(Vec<Edit>),
    /// The device is given to a manager, with changes.
    Add(usize, Vec<Edit>, Added),
    /// The manager lets go of the device.
    Remove(usize),
    /// The manager ends the device for everybody.
    Delete(usize),
    /// The manager lets go of everything.
    Clear(usize),
    /// The device announces itself.
    Announce,
    /// The device announces itself again and again until that command is done.
    AnnounceTill(usize),
    /// The device announces itself as if at 127.0.0.N.
    AnnounceAs(u8),

    /// The device goes wrong.
    Fault(Fault),
    /// It does not any more.
    Mend,
    /// It loses its power.
    PowerOff(PowerLoss),
    /// It has power again.
    PowerOn,
    /// It has the address 127.0.0.N now.
    MoveTo(u8),
    /// It resets its connections.
    CutAll,
    /// It closes its connections.
    CloseAll,
    /// It speaks another version.
    SetVersion(Version),
    /// It has another key.
    SetKey(&'static str),
    /// DPs change by hand.
    Push(Option<&'static str>, Value),
    /// It pushes so many numbers.
    Flood(u32),
    /// It reports its sub-devices.
    Report,

    /// So many requests of this code (or what a version makes of it) arrive, over all.
    Arrived(CommandCode, usize),
    /// Just so many requests of this code (or what a version makes of it) have arrived.
    ArrivedOnly(CommandCode, usize),
    /// Just these DPs were written, control by control.
    Controls(Vec<Value>),
    /// Just these DPs were written, control by control, in any order.
    ControlsInAnyOrder(Vec<Value>),
    /// Just these DPs were asked for by nulls, which other firmware than device22 takes for a write.
    Nulls(Vec<Vec<u16>>),
    /// The device has these DPs soon.
    Has(Option<&'static str>, Value),
    /// So many connections are open soon.
    Open(usize),
    /// So many connections can be pushed to soon.
    Ready(usize),
    /// At least so many connections were made soon.
    Accepted(u64),
    /// Just so many connections were made.
    AcceptedOnly(u64),

    /// So much time passes, because the scenario is about time.
    Linger(Ms),
    /// From here time is taken.
    Mark,
    /// Not so much time has passed since.
    Before(Ms),
    /// So much time has passed since.
    After(Ms),
}

/// What a step asks of a subject, beyond a machine and its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Managers and registries.
    Manager,
    /// Scans.
    Scan,
    /// What was heard is kept.
    Cache,
    /// Commands can be given and forgotten.
    Queue,
    /// A command can be given up by whoever waits for it.
    Abandon,
    /// Commands are spaced, joined and split.
    Pacing,
    /// DPs and values are taken as callers have them.
    Values,
    /// Several listeners with queues of their own.
    Listeners,
    /// Verbs made of several commands.
    Detect,
    /// The effect of a write is looked for.
    Confirm,
    /// Reads are asked again.
    Repeat,
    /// The state is asked for without being told to.
    State,
    /// Two controllers of one device.
    Rivals,
}

impl Scenario {
    /// Something else that it asks of a subject.
    #[must_use]
    pub fn needing(mut self, need: Need) -> Self {
        self.also.push(need);
        self
    }

    /// Everything that it asks of a subject, without repetition.
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
            Self::HearLag(_) | Self::HearNumber(..) => Need::Listeners,
            Self::Hear(ear, sign) | Self::Next(ear, sign) | Self::Unheard(ear, sign) => match (ear, sign) {
                (Ear::Manager(_), _) => Need::Manager,
                (Ear::Extra(_), _) | (_, Sign::Lagged(_)) => Need::Listeners,
                (_, Sign::Child(..) | Sign::Unkept(_)) => Need::Cache,
                (_, Sign::Failed(_)) => Need::Queue,
                (_, Sign::Fresh | Sign::Stale(_)) => Need::State,
                _ => return,
            },
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
