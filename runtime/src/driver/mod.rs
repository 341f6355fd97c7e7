//! Parts for drivers: what carries bytes, time and tasks between the operating system and the links of devices.
//!
//! A program that controls devices needs nothing of this. A driver implements [`Runtime`] for a type of its own, and runs
//! the loop of each [`DrivenLink`] and [`DrivenDiscovery`] that it is given. An async runtime takes the loops as futures,
//! from [`polled`], and says how it dials, reads, writes and sleeps.
//!
//! | part | what it is |
//! |---|---|
//! | [`Runtime`], [`Sources`] | what a driver brings along: a way to run loops, and time and randomness for simulations |
//! | [`DrivenLink`], [`Action`], [`Destination`] | the loop of one device, and what it is told to do next |
//! | [`Transport`], [`DirectWriter`] | the connection as the loop has it, and as the threads that give commands have it |
//! | [`DrivenDiscovery`], [`DiscoveryAction`] | the loop of a discovery |
//! | [`polled`] | both loops as futures |
//! | [`look_up`], [`Candidates`], [`bind_shared`], [`reset_on_drop`] | host names, their addresses, and sockets |
//! | [`loss`], [`unresolved`] | what an I/O error means for a connection |
//! | [`Clock`], [`unix_time`] | the machine's time, and the wall clock |
//! | [`Buffers`], [`Pool`] | memory that is held only while bytes wait in it |
//! | [`Source`] | the sending end of [`Listener`](crate::Listener)s |
//!
//! The guide `docs/writing-a-driver.md` goes through the loop.

pub mod polled;
mod runtime;

pub use crate::discovery::{DiscoveryAction, DrivenDiscovery, LARGEST_DATAGRAM, bind_shared};
pub use crate::io::buffers::{Buffers, Pool, loss};
pub use crate::io::clock::{Clock, unix_time};
pub use crate::io::destination::{Candidates, Destination, LookingUp, look_up};
pub use crate::io::shortage::unresolved;
pub use crate::io::sources::Sources;
pub use crate::io::transport::{DirectWriter, Transport, reset_on_drop};
pub use crate::link::{Action, DrivenLink};
pub use crate::report::listener::Source;
pub use runtime::Runtime;
