//! Subject for every runtime whose devices are driven by futures: they share the handles.

use core::net::{IpAddr, Ipv4Addr};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Instant;

use rustuya_proto::DownReason;
use rustuya_runtime::driver::Runtime;
use rustuya_runtime::{
    AddError, Address, CommandError, Device, DeviceBuilder, DeviceInfo, DiscoveredDevice, Discovery, Event, Listener,
    Manager, ManagerEvent, Queried, Registry, Reply, Sending,
};
use serde_json::{Map, Value};

use super::scenario::{Added, Call, How, Need, Source};
use super::subject::{Answer, Counters, FoundDevice, Plan, ReceivedEvent, Snapshot, Stage, Subject, Ticket, WhyStale};
use crate::faulty::{FaultyDevice, FaultyDeviceBuilder, State};
use crate::simulated::Simulated;

/// Async runtime with its name.
#[derive(Debug)]
pub struct Asynchronous<R> {
    name: &'static str,
    runtime: R,
}

impl<R: Runtime + Clone> Asynchronous<R> {
    /// Creates the subject; `runtime` spawns into a runtime with threads of its own.
    pub const fn new(name: &'static str, runtime: R) -> Self {
        Self { name, runtime }
    }
}

impl<R: Runtime + Clone> Subject for Asynchronous<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn lacks(&self, _need: Need) -> Option<&'static str> {
        None
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        Box::new(Scene::new(self.runtime.clone(), RealTime(Instant::now())))
    }
}

/// Subject whose devices are driven by futures in [`Simulated`] time.
#[derive(Debug)]
pub struct InMemory {
    seed: u64,
}

impl InMemory {
    /// Creates the subject; every stage has this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Subject for InMemory {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn lacks(&self, _need: Need) -> Option<&'static str> {
        None
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        self.stage_of(self.seed)
    }

    fn stage_of(&self, seed: u64) -> Box<dyn Stage + '_> {
        let world = Simulated::new(seed);
        Box::new(Scene::new(world.clone(), world))
    }
}

/// Network and clock of a stage.
trait Network {
    fn plug_in(&self, device: FaultyDeviceBuilder) -> FaultyDevice;
    fn now(&self) -> Duration;
    fn until(&self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool;
    fn wait_briefly(&self);
    /// Runs a future on this thread. Returns `None` when it takes longer than `limit`.
    fn block_on<F: Future + Unpin>(&self, future: F, limit: Duration) -> Option<F::Output>;
}

/// Real sockets and the system's clock.
struct RealTime(Instant);

impl Network for RealTime {
    fn plug_in(&self, device: FaultyDeviceBuilder) -> FaultyDevice {
        device.start().expect("a free port")
    }

    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn until(&self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        device.wait_for(limit, holds)
    }

    fn wait_briefly(&self) {
        thread::sleep(Duration::from_millis(1));
    }

    fn block_on<F: Future + Unpin>(&self, future: F, limit: Duration) -> Option<F::Output> {
        block_on(future, limit)
    }
}

impl Network for Simulated {
    fn plug_in(&self, device: FaultyDeviceBuilder) -> FaultyDevice {
        device.start_in(self.net())
    }

    fn now(&self) -> Duration {
        self.now()
    }

    fn until(&self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        self.run(limit, || device.wait_for(Duration::ZERO, &mut *holds))
    }

    fn wait_briefly(&self) {
        self.run(Duration::from_millis(1), || false);
    }

    fn block_on<F: Future + Unpin>(&self, future: F, limit: Duration) -> Option<F::Output> {
        self.block_on(future, limit)
    }
}

impl<R: Runtime + Clone, P: Network> Scene<R, P> {
    fn new(runtime: R, passage: P) -> Self {
        Self {
            runtime,
            passage,
            ids: Vec::new(),
            discovery: None,
            registry: None,
            managers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            extra: BTreeMap::new(),
            given: BTreeMap::new(),
            last: 0,
        }
    }
}

type Pending = Pin<Box<dyn Future<Output = Answer>>>;

/// Started command.
enum Given {
    Waiting(Pending),
    Done(Box<Answer>),
}

struct Scene<R, P> {
    runtime: R,
    passage: P,
    ids: Vec<String>,
    discovery: Option<Discovery>,
    registry: Option<Registry>,
    managers: BTreeMap<usize, (Manager, Listener<ManagerEvent>)>,
    nodes: BTreeMap<usize, (Device, Listener)>,
    extra: BTreeMap<usize, Listener>,
    given: BTreeMap<usize, Given>,
    last: usize,
}

impl<R: Runtime + Clone, P: Network> Scene<R, P> {
    fn discovery(&mut self) -> Discovery {
        let runtime = &self.runtime;
        let start = || {
            let builder = Discovery::builder().ports([0, 0, 0]).bind_address(Ipv4Addr::LOCALHOST);
            builder.active(false).start(runtime).expect("free ports")
        };
        self.discovery.get_or_insert_with(start).clone()
    }

    fn builder(&mut self, plan: &Plan) -> DeviceBuilder {
        let mut builder = Device::builder_with(plan.id.clone(), plan.key.clone())
            .address(plan.address.map_or(Address::Auto, Address::Ip))
            .port(plan.port)
            .version(plan.version)
            .dialect(plan.dialect)
            .persist(plan.persist)
            .nowait(plan.nowait)
            .command_timeout(plan.command_timeout)
            .timing(plan.timing)
            .pacing(plan.pacing)
            .receive_limit(plan.receive_limit)
            .memory_limit(plan.memory_limit)
            .min_version(plan.min_version)
            .query_on_connect(plan.query_on_connect);
        if plan.discovered {
            let discovery = self.discovery();
            builder = builder.discovery(&discovery);
        }
        builder
    }

    fn registry(&mut self) -> Registry {
        let runtime = &self.runtime;
        let make = || Registry::builder(runtime.clone()).without_discovery().build();
        self.registry.get_or_insert_with(make).clone()
    }

    fn manager(&mut self, number: usize) -> &mut (Manager, Listener<ManagerEvent>) {
        let registry = self.registry();
        self.managers.entry(number).or_insert_with(|| {
            let manager = Manager::new(&registry);
            let listener = manager.listener();
            (manager, listener)
        })
    }

    fn device(&self, node: usize) -> &Device {
        &self.nodes.get(&node).expect("the device has a handle").0
    }

    fn pending(&mut self, node: usize, call: &Call, how: How) -> Pending {
        match call {
            Call::Shutdown(number) => {
                let manager = self.manager(*number).0.clone();
                return Box::pin(async move {
                    manager.shutdown().await;
                    Answer::Done
                });
            }
            Call::Settled(number) => {
                let manager = self.manager(*number).0.clone();
                let limit = match how {
                    How::Within(limit) => Duration::from_millis(limit),
                    _ => Duration::from_secs(10),
                };
                return Box::pin(async move { settled(&manager.wait_settled(limit).await) });
            }
            Call::ShutdownAll => {
                let registry = self.registry();
                return Box::pin(async move {
                    registry.shutdown().await;
                    Answer::Done
                });
            }
            Call::Scan(limit) => {
                let (discovery, limit) = (self.discovery(), Duration::from_millis(*limit));
                return Box::pin(async move {
                    Answer::Found(discovery.scan(limit).await.into_iter().map(FoundDevice::from).collect())
                });
            }
            Call::Find(wanted, limit) => {
                let (discovery, limit) = (self.discovery(), Duration::from_millis(*limit));
                let id = wanted.map_or("nobody".to_owned(), |node| self.ids[node].clone());
                let found =
                    |found: Option<DiscoveredDevice>| Answer::Found(found.into_iter().map(FoundDevice::from).collect());
                return Box::pin(async move { found(discovery.find(&id, limit).await) });
            }
            _ => {}
        }
        let device = self.device(node).clone();
        let sub = |cid: &str| device.sub(cid).expect("a cid");
        let sending: Sending = match call {
            Call::Connection => {
                let limit = match how {
                    How::Within(limit) => Duration::from_millis(limit),
                    _ => Duration::from_secs(10),
                };
                let up = async move { device.wait_connected(limit).await.map_or_else(Answer::Failed, Answer::Up) };
                return Box::pin(up);
            }
            Call::Ready => {
                let limit = match how {
                    How::Within(limit) => Duration::from_millis(limit),
                    _ => Duration::from_secs(10),
                };
                return Box::pin(async move { device.wait_ready(limit).await.map_or_else(Answer::Failed, known) });
            }
            Call::Close => {
                return Box::pin(async move {
                    device.close().await;
                    Answer::Done
                });
            }
            Call::Detect => {
                let ids = async move { device.detect_dps().await.map(|ids| ids.into_iter().collect()) };
                return Box::pin(async move { ids.await.map_or_else(Answer::Failed, Answer::Ids) });
            }
            Call::Query if how == How::Written => {
                return Box::pin(async move { device.query().await.map_or_else(Answer::Failed, dps) });
            }
            Call::QueryDps(ids) => {
                let ids = ids.clone();
                return Box::pin(async move { device.query_dps(&ids).await.map_or_else(Answer::Failed, dps) });
            }
            Call::SubQuery(cid) if how == How::Written => {
                let child = sub(cid);
                return Box::pin(async move { child.query().await.map_or_else(Answer::Failed, dps) });
            }
            Call::Status | Call::Query => device.status(),
            Call::Set(dp, value) => device.set_value(*dp, value),
            Call::SetDps(dps) => device.set_dps(dps),
            Call::Update(ids) => device.update_dps(ids),
            Call::Request(code, data, cid) => device.request(*code, data.clone(), *cid),
            Call::SubDiscover => device.sub_discover(),
            Call::SubQuery(cid) => sub(cid).status(),
            Call::SubSet(cid, dp, value) => sub(cid).set_value(*dp, value),
            Call::SubUpdate(cid, ids) => sub(cid).update_dps(ids),
            Call::Shutdown(_) | Call::ShutdownAll | Call::Settled(_) | Call::Scan(_) | Call::Find(..) => {
                unreachable!("is made above")
            }
        };
        let written = move |result: Result<(), CommandError>| result.map_or_else(Answer::Failed, |()| Answer::Done);
        match how {
            How::Queued => Box::pin(core::future::ready(written(sending.queue()))),
            How::Written => Box::pin(async move { written(sending.await) }),
            How::Acked => Box::pin(async move { reply(sending.acknowledged().await) }),
            How::Confirmed => Box::pin(async move { reply(sending.confirmed().await) }),
            How::Within(limit) => {
                let sending = sending.timeout(Duration::from_millis(limit));
                Box::pin(async move { reply(sending.acknowledged().await) })
            }
        }
    }
}

impl<R: Runtime + Clone, P: Network> Stage for Scene<R, P> {
    fn plug_in(&mut self, device: FaultyDeviceBuilder) -> FaultyDevice {
        let device = self.passage.plug_in(device);
        self.ids.push(device.id().as_str().to_owned());
        device
    }

    fn now(&self) -> Duration {
        self.passage.now()
    }

    fn until(&mut self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        self.passage.until(device, limit, holds)
    }

    fn wait_briefly(&mut self) {
        self.passage.wait_briefly();
    }

    fn spawn(&mut self, node: usize, plan: &Plan) {
        let device = self.builder(plan).spawn(&self.runtime);
        let listener = device.listener();
        self.nodes.insert(node, (device, listener));
    }

    fn add(&mut self, manager: usize, node: usize, plan: &Plan) -> Added {
        let builder = self.builder(plan);
        match self.manager(manager).0.add_with(builder) {
            Ok(device) => {
                let known = self.nodes.get(&node).is_some_and(|(known, _)| !known.is_closed());
                if !known {
                    let listener = device.listener();
                    self.nodes.insert(node, (device, listener));
                }
                Added::Ok
            }
            Err(AddError::DuplicateDevice) => Added::Duplicate,
            Err(AddError::Closed) => Added::Closed,
            Err(error) => panic!("{error}"),
        }
    }

    fn remove(&mut self, manager: usize, node: usize) -> bool {
        let id = self.device(node).id().to_owned();
        self.manager(manager).0.remove(&id)
    }

    fn delete(&mut self, manager: usize, node: usize) -> bool {
        let id = self.device(node).id().to_owned();
        self.manager(manager).0.delete(&id)
    }

    fn clear(&mut self, manager: usize) {
        self.manager(manager).0.clear();
    }

    fn reconfigure(&mut self, node: usize, plan: &Plan) {
        let builder = self.builder(plan);
        self.device(node).reconfigure(builder).expect("the same device");
    }

    fn begin(&mut self, node: usize, call: &Call, how: How) -> Ticket {
        self.last += 1;
        let mut pending = self.pending(node, call, how);
        let given = match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Given::Done(Box::new(answer)),
            Poll::Pending => Given::Waiting(pending),
        };
        self.given.insert(self.last, given);
        Ticket(self.last)
    }

    fn end(&mut self, ticket: Ticket, limit: Duration) -> Option<Answer> {
        match self.given.remove(&ticket.0)? {
            Given::Waiting(pending) => self.passage.block_on(pending, limit),
            Given::Done(answer) => Some(*answer),
        }
    }

    fn is_done(&mut self, ticket: Ticket) -> bool {
        let given = self.given.get_mut(&ticket.0).expect("the command was given");
        if let Given::Waiting(pending) = given
            && let Poll::Ready(answer) = pending.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            *given = Given::Done(Box::new(answer));
        }
        matches!(given, Given::Done(_))
    }

    fn forget(&mut self, ticket: Ticket) {
        self.given.remove(&ticket.0);
    }

    fn listen(&mut self, node: usize, extra: usize) {
        let listener = self.device(node).listener();
        self.extra.insert(extra, listener);
    }

    fn receive(&mut self, node: usize, source: Source, limit: Duration) -> Option<ReceivedEvent> {
        let end = self.passage.now() + limit;
        let listener = match source {
            Source::Own => &mut self.nodes.get_mut(&node).expect("the device has a handle").1,
            Source::Extra(extra) => self.extra.get_mut(&extra).expect("the listener was made"),
            Source::Manager(number) => {
                let id = self.nodes.get(&node).map(|(device, _)| device.id().to_owned());
                let listener = &mut self.managers.get_mut(&number).expect("the manager was named").1;
                loop {
                    let left = end.saturating_sub(self.passage.now());
                    match self.passage.block_on(Box::pin(listener.recv()), left)? {
                        Some(news) if id.as_deref() != Some(&*news.device_id) => {}
                        news => return Some(received(news.map(|news| news.event))),
                    }
                }
            }
        };
        let left = end.saturating_sub(self.passage.now());
        self.passage.block_on(Box::pin(listener.recv()), left).map(received)
    }

    fn snapshot(&mut self, node: usize) -> Snapshot {
        let device = self.device(node);
        let metrics = device.metrics();
        Snapshot {
            connected: device.is_connected(),
            version: device.version(),
            dialect: device.dialect(),
            diagnosis: device.diagnosis(),
            address: device.address(),
            port: device.port(),
            closed: device.is_closed(),
            counters: Counters {
                connects: metrics.connects,
                bad_frames: metrics.bad_frames,
                ignored: metrics.ignored,
                resyncs: metrics.resyncs,
                lagged: metrics.lagged,
                sent: metrics.sent,
                acknowledged: metrics.acknowledged,
                failed: metrics.rejected + metrics.unanswered + metrics.lost,
                rejected: metrics.rejected,
            },
        }
    }

    fn state(&mut self, node: usize, cid: Option<&str>) -> Map<String, Value> {
        let device = self.device(node);
        cid.map_or_else(|| device.state(), |cid| device.sub(cid).expect("a cid").state()).to_map()
    }

    fn stale(&mut self, node: usize, cid: Option<&str>) -> Option<WhyStale> {
        let device = self.device(node);
        let state = cid.map_or_else(|| device.state(), |cid| device.sub(cid).expect("a cid").state());
        assert_eq!(state.is_fresh(), !state.dps.values().any(|received| !received.fresh) && state.stale.is_none());
        state.stale.map(WhyStale::from)
    }

    fn online(&mut self, node: usize, cid: &str) -> Option<bool> {
        self.device(node).sub(cid).expect("a cid").is_online()
    }

    fn holds(&mut self, manager: usize) -> usize {
        self.manager(manager).0.len()
    }

    fn registered(&mut self) -> usize {
        self.registry().len()
    }

    fn listed(&mut self, manager: usize, node: usize) -> Option<(bool, Option<DownReason>)> {
        let id = self.device(node).id().to_owned();
        let list = self.manager(manager).0.list();
        list.iter().find(|info| *info.id == *id).map(|info| (info.connected, info.down))
    }

    fn announce(&mut self, device: &FaultyDevice, named: Option<IpAddr>) {
        let to = self.discovery().local_addrs()[1];
        let named = named.and_then(|ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        device.announce_to(to, named).expect("loopback takes datagrams");
    }
}

fn known(state: rustuya_runtime::State) -> Answer {
    Answer::Reply { dps: state.to_map(), payload: None }
}

fn settled(list: &[DeviceInfo]) -> Answer {
    Answer::Settled(list.iter().map(|info| (info.connected, info.down)).collect())
}

fn dps(queried: Queried) -> Answer {
    Answer::Reply { dps: queried.dps, payload: None }
}

fn reply(result: Result<Reply, CommandError>) -> Answer {
    match result {
        Ok(reply) => Answer::Reply { payload: reply.payload(), dps: reply.dps },
        Err(error) => Answer::Failed(error),
    }
}

fn received(event: Option<Event>) -> ReceivedEvent {
    event.map_or(ReceivedEvent::End, ReceivedEvent::from)
}

/// Runs a future on this thread. Returns `None` when it takes longer than `limit`.
fn block_on<F: Future + Unpin>(mut future: F, limit: Duration) -> Option<F::Output> {
    struct Unpark(Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let end = Instant::now() + limit;
    loop {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut cx) {
            return Some(output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}
