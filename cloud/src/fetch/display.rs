//! Progress in words.

use core::fmt;

use super::Progress;

impl Progress {
    /// All [kinds](Self::kind).
    pub const KINDS: [&str; 11] = [
        "trying",
        "refused",
        "accepted",
        "clock",
        "token_renewed",
        "devices",
        "product",
        "waiting",
        "code",
        "logged_in",
        "logged_out",
    ];

    /// A name for programs.
    pub const fn kind(&self) -> &'static str {
        let [trying, refused, accepted, clock, token_renewed, devices, product, waiting, code, logged_in, logged_out] =
            Self::KINDS;
        match self {
            Self::Trying(_) => trying,
            Self::Refused(_) => refused,
            Self::Accepted(_) => accepted,
            Self::Clock(_) => clock,
            Self::TokenRenewed => token_renewed,
            Self::Devices(_) => devices,
            Self::Product { .. } => product,
            Self::Waiting(..) => waiting,
            Self::Code(_) => code,
            Self::LoggedIn => logged_in,
            Self::LoggedOut => logged_out,
        }
    }
}

/// One line for people, without secrets.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trying(place) => write!(f, "asking the data centre {place}"),
            Self::Refused(tried) => write!(f, "{}: {}", tried.place, tried.error),
            Self::Accepted(place) => write!(f, "{place} accepts the project"),
            Self::Clock(ms) => {
                let word = if *ms < 0 { "ahead" } else { "late" };
                write!(f, "this computer's clock is {} s {word}: set it", ms.unsigned_abs() / 1000)
            }
            Self::TokenRenewed => {
                f.write_str("another program has fetched a token for this project: fetching a new one")
            }
            Self::Devices(count) => write!(f, "devices so far: {count}"),
            Self::Product { at, of } => write!(f, "what DPs mean: product {at} of {of}"),
            Self::Waiting(time, error) => write!(f, "{error}: trying again in {} s", time.as_secs()),
            Self::Code(_) => {
                f.write_str("scan the QR code with the app (Me > the symbol for scanning), within five minutes")
            }
            Self::LoggedIn => f.write_str("logged in"),
            Self::LoggedOut => f.write_str("logged out again"),
        }
    }
}
