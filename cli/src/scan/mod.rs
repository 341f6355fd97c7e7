//! `rustuya scan`: devices on the local network.

mod sweep;
mod view;

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, bail};
use rustuya_runtime_tokio::{
    DevicesFile, DiscoveredDevice, Network, Scan, Scanner, SightingKind, Tokio, is_out_of_descriptors,
};

use crate::block_on;
use crate::input::{self, Ports, seconds, shown, unfit};
use crate::output::plain;
use crate::signal::Stop;
use view::View;

/// Search devices on the local network, and show them as they announce themselves
///
/// Devices announce themselves every few seconds; those of 3.5 answer probes. With --json, each device gives
/// {"id":..,"ip":..,"version":..,"product_key":..,"name":..} when it announces itself, and again when any of these
/// changes; with "relayed_by":.. if another address has announced it, and "unpaired":true if it waits to be paired.
/// With --network, an address whose device is not known gives {"id":null,"ip":..,"port":..}. A scan without devices is
/// no failure, but --find without its device is one.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Duration of the search; 18 seconds are enough for three announcements of any device
    #[arg(long, value_name = "SECONDS", default_value = "18", value_parser = seconds)]
    timeout: Duration,
    /// End as soon as this device is found, and show nothing else; with --devices, also a name
    #[arg(long, value_name = "ID")]
    find: Option<String>,
    /// Print one JSON object per device
    #[arg(long)]
    json: bool,
    /// Search this network instead, address by address, such as another subnet: 192.168.5.0/24. Devices of 3.5 are
    /// found by probes, others by their open port, without their id. At most 65536 addresses, 200 per second. Can be
    /// repeated
    #[arg(long, value_name = "ADDRESS/PREFIX", conflicts_with_all = ["timeout", "broadcast", "probe"])]
    network: Vec<Network>,
    /// TCP port of devices, with --network
    #[arg(long, value_name = "PORT", default_value_t = rustuya_proto::DEFAULT_PORT, requires = "network")]
    port: u16,
    /// Listen on this address only, and send probes from it only. On most systems this receives no broadcasts
    #[arg(long, value_name = "IP")]
    bind: Option<Ipv4Addr>,
    /// Broadcast address of probes, in place of each interface's own, such as that of another subnet
    #[arg(long, value_name = "IP")]
    broadcast: Option<Ipv4Addr>,
    /// Send probes there instead of broadcasting. Can be repeated
    #[arg(long, value_name = "IP:PORT", conflicts_with = "broadcast")]
    probe: Vec<SocketAddrV4>,
    /// UDP ports to listen on: of clear announcements, of encrypted ones, and of answers to probes
    #[arg(long, value_name = "A,B,C", default_value = "6666,6667,7000")]
    discovery_ports: Ports,
    /// Believe announcements that come from another address than the announced one, as through a relay or a container's
    /// bridge. Without it, such devices are listed at the end
    #[arg(long)]
    trust_relayed: bool,
    /// A devices.json or snapshot.json as tinytuya writes it, to show names
    #[arg(long, value_name = "FILE")]
    devices: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let list = match &args.devices {
        Some(path) => Some(DevicesFile::read(path).with_context(|| input::file("--devices", path))?),
        None => None,
    };
    let wanted = args.find.as_deref().map(|wanted| id_of(wanted, list.as_ref())).transpose()?;
    if !args.network.is_empty() {
        return sweep::run(args, list.as_ref(), wanted.as_deref());
    }
    block_on(async {
        let mut stop = Stop::new()?;
        let mut scan = args.start(wanted.as_deref())?;
        let mut view = View::new(args.json, list.as_ref());
        let mut found = false;
        loop {
            let device = tokio::select! {
                device = scan.recv() => device,
                () = stop.wait() => break,
            };
            let Some(device) = device else { break };
            if wanted.as_ref().is_some_and(|wanted| *wanted != device.id) {
                continue;
            }
            found = true;
            if device.kind != SightingKind::SeenAgain {
                view.show_device(&device)?;
            }
            if wanted.is_some() {
                break;
            }
        }
        view.done()?;
        if !args.trust_relayed {
            report_relayed(&scan.relayed(), wanted.as_deref().filter(|_| !found));
        }
        let dropped = scan.counts().dropped.max(scan.missed());
        if dropped > 0 {
            eprintln!(
                "rustuya: {dropped} announcements of devices were dropped: more were made than can be remembered (16384), \
                 which no real network does; --find finds a device all the same"
            );
        }
        match (found, &args.find) {
            (true, _) => {}
            (false, Some(wanted)) => bail!("{} was not found; {}", shown(wanted), args.advice()),
            (false, None) => eprintln!("rustuya: no device was found; {}", args.advice()),
        }
        Ok(())
    })
}

/// Lists devices that were announced from other addresses; only `wanted`, if there is one.
fn report_relayed(relayed: &[DiscoveredDevice], wanted: Option<&str>) {
    for found in relayed.iter().filter(|found| wanted.is_none_or(|wanted| wanted == found.id)) {
        let by = found.relayed_by.map(|by| by.to_string()).unwrap_or_default();
        eprintln!(
            "rustuya: {} at {} was announced by another address, {by}, so it is not trusted; if {by} is a relay: --trust-relayed",
            plain(&found.id),
            found.ip
        );
    }
}

/// Adds context to an error of listening, with advice if other programs may use the ports.
fn no_ports(error: io::Error) -> anyhow::Error {
    let words = if is_out_of_descriptors(&error) {
        "cannot listen for announcements"
    } else {
        "cannot listen for announcements: another program may hold the UDP ports; see --discovery-ports"
    };
    anyhow::Error::new(error).context(words)
}

/// Returns the device id for an id or a name.
fn id_of(wanted: &str, list: Option<&DevicesFile>) -> anyhow::Result<String> {
    let listed = list.map(|list| list.find(wanted)).transpose().context("--find")?.flatten();
    match listed {
        Some(listed) if listed.is_sub_device() => {
            Err(unfit("--find: a sub-device does not announce itself: look for its gateway").into())
        }
        Some(listed) => Ok(listed.id().to_owned()),
        None => Ok(wanted.to_owned()),
    }
}

impl Args {
    fn scanner(&self) -> Scanner {
        let mut scanner = Scanner::new(Tokio).timeout(self.timeout).ports(self.discovery_ports.0);
        if let Some(address) = self.bind {
            scanner = scanner.bind_address(address);
        }
        if let Some(address) = self.broadcast {
            scanner = scanner.broadcast_address(address);
        }
        scanner.probe_to(self.probe.iter().copied()).trust_relayed(self.trust_relayed)
    }

    fn start(&self, wanted: Option<&str>) -> anyhow::Result<Scan> {
        let scanner = self.scanner();
        let scan = wanted.map_or_else(|| scanner.stream(), |wanted| scanner.stream_of(wanted));
        scan.map_err(no_ports)
    }

    /// Returns advice for a scan without results.
    fn advice(&self) -> String {
        let Ports([clear, encrypted, answers]) = self.discovery_ports;
        format!(
            "check that the devices have power and are in the same network as this computer, no guest network or \
             other subnet (else see --broadcast); that the firewall lets UDP {clear}, {encrypted} and {answers} in; \
             and that no app keeps the device busy: one without a free connection is silent"
        )
    }
}
