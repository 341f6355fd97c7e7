//! Engine of the process: one tokio runtime, one registry, one discovery service. The first use starts it.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Mutex, OnceLock};

use pyo3::prelude::*;
use rustuya_runtime_tokio::{AddError, DeviceBuilder, Discovery, Registry, TokioHandle, need_descriptors};
use tokio::runtime::{Handle, Runtime};

use crate::docstring::docstring;
use crate::held::check;
use crate::lifecycle::lock;
use crate::{args, errors, exceptions, log};

/// Runtime, registry and discovery of the process.
pub(crate) struct Engine {
    runtime: Runtime,
    pub(crate) registry: Registry,
    discovery: Mutex<Option<Discovery>>,
    settings: Settings,
}

/// Settings of [`configure`].
#[derive(Clone, Debug)]
struct Settings {
    worker_threads: usize,
    dials_at_once: usize,
    /// Memory for the state of all devices, in bytes.
    memory_limit: Option<usize>,
    /// Size of the queue of each manager's listener, in bytes.
    backlog_limit: Option<usize>,
    discovery: bool,
    ports: [u16; 3],
    bind: Ipv4Addr,
    broadcast: Option<Ipv4Addr>,
    probe_to: Vec<SocketAddrV4>,
    trust_relayed: bool,
}

static SETTINGS: Mutex<Settings> = Mutex::new(Settings {
    worker_threads: 2,
    dials_at_once: 128,
    memory_limit: None,
    backlog_limit: None,
    discovery: true,
    ports: [6666, 6667, 7000],
    bind: Ipv4Addr::UNSPECIFIED,
    broadcast: None,
    probe_to: Vec::new(),
    trust_relayed: false,
});
static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Returns the engine if it was started.
pub(crate) fn started() -> Option<&'static Engine> {
    ENGINE.get()
}

/// Returns the engine; starts it if necessary.
pub(crate) fn engine(py: Python<'_>) -> PyResult<&'static Engine> {
    check(py)?;
    let engine = match ENGINE.get() {
        Some(engine) => engine,
        // A failed start is not kept: the next call may succeed.
        None => {
            let started = Engine::start().map_err(|error| errors::no_engine(py, error))?;
            ENGINE.get_or_init(|| started)
        }
    };
    log::start(py)?;
    Ok(engine)
}

/// Returns an error if this number of threads cannot be started: tokio would panic.
fn need_threads(count: usize) -> std::io::Result<()> {
    let mut waiting = Vec::new();
    for _ in 0..count {
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().spawn(move || {
            let _ = ends.recv();
        })?;
        waiting.push((end, thread));
    }
    for (end, thread) in waiting {
        drop(end);
        // The threads do nothing that can panic.
        let _ = thread.join();
    }
    Ok(())
}

impl Engine {
    fn start() -> std::io::Result<Self> {
        // With fewer, tokio panics instead of returning an error.
        need_descriptors(6)?;
        let settings = lock(&SETTINGS).clone();
        need_threads(settings.worker_threads)?;
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let builder = builder.worker_threads(settings.worker_threads).thread_name("rustuya-io").enable_all();
        let runtime = builder.build()?;
        log::install();
        let driver = TokioHandle(runtime.handle().clone());
        let mut registry = Registry::builder(driver).dials_at_once(settings.dials_at_once).without_discovery();
        if let Some(bytes) = settings.memory_limit {
            registry = registry.memory_limit(bytes);
        }
        if let Some(bytes) = settings.backlog_limit {
            registry = registry.backlog_limit(bytes);
        }
        let registry = registry.build();
        Ok(Self { runtime, registry, discovery: Mutex::new(None), settings })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    pub(crate) fn driver(&self) -> TokioHandle {
        TokioHandle(self.handle().clone())
    }

    /// Locates the device by its announcements. If they cannot be received, only a device without an address fails.
    pub(crate) fn with_discovery(&self, builder: DeviceBuilder, located: bool) -> Result<DeviceBuilder, AddError> {
        if !self.settings.discovery {
            let off = || std::io::Error::other("discovery was switched off by rustuya.configure()");
            return if located { Ok(builder) } else { Err(AddError::Discovery(off())) };
        }
        let mut discovery = lock(&self.discovery);
        if discovery.is_none() {
            match self.start_discovery() {
                Ok(started) => *discovery = Some(started),
                Err(error) if !located => return Err(AddError::Discovery(error)),
                Err(error) => tracing::debug!(%error, "announcements cannot be received"),
            }
        }
        Ok(match &*discovery {
            Some(discovery) => builder.discovery(discovery),
            None => builder,
        })
    }

    fn start_discovery(&self) -> std::io::Result<Discovery> {
        let Settings { ports, bind, broadcast, probe_to, trust_relayed, .. } = &self.settings;
        let mut builder = Discovery::builder().ports(*ports).bind_address(*bind).probe_to(probe_to.iter().copied());
        builder = builder.trust_relayed(*trust_relayed);
        if let Some(broadcast) = broadcast {
            builder = builder.broadcast_address(*broadcast);
        }
        builder.start(&self.driver())
    }
}

/// Configures the engine. Possible until the first device, manager or scanner is made.
#[doc = docstring!(args: worker_threads dials_at_once memory_limit_all backlog_limit_all discovery ports bind_address broadcast_address probe_to trust_relayed)]
#[doc = docstring!(raises: address types late)]
#[pyfunction]
#[pyo3(signature = (*, worker_threads=None, dials_at_once=None, memory_limit=None, backlog_limit=None,
                    discovery=None, ports=None, bind_address=None,
                    broadcast_address=None, probe_to=None, trust_relayed=None))]
#[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
pub(crate) fn configure(
    py: Python<'_>,
    worker_threads: Option<args::WorkerThreads>,
    dials_at_once: Option<args::DialsAtOnce>,
    memory_limit: Option<args::MemoryLimit>,
    backlog_limit: Option<args::BacklogLimit>,
    discovery: Option<args::UseDiscovery>,
    ports: Option<args::Ports>,
    bind_address: Option<args::BindAddress>,
    broadcast_address: Option<args::BroadcastAddress>,
    probe_to: Option<args::ProbeTo>,
    trust_relayed: Option<args::TrustRelayed>,
) -> PyResult<()> {
    check(py)?;
    if ENGINE.get().is_some() {
        let text = "call configure() before the first device, manager or scanner is made";
        return Err(exceptions::leaf(py, "ClosedError", 906, text));
    }
    let address = |text: &str| text.parse::<Ipv4Addr>().map_err(|_| exceptions::invalid_address(py, text));
    let mut settings = lock(&SETTINGS).clone();
    if let Some(threads) = worker_threads {
        settings.worker_threads = threads.0.clamp(1, 64);
    }
    settings.dials_at_once = dials_at_once.map_or(settings.dials_at_once, |given| given.0);
    settings.memory_limit = memory_limit.map(|given| given.0).or(settings.memory_limit);
    settings.backlog_limit = backlog_limit.map(|given| given.0).or(settings.backlog_limit);
    settings.discovery = discovery.map_or(settings.discovery, |given| given.0);
    settings.ports = ports.map_or(settings.ports, |given| given.0);
    settings.trust_relayed = trust_relayed.map_or(settings.trust_relayed, |given| given.0);
    if let Some(bind) = bind_address {
        settings.bind = address(&bind.0)?;
    }
    if let Some(broadcast) = broadcast_address {
        settings.broadcast = Some(address(&broadcast.0)?);
    }
    if let Some(to) = probe_to {
        let socket = |(host, port): &(String, u16)| Ok(SocketAddrV4::new(address(host)?, *port));
        settings.probe_to = to.0.iter().map(socket).collect::<PyResult<_>>()?;
    }
    *lock(&SETTINGS) = settings;
    Ok(())
}
