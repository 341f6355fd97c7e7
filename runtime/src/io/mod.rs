//! Bytes, time and names between the operating system and the links. Knows no device.

pub(crate) mod buffers;
pub(crate) mod clock;
pub(crate) mod destination;
pub(crate) mod shortage;
pub(crate) mod sources;
pub(crate) mod transport;
