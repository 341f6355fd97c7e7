//! `rustuya scan --network`: search of networks, address by address.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};

use anyhow::{Context, bail};
use rustuya_runtime_tokio::{DevicesFile, SightingKind, SweepEvent, need_descriptors};

use super::view::View;
use super::{Args, no_ports};
use crate::block_on;
use crate::input::shown;
use crate::signal::Stop;

/// Searches the networks, one after the other. Addresses with an open port and without an announcement are shown at the
/// end of each.
pub(super) fn run(args: &Args, list: Option<&DevicesFile>, wanted: Option<&str>) -> anyhow::Result<()> {
    block_on(async {
        let mut stop = Stop::new()?;
        let mut view = View::new(args.json, list);
        let scanner = args.scanner();
        let mut progress = Progress::new();
        let (mut any, mut found) = (false, false);
        'networks: for network in &args.network {
            let mut sweep = scanner.sweep(network.port(args.port)).map_err(no_ports)?;
            let mut open: BTreeSet<IpAddr> = BTreeSet::new();
            let mut known: BTreeSet<IpAddr> = BTreeSet::new();
            let stopped = loop {
                let news = tokio::select! {
                    news = sweep.recv() => news,
                    () = stop.wait() => break true,
                    () = tokio::time::sleep(STALLED) => {
                        // Progress comes more often, unless no socket is left.
                        need_descriptors(1).context("the search cannot continue")?;
                        continue;
                    }
                };
                match news {
                    Some(SweepEvent::Found(news)) => {
                        known.insert(news.ip.into());
                        if news.kind == SightingKind::SeenAgain || wanted.is_some_and(|wanted| wanted != news.id) {
                            continue;
                        }
                        progress.clear();
                        view.show_device(&news)?;
                        any = true;
                        found = true;
                        if wanted.is_some() {
                            break 'networks;
                        }
                    }
                    Some(SweepEvent::Open(ip)) => {
                        open.insert(ip);
                    }
                    Some(SweepEvent::Progress { done, total }) => progress.show(done, total),
                    None => break false,
                }
            };
            progress.clear();
            for ip in open.difference(&known).filter(|_| wanted.is_none()) {
                view.show_open_port(*ip, args.port)?;
                any = true;
            }
            if stopped {
                break;
            }
        }
        view.done()?;
        match wanted {
            Some(wanted) if !found => {
                let wanted = shown(wanted);
                bail!("{wanted} was not found; up to 3.4, devices in other networks do not send their id")
            }
            None if !any => eprintln!("rustuya: no device was found: nothing listens on TCP {} there", args.port),
            _ => {}
        }
        Ok(())
    })
}

/// Longer than one address takes.
const STALLED: Duration = Duration::from_secs(5);

/// Progress of the search, shown on a terminal.
struct Progress {
    shown: bool,
    wanted: bool,
}

impl Progress {
    fn new() -> Self {
        Self { shown: false, wanted: io::stderr().is_terminal() }
    }

    fn show(&mut self, done: u32, total: u32) {
        if self.wanted {
            self.shown = true;
            // Output errors of the progress do not matter.
            drop(write!(io::stderr(), "\r{done} of {total} addresses"));
        }
    }

    fn clear(&mut self) {
        if core::mem::take(&mut self.shown) {
            drop(write!(io::stderr(), "\r{:40}\r", ""));
        }
    }
}
