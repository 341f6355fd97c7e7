//! Subject for the machine without a runtime, on a network in memory with a virtual clock: a minimal driver.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder, MemoryConn, MemoryNet, Read, State};
use rustuya_proto::{
    Command, CommandCode, CommandId, ConnId, Device, DeviceConfig, Discovery, DiscoveryConfig, DiscoveryError,
    DownReason, DpId, DpMap, Event, Instant, Message, Outcome, Output, RequestData, RxBuf, SendError, TxBuf,
};
use rustuya_runtime::{CommandError, convert};
use rustuya_seeded::SeededRng;
use serde_json::{Map, Value, json};

use crate::scenario::{Added, Call, How, Need, Source};
use crate::subject::{Answer, Counters, Plan, ReceivedEvent, Snapshot, Stage, Subject, Ticket, WhyStale};

/// Subject for the machine of `rustuya_proto` alone.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

impl Subject for Bare {
    fn name(&self) -> &'static str {
        "bare machine"
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        Some(match need {
            Need::Rivals => return None,
            Need::Manager => "it is one device",
            Need::Scan => "how long is listened, and to what, is the driver's business",
            Need::Cache => "it holds no state, it lends what arrives",
            Need::Queue => "it takes commands while connected, and tells the one who polls what comes of each",
            Need::Abandon => "a command that was taken is sent",
            Need::Pacing => "it sends what it is given when it is given",
            Need::Values => "it takes numbers and JSON text",
            Need::Listeners => "there is one who polls",
            Need::Confirm => "the driver compares what it hears with what it wrote",
            Need::Repeat => "the driver decides what is worth another attempt",
            Need::State => "the driver decides when to ask",
            Need::Detect => "the driver asks one range after the other",
        })
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        let discovery = Box::new(Discovery::new(DiscoveryConfig::default()));
        let (net, nodes, answers) = (MemoryNet::new(), BTreeMap::new(), BTreeMap::new());
        Box::new(Scene { net, nodes, answers, discovery, last: 0 })
    }
}

struct Scene {
    net: MemoryNet,
    nodes: BTreeMap<usize, Node>,
    answers: BTreeMap<usize, Answer>,
    discovery: Box<Discovery<16>>,
    last: usize,
}

/// Device with the driver of its machine.
struct Node {
    machine: Device,
    plan: Plan,
    conn: Option<(ConnId, MemoryConn)>,
    rx: RxBuf<Vec<u8>>,
    tx: TxBuf<Vec<u8>>,
    rng: SeededRng,
    /// Commands that wait for the connection.
    waiting: VecDeque<Request>,
    sent: Vec<(CommandId, Request)>,
    received: VecDeque<ReceivedEvent>,
    /// Reason of the connection's last end.
    reason: Option<DownReason>,
    /// Time of the machine's next work.
    until: Option<Instant>,
    closed: bool,
}

struct Request {
    ticket: usize,
    call: Call,
    how: How,
    deadline: Instant,
    /// True if it was sent before, on a connection that the machine has ended.
    again: bool,
    /// DPs pushed since it was sent.
    pushed: Map<String, Value>,
}

impl Scene {
    /// Lets time pass until `done` holds, at most for `limit`. Returns whether it holds.
    fn run(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.net.now() + limit;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let due = self.nodes.values().filter_map(Node::due).min();
            match due.filter(|due| *due <= end) {
                Some(due) => self.net.advance_to(due.max(self.net.now() + TICK)),
                None => {
                    self.net.advance_to(end);
                    return false;
                }
            }
        }
    }

    /// Runs all nodes until none has work at this instant.
    fn settle(&mut self) {
        const ROUNDS: usize = 100_000;
        for _ in 0..ROUNDS {
            let (net, answers) = (&self.net, &mut self.answers);
            let moved = self.nodes.values_mut().fold(false, |moved, node| node.turn(net, answers) | moved);
            if !moved {
                return;
            }
        }
        panic!("an instant without end");
    }

    fn node(&mut self, node: usize) -> &mut Node {
        self.nodes.get_mut(&node).expect("the device has a controller")
    }
}

/// Smallest step of time.
const TICK: Duration = Duration::from_micros(1);

impl Node {
    fn new(plan: &Plan, seed: u64, now: Instant) -> Self {
        Self {
            machine: Device::new(config(plan), now),
            plan: plan.clone(),
            conn: None,
            rx: RxBuf::growing(vec![0; 1024], plan.receive_limit),
            tx: TxBuf::new(vec![0; 4096]),
            rng: SeededRng::new(seed + 77),
            waiting: VecDeque::new(),
            sent: Vec::new(),
            received: VecDeque::new(),
            reason: None,
            until: None,
            closed: false,
        }
    }

    /// Returns the time of the next work.
    fn due(&self) -> Option<Instant> {
        let waiting = self.waiting.iter().map(|request| request.deadline).min();
        let conn = self.conn.as_ref().and_then(|(_, conn)| conn.due());
        [self.until, waiting, conn].into_iter().flatten().min()
    }

    /// Does due work. Returns whether there may be more.
    fn turn(&mut self, net: &MemoryNet, answers: &mut BTreeMap<usize, Answer>) -> bool {
        let now = net.now();
        let mut moved = self.poll(net, answers);
        moved |= self.send(now, answers);
        let Some((id, conn)) = &mut self.conn else { return moved };
        if !self.tx.pending().is_empty() {
            conn.write(self.tx.pending());
            self.tx.clear();
            moved = true;
        }
        conn.turn();
        let size = self.rx.capacity();
        if self.rx.spare_mut().is_empty() && size < self.plan.receive_limit {
            self.rx.replace(vec![0; self.plan.receive_limit.min(2 * size)]);
        }
        let spare = self.rx.spare_mut();
        if spare.is_empty() {
            return moved;
        }
        match conn.read(spare) {
            Read::Nothing => moved,
            Read::Bytes(len) => {
                self.rx.commit(len);
                true
            }
            Read::Lost(why) => {
                let id = *id;
                self.conn = None;
                self.machine.handle_lost(id, why, now);
                true
            }
        }
    }

    /// Polls the machine until it waits.
    fn poll(&mut self, net: &MemoryNet, answers: &mut BTreeMap<usize, Answer>) -> bool {
        let now = net.now();
        let mut moved = false;
        loop {
            match self.machine.poll(now, &mut self.rng, &mut self.rx, &mut self.tx) {
                Output::Dial { conn, to } => {
                    self.conn = None;
                    match net.dial(to) {
                        Ok(open) => {
                            self.machine.handle_dialed(conn, now);
                            self.conn = Some((conn, open));
                        }
                        Err(why) => self.machine.handle_lost(conn, why, now),
                    }
                }
                Output::Hangup { conn } => {
                    self.conn.take_if(|(open, _)| *open == conn);
                }
                Output::Event(Event::Up { version }) => self.received.push_back(ReceivedEvent::Up(version)),
                Output::Event(Event::Down { reason, .. }) => {
                    self.reason = Some(reason);
                    self.received.push_back(ReceivedEvent::Down(reason));
                }
                Output::Event(Event::Dialect(dialect)) => self.received.push_back(ReceivedEvent::Dialect(dialect)),
                Output::Event(Event::Message(message)) => {
                    note_push(&mut self.sent, &message);
                    self.received.extend(received(&message));
                }
                Output::Event(Event::Ignored { why, .. }) => self.received.push_back(ReceivedEvent::Ignored(why)),
                Output::Event(Event::Skipped { len, .. }) => self.received.push_back(ReceivedEvent::Skipped(len)),
                Output::Event(Event::Resolved { id, outcome, message }) => {
                    self.received.extend(message.as_ref().and_then(received));
                    if let Outcome::TooLong { len } = outcome {
                        self.received.push_back(ReceivedEvent::Skipped(len));
                    }
                    let at = self.sent.iter().position(|(sent, _)| *sent == id).expect("a command that was sent");
                    let (_, request) = self.sent.remove(at);
                    // Repeats a refused query on another connection before the next command.
                    if outcome == Outcome::ConnectionLost && matches!(request.call, Call::QueryDps(_)) && !request.again
                    {
                        self.waiting.push_front(Request { again: true, ..request });
                        continue;
                    }
                    let answer = answer(outcome, message.as_ref(), &request, self.reason, self.plan.receive_limit);
                    // A command with `How::Written` has its answer already.
                    answers.entry(request.ticket).or_insert(answer);
                }
                Output::Event(_) => {}
                Output::Wait { until } => {
                    self.until = until;
                    return moved;
                }
            }
            moved = true;
        }
    }

    /// Passes waiting commands to the machine, and fails expired ones.
    fn send(&mut self, now: Instant, answers: &mut BTreeMap<usize, Answer>) -> bool {
        let mut moved = false;
        while let Some(request) = self.waiting.pop_front() {
            if self.machine.is_up() {
                match self.give(&request, now) {
                    Ok(None) => {
                        answers.insert(request.ticket, Answer::Up(self.machine.version().expect("is spoken")));
                        continue;
                    }
                    Ok(Some(id)) => {
                        if request.how == How::Written
                            && !matches!(request.call, Call::Query | Call::QueryDps(_) | Call::SubQuery(_))
                        {
                            answers.insert(request.ticket, Answer::Done);
                        }
                        self.sent.push((id, request));
                        moved = true;
                        continue;
                    }
                    Err(SendError::NotReady | SendError::TooMany | SendError::NoRoom { .. }) => {}
                    Err(error) => {
                        answers.insert(request.ticket, Answer::Failed(error.into()));
                        continue;
                    }
                }
            }
            self.waiting.push_front(request);
            break;
        }
        let (up, reason) = (self.machine.is_up(), self.machine.diagnosis());
        self.waiting.retain(|request| {
            let late = request.deadline <= now;
            if late {
                let error = if up { CommandError::Busy } else { CommandError::NotConnected { reason } };
                answers.insert(request.ticket, Answer::Failed(error));
            }
            !late
        });
        moved
    }

    /// Sends one command. Returns `Ok(None)` for a call that only waits for the connection.
    fn give(&mut self, request: &Request, now: Instant) -> Result<Option<CommandId>, SendError> {
        let (text, ids): (String, Vec<DpId>);
        let command = match &request.call {
            Call::Connection | Call::Ready | Call::Settled(_) => return Ok(None),
            Call::Set(dp, value) => {
                text = json!({ *dp: value }).to_string();
                Command::set(DpMap::Json(&text))
            }
            Call::SubSet(cid, dp, value) => {
                text = json!({ dp.to_string(): value }).to_string();
                Command::set(DpMap::Json(&text)).with_cid(cid)
            }
            Call::SetDps(dps) => {
                text = dps.to_string();
                Command::set(DpMap::Json(&text))
            }
            Call::Update(dps) => {
                ids = dps.iter().copied().map(DpId).collect();
                Command::update_dps(&ids)
            }
            Call::SubUpdate(cid, dps) => {
                ids = dps.iter().copied().map(DpId).collect();
                Command::update_dps(&ids).with_cid(cid)
            }
            Call::Request(code, data, cid) => {
                text = data.as_ref().map(Value::to_string).unwrap_or_default();
                let data = if text.is_empty() { RequestData::None } else { RequestData::Json(&text) };
                let command = Command::request(*code, data);
                match cid {
                    Some(cid) => command.with_cid(cid),
                    None => command,
                }
            }
            Call::SubDiscover => Command::request(CommandCode::LAN_EXT_STREAM, RequestData::None),
            Call::SubQuery(cid) => Command::status().with_cid(cid),
            Call::QueryDps(dps) => {
                ids = dps.iter().copied().map(DpId).collect();
                Command::status_of(&ids)
            }
            _ => Command::status(),
        };
        let command = match request.how {
            How::Within(limit) => command.with_timeout(Duration::from_millis(limit)),
            _ => command,
        };
        self.machine.send(&command, now, &mut self.rng, &mut self.tx).map(Some)
    }
}

impl Stage for Scene {
    fn plug_in(&mut self, device: FaultyDeviceBuilder) -> FaultyDevice {
        device.start_in(&self.net)
    }

    fn now(&self) -> Duration {
        self.net.now().saturating_since(Instant::ZERO)
    }

    fn until(&mut self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        self.run(limit, |_| device.wait_for(Duration::ZERO, &mut *holds))
    }

    fn wait_briefly(&mut self) {
        self.run(Duration::from_millis(1), |_| false);
    }

    fn spawn(&mut self, node: usize, plan: &Plan) {
        let controller = Node::new(plan, node as u64, self.net.now());
        self.nodes.insert(node, controller);
    }

    fn add(&mut self, _manager: usize, _node: usize, _plan: &Plan) -> Added {
        unreachable!("scenarios with managers are not played")
    }

    fn remove(&mut self, _manager: usize, _node: usize) -> bool {
        unreachable!("scenarios with managers are not played")
    }

    fn delete(&mut self, _manager: usize, _node: usize) -> bool {
        unreachable!("scenarios with managers are not played")
    }

    fn clear(&mut self, _manager: usize) {
        unreachable!("scenarios with managers are not played")
    }

    fn reconfigure(&mut self, node: usize, plan: &Plan) {
        let now = self.net.now();
        let node = self.node(node);
        node.plan = plan.clone();
        node.machine.reconfigure(config(plan), now);
    }

    fn begin(&mut self, node: usize, call: &Call, how: How) -> Ticket {
        self.last += 1;
        let (ticket, now) = (self.last, self.net.now());
        let answers = &mut self.answers;
        let node = self.nodes.get_mut(&node).expect("the device has a controller");
        if matches!(call, Call::Close) {
            answers.insert(ticket, Answer::Done);
            if !core::mem::replace(&mut node.closed, true) {
                node.machine.close();
                for request in core::mem::take(&mut node.waiting) {
                    answers.insert(request.ticket, Answer::Failed(CommandError::Closed));
                }
                self.settle();
                self.nodes
                    .values_mut()
                    .filter(|node| node.closed)
                    .for_each(|node| node.received.push_back(ReceivedEvent::End));
            }
        } else if node.closed {
            answers.insert(ticket, Answer::Failed(CommandError::Closed));
        } else {
            let wait = match (how, call) {
                (How::Within(limit), _) => Duration::from_millis(limit),
                (_, Call::Connection) => Duration::from_secs(10),
                _ => node.plan.command_timeout,
            };
            node.waiting.push_back(Request {
                ticket,
                call: call.clone(),
                how,
                deadline: now + wait,
                again: false,
                pushed: Map::new(),
            });
            if !node.plan.persist {
                node.machine.connect_now(now);
            }
            self.settle();
        }
        Ticket(ticket)
    }

    fn end(&mut self, ticket: Ticket, limit: Duration) -> Option<Answer> {
        self.run(limit, |scene| scene.answers.contains_key(&ticket.0));
        self.answers.remove(&ticket.0)
    }

    fn is_done(&mut self, ticket: Ticket) -> bool {
        self.settle();
        self.answers.contains_key(&ticket.0)
    }

    fn forget(&mut self, _ticket: Ticket) {
        unreachable!("scenarios in which waits are given up are not played")
    }

    fn listen(&mut self, _node: usize, _extra: usize) {
        unreachable!("scenarios with more listeners are not played")
    }

    fn receive(&mut self, node: usize, _source: Source, limit: Duration) -> Option<ReceivedEvent> {
        self.run(limit, |scene| !scene.node(node).received.is_empty());
        self.node(node).received.pop_front()
    }

    fn snapshot(&mut self, node: usize) -> Snapshot {
        self.settle();
        let node = self.node(node);
        let stats = node.machine.stats();
        Snapshot {
            connected: node.machine.is_up(),
            version: node.machine.version(),
            dialect: node.machine.dialect(),
            diagnosis: node.machine.diagnosis(),
            address: node.machine.address(),
            port: node.machine.config().port,
            closed: node.closed,
            counters: Counters {
                connects: stats.connects.into(),
                bad_frames: stats.bad_frames.into(),
                ignored: stats.ignored.into(),
                resyncs: stats.resyncs.into(),
                lagged: 0,
                ..Counters::default()
            },
        }
    }

    fn state(&mut self, _node: usize, _cid: Option<&str>) -> Map<String, Value> {
        unreachable!("scenarios about what is kept are not played")
    }

    fn stale(&mut self, _node: usize, _cid: Option<&str>) -> Option<WhyStale> {
        unreachable!("scenarios about what is kept are not played")
    }

    fn online(&mut self, _node: usize, _cid: &str) -> Option<bool> {
        unreachable!("scenarios about what is kept are not played")
    }

    fn holds(&mut self, _manager: usize) -> usize {
        unreachable!("scenarios with managers are not played")
    }

    fn registered(&mut self) -> usize {
        unreachable!("scenarios with managers are not played")
    }

    fn listed(&mut self, _manager: usize, _node: usize) -> Option<(bool, Option<DownReason>)> {
        unreachable!("scenarios with managers are not played")
    }

    fn announce(&mut self, device: &FaultyDevice, named: Option<IpAddr>) {
        let named = named.and_then(|ip| match ip {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        });
        let mut datagram = device.announcement(named).expect("devices have IPv4 addresses here");
        let (now, source) = (self.net.now(), SocketAddr::new(device.addr().ip(), 49_152));
        let sighting = match self.discovery.handle_datagram(&mut datagram, source, now) {
            Ok(sighting) => sighting,
            Err(DiscoveryError::ForeignAddress) => {
                let id = device.id();
                let received = |node: &&mut Node| node.plan.discovered && node.plan.id.as_str() == id.as_str();
                self.nodes.values_mut().filter(received).for_each(|node| node.machine.handle_relayed());
                return self.settle();
            }
            // Ignores an invalid announcement.
            Err(_) => return,
        };
        let (id, address, version) = (sighting.announcement.id, sighting.address, sighting.announcement.version);
        for node in self.nodes.values_mut().filter(|node| node.plan.discovered && node.plan.id.as_str() == id) {
            node.machine.handle_announcement(address.into(), version, now);
        }
        self.settle();
    }
}

fn config(plan: &Plan) -> DeviceConfig {
    let mut config = DeviceConfig::new(plan.id.clone(), plan.key.clone()).port(plan.port).timing(plan.timing);
    (config.address, config.version, config.dialect) = (plan.address, plan.version, plan.dialect);
    config.min_version = plan.min_version;
    config.persist(plan.persist)
}

/// Converts a message to an event; `None` for an empty one, which concerns only the caller that it acknowledges.
fn received(message: &Message<'_>) -> Option<ReceivedEvent> {
    let report = message.payload.report();
    let cid = report.and_then(|report| report.cid).map(|cid| cid.to_string());
    let dps = report.and_then(|report| report.dps).map(convert::dp_map).unwrap_or_default();
    (!message.payload.is_empty()).then_some(ReceivedEvent::Message { cid, dps })
}

/// Records pushed DPs: a push may be the only answer to a query.
fn note_push(sent: &mut [(CommandId, Request)], message: &Message<'_>) {
    let Some(report) = message.payload.report().filter(|_| message.command == CommandCode::STATUS) else { return };
    for (_, request) in sent {
        let cid = match &request.call {
            Call::SubQuery(cid) => Some(*cid),
            Call::Query | Call::QueryDps(_) => None,
            _ => continue,
        };
        if report.cid.map(|cid| cid.to_string()).as_deref() == cid {
            request.pushed.extend(report.dps.map(convert::dp_map).unwrap_or_default());
        }
    }
}

fn answer(
    outcome: Outcome,
    message: Option<&Message<'_>>,
    request: &Request,
    reason: Option<DownReason>,
    limit: usize,
) -> Answer {
    let report = message.and_then(|message| message.payload.report());
    let mut dps = report.and_then(|report| report.dps).map(convert::dp_map).unwrap_or_default();
    if dps.is_empty() {
        dps.extend(request.pushed.clone());
    }
    let payload = message.and_then(|message| convert::payload(&message.payload));
    match outcome {
        Outcome::Acknowledged { .. } => Answer::Reply { dps, payload },
        // Many devices do not answer this command.
        Outcome::Unanswered if matches!(request.call, Call::Update(_) | Call::SubUpdate(..)) => {
            Answer::Reply { dps, payload }
        }
        Outcome::Rejected { retcode, .. } => {
            let words = message.map(|message| String::from_utf8_lossy(message.payload.as_bytes()).into_owned());
            let text = words.unwrap_or_else(|| "json obj data unvalid".to_owned());
            Answer::Failed(CommandError::Rejected { retcode: retcode.map(|code| code.0), text })
        }
        Outcome::ConnectionLost => {
            Answer::Failed(CommandError::ConnectionLost { reason: reason.unwrap_or(DownReason::Ended) })
        }
        Outcome::TooLong { len } => Answer::Failed(CommandError::AnswerTooLarge { len, limit }),
        _ => Answer::Failed(CommandError::Unanswered),
    }
}
