//! Meaning of payloads: DP values, requests per version and dialect, reports and refusals.

mod dps;
mod envelope;
mod report;

pub(crate) use dps::write_nulls;
pub use dps::{DpMap, DpValue, Dps};
pub use envelope::RequestData;
pub(crate) use envelope::{Envelope, wire_code, write_request};
pub(crate) use report::SUB_DEVICES_QUERY;
pub use report::{CidList, DeviceError, Payload, Report};

#[cfg(test)]
mod tests;
