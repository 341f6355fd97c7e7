//! Episode: one device, its controller, and all their steps.

use core::time::Duration;
use std::collections::VecDeque;

use rustuya_conformance::{KEY, Need, OTHER_KEY, Plan, Stage, Subject};
use rustuya_faulty::{FaultyDevice, PowerLoss};
use rustuya_proto::{Dialect, Timing, Version};
use rustuya_runtime::Pacing;
use rustuya_seeded::SeededRng;
use serde_json::{Map, Value, json};

use super::balance::{Balance, Listened};
use super::commands::PendingCommand;
use super::model::Model;
use super::plan::{Lossy, scaled, versions};
use super::{Options, Tally};

/// Written DPs; the last of them only together with others, if a command can write several.
pub(super) const DPS: [(&str, u16); 5] = [("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5)];
pub(super) const CHILD: &str = "a4c1380123456789";
/// The DP that changes by hand.
pub(super) const BY_HAND: &str = "101";
/// Largest number of unresolved commands, below the limit at which a device is busy.
pub(super) const MOST_OPEN: usize = 200;

pub(super) struct Episode<'a> {
    pub(super) stage: &'a mut dyn Stage,
    pub(super) rng: SeededRng,
    pub(super) device: FaultyDevice,
    /// Dialect of the device.
    pub(super) dialect: Dialect,
    pub(super) plan: Plan,
    pub(super) model: Model,
    pub(super) open: Vec<PendingCommand>,
    /// True if a command is queued when `begin` returns.
    pub(super) at_once: bool,
    pub(super) can_abandon: bool,
    pub(super) real_time: bool,
    pub(super) gateway: bool,
    /// True if every write has a single DP, and is sent alone.
    pub(super) singles: bool,
    pub(super) tally: Tally,
    pub(super) listened: Listened,
    pub(super) balance: Balance,
    pub(super) by_hand: i64,
    /// True if the present fault makes the device handle parts of a write separately.
    pub(super) splits: bool,
    pub(super) lossy: Lossy,
    /// Last steps, for the report of a failure.
    notes: VecDeque<String>,
}

impl<'a> Episode<'a> {
    pub(super) fn new(stage: &'a mut dyn Stage, subject: &dyn Subject, seed: u64, options: &Options) -> Self {
        let real_time = options.real_time;
        let mut rng = SeededRng::new(seed);
        let dialect = if rng.below(5) == 0 { Dialect::Device22 } else { Dialect::Default };
        let version = pick(&mut rng, versions(dialect));
        let singles = rng.below(3) == 0;
        let gateway = dialect == Dialect::Default && rng.below(3) == 0;
        let dps: Map<String, Value> = DPS.iter().map(|(dp, _)| ((*dp).to_owned(), json!(0))).collect();
        let mut dps = Value::Object(dps);
        dps[BY_HAND] = json!(0);
        let mut device = FaultyDevice::builder("bf0123456789abcd0000", KEY, version).dialect(dialect).dps(dps);
        if gateway {
            device = device.sub(CHILD, json!({ "1": 0, "2": 0 }));
        }
        // Serves one connection at a time: with two, the device may execute writes of the older one last.
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
            query_on_connect: false,
        };
        let (at_once, can_abandon) = (subject.gives_at_once(), subject.lacks(Need::Abandon).is_none());
        let (model, open, tally) = (Model::default(), Vec::new(), Tally::default());
        let (listened, balance) = (Listened::default(), Balance::default());
        let mut episode = Self {
            stage,
            rng,
            device,
            dialect,
            plan,
            model,
            open,
            at_once,
            can_abandon,
            real_time,
            gateway,
            singles,
            tally,
            listened,
            balance,
            by_hand: 0,
            splits: false,
            lossy: Lossy::default(),
            notes: VecDeque::new(),
        };
        episode.vary_plan();
        episode
    }

    /// Runs so many steps and the end.
    pub(super) fn live(mut self, steps: usize) -> Result<Tally, String> {
        self.run_steps(steps).map_err(|why| {
            self.note_plan("treated");
            let notes = self.notes.iter().map(String::as_str).collect::<Vec<_>>();
            format!("\n  {}\n{why}", notes.join("\n  "))
        })?;
        self.tally.episodes = 1;
        self.tally.executed = self.model.executed();
        Ok(self.tally)
    }

    fn run_steps(&mut self, steps: usize) -> Result<(), String> {
        self.spawn();
        for step in 0..steps {
            self.step().map_err(|why| format!("step {}: {why}", step + 1))?;
            self.check_all().map_err(|why| format!("after step {}: {why}", step + 1))?;
        }
        self.recover().map_err(|why| format!("at the end: {why}"))
    }

    pub(super) fn note(&mut self, what: impl FnOnce() -> String) {
        if self.notes.len() >= NOTES {
            self.notes.pop_front();
        }
        let what = format!("{:?} {}", self.stage.now(), what());
        self.notes.push_back(what);
    }

    fn step(&mut self) -> Result<(), String> {
        match self.rng.below(100) {
            0..=39 => self.start_command(),
            40..=49 => (0..1 + self.rng.below(24)).for_each(|_| self.start_command()),
            50..=69 => {
                let ms = pick(&mut self.rng, &[0, 1, 1, 3, 10, 30, 100, 400]);
                self.pass(self.ms(ms));
            }
            70..=73 => self.cancel_command(),
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
                self.note_pacing();
            }
            95 => {
                let version = pick(&mut self.rng, versions(self.dialect));
                self.note(|| format!("version {version}"));
                self.device.set_version(version);
                self.note_pacing();
            }
            96 | 97 => self.reconfigure(),
            98 => {
                self.close()?;
                self.spawn();
            }
            _ => {
                self.set_fault(None);
                self.device.power_on().map_err(|error| error.to_string())?;
                self.reconfigure();
            }
        }
        Ok(())
    }

    pub(super) fn ms(&self, ms: u64) -> Duration {
        scaled(ms, self.real_time)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.rng.below(limit as u64)).unwrap_or(0)
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.stage.until(&self.device, span, &mut |_| false);
    }

    pub(super) fn spawn(&mut self) {
        (self.listened, self.balance) = (Listened::default(), Balance::default());
        self.note_pacing();
        self.note_plan("spawned");
        self.stage.spawn(0, &self.plan);
        // This listener is read only at the end.
        self.stage.listen(0, 0);
    }
}

/// Number of steps in the report of a failed episode.
const NOTES: usize = 60;
/// Time limit of every wait.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn pick<T: Clone>(rng: &mut SeededRng, from: &[T]) -> T {
    let at = usize::try_from(rng.below(from.len() as u64)).unwrap_or(0);
    from[at].clone()
}
