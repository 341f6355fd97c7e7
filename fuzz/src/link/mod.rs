//! Whole link: a program's handles above, a device below, and a connection between them that changes bytes as the input
//! says. Time passes only as the input says.

mod connection;
mod writes;

use core::net::SocketAddr;
use core::pin::Pin;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustuya_proto::{CommandCode, Dialect, EmulatorConfig, LocalKey, LossReason, Quirks, Timing, Version};
use rustuya_record::{Happened, Recorder, Replay};
use rustuya_runtime::driver::{Action, Destination, DirectWriter, DrivenLink, Transport};
use rustuya_runtime::{CommandError, Device, DeviceBuilder, Event, Listener, Pacing};
use rustuya_seeded::SeededRng;
use serde_json::json;

use crate::input::Input;
use crate::machines::{CHILD, KEY, Memory, Peer, emulator_config, model};
use crate::session::{alter, record};
use connection::{
    Connection, ControllerEnd, Flag, RecordBuffer, Shared, VirtualRuntime, lock, machine_time, now, reset_clock,
    set_time, system_time,
};
use writes::Writes;

const OTHER_KEY: [u8; 16] = *b"fedcba9876543210";
/// Largest number of turns at one instant; more count as an endless loop.
const TURNS: usize = 5_000;
/// Upper bound of any command's duration with the time limits of this target, for the connection and the answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a device's link: calls of a program, events of the network, and time, in the input's order.
///
/// # Panics
/// If a command is not resolved in time, the link never waits or sets a timer in the past, a frame is left half written
/// without a reset, a write is repeated that was not refused, or a record of the run cannot be replayed.
pub fn link(data: &[u8]) {
    let mut input = Input::new(data);
    let mut state = Run::new(&mut input);
    for _ in 0..192 {
        if input.is_empty() {
            break;
        }
        state.step(&mut input);
        state.look();
    }
    state.finish();
}

/// Command that a caller waits for.
struct Open {
    /// Time by which it must be resolved.
    due: Duration,
    future: Pin<Box<dyn Future<Output = Result<(), CommandError>>>>,
    what: &'static str,
}

struct Run {
    runtime: VirtualRuntime,
    device: Option<Device>,
    link: Option<DrivenLink>,
    listeners: Vec<Listener<Event>>,
    connection: Option<Shared>,
    dialing: bool,
    /// Time of the link's next turn.
    until: Option<Instant>,
    woken: Arc<Flag>,
    open: Vec<Open>,
    emulated: EmulatorConfig,
    model: Memory,
    rng: SeededRng,
    recorded: [Vec<u8>; 2],
    buffer: Option<RecordBuffer>,
    redacted: bool,
    writes: Writes,
    direct_writes: bool,
    ended: bool,
}

impl Run {
    fn new(input: &mut Input<'_>) -> Self {
        reset_clock();
        let (first, config_byte) = (input.byte(), input.byte());
        let version = Version::ALL[usize::from(first & 7) % Version::ALL.len()];
        let dialect = if first & 8 == 0 { Dialect::Default } else { Dialect::Device22 };
        let mut quirks = Quirks::of(version);
        if let Some((name, _)) = Quirks::NAMES.get(usize::from(input.byte()))
            && !name.contains('=')
        {
            quirks.set(name).expect("named by itself");
        }
        let runtime = VirtualRuntime::default();
        let buffer = (first & 0x30 != 0).then(RecordBuffer::default);
        let builder = Device::builder("eb0123456789abcdefghij", "0123456789abcdef").expect("an id and a key");
        let mut builder = configure(builder, config_byte, input.byte(), version).address([127, 0, 0, 1]);
        if let Some(buffer) = &buffer {
            builder = match first & 0x10 {
                0 => builder.record(Recorder::full(buffer.clone())),
                _ => builder.record(Recorder::redacted(buffer.clone())),
            };
        }
        let device = builder.spawn(&runtime);
        let link = lock(&runtime.0).pop();
        assert!(link.is_some(), "spawned, and not driven");
        let mut state = Self {
            listeners: vec![device.listener()],
            runtime,
            device: Some(device),
            link,
            connection: None,
            dialing: false,
            until: None,
            woken: Arc::default(),
            open: Vec::new(),
            emulated: emulator_config(version, dialect, quirks),
            model: model(),
            rng: SeededRng::new(1),
            recorded: Default::default(),
            buffer,
            redacted: first & 0x10 != 0,
            writes: Writes::new(joins(config_byte)),
            direct_writes: first & 0x40 == 0,
            ended: false,
        };
        state.turn();
        if first & 0x80 == 0 {
            state.answer_dial(None);
            state.exchange();
        }
        state
    }

    fn step(&mut self, input: &mut Input<'_>) {
        if let Some(connection) = &self.connection {
            record(&lock(connection).peer, &mut self.recorded);
        }
        let (op, choice) = (input.byte(), input.byte());
        let count = usize::from(choice);
        match op % 24 {
            0 => self.exchange(),
            1..=4 => self.give(choice, input),
            5 => self.arrive(count * 8),
            6 => self.deliver(count * 4),
            7 => self.room(count * 4),
            8 => self.pass(Duration::from_millis(u64::from(choice))),
            9 => self.pass(Duration::from_millis(u64::from(choice) * 100)),
            10 => {
                let now = system_time();
                let due = self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
                self.pass(due.min(Duration::from_secs(120)));
            }
            11 => self.answer_dial(None),
            12 => {
                let whys = [LossReason::Refused, LossReason::Unreachable, LossReason::TimedOut, LossReason::Other];
                self.answer_dial(Some(whys[count % whys.len()]));
            }
            13 => self.end_line([None, Some(ErrorKind::ConnectionReset)][count % 2]),
            14 => {
                if let Some(connection) = &self.connection {
                    lock(connection).peer.push(choice, machine_time(), &mut self.rng);
                }
                self.poll_peer();
            }
            15 => self.reconfigure(choice, input.byte()),
            16 => {
                if !self.open.is_empty() {
                    drop(self.open.swap_remove(count % self.open.len()));
                }
            }
            17 => self.change_device(choice),
            18 => self.listen(choice),
            19 => {
                let garbage = input.take(count);
                if let Some(connection) = &self.connection {
                    lock(connection).peer.to_controller.extend_from_slice(garbage);
                }
                self.arrive(garbage.len());
            }
            20 => self.act(choice),
            _ => {
                if let Some(connection) = &self.connection {
                    let op = 8 + choice % 24;
                    alter(&mut lock(connection).peer, op, input, &self.recorded);
                }
            }
        }
        self.turn();
    }

    fn change_device(&mut self, choice: u8) {
        match choice & 3 {
            0 => self.emulated.version = Version::ALL[usize::from(choice >> 2) % Version::ALL.len()],
            1 => self.emulated.local_key = LocalKey::new(if choice & 4 == 0 { KEY } else { OTHER_KEY }),
            _ => {
                if let Some(device) = &self.device {
                    device.connect_now();
                }
            }
        }
    }

    /// Makes a rare call of a program.
    fn act(&mut self, choice: u8) {
        match choice {
            0..=7 => self.close(),
            // Drops every handle: all commands resolve, and the link ends.
            8..=11 => self.device = None,
            // Drops the runtime.
            12..=15 => {
                if let Some(link) = self.link.take() {
                    assert!(self.is_whole() || link.is_cut(), "a frame is half written without a reset");
                    drop(link);
                }
                self.ended = true;
                self.hang_up();
            }
            _ => self.turn(),
        }
    }

    fn close(&mut self) {
        let Some(device) = &self.device else { return };
        let device = device.clone();
        self.wait("close", PATIENCE, async move {
            device.close().await;
            Ok(())
        });
    }

    fn give(&mut self, choice: u8, input: &mut Input<'_>) {
        let Some(device) = &self.device else { return };
        if self.open.len() >= 64 {
            return;
        }
        let (how, more) = (input.byte(), input.byte());
        let dp = u16::from(choice >> 4 & 3) + 1;
        let sub = device.sub(CHILD).expect("a cid");
        let writes = &mut self.writes;
        let mut one = || writes.give(dp..dp + 1).remove(&dp.to_string()).expect("just given");
        let sending =
            match choice & 15 {
                0..=4 => device.set_value(dp, one()),
                5..=7 => device.set_dps(writes.give(dp..dp + 2 + u16::from(more % 6))),
                8 => sub.set_value(dp, one()),
                9 => device.status(),
                10 => sub.status(),
                11 => device.update_dps(&[dp, 1]),
                12 => device.sub_discover(),
                13 => device.request(CommandCode(u32::from(how)), Some(json!({ "dps": { "1": one() } })), None),
                14 => {
                    let device = device.clone();
                    return self.wait("query", PATIENCE, async move { device.query().await.map(|_| ()) });
                }
                _ => {
                    let device = device.clone();
                    let limit = Duration::from_millis(u64::from(how) * 20);
                    return self
                        .wait("wait_connected", limit, async move { device.wait_connected(limit).await.map(|_| ()) });
                }
            };
        let limit = Duration::from_millis(u64::from(how >> 3) * 100);
        let sending = if how & 4 == 0 { sending } else { sending.timeout(limit) };
        match how & 3 {
            0 => self.wait("a command", PATIENCE, sending),
            1 => self.wait("an answer", PATIENCE, async { sending.acknowledged().await.map(|_| ()) }),
            2 => self.wait("an effect", PATIENCE, async { sending.confirmed().await.map(|_| ()) }),
            _ => drop(sending.queue()),
        }
    }

    fn wait(
        &mut self,
        what: &'static str,
        limit: Duration,
        future: impl Future<Output = Result<(), CommandError>> + 'static,
    ) {
        self.open.push(Open { due: now() + limit + Duration::from_millis(1), future: Box::pin(future), what });
        self.poll_callers();
    }

    /// Polls the callers for results.
    fn poll_callers(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.open.retain_mut(|open| open.future.as_mut().poll(&mut cx).is_pending());
    }

    /// Checks the invariants after a step.
    fn look(&mut self) {
        self.poll_callers();
        for open in &self.open {
            let late = now().saturating_sub(open.due);
            assert!(late.is_zero(), "{} is not decided for {late:?}", open.what);
            assert!(!self.ended, "the link has ended, and {} is not decided", open.what);
        }
        if let Some(connection) = &self.connection {
            self.writes.note(&core::mem::take(&mut lock(connection).written));
        }
    }

    /// Runs the link until it waits.
    fn turn(&mut self) {
        let waker = Waker::from(Arc::clone(&self.woken));
        for _ in 0..TURNS {
            self.woken.0.store(false, Ordering::Relaxed);
            let Some(link) = &self.link else { return };
            let mut ends = self.connection.clone().map(ControllerEnd);
            match link.poll(ends.as_mut().map(|ends| ends as &mut dyn Transport), &waker) {
                Action::Dial(Destination::Socket(to)) => {
                    assert_eq!(to, SocketAddr::from(([127, 0, 0, 1], 6668)));
                    assert!(self.connection.is_none() && !self.dialing, "a second connection");
                    self.dialing = true;
                }
                Action::Dial(Destination::Name(..)) => panic!("there is no name"),
                Action::Hangup => {
                    assert!(self.is_whole(), "a frame is half written, and the connection is not reset");
                    self.hang_up();
                }
                Action::Reset => self.hang_up(),
                Action::Again => {}
                Action::Sleep(until) => {
                    if self.woken.0.load(Ordering::Relaxed) {
                        continue;
                    }
                    let now = system_time();
                    assert!(until.is_none_or(|until| until > now), "wakes up for the past");
                    self.until = until;
                    return self.poll_callers();
                }
                Action::End => {
                    self.link = None;
                    self.ended = true;
                    return self.poll_callers();
                }
            }
        }
        panic!("the link never rests");
    }

    /// Returns whether the connection has only whole frames, or was ended by the device.
    fn is_whole(&self) -> bool {
        self.connection.as_ref().is_none_or(|connection| {
            let connection = lock(connection);
            connection.partial.is_empty() || connection.ends.is_some()
        })
    }

    fn hang_up(&mut self) {
        self.dialing = false;
        if let Some(connection) = self.connection.take() {
            self.writes.note(&lock(&connection).written);
        }
    }

    fn answer_dial(&mut self, fails: Option<LossReason>) {
        let Some(link) = self.link.as_ref().filter(|_| self.dialing) else { return };
        self.dialing = false;
        match fails {
            Some(why) => link.lost(why),
            None => {
                let peer = Peer::new(self.emulated.clone(), 2048, machine_time(), &mut self.rng);
                let partial = Vec::new();
                let connection =
                    Connection { peer, arrived: 0, room: usize::MAX, ends: None, partial, written: Vec::new() };
                let connection = Arc::new(Mutex::new(connection));
                self.connection = Some(Arc::clone(&connection));
                link.dialed(
                    self.direct_writes.then(|| -> Arc<dyn DirectWriter> { Arc::new(ControllerEnd(connection)) }),
                );
            }
        }
        self.turn();
        self.poll_peer();
    }

    fn poll_peer(&mut self) {
        if let Some(connection) = &self.connection {
            let mut connection = lock(connection);
            connection.peer.poll(&mut self.model, machine_time(), &mut self.rng);
        }
    }

    fn arrive(&self, len: usize) {
        let Some(connection) = &self.connection else { return };
        let mut connection = lock(connection);
        connection.arrived = connection.peer.to_controller.len().min(connection.arrived.saturating_add(len));
        if connection.peer.closed && connection.arrived == connection.peer.to_controller.len() {
            connection.ends = connection.ends.or(Some(None));
        }
    }

    fn deliver(&mut self, len: usize) {
        if let Some(connection) = &self.connection {
            lock(connection).peer.deliver(len);
        }
        self.poll_peer();
    }

    fn room(&self, len: usize) {
        if let Some(connection) = &self.connection {
            lock(connection).room = len;
        }
    }

    fn end_line(&self, how: Option<ErrorKind>) {
        if let Some(connection) = &self.connection {
            lock(connection).ends = Some(how);
        }
    }

    /// Delivers all bytes in both directions until neither side sends more.
    fn exchange(&mut self) {
        for _ in 0..64 {
            self.turn();
            self.deliver(usize::MAX);
            self.arrive(usize::MAX);
            let quiet = self.connection.as_ref().is_none_or(|connection| {
                let connection = lock(connection);
                connection.ends.is_some() || connection.peer.to_device.is_empty() && connection.arrived == 0
            });
            if quiet {
                break;
            }
        }
        self.turn();
    }

    /// Lets time pass, with the link's turns in between.
    fn pass(&mut self, span: Duration) {
        let end = now() + span;
        for _ in 0..TURNS {
            self.poll_peer();
            self.turn();
            self.look();
            let now_is = (system_time(), now());
            let due = self.until.filter(|_| self.link.is_some());
            let due = due.map(|until| now_is.1 + until.saturating_duration_since(now_is.0));
            let next = due.filter(|due| *due < end).unwrap_or(end);
            set_time(next.max(now()));
            if next == end {
                self.poll_peer();
                self.turn();
                return;
            }
        }
        panic!("time does not pass");
    }

    fn reconfigure(&mut self, choice: u8, more: u8) {
        let Some(device) = &self.device else { return };
        self.writes.may_join |= joins(choice);
        let version = self.emulated.version;
        let _ = device.change(|builder| {
            let key = if more & 0x60 == 0x60 { OTHER_KEY } else { KEY };
            configure(builder, choice, more, version).local_key(LocalKey::new(key))
        });
    }

    fn listen(&mut self, choice: u8) {
        let Some(device) = &self.device else { return };
        match choice & 3 {
            0 if self.listeners.len() < 4 => self.listeners.push(device.listener()),
            1 if self.listeners.len() > 1 => drop(self.listeners.pop()),
            _ => {
                for listener in &mut self.listeners {
                    while listener.try_recv().is_some() {}
                }
            }
        }
        let _ = (device.state(), device.metrics(), format!("{device:?}"));
    }

    /// Ends everything: all commands must resolve, and the record must replay.
    fn finish(mut self) {
        self.answer_dial(Some(LossReason::Refused));
        self.end_line(Some(ErrorKind::ConnectionReset));
        self.pass(Duration::from_secs(7));
        self.close();
        self.device = None;
        self.pass(PATIENCE);
        assert!(self.ended && self.link.is_none(), "closed, and not at its end");
        self.look();
        assert!(self.open.is_empty(), "never decided");
        let mut cx = Context::from_waker(Waker::noop());
        for listener in &mut self.listeners {
            while let Poll::Ready(Some(_)) = listener.poll_recv(&mut cx) {}
            assert_eq!(listener.poll_recv(&mut cx), Poll::Ready(None), "a listener waits for one that has ended");
        }
        assert!(lock(&self.runtime.0).is_empty());
        let Some(buffer) = self.buffer.take() else { return };
        let record = lock(&buffer.0).clone();
        replays(&record, self.redacted);
    }
}

/// Checks that a record replays exactly. In a redacted one all values are equal, so that a push may match another
/// write: there, every line must only parse.
fn replays(record: &[u8], redacted: bool) {
    if record.is_empty() {
        return;
    }
    let replay = Replay::new(record).expect("a record");
    for step in replay.with_keys(vec![LocalKey::new(KEY), LocalKey::new(OTHER_KEY)]) {
        let step = step.unwrap_or_else(|error| panic!("{error}: {}", record.escape_ascii()));
        let _ = step.to_string();
        let diverged = matches!(step.what, Happened::Diverged(_)) && !redacted;
        assert!(!diverged, "{step}: {}", record.escape_ascii());
    }
}

/// Returns whether this configuration may join writes.
const fn joins(choice: u8) -> bool {
    matches!(choice >> 2 & 7, 1 | 4 | 5)
}

/// Configures a device as two bytes say.
fn configure(builder: DeviceBuilder, choice: u8, more: u8, right: Version) -> DeviceBuilder {
    let mut timing = Timing::DEFAULT;
    (timing.connect, timing.negotiate) = (Duration::from_secs(2), Duration::from_secs(1));
    timing.answer = Duration::from_millis([300, 1_000, 2_000, 5_000][usize::from(choice & 3)]);
    timing.heartbeat = Duration::from_secs(3);
    (timing.backoff_min, timing.backoff_max) = (Duration::from_millis(200), Duration::from_secs(4));
    let ms = Duration::from_millis;
    let pacing = match choice >> 2 & 7 {
        1 => Pacing::NONE.merge(ms(40)),
        2 => Pacing::NONE.gap(ms(30)),
        3 => Pacing::NONE.max_dps(1),
        4 => Pacing::NONE.max_dps(2).merge(ms(10)),
        5 => Pacing::NONE.sleeps(Duration::from_secs(2)),
        6 => Pacing::NONE.max_bytes(200).gap(ms(5)),
        _ => Pacing::NONE,
    };
    let version = match choice >> 5 {
        0 | 1 => None,
        2 => Some(Version::ALL[usize::from(more & 7) % Version::ALL.len()]),
        _ => Some(right),
    };
    let patience = [500, 2_000, 8_000, 100][usize::from(more >> 3 & 3)];
    builder
        .timing(timing)
        .pacing(pacing)
        .version(version)
        .persist(more & 0x80 == 0)
        .nowait(more & 0xe0 == 0x20)
        .command_timeout(ms(patience))
}
