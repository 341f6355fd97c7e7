//! The steps.

use anyhow::Error;
use rustuya_runtime_tokio::{
    Address, Cid, CommandError, DeviceEntry, DeviceId, DownReason, LocalKey, Manager, Pacing, QueryReply, Registry,
    SendError, Tokio, Version,
};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::listen::Heard;
use super::{Args, List, Outcome, Report};
use crate::connect::connect;
use crate::input;
use crate::key;
use crate::target::Target;

const WIZARD: &str = "run `rustuya wizard`: it fetches keys, names and gateways from the vendor's cloud";

/// Examines a device. Whether it answers.
pub(super) async fn device(
    args: &Args,
    list: Option<&List>,
    name: &str,
    heard: &Heard,
    report: &mut Report,
) -> anyhow::Result<bool> {
    let Some(entry) = listed(list, name, report)? else {
        let rest = ["key", "announced", "address", "port", "busy", "negotiation", "query"];
        report.skipped(&rest, "it is not known which device is meant")?;
        return Ok(false);
    };
    let local_key = local_key(args, &entry, report)?;
    announced(args, &entry, heard, report)?;
    let Some((address, version)) = place(args, &entry, heard, report)? else {
        report.skipped(&["port", "busy", "negotiation", "query"], "no address")?;
        return Ok(false);
    };
    let port = args.port.or_else(|| entry.listed.and_then(DeviceEntry::port)).unwrap_or(rustuya_proto::DEFAULT_PORT);
    let Some(local_key) = local_key else {
        open(args, &address, port, report).await?;
        report.skipped(&["busy", "negotiation", "query"], "no key")?;
        return Ok(false);
    };
    let target = Target {
        name: report.name.clone(),
        id: entry.id,
        cid: entry.cid,
        key: local_key,
        address,
        port,
        version,
        min_version: entry.listed.and_then(DeviceEntry::min_version),
        dialect: entry.listed.and_then(DeviceEntry::dialect),
        timeout: args.timeout,
        pacing: Pacing::NONE,
        receive_limit: 65536,
        product: Arc::default(),
    };
    talk(&target, report).await
}

/// Known facts of a device before anything is received: of a sub-device, those of its gateway.
struct Entry<'a> {
    id: DeviceId,
    cid: Option<Cid>,
    listed: Option<&'a DeviceEntry>,
    source: &'a str,
}

fn listed<'a>(list: Option<&'a List>, name: &str, report: &mut Report) -> anyhow::Result<Option<Entry<'a>>> {
    let step = "listed";
    let source = list.map_or("", |list| list.name.as_str());
    let found = match list.map(|list| list.file.find(name)).transpose() {
        Ok(found) => found.flatten(),
        Err(error) => {
            report.failed(step, error.to_string(), "give the id instead of the name")?;
            return Ok(None);
        }
    };
    let (Some(list), Some(listed)) = (list, found) else {
        let saw = match list {
            Some(list) => format!("{source} lists {} devices, but not this one{}", list.file.len(), alike(list, name)),
            None => "there is no devices.json here".to_owned(),
        };
        return match DeviceId::new(name) {
            // Ids have 20 characters or more; what is shorter is a name.
            Ok(id) if name.len() >= 16 => {
                report.id = Some(input::shown(name).to_owned());
                report.note(step, saw, WIZARD)?;
                Ok(Some(Entry { id, cid: None, listed: None, source }))
            }
            _ => {
                report.failed(step, saw, WIZARD)?;
                Ok(None)
            }
        };
    };
    report.id = Some(listed.id().to_owned());
    let (device, cid) = if listed.is_sub_device() {
        let (gateway, cid) = (list.file.gateway(listed), listed.cid().map(Cid::new));
        let (Some(gateway), Some(Ok(cid))) = (gateway, cid) else {
            report.failed(
                step,
                format!("{source} does not tell which gateway it is behind, or by which name"),
                WIZARD,
            )?;
            return Ok(None);
        };
        let called = gateway.name().unwrap_or(gateway.id());
        report.ok(step, format!("{source} lists it, behind {called}: what follows is about that gateway"))?;
        (gateway, Some(cid))
    } else {
        report.ok(step, format!("{source} lists it, with the id {}", listed.id()))?;
        (listed, None)
    };
    match DeviceId::new(device.id()) {
        Ok(id) => Ok(Some(Entry { id, cid, listed: Some(device), source })),
        Err(error) => {
            report.failed(step, format!("its id cannot be one: {error}"), WIZARD)?;
            Ok(None)
        }
    }
}

/// Names that differ in case or blanks only, or begin alike.
fn alike(list: &List, name: &str) -> String {
    let wanted = name.trim().to_lowercase();
    let names = list.file.devices().filter_map(DeviceEntry::name);
    let alike: Vec<&str> = names
        .filter(|known| {
            let known = known.trim().to_lowercase();
            !wanted.is_empty() && (known.contains(&wanted) || wanted.contains(&known) && !known.is_empty())
        })
        .take(3)
        .collect();
    if alike.is_empty() { String::new() } else { format!("; did you mean {}?", alike.join(", ")) }
}

fn local_key(args: &Args, entry: &Entry<'_>, report: &Report) -> anyhow::Result<Option<LocalKey>> {
    let step = "key";
    if let Some(given) = args.key.explicit()? {
        report.ok(step, "16 characters, from the options")?;
        return Ok(Some(given));
    }
    match entry.listed.map(DeviceEntry::local_key) {
        Some(Ok(Some(known))) => {
            report.ok(step, format!("16 characters, from {}", entry.source))?;
            return Ok(Some(known));
        }
        Some(Err(error)) => {
            report.failed(step, format!("what {} has is no key: {error}", entry.source), WIZARD)?;
            return Ok(None);
        }
        Some(Ok(None)) | None => {}
    }
    if let Some(given) = key::from_environment()? {
        report.ok(step, "16 characters, from RUSTUYA_KEY")?;
        return Ok(Some(given));
    }
    let saw = if entry.source.is_empty() { "none is given".to_owned() } else { format!("{} has none", entry.source) };
    report.failed(step, saw, WIZARD)?;
    Ok(None)
}

fn announced(args: &Args, entry: &Entry<'_>, heard: &Heard, report: &Report) -> anyhow::Result<()> {
    let step = "announced";
    let id = entry.id.as_str();
    if let Some(found) = heard.device(id) {
        let version = found.version.map_or("an unknown version", Version::as_str);
        if found.unpaired {
            let advice = "pair it with the app, then run `rustuya wizard`: it gets its key when it is paired";
            return report.failed(step, format!("at {}: it waits to be paired", found.ip), advice);
        }
        return report.ok(step, format!("at {}, {version}", found.ip));
    }
    if let Some(found) = heard.relayed(id) {
        let by = found.relayed_by.map(|by| by.to_string()).unwrap_or_default();
        let saw = format!("at {}, but by another address, {by}: not believed", found.ip);
        return report.note(step, saw, "if that is a relay or a container's bridge: --trust-relayed");
    }
    if let Some(error) = &heard.error {
        let advice = "another program may hold the UDP ports; see --discovery-ports";
        return report.note(step, format!("cannot listen: {error}"), advice);
    }
    let saw = format!("not heard in {:.0} s; other devices heard: {}", heard.seconds, heard.others());
    let ports = args.discovery_ports.0.map(|port| port.to_string()).join(", ");
    let advice = match heard.others() {
        0 => format!(
            "check that the firewall lets UDP {ports} in, and that this computer is in the same network as the devices, no \
             guest network or other subnet"
        ),
        _ => "check that it has power and is in this network; with a client connected, many devices are silent"
            .to_owned(),
    };
    // A device with a known address can be reached without an announcement.
    let is_known = args.address.is_some() || entry.listed.is_some_and(|listed| *listed.address() != Address::Auto);
    report.step(step, if is_known { Outcome::Note } else { Outcome::Failed }, saw, Some(&advice))
}

/// Describes the address of the device and its version, as far as they are known.
fn place(
    args: &Args,
    entry: &Entry<'_>,
    heard: &Heard,
    report: &Report,
) -> anyhow::Result<Option<(Address, Option<Version>)>> {
    let step = "address";
    let found = heard.device(entry.id.as_str());
    let stored = entry.listed.map(DeviceEntry::address).filter(|address| **address != Address::Auto);
    let stored_version = entry.listed.and_then(DeviceEntry::version);
    let version = found.and_then(|found| found.version).or(stored_version);
    let speaks = version.map_or_else(|| "version to be found out".to_owned(), |version| format!("version {version}"));
    let given = args.address.as_ref().filter(|address| **address != Address::Auto);
    let address = match (given, found, stored) {
        (Some(given), ..) => given.clone(),
        (None, Some(found), _) => Address::Ip(found.ip.into()),
        (None, None, Some(stored)) => stored.clone(),
        (None, None, None) => {
            report.failed(step, "none is known", "give --address, where its router or the app shows one")?;
            return Ok(None);
        }
    };
    let is_old = |found: &rustuya_runtime_tokio::DiscoveredDevice| {
        let moved = entry.listed.and_then(DeviceEntry::ip).is_some_and(|ip| ip != found.ip);
        moved || stored_version.is_some_and(|stored| found.version.is_some_and(|version| version != stored))
    };
    if given.is_none() && found.is_some_and(is_old) {
        let was = stored.map(written).unwrap_or_default();
        let was_version = stored_version.map(|version| format!(" version {version}")).unwrap_or_default();
        let saw = format!("{}, {speaks}; {} says {was}{was_version}", written(&address), entry.source);
        report.note(
            step,
            saw,
            "run `rustuya wizard`, which brings the file up to date, or reserve the address in the router",
        )?;
    } else {
        report.ok(step, format!("{}, {speaks}", written(&address)))?;
    }
    Ok(Some((address, version)))
}

/// As it is given on a command line.
fn written(address: &Address) -> String {
    match address {
        Address::Auto => "none".to_owned(),
        Address::Ip(ip) => ip.to_string(),
        Address::Socket(socket) => socket.to_string(),
        Address::Name(host, None) => host.to_string(),
        Address::Name(host, Some(port)) => format!("{host}:{port}"),
    }
}

/// Without a key, all that can be seen is whether something listens.
async fn open(args: &Args, address: &Address, port: u16, report: &Report) -> anyhow::Result<()> {
    let at = match address {
        Address::Socket(socket) => socket.to_string(),
        Address::Ip(ip) => core::net::SocketAddr::new(*ip, port).to_string(),
        Address::Name(host, own) => format!("{host}:{}", own.unwrap_or(port)),
        Address::Auto => return Ok(()),
    };
    match timeout(args.timeout, TcpStream::connect(&at)).await {
        Ok(Ok(_)) => report.ok("port", "open"),
        Ok(Err(error)) => report.failed("port", error.to_string(), DownReason::Refused.advice()),
        Err(_) => report.failed("port", "no answer", DownReason::Unreachable.advice()),
    }
}

/// Connects and asks, with one connection: many devices have no second one.
async fn talk(target: &Target, report: &Report) -> anyhow::Result<bool> {
    let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
    let device = connect(&manager, target)?;
    let cid = target.cid.as_ref().map(ToString::to_string);
    let asked = {
        let device = device.clone();
        async move {
            match cid.map(|cid| device.sub(&cid)).transpose() {
                Ok(Some(sub)) => sub.query().await,
                Ok(None) => device.query().await,
                Err(_) => Err(CommandError::Invalid(SendError::InvalidData)),
            }
        }
    };
    let result = target.run(&device, asked).await;
    let known = result.as_ref().err().and_then(|error| error.downcast_ref::<CommandError>()?.diagnosis());
    let reason = known.or_else(|| device.diagnosis());
    let spoken = device.version();
    manager.shutdown().await;
    tell(result, reason, spoken, report)
}

/// Derives the result of each earlier step from the outcome of a query.
fn tell(
    result: Result<QueryReply, Error>,
    reason: Option<DownReason>,
    spoken: Option<Version>,
    report: &Report,
) -> anyhow::Result<bool> {
    let error = match result {
        Ok(state) => {
            report.ok("port", "open")?;
            report.ok("busy", "it takes a connection")?;
            report.ok("negotiation", negotiated(spoken))?;
            let dps: Vec<&str> = state.dps.keys().map(String::as_str).collect();
            let saw = if dps.is_empty() {
                "it answers, but shows no DPs".to_owned()
            } else {
                format!("DPs {}", dps.join(", "))
            };
            report.ok("query", saw)?;
            return Ok(true);
        }
        Err(error) => error,
    };
    let told = |reason: DownReason| (reason.to_string(), reason.advice());
    match reason {
        Some(
            reason @ (DownReason::Unreachable
            | DownReason::Refused
            | DownReason::Unresolved
            | DownReason::OutOfDescriptors),
        ) => {
            let (saw, advice) = told(reason);
            report.failed("port", saw, advice)?;
            report.skipped(&["busy", "negotiation", "query"], "no connection")?;
        }
        Some(reason @ DownReason::Busy) => {
            let (saw, advice) = told(reason);
            report.ok("port", "open")?;
            report.failed("busy", saw, advice)?;
            report.skipped(&["negotiation", "query"], "no connection")?;
        }
        Some(
            reason @ (DownReason::Silent
            | DownReason::WrongKey { .. }
            | DownReason::WrongVersion { .. }
            | DownReason::TooOld { .. }
            | DownReason::LeftOut { .. }
            | DownReason::KeyOrVersion
            | DownReason::Garbage),
        ) => {
            let (saw, advice) = told(reason);
            let wizard = matches!(reason, DownReason::WrongKey { .. } | DownReason::KeyOrVersion);
            let advice = if wizard { format!("{advice}: run `rustuya wizard`") } else { advice.to_owned() };
            report.ok("port", "open")?;
            report.ok("busy", "it takes a connection")?;
            report.failed("negotiation", saw, &advice)?;
            report.skipped(&["query"], "key and version are not settled")?;
        }
        _ => {
            let is_open = spoken.is_some();
            let word = |saw: &str| {
                if is_open { (Outcome::Ok, saw.to_owned()) } else { (Outcome::Skipped, "not seen".to_owned()) }
            };
            for (step, saw) in
                [("port", "open"), ("busy", "it takes a connection"), ("negotiation", &negotiated(spoken))]
            {
                let (result, saw) = word(saw);
                report.step(step, result, saw, None)?;
            }
            let advice = "run it again; where it stays, `rustuya watch` shows what the device sends by itself";
            report.failed("query", format!("{error:#}"), advice)?;
        }
    }
    Ok(false)
}

fn negotiated(spoken: Option<Version>) -> String {
    match spoken {
        Some(version) if version.negotiates() => format!("{version}, and the key is right"),
        Some(version) => {
            format!("{version} negotiates nothing: the answer to the query shows whether the key is right")
        }
        None => "not seen".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustuya_runtime_tokio::DevicesFile;

    #[test]
    fn names_that_are_alike_are_offered() {
        let file = DevicesFile::parse(
            br#"[{"id":"a","name":"Desk lamp"},{"id":"b","name":"Desk fan"},{"id":"c","name":"TV"}]"#,
        );
        let list = List { file: file.expect("a list"), name: "devices.json".to_owned() };
        assert_eq!(alike(&list, "desk LAMP "), "; did you mean Desk lamp?");
        assert_eq!(alike(&list, "desk"), "; did you mean Desk lamp, Desk fan?");
        assert_eq!((alike(&list, "heater"), alike(&list, " ")), (String::new(), String::new()));
    }
}
