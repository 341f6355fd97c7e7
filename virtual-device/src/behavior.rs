//! Behavior of a device over time: what it changes by itself, and what it does about a write.
//!
//! A state machine without a clock of its own: time is an argument, and [`Behavior::wake_up`] returns when it has to be
//! called again. Simulated time is in milliseconds.

mod act;
mod approach;
mod context;
mod cover;
mod meter;
mod part;
mod random;
mod robot;
mod timing;

use core::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use context::{Context, Memory};
pub(crate) use part::{Drive, Effect, Energy, Goal, Part, Robot};
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
            self.act(at, devices, &mut all, act::start);
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
                causes.extend(self.act(at, devices, &mut all, act::due));
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
                            act::written(part, memory, context, &cause.dps);
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

/// Most changes that follow from each other.
const LONGEST_CHAIN: usize = 4;
