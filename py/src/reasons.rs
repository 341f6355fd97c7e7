//! Table of the reasons why a connection ends, in Python's names.

use rustuya_runtime_tokio::DownReason;

/// Returns the exception's name, its number and the reason's name for programs.
pub(crate) const fn classify(reason: DownReason) -> (&'static str, u16, &'static str) {
    match reason {
        DownReason::Unreachable => ("DeviceOffline", 905, "unreachable"),
        DownReason::Refused => ("DeviceOffline", 901, "refused"),
        DownReason::Busy => ("DeviceBusy", 901, "busy"),
        DownReason::Silent => ("DeviceTimeout", 902, "silent"),
        DownReason::WrongKey { .. } => ("WrongKey", 914, "wrong_key"),
        DownReason::WrongVersion { .. } => ("WrongVersion", 914, "wrong_version"),
        DownReason::TooOld { .. } => ("WrongVersion", 914, "too_old"),
        DownReason::LeftOut { .. } => ("WrongVersion", 914, "left_out"),
        DownReason::KeyOrVersion => ("KeyOrVersionError", 914, "key_or_version"),
        DownReason::PeerClosed => ("ConnectionLost", 901, "peer_closed"),
        DownReason::Unresponsive => ("DeviceTimeout", 902, "unresponsive"),
        DownReason::Garbage => ("PayloadError", 904, "garbage"),
        DownReason::Unresolved => ("DeviceOffline", 905, "unresolved"),
        DownReason::OutOfDescriptors => ("OutOfDescriptors", 901, "out_of_descriptors"),
        DownReason::Relayed => ("DeviceOffline", 905, "relayed"),
        DownReason::Ended => ("ClosedError", 906, "ended"),
        _ => ("ConnectError", 901, "other"),
    }
}

/// Returns the version that the device speaks instead, where that is the reason, and whether the reason is proven.
pub(crate) const fn evidence(reason: DownReason) -> (Option<&'static str>, bool) {
    match reason {
        DownReason::WrongVersion { speaks: Some(version) }
        | DownReason::TooOld { version }
        | DownReason::LeftOut { version } => (Some(version.as_str()), true),
        DownReason::WrongKey { sure } => (None, sure),
        // A closed or silent connection proves nothing about the cause.
        DownReason::KeyOrVersion => (None, false),
        _ => (None, true),
    }
}
