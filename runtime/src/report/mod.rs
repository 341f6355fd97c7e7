//! Values that applications receive: events, state, replies, errors and counters, and the queues of their listeners.

pub mod convert;
pub(crate) mod entry;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod listener;
pub(crate) mod memory;
pub(crate) mod metrics;
pub(crate) mod reply;
pub(crate) mod state;
