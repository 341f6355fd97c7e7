//! One device, its controller, and everything that happens to them.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rustuya_proto::{CommandCode, Dialect, LocalKey, Timing, Version};
use rustuya_runtime::{CommandError, Pacing};
use serde_json::{Map, Value, json};

use super::model::{Fate, Model, Place};
use super::{Options, Tally};
use crate::conformance::{Answer, Call, Counters, Ear, Heard, How, KEY, Need, OTHER_KEY, Plan, Stage, Subject, Ticket};
use crate::faulty::{Fault, FaultyDevice, PowerLoss};
use crate::rng::SeededRng;

/// Versions of the dialect that the model follows.
const VERSIONS: [Version; 4] = [Version::V31, Version::V33, Version::V34, Version::V35];
/// DPs that are written; the last of them only together with others.
const DPS: [(&str, u16); 5] = [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5)];
const CHILD: &str = "a4c1380123456789";
/// The DP that changes by hand.
const BY_HAND: &str = "101";
/// Commands that are open at a time, below the limit at which a device is busy.
const MOST_OPEN: usize = 200;

pub(super) struct Episode<'a> {
    stage: &'a mut dyn Stage,
    rng: SeededRng,
    device: FaultyDevice,
    plan: Plan,
    model: Model,
    open: Vec<Open>,
    /// Commands have been given when `begin` returns.
    at_once: bool,
    can_abandon: bool,
    real_time: bool,
    gateway: bool,
    tally: Tally,
    ears: Ears,
    books: Books,
    by_hand: i64,
    /// The fault at hand has writes split.
    splits: bool,
    /// An acknowledgement is not held against what the device has obeyed: see [`Options::strict`].
    doubtful: bool,
    /// What happened last.
    notes: VecDeque<String>,
}

/// A command of which nothing is known yet.
struct Open {
    ticket: Ticket,
    writes: Vec<(Place, i64)>,
    how: How,
    counts: bool,
    given: Duration,
}

/// What listeners of the current handle have heard.
#[derive(Default)]
struct Ears {
    up: bool,
    ended: bool,
    heard: u64,
    last_by_hand: i64,
    failed: u64,
}

/// Commands of the current handle, and what they came to. Commands that are joined or split do not count one by one.
#[derive(Default)]
struct Books {
    given: u64,
    refused: u64,
    /// Commands that may end without being counted.
    uncertain: u64,
    /// Some were joined or split.
    inexact: bool,
}

impl<'a> Episode<'a> {
    pub(super) fn new(stage: &'a mut dyn Stage, subject: &dyn Subject, seed: u64, options: &Options) -> Self {
        let real_time = options.real_time;
        let mut rng = SeededRng::new(seed);
        let version = pick(&mut rng, &VERSIONS);
        let dialect = Dialect::Default;
        let gateway = dialect == Dialect::Default && rng.below(3) == 0;
        let dps: Map<String, Value> = DPS.iter().map(|(dp, _)| ((*dp).to_owned(), json!(0))).collect();
        let mut dps = Value::Object(dps);
        dps[BY_HAND] = json!(0);
        let mut device = FaultyDevice::builder("bf0123456789abcd0000", KEY, version).dialect(dialect).dps(dps);
        if gateway {
            device = device.sub(CHILD, json!({ "1": 0, "2": 0 }));
        }
        // A connection is served to its end before there is another: devices that serve two at a time may obey what
        // came on the older one last.
        let device = stage.plug_in(device.seed(seed | 1).max_clients(1));
        let plan = Plan {
            id: device.id(),
            key: device.key(),
            address: Some(device.addr().ip()),
            port: device.addr().port(),
            version: Some(version),
            dialect: (dialect == Dialect::Device22).then_some(dialect),
            persist: true,
            nowait: false,
            command_timeout: Duration::ZERO,
            timing: Timing::DEFAULT,
            pacing: Pacing::NONE,
            discovered: false,
            receive_limit: 65_536,
            memory_limit: 262_144,
            min_version: Version::V33,
        };
        let (at_once, can_abandon) = (subject.gives_at_once(), subject.lacks(Need::Abandon).is_none());
        let (model, open, tally) = (Model::default(), Vec::new(), Tally::default());
        let (ears, books) = (Ears::default(), Books::default());
        let mut episode = Self {
            stage,
            rng,
            device,
            plan,
            model,
            open,
            at_once,
            can_abandon,
            real_time,
            gateway,
            tally,
            ears,
            books,
            by_hand: 0,
            splits: false,
            doubtful: !options.strict,
            notes: VecDeque::new(),
        };
        episode.vary_plan();
        episode
    }

    /// Lives through so many steps and to the end.
    pub(super) fn live(mut self, steps: usize) -> Result<Tally, String> {
        self.live_all(steps).map_err(|why| {
            self.note_plan("treated");
            let notes = self.notes.iter().map(String::as_str).collect::<Vec<_>>();
            format!("\n  {}\n{why}", notes.join("\n  "))
        })?;
        self.tally.episodes = 1;
        self.tally.obeyed = self.model.obeyed();
        Ok(self.tally)
    }

    fn live_all(&mut self, steps: usize) -> Result<(), String> {
        self.spawn();
        for step in 0..steps {
            self.step().map_err(|why| format!("step {}: {why}", step + 1))?;
            self.look().map_err(|why| format!("after step {}: {why}", step + 1))?;
        }
        self.come_to_rest().map_err(|why| format!("at the end: {why}"))
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        if self.notes.len() >= NOTES {
            self.notes.pop_front();
        }
        let what = format!("{:?} {}", self.stage.now(), what());
        self.notes.push_back(what);
    }

    fn step(&mut self) -> Result<(), String> {
        match self.rng.below(100) {
            0..=39 => self.give(),
            40..=49 => (0..1 + self.rng.below(24)).for_each(|_| self.give()),
            50..=69 => {
                let ms = pick(&mut self.rng, &[0, 1, 1, 3, 10, 30, 100, 400]);
                self.pass(Duration::from_millis(ms) * self.scale());
            }
            70..=73 => {
                if !self.open.is_empty() && self.can_abandon {
                    let at = self.below(self.open.len());
                    let open = self.open.remove(at);
                    self.note(|| format!("given up: {:?}", open.writes));
                    self.stage.forget(open.ticket);
                    self.books.uncertain += u64::from(open.counts);
                }
            }
            74..=79 => {
                self.by_hand += 1;
                self.device.push(None, json!({ BY_HAND: self.by_hand }));
                self.note(|| "changed by hand".into());
            }
            80..=86 => self.fault(),
            87 | 88 => {
                self.note(|| "cut".into());
                self.device.cut_all();
            }
            89 | 90 => {
                self.note(|| "closed by the device".into());
                self.device.close_all();
            }
            91 => {
                let loss = pick(&mut self.rng, &[PowerLoss::Reset, PowerLoss::Silence]);
                self.note(|| format!("power off, {loss:?}"));
                self.device.power_off(loss);
            }
            92 | 93 => {
                self.note(|| "power on".into());
                self.device.power_on().map_err(|error| error.to_string())?;
            }
            94 => {
                let key = if self.rng.below(2) == 0 { KEY } else { OTHER_KEY };
                self.note(|| format!("key {key}"));
                self.device.set_key(key);
            }
            95 => {
                let version = pick(&mut self.rng, &VERSIONS);
                // The dialect of a device stays.
                if self.plan.dialect.is_none() && version != Version::V32 {
                    self.note(|| format!("version {version}"));
                    self.device.set_version(version);
                }
            }
            96 | 97 => self.reconfigure(),
            98 => {
                self.close()?;
                self.spawn();
            }
            _ => {
                self.splits = false;
                self.note(|| "mended".into());
                self.device.clear_fault();
                self.device.power_on().map_err(|error| error.to_string())?;
                self.reconfigure();
            }
        }
        Ok(())
    }

    /// Virtual time is cheap.
    const fn scale(&self) -> u32 {
        if self.real_time { 1 } else { 10 }
    }

    fn ms(&self, ms: u64) -> Duration {
        Duration::from_millis(ms) * self.scale()
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.rng.below(limit as u64)).unwrap_or(0)
    }

    fn pass(&mut self, span: Duration) {
        self.stage.until(&self.device, span, &mut |_| false);
    }

    fn spawn(&mut self) {
        (self.ears, self.books) = (Ears::default(), Books::default());
        self.note_pacing();
        self.note_plan("spawned");
        self.stage.spawn(0, &self.plan);
        // One that is looked at only in the end.
        self.stage.listen(0, 0);
    }

    fn note_pacing(&mut self) {
        let Pacing { merge, max_dps, sleeps, .. } = self.plan.pacing;
        self.books.inexact |= self.splits || !merge.is_zero() || max_dps.is_some() || sleeps.is_some();
    }

    /// The device as it is, and ways to treat it that are drawn.
    fn vary_plan(&mut self) {
        let mut timing = Timing::DEFAULT;
        // Answers that a fault holds back come in time.
        (timing.connect, timing.negotiate, timing.answer) = (self.ms(300), self.ms(300), self.ms(500));
        let heartbeat = pick(&mut self.rng, &[300, 1_000, 2_000]);
        timing.heartbeat = self.ms(heartbeat);
        let patience = pick(&mut self.rng, &[100, 600, 600]);
        (timing.backoff_min, timing.backoff_max) = (self.ms(4), self.ms(20));
        let pacing = match self.rng.below(12) {
            0 => Pacing::NONE.merge(self.ms(20)),
            1 => Pacing::NONE.gap(self.ms(5)),
            2 => Pacing::NONE.max_dps(1),
            3 => Pacing::NONE.max_dps(2).merge(self.ms(5)),
            4 => Pacing::NONE.sleeps(self.ms(800)),
            5 => Pacing::NONE.merge(self.ms(10)).gap(self.ms(10)).max_dps(3),
            _ => Pacing::NONE,
        };
        let (ip, port) = (self.device.addr().ip(), self.device.addr().port());
        self.plan = Plan {
            key: self.device.key(),
            address: Some(ip),
            port,
            version: if self.rng.below(5) == 0 { None } else { Some(self.device.version()) },
            persist: self.rng.below(5) > 0,
            nowait: self.rng.below(8) == 0,
            command_timeout: self.ms(patience),
            timing,
            pacing,
            ..self.plan.clone()
        };
    }

    fn reconfigure(&mut self) {
        self.vary_plan();
        if self.rng.below(6) == 0 {
            self.plan.key = LocalKey::from_text(OTHER_KEY).expect("16 characters");
        }
        self.note_pacing();
        self.note_plan("reconfigured");
        self.stage.reconfigure(0, &self.plan);
    }

    fn note_plan(&mut self, what: &str) {
        let Plan { version, dialect, persist, nowait, command_timeout, pacing, .. } = self.plan.clone();
        self.note(|| {
            format!("{what}: {version:?} {dialect:?} persist {persist} nowait {nowait} {command_timeout:?} {pacing:?}")
        });
    }

    fn fault(&mut self) {
        let faults = [
            Fault::RefuseDial,
            Fault::AcceptAndClose,
            Fault::Reset,
            Fault::Silent,
            Fault::Garbage { seed: self.rng.bits() },
            Fault::HalfClose { after: 2 },
            Fault::DisappearMidFrame { after: 3 },
            Fault::OneByteSegments,
            Fault::SplitAcrossReads,
            Fault::FourGiBLength,
            Fault::BadPrefixOnce,
            Fault::FloodPushes { count: 20 },
            Fault::OutOfOrder,
            Fault::BadIntegrity,
            Fault::DropAcks,
            Fault::RefuseSeveralDps { max: 1 },
            Fault::Unreliable { one_in: 4, requests: false },
            Fault::Unreliable { one_in: 8, requests: true },
        ];
        match faults.get(self.below(faults.len() + 6)) {
            Some(fault) => {
                self.splits = matches!(fault, Fault::RefuseSeveralDps { .. });
                self.books.inexact |= self.splits;
                self.note(|| format!("{fault:?}"));
                self.device.set_fault(fault.clone());
            }
            None => {
                self.splits = false;
                self.note(|| "no fault".into());
                self.device.clear_fault();
            }
        }
    }

    /// Gives a command.
    fn give(&mut self) {
        if self.open.len() >= if self.at_once { MOST_OPEN } else { 24 } {
            return;
        }
        let how = match self.rng.below(20) {
            0..=9 => How::Acked,
            10..=13 => How::Written,
            14..=17 => How::Queued,
            _ => How::Within(pick(&mut self.rng, &[5, 50, 300]) * u64::from(self.scale())),
        };
        let kind = self.rng.below(20);
        let (call, writes) = match kind {
            0..=9 => {
                let at = self.below(DPS.len() - 1);
                let value = self.model.give((None, DPS[at].1));
                (Call::Set(DPS[at].0, json!(value)), vec![((None, DPS[at].1), value)])
            }
            10..=12 => {
                let (first, count) = (self.below(DPS.len()), 2 + self.below(3));
                let mut dps = BTreeMap::new();
                for at in 0..count {
                    let (name, dp) = DPS[(first + at) % DPS.len()];
                    dps.insert(name, ((None, dp), self.model.give((None, dp))));
                }
                let values: Map<String, Value> =
                    dps.iter().map(|(name, (_, value))| ((*name).to_owned(), json!(value))).collect();
                (Call::SetDps(Value::Object(values)), dps.into_values().collect())
            }
            13 | 14 if self.gateway => {
                let dp = 1 + self.below(2) as u16;
                let value = self.model.give((Some(CHILD), dp));
                (Call::SubSet(CHILD, dp, json!(value)), vec![((Some(CHILD), dp), value)])
            }
            15 => (Call::Update(vec![1, 2]), Vec::new()),
            16 if self.gateway => (Call::SubQuery(CHILD), Vec::new()),
            17 => (Call::Connection, Vec::new()),
            18 => (Call::Request(CommandCode::DP_QUERY, None, None), Vec::new()),
            _ => (if how == How::Written { Call::Query } else { Call::Status }, Vec::new()),
        };
        let how = if matches!(call, Call::Connection) { How::Within(self.ms(300).as_millis() as u64) } else { how };
        // Those who give a command each from a thread of its own wait for one before they give the next to the same DP.
        if !self.at_once && !writes.is_empty() {
            for at in (0..self.open.len()).rev() {
                if self.open[at].writes.iter().any(|(place, _)| writes.iter().any(|(other, _)| place == other)) {
                    let open = self.open.remove(at);
                    let answer = self.stage.end(open.ticket, LIMIT).expect("is decided in time");
                    self.decided(&open, &answer).expect("no lie");
                }
            }
        }
        let counts = !matches!(call, Call::Connection);
        self.books.given += u64::from(counts);
        self.books.uncertain += u64::from(matches!(call, Call::Update(_)));
        self.tally.commands += 1;
        self.note(|| format!("{call:?} {how:?}"));
        let ticket = self.stage.begin(0, &call, how);
        self.open.push(Open { ticket, writes, how, counts, given: self.stage.now() });
    }

    /// Looks at everything that can be seen.
    fn look(&mut self) -> Result<(), String> {
        self.listen()?;
        for at in (0..self.open.len()).rev() {
            if self.stage.is_done(self.open[at].ticket) {
                let open = self.open.remove(at);
                let answer = self.stage.end(open.ticket, Duration::ZERO).ok_or("decided, and then not")?;
                self.decided(&open, &answer)?;
            }
        }
        let (model, device) = (&mut self.model, &self.device);
        let mut checked = Ok(());
        device.wait_for(Duration::ZERO, |state| {
            checked = model.check(state.written());
            true
        });
        checked
    }

    /// What came of a command.
    fn decided(&mut self, open: &Open, answer: &Answer) -> Result<(), String> {
        let fate = match answer {
            Answer::Failed(error) => {
                self.tally.failed += 1;
                self.books.refused += u64::from(open.counts);
                let one = open.writes.len() == 1 && !self.books.inexact;
                self.books.inexact |= matches!(error, CommandError::Rejected { .. });
                match error {
                    CommandError::Rejected { .. } if one => Fate::Not,
                    CommandError::Rejected { .. }
                    | CommandError::Unanswered
                    | CommandError::ConnectionLost { .. }
                    | CommandError::Partial { .. } => Fate::Maybe,
                    // What was split may have been sent in part.
                    _ if self.books.inexact => Fate::Maybe,
                    _ => Fate::Not,
                }
            }
            Answer::Reply { dps, .. } if !matches!(open.how, How::Written | How::Queued) => {
                // Devices round and clamp: a push that shows another value is an answer, too, and may be that of an
                // older write.
                let shown = |(_, dp): &Place, value| dps.get(&dp.to_string()).is_none_or(|shown| *shown == value);
                let certain = !self.doubtful && open.writes.iter().all(|(place, value)| shown(place, *value));
                if certain { Fate::Done } else { Fate::Maybe }
            }
            _ => Fate::Maybe,
        };
        self.note(|| format!("{:?}: {fate:?}, {answer:?}", open.writes));
        self.tally.succeeded += u64::from(!matches!(answer, Answer::Failed(_)));
        for (place, value) in &open.writes {
            if fate == Fate::Done && !self.real_time {
                let mut checked = Ok(());
                let model = &mut self.model;
                self.device.wait_for(Duration::ZERO, |state| {
                    checked = model.check(state.written());
                    true
                });
                checked?;
                if !self.model.has(*place, *value) {
                    return Err(format!("write {value} to {place:?} was acknowledged, and not obeyed"));
                }
            }
            self.model.learn(*place, *value, fate);
        }
        Ok(())
    }

    /// Hears what there is to be heard.
    fn listen(&mut self) -> Result<(), String> {
        while !self.ears.ended {
            let Some(heard) = self.stage.hear(0, Ear::Own, Duration::ZERO) else { return Ok(()) };
            self.tally.events += 1;
            self.ears.heard += 1;
            if !matches!(heard, Heard::Message { .. }) {
                self.note(|| format!("heard {heard:?}"));
            }
            match heard {
                Heard::Up(_) if core::mem::replace(&mut self.ears.up, true) => return Err("up twice".into()),
                Heard::Down(_) => self.ears.up = false,
                Heard::Failed(error) => {
                    // A refused write of several DPs was tried in parts.
                    self.books.inexact |= matches!(error, CommandError::Rejected { .. });
                    self.ears.failed += 1;
                }
                // This is one more event, and not one of those that it stands for.
                Heard::Lagged(lost) => self.ears.heard += lost - 1,
                Heard::Message { cid: None, dps } => {
                    if let Some(number) = dps.get(BY_HAND).and_then(Value::as_i64) {
                        self.ears.last_by_hand = number;
                    }
                    if dps.contains_key(crate::faulty::POISON_DP) {
                        return Err("a frame was believed whose check fails".into());
                    }
                }
                Heard::End => {
                    self.ears.ended = true;
                    self.ears.heard -= 1;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Ends the handle, which decides everything.
    fn close(&mut self) -> Result<(), String> {
        let ticket = self.stage.begin(0, &Call::Close, How::Written);
        self.stage.end(ticket, LIMIT).ok_or("closing has no end")?;
        for open in core::mem::take(&mut self.open) {
            let answer = self.stage.end(open.ticket, LIMIT).ok_or("a command is open after its device is closed")?;
            self.decided(&open, &answer)?;
        }
        let mut looks = 0;
        while !self.ears.ended {
            self.listen()?;
            looks += 1;
            if looks > 10_000 {
                return Err("a listener does not end with its device".into());
            }
            self.stage.breathe();
        }
        self.look()?;
        self.balance()
    }

    /// Compares what was given with what was told.
    fn balance(&mut self) -> Result<(), String> {
        let (mut slow, mut lagged) = (0, 0);
        loop {
            match self.stage.hear(0, Ear::Extra(0), LIMIT) {
                Some(Heard::Lagged(lost)) => lagged += lost,
                Some(Heard::End) => break,
                Some(_) => slow += 1,
                None => return Err("a slow listener does not end with its device".into()),
            }
        }
        if !self.real_time && slow + lagged != self.ears.heard {
            return Err(format!(
                "{slow} events and {lagged} lost ones where another listener heard {}",
                self.ears.heard
            ));
        }
        let Counters { sent, acknowledged, failed, rejected, .. } = self.stage.look(0).counters;
        if acknowledged + failed > sent {
            return Err(format!("{sent} sent, {acknowledged} acknowledged and {failed} failed"));
        }
        let Books { given, refused, uncertain, inexact } = self.books;
        let told = acknowledged + refused + self.ears.failed;
        if !inexact && rejected == 0 && sent > 0 && !(told <= given && given <= told + uncertain) {
            let failed = self.ears.failed;
            return Err(format!(
                "of {given} commands {acknowledged} were acknowledged, {refused} failed, {failed} failures were told \
                 to listeners, and at most {uncertain} end in silence"
            ));
        }
        Ok(())
    }

    /// Mends everything; from there all has to be well.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.device.clear_fault();
        self.device.power_on().map_err(|error| error.to_string())?;
        self.note(|| "comes to rest".into());
        self.device.set_key(KEY);
        self.vary_plan();
        (self.plan.pacing, self.plan.nowait, self.plan.persist) = (Pacing::NONE, false, true);
        (self.plan.version, self.plan.command_timeout) = (Some(self.device.version()), LIMIT);
        self.stage.reconfigure(0, &self.plan);
        let mut open = core::mem::take(&mut self.open);
        for open in open.drain(..) {
            let answer = self.stage.end(open.ticket, LIMIT);
            let answer = answer.ok_or_else(|| format!("a command given at {:?} is not decided", open.given))?;
            self.decided(&open, &answer)?;
        }
        self.look()?;
        let mut answer = None;
        for _ in 0..20 {
            let ticket = self.stage.begin(0, &Call::Query, How::Written);
            answer = Some(self.stage.end(ticket, LIMIT * 2).ok_or("a query is not decided")?);
            self.books.given += 1;
            if matches!(answer, Some(Answer::Reply { .. })) {
                break;
            }
            self.books.refused += 1;
            self.pass(self.ms(100));
        }
        if !matches!(answer, Some(Answer::Reply { .. })) {
            return Err(format!("all is well, and yet a query comes to {answer:?}"));
        }
        self.look()?;
        self.write_in_the_end()?;
        for cid in [None, Some(CHILD)].into_iter().filter(|cid| cid.is_none() || self.gateway) {
            self.model.check_end(cid, &self.device.dps(cid))?;
        }
        self.hear_the_last()?;
        let (known, has) = (self.stage.state(0, None), self.device.dps(None));
        for (dp, value) in &has {
            if !self.doubtful && known.get(dp).is_some_and(|known| known != value) {
                return Err(format!("DP {dp} is {value}, and known as {:?}", known.get(dp)));
            }
        }
        self.close()
    }

    /// What is written when all is well is what the device has then.
    fn write_in_the_end(&mut self) -> Result<(), String> {
        for (name, dp) in DPS {
            let value = self.model.give((None, dp));
            self.books.given += 1;
            let ticket = self.stage.begin(0, &Call::Set(name, json!(value)), How::Acked);
            let answer = self.stage.end(ticket, LIMIT).ok_or("a write is not decided")?;
            self.books.refused += u64::from(matches!(answer, Answer::Failed(_)));
            self.pass(self.ms(1));
            // A connection may still be ending.
            if !self.doubtful && matches!(answer, Answer::Reply { .. }) && self.device.dps(None)[name] != value {
                return Err(format!("all is well, and yet {value} is not written to DP {name}: {answer:?}"));
            }
        }
        self.look()
    }

    /// A change by hand is heard when all is well.
    fn hear_the_last(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            // A connection may just be ending, and its device with it.
            self.by_hand += 1;
            self.device.push(None, json!({ BY_HAND: self.by_hand }));
            for _ in 0..100 {
                self.stage.breathe();
                self.listen()?;
                if self.ears.last_by_hand == self.by_hand {
                    return Ok(());
                }
            }
        }
        Err("a change by hand is not heard".into())
    }
}

/// What is told of an episode that failed.
const NOTES: usize = 60;
/// Longer than anything takes.
const LIMIT: Duration = Duration::from_secs(60);

fn pick<T: Clone>(rng: &mut SeededRng, from: &[T]) -> T {
    let at = usize::try_from(rng.below(from.len() as u64)).unwrap_or(0);
    from[at].clone()
}
