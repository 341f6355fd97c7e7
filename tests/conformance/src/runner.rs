//! Runs a scenario on a stage.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rustuya_faulty::{FLOOD_DP, FaultyDevice, POISON_DP, State};
use rustuya_proto::{Dialect, DownReason, LocalKey, Timing, Version};
use serde_json::Value;

use crate::expect::{control, holds, is_answer, is_expected, kind, nulls};
use crate::scenario::{
    Added, ConfiguredVersion, Edit, ExpectedEvent, Fact, Holder, KEY, Known, Scenario, Setup, Source, Step, Want,
};
use crate::subject::{Plan, ReceivedEvent, Snapshot, Stage, Ticket};

/// Time limit of every wait, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(15);

/// Runs `scenario` with devices of `version`.
///
/// # Errors
/// The failed expectation, with its step.
pub fn play(scenario: &Scenario, version: Version, stage: &mut dyn Stage) -> Result<(), String> {
    let mut devices: Vec<FaultyDevice> = Vec::new();
    for (node, setup) in scenario.devices.iter().enumerate() {
        let port = devices.first().map(|first| first.addr().port());
        devices.push(plug_in(node, setup, version, port, stage));
    }
    let known = scenario.devices.iter().map(|setup| setup.known.clone()).collect();
    let at = (0..devices.len()).collect();
    let mark = stage.now();
    let log = VecDeque::new();
    let ordinary =
        |setup: &Setup| setup.dialect == Dialect::Default && setup.version.unwrap_or(version) != Version::V32;
    let ordinary = scenario.devices.iter().map(ordinary).collect();
    let mut run = Run { ordinary, stage, devices, known, at, tickets: BTreeMap::new(), mark, log };
    for (node, setup) in scenario.devices.iter().enumerate() {
        match setup.held {
            Holder::Alone => {
                let plan = run.plan(node);
                run.stage.spawn(node, &plan);
            }
            Holder::Manager => run.add(0, node)?,
            Holder::Nobody => {}
        }
    }
    for (number, step) in scenario.steps.iter().enumerate() {
        run.step(0, step).map_err(|why| format!("step {}, {}: {why}", number + 1, short(step)))?;
    }
    run.finish()
}

fn plug_in(node: usize, setup: &Setup, version: Version, port: Option<u16>, stage: &mut dyn Stage) -> FaultyDevice {
    let id = format!("bf0123456789abcd{:04}", if setup.twin { 0 } else { node });
    let version = setup.version.unwrap_or(version);
    let mut device = FaultyDevice::builder(&id, KEY, version).dialect(setup.dialect).dps(setup.dps.clone());
    device = setup.subs.iter().fold(device, |device, (cid, dps)| device.sub(cid, dps.clone()));
    for quirk in &setup.quirks {
        device = device.quirk(quirk).unwrap_or_else(|error| panic!("{quirk}: {error}"));
    }
    if let (Some(last), Some(port)) = (setup.elsewhere, port) {
        device = device.bind(address(last)).port(port);
    }
    let device = stage.plug_in(device.seed(node as u64 + 1));
    if let Some(fault) = &setup.fault {
        device.set_fault(fault.clone());
    }
    if setup.off {
        device.power_off(rustuya_faulty::PowerLoss::Reset);
    }
    device
}

struct Run<'a> {
    /// True if each device treats nulls as values.
    ordinary: Vec<bool>,
    stage: &'a mut dyn Stage,
    devices: Vec<FaultyDevice>,
    known: Vec<Known>,
    /// Number of the device whose address is configured, for each.
    at: Vec<usize>,
    tickets: BTreeMap<usize, Ticket>,
    mark: Duration,
    /// Last received events.
    log: VecDeque<ReceivedEvent>,
}

impl Run<'_> {
    fn plan(&self, node: usize) -> Plan {
        let (known, device) = (&self.known[node], &self.devices[self.at[node]]);
        let ms = Duration::from_millis;
        let mut timing = Timing::DEFAULT;
        timing.connect = ms(known.answer);
        timing.negotiate = ms(known.answer);
        timing.answer = ms(known.answer);
        timing.heartbeat = ms(known.heartbeat);
        (timing.backoff_min, timing.backoff_max) = (ms(known.backoff.0), ms(known.backoff.1));
        Plan {
            id: device.id(),
            key: known.key.map_or_else(|| device.key(), |key| LocalKey::from_text(key).expect("16 characters")),
            address: known.address.then(|| device.addr().ip()),
            port: device.addr().port(),
            version: match known.speaks {
                ConfiguredVersion::Right => Some(device.version()),
                ConfiguredVersion::Auto => None,
                ConfiguredVersion::Only(version) => Some(version),
            },
            dialect: known.dialect,
            persist: known.persist,
            nowait: known.nowait,
            command_timeout: ms(known.command_timeout),
            timing,
            pacing: known.pacing,
            discovered: known.discovered,
            receive_limit: known.receive_limit,
            memory_limit: known.memory_limit,
            min_version: known.min_version.unwrap_or(device.version().min(Version::V33)),
            query_on_connect: known.query_on_connect,
        }
    }

    fn add(&mut self, manager: usize, node: usize) -> Result<(), String> {
        let plan = self.plan(node);
        same("added", &self.stage.add(manager, node, &plan), &Added::Ok)
    }

    fn edit(&mut self, node: usize, edits: &[Edit]) {
        for edit in edits {
            let known = &mut self.known[node];
            match *edit {
                Edit::At(other) => self.at[node] = other,
                Edit::Version(speaks) => known.speaks = speaks,
                Edit::Key(key) => known.key = key,
                Edit::CommandTimeout(limit) => known.command_timeout = limit,
            }
        }
    }

    fn step(&mut self, node: usize, step: &Step) -> Result<(), String> {
        match step {
            Step::At(other, step) => self.step(*other, step),
            Step::Times(times, steps) => {
                (0..*times).try_for_each(|_| steps.iter().try_for_each(|step| self.step(node, step)))
            }
            Step::Ask(call, how, want) => {
                let ticket = self.stage.begin(node, call, *how);
                self.end(node, ticket, want)
            }
            Step::Begin(name, call, how) => {
                let ticket = self.stage.begin(node, call, *how);
                assert!(self.tickets.insert(*name, ticket).is_none(), "two commands are named {name}");
                Ok(())
            }
            Step::End(name, want) => {
                let ticket = self.ticket(*name);
                self.end(node, ticket, want)
            }
            Step::Drop(name) => {
                let ticket = self.ticket(*name);
                self.stage.forget(ticket);
                Ok(())
            }
            Step::Receive(source, expected) => self.receive(node, *source, expected),
            Step::Next(source, expected) => {
                let received = match expected {
                    ExpectedEvent::Fresh | ExpectedEvent::Stale(_) => self.next_of_all(node, *source, LIMIT)?,
                    _ => self.next(node, *source, LIMIT)?,
                };
                let right = received.as_ref().is_some_and(|received| self.is_expected(node, received, expected));
                if right { Ok(()) } else { Err(format!("heard {received:?}")) }
            }
            Step::NotReceived(source, expected) => {
                while let Some(received) = self.next_of_all(node, *source, Duration::ZERO)? {
                    if self.is_expected(node, &received, expected) {
                        return Err(format!("heard {received:?}"));
                    }
                    if received == ReceivedEvent::End {
                        break;
                    }
                }
                Ok(())
            }
            Step::ReceiveFlood(source, last) => self.receive_numbers(node, *source, Some(1), *last),
            Step::ReceiveDp(source, dp) => self.receive_any(
                node,
                *source,
                |received| matches!(received, ReceivedEvent::Message { dps, .. } if dps.contains_key(*dp)),
            ),
            Step::ReceiveLag(source) => {
                self.receive_any(node, *source, |received| matches!(received, ReceivedEvent::Lagged(_)))
            }
            Step::ReceiveNumber(source, last) => self.receive_numbers(node, *source, None, *last),
            Step::SpawnAt(other) => {
                self.at[node] = *other;
                let plan = self.plan(node);
                self.stage.spawn(node, &plan);
                Ok(())
            }
            Step::Linger(span) => {
                let end = self.stage.now() + Duration::from_millis(*span);
                while self.stage.now() < end {
                    self.stage.wait_briefly();
                }
                Ok(())
            }
            Step::Listen(extra) => {
                self.stage.listen(node, *extra);
                Ok(())
            }
            Step::Is(fact) => self.fact(node, fact),
            Step::Becomes(fact) => self.becomes(node, fact),
            Step::Reconfigure(edits) => {
                self.edit(node, edits);
                let plan = self.plan(node);
                self.stage.reconfigure(node, &plan);
                Ok(())
            }
            Step::Add(manager, edits, want) => {
                self.edit(node, edits);
                let plan = self.plan(node);
                same("added", &self.stage.add(*manager, node, &plan), want)
            }
            Step::Remove(manager) => same("it was there", &self.stage.remove(*manager, node), &true),
            Step::Delete(manager) => same("it was there", &self.stage.delete(*manager, node), &true),
            Step::Clear(manager) => {
                self.stage.clear(*manager);
                Ok(())
            }
            Step::Mark => {
                self.mark = self.stage.now();
                Ok(())
            }
            Step::Before(limit) => self.took(|took| took < Duration::from_millis(*limit)),
            Step::After(limit) => self.took(|took| took >= Duration::from_millis(*limit)),
            world => self.world(node, world),
        }
    }

    fn took(&self, right: impl FnOnce(Duration) -> bool) -> Result<(), String> {
        let took = self.stage.now() - self.mark;
        if right(took) { Ok(()) } else { Err(format!("it took {took:?}")) }
    }

    fn ticket(&mut self, name: usize) -> Ticket {
        self.tickets.remove(&name).unwrap_or_else(|| panic!("no command is named {name}"))
    }

    fn end(&mut self, node: usize, ticket: Ticket, want: &Want) -> Result<(), String> {
        let Some(answer) = self.stage.end(ticket, LIMIT) else {
            return Err(format!("never resolved; {:?}", self.stage.snapshot(node)));
        };
        if is_answer(&self.devices, self.at[node], &answer, want) { Ok(()) } else { Err(format!("came to {answer:?}")) }
    }

    /// Returns the next event, without those about freshness, which most scenarios ignore.
    fn next(&mut self, node: usize, source: Source, limit: Duration) -> Result<Option<ReceivedEvent>, String> {
        let end = self.stage.now() + limit;
        loop {
            match self.next_of_all(node, source, end.saturating_sub(self.stage.now()))? {
                Some(ReceivedEvent::Fresh | ReceivedEvent::Stale(_)) => {}
                other => return Ok(other),
            }
        }
    }

    fn next_of_all(&mut self, node: usize, source: Source, limit: Duration) -> Result<Option<ReceivedEvent>, String> {
        let Some(received) = self.stage.receive(node, source, limit) else { return Ok(None) };
        const KEPT: usize = 6;
        self.log.push_back(received.clone());
        if self.log.len() > KEPT {
            self.log.pop_front();
        }
        match &received {
            ReceivedEvent::Message { dps, .. } if dps.contains_key(POISON_DP) => {
                Err(format!("a frame whose check failed was delivered: {received:?}"))
            }
            _ => Ok(Some(received)),
        }
    }

    fn receive(&mut self, node: usize, source: Source, expected: &ExpectedEvent) -> Result<(), String> {
        let version = self.devices[self.at[node]].version();
        self.receive_any(node, source, |received| is_expected(version, received, expected))
    }

    fn receive_any(
        &mut self,
        node: usize,
        source: Source,
        right: impl Fn(&ReceivedEvent) -> bool,
    ) -> Result<(), String> {
        let end = self.stage.now() + LIMIT;
        loop {
            let left = end.saturating_sub(self.stage.now());
            match self.next_of_all(node, source, left)? {
                Some(received) if right(&received) => return Ok(()),
                Some(ReceivedEvent::End) | None => return Err(format!("never heard; lately {:?}", self.log)),
                Some(_) => {}
            }
        }
    }

    /// Receives the numbers of a flood in order, from `first` (or the first one received) to `last`.
    fn receive_numbers(&mut self, node: usize, source: Source, first: Option<u64>, last: u64) -> Result<(), String> {
        let mut expected = first;
        while expected.is_none_or(|expected| expected <= last) {
            match self.next(node, source, LIMIT)? {
                Some(ReceivedEvent::Message { dps, .. }) => match dps.get(FLOOD_DP).and_then(Value::as_u64) {
                    Some(number) if expected.is_none_or(|expected| expected == number) => expected = Some(number + 1),
                    Some(number) => return Err(format!("{number} instead of {expected:?}")),
                    None => {}
                },
                Some(ReceivedEvent::Lagged(lost)) => return Err(format!("{lost} lost before {expected:?}")),
                Some(ReceivedEvent::End) | None => return Err(format!("nothing before {expected:?}")),
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn is_expected(&self, node: usize, received: &ReceivedEvent, expected: &ExpectedEvent) -> bool {
        is_expected(self.devices[self.at[node]].version(), received, expected)
    }

    fn becomes(&mut self, node: usize, fact: &Fact) -> Result<(), String> {
        let end = self.stage.now() + LIMIT;
        loop {
            let result = self.fact(node, fact);
            if result.is_ok() || self.stage.now() >= end {
                return result;
            }
            self.stage.wait_briefly();
        }
    }

    fn fact(&mut self, node: usize, fact: &Fact) -> Result<(), String> {
        let look = match fact {
            Fact::State(cid, wanted) => {
                let state = self.stage.state(node, *cid);
                if state.contains_key(POISON_DP) {
                    return Err("a frame whose check failed became state".to_owned());
                }
                return same("state", &Value::Object(state), wanted);
            }
            Fact::Stale(cid, wanted) => return same("stale", &self.stage.stale(node, *cid), wanted),
            Fact::Online(cid, wanted) => return same("online", &self.stage.online(node, cid), wanted),
            Fact::Holds(manager, wanted) => return same("devices", &self.stage.holds(*manager), wanted),
            Fact::Registered(wanted) => return same("devices", &self.stage.registered(), wanted),
            Fact::DeviceEntry(manager, connected, down) => {
                return same("listed", &self.stage.listed(*manager, node), &Some((*connected, *down)));
            }
            _ => self.stage.snapshot(node),
        };
        let Snapshot { connected, version, dialect, diagnosis, address, port, closed, counters } = look;
        match fact {
            Fact::Connected(wanted) => same("connected", &connected, wanted),
            Fact::Working => same("working", &(connected, diagnosis), &(true, None)),
            Fact::Version(wanted) => same("version", &version, wanted),
            Fact::RightVersion => same("version", &version, &Some(self.devices[self.at[node]].version())),
            Fact::Dialect(wanted) => same("dialect", &dialect, wanted),
            Fact::Diagnosis(wanted) => same("diagnosis", &diagnosis, wanted),
            Fact::DiagnosedVersion => {
                let speaks = Some(self.devices[self.at[node]].version());
                same("diagnosis", &diagnosis, &Some(DownReason::WrongVersion { speaks }))
            }
            Fact::At(other) => {
                let at = self.devices[*other].addr();
                same("address", &(address, port), &(Some(at.ip()), at.port()))
            }
            Fact::AtLeast(counter, least) if counters.get(*counter) >= *least => Ok(()),
            Fact::AtLeast(counter, wanted) | Fact::Exactly(counter, wanted) => {
                same("counter", &counters.get(*counter), wanted)
            }
            _ => same("closed", &closed, &true),
        }
    }

    /// Runs a step of the device.
    fn world(&mut self, node: usize, step: &Step) -> Result<(), String> {
        let device = &self.devices[node];
        match step {
            Step::Announce => self.stage.announce(device, None),
            Step::AnnounceAs(last) => self.stage.announce(device, Some(address(*last))),
            Step::AnnounceTill(name) => {
                let ticket = self.tickets[name];
                let end = self.stage.now() + LIMIT;
                while !self.stage.is_done(ticket) {
                    if self.stage.now() > end {
                        return Err("the command is never done".to_owned());
                    }
                    self.stage.announce(&self.devices[node], None);
                    self.stage.wait_briefly();
                }
            }
            Step::Fault(fault) => device.set_fault(fault.clone()),
            Step::Mend => device.clear_fault(),
            Step::PowerOff(loss) => device.power_off(*loss),
            Step::PowerOn => device.power_on().map_err(|error| error.to_string())?,
            Step::MoveTo(last) => device.move_to(address(*last)).map_err(|error| error.to_string())?,
            Step::CutAll => device.cut_all(),
            Step::CloseAll => device.close_all(),
            Step::SetVersion(version) => device.set_version(*version),
            Step::SetKey(key) => device.set_key(key),
            Step::Push(cid, dps) => device.push(*cid, dps.clone()),
            Step::Flood(count) => {
                self.stage.attend(node);
                device.flood(*count);
            }
            Step::Report => device.report_children(),
            Step::Arrived(code, count) => {
                return self
                    .soon(node, |state| state.requests().filter(|found| kind(found) == *code).count() >= *count);
            }
            Step::ArrivedOnly(code, count) => {
                let found = device.requests().iter().filter(|found| kind(found) == *code).count();
                return same("requests", &found, count);
            }
            Step::Controls(wanted) => {
                let controls = |state: &State| state.requests().filter_map(control).collect::<Vec<_>>();
                self.soon(node, |state| controls(state).len() >= wanted.len())?;
                let found: Vec<Value> = self.devices[node].requests().iter().filter_map(control).collect();
                return same("controls", &found, wanted);
            }
            Step::ControlsInAnyOrder(wanted) => {
                let count = |state: &State| state.requests().filter_map(control).count();
                self.soon(node, |state| count(state) >= wanted.len())?;
                let mut found: Vec<Value> = self.devices[node].requests().iter().filter_map(control).collect();
                let mut wanted = wanted.clone();
                // Joined writes list their DPs in the order of joining.
                let in_order = |control: &Value| {
                    let dps = control.as_object().into_iter().flatten();
                    dps.map(|(dp, value)| (dp.clone(), value.to_string())).collect::<BTreeMap<_, _>>()
                };
                found.sort_by_key(in_order);
                wanted.sort_by_key(in_order);
                return same("controls", &found, &wanted);
            }
            Step::Nulls(wanted) => {
                let found: Vec<Vec<u16>> = device.requests().iter().filter_map(nulls).collect();
                return same("nulls", &found, wanted);
            }
            Step::Has(cid, wanted) => return self.soon(node, |state| holds(&state.dps(*cid), wanted)),
            Step::Open(count) => return self.soon(node, |state| state.open() == *count),
            Step::Ready(count) => return self.soon(node, |state| state.ready() == *count),
            Step::Accepted(count) => return self.soon(node, |state| state.accepted() >= *count),
            Step::AcceptedOnly(count) => return same("connections", &device.connections(), count),
            _ => return Err("not a step at the device".to_owned()),
        }
        Ok(())
    }

    fn soon(&mut self, node: usize, mut right: impl FnMut(&State) -> bool) -> Result<(), String> {
        let device = &self.devices[node];
        if self.stage.until(device, LIMIT, &mut right) {
            return Ok(());
        }
        let requests = device.requests();
        let last = &requests[requests.len().saturating_sub(5)..];
        Err(format!("never; {} connections, {} requests, the last {last:?}", device.connections(), requests.len()))
    }

    /// Checks what must hold at the end of every scenario.
    fn finish(&mut self) -> Result<(), String> {
        if !self.tickets.is_empty() {
            return Err(format!("nobody asked what became of commands {:?}", self.tickets.keys()));
        }
        for (device, ordinary) in self.devices.iter().zip(&self.ordinary) {
            if *ordinary && let Some(request) = device.requests().iter().find(|request| nulls(request).is_some()) {
                return Err(format!("a query was a write: {request:?}"));
            }
            let mut seen = BTreeSet::new();
            for request in device.requests().iter().filter(|request| control(request).is_some()) {
                if !seen.insert((request.connection, request.seqno)) {
                    return Err(format!("a control arrived twice: {request:?}"));
                }
            }
        }
        Ok(())
    }
}

fn address(last: u8) -> core::net::IpAddr {
    core::net::Ipv4Addr::new(127, 0, 0, last).into()
}

fn same<T: PartialEq + core::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?}, not {wanted:?}")) }
}

fn short(step: &Step) -> String {
    let mut text = format!("{step:?}");
    if let Some((at, _)) = text.char_indices().nth(160) {
        text.truncate(at);
        text.push('…');
    }
    text
}
