//! `rustuya simulate`: virtual devices.

mod profiles;

use core::fmt::Write as _;
use core::net::SocketAddr;
use core::time::Duration;
use std::net::ToSocketAddrs;
use std::path::PathBuf;

use anyhow::Context;
use rustuya_runtime_tokio::{Cid, DeviceId, Dialect, DownReason, Version, is_out_of_descriptors, need_descriptors};
use rustuya_virtual_device::{Profile, Quirks, RejectedWrite, Request, SimulationError, VirtualDevice};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::block_on;
use crate::input::{UsageError, dp_map, shown, unfit};
use crate::key::{self, KeyArgs};
use crate::output::{complain, json_line_now};
use crate::signal::Stop;

/// Run a virtual device until Ctrl-C; prints one JSON object per command received
///
/// The first line is {"listening":"HOST:PORT","id":..,"version":..}, with --answer-probes also "probes", with --profile
/// also "profile". Each command that arrives gives {"seqno":..,"cmd":..,"name":..,"cid":..,"payload":..}. If they come
/// faster than they can be printed, {"missed":N} gives the number of omitted ones. With several profiles, each line has
/// the "id" of its device.
///
/// A rejected value of a controller's write gives {"rejected":{"cid":..,"dp":..,"value":..,"why":..}}; the controller does
/// not learn of it, because real devices acknowledge every write.
#[derive(Debug, clap::Args)]
#[command(after_help = quirk_list())]
pub(crate) struct Args {
    /// Be a device of this kind, such as light, thermostat or plug, with the DPs, ranges and behavior of real ones; "list"
    /// prints all names. Can be repeated: then each device has the next port. Id, version (3.4) and key
    /// (0123456789abcdef) need not be given
    #[arg(long, value_name = "NAME", value_parser = profiles::Names, hide_possible_values = true)]
    profile: Vec<String>,
    /// Speed of time for the profile: 60 makes a minute of each second, 0 lets nothing happen by itself
    #[arg(long, value_name = "N", default_value_t = 1, requires = "profile", value_parser = clap::value_parser!(u32).range(..=3600))]
    speed: u32,
    /// Number that makes the random measurements and events of the profile repeatable
    #[arg(long, value_name = "N", requires = "profile")]
    seed: Option<u64>,
    /// Add the device to this devices.json, with its address, key and meaning of DPs, or replace its entry there; the file
    /// is made if it is missing. "-" prints {"devices":[..]} instead
    #[arg(long, value_name = "FILE")]
    write_devices: Option<PathBuf>,
    /// Name of the device in --write-devices [default: one that fits the profile]
    #[arg(long, value_name = "NAME", requires = "write_devices")]
    name: Option<String>,
    /// Protocol version to use: 3.1, 3.2, 3.3, 3.4 or 3.5
    #[arg(long, value_name = "V", required_unless_present = "profile")]
    version: Option<Version>,
    /// Device id
    #[arg(long, value_name = "ID", required_unless_present = "profile")]
    id: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
    /// Address to listen on; 0.0.0.0 makes the device reachable from the network
    #[arg(long, value_name = "A", default_value = "127.0.0.1")]
    host: String,
    /// TCP port to listen on; 0 takes a free one
    #[arg(long, value_name = "P", default_value_t = rustuya_proto::DEFAULT_PORT)]
    port: u16,
    /// DPs of the device. Controllers can set these, to values of the same kind [default: {"1":false}, none for a
    /// gateway]
    #[arg(long, value_name = "JSON")]
    dps: Option<String>,
    /// Refuse ordinary queries, as device22 firmware does. 3.2 always does
    #[arg(long)]
    device22: bool,
    /// Add a sub-device with these DPs, which makes it a gateway. Can be repeated
    #[arg(long, value_name = "CID=JSON")]
    sub: Vec<String>,
    /// Report this sub-device as offline. Can be repeated
    #[arg(long, value_name = "CID", requires = "sub")]
    offline: Vec<String>,
    /// Allowed values of the DPs, like "mapping" in devices.json:
    /// {"2":{"type":"Integer","values":{"min":10,"max":1000}}}
    #[arg(long, value_name = "JSON")]
    schema: Option<String>,
    /// Refuse DPs and values that no real device could have, and end with an error after a rejected write
    #[arg(long)]
    strict: bool,
    /// Announce the device there, every 5 seconds. Can be repeated
    #[arg(long, value_name = "HOST:PORT")]
    announce: Vec<String>,
    /// Receive requests for announcements there, like devices on UDP port 7000, and answer them. Only 3.5 devices do
    #[arg(long, value_name = "HOST:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "0.0.0.0:7000")]
    answer_probes: Option<String>,
    /// UDP port to which requests for announcements are answered
    #[arg(long, value_name = "P", default_value = "7000", requires = "answer_probes")]
    answer_port: u16,
    /// Behave differently from firmware of the version, in one of the ways listed below. Can be repeated
    #[arg(long, value_name = "NAME")]
    quirk: Vec<String>,
}

#[derive(Serialize)]
struct Listening<'a> {
    listening: SocketAddr,
    id: &'a str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'static str>,
    /// Address that receives requests for announcements.
    #[serde(skip_serializing_if = "Option::is_none")]
    probes: Option<SocketAddr>,
}

/// Line about one of several devices.
#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(flatten)]
    line: T,
}

/// Number of requests that were not printed because they came too fast, before the one that follows.
#[derive(Serialize)]
struct Missed {
    missed: u64,
}

#[derive(Serialize)]
struct Rejected {
    rejected: RejectedFields,
}

#[derive(Serialize)]
struct RejectedFields {
    cid: Option<String>,
    dp: u16,
    value: Value,
    why: String,
}

#[derive(Serialize)]
struct Received {
    seqno: u32,
    cmd: u32,
    name: Option<&'static str>,
    cid: Option<String>,
    payload: Option<Value>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.profile.iter().any(|name| name == "list") {
        return profiles::list();
    }
    let profiles = profiles::parse(&args.profile)?;
    let several = profiles.len() > 1;
    if several && (args.id.is_some() || args.name.is_some()) {
        return Err(unfit("--id and --name are for one device: each profile has its own").into());
    }
    if let Some(id) = &args.id {
        DeviceId::new(id).map_err(|error| unfit(&format!("--id: {error}")))?;
    }
    check_quirks(&args.quirk)?;
    let subs = args.sub.iter().map(|text| sub_device(text)).collect::<Result<Vec<_>, _>>()?;
    let dps = match &args.dps {
        Some(text) => dp_map("--dps", text)?,
        None if subs.is_empty() && profiles.is_empty() => Map::from_iter([("1".to_owned(), Value::Bool(false))]),
        None => Map::new(),
    };
    let schema = args.schema.as_ref().map(|text| dp_map("--schema", text)).transpose()?;
    let key = match &*args.profile {
        [] => args.key.any()?,
        _ => args.key.explicit()?.or(key::from_environment()?).unwrap_or_else(profiles::default_key),
    };
    let key = key::as_text(&key);
    let plan = Plan { args, subs, dps, schema, key: &key };
    block_on(async {
        let stop = Stop::new()?;
        let mut devices = Vec::new();
        if profiles.is_empty() {
            devices.push(plan.start(None, args.port).await?);
        }
        for (at, profile) in profiles.into_iter().enumerate() {
            let next = u16::try_from(at).ok().and_then(|at| args.port.checked_add(at));
            let port = if args.port == 0 { 0 } else { next.ok_or_else(|| unfit("--port: too many devices"))? };
            devices.push(plan.start(Some((at, profile)), port).await?);
        }
        let entries: Vec<_> = devices.iter().flat_map(VirtualDevice::entries).collect();
        // The file is complete before anybody hears of the devices.
        match &args.write_devices {
            Some(path) if path.as_os_str() != "-" => profiles::write(path, entries.clone())?,
            _ => {}
        }
        for device in &devices {
            json_line_now(&Listening {
                listening: device.local_addr(),
                id: device.id(),
                version: device.version().as_str(),
                profile: device.profile().map(Profile::name),
                probes: device.probe_addr(),
            })?;
        }
        if args.write_devices.as_ref().is_some_and(|path| path.as_os_str() == "-") {
            json_line_now(&serde_json::json!({ "devices": entries }))?;
        }
        serve(devices, stop, args.strict).await
    })
}

/// Common settings of the devices of a command.
struct Plan<'a> {
    args: &'a Args,
    subs: Vec<(Cid, Map<String, Value>)>,
    dps: Map<String, Value>,
    schema: Option<Map<String, Value>>,
    key: &'a str,
}

impl Plan<'_> {
    /// Starts a device, with its profile and the position of that.
    async fn start(&self, profile: Option<(usize, Profile)>, port: u16) -> anyhow::Result<VirtualDevice> {
        let args = self.args;
        let id = match (&args.id, profile) {
            (Some(id), _) => id.clone(),
            (None, Some((at, profile))) => profiles::id(at, profile),
            // The command line demands one of them.
            (None, None) => String::new(),
        };
        let version = args.version.unwrap_or(Version::V34);
        let mut builder = VirtualDevice::builder(&id, self.key, version)?
            .dps(self.dps.clone())?
            .bind(address("--host", (args.host.as_str(), port))?);
        if let Some((_, profile)) = profile {
            builder = builder.profile(profile).speed(args.speed);
        }
        if let Some(seed) = args.seed {
            builder = builder.seed(seed);
        }
        if let Some(name) = &args.name {
            builder = builder.name(name);
        }
        if args.device22 {
            builder = builder.dialect(Dialect::Device22);
        }
        for (cid, dps) in &self.subs {
            builder = builder.sub(cid.as_str(), dps.clone())?;
        }
        for cid in &args.offline {
            builder = builder.offline(cid).map_err(|error| unfit(&format!("--offline {}: {error}", shown(cid))))?;
        }
        if let Some(schema) = &self.schema {
            builder = builder.schema(None, schema).map_err(|error| unfit(&format!("--schema: {error}")))?;
        }
        builder = builder.strict(args.strict);
        for to in &args.announce {
            builder = builder.announce_to(address("--announce", to.as_str())?);
        }
        if let Some(listen) = &args.answer_probes {
            builder = builder.answer_probes(address("--answer-probes", listen.as_str())?, args.answer_port);
        }
        for quirk in &args.quirk {
            builder = builder.quirk(quirk)?;
        }
        match builder.start().await {
            // In strict mode, some DPs are refused before it listens.
            Err(error) if error.get_ref().is_some_and(|error| error.is::<SimulationError>()) => {
                Err(unfit(&error.to_string()).into())
            }
            other => other.with_context(|| format!("cannot listen on {}:{port}", args.host)),
        }
    }
}

/// Prints what the devices receive, until they are stopped.
async fn serve(devices: Vec<VirtualDevice>, mut stop: Stop, is_strict: bool) -> anyhow::Result<()> {
    let several = devices.len() > 1;
    let mut tasks = JoinSet::new();
    for device in &devices {
        tasks.spawn(print(device.clone(), several));
    }
    let mut short = check_descriptors(false);
    let mut checks = tokio::time::interval(CHECK_INTERVAL);
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(result) => result??,
                None => return Ok(()),
            },
            _ = checks.tick() => short = check_descriptors(short),
            () = stop.wait() => {
                let mut count = 0;
                for device in &devices {
                    device.stop().await;
                    count += device.rejected_writes().len();
                }
                anyhow::ensure!(!is_strict || count == 0, "values that were not accepted: {count}");
                return Ok(());
            }
        }
    }
}

/// Prints what one device receives.
async fn print(device: VirtualDevice, several: bool) -> anyhow::Result<()> {
    let (mut requests, mut rejected) = (device.requests(), device.rejected_write_listener());
    let id = several.then(|| device.id());
    let mut missed = 0;
    loop {
        tokio::select! {
            request = requests.recv() => match request {
                Some(request) => {
                    let lost = requests.missed() - missed;
                    if lost > 0 {
                        json_line_now(&Line { id, line: Missed { missed: lost } })?;
                        missed += lost;
                    }
                    json_line_now(&Line { id, line: Received::from(request) })?;
                }
                None => return Ok(()),
            },
            write = rejected.recv() => if let Some(write) = write {
                json_line_now(&Line { id, line: Rejected::from(write) })?;
            },
        }
    }
}

impl From<Request> for Received {
    fn from(request: Request) -> Self {
        Self {
            seqno: request.seqno,
            cmd: request.command.0,
            name: request.name,
            cid: request.cid,
            payload: request.payload,
        }
    }
}

impl From<RejectedWrite> for Rejected {
    fn from(write: RejectedWrite) -> Self {
        let why = write.why.map_or_else(|| "the request is not for this device".to_owned(), |why| why.to_string());
        Self { rejected: RejectedFields { cid: write.cid, dp: write.dp, value: write.value, why } }
    }
}

/// Interval of the check for free file descriptors.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Returns whether there is no file descriptor left for a controller. Prints a warning when that begins.
fn check_descriptors(before: bool) -> bool {
    let short = need_descriptors(1).is_err_and(|error| is_out_of_descriptors(&error));
    if short && !before {
        let reason = DownReason::OutOfDescriptors;
        complain(&format!("no controller can connect: {reason}: {}", reason.advice()));
    }
    short
}

/// Looks up an address of the command line. Blocks: nothing else runs yet.
fn address(option: &str, host: impl ToSocketAddrs) -> anyhow::Result<SocketAddr> {
    let mut found = host.to_socket_addrs().with_context(|| format!("{option}: no such address"))?;
    found.next().with_context(|| format!("{option}: no such address"))
}

fn sub_device(text: &str) -> Result<(Cid, Map<String, Value>), UsageError> {
    let form = || unfit("--sub: must be CID=JSON, such as a4c1380011223344={\"1\":true}");
    let (cid, dps) = text.split_once('=').ok_or_else(form)?;
    let cid = Cid::new(cid).map_err(|error| unfit(&format!("--sub: {error}")))?;
    Ok((cid, dp_map("--sub", dps)?))
}

fn check_quirks(names: &[String]) -> Result<(), UsageError> {
    let mut quirks = Quirks::default();
    names
        .iter()
        .try_for_each(|name| quirks.set(name).map_err(|error| unfit(&format!("--quirk {}: {error}", shown(name)))))
}

fn quirk_list() -> String {
    let mut text = "Quirks:\n".to_owned();
    for (name, effect) in Quirks::NAMES {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name:<24} {effect}");
    }
    text
}
