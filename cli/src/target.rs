//! Which device is meant, where it is, and the connection to it.

use core::net::IpAddr;
use core::str::FromStr;
use core::time::Duration;
use std::path::PathBuf;

use anyhow::{Context, bail};
use rustuya_proto::{DeviceError, UnknownVersion};
use rustuya_runtime_tokio::{
    Cid, CommandError, Device, DeviceId, Discovery, DownReason, Event, LocalKey, Timing, Tokio, Version,
};
use tokio::time::Instant;

use crate::devices::{DeviceList, Listed};
use crate::input::{UsageError, seconds, unfit};
use crate::key::{self, KeyArgs};

/// Options that say how devices are reached.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// Where the device is. Without it, the address is taken from --devices; what has none there is looked for on the
    /// local network
    #[arg(long, value_name = "HOST[:PORT]")]
    address: Option<String>,
    /// TCP port, unless --address or --devices says so [default: 6668]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Protocol version of the device: 3.1, 3.2, 3.3, 3.4, 3.5, or auto to find out. Without it, the version is taken
    /// from --devices, else found out
    #[arg(long, value_name = "V")]
    version: Option<Speaks>,
    /// A devices.json as tinytuya writes it: id, name, key, ip and version of each device
    #[arg(long, value_name = "FILE")]
    devices: Option<PathBuf>,
    #[command(flatten)]
    key: KeyArgs,
    /// How long to wait for the connection; the answer may take three tenths of it, at most 5 seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// UDP ports to listen on when a device is looked for: of clear announcements, of encrypted ones, and of answers
    /// to probes
    #[arg(long, value_name = "A,B,C", default_value = "6666,6667,7000")]
    discovery_ports: Ports,
}

/// A device, or a sub-device behind one.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As it was asked for.
    pub(crate) name: String,
    pub(crate) id: DeviceId,
    pub(crate) cid: Option<Cid>,
    key: LocalKey,
    address: Option<IpAddr>,
    port: u16,
    version: Option<Version>,
    timeout: Duration,
}

impl TargetArgs {
    /// Whether one address is given for whatever is meant.
    pub(crate) const fn has_address(&self) -> bool {
        self.address.is_some()
    }

    /// How long to wait for the connection.
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Finds out what is meant by each of `names`, all with this `cid` if there is one.
    pub(crate) async fn resolve(&self, names: &[String], cid: Option<&str>) -> anyhow::Result<Vec<Target>> {
        let list = self.list()?;
        let address = self.look_up().await?;
        names.iter().map(|name| self.target(name, cid, list.as_ref(), address)).collect()
    }

    fn list(&self) -> anyhow::Result<Option<DeviceList>> {
        self.devices.as_deref().map(DeviceList::read).transpose()
    }

    async fn look_up(&self) -> anyhow::Result<Option<(IpAddr, Option<u16>)>> {
        match &self.address {
            Some(address) => look_up(address).await.map(Some),
            None => Ok(None),
        }
    }

    fn target(
        &self,
        name: &str,
        cid: Option<&str>,
        list: Option<&DeviceList>,
        address: Option<(IpAddr, Option<u16>)>,
    ) -> anyhow::Result<Target> {
        let mut cid = cid.map(str::to_owned);
        let mut listed = match list {
            Some(list) => list.find(name)?,
            None => None,
        };
        if let (Some(list), Some(child)) = (list, listed)
            && let Some(place) = &child.child
        {
            let gateway = list.gateway(child, place);
            listed = Some(gateway.with_context(|| format!("--devices does not tell which gateway {name} is behind"))?);
            if cid.is_none() {
                let known = place.cid.clone();
                cid = Some(known.with_context(|| format!("--devices has no node_id for {name}: give --cid"))?);
            }
        }
        let id = listed.map_or(name, |listed| listed.id.as_str());
        let version = match self.version {
            Some(Speaks::Auto) => None,
            Some(Speaks::Version(version)) => Some(version),
            None => listed.and_then(|listed| listed.version),
        };
        let (ip, port) = match address {
            Some((ip, port)) => (Some(ip), port.or(self.port)),
            None => (listed.and_then(|listed| listed.ip), self.port.or(listed.and_then(|listed| listed.port))),
        };
        Ok(Target {
            name: name.to_owned(),
            id: DeviceId::new(id).map_err(|error| unfit(&format!("ID: {error}")))?,
            cid: cid.map(|cid| Cid::new(&cid).map_err(|error| unfit(&format!("--cid: {error}")))).transpose()?,
            key: self.local_key(listed, name, list.is_some())?,
            address: ip,
            port: port.unwrap_or(rustuya_proto::DEFAULT_PORT),
            version,
            timeout: self.timeout,
        })
    }

    fn local_key(&self, listed: Option<&Listed>, name: &str, has_list: bool) -> anyhow::Result<LocalKey> {
        if let Some(key) = self.key.explicit()? {
            return Ok(key);
        }
        if let Some(key) = listed.and_then(|listed| listed.key.as_ref()).filter(|key| !key.is_empty()) {
            return Ok(key.read("--devices")?);
        }
        if let Some(key) = key::from_environment()? {
            return Ok(key);
        }
        Err(match has_list {
            true => unfit(&format!("no local key: --devices has none for {name}, and RUSTUYA_KEY is not set")),
            false => unfit("no local key: set RUSTUYA_KEY, or give --key-file or --devices"),
        }
        .into())
    }

    /// Finds out what is meant, and begins to connect.
    pub(crate) async fn open(&self, name: &str, cid: Option<&str>) -> anyhow::Result<(Target, Device)> {
        let address = self.look_up().await?;
        let target = self.target(name, cid, self.list()?.as_ref(), address)?;
        let discovery = self.discovery(core::slice::from_ref(&target))?;
        let device = self.spawn(&target, discovery.as_ref());
        Ok((target, device))
    }

    /// Begins to listen for announcements when the address of any target is not known.
    pub(crate) fn discovery(&self, targets: &[Target]) -> anyhow::Result<Option<Discovery>> {
        if targets.iter().all(|target| target.address.is_some()) {
            return Ok(None);
        }
        let started = Discovery::builder().ports(self.discovery_ports.0).start(&Tokio);
        started.map(Some).context("cannot listen for announcements; give --address instead")
    }

    /// Begins to connect; with `discovery`, as soon as the device is found.
    pub(crate) fn spawn(&self, target: &Target, discovery: Option<&Discovery>) -> Device {
        // So that the versions that a device does not speak can be told from a wrong key in time.
        let mut timing = Timing::DEFAULT;
        timing.answer = timing.answer.min(self.timeout.mul_f64(0.3));
        timing.negotiate = timing.answer;
        let mut builder = Device::builder_with(target.id.clone(), target.key.clone())
            .port(target.port)
            .timing(timing)
            .command_timeout(self.timeout);
        if let Some(version) = target.version {
            builder = builder.version(version);
        }
        match (target.address, discovery) {
            (Some(address), _) => builder.address(address),
            (None, Some(discovery)) => builder.discovery(discovery),
            (None, None) => builder,
        }
        .spawn(&Tokio)
    }
}

impl Target {
    /// Runs one command on a device that is being connected. Gives up as soon as it is clear that key or version must
    /// be corrected.
    pub(crate) async fn run<T>(
        &self,
        device: &Device,
        command: impl Future<Output = Result<T, CommandError>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + self.timeout;
        let mut hopeless = core::pin::pin!(self.hopeless(device));
        let mut result = tokio::select! {
            result = command => result,
            reason = &mut hopeless => Err(CommandError::NotConnected { reason: Some(reason) }),
        };
        // Silence may mean a wrong version: up to 3.3, nothing is negotiated before the first command.
        if matches!(result, Err(CommandError::Unanswered | CommandError::ConnectionLost { .. }))
            && !device.version().is_some_and(Version::negotiates)
            && let Ok(reason) = tokio::time::timeout_at(deadline, hopeless).await
        {
            result = Err(CommandError::NotConnected { reason: Some(reason) });
        }
        device.close().await;
        if self.address.is_none() && matches!(result, Err(CommandError::NotConnected { reason: None })) {
            bail!(
                "{}: no announcement heard; check that the device has power and is in this network, or give --address",
                self.name
            );
        }
        if let Err(CommandError::Rejected { text, .. }) = &result
            && text == DeviceError::DataFormat.text()
            && self.version.is_some_and(|version| version != Version::V31)
        {
            bail!("{}: {text}: devices of 3.1 say so to requests of other versions; check the version", self.name);
        }
        result.with_context(|| self.name.clone())
    }

    /// Waits until more attempts are useless.
    async fn hopeless(&self, device: &Device) -> DownReason {
        let is_final = |reason: &DownReason| match reason {
            DownReason::WrongKey { .. } => true,
            // Without a version of the user's, the next attempt is made with the right one.
            DownReason::WrongVersion { .. } => self.version.is_some(),
            _ => false,
        };
        let mut listener = device.listener();
        if let Some(reason) = device.diagnosis().filter(is_final) {
            return reason;
        }
        while let Some(event) = listener.recv().await {
            if let Event::Down { reason, .. } = event
                && is_final(&reason)
            {
                return reason;
            }
        }
        core::future::pending().await
    }
}

async fn look_up(address: &str) -> anyhow::Result<(IpAddr, Option<u16>)> {
    let (host, port) = split(address)?;
    if let Ok(ip) = host.parse() {
        return Ok((ip, port));
    }
    let found = tokio::net::lookup_host((host, 0)).await;
    let mut found = found.with_context(|| format!("--address {host}: cannot be looked up"))?;
    let first = found.next().with_context(|| format!("--address {host}: has no address"))?;
    Ok((first.ip(), port))
}

/// Takes the port off. IPv6 addresses need brackets to have one.
fn split(address: &str) -> Result<(&str, Option<u16>), UsageError> {
    let bad = || unfit("--address: must be HOST or HOST:PORT, such as 192.168.1.20 or [fe80::1]:6668");
    if address.parse::<IpAddr>().is_ok() {
        return Ok((address, None));
    }
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().map_err(|_| bad())?)),
        None => (address, None),
    };
    let host = host.strip_prefix('[').map_or(Some(host), |host| host.strip_suffix(']')).ok_or_else(bad)?;
    if host.is_empty() || port == Some(0) { Err(bad()) } else { Ok((host, port)) }
}

#[derive(Clone, Copy, Debug)]
enum Speaks {
    Auto,
    Version(Version),
}

impl FromStr for Speaks {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Version) }
    }
}

#[derive(Clone, Copy, Debug)]
struct Ports([u16; 3]);

impl FromStr for Ports {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ports: Result<Vec<u16>, _> = text.split(',').map(str::parse).collect();
        let ports = ports.ok().and_then(|ports| ports.try_into().ok());
        ports.map(Self).ok_or("must be three port numbers, such as 6666,6667,7000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_port() {
        assert_eq!(split("10.0.0.7").ok(), Some(("10.0.0.7", None)));
        assert_eq!(split("10.0.0.7:99").ok(), Some(("10.0.0.7", Some(99))));
        assert_eq!(split("lamp.lan:99").ok(), Some(("lamp.lan", Some(99))));
        assert_eq!(split("fe80::1").ok(), Some(("fe80::1", None)));
        assert_eq!(split("[fe80::1]:99").ok(), Some(("fe80::1", Some(99))));
        for bad in ["", ":99", "host:", "host:70000", "host:0", "[fe80::1:99"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }
}
