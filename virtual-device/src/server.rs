//! Task of one virtual device: accepts controllers and announces the device.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use rustuya_proto::{Announcement, Probe, Version};
use rustuya_runtime::driver::bind_shared;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::acceptor::Arrival;
use crate::client::{Client, hold};
use crate::shared::Inner;

/// Call of the handle to the task. Each is answered when it is done.
pub(crate) enum Action {
    Unplug(oneshot::Sender<()>),
    Plug(oneshot::Sender<io::Result<()>>),
    Stop(oneshot::Sender<()>),
}

/// Announcement of a virtual device.
#[derive(Clone, Debug)]
pub(crate) struct Announcing {
    pub(crate) to: Vec<SocketAddr>,
    pub(crate) every: Duration,
    /// Address to name instead of the one that it is sent from.
    pub(crate) ip: Option<Ipv4Addr>,
    pub(crate) product_key: Option<String>,
    /// Port of the controller to which probes are answered.
    pub(crate) answer_port: u16,
}

pub(crate) struct Server {
    pub(crate) inner: Arc<Inner>,
    pub(crate) address: SocketAddr,
    pub(crate) announcing: Announcing,
    /// Socket that receives probes.
    pub(crate) probes: Option<UdpSocket>,
    pub(crate) max_clients: usize,
    pub(crate) clients: JoinSet<()>,
    pub(crate) accepted: u64,
}

impl Server {
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Action>) {
        let mut ticks = tokio::time::interval_at(Instant::now(), self.announcing.every.max(SHORTEST_INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut datagram = vec![0; LARGEST_DATAGRAM];
        loop {
            let due = self.inner.store().wake_up();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Action::Unplug(done)) => {
                        self.inner.acceptor.close();
                        self.inner.store().behavior_mut().pause(Instant::now());
                        self.clients.shutdown().await;
                        self.inner.wedged.send_replace(false);
                        // The caller may have dropped its future.
                        let _ = done.send(());
                    }
                    Some(Action::Plug(done)) => {
                        let result = self.listen().await;
                        if result.is_ok() {
                            self.inner.store().behavior_mut().resume(Instant::now());
                        }
                        ticks.reset_immediately();
                        let _ = done.send(result);
                    }
                    Some(Action::Stop(done)) => {
                        self.inner.acceptor.close();
                        self.clients.shutdown().await;
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                arrival = self.inner.acceptor.accept() => self.serve(arrival),
                Some(_) = self.clients.join_next() => {}
                () = self.inner.reacted.notified() => {}
                () = sleep_until(due) => {
                    let mut store = self.inner.store();
                    let changes = store.advance(Instant::now());
                    self.inner.publish_all(&store, changes);
                }
                _ = ticks.tick(), if self.is_visible() => {
                    for to in &self.announcing.to {
                        self.announce(*to, false).await;
                    }
                }
                (len, from) = receive(self.probes.as_ref(), &mut datagram) => {
                    let asked = datagram.get_mut(..len).and_then(Probe::decode);
                    // Also at the limit of controllers.
                    let answers = self.inner.config.version == Version::V35 && self.is_alive();
                    // Firmware answers to the address in the probe. Here that would let anybody flood others.
                    if asked.is_some() && answers {
                        self.announce((from.ip(), self.announcing.answer_port).into(), true).await;
                    }
                }
            }
        }
    }

    async fn listen(&mut self) -> io::Result<()> {
        if !self.inner.acceptor.is_open() {
            self.inner.acceptor.open(TcpListener::bind(self.address).await?)?;
        }
        Ok(())
    }

    fn serve(&mut self, Arrival { stream, changes }: Arrival) {
        // Closed connections make room.
        while self.clients.try_join_next().is_some() {}
        if *self.inner.wedged.borrow() {
            // The system goes on accepting them.
            self.clients.spawn(hold(stream));
            return;
        }
        // As firmware does that does not refuse: accept, and close at once.
        if self.clients.len() >= self.max_clients || stream.set_nodelay(true).is_err() {
            return;
        }
        self.accepted += 1;
        self.clients.spawn(Client::new(self.accepted, stream, changes, Arc::clone(&self.inner)).run());
    }

    /// Returns whether the device announces itself: not while it is unplugged, nor at the limit of controllers.
    fn is_visible(&self) -> bool {
        self.is_alive() && self.clients.len() < self.max_clients
    }

    fn is_alive(&self) -> bool {
        self.inner.acceptor.is_open() && !*self.inner.wedged.borrow()
    }

    async fn announce(&self, to: SocketAddr, is_answer: bool) {
        if let Err(error) = self.try_announce(to, is_answer).await {
            tracing::debug!(id = %self.inner.config.id, %to, %error, "not announced");
        }
    }

    async fn try_announce(&self, to: SocketAddr, is_answer: bool) -> io::Result<()> {
        let from = self.announcing.ip.or_else(|| ipv4(self.address)).unwrap_or(Ipv4Addr::UNSPECIFIED);
        // The address to name may be that of a relay; then any socket will do.
        let socket = bind_shared((from, 0).into()).or_else(|_| bind_shared(ANY))?;
        let socket = UdpSocket::from_std(socket)?;
        socket.connect(to).await?;
        let ip = self.announcing.ip.or_else(|| ipv4(socket.local_addr().ok()?));
        let config = &self.inner.config;
        let mut announcement =
            Announcement::new(config.id.as_str(), ip.unwrap_or(Ipv4Addr::UNSPECIFIED), config.version);
        if is_answer {
            announcement.client_link = None;
        }
        announcement.product_key = self.announcing.product_key.as_deref();
        let mut datagram = [0; 512];
        let iv = rand::random();
        let len = announcement.write(&iv, &mut datagram).map_err(|_| io::ErrorKind::FileTooLarge)?;
        socket.send(datagram.get(..len).unwrap_or_default()).await?;
        Ok(())
    }
}

/// Waits until then; for ever without a time.
///
/// # Cancel safety
/// Safe: it has no state.
async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => core::future::pending().await,
    }
}

/// # Cancel safety
/// Safe: a datagram is taken only when the future completes.
async fn receive(socket: Option<&UdpSocket>, datagram: &mut [u8]) -> (usize, SocketAddr) {
    loop {
        let Some(socket) = socket else {
            return core::future::pending().await;
        };
        if let Ok(received) = socket.recv_from(datagram).await {
            return received;
        }
    }
}

/// Returns the IPv4 address of a socket address, if it has one.
fn ipv4(address: SocketAddr) -> Option<Ipv4Addr> {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Shortest interval of announcements, whatever is configured.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Longer than any probe; longer datagrams are truncated, and then refused.
const LARGEST_DATAGRAM: usize = 512;
