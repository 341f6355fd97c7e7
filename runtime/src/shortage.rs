//! What to do without a file descriptor.

use std::io;

use rustuya_proto::LossReason;
use socket2::{Domain, Socket, Type};

/// Whether the operating system refused because this program, or the system, has as many files and connections open as
/// it may.
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

/// Has it said before so many descriptors are opened that they are not there: for what panics without them.
///
/// ```
/// # use rustuya_runtime::need_descriptors;
/// need_descriptors(6)?; // tokio panics where it has none left for signals
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// What the operating system says, most likely that it [is out of them](is_out_of_descriptors).
pub fn need_descriptors(count: usize) -> io::Result<()> {
    let open = |_| Socket::new(Domain::IPV4, Type::DGRAM, None);
    (0..count).map(open).collect::<io::Result<Vec<_>>>().map(drop)
}

/// What a look-up that failed means for a connection. Without a descriptor, name services say that there is no such
/// name: who has none left knows nothing about the name. For the loops that dial.
///
/// ```
/// # use rustuya_runtime::{proto::LossReason, unresolved};
/// let unknown = std::io::Error::other("failed to lookup address information: Name or service not known");
/// assert_eq!(unresolved(&unknown), LossReason::Unresolved);
/// ```
pub fn unresolved(error: &io::Error) -> LossReason {
    let is_short =
        is_out_of_descriptors(error) || need_descriptors(1).is_err_and(|error| is_out_of_descriptors(&error));
    if is_short { LossReason::OutOfDescriptors } else { LossReason::Unresolved }
}
