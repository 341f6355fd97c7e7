//! The lines of a record.

use core::fmt::Display;
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use core::time::Duration;

use rustuya_proto::{Dialect, LossReason, Timing};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The format that is written, and the newest that is read.
pub(crate) const FORMAT: u32 = 1;
/// Name of the format in the first line.
pub(crate) const NAME: &str = "rustuya";
/// No line is longer than this.
pub(crate) const MAX_LINE: usize = 1 << 20;
/// The largest buffer that a machine is lent.
pub(crate) const MAX_BUFFER: usize = 1 << 18;
/// The longest text of a command that is written down. Devices take less than 4096 bytes.
pub(crate) const MAX_COMMAND: usize = 1 << 17;
/// So many polls share a line at most.
pub(crate) const MAX_POLLS: u32 = 4096;

/// The first line.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) record: String,
    pub(crate) format: u32,
    pub(crate) redacted: bool,
}

/// Every other line: one call of the machine of one device, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The device, where the record is of several.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) device: u32,
    /// Microseconds since an epoch of the driver's.
    pub(crate) at: u64,
    #[serde(flatten)]
    pub(crate) op: Op,
    /// Random bytes that the machine drew meanwhile.
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    pub(crate) random: Bytes,
    /// Its orders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) orders: Vec<Order>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Op {
    Created {
        #[serde(flatten)]
        config: ConfigLine,
        rx: usize,
        tx: usize,
    },
    Reconfigured(ConfigLine),
    Poll {
        times: u32,
    },
    Held {
        conn: u32,
    },
    Dialed {
        conn: u32,
    },
    Lost {
        conn: u32,
        #[serde(with = "loss")]
        why: LossReason,
    },
    Announced {
        address: IpAddr,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<Shown<rustuya_proto::Version>>,
    },
    Relayed,
    ConnectNow,
    Closed,
    Command(CommandLine),
    Received {
        bytes: Bytes,
    },
    Sent {
        bytes: Bytes,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub(crate) enum Order {
    Dial { conn: u32, to: SocketAddr },
    Hangup { conn: u32 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ConfigLine {
    pub(crate) id: String,
    /// Number of the key, from 1, for each that the device was configured with.
    pub(crate) key: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<Shown<rustuya_proto::Version>>,
    /// `None` is 3.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_version: Option<Shown<rustuya_proto::Version>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "dialect")]
    pub(crate) dialect: Option<Dialect>,
    pub(crate) persist: bool,
    pub(crate) probe: bool,
    pub(crate) timing: TimingLine,
}

/// Time limits in microseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TimingLine {
    connect: u64,
    negotiate: u64,
    answer: u64,
    heartbeat: u64,
    backoff_min: u64,
    backoff_max: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CommandLine {
    pub(crate) command: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cid: Option<String>,
    pub(crate) unix_time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<u64>,
    /// The most bytes that its frame may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_most: Option<usize>,
    #[serde(default, skip_serializing_if = "Data::is_none")]
    pub(crate) data: Data,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Data {
    #[default]
    None,
    /// The text of the DPs.
    Dps(String),
    Ids(Vec<u16>),
    Json(String),
    Raw(Bytes),
}

impl Data {
    const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl From<&Timing> for TimingLine {
    fn from(timing: &Timing) -> Self {
        Self {
            connect: micros(timing.connect),
            negotiate: micros(timing.negotiate),
            answer: micros(timing.answer),
            heartbeat: micros(timing.heartbeat),
            backoff_min: micros(timing.backoff_min),
            backoff_max: micros(timing.backoff_max),
        }
    }
}

impl From<&TimingLine> for Timing {
    fn from(line: &TimingLine) -> Self {
        let mut timing = Self::DEFAULT;
        timing.connect = Duration::from_micros(line.connect);
        timing.negotiate = Duration::from_micros(line.negotiate);
        timing.answer = Duration::from_micros(line.answer);
        timing.heartbeat = Duration::from_micros(line.heartbeat);
        timing.backoff_min = Duration::from_micros(line.backoff_min);
        timing.backoff_max = Duration::from_micros(line.backoff_max);
        timing
    }
}

/// A duration in microseconds; saturates after 584,000 years.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Bytes as hex digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex::decode(String::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

/// Something that is written as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Shown<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde lends the field")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

mod loss {
    use rustuya_proto::LossReason;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    const NAMES: [(LossReason, &str); 8] = [
        (LossReason::Refused, "refused"),
        (LossReason::Unreachable, "unreachable"),
        (LossReason::Unresolved, "unresolved"),
        (LossReason::TimedOut, "timed_out"),
        (LossReason::Reset, "reset"),
        (LossReason::Closed, "closed"),
        (LossReason::OutOfDescriptors, "out_of_descriptors"),
        (LossReason::Other, "other"),
    ];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde lends the field")]
    pub(crate) fn serialize<S: Serializer>(why: &LossReason, serializer: S) -> Result<S::Ok, S::Error> {
        let name = NAMES.iter().find(|(reason, _)| reason == why).map_or("other", |(_, name)| name);
        serializer.serialize_str(name)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LossReason, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(reason, _)| *reason).ok_or_else(|| de::Error::custom("unknown reason for a loss"))
    }
}

mod dialect {
    use rustuya_proto::Dialect;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    #[expect(clippy::ref_option, reason = "serde lends the field")]
    pub(crate) fn serialize<S: Serializer>(dialect: &Option<Dialect>, serializer: S) -> Result<S::Ok, S::Error> {
        match dialect {
            None => serializer.serialize_none(),
            Some(Dialect::Default) => serializer.serialize_some("default"),
            Some(Dialect::Device22) => serializer.serialize_some("device22"),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dialect>, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None => Ok(None),
            Some("default") => Ok(Some(Dialect::Default)),
            Some("device22") => Ok(Some(Dialect::Device22)),
            Some(_) => Err(de::Error::custom("unknown dialect")),
        }
    }
}
