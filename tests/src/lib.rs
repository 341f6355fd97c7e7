//! Shared parts of the tests: test vectors as types of the protocol core.

pub mod chaos;
pub mod conformance;
pub mod faulty;
pub mod pair;
pub mod rng;
pub mod simulated;

use rustuya_proto::{CommandCode, Head, Keys, RetCode, Sender, Version, VersionHeader};
use rustuya_vectors::{Direction, Vector};

/// Converts a vector's version to the core's.
#[must_use]
pub const fn version(of: rustuya_vectors::Version) -> Version {
    match of {
        rustuya_vectors::Version::V31 => Version::V31,
        rustuya_vectors::Version::V32 => Version::V32,
        rustuya_vectors::Version::V33 => Version::V33,
        rustuya_vectors::Version::V34 => Version::V34,
        rustuya_vectors::Version::V35 => Version::V35,
    }
}

/// Converts a vector's sender to the core's.
#[must_use]
pub const fn sender(of: Direction) -> Sender {
    match of {
        Direction::Client => Sender::Controller,
        Direction::Device => Sender::Device,
    }
}

/// Returns the keys of a vector's frame: the local key for negotiation frames, for all others the session key where
/// there is one.
///
/// # Panics
/// If the vector has no key.
#[must_use]
pub fn keys(vector: &Vector) -> Keys {
    let negotiation = vector.cmd.is_some_and(|code| CommandCode(code).is_negotiation());
    let key = if negotiation { vector.local_key() } else { vector.session_key().or_else(|| vector.local_key()) };
    let key = key.unwrap_or_else(|| panic!("{}: no key", vector.name));
    Keys::new(version(vector.version), &key)
}

/// Returns the header of a vector's frame.
///
/// # Panics
/// If the vector is not a frame.
#[must_use]
pub fn head(vector: &Vector) -> Head {
    let (Some(seqno), Some(command)) = (vector.seqno, vector.cmd) else {
        panic!("{}: not a frame", vector.name);
    };
    Head {
        sender: sender(vector.direction),
        seqno,
        command: CommandCode(command),
        retcode: vector.retcode.map(RetCode),
        header: vector.header().and_then(|bytes| VersionHeader::at_front_of(&bytes)),
    }
}
