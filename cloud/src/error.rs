//! Reasons for a failed fetch of keys, and advice.

use core::fmt;

use crate::secret::Secret;

/// An answer in which the cloud refuses. The text is the cloud's, without control characters and without the secrets
/// that were sent, and no longer than 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// Requested data.
    pub what: &'static str,
    /// The cloud's number for it.
    pub code: Option<i64>,
    /// The cloud's words.
    pub message: String,
    /// The number under which the vendor's support finds the request.
    pub tid: String,
    /// The cloud's clock, in milliseconds since 1970.
    pub server_time: Option<u64>,
}

impl ApiError {
    /// Returns the cause, as far as that is known.
    pub fn cause(&self) -> Cause {
        match self.code {
            Some(code) => Cause::of(code),
            None if self.message.contains("sign invalid") => Cause::Credentials,
            None if self.message.contains("token invalid") => Cause::Token,
            None => Cause::Unknown,
        }
    }
}

impl ApiError {
    /// True if the cloud refused to begin a login with a QR code.
    pub fn is_of_login(&self) -> bool {
        self.what == "QR code"
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cloud refused the {}: {}", self.what, self.message)?;
        match (self.code, self.tid.as_str()) {
            (Some(code), "") => write!(f, " (code {code})"),
            (Some(code), tid) => write!(f, " (code {code}, tid {tid})"),
            (None, "") => Ok(()),
            (None, tid) => write!(f, " (tid {tid})"),
        }
    }
}

impl core::error::Error for ApiError {}

/// Meaning of the cloud's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// 1004, 1005: the Access ID or Secret is wrong, or of a project in another data centre.
    Credentials,
    /// 1010, 1011, 1012, 1400: the token has expired, or another program of the project has fetched one.
    Token,
    /// 1013: the clocks differ.
    Clock,
    /// 1100 to 1109: the request is wrong, or the call is gone.
    Request,
    /// 1106: the device or its account is not linked to the project.
    Permission,
    /// 1110, 1111, 1112, 1199: too many requests.
    Busy,
    /// 1114: the address of this network is not in the project's list.
    IpList,
    /// 2001: the device is not connected to the cloud.
    Offline,
    /// 2003, 2008: the device does not have this function.
    Unsupported,
    /// 2005, 2006, 2010: no such device, product or user.
    NotFound,
    /// 2007: the data centre does not serve this account.
    CrossRegion,
    /// 2009: the product has no standard instructions.
    NoInstructions,
    /// 2406: the account was linked with another app or before the project knew it.
    SkillId,
    /// 28841001: the project has no service for it.
    NoService,
    /// 28841002: the subscription is over.
    PlanExpired,
    /// 28841004: the month's calls are used up.
    QuotaUsed,
    /// 28841101, 28841106: the service is not subscribed.
    NotSubscribed,
    /// 28841105: the service is subscribed, but not for this project.
    NotAuthorized,
    /// 28841107: the data centre is switched off for the project.
    Suspended,
    /// 60001001: the pool of controllable devices is empty.
    DevicePool,
    /// Another number.
    Unknown,
}

impl Cause {
    /// Of a number.
    pub const fn of(code: i64) -> Self {
        match code {
            1004 | 1005 => Self::Credentials,
            1010 | 1011 | 1012 | 1400 => Self::Token,
            1013 => Self::Clock,
            1106 => Self::Permission,
            1100..=1109 => Self::Request,
            1110 | 1111 | 1112 | 1199 => Self::Busy,
            1114 => Self::IpList,
            2001 => Self::Offline,
            2003 | 2008 => Self::Unsupported,
            2005 | 2006 | 2010 => Self::NotFound,
            2007 => Self::CrossRegion,
            2009 => Self::NoInstructions,
            2406 => Self::SkillId,
            28_841_001 => Self::NoService,
            28_841_002 => Self::PlanExpired,
            28_841_004 => Self::QuotaUsed,
            28_841_101 | 28_841_106 => Self::NotSubscribed,
            28_841_105 => Self::NotAuthorized,
            28_841_107 => Self::Suspended,
            60_001_001 => Self::DevicePool,
            _ => Self::Unknown,
        }
    }

    /// Returns advice for the user.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Credentials => {
                "copy the project's Access ID and Access Secret again, without blanks; check that the data centre is \
                 the project's; compare this computer's clock with the time"
            }
            Self::Token => {
                "another program keeps fetching tokens for the same project: stop it while the keys are fetched, or \
                 make a second project"
            }
            Self::Clock => "set this computer's clock",
            Self::Request => "the cloud has changed this call: report it, with the code and the tid",
            Self::Permission => {
                "link the account of the app to the project (Devices > Link App Account), the account of the home's \
                 owner and no member or guest; check that the project has the data centre of that account"
            }
            Self::Busy => "wait some minutes, then run this again",
            Self::IpList => {
                "switch the project's IP allowlist off, or add this network's public address to it; where it is off, \
                 check Access ID, Access Secret and data centre"
            }
            Self::Offline => "no obstacle for keys: the device is not connected to the cloud",
            Self::Unsupported => "the device does not have this function",
            Self::NotFound => "check the id; the device may have been removed from the app or paired anew",
            Self::CrossRegion => {
                "use the data centre of the country that was chosen when the app's account was registered"
            }
            Self::NoInstructions => {
                "the product has no standard instructions, as gateways and infrared remotes; where DPs are missing: \
                 Change Control Instruction Mode > DP Instruction in the portal, which takes effect after 12 to 24 \
                 hours"
            }
            Self::SkillId => "unlink the app's account from the project, and link it again",
            Self::NoService => "subscribe the service IoT Core (Cloud > Cloud Services) and add it to the project",
            Self::PlanExpired => {
                "extend the trial: Cloud > Cloud Services > IoT Core > My Subscriptions > Extend Trial Period; the \
                 review can take days; keys that were fetched before stay valid"
            }
            Self::QuotaUsed => {
                "stop the program that polls the cloud with this project and wait for the next month, or make a \
                 second project"
            }
            Self::NotSubscribed => {
                "subscribe the services IoT Core, Authorization and Smart Home Basic Service; the browser must not \
                 block pop-ups"
            }
            Self::NotAuthorized => "open the service in the portal, Service API > Go to Authorize, and add the project",
            Self::Suspended => {
                "remove the data centre from the project, save, and add it again, or make a project in the right \
                 data centre: a free account has one at a time"
            }
            Self::DevicePool => "no obstacle for keys: it is for infrared remotes",
            Self::Unknown => "look the code up in the vendor's documentation; its support asks for the tid",
        }
    }

    /// Returns whether the next data centre may answer better.
    pub(crate) const fn may_be_elsewhere(self) -> bool {
        matches!(
            self,
            Self::Credentials | Self::Permission | Self::IpList | Self::CrossRegion | Self::Suspended | Self::SkillId
        )
    }

    /// True if a call of another service may succeed.
    pub(crate) const fn is_of_the_call(self) -> bool {
        matches!(
            self,
            Self::Request
                | Self::Permission
                | Self::NoService
                | Self::NotSubscribed
                | Self::NotAuthorized
                | Self::NotFound
                | Self::Unknown
        )
    }

    /// Returns whether other calls of the project will fail in the same way.
    pub(crate) const fn is_of_the_plan(self) -> bool {
        matches!(self, Self::PlanExpired | Self::QuotaUsed)
    }
}

/// Reason for a request without an answer, as the sender of requests gives it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFailure {
    /// The host's name is not known.
    #[error("the name of the host cannot be looked up")]
    HostNotFound,
    /// No connection.
    #[error("no connection to the host")]
    Connect,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The host did not prove that it is the one that was meant. Holds the reason.
    #[error("the host's certificate is not accepted: {0}")]
    Tls(String),
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer did")]
    Closed,
    /// The answer is longer than any of the cloud's.
    #[error("the answer is too long")]
    TooLong,
    /// Something else.
    #[error("the request failed")]
    Other,
}

impl SendFailure {
    /// Returns advice for the user.
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::HostNotFound => {
                "check the connection to the internet and the name server; some block lists have the vendor's names"
            }
            Self::Connect => "check the connection to the internet, the firewall and the proxy",
            Self::Timeout => "check the connection to the internet, and run this again",
            Self::Tls(_) => {
                "check this computer's clock; where a proxy looks into connections, give its certificate with --ca-file"
            }
            Self::Closed | Self::Other => "run this again; a proxy or firewall may end connections",
            Self::TooLong => "something else than the cloud answers: check proxy and endpoint",
        }
    }

    /// Returns whether the same request may succeed a moment later.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Timeout | Self::Closed | Self::Connect)
    }
}

/// A data centre that was tried without success.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tried {
    /// Its name.
    pub place: String,
    /// Error of the attempt.
    pub error: FetchError,
}

/// The keys could not be fetched. Nothing secret is in it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The cloud refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The clocks differ by so many milliseconds: positive where this computer is late.
    #[error("the cloud does not accept this computer's clock, which is {} s {}", offset_ms.unsigned_abs() / 1000, if *offset_ms < 0 { "ahead" } else { "late" })]
    Clock {
        /// The cloud's clock less this computer's.
        offset_ms: i64,
    },
    /// A request got no answer.
    #[error("{what}: {failure}")]
    Send {
        /// Requested data.
        what: &'static str,
        /// Reason for the missing answer.
        failure: SendFailure,
    },
    /// The server is overloaded, or lets nobody through.
    #[error("{what}: the server answers with HTTP status {status}")]
    Status {
        /// Requested data.
        what: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The answer is not the cloud's.
    #[error("{what}: the answer is {kind}")]
    NotJson {
        /// Requested data.
        what: &'static str,
        /// Probable kind of the answer.
        kind: &'static str,
    },
    /// The answer is the cloud's, but lacks what was asked for.
    #[error("{what}: the answer has no {missing}")]
    Incomplete {
        /// Requested data.
        what: &'static str,
        /// Missing member.
        missing: &'static str,
    },
    /// An answer was not encrypted for this login.
    #[error("{what}: the answer cannot be decrypted")]
    Seal {
        /// Requested data.
        what: &'static str,
    },
    /// The cloud knows no device of this account.
    #[error("the data centre {place} lists no devices")]
    NoDevices {
        /// The data centre.
        place: String,
    },
    /// No data centre has the devices.
    #[error("none of the data centres lists devices: {}", told(tried))]
    Nowhere {
        /// Tried data centres, in this order.
        tried: Vec<Tried>,
    },
    /// Nobody scanned the QR code.
    #[error("the QR code was not scanned in time")]
    NotScanned,
    /// The login has ended.
    #[error("the login is no longer valid")]
    LoginOver,
    /// The fetch was cancelled.
    #[error("the fetch was cancelled")]
    Cancelled,
}

fn told(tried: &[Tried]) -> String {
    let all: Vec<String> = tried.iter().map(|tried| format!("{}: {}", tried.place, tried.error)).collect();
    all.join("; ")
}

impl FetchError {
    /// Returns advice for the user.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Api(error) if error.is_of_login() && error.cause() == Cause::Unknown => {
                "check client id, schema and user code (in the app: Me > Settings > Account and Security > User Code), \
                 upper and lower case included"
            }
            Self::Api(error) => error.cause().advice(),
            Self::Clock { .. } => Cause::Clock.advice(),
            Self::Send { failure, .. } => failure.advice(),
            Self::Status { status: 429, .. } => Cause::Busy.advice(),
            Self::Status { .. } => {
                "the server is overloaded or a proxy refuses: wait some minutes, then run this again"
            }
            Self::NotJson { .. } => {
                "something else than the cloud answers, such as a proxy or the login page of a network: check the \
                 connection to the internet"
            }
            Self::Incomplete { .. } => Cause::Request.advice(),
            Self::Seal { .. } | Self::LoginOver => "log in again, with a new QR code",
            Self::NoDevices { .. } => Cause::Permission.advice(),
            Self::Nowhere { tried } => telling(tried).map_or(Cause::Credentials.advice(), Self::advice),
            Self::Cancelled => "run this again; what was in the file is as it was",
            Self::NotScanned => {
                "run this again, and scan the code within five minutes: in the app, Me > the symbol for scanning; check \
                 that the user code is that of the account (Me > Settings > Account and Security > User Code)"
            }
        }
    }

    /// The cloud's refusal, where it is one.
    pub const fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// The cause of the cloud's refusal, where it is one.
    pub fn cause(&self) -> Option<Cause> {
        self.api().map(ApiError::cause)
    }

    /// Of several data centres' errors the one that says most; else the error itself. The advice is that of this one.
    pub fn most_telling(&self) -> &Self {
        match self {
            Self::Nowhere { tried } => telling(tried).unwrap_or(self),
            other => other,
        }
    }
}

/// Chooses the error that best explains why no data centre has the devices.
fn telling(tried: &[Tried]) -> Option<&FetchError> {
    let rank = |error: &FetchError| match error {
        FetchError::NoDevices { .. } => 1,
        FetchError::Api(error) => match error.cause() {
            Cause::Suspended => 0,
            Cause::SkillId => 2,
            Cause::CrossRegion | Cause::Permission => 3,
            Cause::IpList => 4,
            _ => 5,
        },
        _ => 6,
    };
    tried.iter().map(|tried| &tried.error).min_by_key(|error| rank(error))
}

/// The cloud's words as they may be shown: without what a terminal would act on, without these secrets, and short.
pub(crate) fn shown(message: &str, secrets: &[&Secret]) -> String {
    let mut text = message.to_owned();
    for secret in secrets.iter().filter(|secret| secret.expose().len() >= 4) {
        text = text.replace(secret.expose(), "(hidden)");
    }
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: i64) -> FetchError {
        let (message, tid) = ("permission deny".to_owned(), "a1".to_owned());
        FetchError::Api(ApiError { what: "list of devices", code: Some(code), message, tid, server_time: None })
    }

    #[test]
    fn every_code_of_the_table_has_its_cause_and_advice() {
        let table = [
            (1004, Cause::Credentials, "Access Secret"),
            (1005, Cause::Credentials, "Access ID"),
            (1010, Cause::Token, "another program"),
            (1011, Cause::Token, "another program"),
            (1012, Cause::Token, "another program"),
            (1400, Cause::Token, "another program"),
            (1013, Cause::Clock, "clock"),
            (1100, Cause::Request, "report"),
            (1108, Cause::Request, "report"),
            (1109, Cause::Request, "report"),
            (1106, Cause::Permission, "owner"),
            (1110, Cause::Busy, "wait"),
            (1111, Cause::Busy, "wait"),
            (1112, Cause::Busy, "wait"),
            (1199, Cause::Busy, "wait"),
            (1114, Cause::IpList, "IP allowlist"),
            (2001, Cause::Offline, "no obstacle"),
            (2003, Cause::Unsupported, "function"),
            (2008, Cause::Unsupported, "function"),
            (2005, Cause::NotFound, "id"),
            (2006, Cause::NotFound, "id"),
            (2010, Cause::NotFound, "id"),
            (2007, Cause::CrossRegion, "country"),
            (2009, Cause::NoInstructions, "DP Instruction"),
            (2406, Cause::SkillId, "unlink"),
            (28_841_001, Cause::NoService, "IoT Core"),
            (28_841_002, Cause::PlanExpired, "Extend Trial Period"),
            (28_841_004, Cause::QuotaUsed, "next month"),
            (28_841_101, Cause::NotSubscribed, "Smart Home Basic Service"),
            (28_841_106, Cause::NotSubscribed, "pop-ups"),
            (28_841_105, Cause::NotAuthorized, "Go to Authorize"),
            (28_841_107, Cause::Suspended, "add it again"),
            (60_001_001, Cause::DevicePool, "no obstacle"),
            (77, Cause::Unknown, "tid"),
        ];
        for (code, cause, words) in table {
            let error = api(code);
            assert_eq!(error.cause(), Some(cause), "{code}");
            assert!(error.advice().contains(words), "{code}: {}", error.advice());
        }
    }

    #[test]
    fn errors_say_what_was_asked_for_and_what_support_needs() {
        let text = api(1106).to_string();
        assert_eq!(text, "the cloud refused the list of devices: permission deny (code 1106, tid a1)");
        assert!(FetchError::Clock { offset_ms: -3_600_500 }.to_string().ends_with("3600 s ahead"));
        assert!(FetchError::Clock { offset_ms: 90_000 }.to_string().ends_with("90 s late"));
    }

    #[test]
    fn of_several_data_centres_the_most_telling_advises() {
        let tried = |error| Tried { place: "x".to_owned(), error };
        let all = |errors: Vec<FetchError>| FetchError::Nowhere { tried: errors.into_iter().map(tried).collect() };
        let empty = || FetchError::NoDevices { place: "Central Europe".to_owned() };
        assert_eq!(all(vec![api(1004), empty(), api(2007)]).advice(), Cause::Permission.advice());
        assert_eq!(all(vec![api(1004), empty(), api(28_841_107)]).advice(), Cause::Suspended.advice());
        assert_eq!(all(vec![api(1004), api(1114)]).advice(), Cause::IpList.advice());
        assert_eq!(all(Vec::new()).advice(), Cause::Credentials.advice());
    }

    #[test]
    fn the_clouds_words_are_shown_without_secrets_and_control_characters() {
        let text = shown("token \u{1b}[2Jhunter2 of \nab is odd", &[&"hunter2".into(), &"ab".into()]);
        assert_eq!(text, "token [2J(hidden) of ab is odd");
        assert_eq!(shown(&"x".repeat(500), &[]).len(), 200);
    }
}
