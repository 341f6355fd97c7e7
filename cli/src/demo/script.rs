//! Script of the demo. Every step checks what it shows.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use rustuya_runtime_tokio::{
    CommandError, Device, DiscoveredDevice, Discovery, Event, Listener, QueryReply, Reply, Tokio, Version,
};
use serde_json::{Map, Value};

use super::fleet::{self, Member};
use super::view::{DemoStep, View};
use crate::output::dp_line;

pub(super) async fn play(view: &mut View) -> anyhow::Result<()> {
    let begun = Instant::now();
    let builder = Discovery::builder().ports([0, 0, 0]).bind_address(Ipv4Addr::LOCALHOST).active(false);
    let discovery = builder.start(&Tokio).context("cannot listen for announcements on the loopback interface")?;
    let ports = discovery.local_addrs().try_into().context("three ports")?;
    let mut announcements = discovery.listener();

    view.set_phase("virtual devices start and announce themselves");
    let started = Instant::now();
    let members = fleet::start(ports).await?;
    let found = find(&members, &mut announcements, started).await?;
    view.rows(&members)?;
    view.pause(700).await;
    for (row, ip, took) in found {
        if let Some(member) = members.get(row) {
            view.step(row, DemoStep::Found { ip, version: member.version, took })?;
            view.pause(80).await;
        }
    }
    view.pause(400).await;

    view.set_phase("connecting; address and version come from the announcements");
    let devices = connect(&members, &discovery, view).await?;
    view.pause(400).await;

    view.set_phase("querying the state of every device");
    for (row, (member, device)) in members.iter().zip(&devices).enumerate() {
        let asked = Instant::now();
        let reply = ask(member, device).await.with_context(|| member.name)?;
        let took = asked.elapsed();
        check_state(member, &reply.dps)?;
        view.step(row, DemoStep::State { dps: &reply.dps, took })?;
        view.pause(120).await;
    }
    view.pause(400).await;

    view.set_phase("setting values, and waiting for each acknowledgement");
    for (row, (member, device)) in members.iter().zip(&devices).enumerate() {
        let begun = Instant::now();
        set(member, device).await.with_context(|| member.name)?;
        let took = begun.elapsed();
        check_dps(member, &member.set)?;
        view.step(row, DemoStep::Set { dps: &member.set, took })?;
        view.pause(120).await;
    }
    view.pause(400).await;

    view.set_phase("the devices are used by hand: they push the changes");
    for (row, (member, device)) in members.iter().zip(&devices).enumerate() {
        let mut events = device.listener();
        let begun = Instant::now();
        member.virtual_device.set_dps(member.cid, member.by_hand.clone())?;
        wait_for_push(member, &mut events).await?;
        view.step(row, DemoStep::Pushed { dps: &member.by_hand, took: begun.elapsed() })?;
        view.pause(120).await;
    }
    view.pause(400).await;

    unplug(&members, &devices, view).await?;
    view.pause(400).await;

    for (member, device) in members.iter().zip(&devices).filter(|(member, _)| member.cid.is_none()) {
        device.close().await;
        member.virtual_device.stop().await;
    }
    view.done(begun.elapsed())
}

/// Waits until every device has announced itself. Returns row, address and time of each.
async fn find(
    members: &[Member],
    announcements: &mut Listener<DiscoveredDevice>,
    started: Instant,
) -> anyhow::Result<Vec<(usize, Ipv4Addr, Duration)>> {
    let mut seen = Vec::new();
    let mut missing: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
    while !missing.is_empty() {
        let Ok(Some(found)) = tokio::time::timeout(STEP_LIMIT, announcements.recv()).await else {
            bail!("{} devices were not found", missing.len());
        };
        missing.retain(|id| *id != found.id);
        let row = members.iter().position(|member| member.id == found.id && member.cid.is_none());
        if let Some((row, member)) = row.and_then(|row| Some((row, members.get(row)?))) {
            ensure!(
                found.version == Some(member.version),
                "{}: announced as {:?}, but uses {}",
                member.name,
                found.version,
                member.version
            );
            if seen.iter().all(|(known, _, _)| *known != row) {
                seen.push((row, found.ip, started.elapsed()));
            }
        }
    }
    Ok(seen)
}

/// Connects to every device, and finds the sub-devices behind the gateway. Returns one handle for each member.
async fn connect(members: &[Member], discovery: &Discovery, view: &mut View) -> anyhow::Result<Vec<Device>> {
    let mut devices: Vec<Device> = Vec::new();
    for (row, member) in members.iter().enumerate() {
        let begun = Instant::now();
        if let (Some(cid), Some(gateway)) = (member.cid, devices.last().cloned()) {
            let report = gateway.sub_discover().acknowledged().await.with_context(|| member.name)?;
            let online = report.payload();
            let online = online.as_ref().and_then(|payload| payload.pointer("/data/online"));
            let online = online.and_then(Value::as_array).context("the gateway's report has no list")?;
            ensure!(online.iter().any(|entry| entry == cid), "{}: the gateway does not list it", member.name);
            devices.push(gateway);
        } else {
            let port = member.virtual_device.local_addr().port();
            let builder = Device::builder(&member.id, &member.key)?.port(port).command_timeout(STEP_LIMIT);
            // 3.1 proves nothing; here the version is known.
            let builder = builder.min_version(member.version.min(Version::V33));
            // Only the queries of the script are shown.
            let builder = builder.query_on_connect(false);
            let device = builder.discovery(discovery).spawn(&Tokio);
            let version = device.wait_connected(STEP_LIMIT).await.with_context(|| member.name)?;
            ensure!(version == member.version, "{}: connected as {version}", member.name);
            devices.push(device);
        }
        view.step(row, DemoStep::Connected { version: member.version, took: begun.elapsed() })?;
        view.pause(120).await;
    }
    Ok(devices)
}

/// Takes one device off the network, and puts it back.
async fn unplug(members: &[Member], devices: &[Device], view: &mut View) -> anyhow::Result<()> {
    let found = members.iter().position(|member| member.name == UNPLUGGED).context("nothing to unplug")?;
    let (Some(member), Some(device)) = (members.get(found), devices.get(found)) else {
        bail!("nothing to unplug");
    };
    view.set_phase("the power strip is unplugged");
    let mut events = device.listener();
    let begun = Instant::now();
    member.virtual_device.unplug().await;
    let reason = loop {
        match next(&mut events).await.with_context(|| format!("{}: unplugged, but still up", member.name))? {
            Event::Down { reason, .. } => break reason,
            _ => continue,
        }
    };
    view.step(found, DemoStep::Down { reason, took: begun.elapsed() })?;
    view.pause(1300).await;

    view.set_phase("the power strip is plugged in: its announcement wakes the connection");
    let begun = Instant::now();
    member.virtual_device.plug().await.with_context(|| format!("{}: cannot come back", member.name))?;
    let version = loop {
        match next(&mut events).await.with_context(|| format!("{}: plugged in, but not up", member.name))? {
            Event::Up { version } => break version,
            _ => continue,
        }
    };
    view.step(found, DemoStep::Back { version, took: begun.elapsed() })?;
    let asked = Instant::now();
    let reply = ask(member, device).await.with_context(|| member.name)?;
    let took = asked.elapsed();
    check_state(member, &reply)?;
    view.step(found, DemoStep::State { dps: &reply, took })
}

/// Queries named DPs, because firmware of 3.2 answers only for those.
async fn ask(member: &Member, device: &Device) -> anyhow::Result<QueryReply> {
    let dps: Vec<u16> = member.current_dps().keys().filter_map(|dp| dp.parse().ok()).collect();
    Ok(match member.cid {
        Some(cid) => device.sub(cid)?.query_dps(&dps).await?,
        None => device.query_dps(&dps).await?,
    })
}

async fn set(member: &Member, device: &Device) -> anyhow::Result<Reply> {
    Ok(match member.cid {
        Some(cid) => device.sub(cid)?.set_dps(member.set.clone()).acknowledged().await?,
        None => device.set_dps(member.set.clone()).acknowledged().await?,
    })
}

/// Waits for the push of a change by hand.
async fn wait_for_push(member: &Member, events: &mut Listener) -> anyhow::Result<()> {
    loop {
        match next(events).await.with_context(|| format!("{}: no push", member.name))? {
            Event::Message(message) if message.cid() == member.cid && message.dps() == member.by_hand => {
                return Ok(());
            }
            _ => continue,
        }
    }
}

async fn next(events: &mut Listener) -> anyhow::Result<Event> {
    match tokio::time::timeout(STEP_LIMIT, events.recv()).await {
        Ok(Some(event)) => Ok(event),
        Ok(None) => Err(CommandError::Closed.into()),
        Err(_) => bail!("no event for {} s", STEP_LIMIT.as_secs()),
    }
}

/// Checks that an answer matches the state of the device: all of it, or for device22 the queried DPs.
fn check_state(member: &Member, answered: &Map<String, Value>) -> anyhow::Result<()> {
    let actual = member.current_dps();
    let same = answered.iter().all(|(dp, value)| actual.get(dp) == Some(value));
    let enough = if member.device22 { !answered.is_empty() } else { answered.len() == actual.len() };
    ensure!(same && enough, "{}: answered {}, but its state is {}", member.name, dp_line(answered), dp_line(&actual));
    Ok(())
}

fn check_dps(member: &Member, wanted: &Map<String, Value>) -> anyhow::Result<()> {
    let actual = member.current_dps();
    let same = wanted.iter().all(|(dp, value)| actual.get(dp) == Some(value));
    ensure!(same, "{}: acknowledged {}, but its state is {}", member.name, dp_line(wanted), dp_line(&actual));
    Ok(())
}

/// The device that is unplugged.
const UNPLUGGED: &str = "power strip";

/// Time limit of one step.
const STEP_LIMIT: Duration = Duration::from_secs(8);
