//! Target devices of a command.

use core::str::FromStr;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustuya_proto::UnknownVersion;
use rustuya_runtime_tokio::{
    Address, Cid, DeviceEntry, DeviceId, DevicesFile, Dialect, LocalKey, Pacing, Version, text,
};

use crate::input::{Ports, UsageError, seconds, shown, unfit};
use crate::key::{self, KeyArgs};
use crate::names::{FileArgs, Product, Sources};

/// Options that select devices and how to reach them.
#[derive(Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// Address of the device: an IP address, or a host name, which is looked up for each connection;
    /// [fe80::1%eth0]:6668 has a zone and a port. Without it, the address is taken from --devices; a device without one
    /// there is searched on the local network
    #[arg(long, value_name = "HOST[:PORT]")]
    address: Option<Address>,
    /// TCP port, unless --address or --devices says so [default: 6668]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Protocol version of the device: 3.1, 3.2, 3.3, 3.4, 3.5, or auto to find out. Without it, the version is taken
    /// from --devices, or else found out
    #[arg(long, value_name = "V")]
    version: Option<VersionSpec>,
    /// Oldest protocol version that is believed if none is configured. 3.1 encrypts neither queries nor answers: with
    /// 3.1 here, any host that claims to be the device is believed. Without it, taken from --devices, or else 3.3
    #[arg(long, value_name = "V")]
    min_version: Option<Version>,
    /// Dialect of the device: default, device22, or auto to find out. Queries to device22 firmware, which includes 3.2,
    /// are writes of nulls, which other firmware takes for values. Without it, the dialect is taken from --devices, or
    /// else found out
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<DialectSpec>,
    #[command(flatten)]
    files: FileArgs,
    /// Every device in the devices file, also sub-devices
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    key: KeyArgs,
    /// Time limit for the connection; that of the answer is three tenths of it, at most 5 seconds. `set` takes no
    /// longer than this as a whole
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Largest frame to receive; a larger one is skipped, and its command fails
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    receive_limit: usize,
    /// UDP ports to listen on when a device is searched: of clear announcements, of encrypted ones, and of answers to
    /// probes
    #[arg(long, value_name = "A,B,C", default_value = "6666,6667,7000")]
    pub(crate) discovery_ports: Ports,
    /// Believe announcements that come from another address than the announced one, as through a relay or a container's
    /// bridge. Any host in the network can then redirect connections
    #[arg(long)]
    pub(crate) trust_relayed: bool,
}

/// Target: a device, or a sub-device behind one.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Name or id as the user gave it.
    pub(crate) name: String,
    pub(crate) id: DeviceId,
    pub(crate) cid: Option<Cid>,
    pub(crate) key: LocalKey,
    pub(crate) address: Address,
    pub(crate) port: u16,
    pub(crate) version: Option<Version>,
    /// Oldest version that is believed if none is configured; `None` is the library's default.
    pub(crate) min_version: Option<Version>,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) timeout: Duration,
    pub(crate) pacing: Pacing,
    /// Largest frame to receive, in bytes.
    pub(crate) receive_limit: usize,
    /// What is known of the device, or of the sub-device.
    pub(crate) product: Arc<Product>,
}

/// Targets of a command line.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) targets: Vec<Target>,
    /// Devices in the file that cannot be used.
    pub(crate) unusable: Vec<Unusable>,
    /// True if there may be more than one target, so that the output must contain their names.
    pub(crate) several: bool,
    /// Sub-devices in the file.
    pub(crate) children: Vec<Child>,
}

/// Sub-device in the file.
#[derive(Debug)]
pub(crate) struct Child {
    /// Id of its gateway.
    pub(crate) gateway: String,
    pub(crate) cid: String,
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) product: Arc<Product>,
}

/// Entry of the file that cannot be used; the others can.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) error: anyhow::Error,
}

impl TargetArgs {
    /// Returns the time limit for the connection.
    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the path of the devices file.
    pub(crate) fn devices(&self) -> Option<&Path> {
        self.files.devices()
    }

    /// Returns whether `--all` is given.
    pub(crate) const fn is_all(&self) -> bool {
        self.all
    }

    /// Resolves each of `names`, all with this `cid` if there is one, or `--all`.
    pub(crate) fn resolve(&self, names: &[String], cid: Option<&str>) -> anyhow::Result<Selected> {
        let context = || self.files.shown();
        let list = self.files.list()?;
        if self.all && list.is_none() {
            return Err(unfit("--all needs a devices file: give --devices").into());
        }
        let sources = self.files.sources()?;
        let several = names.len() > 1 || self.all;
        let children = list.iter().flat_map(|list| children(list, &sources)).collect();
        let mut selected = Selected { targets: Vec::new(), unusable: Vec::new(), several, children };
        for name in names {
            let listed = list.as_ref().map(|list| list.find(name)).transpose().with_context(context)?.flatten();
            let target = self.target(name, cid, list.as_ref(), listed, &sources)?;
            if list.is_some() && listed.is_none() && target.address == Address::Auto {
                let name = shown(name);
                eprintln!("rustuya: {name}: --devices does not list it; an id is looked for on the local network");
            }
            selected.targets.push(target);
        }
        for listed in list.iter().filter(|_| self.all).flat_map(DevicesFile::devices) {
            let name = listed.name().unwrap_or(listed.id());
            match self.target(name, None, list.as_ref(), Some(listed), &sources) {
                Ok(target) => selected.targets.push(target),
                Err(error) => {
                    selected.unusable.push(Unusable { id: listed.id().to_owned(), name: name.to_owned(), error });
                }
            }
        }
        if selected.targets.is_empty() && selected.unusable.is_empty() {
            bail!("{}: lists no devices", context());
        }
        let first = selected.targets.first().map(|target| target.id.clone());
        if self.address.is_some() && selected.targets.iter().any(|target| Some(&target.id) != first.as_ref()) {
            return Err(unfit("--address is for one device; use --devices for several").into());
        }
        Ok(selected)
    }

    fn target<'a>(
        &self,
        name: &str,
        cid: Option<&str>,
        list: Option<&'a DevicesFile>,
        mut listed: Option<&'a DeviceEntry>,
        sources: &Sources,
    ) -> anyhow::Result<Target> {
        // A sub-device that is not listed by itself is none of which the gateway's entry says anything.
        let own = match (list, cid) {
            (Some(list), Some(cid)) => list.devices().find(|child| child.is_sub_device() && child.cid() == Some(cid)),
            _ => listed,
        };
        let product = Arc::new(sources.product(own.map_or(name, DeviceEntry::id), own));
        let mut cid = cid.map(str::to_owned);
        if let (Some(list), Some(child)) = (list, listed.filter(|listed| listed.is_sub_device())) {
            let gateway = list.gateway(child);
            listed = Some(gateway.with_context(|| format!("--devices has no gateway for {name}"))?);
            if cid.is_none() {
                let known = child.cid().map(str::to_owned);
                cid = Some(
                    known.with_context(|| format!("--devices has neither node_id nor uuid for {name}: give --cid"))?,
                );
            }
        }
        let id = listed.map_or(name, DeviceEntry::id);
        let version = match self.version {
            Some(VersionSpec::Auto) => None,
            Some(VersionSpec::Version(version)) => Some(version),
            None => listed.and_then(DeviceEntry::version),
        };
        let dialect = match self.dialect {
            Some(DialectSpec(dialect)) => dialect,
            None => listed.and_then(DeviceEntry::dialect),
        };
        let given = self.address.as_ref().filter(|address| **address != Address::Auto);
        let (address, port) = match (given, listed) {
            (Some(given), _) => (given.clone(), self.port),
            (None, Some(listed)) => (listed.address().clone(), self.port.or(listed.port())),
            (None, None) => (Address::Auto, self.port),
        };
        let key = self.local_key(listed, name, list.is_some())?;
        if let Address::Name(host, _) = &address
            && text::local_key(host).is_ok_and(|host| host == key)
        {
            return Err(unfit("--address: this is the local key, not an address").into());
        }
        Ok(Target {
            name: name.to_owned(),
            id: DeviceId::new(id).map_err(|error| unfit(&format!("ID: {error}")))?,
            cid: cid.map(|cid| Cid::new(&cid).map_err(|error| unfit(&format!("--cid: {error}")))).transpose()?,
            key,
            address,
            port: port.unwrap_or(rustuya_proto::DEFAULT_PORT),
            version,
            min_version: self.min_version.or_else(|| listed.and_then(DeviceEntry::min_version)),
            dialect,
            timeout: self.timeout,
            pacing: Pacing::NONE,
            receive_limit: self.receive_limit,
            product,
        })
    }

    fn local_key(&self, listed: Option<&DeviceEntry>, name: &str, has_list: bool) -> anyhow::Result<LocalKey> {
        if let Some(key) = self.key.explicit()? {
            return Ok(key);
        }
        let known = listed.map_or(Ok(None), DeviceEntry::local_key);
        if let Some(key) = known.map_err(|error| unfit(&format!("--devices: {name}: {error}")))? {
            return Ok(key);
        }
        if let Some(key) = key::from_environment()? {
            return Ok(key);
        }
        let file = self.files.shown();
        Err(match has_list {
            true if listed.is_none() => {
                let name = shown(name);
                unfit(&format!(
                    "no local key: {file} does not list {name}, and RUSTUYA_KEY is not set; `rustuya entities` shows the \
                     names that are listed, and `rustuya wizard` fetches the keys of new devices"
                ))
            }
            true => unfit(&format!(
                "no local key: {file} has none for {name}, and RUSTUYA_KEY is not set; `rustuya wizard` fetches it"
            )),
            false => unfit(
                "no local key: set RUSTUYA_KEY, or give --key-file or --devices; `rustuya wizard` fetches the keys of all \
                 your devices",
            ),
        }
        .into())
    }
}

impl Target {
    /// Returns its name for errors. Replaces an unknown name that may be a key: ids are longer than keys.
    pub(crate) fn error_name(&self) -> &str {
        if self.display_name().is_none() { shown(&self.name) } else { &self.name }
    }

    /// Returns its name, unless that is its id.
    pub(crate) fn display_name(&self) -> Option<&str> {
        (self.name != self.id.as_str()).then_some(self.name.as_str())
    }
}

fn children(list: &DevicesFile, sources: &Sources) -> impl Iterator<Item = Child> {
    list.devices().filter_map(|listed| {
        let gateway = list.gateway(listed)?.id().to_owned();
        let name = listed.name().map(str::to_owned);
        let product = Arc::new(sources.product(listed.id(), Some(listed)));
        Some(Child { gateway, cid: listed.cid()?.to_owned(), id: listed.id().to_owned(), name, product })
    })
}

#[derive(Clone, Copy, Debug)]
enum VersionSpec {
    Auto,
    Version(Version),
}

impl FromStr for VersionSpec {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Version) }
    }
}

/// Dialect, or `None` to find it out.
#[derive(Clone, Copy, Debug)]
struct DialectSpec(Option<Dialect>);

impl FromStr for DialectSpec {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self(None)),
            "default" => Ok(Self(Some(Dialect::Default))),
            "device22" => Ok(Self(Some(Dialect::Device22))),
            _ => Err(unfit("must be default, device22 or auto")),
        }
    }
}
