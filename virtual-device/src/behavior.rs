//! Behavior of a device over time: what it changes by itself, and what it does about a write.
//!
//! A state machine without a clock of its own: time is an argument, and [`Behavior::wake_up`] returns when it has to be
//! called again. Simulated time is in milliseconds.

mod approach;
mod cover;
mod meter;
mod part;
mod random;
mod robot;
mod timing;

use core::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

pub(crate) use approach::{Drive, Goal};
pub(crate) use meter::Energy;
pub(crate) use part::{Effect, Part};
pub(crate) use robot::Dps as Robot;

use crate::profile::Datum;
use random::Random;

/// DPs that a device changed by itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Changed {
    pub(crate) cid: Option<String>,
    pub(crate) dps: Map<String, Value>,
}

/// Everything that the device does by itself.
#[derive(Clone, Debug)]
pub(crate) struct Behavior {
    actors: Vec<Actor>,
    rng: Random,
    /// Simulated time.
    now: u64,
    /// Real time of `now`; `None` while time stands still.
    since: Option<Instant>,
    /// Real time of the last [`advance`](Self::advance).
    advanced: Option<Instant>,
    /// Simulated seconds per real one.
    speed: u32,
}

#[derive(Clone, Debug)]
struct Actor {
    cid: Option<String>,
    part: &'static Part,
    memory: Memory,
}

/// State of one part of the behavior.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Next call of [`Part::due`].
    due: Option<u64>,
    /// Time of the last measurement.
    last: u64,
    /// Level, or amount so far.
    level: i64,
    /// Level or time to reach.
    goal: i64,
    stage: usize,
}

impl Memory {
    fn wake_in(&mut self, now: u64, time: u64) {
        self.due = Some(now.saturating_add(time.max(1)));
    }

    /// Returns the number of whole periods since the last call, and accounts for them; at least one.
    fn periods(&mut self, now: u64, every: u64) -> i64 {
        let count = now.saturating_sub(self.last) / every.max(1);
        self.last = now;
        i64::try_from(count.clamp(1, MOST_PERIODS)).unwrap_or(1)
    }
}

/// Values that a part reads and changes.
pub(crate) struct Context<'a> {
    now: u64,
    values: &'a mut Map<String, Value>,
    rng: &'a mut Random,
    changes: Map<String, Value>,
}

impl Context<'_> {
    fn get(&self, dp: u16) -> Option<&Value> {
        let value = self.values.get(&dp.to_string());
        debug_assert!(value.is_some(), "the profile has no DP {dp}");
        value
    }

    fn is(&self, dp: u16, datum: Datum) -> bool {
        datum.fits(self.get(dp))
    }

    fn is_on(&self, dp: u16) -> bool {
        self.is(dp, Datum::Bool(true))
    }

    /// Returns a number; 0 if the DP has none.
    fn integer(&self, dp: u16) -> i64 {
        self.get(dp).and_then(Value::as_i64).unwrap_or_default()
    }

    fn word(&self, dp: u16) -> &str {
        self.get(dp).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets a DP of the device; pushed if that changes it.
    fn set(&mut self, dp: u16, value: impl Into<Value>) {
        let value = value.into();
        if self.get(dp).is_some_and(|old| *old != value) {
            self.report(dp, value);
        }
    }

    /// Sets a DP of the device; pushed in any case.
    fn report(&mut self, dp: u16, value: impl Into<Value>) {
        let (key, value) = (dp.to_string(), value.into());
        debug_assert!(self.values.contains_key(&key), "the profile has no DP {dp}");
        if let Some(slot) = self.values.get_mut(&key) {
            slot.clone_from(&value);
            self.changes.insert(key, value);
        }
    }

    /// Returns a random number from -by to by.
    fn jitter(&mut self, by: i64) -> i64 {
        self.rng.within(by)
    }

    /// Returns a random one of these.
    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let count = u64::try_from(from.len()).unwrap_or_default();
        let at = usize::try_from(self.rng.below(count)).unwrap_or_default();
        from.get(at).copied()
    }

    /// Returns this time, give or take a quarter of it.
    fn about(&mut self, time: u64) -> u64 {
        let quarter = time / 4;
        time.saturating_sub(quarter).saturating_add(self.rng.below(quarter.saturating_mul(2)))
    }
}

/// DPs of the devices that a behavior belongs to.
pub(crate) trait Devices {
    /// Returns the DPs of the device, or of a sub-device.
    fn values(&mut self, cid: Option<&str>) -> Option<&mut Map<String, Value>>;

    /// Returns whether the device reaches its controllers; only a sub-device does not.
    fn is_reachable(&self, cid: Option<&str>) -> bool;
}

impl Behavior {
    /// Makes one that does nothing yet.
    pub(crate) fn new() -> Self {
        Self { actors: Vec::new(), rng: Random::new(rand::random()), now: 0, since: None, advanced: None, speed: 1 }
    }

    /// Makes its randomness repeatable.
    pub(crate) fn seed(&mut self, seed: u64) {
        self.rng = Random::new(seed);
    }

    /// Sets the simulated seconds per real one. At 0, only writes have effects.
    pub(crate) const fn set_speed(&mut self, speed: u32) {
        self.speed = speed;
    }

    /// Returns whether it does nothing at all.
    pub(crate) const fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    /// Adds what a device or sub-device does.
    pub(crate) fn add(&mut self, cid: Option<&str>, parts: &'static [Part]) {
        let cid = cid.map(str::to_owned);
        self.actors.extend(parts.iter().map(|part| Actor { cid: cid.clone(), part, memory: Memory::default() }));
    }

    /// Lets time pass from now on.
    pub(crate) fn start(&mut self, devices: &mut dyn Devices, now: Instant) {
        self.since = Some(now);
        let mut all = Vec::new();
        for at in 0..self.actors.len() {
            self.act(at, devices, &mut all, |part, memory, context| part.start(memory, context));
        }
    }

    /// Stops the time, such as while the device is switched off.
    pub(crate) fn pause(&mut self, now: Instant) {
        self.pass(now);
        self.since = None;
    }

    /// Goes on after [`pause`](Self::pause).
    pub(crate) const fn resume(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Returns when something happens by itself.
    pub(crate) fn wake_up(&self) -> Option<Instant> {
        let since = self.since?;
        let due = self.actors.iter().filter_map(|actor| actor.memory.due).min()?;
        let millis = due.saturating_sub(self.now).div_ceil(u64::from(self.speed.max(1)));
        let at = since + Duration::from_millis(millis);
        let earliest = self.advanced.map_or(at, |advanced| advanced + SHORTEST_PERIOD);
        (self.speed > 0).then(|| at.max(earliest))
    }

    /// Does what is due.
    pub(crate) fn advance(&mut self, devices: &mut dyn Devices, now: Instant) -> Vec<Changed> {
        self.pass(now);
        self.advanced = Some(now);
        let mut all = Vec::new();
        let mut causes = Vec::new();
        for at in 0..self.actors.len() {
            let Some(actor) = self.actors.get_mut(at) else { break };
            if actor.memory.due.is_none_or(|due| due > self.now) {
                continue;
            }
            if devices.is_reachable(actor.cid.as_deref()) {
                actor.memory.due = None;
                causes.extend(self.act(at, devices, &mut all, |part, memory, context| part.due(memory, context)));
            } else {
                actor.memory.wake_in(self.now, RETRY);
            }
        }
        self.follow(devices, causes, &mut all);
        all
    }

    /// Does what follows from these DPs of a device, which a controller or a user has set.
    pub(crate) fn react(
        &mut self,
        devices: &mut dyn Devices,
        cid: Option<&str>,
        dps: Vec<u16>,
        now: Instant,
    ) -> Vec<Changed> {
        self.pass(now);
        let mut all = Vec::new();
        self.follow(devices, vec![Cause { by: None, cid: cid.map(str::to_owned), dps }], &mut all);
        all
    }

    /// Lets the other parts react to changes, and to the changes that follow from those.
    fn follow(&mut self, devices: &mut dyn Devices, mut causes: Vec<Cause>, all: &mut Vec<Changed>) {
        for _ in 0..LONGEST_CHAIN {
            let mut next = Vec::new();
            for cause in &causes {
                for at in 0..self.actors.len() {
                    let is_other = cause.by != Some(at);
                    if is_other && self.actors.get(at).is_some_and(|actor| actor.cid == cause.cid) {
                        next.extend(self.act(at, devices, all, |part, memory, context| {
                            part.written(memory, context, &cause.dps);
                        }));
                    }
                }
            }
            if next.is_empty() {
                return;
            }
            causes = next;
        }
    }

    fn act(
        &mut self,
        at: usize,
        devices: &mut dyn Devices,
        all: &mut Vec<Changed>,
        does: impl FnOnce(&Part, &mut Memory, &mut Context<'_>),
    ) -> Option<Cause> {
        let actor = self.actors.get_mut(at)?;
        let values = devices.values(actor.cid.as_deref())?;
        let mut context = Context { now: self.now, values, rng: &mut self.rng, changes: Map::new() };
        does(actor.part, &mut actor.memory, &mut context);
        let changes = context.changes;
        if changes.is_empty() {
            return None;
        }
        let dps = changes.keys().filter_map(|key| key.parse().ok()).collect();
        match all.iter_mut().find(|changed| changed.cid == actor.cid) {
            Some(changed) => changed.dps.extend(changes),
            None => all.push(Changed { cid: actor.cid.clone(), dps: changes }),
        }
        Some(Cause { by: Some(at), cid: actor.cid.clone(), dps })
    }

    fn pass(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let real = u64::try_from(now.saturating_duration_since(since).as_millis()).unwrap_or(u64::MAX);
        // Whole milliseconds: the rest counts next time.
        self.since = Some(since + Duration::from_millis(real));
        let passed = real.saturating_mul(self.speed.into()).min(LONGEST_LEAP);
        self.now = self.now.saturating_add(passed);
    }
}

/// DPs that have changed.
struct Cause {
    /// Part that changed them; it does not react to its own changes.
    by: Option<usize>,
    cid: Option<String>,
    dps: Vec<u16>,
}

/// Shortest real time between two changes, whatever the speed.
const SHORTEST_PERIOD: Duration = Duration::from_millis(20);

/// Longest simulated time that passes at once, such as after the computer slept: 30 days.
const LONGEST_LEAP: u64 = 30 * 24 * 3_600_000;

/// Simulated time after which an unreachable sub-device is tried again.
const RETRY: u64 = 60_000;

/// Most periods that are made up for at once.
const MOST_PERIODS: u64 = 1000;

/// Most changes that follow from each other.
const LONGEST_CHAIN: usize = 4;
