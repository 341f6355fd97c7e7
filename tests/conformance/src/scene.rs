//! Steps of a run on the handles of devices and managers, for drivers with futures and with blocking calls alike.
//!
//! Both have handles with the same methods, of different types: the macro [`scene`] writes the code for each.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use rustuya_faulty::FaultyDevice;
use rustuya_runtime::{CommandError, DeviceInfo, DiscoveredDevice, Event, Metrics, QueryReply, Reply, State};

use crate::scenario::How;
use crate::subject::{Answer, Counters, FoundDevice, ReceivedEvent};

/// Writes `Scene`, the [`Stage`](crate::subject::Stage) of a driver.
///
/// `await` is what follows a call that waits: `.await`, or nothing. The module has the handles in scope, and of its own
///
/// - `Command`, a command that is about to wait, and the macro `command`, which makes one of an expression;
/// - `Given`, a started command, with `start(command, how)`, `end(self, network, limit)` and `is_done(&mut self)`;
/// - `send(sending)`, which waits until a command is written, and `scan(discovery, limit)`, which makes a `Command`;
/// - `next(network, listener, limit)`, which returns the next entry: `Some(None)` after the last, `None` when there is
///   none in time.
macro_rules! scene {
    (impl [$($generics:tt)*] Scene<$runtime:ty, $network:ty>, await: [$($wait:tt)*]) => {
        struct Scene<R, N> {
            runtime: R,
            network: N,
            ids: Vec<String>,
            discovery: Option<Discovery>,
            registry: Option<Registry>,
            managers: BTreeMap<usize, (Manager, Listener<ManagerEvent>)>,
            nodes: BTreeMap<usize, (Device, Listener)>,
            extra: BTreeMap<usize, Listener>,
            given: BTreeMap<usize, Given>,
            last: usize,
        }

        impl<$($generics)*> Scene<$runtime, $network> {
            fn new(runtime: $runtime, network: $network) -> Self {
                Self {
                    runtime,
                    network,
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

            fn discovery(&mut self) -> Discovery {
                let runtime = &self.runtime;
                let start = || {
                    let builder = Discovery::builder().ports([0, 0, 0]).bind_address(core::net::Ipv4Addr::LOCALHOST);
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

            fn command(&mut self, node: usize, call: &Call, how: How) -> Command {
                let limit = $crate::scene::limit(how);
                match call {
                    Call::Shutdown(number) => {
                        let manager = self.manager(*number).0.clone();
                        return command!($crate::scene::done(manager.shutdown() $($wait)*));
                    }
                    Call::Settled(number) => {
                        let manager = self.manager(*number).0.clone();
                        return command!($crate::scene::settled(&manager.wait_settled(limit) $($wait)*));
                    }
                    Call::ShutdownAll => {
                        let registry = self.registry();
                        return command!($crate::scene::done(registry.shutdown() $($wait)*));
                    }
                    Call::Scan(limit) => return scan(self.discovery(), Duration::from_millis(*limit)),
                    Call::Find(wanted, limit) => {
                        let (discovery, limit) = (self.discovery(), Duration::from_millis(*limit));
                        let id = wanted.map_or("nobody".to_owned(), |node| self.ids[node].clone());
                        return command!($crate::scene::found(discovery.find(&id, limit) $($wait)*));
                    }
                    _ => {}
                }
                let device = self.device(node).clone();
                let sub = |cid: &str| device.sub(cid).expect("a cid");
                let sending = match call {
                    Call::Connection => {
                        return command!(device.wait_connected(limit) $($wait)*.map_or_else(Answer::Failed, Answer::Up));
                    }
                    Call::Ready => return command!($crate::scene::known(device.wait_ready(limit) $($wait)*)),
                    Call::Close => return command!($crate::scene::done(device.close() $($wait)*)),
                    Call::Detect => {
                        let ids = |ids: BTreeSet<u16>| Answer::Ids(ids.into_iter().collect());
                        return command!(device.detect_dps() $($wait)*.map_or_else(Answer::Failed, ids));
                    }
                    Call::Query if how == How::Written => {
                        return command!($crate::scene::queried(device.query() $($wait)*));
                    }
                    Call::QueryDps(ids) => {
                        let ids = ids.clone();
                        return command!($crate::scene::queried(device.query_dps(&ids) $($wait)*));
                    }
                    Call::SubQuery(cid) if how == How::Written => {
                        let child = sub(cid);
                        return command!($crate::scene::queried(child.query() $($wait)*));
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
                match how {
                    How::Queued => command!($crate::scene::written(sending.queue())),
                    How::Written => command!($crate::scene::written(send(sending) $($wait)*)),
                    How::Acked => command!($crate::scene::reply(sending.acknowledged() $($wait)*)),
                    How::Confirmed => command!($crate::scene::reply(sending.confirmed() $($wait)*)),
                    How::Within(_) => {
                        let sending = sending.timeout(limit);
                        command!($crate::scene::reply(sending.acknowledged() $($wait)*))
                    }
                }
            }
        }

        impl<$($generics)*> Stage for Scene<$runtime, $network> {
            fn plug_in(&mut self, device: FaultyDeviceBuilder) -> FaultyDevice {
                let device = self.network.plug_in(device);
                self.ids.push(device.id().as_str().to_owned());
                device
            }

            fn now(&self) -> Duration {
                self.network.now()
            }

            fn until(&mut self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
                self.network.until(device, limit, holds)
            }

            fn wait_briefly(&mut self) {
                self.network.wait_briefly();
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
                let command = self.command(node, call, how);
                self.given.insert(self.last, Given::start(command, how));
                Ticket(self.last)
            }

            fn end(&mut self, ticket: Ticket, limit: Duration) -> Option<Answer> {
                self.given.remove(&ticket.0)?.end(&self.network, limit)
            }

            fn is_done(&mut self, ticket: Ticket) -> bool {
                self.given.get_mut(&ticket.0).expect("the command was given").is_done()
            }

            fn forget(&mut self, ticket: Ticket) {
                self.given.remove(&ticket.0);
            }

            fn listen(&mut self, node: usize, extra: usize) {
                let listener = self.device(node).listener();
                self.extra.insert(extra, listener);
            }

            fn receive(&mut self, node: usize, source: Source, limit: Duration) -> Option<ReceivedEvent> {
                let listener = match source {
                    Source::Own => &mut self.nodes.get_mut(&node).expect("the device has a handle").1,
                    Source::Extra(extra) => self.extra.get_mut(&extra).expect("the listener was made"),
                    Source::Manager(number) => {
                        let end = self.network.now() + limit;
                        let id = self.nodes.get(&node).map(|(device, _)| device.id().to_owned());
                        let listener = &mut self.managers.get_mut(&number).expect("the manager was named").1;
                        loop {
                            let left = end.saturating_sub(self.network.now());
                            match next(&self.network, listener, left)? {
                                Some(news) if id.as_deref() != Some(&*news.device_id) => {}
                                news => return Some($crate::scene::received(news.map(|news| news.event))),
                            }
                        }
                    }
                };
                next(&self.network, listener, limit).map($crate::scene::received)
            }

            fn snapshot(&mut self, node: usize) -> Snapshot {
                let device = self.device(node);
                Snapshot {
                    connected: device.is_connected(),
                    version: device.version(),
                    dialect: device.dialect(),
                    diagnosis: device.diagnosis(),
                    address: device.address(),
                    port: device.port(),
                    closed: device.is_closed(),
                    counters: $crate::scene::counters(&device.metrics()),
                }
            }

            fn state(&mut self, node: usize, cid: Option<&str>) -> Map<String, Value> {
                let device = self.device(node);
                cid.map_or_else(|| device.state(), |cid| device.sub(cid).expect("a cid").state()).to_map()
            }

            fn stale(&mut self, node: usize, cid: Option<&str>) -> Option<WhyStale> {
                let device = self.device(node);
                let state = cid.map_or_else(|| device.state(), |cid| device.sub(cid).expect("a cid").state());
                let fresh = state.stale.is_none() && state.dps.values().all(|received| received.fresh);
                assert_eq!(state.is_fresh(), fresh);
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
                $crate::scene::announce(device, to, named);
            }
        }
    };
}

pub(crate) use scene;

/// Returns the time limit of a command.
pub(crate) const fn limit(how: How) -> Duration {
    match how {
        How::Within(limit) => Duration::from_millis(limit),
        _ => Duration::from_secs(10),
    }
}

/// Sends an announcement of the device, which names `named` in place of its own address.
///
/// # Panics
/// If it cannot be sent.
pub fn announce(device: &FaultyDevice, to: SocketAddr, named: Option<IpAddr>) {
    let named = named.and_then(|ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    device.announce_to(to, named).expect("loopback takes datagrams");
}

pub(crate) fn done((): ()) -> Answer {
    Answer::Done
}

pub(crate) fn known(state: Result<State, CommandError>) -> Answer {
    state.map_or_else(Answer::Failed, |state| Answer::Reply { dps: state.to_map(), payload: None })
}

pub(crate) fn settled(list: &[DeviceInfo]) -> Answer {
    Answer::Settled(list.iter().map(|info| (info.connected, info.down)).collect())
}

pub(crate) fn found(found: impl IntoIterator<Item = DiscoveredDevice>) -> Answer {
    Answer::Found(found.into_iter().map(FoundDevice::from).collect())
}

pub(crate) fn queried(result: Result<QueryReply, CommandError>) -> Answer {
    result.map_or_else(Answer::Failed, |queried| Answer::Reply { dps: queried.dps, payload: None })
}

pub(crate) fn written(result: Result<(), CommandError>) -> Answer {
    result.map_or_else(Answer::Failed, done)
}

pub(crate) fn reply(result: Result<Reply, CommandError>) -> Answer {
    result.map_or_else(Answer::Failed, |reply| Answer::Reply { payload: reply.payload(), dps: reply.dps })
}

pub(crate) fn received(event: Option<Event>) -> ReceivedEvent {
    event.map_or(ReceivedEvent::End, ReceivedEvent::from)
}

pub(crate) const fn counters(metrics: &Metrics) -> Counters {
    Counters {
        connects: metrics.connects,
        bad_frames: metrics.bad_frames,
        ignored: metrics.ignored,
        resyncs: metrics.resyncs,
        lagged: metrics.lagged,
        sent: metrics.sent,
        acknowledged: metrics.acknowledged,
        failed: metrics.rejected + metrics.unanswered + metrics.lost,
        rejected: metrics.rejected,
    }
}
