//! One list of scenarios for every runtime, and for the machine without one.
//!
//! A [`Scenario`] is data: devices, steps on the public API, faults at the devices and on the wire, and what has to
//! come of it. A [`Subject`] carries the steps out, with blocking calls; there is one implementation for all runtimes
//! whose devices are driven by futures.

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
    Added, Call, Counter, Ear, Edit, Fact, Held, How, KEY, Known, Ms, Need, OTHER_KEY, Scenario, Setup, Sign, Speaks,
    Step, Want,
};
pub use subject::{Answer, Counters, Heard, Look, Plan, Sighted, Stage, Subject, Ticket, WhyStale};
pub use table::{Cell, Table};
