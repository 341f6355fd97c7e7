//! List of scenarios for every runtime, and for the machine without one.
//!
//! A [`Scenario`] is data: devices, steps on the public API, faults at the devices and on the wire, and the expected
//! results. A [`Subject`] runs the steps with blocking calls; one implementation serves all runtimes whose devices are
//! driven by futures.

mod asynchronous;
mod bare;
mod expect;
mod list;
mod runner;
mod scenario;
mod setup;
mod subject;
mod table;

pub use asynchronous::{Asynchronous, InMemory};
pub use bare::Bare;
pub use runner::play;
pub use scenario::{
    Added, Call, ConfiguredVersion, Counter, Edit, ExpectedEvent, Fact, Holder, How, KEY, Known, Ms, Need, OTHER_KEY,
    Scenario, Setup, Source, Step, Want,
};
pub use subject::{Answer, Counters, FoundDevice, Plan, ReceivedEvent, Snapshot, Stage, Subject, Ticket, WhyStale};
pub use table::{Cell, Table};
