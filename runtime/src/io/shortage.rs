//! Shortage of file descriptors.

use std::io;

use rustuya_proto::LossReason;
use socket2::{Domain, Socket, Type};

/// Returns whether the operating system refused because the process, or the system, has reached its limit of open files
/// and connections.
///
/// ```
/// # use rustuya_runtime::is_out_of_descriptors;
/// # #[cfg(unix)]
/// assert!(is_out_of_descriptors(&std::io::Error::from_raw_os_error(24))); // EMFILE
/// assert!(!is_out_of_descriptors(&std::io::ErrorKind::ConnectionRefused.into()));
/// ```
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    // ENFILE and EMFILE; of Windows, ERROR_TOO_MANY_OPEN_FILES and WSAEMFILE.
    const CODES: [i32; 2] = if cfg!(windows) { [4, 10_024] } else { [23, 24] };
    error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

/// Checks that this many descriptors can be opened, for callers that would panic without them.
///
/// ```
/// # use rustuya_runtime::need_descriptors;
/// need_descriptors(6)?; // tokio panics where it has none left for signals
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// The error of the operating system, most likely that it [is out of descriptors](is_out_of_descriptors).
pub fn need_descriptors(count: usize) -> io::Result<()> {
    let open = |_| Socket::new(Domain::IPV4, Type::DGRAM, None);
    (0..count).map(open).collect::<io::Result<Vec<_>>>().map(drop)
}

/// Returns the cause of a failed look-up. Without a descriptor, name services report that the name does not exist,
/// which then proves nothing about it. For loops that dial.
///
/// ```
/// # use rustuya_runtime::driver::unresolved;
/// # use rustuya_runtime::proto::LossReason;
/// let unknown = std::io::Error::other("failed to lookup address information: Name or service not known");
/// assert_eq!(unresolved(&unknown), LossReason::Unresolved);
/// ```
pub fn unresolved(error: &io::Error) -> LossReason {
    let is_short =
        is_out_of_descriptors(error) || need_descriptors(1).is_err_and(|error| is_out_of_descriptors(&error));
    if is_short { LossReason::OutOfDescriptors } else { LossReason::Unresolved }
}
