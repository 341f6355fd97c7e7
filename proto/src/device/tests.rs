//! Behaviour of the machine alone. The tests crate tests it against the emulator.

extern crate std;

use std::vec::Vec;

use super::*;
use crate::ids::{DeviceId, DpId, LocalKey};
use crate::payload::{DpMap, DpValue, RequestData};
use crate::testing::Counter;
use crate::wire::command::CommandCode;

mod trust;

struct Bench {
    device: Device,
    rng: Counter,
    rx: RxBuf<[u8; 2048]>,
    tx: TxBuf<[u8; 2048]>,
    now: Instant,
}

#[derive(Debug, PartialEq)]
enum Seen {
    Dial(ConnId, SocketAddr),
    Hangup(ConnId),
    Up(Version),
    Down(DownReason, bool),
    Resolved(CommandId, Outcome),
    Message,
    Skipped(CommandCode, usize),
    Ignored(CommandCode, Repeated),
    Dialect,
}

impl Bench {
    fn new(adjust: impl FnOnce(DeviceConfig) -> DeviceConfig) -> Self {
        let config = DeviceConfig::new(
            DeviceId::new("eb0123456789abcdefghij").expect("valid"),
            LocalKey::from_text("0123456789abcdef").expect("valid"),
        )
        .address("192.0.2.1".parse().expect("valid"));
        let now = Instant::from_millis(1000);
        let device = Device::new(adjust(config), now);
        Self { device, rng: Counter::new(1), rx: RxBuf::new([0; 2048]), tx: TxBuf::new([0; 2048]), now }
    }

    /// Polls until `Wait`, and returns the events and the deadline.
    fn drain(&mut self) -> (Vec<Seen>, Option<Instant>) {
        let mut seen = Vec::new();
        for _ in 0..100 {
            seen.push(match self.device.poll(self.now, &mut self.rng, &mut self.rx, &mut self.tx) {
                Output::Dial { conn, to } => Seen::Dial(conn, to),
                Output::Hangup { conn } => Seen::Hangup(conn),
                Output::Event(Event::Up { version }) => Seen::Up(version),
                Output::Event(Event::Down { reason, retry_at }) => Seen::Down(reason, retry_at.is_some()),
                Output::Event(Event::Resolved { id, outcome, .. }) => Seen::Resolved(id, outcome),
                Output::Event(Event::Message(_)) => Seen::Message,
                Output::Event(Event::Skipped { command, len }) => Seen::Skipped(command, len),
                Output::Event(Event::Ignored { command, why }) => Seen::Ignored(command, why),
                Output::Event(Event::Dialect(_)) => Seen::Dialect,
                Output::Wait { until } => return (seen, until),
            });
        }
        panic!("poll never ends: {seen:?}");
    }

    fn dial(&mut self) -> ConnId {
        let (seen, _) = self.drain();
        match seen.last() {
            Some(Seen::Dial(conn, _)) => *conn,
            other => panic!("no dial but {other:?}"),
        }
    }

    fn connect(&mut self) -> ConnId {
        let conn = self.dial();
        self.device.handle_dialed(conn, self.now);
        conn
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    fn send(&mut self, command: &Command<'_>) -> Result<CommandId, SendError> {
        self.device.send(command, self.now, &mut self.rng, &mut self.tx)
    }
}

const ON: [(DpId, DpValue<'static>); 1] = [(DpId(1), DpValue::Bool(true))];

/// Only here, because other processors have other key schedules.
#[cfg(target_arch = "x86_64")]
#[test]
fn sizes_match_the_readme() {
    let readme = include_str!("../../README.md");
    let session = size_of::<crate::session::Session>();
    let keys = size_of::<crate::codec::Keys>();
    let claim = std::format!(
        "`Device` {} bytes, of which its session takes {session} and the prepared keys {keys}",
        size_of::<Device>()
    );
    assert!(readme.contains(&claim), "{claim}");
}

#[test]
fn a_dial_is_ordered_once_and_times_out_into_a_backoff() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let conn = b.dial();
    assert_eq!(b.drain().0, []);
    b.pass(4999);
    assert_eq!(b.drain().0, []);
    b.pass(1);
    let (seen, until) = b.drain();
    assert_eq!(seen, [Seen::Hangup(conn), Seen::Down(DownReason::Unreachable, true)]);
    let wait = until.expect("a retry is due").saturating_since(b.now);
    assert!(wait >= Duration::from_secs(1) && wait < Duration::from_millis(1500), "{wait:?}");
    assert_eq!(b.device.diagnosis(), Some(DownReason::Unreachable));
}

#[test]
fn delays_double_up_to_the_limit() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let mut last = Duration::ZERO;
    for attempt in 0..12u32 {
        let conn = b.dial();
        b.device.handle_lost(conn, LossReason::Refused, b.now);
        let (seen, until) = b.drain();
        assert_eq!(seen, [Seen::Down(DownReason::Refused, true)]);
        let wait = until.expect("a retry is due").saturating_since(b.now);
        let base = Duration::from_secs(1 << attempt.min(10)).min(Duration::from_secs(60));
        assert!(wait >= base && wait <= base + Duration::from_millis(500), "attempt {attempt}: {wait:?}");
        last = wait;
        b.now = until.expect("a retry is due");
    }
    assert!(last >= Duration::from_secs(60));
}

#[test]
fn limits_of_nothing_are_raised_to_the_least() {
    let nothing = |mut config: DeviceConfig, limit| {
        let Timing { connect, negotiate, answer, heartbeat, backoff_min, backoff_max } = &mut config.timing;
        for each in [connect, negotiate, answer, heartbeat, backoff_min, backoff_max] {
            *each = limit;
        }
        config.version(Version::V33)
    };
    for limit in [Duration::ZERO, Duration::from_nanos(1)] {
        let mut b = Bench::new(|c| nothing(c, limit));
        for _ in 0..3 {
            let conn = b.dial();
            b.device.handle_lost(conn, LossReason::Refused, b.now);
            let until = b.drain().1.expect("a retry is due");
            assert!(until.saturating_since(b.now) >= Timing::LEAST);
            b.now = until;
        }
        let mut b = Bench::new(|c| nothing(c, limit));
        let conn = b.connect();
        b.drain();
        b.pass(1);
        let until = b.drain().1.expect("a heartbeat is due");
        assert!(until > b.now, "{:?} in {until:?}", b.now);
        let (same, now) = (nothing(b.device.config().clone(), limit), b.now);
        b.device.reconfigure(same, now);
        assert_eq!(b.drain().0, [], "the same limits as before, on connection {conn:?}");
    }
}

#[test]
fn an_announcement_cuts_the_backoff_short_but_not_twice_in_a_row() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    for round in 0..2 {
        let conn = b.dial();
        b.device.handle_lost(conn, LossReason::Refused, b.now);
        b.drain();
        b.device.handle_announcement("192.0.2.1".parse().expect("valid"), None, b.now);
        let dialed = matches!(b.drain().0.as_slice(), [Seen::Dial(..)]);
        assert_eq!(dialed, round == 0, "round {round}");
        if dialed {
            // The next round begins with a fresh dial.
            let conn = ConnId(b.device.last_conn);
            b.device.handle_lost(conn, LossReason::Refused, b.now);
            let (_, until) = b.drain();
            b.device.handle_announcement("192.0.2.1".parse().expect("valid"), None, b.now);
            assert_eq!(b.drain().0, [], "a second wake at the same time");
            b.now = until.expect("a retry is due");
            b.device.last_wake = Some(b.now);
        }
    }
}

#[test]
fn an_early_announcement_is_deferred_not_lost() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let conn = b.dial();
    b.device.handle_lost(conn, LossReason::Refused, b.now);
    b.drain();
    let address = "192.0.2.1".parse().expect("valid");
    b.device.handle_announcement(address, None, b.now);
    let woken = b.now;
    let conn = b.dial();
    b.device.handle_lost(conn, LossReason::Refused, b.now);
    b.drain();
    b.now = b.now + Duration::from_millis(10);
    b.device.handle_announcement(address, None, b.now);
    assert_eq!(b.drain(), (Vec::new(), Some(woken + WAKE_INTERVAL)));
}

#[test]
fn a_configured_address_is_not_changed_by_announcements_and_an_open_one_follows() {
    let other: IpAddr = "192.0.2.9".parse().expect("valid");
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.device.handle_announcement(other, Some(Version::V35), b.now);
    assert!(matches!(b.drain().0.as_slice(), [Seen::Dial(_, to)] if to.ip() != other));
    assert_eq!(b.device.version(), Some(Version::V33));

    let mut b = Bench::new(|c| DeviceConfig { address: None, ..c });
    assert_eq!(b.drain(), (Vec::new(), None));
    b.device.handle_announcement(other, Some(Version::V35), b.now);
    assert!(matches!(b.drain().0.as_slice(), [Seen::Dial(_, to)] if to.ip() == other));
    assert_eq!(b.device.version(), Some(Version::V35));
}

#[test]
fn a_live_device_that_moves_is_checked_at_once() {
    let mut b = Bench::new(|config| DeviceConfig { address: None, ..config.version(Version::V33) });
    let (old, new) = ("192.0.2.1".parse().expect("valid"), "192.0.2.9".parse().expect("valid"));
    b.device.handle_announcement(old, None, b.now);
    b.connect();
    b.drain();
    receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"1":true}}"#);
    b.pass(5_000);
    b.drain();
    assert!(b.device.deadline().is_some_and(|due| due > b.now));
    b.device.handle_announcement(new, None, b.now);
    assert!(b.device.deadline().is_some_and(|due| due <= b.now), "a driver that sleeps until the deadline must wake");
    let (_, until) = b.drain();
    assert_eq!(until, b.device.deadline());
    b.pass(700);
    assert!(b.drain().0.iter().any(|seen| matches!(seen, Seen::Down(..))), "and given up without one");
}

#[test]
fn a_device_that_moves_right_after_it_was_located_is_checked_later() {
    let mut b = Bench::new(|config| DeviceConfig { address: None, ..config.version(Version::V33) });
    let (old, new) = ("192.0.2.1".parse().expect("valid"), "192.0.2.9".parse().expect("valid"));
    b.device.handle_announcement(old, None, b.now);
    let located = b.now;
    b.connect();
    b.drain();
    receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"1":true}}"#);
    b.pass(10);
    b.device.handle_announcement(new, None, b.now);
    assert_eq!(b.drain().1, Some(located + WAKE_INTERVAL));
    // The same address again changes nothing, and does not cancel the check.
    b.device.handle_announcement(new, None, b.now);
    b.now = located + WAKE_INTERVAL;
    b.drain();
    b.pass(700);
    let told = b.drain().0;
    assert!(told.iter().any(|seen| matches!(seen, Seen::Down(..))), "no sign of life: {told:?}");
    assert!(matches!(b.drain().0.last(), None | Some(Seen::Dial(..))));
    b.pass(1500);
    assert!(b.drain().0.iter().any(|seen| matches!(seen, Seen::Dial(_, to) if to.ip() == new)));
}

#[test]
fn announcements_that_name_other_addresses_keep_no_dead_connection_alive() {
    let mut b = Bench::new(|config| DeviceConfig { address: None, ..config.version(Version::V33) });
    let home: IpAddr = "192.0.2.1".parse().expect("valid");
    let forged: IpAddr = "192.0.2.66".parse().expect("valid");
    b.device.handle_announcement(home, None, b.now);
    b.connect();
    b.drain();
    // From now on the device is dead, and a forger announces two addresses in turn, ten times a second.
    let dead = b.now;
    let mut address = forged;
    while b.now.saturating_since(dead) < Duration::from_secs(30) {
        b.device.handle_announcement(address, None, b.now);
        address = if address == forged { home } else { forged };
        if b.drain().0.iter().any(|seen| matches!(seen, Seen::Down(..))) {
            break;
        }
        b.tx.clear();
        b.pass(100);
    }
    let took = b.now.saturating_since(dead);
    assert!(took <= Duration::from_secs(3), "{took:?}");
    assert!(b.device.last_wake.is_some_and(|last| last <= b.now + WAKE_INTERVAL), "no debt of wakes");
}

#[test]
fn many_announcements_in_one_instant_delay_no_later_reconnect() {
    let mut b = Bench::new(|config| DeviceConfig { address: None, ..config.version(Version::V33) });
    let home: IpAddr = "192.0.2.1".parse().expect("valid");
    b.device.handle_announcement(home, None, b.now);
    b.connect();
    b.drain();
    for n in 0..10_000_u32 {
        b.device.handle_announcement(IpAddr::from(core::net::Ipv4Addr::from(0xc000_0200 + n % 7)), None, b.now);
    }
    assert!(b.device.last_wake.is_some_and(|last| last <= b.now + WAKE_INTERVAL));
}

#[test]
fn relayed_announcements_are_reported_once_until_the_device_is_located() {
    let mut b = Bench::new(|config| DeviceConfig { address: None, ..config.version(Version::V33) });
    for _ in 0..3 {
        b.device.handle_relayed();
    }
    assert_eq!(b.drain(), (Vec::from([Seen::Down(DownReason::Relayed, false)]), None));
    assert_eq!(b.device.diagnosis(), Some(DownReason::Relayed));
    b.device.handle_announcement("192.0.2.1".parse().expect("valid"), None, b.now);
    b.connect();
    b.device.handle_relayed();
    let (seen, _) = b.drain();
    assert!(!seen.iter().any(|seen| matches!(seen, Seen::Down(..))), "{seen:?}");
    // With a configured address, that changes nothing.
    let mut b = Bench::new(|config| config.version(Version::V33));
    b.device.handle_relayed();
    assert_eq!(b.device.diagnosis(), None);
}

#[test]
fn a_busy_device_is_not_taken_for_one_with_another_key() {
    let mut b = Bench::new(|config| config.version(Version::V35));
    let mut told = Vec::new();
    for _ in 0..6 {
        let conn = b.connect();
        let (seen, _) = b.drain();
        assert_eq!(seen, []);
        // A device that closes at once has not read anything.
        b.tx.clear();
        b.device.handle_lost(conn, LossReason::Closed, b.now);
        let (seen, until) = b.drain();
        told.extend(seen);
        b.now = until.expect("a retry is due");
    }
    // The first attempt sends at once, because nothing is known yet.
    let busy = Seen::Down(DownReason::Busy, true);
    assert!(told.len() == 5 && told.iter().all(|seen| *seen == busy), "{told:?}");
}

#[test]
fn commands_are_refused_with_a_reason_and_without_a_trace() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let on = Command::set(DpMap::Pairs(&ON));
    assert_eq!(b.send(&on), Err(SendError::NotReady));
    b.connect();
    assert_eq!(b.drain().0, [Seen::Up(Version::V33)]);
    b.tx.clear();
    let no_dps = Command::set(DpMap::Pairs(&[]));
    let no_map = Command::set(DpMap::Json("[1]"));
    let no_number = Command::set(DpMap::Json(r#"{"a":1}"#));
    let negotiation = Command::raw(CommandCode::SESS_KEY_NEG_START, b"");
    let bad_cid = Command::status().with_cid("a\"b");
    for bad in [no_dps, no_map, no_number, negotiation, bad_cid] {
        assert_eq!(b.send(&bad), Err(SendError::InvalidData), "{bad:?}");
    }
    let long = std::string::String::from_utf8(std::vec![b'x'; 4096]).expect("ASCII");
    assert_eq!(b.send(&Command::raw(CommandCode::CONTROL, long.as_bytes())), Err(SendError::TooLarge));
    let mut short = TxBuf::new([0; 40]);
    let result = b.device.send(&on, b.now, &mut b.rng, &mut short);
    assert!(matches!(result, Err(SendError::NoRoom { need }) if need > 40));
    assert!(short.is_empty() && b.tx.is_empty());
    for _ in 0..8 {
        b.send(&on).expect("room for eight");
    }
    assert_eq!(b.send(&on), Err(SendError::TooMany));
    let sent = b.tx.pending().len();
    // The early heartbeat took sequence number 1; the refused commands took none.
    assert_eq!(b.tx.pending().get(4..8), Some(&2u32.to_be_bytes()[..]));
    assert_eq!(sent % 8, 0);
}

#[test]
fn unanswered_and_lost_commands_resolve_once() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let conn = b.connect();
    b.drain();
    let first = b.send(&Command::set(DpMap::Pairs(&ON)).with_timeout(Duration::from_millis(300))).expect("sent");
    let second = b.send(&Command::request(CommandCode::UPDATE_DPS, RequestData::None)).expect("sent");
    b.pass(300);
    assert_eq!(b.drain().0, [Seen::Resolved(first, Outcome::Unanswered)]);
    b.device.handle_lost(conn, LossReason::Reset, b.now);
    let (seen, _) = b.drain();
    assert_eq!(seen, [Seen::Down(DownReason::PeerClosed, true), Seen::Resolved(second, Outcome::ConnectionLost)]);
    b.device.handle_lost(conn, LossReason::Reset, b.now);
    assert_eq!(b.drain().0, [], "a stale fact changes nothing");
}

#[test]
fn two_missed_heartbeats_end_the_connection() {
    let mut b = Bench::new(|c| c.version(Version::V33).probe_on_failure(false));
    b.connect();
    assert_eq!(b.drain().0, [Seen::Up(Version::V33)]);
    assert!(!b.tx.is_empty(), "an early heartbeat");
    receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"1":true}}"#);
    for beat in ["the next one", "the second one"] {
        b.tx.clear();
        b.pass(if beat == "the next one" { 10_000 } else { 2500 });
        assert_eq!(b.drain().0, []);
        assert!(!b.tx.is_empty(), "{beat}");
    }
    b.pass(2499);
    assert_eq!(b.drain().0, []);
    b.pass(1);
    assert!(matches!(b.drain().0.as_slice(), [Seen::Hangup(_), Seen::Down(DownReason::Unresponsive, true)]));
}

#[test]
fn close_is_final_and_answers_everything() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let conn = b.connect();
    b.drain();
    let id = b.send(&Command::status()).expect("sent");
    b.device.close();
    let (seen, until) = b.drain();
    let end = [Seen::Hangup(conn), Seen::Down(DownReason::Ended, false), Seen::Resolved(id, Outcome::ConnectionLost)];
    assert_eq!(seen, end);
    assert_eq!(until, None);
    b.device.connect_now(b.now);
    b.device.handle_announcement("192.0.2.1".parse().expect("valid"), None, b.now);
    assert_eq!(b.drain(), (Vec::new(), None));
}

#[test]
fn a_connection_that_is_not_kept_ends_by_itself_and_comes_back_on_request() {
    let mut b = Bench::new(|c| c.version(Version::V33).persist(false));
    assert_eq!(b.drain(), (Vec::new(), None));
    b.device.connect_now(b.now);
    let conn = b.connect();
    assert_eq!(b.drain().0, [Seen::Up(Version::V33)]);
    receive(&mut b, CommandCode::HEART_BEAT, 0, "");
    b.pass(1000);
    assert_eq!(b.drain(), (std::vec![Seen::Hangup(conn), Seen::Down(DownReason::Ended, false)], None));
    b.device.connect_now(b.now);
    b.dial();
}

#[test]
fn garbage_ends_the_connection_after_three_tries() {
    let mut b = Bench::new(|c| c.version(Version::V33).probe_on_failure(false));
    let conn = b.connect();
    b.drain();
    let junk = [0u8, 0, 0x55, 0xaa, 0, 0, 0, 1, 0, 0, 0, 8, 0xff, 0xff, 0xff, 0xff].repeat(3);
    b.rx.spare_mut()[..junk.len()].copy_from_slice(&junk);
    b.rx.commit(junk.len());
    let (seen, _) = b.drain();
    assert_eq!(seen, [Seen::Hangup(conn), Seen::Down(DownReason::Garbage, true)]);
    assert_eq!(b.device.stats().bad_frames, 3);
}

#[test]
fn reconfiguring_resolves_pending_commands_and_dials_anew() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let conn = b.connect();
    b.drain();
    let id = b.send(&Command::status()).expect("sent");
    let same = b.device.config().clone();
    b.device.reconfigure(same.clone(), b.now);
    assert_eq!(b.drain().0, [], "the same configuration changes nothing");
    b.device.reconfigure(same.port(7777), b.now);
    let (seen, _) = b.drain();
    assert_eq!(
        seen[..3],
        [Seen::Hangup(conn), Seen::Down(DownReason::Ended, true), Seen::Resolved(id, Outcome::ConnectionLost)]
    );
    assert!(matches!(seen[3], Seen::Dial(_, to) if to.port() == 7777));
}

#[test]
fn debug_output_shows_no_key() {
    let b = Bench::new(|c| c);
    let text = std::format!("{:?} {:?}", b.device, b.device.config());
    assert!(text.contains("eb0123456789abcdefghij") && !text.contains("0123456789abcdef\""));
    assert!(!text.contains("[48, 49"));
}

#[test]
fn silence_is_noticed_without_room_for_a_heartbeat() {
    let mut b = Bench::new(|c| c.version(Version::V33).probe_on_failure(false));
    b.connect();
    b.drain();
    receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"1":true}}"#);
    // The network accepts no more bytes.
    let mut tx = b.tx.lend();
    let room = tx.spare().len();
    tx.commit(room);
    b.pass(10_000);
    b.drain();
    b.pass(2_500);
    assert_eq!(b.drain().0, []);
    b.pass(2_500);
    assert!(b.drain().0.contains(&Seen::Down(DownReason::Unresponsive, true)));
}

#[test]
fn commands_that_expire_in_a_row_provoke_a_heartbeat() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.connect();
    b.drain();
    let beats = |b: &mut Bench| {
        b.tx.clear();
        b.drain();
        b.tx.pending().get(8..12) == Some(&CommandCode::HEART_BEAT.0.to_be_bytes()[..])
    };
    for heard in [true, false] {
        receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"9":true}}"#);
        b.send(&Command::set(DpMap::Pairs(&ON)).with_timeout(Duration::from_millis(300))).expect("sent");
        b.pass(300);
        assert!(!beats(&mut b), "one may be lost");
        if heard {
            receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"9":true}}"#);
        }
        b.send(&Command::set(DpMap::Pairs(&ON)).with_timeout(Duration::from_millis(300))).expect("sent");
        b.pass(300);
        assert_eq!(beats(&mut b), !heard);
    }
}

#[test]
fn only_frames_of_both_sides_postpone_the_heartbeat() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.connect();
    b.drain();
    // The answer to the early heartbeat, and a frame that proves the key.
    receive(&mut b, CommandCode::HEART_BEAT, 0, "");
    receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"1":true}}"#);
    b.tx.clear();
    b.pass(9_000);
    b.send(&Command::raw(CommandCode(0x0c), b"{}").with_timeout(Duration::from_secs(60))).expect("sent");
    receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"1":true}}"#);
    b.tx.clear();
    b.pass(9_999);
    let (_, until) = b.drain();
    assert!(b.tx.is_empty(), "nothing is due yet");
    assert_eq!(until, Some(b.now + Duration::from_millis(1)));
    b.pass(1);
    b.drain();
    assert_eq!(b.tx.pending().get(8..12), Some(&CommandCode::HEART_BEAT.0.to_be_bytes()[..]));
}

#[test]
fn a_device22_control_goes_out_under_the_other_code_after_silence() {
    let mut b = Bench::new(|c| c.version(Version::V33).dialect(Dialect::Device22));
    b.connect();
    b.drain();
    for expected in [CommandCode::CONTROL, CommandCode::CONTROL_NEW, CommandCode::CONTROL] {
        b.tx.clear();
        let id = b.send(&Command::set(DpMap::Pairs(&ON)).with_timeout(Duration::from_millis(100))).expect("sent");
        assert_eq!(b.tx.pending().get(8..12), Some(&expected.0.to_be_bytes()[..]));
        b.pass(100);
        assert!(b.drain().0.contains(&Seen::Resolved(id, Outcome::Unanswered)));
    }
}

/// Seals a frame as a device of 3.3 does.
fn say(command: CommandCode, seqno: u32, text: &str, out: &mut [u8]) -> usize {
    let keys = crate::codec::Keys::new(Version::V33, b"0123456789abcdef");
    let retcode = Some(crate::wire::command::RetCode::OK);
    let head = crate::codec::Head { sender: crate::codec::Sender::Device, seqno, command, retcode, header: None };
    crate::codec::seal(&keys, &head, &[0; 12], text.as_bytes(), out).expect("room")
}

/// Receives a frame of a device of 3.3.
fn receive(b: &mut Bench, command: CommandCode, seqno: u32, text: &str) -> Vec<Seen> {
    let len = say(command, seqno, text, b.rx.spare_mut());
    b.rx.commit(len);
    b.drain().0
}

#[test]
fn answers_find_their_commands() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.connect();
    b.drain();
    let set = b.send(&Command::set(DpMap::Pairs(&ON))).expect("sent");
    let child = b.send(&Command::status().with_cid("c1")).expect("sent");
    let whole = b.send(&Command::status()).expect("sent");
    // The state of the child is not the answer of the device, in any order.
    let seen = receive(&mut b, CommandCode::DP_QUERY, 0, r#"{"dps":{"1":true}}"#);
    assert!(matches!(seen.as_slice(), [Seen::Resolved(id, Outcome::Acknowledged { .. })] if *id == whole));
    let seen = receive(&mut b, CommandCode::DP_QUERY, 0, r#"{"dps":{"1":true},"cid":"c2"}"#);
    assert_eq!(seen, [Seen::Message], "another child's");
    let seen = receive(&mut b, CommandCode::DP_QUERY, 0, r#"{"dps":{"1":true},"cid":"c1"}"#);
    assert!(matches!(seen.as_slice(), [Seen::Resolved(id, Outcome::Acknowledged { .. })] if *id == child));
    let seen = receive(&mut b, CommandCode::CONTROL, 0, "parse data error");
    let rejected = Outcome::Rejected {
        retcode: Some(crate::wire::command::RetCode::OK),
        error: Some(crate::payload::DeviceError::ParseData),
    };
    assert_eq!(seen, [Seen::Resolved(set, rejected)], "words are a refusal, also with return code 0");
}

/// Seals a frame of `version` as a device with this key does.
fn seal_under(version: Version, key: &[u8; 16], command: CommandCode, seqno: u32, text: &[u8]) -> Vec<u8> {
    let retcode = Some(crate::wire::command::RetCode::OK);
    let head = crate::codec::Head { sender: crate::codec::Sender::Device, seqno, command, retcode, header: None };
    let mut out = std::vec![0; 1024];
    let len = crate::codec::seal(&crate::codec::Keys::new(version, key), &head, &[7; 12], text, &mut out);
    out.truncate(len.expect("room"));
    out
}

/// Receives these bytes.
fn arrive(b: &mut Bench, bytes: &[u8]) -> Vec<Seen> {
    b.rx.spare_mut()[..bytes.len()].copy_from_slice(bytes);
    b.rx.commit(bytes.len());
    b.drain().0
}

const KEY: &[u8; 16] = b"0123456789abcdef";
const OTHER: &[u8; 16] = b"fedcba9876543210";
const PUSH: &[u8] = br#"{"protocol":4,"t":1,"data":{"dps":{"1":true}}}"#;

#[test]
fn three_misplaced_frames_end_the_negotiation() {
    let mut b = Bench::new(|c| c.version(Version::V34).probe_on_failure(false));
    let conn = b.connect();
    b.drain();
    for round in 1..=3 {
        let frame = seal_under(Version::V34, KEY, CommandCode::SESS_KEY_NEG_FINISH, round, &[0; 32]);
        let seen = arrive(&mut b, &frame);
        let end = [Seen::Hangup(conn), Seen::Down(DownReason::Garbage, true)];
        assert_eq!(seen, if round < 3 { &[][..] } else { &end[..] }, "frame {round}");
    }
}

#[test]
fn pushes_under_the_local_key_are_read_where_the_negotiation_shows_that_they_are_new() {
    for version in [Version::V34, Version::V35] {
        let mut b = Bench::new(|c| c.version(version));
        b.connect();
        b.drain();
        let start = b.tx.pending().to_vec();
        b.tx.clear();
        for n in 1..=5 {
            let push = seal_under(version, KEY, CommandCode::STATUS, n, PUSH);
            let ignored = [Seen::Ignored(CommandCode::STATUS, Repeated::Replayed)];
            assert_eq!(arrive(&mut b, &push), ignored, "{version}: it may have been recorded on any connection");
        }
        // The device answers, and pushes once more before it has processed the end of the negotiation.
        let local = LocalKey::from_text("0123456789abcdef").expect("valid");
        let keys = crate::codec::Keys::new(version, KEY);
        let mut start = start;
        let opened = crate::codec::open(&keys, crate::codec::Sender::Controller, &mut start).expect("ours");
        let theirs = *start[opened.payload].first_chunk().expect("a nonce");
        let mut ours = *b"8655251406c6abcd";
        let key = loop {
            let derived = crate::session::handshake::derive_session_key(version, &local, &theirs, &ours);
            match derived.filter(|key| !key.is_refused_by_firmware()) {
                Some(key) => break key,
                None => ours[0] += 1,
            }
        };
        let proof = crate::session::handshake::negotiation_proof(&local, &theirs);
        let resp: Vec<u8> = ours.iter().chain(&proof).copied().collect();
        let resp = seal_under(version, KEY, CommandCode::SESS_KEY_NEG_RESP, 6, &resp);
        assert_eq!(arrive(&mut b, &resp), [Seen::Up(version)]);
        let set = b.send(&Command::set(DpMap::Pairs(&ON))).expect("sent");
        for n in 7..=11 {
            let push = seal_under(version, KEY, CommandCode::STATUS, n, PUSH);
            assert_eq!(arrive(&mut b, &push), [Seen::Message], "{version}, right after: no answer to a command");
            // Only a frame with the next number belongs to this connection.
            for other in [0, n - 1, n, n + 2, 4711] {
                let push = seal_under(version, KEY, CommandCode::STATUS, other, PUSH);
                let ignored = [Seen::Ignored(CommandCode::STATUS, Repeated::Replayed)];
                assert_eq!(arrive(&mut b, &push), ignored, "{version}, {other} after {n}");
            }
        }
        let ack = seal_under(version, key.expose(), CommandCode::CONTROL_NEW, 12, b"");
        let seen = arrive(&mut b, &ack);
        assert!(matches!(seen.as_slice(), [Seen::Resolved(id, Outcome::Acknowledged { .. })] if *id == set));
        // From now on the device has the session key: frames under the local key are from another sender.
        assert_eq!(b.device.stats().bad_frames, 0);
        let push = seal_under(version, KEY, CommandCode::STATUS, 13, PUSH);
        assert_eq!(arrive(&mut b, &push), []);
        assert_eq!(b.device.stats().bad_frames, 1);
    }
}

#[test]
fn a_frame_of_the_configured_version_that_fails_is_a_wrong_key_at_once_in_every_step() {
    for version in [Version::V33, Version::V34, Version::V35] {
        for steps in 0..4 {
            let mut b = Bench::new(|c| c.version(version));
            let mut conn = b.connect();
            b.drain();
            // Silence for this number of steps of the search.
            for _ in 0..steps {
                b.pass(700);
                let (seen, until) = b.drain();
                let provisional = [Seen::Hangup(conn), Seen::Down(DownReason::Unresponsive, true)];
                assert!(seen == provisional[..1] || (version == Version::V33 && seen == provisional), "{seen:?}");
                b.now = until.expect("the next step is due");
                conn = b.connect();
                b.drain();
            }
            let frame = seal_under(version, OTHER, CommandCode::STATUS, 1, PUSH);
            let seen = arrive(&mut b, &frame);
            let verdict = DownReason::WrongKey { sure: true };
            assert_eq!(seen, [Seen::Hangup(conn), Seen::Down(verdict, true)], "{version}, step {steps}");
            assert_eq!(b.device.diagnosis(), Some(verdict));
        }
    }
}

#[test]
fn the_form_of_a_frame_shows_the_version_with_any_key() {
    for key in [KEY, OTHER] {
        for ours in Version::ALL {
            for theirs in [Version::V33, Version::V34, Version::V35] {
                if ours.scheme() == theirs.scheme() {
                    continue;
                }
                let mut b = Bench::new(|c| c.version(ours));
                let conn = b.connect();
                b.drain();
                // An answer to a query, of 32 bytes of ciphertext if it is encrypted.
                let frame = seal_under(theirs, key, CommandCode::DP_QUERY, 1, b"json obj data unvalid");
                let verdict = DownReason::WrongVersion { speaks: Some(theirs) };
                assert_eq!(arrive(&mut b, &frame), [Seen::Hangup(conn), Seen::Down(verdict, true)], "{ours}, {theirs}");
            }
        }
    }
    // 3.1 sends its state in the clear, and pushes in an envelope that no other version has.
    for ours in [Version::V32, Version::V33, Version::V34, Version::V35] {
        for command in [CommandCode::DP_QUERY, CommandCode::STATUS] {
            let mut b = Bench::new(|c| c.version(ours));
            let conn = b.connect();
            b.drain();
            let frame = seal_under(Version::V31, KEY, command, 0, r#"{"dps":{"1":"\u00e9 é"}}"#.as_bytes());
            let verdict = DownReason::WrongVersion { speaks: Some(Version::V31) };
            assert_eq!(arrive(&mut b, &frame), [Seen::Hangup(conn), Seen::Down(verdict, true)], "{ours}, {command:?}");
        }
    }
}

/// Connects when the next attempt is due.
fn reconnect(b: &mut Bench) -> ConnId {
    let (_, until) = b.drain();
    b.now = until.expect("a retry is due");
    b.connect()
}

/// Receives a frame of a device of `version` with this key.
fn receive_under(b: &mut Bench, version: Version, key: &[u8; 16], text: &str) -> Vec<Seen> {
    let retcode = Some(crate::wire::command::RetCode::OK);
    let (sender, command) = (crate::codec::Sender::Device, CommandCode::DP_QUERY);
    let head = crate::codec::Head { sender, seqno: 1, command, retcode, header: None };
    let keys = crate::codec::Keys::new(version, key);
    let len = crate::codec::seal(&keys, &head, &[0; 12], text.as_bytes(), b.rx.spare_mut()).expect("room");
    b.rx.commit(len);
    b.drain().0
}

#[test]
fn after_a_wrong_key_only_an_answer_that_decrypts_brings_the_device_up() {
    const STATE: &str = r#"{"dps":{"1":true}}"#;
    let verdict = DownReason::WrongKey { sure: true };
    let other = b"fedcba9876543210";
    // Proofs of the key: an answer, or the refusal of a query that was read, also in the clear text of 3.1.
    for (version, proof) in
        [(Version::V33, STATE), (Version::V33, "data format error"), (Version::V31, "json obj data unvalid")]
    {
        let mut b = Bench::new(|c| c.version(Version::V33));
        let conn = b.connect();
        assert_eq!(b.drain().0, [Seen::Up(Version::V33)]);
        let down = |conn| [Seen::Hangup(conn), Seen::Down(verdict, true)];
        assert_eq!(receive_under(&mut b, Version::V33, other, STATE), down(conn));
        for attempt in 0..6 {
            let conn = reconnect(&mut b);
            assert_eq!(b.drain().0, [], "attempt {attempt}: up before anything is proven");
            assert_eq!(b.tx.pending().get(8..12), Some(&CommandCode::DP_QUERY.0.to_be_bytes()[..]));
            let seen = match attempt % 3 {
                0 => receive_under(&mut b, Version::V33, other, STATE),
                1 => receive_under(&mut b, Version::V31, other, "data format error"),
                _ => {
                    b.pass(5000);
                    b.drain().0
                }
            };
            assert_eq!(seen, down(conn), "attempt {attempt}");
            assert_eq!(b.device.diagnosis(), Some(verdict));
        }
        reconnect(&mut b);
        b.drain();
        assert_eq!(receive_under(&mut b, version, b"0123456789abcdef", proof), [Seen::Up(Version::V33)], "{proof}");
        assert_eq!(b.device.diagnosis(), None);
    }
}

#[test]
fn a_device_that_only_closed_before_need_not_answer_a_query() {
    let mut b = Bench::new(|c| c.version(Version::V33).probe_on_failure(false));
    let conn = b.connect();
    assert_eq!(b.drain().0, [Seen::Up(Version::V33)]);
    b.device.handle_lost(conn, LossReason::Closed, b.now);
    // A single close may be a power cut.
    assert_eq!(b.drain().0, [Seen::Down(DownReason::PeerClosed, true)]);
    for round in 0..3 {
        let conn = reconnect(&mut b);
        b.drain();
        if b.tx.is_empty() {
            b.pass(250);
            b.drain();
        }
        // It closes on the first frame.
        b.device.handle_lost(conn, LossReason::Closed, b.now);
        assert_eq!(b.drain().0, [Seen::Down(DownReason::KeyOrVersion, true)], "{round}");
    }
    reconnect(&mut b);
    b.drain();
    b.pass(250);
    b.drain();
    b.pass(5000);
    assert_eq!(b.drain().0.last(), Some(&Seen::Down(DownReason::Silent, true)));
    reconnect(&mut b);
    assert_eq!(b.drain().0, [Seen::Up(Version::V33)], "it listens, and nothing says that the key is wrong");
}

#[test]
fn a_device_that_closes_by_itself_is_busy_however_long_it_takes() {
    for version in [None, Some(Version::V33), Some(Version::V34), Some(Version::V35)] {
        for millis in [0, 40, 240, 300, 1_000, 1_900] {
            let mut b = Bench::new(|c| match version {
                Some(version) => c.version(version),
                None => c,
            });
            let (mut told, mut open) = (Vec::new(), None);
            'life: while b.now < Instant::from_millis(120_000) {
                let (seen, until) = b.drain();
                b.tx.consume(usize::MAX);
                for seen in seen {
                    match seen {
                        Seen::Dial(conn, _) => {
                            b.device.handle_dialed(conn, b.now);
                            open = Some((conn, b.now + Duration::from_millis(millis)));
                            continue 'life;
                        }
                        Seen::Hangup(_) => open = None,
                        Seen::Down(reason, _) => told.push(reason),
                        _ => {}
                    }
                }
                match open {
                    Some((conn, closes)) if until.is_none_or(|until| closes <= until) => {
                        b.now = b.now.max(closes);
                        b.device.handle_lost(conn, LossReason::Closed, b.now);
                        open = None;
                    }
                    _ => b.now = until.expect("there is always something to be done"),
                }
            }
            assert!(!told.iter().any(|reason| reason.is_auth()), "{version:?} after {millis} ms: {told:?}");
            assert_eq!(b.device.diagnosis(), Some(DownReason::Busy), "{version:?} after {millis} ms: {told:?}");
        }
    }
}

/// Returns a header of a 55AA frame of `len` bytes.
fn header(seqno: u32, command: CommandCode, len: usize) -> Vec<u8> {
    let length = u32::try_from(len - 16).expect("small");
    let fields = [0x0000_55aa, seqno, command.0, length];
    fields.iter().flat_map(|field| field.to_be_bytes()).collect()
}

#[test]
fn a_frame_that_is_too_large_is_skipped_and_reported() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.connect();
    assert_eq!(b.drain().0, [Seen::Up(Version::V33)]);
    let id = b.send(&Command::status()).expect("room");
    let receive = |b: &mut Bench, bytes: &[u8]| {
        b.rx.spare_mut()[..bytes.len()].copy_from_slice(bytes);
        b.rx.commit(bytes.len());
        b.drain().0
    };
    // A push first, then the answer. Bytes inside of them that look like frames are not frames.
    let mut push = header(0, CommandCode::STATUS, 3000);
    while push.len() < 3000 {
        push.extend(header(1, CommandCode::DP_QUERY, 32));
    }
    push.truncate(3000);
    let (first, rest) = push.split_at(1000);
    assert_eq!(receive(&mut b, first), [Seen::Skipped(CommandCode::STATUS, 3000)]);
    assert_eq!(receive(&mut b, rest), []);
    let answer = header(1, CommandCode::DP_QUERY, 2049);
    assert_eq!(receive(&mut b, &answer), [Seen::Resolved(id, Outcome::TooLong { len: 2049 })]);
    assert_eq!(receive(&mut b, &[0xaa; 2032]), []);
    // One byte is missing.
    assert_eq!(receive(&mut b, &[0]), []);
    // An implausible header is no header: its bytes are searched for frames.
    assert_eq!(receive(&mut b, &header(1, CommandCode(0x100), 5000)), []);
    assert_eq!(receive(&mut b, &header(2, CommandCode::STATUS, 5000)), [Seen::Skipped(CommandCode::STATUS, 5000)]);
    assert_eq!((b.device.stats().skipped, b.device.stats().bad_frames, b.device.is_up()), (3, 1, true));
}

#[test]
fn a_growing_buffer_waits_for_more_storage() {
    let mut rx = RxBuf::growing(std::vec![0; 8], 64);
    rx.spare_mut().copy_from_slice(b"\0\0\x55\xaa\0\0\0\x01");
    rx.commit(8);
    assert!(rx.spare_mut().is_empty());
    assert_eq!(rx.replace(std::vec![0; 32]).len(), 8);
    assert_eq!((rx.capacity(), rx.len(), rx.spare_mut().len()), (32, 8, 24));
    assert_eq!(rx.lend().limit(), 64);
    assert_eq!(rx.replace(std::vec![0; 4]).len(), 32);
    assert_eq!(rx.into_storage(), b"\0\0\x55\xaa");
}

#[test]
fn a_write_ends_between_frames_or_finishes_the_one_that_was_begun() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.connect();
    b.drain();
    b.tx.clear();
    let ends: Vec<usize> = (0..3)
        .map(|_| {
            b.send(&Command::set(DpMap::Pairs(&ON))).expect("room");
            b.tx.pending().len()
        })
        .collect();
    assert_eq!(b.tx.next_write(1024).len(), ends[2]);
    assert_eq!(b.tx.next_write(ends[1] + 10).len(), ends[1], "whole frames only");
    assert_eq!(b.tx.next_write(10).len(), ends[0], "one at least");
    b.tx.consume(ends[0]);
    assert!(!b.tx.is_cut());
    b.tx.consume(5);
    assert!(b.tx.is_cut());
    assert_eq!(b.tx.next_write(1024).len(), ends[1] - ends[0] - 5, "the rest of the one that was begun");
    // Frames that are added meanwhile come behind it.
    b.send(&Command::set(DpMap::Pairs(&ON))).expect("room");
    assert_eq!(b.tx.next_write(1024).len(), ends[1] - ends[0] - 5);
    b.tx.consume(ends[1] - ends[0] - 5);
    assert!(!b.tx.is_cut());
    b.tx.consume(usize::MAX);
    assert!(b.tx.is_empty() && b.tx.next_write(1024).is_empty());
}

#[test]
fn a_command_may_have_a_size_limit_of_its_own() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.connect();
    b.drain();
    let size = {
        b.tx.clear();
        b.send(&Command::set(DpMap::Pairs(&ON))).expect("room");
        b.tx.pending().len()
    };
    assert_eq!(b.send(&Command::set(DpMap::Pairs(&ON)).with_frame_limit(size - 1)), Err(SendError::TooLarge));
    assert!(b.send(&Command::set(DpMap::Pairs(&ON)).with_frame_limit(size)).is_ok());
    assert_eq!(b.tx.pending().len(), 2 * size, "the limit is that of the frame, not of the buffer");
}

#[test]
fn a_cut_while_connecting_blames_neither_key_nor_version() {
    for version in [None, Some(Version::V31), Some(Version::V33), Some(Version::V34), Some(Version::V35)] {
        for why in [LossReason::Reset, LossReason::Closed] {
            let mut b = Bench::new(|c| DeviceConfig { version, ..c });
            let conn = b.connect();
            let (mut told, _) = b.drain();
            b.device.handle_lost(conn, why, b.now);
            for refused in [LossReason::TimedOut, LossReason::Refused] {
                let (seen, until) = b.drain();
                told.extend(seen);
                b.now = until.expect("a retry is due");
                let conn = b.dial();
                b.device.handle_lost(conn, refused, b.now);
            }
            told.extend(b.drain().0);
            let blames = |seen: &Seen| matches!(seen, Seen::Down(reason, _) if reason.is_auth());
            assert!(!told.iter().any(blames), "{version:?}: {told:?}");
            assert_eq!(b.device.diagnosis(), Some(DownReason::Refused));
        }
    }
}

#[test]
fn with_no_version_known_a_frame_under_another_key_is_a_wrong_key_at_once() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let mut b = Bench::new(|c| c);
        let conn = b.connect();
        b.drain();
        let frame = seal_under(version, OTHER, CommandCode::DP_QUERY, 1, b"json obj data unvalid");
        let verdict = DownReason::WrongKey { sure: true };
        assert_eq!(arrive(&mut b, &frame), [Seen::Hangup(conn), Seen::Down(verdict, true)], "{version}");
        assert_eq!(b.device.diagnosis(), Some(verdict));
    }
}

#[test]
fn a_decision_after_silence_is_sent_at_once() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    let refuse =
        |b: &mut Bench, code, seqno| arrive(b, &seal_under(Version::V33, KEY, code, seqno, b"json obj data unvalid"));
    let ids = [DpId(20), DpId(101)];
    for connection in 0..2 {
        b.connect();
        b.drain();
        let id = b.send(&Command::status_of(&ids)).expect("sent");
        b.drain();
        for (seqno, pause) in [(2, 300), (3, 700)] {
            assert_eq!(refuse(&mut b, CommandCode::DP_QUERY, seqno), [], "it is asked again");
            b.pass(pause);
            b.drain();
        }
        // Silence on the query of later versions is the third refusal.
        b.tx.clear();
        b.pass(500);
        let (seen, until) = b.drain();
        if connection == 0 {
            assert!(seen.contains(&Seen::Resolved(id, Outcome::ConnectionLost)), "{seen:?}");
            b.now = until.expect("a dial is due");
        } else {
            assert!(!b.tx.pending().is_empty(), "the request to measure went out");
            assert!(
                until.is_some_and(|until| until <= b.now + Duration::from_millis(500)),
                "and silence on it is short"
            );
        }
    }
}

/// Fails to compile for a new reason, which must be added to the list.
#[test]
fn every_reason_is_in_the_list_once() {
    let place = |reason: DownReason| match reason {
        DownReason::Unreachable => 0,
        DownReason::Refused => 1,
        DownReason::Busy => 2,
        DownReason::Silent => 3,
        DownReason::WrongKey { .. } => 4,
        DownReason::WrongVersion { .. } => 5,
        DownReason::LeftOut { .. } => 6,
        DownReason::KeyOrVersion => 7,
        DownReason::PeerClosed => 8,
        DownReason::Unresponsive => 9,
        DownReason::Garbage => 10,
        DownReason::Unresolved => 11,
        DownReason::Relayed => 12,
        DownReason::Ended => 13,
        DownReason::TooOld { .. } => 14,
        DownReason::OutOfDescriptors => 15,
    };
    assert!(DownReason::ALL.into_iter().map(place).eq(0..DownReason::ALL.len()));
}
