//! Runs scenarios with an agent for each run.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustuya_conformance::{
    Added, Answer, Call, How, Need, Plan, RealTime, ReceivedEvent, Snapshot, Source, Stage, Subject, Ticket, WhyStale,
    announce,
};
use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder, State};
use rustuya_proto::{Dialect, DownReason};
use serde_json::{Map, Value, json};

use crate::agent::{Agent, address_of_its_own};
use crate::values;

/// Tested classes of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// `rustuya`.
    Threads,
    /// `rustuya.aio`.
    Asyncio,
}

/// Ports where agents receive announcements, each at an address of its own.
const PORTS: [u16; 3] = [6666, 6667, 7000];

/// Subject for the synchronous or the asyncio classes of the package, in one interpreter.
#[derive(Debug)]
pub(crate) struct Python {
    interpreter: PathBuf,
    face: Face,
    /// Idle agents. A process has one registry, so each serves one run at a time.
    idle: Mutex<Vec<Agent>>,
}

impl Python {
    pub(crate) fn new(interpreter: &Path, face: Face) -> Self {
        Self { interpreter: interpreter.to_owned(), face, idle: Mutex::default() }
    }

    fn start(&self, announcements_at: Option<Ipv4Addr>) -> Agent {
        let face = match self.face {
            Face::Threads => "threads",
            Face::Asyncio => "asyncio",
        };
        Agent::start(&self.interpreter, face, announcements_at)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Agent>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject for Python {
    fn name(&self) -> &'static str {
        match self.face {
            Face::Threads => "rustuya",
            Face::Asyncio => "rustuya.aio",
        }
    }

    fn lacks(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Rivals => Some("a process has one connection to a device"),
            Need::Abandon if self.face == Face::Threads => {
                Some("a call that waits returns with the answer, at its time limit, or when a signal interrupts it")
            }
            _ => None,
        }
    }

    fn gives_at_once(&self) -> bool {
        false
    }

    fn stage(&self) -> Box<dyn Stage + '_> {
        Box::new(Scene {
            python: self,
            agent: None,
            announcements_at: address_of_its_own(),
            discovers: false,
            ids: Vec::new(),
            network: RealTime::start(),
            last: 0,
            queued: BTreeMap::new(),
        })
    }
}

struct Scene<'a> {
    python: &'a Python,
    agent: Option<Agent>,
    announcements_at: Ipv4Addr,
    /// True if the agent receives announcements. It keeps them, so it is not reused.
    discovers: bool,
    ids: Vec<String>,
    network: RealTime,
    last: usize,
    /// Events received with an earlier answer, by listener.
    queued: BTreeMap<String, VecDeque<ReceivedEvent>>,
}

impl Scene<'_> {
    fn order(&mut self, order: &Value) -> Value {
        self.order_within(order, Duration::ZERO)
    }

    fn order_within(&mut self, order: &Value, limit: Duration) -> Value {
        let python = self.python;
        let agent = self.agent.get_or_insert_with(|| {
            let idle = python.idle().pop();
            idle.unwrap_or_else(|| python.start(None))
        });
        agent.order(order, limit)
    }

    /// Replaces the agent by one that receives announcements if a device needs that.
    fn prepare(&mut self, plan: &Plan) {
        if plan.discovered && !self.discovers {
            assert!(self.agent.is_none(), "an agent that is in use cannot begin to listen for announcements");
            self.agent = Some(self.python.start(Some(self.announcements_at)));
            self.discovers = true;
        }
    }

    fn id(&self, node: Option<usize>) -> String {
        node.map_or("nobody".to_owned(), |node| self.ids[node].clone())
    }

    /// Makes the order of a command.
    fn command(&self, node: usize, call: &Call, how: How) -> Value {
        let mut order = match call {
            Call::Connection => json!({ "verb": "wait_connected" }),
            Call::Ready => json!({ "verb": "wait_ready" }),
            Call::Settled(manager) => json!({ "verb": "wait_settled", "manager": manager }),
            Call::Query if how == How::Written => json!({ "verb": "query" }),
            Call::QueryDps(ids) => json!({ "verb": "query", "dps": ids }),
            Call::SubQuery(cid) if how == How::Written => json!({ "verb": "query", "to": cid }),
            Call::Status | Call::Query => json!({ "verb": "status" }),
            Call::Set(dp, value) => json!({ "verb": "set_value", "dp": dp, "value": value }),
            Call::SetDps(dps) => json!({ "verb": "set_dps", "value": dps }),
            Call::Update(ids) => json!({ "verb": "update_dps", "value": ids }),
            Call::Request(code, data, cid) => {
                json!({ "verb": "request", "code": code.0, "value": data, "cid": cid })
            }
            Call::SubDiscover => json!({ "verb": "sub_discover" }),
            Call::Detect => json!({ "verb": "detect_dps" }),
            Call::SubQuery(cid) => json!({ "verb": "status", "to": cid }),
            Call::SubSet(cid, dp, value) => json!({ "verb": "set_value", "to": cid, "dp": dp, "value": value }),
            Call::SubUpdate(cid, ids) => json!({ "verb": "update_dps", "to": cid, "value": ids }),
            Call::Close => json!({ "verb": "close" }),
            Call::Shutdown(manager) => json!({ "verb": "shutdown", "manager": manager }),
            Call::ShutdownAll => json!({ "verb": "shutdown_all" }),
            Call::Scan(limit) => json!({ "verb": "scan", "limit": seconds(*limit) }),
            Call::Find(wanted, limit) => {
                json!({ "verb": "discover", "id": self.id(*wanted), "limit": seconds(*limit) })
            }
        };
        let (name, limit) = match how {
            How::Written => ("written", None),
            How::Acked => ("acked", None),
            How::Confirmed => ("confirmed", None),
            How::Within(limit) => ("within", Some(limit)),
            How::Queued => ("queued", None),
        };
        order["how"] = name.into();
        if let Some(limit) = limit {
            order["limit"] = seconds(limit).into();
        }
        order["node"] = node.into();
        if matches!(call, Call::Scan(_) | Call::Find(..)) {
            order["address"] = self.announcements_at.to_string().into();
            order["ports"] = json!(PORTS);
        }
        order
    }
}

impl Drop for Scene<'_> {
    fn drop(&mut self) {
        let Some(mut agent) = self.agent.take() else { return };
        let whole = !self.discovers && !agent.broken && !thread::panicking();
        if whole && agent.reset() {
            self.python.idle().push(agent);
        }
    }
}

impl Stage for Scene<'_> {
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
        self.prepare(plan);
        self.queued.remove(&format!("own {node}"));
        self.order(&json!({ "do": "spawn", "node": node, "plan": settings(plan) }));
    }

    fn add(&mut self, manager: usize, node: usize, plan: &Plan) -> Added {
        self.prepare(plan);
        let answer = self.order(&json!({ "do": "add", "manager": manager, "node": node, "plan": settings(plan) }));
        if answer["known"] == false {
            self.queued.remove(&format!("own {node}"));
        }
        match answer["added"].as_str() {
            Some("ok") => Added::Ok,
            Some("duplicate") => Added::Duplicate,
            Some("closed") => Added::Closed,
            other => panic!("{other:?} is no way to be added"),
        }
    }

    fn remove(&mut self, manager: usize, node: usize) -> bool {
        self.order(&json!({ "do": "remove", "manager": manager, "node": node }))["was"] == true
    }

    fn delete(&mut self, manager: usize, node: usize) -> bool {
        self.order(&json!({ "do": "delete", "manager": manager, "node": node }))["was"] == true
    }

    fn clear(&mut self, manager: usize) {
        self.order(&json!({ "do": "clear", "manager": manager }));
    }

    fn reconfigure(&mut self, node: usize, plan: &Plan) {
        self.order(&json!({ "do": "reconfigure", "node": node, "plan": settings(plan) }));
    }

    fn begin(&mut self, node: usize, call: &Call, how: How) -> Ticket {
        self.last += 1;
        let mut order = self.command(node, call, how);
        order["do"] = "begin".into();
        order["ticket"] = self.last.into();
        self.order(&order);
        Ticket(self.last)
    }

    fn end(&mut self, ticket: Ticket, limit: Duration) -> Option<Answer> {
        let order = json!({ "do": "end", "ticket": ticket.0, "limit": limit.as_secs_f64() });
        let answer = &self.order_within(&order, limit)["answer"];
        (!answer.is_null()).then(|| values::answer(answer))
    }

    fn is_done(&mut self, ticket: Ticket) -> bool {
        self.order(&json!({ "do": "is_done", "ticket": ticket.0 }))["done"] == true
    }

    fn forget(&mut self, ticket: Ticket) {
        self.order(&json!({ "do": "forget", "ticket": ticket.0 }));
    }

    fn listen(&mut self, node: usize, extra: usize) {
        self.order(&json!({ "do": "listen", "node": node, "extra": extra }));
    }

    fn attend(&mut self, node: usize) {
        self.order(&json!({ "do": "attend", "node": node }));
    }

    fn receive(&mut self, node: usize, source: Source, limit: Duration) -> Option<ReceivedEvent> {
        let (source, about) = match source {
            Source::Own => (format!("own {node}"), None),
            Source::Extra(extra) => (format!("extra {extra}"), None),
            Source::Manager(manager) => (format!("manager {manager}"), Some(&self.ids[node])),
        };
        if self.queued.get(&source).is_none_or(VecDeque::is_empty) {
            let order = json!({ "do": "receive", "source": source, "about": about, "limit": limit.as_secs_f64() });
            let answer = self.order_within(&order, limit);
            self.queued.insert(
                source.clone(),
                answer["events"].as_array().expect("a list").iter().map(values::event).collect(),
            );
        }
        self.queued.get_mut(&source)?.pop_front()
    }

    fn snapshot(&mut self, node: usize) -> Snapshot {
        values::snapshot(&self.order(&json!({ "do": "snapshot", "node": node })))
    }

    fn state(&mut self, node: usize, cid: Option<&str>) -> Map<String, Value> {
        values::map(&self.order(&json!({ "do": "state", "node": node, "cid": cid }))["state"])
    }

    fn stale(&mut self, node: usize, cid: Option<&str>) -> Option<WhyStale> {
        let answer = &self.order(&json!({ "do": "state", "node": node, "cid": cid }))["stale"];
        (!answer.is_null()).then(|| values::stale(answer))
    }

    fn online(&mut self, node: usize, cid: &str) -> Option<bool> {
        self.order(&json!({ "do": "online", "node": node, "cid": cid }))["online"].as_bool()
    }

    fn holds(&mut self, manager: usize) -> usize {
        values::count(&self.order(&json!({ "do": "holds", "manager": manager }))["count"])
    }

    fn registered(&mut self) -> usize {
        values::count(&self.order(&json!({ "do": "registered" }))["count"])
    }

    fn listed(&mut self, manager: usize, node: usize) -> Option<(bool, Option<DownReason>)> {
        values::listed(&self.order(&json!({ "do": "listed", "manager": manager, "node": node }))["listed"])
    }

    fn announce(&mut self, device: &FaultyDevice, named: Option<IpAddr>) {
        announce(device, SocketAddr::from((self.announcements_at, PORTS[1])), named);
    }
}

fn seconds(ms: u64) -> f64 {
    Duration::from_millis(ms).as_secs_f64()
}

/// Makes the arguments of a device.
fn settings(plan: &Plan) -> Value {
    let (timing, pacing) = (&plan.timing, &plan.pacing);
    json!({
        "id": plan.id.as_str(),
        "key": core::str::from_utf8(plan.key.expose()).expect("text"),
        "address": plan.address.map_or("Auto".to_owned(), |address| address.to_string()),
        "port": plan.port,
        "version": plan.version.map_or("Auto", |version| version.as_str()),
        "dev_type": match plan.dialect {
            None => "Auto",
            Some(Dialect::Default) => "default",
            Some(Dialect::Device22) => "device22",
        },
        "receive_limit": plan.receive_limit,
        "memory_limit": plan.memory_limit,
        "min_version": plan.min_version.as_str(),
        "query_on_connect": plan.query_on_connect,
        "persist": plan.persist,
        "nowait": plan.nowait,
        "timeout": plan.command_timeout.as_secs_f64(),
        "timing": {
            "connect": timing.connect.as_secs_f64(),
            "negotiate": timing.negotiate.as_secs_f64(),
            "answer": timing.answer.as_secs_f64(),
            "heartbeat": timing.heartbeat.as_secs_f64(),
            "backoff_min": timing.backoff_min.as_secs_f64(),
            "backoff_max": timing.backoff_max.as_secs_f64(),
        },
        "pacing": {
            "merge": pacing.merge.as_secs_f64(),
            "gap": pacing.gap.as_secs_f64(),
            "max_dps": pacing.max_dps,
            "max_bytes": pacing.max_bytes,
            "sleeps": pacing.sleeps.map(|limit| limit.as_secs_f64()),
        },
    })
}
