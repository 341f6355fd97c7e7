//! Subject for the driver with blocking calls: each started command has a thread that waits.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use rustuya_runtime_blocking::{
    AddError, Address, CommandError, Device, DeviceBuilder, DeviceInfo, Discovery, DownReason, Entry, Event, Listener,
    Manager, ManagerEvent, PollThread, Queried, Registry, Reply, Sending,
};
use rustuya_tests::conformance::{
    Added, Answer, Call, Counters, FoundDevice, How, Need, Plan, ReceivedEvent, Snapshot, Source, Stage, Subject,
    Ticket, WhyStale,
};
use rustuya_tests::faulty::{FaultyDevice, FaultyDeviceBuilder, State};
use serde_json::{Map, Value};

/// One poll thread for all scenarios.
#[derive(Debug)]
pub(crate) struct Blocking(PollThread);

impl Blocking {
    /// Starts the thread.
    pub(crate) fn new() -> Self {
        Self(PollThread::start().expect("a thread"))
    }
}

impl Subject for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        (need == Need::Abandon).then_some("a call that waits returns with the answer or at its time limit, not before")
    }

    fn gives_at_once(&self) -> bool {
        false
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        Box::new(Scene {
            thread: self.0.clone(),
            ids: Vec::new(),
            started: Instant::now(),
            discovery: None,
            registry: None,
            managers: BTreeMap::new(),
            nodes: BTreeMap::new(),
            extra: BTreeMap::new(),
            given: BTreeMap::new(),
            last: 0,
        })
    }
}

struct Scene {
    thread: PollThread,
    ids: Vec<String>,
    started: Instant,
    discovery: Option<Discovery>,
    registry: Option<Registry>,
    managers: BTreeMap<usize, (Manager, Listener<ManagerEvent>)>,
    nodes: BTreeMap<usize, (Device, Listener)>,
    extra: BTreeMap<usize, Listener>,
    given: BTreeMap<usize, (Receiver<Answer>, Option<Answer>)>,
    last: usize,
}

type Job = Box<dyn FnOnce() -> Answer + Send>;

impl Scene {
    fn discovery(&mut self) -> Discovery {
        let start = || {
            let builder = Discovery::builder().ports([0, 0, 0]).bind_address(Ipv4Addr::LOCALHOST);
            builder.active(false).start(&self.thread).expect("free ports")
        };
        self.discovery.get_or_insert_with(start).clone()
    }

    fn builder(&mut self, plan: &Plan) -> DeviceBuilder {
        let mut builder = Device::builder_with(plan.id.clone(), plan.key.clone())
            .address(plan.address.map_or(Address::Auto, Address::Ip))
            .port(plan.port)
            .version(plan.version)
            .min_version(plan.min_version)
            .dialect(plan.dialect)
            .persist(plan.persist)
            .nowait(plan.nowait)
            .command_timeout(plan.command_timeout)
            .timing(plan.timing)
            .pacing(plan.pacing)
            .receive_limit(plan.receive_limit)
            .memory_limit(plan.memory_limit)
            .query_on_connect(plan.query_on_connect);
        if plan.discovered {
            let discovery = self.discovery();
            builder = builder.discovery(&discovery);
        }
        builder
    }

    fn registry(&mut self) -> Registry {
        let make = || Registry::builder(self.thread.clone()).without_discovery().build();
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

    fn job(&mut self, node: usize, call: &Call, how: How) -> Job {
        match call {
            Call::Shutdown(number) => {
                let manager = self.manager(*number).0.clone();
                return done(move || manager.shutdown());
            }
            Call::Settled(number) => {
                let manager = self.manager(*number).0.clone();
                let limit = match how {
                    How::Within(limit) => Duration::from_millis(limit),
                    _ => Duration::from_secs(10),
                };
                return Box::new(move || settled(&manager.wait_settled(limit)));
            }
            Call::ShutdownAll => {
                let registry = self.registry();
                return done(move || registry.shutdown());
            }
            Call::Scan(limit) => {
                let (discovery, limit) = (self.discovery(), Duration::from_millis(*limit));
                // Starts the scan now; only its end is awaited in another thread.
                let mut scan = discovery.stream(limit);
                return Box::new(move || {
                    let mut found = Vec::new();
                    while let Some(news) = scan.recv() {
                        if !found.iter().any(|known: &rustuya_runtime_blocking::DiscoveredDevice| known.id == news.id) {
                            found.push(news);
                        }
                    }
                    Answer::Found(found.into_iter().map(FoundDevice::from).collect())
                });
            }
            Call::Find(wanted, limit) => {
                let (discovery, limit) = (self.discovery(), Duration::from_millis(*limit));
                let id = wanted.map_or("nobody".to_owned(), |node| self.ids[node].clone());
                let found = move || discovery.find(&id, limit).into_iter().map(FoundDevice::from).collect();
                return Box::new(move || Answer::Found(found()));
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
                return Box::new(move || device.wait_connected(limit).map_or_else(Answer::Failed, Answer::Up));
            }
            Call::Ready => {
                let limit = match how {
                    How::Within(limit) => Duration::from_millis(limit),
                    _ => Duration::from_secs(10),
                };
                return Box::new(move || device.wait_ready(limit).map_or_else(Answer::Failed, known));
            }
            Call::Close => return done(move || device.close()),
            Call::Detect => {
                return Box::new(move || {
                    device.detect_dps().map_or_else(Answer::Failed, |ids| Answer::Ids(ids.into_iter().collect()))
                });
            }
            Call::Query if how == How::Written => {
                return Box::new(move || device.query().map_or_else(Answer::Failed, dps));
            }
            Call::QueryDps(ids) => {
                let ids = ids.clone();
                return Box::new(move || device.query_dps(&ids).map_or_else(Answer::Failed, dps));
            }
            Call::SubQuery(cid) if how == How::Written => {
                let child = sub(cid);
                return Box::new(move || child.query().map_or_else(Answer::Failed, dps));
            }
            Call::Set(dp, value) => device.set_value(*dp, value),
            Call::SetDps(dps) => device.set_dps(dps),
            Call::Update(ids) => device.update_dps(ids),
            Call::Request(code, data, cid) => device.request(*code, data.clone(), *cid),
            Call::SubDiscover => device.sub_discover(),
            Call::SubQuery(cid) => sub(cid).status(),
            Call::SubSet(cid, dp, value) => sub(cid).set_value(*dp, value),
            Call::SubUpdate(cid, ids) => sub(cid).update_dps(ids),
            _ => device.status(),
        };
        let written = |result: Result<(), CommandError>| result.map_or_else(Answer::Failed, |()| Answer::Done);
        match how {
            How::Queued => Box::new(move || written(sending.queue())),
            How::Written => Box::new(move || written(sending.send())),
            How::Acked => Box::new(move || reply(sending.acknowledged())),
            How::Confirmed => Box::new(move || reply(sending.confirmed())),
            How::Within(limit) => {
                let sending = sending.timeout(Duration::from_millis(limit));
                Box::new(move || reply(sending.acknowledged()))
            }
        }
    }
}

impl Stage for Scene {
    fn plug_in(&mut self, device: FaultyDeviceBuilder) -> FaultyDevice {
        let device = device.start().expect("a free port");
        self.ids.push(device.id().as_str().to_owned());
        device
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn until(&mut self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        device.wait_for(limit, holds)
    }

    fn wait_briefly(&mut self) {
        thread::sleep(Duration::from_millis(1));
    }

    fn spawn(&mut self, node: usize, plan: &Plan) {
        let device = self.builder(plan).spawn(&self.thread);
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
        let job = self.job(node, call, how);
        let (sender, receiver) = channel();
        // Fails where a scenario has failed and the receiver is dropped.
        let run = move || drop(sender.send(job()));
        if how == How::Queued {
            run();
        } else {
            thread::spawn(run);
        }
        self.given.insert(self.last, (receiver, None));
        Ticket(self.last)
    }

    fn end(&mut self, ticket: Ticket, limit: Duration) -> Option<Answer> {
        let (receiver, answer) = self.given.remove(&ticket.0)?;
        answer.or_else(|| receiver.recv_timeout(limit).ok())
    }

    fn is_done(&mut self, ticket: Ticket) -> bool {
        let (receiver, answer) = self.given.get_mut(&ticket.0).expect("the command was given");
        *answer = answer.take().or_else(|| receiver.try_recv().ok());
        answer.is_some()
    }

    fn forget(&mut self, ticket: Ticket) {
        self.given.remove(&ticket.0);
    }

    fn listen(&mut self, node: usize, extra: usize) {
        let listener = self.device(node).listener();
        self.extra.insert(extra, listener);
    }

    fn receive(&mut self, node: usize, source: Source, limit: Duration) -> Option<ReceivedEvent> {
        match source {
            Source::Own => {
                next(&mut self.nodes.get_mut(&node).expect("the device has a handle").1, limit).map(received)
            }
            Source::Extra(extra) => {
                next(self.extra.get_mut(&extra).expect("the listener was made"), limit).map(received)
            }
            Source::Manager(number) => {
                let end = Instant::now() + limit;
                let id = self.nodes.get(&node).map(|(device, _)| device.id().to_owned());
                let listener = &mut self.managers.get_mut(&number).expect("the manager was named").1;
                loop {
                    let left = end.saturating_duration_since(Instant::now());
                    match next(listener, left)? {
                        Some(news) if id.as_deref() != Some(&*news.device_id) => {}
                        news => return Some(received(news.map(|news| news.event))),
                    }
                }
            }
        }
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

fn done(call: impl FnOnce() + Send + 'static) -> Job {
    Box::new(move || {
        call();
        Answer::Done
    })
}

/// Returns the next entry; `Some(None)` after the last, `None` when there is none in time.
fn next<T: Entry>(listener: &mut Listener<T>, limit: Duration) -> Option<Option<T>> {
    match listener.recv_timeout(limit) {
        Ok(entry) => Some(Some(entry)),
        Err(RecvTimeoutError::Disconnected) => Some(None),
        Err(RecvTimeoutError::Timeout) => None,
    }
}

fn received(event: Option<Event>) -> ReceivedEvent {
    event.map_or(ReceivedEvent::End, ReceivedEvent::from)
}

fn known(state: rustuya_runtime_blocking::State) -> Answer {
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
