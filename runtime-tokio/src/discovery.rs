//! The service that finds devices: UDP sockets around the discovery machine.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::task::Poll;
use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustuya_proto::{self as proto, DiscoveryConfig, DiscoveryOutput, MAX_PROBE, Sighting, SightingKind, Version};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::event::{Hub, Listener};
use crate::net::{self, Clock, Timer};

/// Listens for the announcements of devices and, during a scan, asks for them. One serves the whole process; clones
/// share it. It ends when the last clone is dropped and no [`Device`](crate::Device) uses it any more.
#[derive(Clone, Debug)]
pub struct Discovery(Arc<Service>);

/// A device that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Whether it is news.
    pub kind: SightingKind,
    /// Device id.
    pub id: String,
    /// Address.
    pub ip: Ipv4Addr,
    /// Protocol version; `None` when it is one that is not known here.
    pub version: Option<Version>,
    /// Product id, when the device names one. Not a secret.
    pub product_key: Option<String>,
}

/// The last announcement of one device, for the task that keeps it connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighted {
    pub(crate) ip: Ipv4Addr,
    pub(crate) version: Option<Version>,
}

#[derive(Debug)]
struct Service {
    inner: Arc<Inner>,
    task: AbortHandle,
    local_addrs: Vec<SocketAddr>,
}

#[derive(Debug)]
struct Inner {
    machine: Mutex<Box<proto::Discovery<TABLE>>>,
    watched: Mutex<HashMap<String, watch::Sender<Option<Sighted>>>>,
    hub: Hub<Found>,
    clock: Clock,
    /// The machine was told something that may move its deadline.
    changed: Notify,
    probes: Probes,
}

#[derive(Debug)]
struct Probes {
    active: bool,
    /// The only interface to use, if one was chosen.
    from: Option<Ipv4Addr>,
    /// Where probes go instead of each interface's broadcast address.
    to: Vec<SocketAddrV4>,
}

impl Discovery {
    /// Describes a service; everything has a default.
    pub fn builder() -> DiscoveryBuilder {
        DiscoveryBuilder {
            config: DiscoveryConfig::default(),
            bind: Ipv4Addr::UNSPECIFIED,
            probes: Probes { active: true, from: None, to: Vec::new() },
        }
    }

    /// Receives every announcement that is believed from now on: new devices, changed ones, and those seen again.
    pub fn listener(&self) -> Listener<Found> {
        self.0.inner.hub.listener()
    }

    /// The addresses that announcements are received on, in the order of the ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.0.local_addrs
    }

    /// Looks for devices for `duration`, and returns all that were heard, each once, as it was heard last. Devices
    /// that were known before count as new again. Use [`listener`](Self::listener) and [`probe`](Self::probe) to see
    /// them as they come.
    ///
    /// # Cancel safety
    /// Safe: a dropped future stops waiting; the probes go on for `duration`.
    pub async fn scan(&self, duration: Duration) -> Vec<Found> {
        let mut listener = self.listener();
        self.probe(duration);
        let mut found: Vec<Found> = Vec::new();
        let collect = async {
            while let Some(news) = listener.recv().await {
                match found.iter_mut().find(|known| known.id == news.id) {
                    Some(known) => *known = Found { kind: known.kind, ..news },
                    None => found.push(news),
                }
            }
        };
        // The time limit is the ordinary end.
        let _ = tokio::time::timeout(duration, collect).await;
        found
    }

    /// Asks 3.5 devices for announcements, now and every few seconds for `duration`, and returns at once. Other
    /// versions announce themselves.
    pub fn probe(&self, duration: Duration) {
        let inner = &self.0.inner;
        let mut machine = inner.machine();
        let interfaces = if inner.probes.active { net::interfaces(inner.probes.from) } else { Vec::new() };
        if machine.set_interfaces(&interfaces).is_ok() {
            machine.start_scan(inner.clock.now(), duration);
        }
        drop(machine);
        inner.changed.notify_one();
    }

    /// What is heard of one device: what is known now, and all that comes.
    pub(crate) fn watch(&self, id: &str) -> watch::Receiver<Option<Sighted>> {
        let inner = &self.0.inner;
        let now = inner.clock.now();
        let known = inner
            .machine()
            .devices(now)
            .find(|seen| seen.id.as_str() == id)
            .map(|seen| Sighted { ip: seen.ip, version: seen.version });
        let mut watched = inner.watched();
        watched.retain(|_, sender| sender.receiver_count() > 0);
        let sender = watched.entry(id.to_owned()).or_insert_with(|| watch::Sender::new(None));
        let mut receiver = sender.subscribe();
        drop(watched);
        match known {
            Some(_) => {
                self.0.inner.sighted(id, known);
                receiver.mark_changed();
            }
            // A 3.5 device does not announce itself unless it is asked.
            None if !inner.machine().is_scanning(now) => self.probe(LOCATE),
            None => {}
        }
        receiver
    }
}

impl Inner {
    fn machine(&self) -> MutexGuard<'_, Box<proto::Discovery<TABLE>>> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Option<Sighted>>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sighted(&self, id: &str, sighted: Option<Sighted>) {
        if let Some(sender) = self.watched().get(id) {
            sender.send_replace(sighted);
        }
    }

    fn receive(&self, datagram: &mut [u8], source: SocketAddr) {
        let mut machine = self.machine();
        match machine.handle_datagram(datagram, source, self.clock.now()) {
            Ok(Sighting { kind, address: ip, announcement, .. }) => {
                drop(machine);
                let version = announcement.version;
                tracing::debug!(id = announcement.id, %ip, ?version, ?kind, "announced");
                self.sighted(announcement.id, Some(Sighted { ip, version }));
                if self.hub.is_heard() {
                    let product_key = announcement.product_key.map(str::to_owned);
                    let id = announcement.id.to_owned();
                    self.hub.publish(Found { kind, id, ip, version, product_key });
                }
            }
            Err(proto::DiscoveryError::InfoRequest) => {}
            Err(error) => tracing::debug!(%source, %error, "datagram ignored"),
        }
    }

    /// Sends the probes that are due. Returns when the next ones are.
    async fn send_probes(&self) -> Option<proto::Instant> {
        loop {
            let mut probe = [0; MAX_PROBE];
            let output = self.machine().poll(self.clock.now(), &mut rand::rng(), &mut probe);
            match output {
                DiscoveryOutput::Wait { until } => return until,
                DiscoveryOutput::Send { interface, to, len } => {
                    let probe = probe.get(..len).unwrap_or_default();
                    let to = if self.probes.to.is_empty() { core::slice::from_ref(&to) } else { &self.probes.to };
                    if let Err(error) = send_probe(interface, to, probe).await {
                        tracing::debug!(%interface, %error, "no probe sent");
                    }
                }
            }
        }
    }

    async fn run(&self, sockets: Vec<UdpSocket>) {
        let mut timer = Timer::default();
        let mut datagram = vec![0; LARGEST_DATAGRAM];
        loop {
            let until = self.send_probes().await;
            tokio::select! {
                (len, source) = receive_any(&sockets, &mut datagram) => {
                    self.receive(datagram.get_mut(..len).unwrap_or_default(), source);
                }
                () = self.changed.notified() => {}
                () = timer.wait(&self.clock, until) => {}
            }
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
        self.inner.hub.close();
    }
}

/// How a [`Discovery`] listens and asks.
#[derive(Debug)]
#[must_use = "a builder does nothing before start"]
pub struct DiscoveryBuilder {
    config: DiscoveryConfig,
    bind: Ipv4Addr,
    probes: Probes,
}

impl DiscoveryBuilder {
    /// UDP ports to listen on, 6666, 6667 and 7000 by default; 0 takes a free one. Other programs may listen on
    /// the same ones.
    pub const fn ports(mut self, ports: [u16; 3]) -> Self {
        self.config.listen_ports = ports;
        self
    }

    /// Listens on this address only, and sends probes from it only. On most systems, broadcasts are then not heard.
    pub const fn bind_address(mut self, address: Ipv4Addr) -> Self {
        self.bind = address;
        self.probes.from = if address.is_unspecified() { None } else { Some(address) };
        self
    }

    /// Sends probes to these addresses instead of broadcasting them.
    pub fn probe_to(mut self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        self.probes.to = addresses.into_iter().collect();
        self
    }

    /// Whether scans send probes (the default). If not, they only listen.
    pub const fn active(mut self, active: bool) -> Self {
        self.probes.active = active;
        self
    }

    /// Whether an announcement may come from another address than the one it names. Only for networks with a relay:
    /// it lets every host on the network redirect connections. Off by default.
    pub const fn trust_relayed(mut self, trust: bool) -> Self {
        self.config.trust_relayed = trust;
        self
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// When a port cannot be bound: most often another program holds it exclusively.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and I/O enabled.
    ///
    /// # Cancel safety
    /// Safe: a dropped future leaves nothing behind.
    pub async fn start(self) -> io::Result<Discovery> {
        let mut sockets = Vec::new();
        for port in self.config.listen_ports {
            sockets.push(net::bind_shared(SocketAddr::from((self.bind, port)))?);
        }
        let local_addrs = sockets.iter().map(UdpSocket::local_addr).collect::<io::Result<_>>()?;
        let inner = Arc::new(Inner {
            machine: Mutex::new(Box::new(proto::Discovery::new(self.config))),
            watched: Mutex::default(),
            hub: Hub::new(None),
            clock: Clock::start(),
            changed: Notify::new(),
            probes: self.probes,
        });
        let running = Arc::clone(&inner);
        let task = tokio::spawn(async move { running.run(sockets).await }).abort_handle();
        Ok(Discovery(Arc::new(Service { inner, task, local_addrs })))
    }
}

/// The next datagram of any socket.
///
/// # Cancel safety
/// Safe: a datagram is taken only when the future completes.
async fn receive_any(sockets: &[UdpSocket], datagram: &mut [u8]) -> (usize, SocketAddr) {
    core::future::poll_fn(|cx| {
        for socket in sockets {
            let mut buffer = tokio::io::ReadBuf::new(datagram);
            // An error, such as an unreachable earlier destination, concerns one datagram: try the next.
            while let Poll::Ready(result) = socket.poll_recv_from(cx, &mut buffer) {
                if let Ok(source) = result {
                    return Poll::Ready((buffer.filled().len(), source));
                }
            }
        }
        Poll::Pending
    })
    .await
}

async fn send_probe(from: Ipv4Addr, to: &[SocketAddrV4], probe: &[u8]) -> io::Result<()> {
    let socket = net::bind_shared(SocketAddr::from((from, 0)))?;
    for to in to {
        socket.send_to(probe, to).await?;
    }
    Ok(())
}

/// Devices that are remembered at most.
const TABLE: usize = 1024;

/// More than any announcement; what is longer is cut, and then refused.
const LARGEST_DATAGRAM: usize = 2048;

/// How long a device without a known address is asked for.
const LOCATE: Duration = Duration::from_secs(18);
