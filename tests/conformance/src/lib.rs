#![doc = include_str!("../README.md")]

mod asynchronous;
mod bare;
mod blocking;
mod expect;
mod list;
mod network;
mod runner;
mod scenario;
mod scene;
mod setup;
mod simulated;
mod subject;
mod table;

pub use asynchronous::{Asynchronous, InMemory};
pub use bare::Bare;
pub use blocking::Blocking;
pub use network::RealTime;
pub use runner::play;
pub use scenario::{
    Added, Call, ConfiguredVersion, Counter, Edit, ExpectedEvent, Fact, Holder, How, KEY, Known, Ms, Need, OTHER_KEY,
    Scenario, Setup, Source, Step, Want,
};
pub use scene::announce;
pub use simulated::Simulated;
pub use subject::{Answer, Counters, FoundDevice, Plan, ReceivedEvent, Snapshot, Stage, Subject, Ticket, WhyStale};
pub use table::{Cell, Table};
