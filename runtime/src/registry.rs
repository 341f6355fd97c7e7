//! Where the devices of a program live.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustuya_proto::{DownReason, Version};

use crate::device::{Device, DeviceBuilder};
use crate::discovery::Discovery;
use crate::error::AddError;
use crate::link::Env;
use crate::manager::Shared as ManagerShared;
use crate::runtime::Runtime;

/// Where devices live, each once, however many [`Manager`](crate::Manager)s hold them. Clones are the same registry;
/// there is none but those that a program makes.
///
/// ```
/// # use rustuya_runtime_tokio::{Manager, Registry, Tokio};
/// let registry = Registry::new(Tokio); // nothing runs yet
/// let (lamps, sensors) = (Manager::new(&registry), Manager::new(&registry));
/// # assert!(lamps.is_empty() && sensors.is_empty());
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    runtime: Arc<dyn Runtime>,
    env: Arc<Env>,
    devices: Mutex<HashMap<Arc<str>, Entry>>,
    finding: Mutex<Finding>,
}

struct Entry {
    device: Device,
    holders: Vec<Weak<ManagerShared>>,
}

impl Entry {
    /// Ends the device, and has every manager let go of it.
    fn end(&self) {
        self.device.start_close();
        for manager in self.holders.iter().filter_map(Weak::upgrade) {
            manager.forget(self.device.id());
        }
    }
}

enum Finding {
    /// To be started when the first device is added.
    Later,
    /// Started by the registry.
    Started(Discovery),
    /// Brought along by the user.
    Given(Discovery),
    Off,
}

/// Connections that are made at a time, unless it is said otherwise.
const DIALS_AT_ONCE: usize = 128;

impl Registry {
    /// A registry with defaults, whose devices run in the background of `runtime`.
    pub fn new(runtime: impl Runtime) -> Self {
        Self::builder(runtime).build()
    }

    /// Describes a registry; everything has a default.
    pub fn builder(runtime: impl Runtime) -> RegistryBuilder {
        RegistryBuilder { runtime: Arc::new(runtime), dials_at_once: DIALS_AT_ONCE, finding: Finding::Later }
    }

    /// How many devices live here.
    pub fn len(&self) -> usize {
        self.devices().len()
    }

    /// Whether no device lives here.
    pub fn is_empty(&self) -> bool {
        self.devices().is_empty()
    }

    /// Ends every device, answers every pending command, and returns when all connections are closed. Managers are
    /// empty afterwards and can be filled again.
    ///
    /// # Cancel safety
    /// Safe: the end goes on.
    pub async fn shutdown(&self) {
        let entries: Vec<Entry> = self.devices().drain().map(|(_, entry)| entry).collect();
        entries.iter().for_each(Entry::end);
        self.stop_finding();
        for entry in &entries {
            entry.device.close().await;
        }
    }

    /// Adds a device for a manager, or gives the manager a share in it. `describe` is given the description that the
    /// device has now, if there is one.
    pub(crate) fn add(
        &self,
        manager: &Arc<ManagerShared>,
        id: &str,
        describe: impl FnOnce(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        let mut devices = self.devices();
        let Some(entry) = devices.get_mut(id).filter(|entry| !entry.device.is_closed()) else {
            let builder = self.with_discovery(describe(None))?;
            let device = builder.spawn_in(&*self.0.runtime, &self.0.env, |device| manager.hold(device));
            devices.insert(id.into(), Entry { device: device.clone(), holders: vec![Arc::downgrade(manager)] });
            return Ok(device);
        };
        let known = entry.device.config();
        let builder = self.with_discovery(describe(Some(known.clone())))?;
        let holds = entry.holders.iter().any(|holder| holder.as_ptr() == Arc::as_ptr(manager));
        if known != builder {
            entry.device.reconfigure(builder)?;
        } else if holds {
            return Err(AddError::DuplicateDevice);
        }
        if !holds {
            entry.holders.retain(|holder| holder.strong_count() > 0);
            entry.holders.push(Arc::downgrade(manager));
            manager.hold(&entry.device);
        }
        Ok(entry.device.clone())
    }

    /// Drops a manager's share in a device; the registry lets go of it with the last one.
    pub(crate) fn remove(&self, manager: &ManagerShared, id: &str) -> Option<Device> {
        let mut devices = self.devices();
        let entry = devices.get_mut(id)?;
        entry.holders.retain(|holder| holder.strong_count() > 0 && !core::ptr::eq(holder.as_ptr(), manager));
        if entry.holders.is_empty() { devices.remove(id).map(|entry| entry.device) } else { None }
    }

    /// Ends a device for everybody.
    pub(crate) fn delete(&self, id: &str) -> bool {
        let entry = self.devices().remove(id);
        entry.iter().for_each(Entry::end);
        entry.is_some()
    }

    fn stop_finding(&self) {
        let mut finding = self.0.finding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Finding::Started(_) = &*finding {
            *finding = Finding::Later;
        }
    }

    fn with_discovery(&self, builder: DeviceBuilder) -> Result<DeviceBuilder, AddError> {
        if builder.discovery.is_some() {
            return Ok(builder);
        }
        let mut finding = self.0.finding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Finding::Later = &*finding {
            match Discovery::builder().start_in(&*self.0.runtime) {
                Ok(discovery) => *finding = Finding::Started(discovery),
                Err(error) if builder.config.address.is_none() => return Err(AddError::Discovery(error)),
                Err(error) => tracing::debug!(%error, "announcements cannot be received"),
            }
        }
        Ok(match &*finding {
            Finding::Started(discovery) | Finding::Given(discovery) => builder.discovery(discovery),
            Finding::Later | Finding::Off => builder,
        })
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.0.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl core::fmt::Debug for Registry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Registry").field("devices", &self.len()).finish_non_exhaustive()
    }
}

/// How a [`Registry`] is to be; made by [`Registry::builder`].
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let discovery = Discovery::builder()
/// #     .ports([0, 0, 0])
/// #     .bind_address([127, 0, 0, 1].into())
/// #     .active(false)
/// #     .start(&Tokio)?;
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .announce_to(discovery.local_addrs()[1])
/// #     .announce_every(Duration::from_millis(50))
/// #     .start()
/// #     .await?;
/// let registry = Registry::builder(Tokio).dials_at_once(64).discovery(&discovery).build();
/// // On the usual port this would do: manager.add(id, "Auto", key, "Auto")
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?.port(lamp.local_addr().port());
/// let device = Manager::new(&registry).add_with(device)?;
/// # let _ = device;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing before build"]
pub struct RegistryBuilder {
    runtime: Arc<dyn Runtime>,
    dials_at_once: usize,
    finding: Finding,
}

impl RegistryBuilder {
    /// How many connections are made at a time, dials and the negotiations that follow together; 128 by default, at
    /// least 1. The others wait in line.
    pub fn dials_at_once(mut self, most: usize) -> Self {
        self.dials_at_once = most.max(1);
        self
    }

    /// Locates devices by this service. By default one is started on the usual ports when the first device is added.
    pub fn discovery(mut self, discovery: &Discovery) -> Self {
        self.finding = Finding::Given(discovery.clone());
        self
    }

    /// Listens for no announcements: devices need an address, and are reconnected by the clock alone.
    pub fn without_discovery(mut self) -> Self {
        self.finding = Finding::Off;
        self
    }

    /// The registry.
    pub fn build(self) -> Registry {
        Registry(Arc::new(Inner {
            runtime: self.runtime,
            env: Env::new(self.dials_at_once),
            devices: Mutex::default(),
            finding: Mutex::new(self.finding),
        }))
    }
}

impl core::fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RegistryBuilder").field("dials_at_once", &self.dials_at_once).finish_non_exhaustive()
    }
}

/// What is known of a device at one moment.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
/// # manager.add(lamp.id(), lamp.local_addr(), "0123456789abcdef", "3.4")?;
/// for info in manager.list() {
///     match info.down {
///         Some(reason) => println!("{}: {reason}: {}", info.id, reason.advice()),
///         None => println!("{}: heard {:?} ago", info.id, info.last_seen),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// Device id.
    pub id: Arc<str>,
    /// Where it is, as configured or heard.
    pub address: Option<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// The version that is configured or was found out.
    pub version: Option<Version>,
    /// Whether the connection is usable.
    pub connected: bool,
    /// How long ago it was last heard or seen.
    pub last_seen: Option<Duration>,
    /// Product id, when it has announced one.
    pub product_key: Option<Arc<str>>,
    /// Why it could not be used, since it last could.
    pub down: Option<DownReason>,
}

impl DeviceInfo {
    pub(crate) fn new(device: &Device) -> Self {
        device.link().with(|engine, _| {
            let machine = engine.machine();
            Self {
                id: Arc::clone(&device.link().id),
                address: machine.address(),
                port: machine.config().port,
                version: machine.version(),
                connected: machine.is_up(),
                last_seen: engine.last_seen(),
                product_key: engine.product_key(),
                down: machine.diagnosis(),
            }
        })
    }
}
