//! Sessions with an emulated device are recorded, searched for what must not be in a record, and replayed.

mod damage;
mod rig;

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::io::Write;

use rustuya_proto::{
    Cid, Command, CommandCode, DeviceConfig, DeviceId, Dialect, DownReason, DpId, DpMap, DpValue, EmulatorConfig,
    ErrorReply, Instant, LocalKey, Outcome, Quirks, RequestData, Version,
};

use rustuya_runtime::tap::{Tap as _, TapEvent};
use rustuya_seeded::SeededRng;

use super::{Happened, RecordErrorKind, Recorder, Replay, SharedWriter};
use rig::{Delivery, Model, Rig, Told, replayed};

const KEY: &[u8; 16] = b"p;Qz#1'Kx~4\"w(R_";
const OTHER_KEY: &[u8; 16] = b"another-key-0000";
const ID: &str = "bf8a6c1e9d4702kqztyu";
const CID: &str = "a4c138f00dbeef42";
const OTHER_CID: &str = "a4c138f00dbeef43";
const SECRET: &str = "Kitchen WLAN";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 20, 30, 40));

/// A file that is looked at while it is written.
#[derive(Clone, Default)]
struct Memory(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }
}

fn config(version: Option<Version>, key: &[u8; 16]) -> DeviceConfig {
    let mut config = DeviceConfig::new(DeviceId::new(ID).expect("an id"), LocalKey::new(*key)).address(ADDRESS);
    config.version = version;
    config
}

fn emulated(version: Version) -> EmulatorConfig {
    let mut config = EmulatorConfig::new(DeviceId::new(ID).expect("an id"), version, LocalKey::new(*KEY));
    // These tests cut frames anywhere.
    config.quirks.strict_reads = false;
    config
}

fn model(children: bool) -> Model {
    let mut model = Model::new();
    model.set(None, DpId(1), DpValue::Bool(false)).expect("room");
    model.set(None, DpId(2), DpValue::Int(-471_147_114_711)).expect("room");
    model.set(None, DpId(101), DpValue::text(SECRET)).expect("room");
    if children {
        for (cid, online) in [(CID, true), (OTHER_CID, false)] {
            model.set_child(&Cid::new(cid).expect("a cid"), online).expect("room");
            model.set(Some(cid), DpId(1), DpValue::Bool(true)).expect("room");
        }
    }
    model
}

const ON: RequestData<'_> =
    RequestData::Dps(DpMap::Pairs(&[(DpId(1), DpValue::Bool(true)), (DpId(101), DpValue::text("Küche\"1"))]));

/// Makes use of every function of a device.
fn chat(rig: &mut Rig) {
    let second = Duration::from_secs(1);
    rig.run(second * 2);
    let query = Command::request(CommandCode::DP_QUERY, RequestData::None).with_unix_time(1_700_000_000);
    rig.ask(query);
    rig.run(second);
    rig.ask(Command::request(CommandCode::DP_QUERY, RequestData::Ids(&[DpId(1), DpId(2), DpId(101)])));
    rig.run(second);
    rig.ask(Command::request(CommandCode::CONTROL, ON).with_unix_time(1_700_000_001));
    rig.run(second);
    rig.ask(Command::request(
        CommandCode::CONTROL,
        RequestData::Dps(DpMap::Json(r#"{ "1": false, "101" : "Küche 😀" }"#)),
    ));
    rig.ask(Command::request(CommandCode::UPDATE_DPS, RequestData::Ids(&[DpId(2), DpId(18)])));
    rig.run(second);
    rig.ask(query.with_cid(CID).with_timeout(second));
    rig.ask(Command::request(CommandCode::CONTROL, RequestData::Dps(DpMap::Json(r#"{"1":false}"#))).with_cid(CID));
    rig.run(second * 2);
    rig.ask(Command::request(CommandCode::LAN_EXT_STREAM, RequestData::None));
    rig.ask(Command::raw(CommandCode::DP_QUERY, br#"{"gwId":"bf8a6c1e9d4702kqztyu","note":"Kitchen WLAN"}"#));
    rig.ask(Command::request(CommandCode::CONTROL, RequestData::Json("no JSON")).with_cid("bad \" cid"));
    rig.run(second * 25);
}

struct Recorded {
    record: Vec<u8>,
    told: Vec<Told>,
    texts: Vec<String>,
}

fn record(config: &DeviceConfig, emulated: EmulatorConfig, full: bool, act: impl FnOnce(&mut Rig)) -> Recorded {
    let file = Memory::default();
    let recorder = if full { Recorder::full(file.clone()) } else { Recorder::redacted(file.clone()) };
    let mut rig = Rig::new(config, emulated, Box::new(recorder), 7);
    rig.model = model(false);
    act(&mut rig);
    rig.close();
    let (told, texts) = (rig.told.clone(), rig.texts.clone());
    drop(rig);
    Recorded { record: file.bytes(), told, texts }
}

/// Replays a redacted record and compares; the masked payloads are returned.
fn same(recorded: &Recorded, what: &str) -> Vec<String> {
    assert_clean(&recorded.record, what);
    let replay = Replay::new(&*recorded.record).expect("a record");
    assert!(replay.is_redacted());
    let (told, texts) = replayed(replay);
    for (at, (was, is)) in recorded.told.iter().zip(&told).enumerate() {
        assert_eq!(was, is, "{what}: step {at}");
    }
    assert_eq!(recorded.told.len(), told.len(), "{what}");
    for text in &texts {
        assert!(!text.contains(SECRET) && !text.contains(ID) && !text.contains(CID), "{what}: {text}");
    }
    texts
}

/// No secret is in the record, neither in its text nor in the bytes that its hex digits stand for.
fn assert_clean(record: &[u8], what: &str) {
    let text = core::str::from_utf8(record).expect("text");
    let mut bytes = Vec::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        bytes.extend(hex::decode(line["bytes"].as_str().unwrap_or_default()).expect("hex"));
    }
    let hidden: [&[u8]; 9] = [
        KEY,
        OTHER_KEY,
        ID.as_bytes(),
        CID.as_bytes(),
        OTHER_CID.as_bytes(),
        SECRET.as_bytes(),
        b"che",
        b"471147114711",
        b"10.20.30.40",
    ];
    for secret in hidden {
        let holds = |place: &[u8]| place.windows(secret.len()).any(|window| window == secret);
        let name = String::from_utf8_lossy(secret);
        assert!(!holds(&bytes), "{what}: {name} is in a frame");
        assert!(!holds(record), "{what}: {name} is in the record");
        // Three letters may stand in hex digits by chance.
        if secret.len() > 8 {
            assert!(!text.contains(&hex::encode(secret)), "{what}: {name} is in the record as hex digits");
        }
    }
}

#[test]
fn a_redacted_record_replays_for_every_version_and_cut() {
    for version in Version::ALL {
        for delivery in [Delivery::Whole, Delivery::Bytes, Delivery::Random] {
            for write_at_most in [usize::MAX, 7] {
                let what = format!("{version} {delivery:?} {write_at_most}");
                let recorded = record(&config(Some(version), KEY), emulated(version), false, |rig| {
                    rig.delivery = delivery;
                    rig.write_at_most = write_at_most;
                    chat(rig);
                    rig.cut();
                    chat(rig);
                });
                let texts = same(&recorded, &what);
                assert!(recorded.told.contains(&Told::Up(version)), "{what}");
                assert!(recorded.texts.iter().any(|text| text.contains(SECRET)), "{what}");
                assert!(texts.iter().any(|text| text.contains(r#""101":"xxxxxxxxxxxx""#)), "{what}: {texts:?}");
                let acknowledged = |told: &&Told| matches!(told, Told::Resolved(_, Outcome::Acknowledged { .. }, _));
                assert!(recorded.told.iter().filter(acknowledged).count() > 5, "{what}: {:?}", recorded.told);
            }
        }
    }
}

#[test]
fn device22_replays_told_or_refused() {
    for version in [Version::V33, Version::V34] {
        for errors in [ErrorReply::Sealed, ErrorReply::Clear] {
            for dialect in [None, Some(Dialect::Device22)] {
                let what = format!("{version} {errors:?} {dialect:?}");
                let mut quirks = Quirks::of(version);
                quirks.errors = errors;
                let device = emulated(version).with_dialect(Dialect::Device22).with_quirks(quirks);
                let mut config = config(Some(version), KEY);
                config.dialect = dialect;
                let recorded = record(&config, device, false, chat);
                same(&recorded, &what);
                let is_answered = |told: &Told| matches!(told, Told::Resolved(_, Outcome::Acknowledged { .. }, _));
                assert!(recorded.told.iter().any(is_answered), "{what}: {:?}", recorded.told);
            }
        }
    }
}

#[test]
fn gateways_replay_and_their_children_keep_apart() {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        let recorded = record(&config(Some(version), KEY), emulated(version), false, |rig| {
            rig.model = model(true);
            rig.delivery = Delivery::Random;
            chat(rig);
        });
        let texts = same(&recorded, version.as_str());
        let report = texts.iter().find(|text| text.contains("subdev_online_stat_report")).expect("a report");
        let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
        let (online, offline) = (&report["data"]["online"][0], &report["data"]["offline"][0]);
        assert!(online.is_string() && offline.is_string() && online != offline, "{report}");
        let child = format!(r#""cid":{online}"#);
        assert!(texts.iter().any(|text| text.contains(&child)), "{child}: {texts:?}");
    }
}

#[test]
fn quirks_of_devices_replay() {
    let all: [fn(&mut Quirks); 13] = [
        |q| q.garbage = true,
        |q| q.no_retcode = true,
        |q| q.zero_key = true,
        |q| q.wrong_proof = true,
        |q| q.wrong_key = true,
        |q| q.wrapped_reply = true,
        |q| q.reply_header = true,
        |q| q.push_without_header = true,
        |q| q.ack_retcode_one = true,
        |q| q.ignore_heartbeats = true,
        |q| q.unknown_cid_error = true,
        |q| q.close_after = Some(3),
        |q| q.silent_after = Some(2),
    ];
    for version in Version::ALL {
        for set in all {
            let mut quirks = Quirks::of(version);
            quirks.strict_reads = false;
            set(&mut quirks);
            let recorded =
                record(&config(Some(version), KEY), emulated(version).with_quirks(quirks.clone()), false, |rig| {
                    rig.delivery = Delivery::Random;
                    chat(rig);
                });
            same(&recorded, &format!("{version} {quirks:?}"));
        }
    }
}

#[test]
fn a_wrong_key_and_a_wrong_version_are_told_the_same() {
    for real in Version::ALL {
        for configured in [None, Some(Version::V31), Some(Version::V33), Some(Version::V34), Some(Version::V35)] {
            for (key, fixed) in [(KEY, false), (OTHER_KEY, false), (OTHER_KEY, true)] {
                let what = format!("{real} as {configured:?}, right key: {}", key == KEY);
                let recorded = record(&config(configured, key), emulated(real), false, |rig| {
                    rig.run(Duration::from_secs(5));
                    rig.ask(Command::request(CommandCode::CONTROL, ON));
                    rig.run(Duration::from_secs(20));
                    if fixed {
                        rig.reconfigure(&config(configured, KEY));
                        rig.run(Duration::from_secs(20));
                    }
                });
                same(&recorded, &what);
                let up = recorded.told.iter().any(|told| matches!(told, Told::Up(_)));
                if key == KEY && configured.is_none() && real == Version::V31 {
                    // Anybody can speak it: it is believed only where it is configured.
                    let too_old = format!("{:?}", DownReason::TooOld { version: real });
                    let tells = |told: &Told| matches!(told, Told::Down(reason) if reason.starts_with(&too_old));
                    assert!(!up && recorded.told.iter().any(tells), "{what}: {:?}", recorded.told);
                } else if key == KEY && configured.is_none() || fixed && configured == Some(real) {
                    assert!(up, "{what}");
                }
                if key == OTHER_KEY && configured == Some(real) && !fixed && real != Version::V31 {
                    let wrong = format!("{:?}", DownReason::WrongKey { sure: false });
                    let wrong = wrong.split_whitespace().next().expect("a name");
                    let tells = |told: &Told| matches!(told, Told::Down(reason) if reason.contains(wrong));
                    assert!(recorded.told.iter().any(tells), "{what}: {:?}", recorded.told);
                }
            }
        }
    }
}

#[test]
fn garbage_between_and_inside_frames_is_told_the_same() {
    let mut rng = SeededRng::new(99);
    for version in Version::ALL {
        for _ in 0..12 {
            let bits = rng.bits();
            let recorded = record(&config(Some(version), KEY), emulated(version), false, |rig| {
                rig.run(Duration::from_secs(1));
                let mut rng = SeededRng::new(bits);
                for _ in 0..6 {
                    let mut bytes: Vec<u8> = (0..rng.index(60)).map(|_| rng.bits() as u8).collect();
                    let prefixes: [&[u8]; 4] = [
                        b"\0\0\x55\xaa",
                        b"\0\0\x66\x99",
                        b"\0\0\x55\xaa\0\0\0\x01\0\0\0\x08\0\0\0\x28",
                        b"\0\0\x66\x99\0\0\0\0\0\x07\0\0\0\x08\0\0\0\x30",
                    ];
                    let at = rng.index(bytes.len());
                    bytes.splice(at..at, prefixes[rng.index(prefixes.len())].iter().copied());
                    rig.inject(&bytes);
                    rig.ask(Command::request(CommandCode::DP_QUERY, RequestData::None));
                    rig.run(Duration::from_millis(rng.index(3000) as u64));
                }
                rig.run(Duration::from_secs(15));
            });
            same(&recorded, &format!("{version} {bits:x}"));
        }
    }
}

#[test]
fn announcements_refusals_and_lost_lines_replay() {
    let moved = IpAddr::V4(Ipv4Addr::new(10, 20, 30, 41));
    let mut unaddressed = config(None, KEY);
    unaddressed.address = None;
    let recorded = record(&unaddressed, emulated(Version::V34), false, |rig| {
        rig.run(Duration::from_secs(1));
        rig.relay();
        rig.announce(ADDRESS, Some(Version::V34));
        rig.run(Duration::from_secs(3));
        rig.announce(moved, None);
        rig.cut();
        rig.refuses = true;
        rig.run(Duration::from_secs(30));
        rig.refuses = false;
        rig.announce(moved, Some(Version::V34));
        chat(rig);
    });
    same(&recorded, "announced");
    let text = String::from_utf8(recorded.record).expect("text");
    assert!(text.contains("192.0.2.1:6668") && text.contains("192.0.2.2:6668"));
}

#[test]
fn a_full_record_needs_the_key_and_shows_everything() {
    let recorded = record(&config(Some(Version::V35), KEY), emulated(Version::V35), true, chat);
    let replay = Replay::new(&*recorded.record).expect("a record");
    assert!(!replay.is_redacted());
    let (told, texts) = replayed(replay.with_keys(vec![LocalKey::new(*KEY)]));
    assert_eq!((&told, &texts), (&recorded.told, &recorded.texts));
    let text = String::from_utf8(recorded.record.clone()).expect("text");
    assert!(text.contains(ID) && !text.contains(SECRET));
    assert!(!text.contains(&hex::encode(KEY)) && !text.contains("p;Qz"));

    let error = Replay::new(&*recorded.record).expect("a record").find_map(Result::err).expect("a key is needed");
    assert!(matches!(error.kind, RecordErrorKind::KeyNeeded(1)), "{error}");
    let wrong = Replay::new(&*recorded.record).expect("a record").with_keys(vec![LocalKey::new(*OTHER_KEY)]);
    let diverges =
        wrong.map(|step| step.expect("a good record")).any(|step| matches!(step.what, Happened::Diverged(_)));
    assert!(diverges, "under another key nothing is the same");
}

#[test]
fn a_changed_record_diverges() {
    let recorded = record(&config(Some(Version::V34), KEY), emulated(Version::V34), false, chat);
    let text = String::from_utf8(recorded.record).expect("text");
    let dropped: Vec<&str> = text.lines().filter(|line| !line.contains(r#""op":"command""#)).collect();
    assert!(dropped.len() < text.lines().count());
    let text = dropped.join("\n");
    let replay = Replay::new(text.as_bytes()).expect("a record");
    let steps: Vec<_> = replay.map(|step| step.expect("a good record")).collect();
    let differs = |step: &&super::Step| matches!(step.what, Happened::Diverged(_));
    let first = steps.iter().find(differs).expect("the commands are missing");
    assert!(first.to_string().contains("DIVERGED"), "{first}");
}

#[test]
fn several_devices_share_a_record() {
    let file = Memory::default();
    let shared = SharedWriter::new(file.clone());
    let mut told = Vec::new();
    for (number, version) in [(1, Version::V33), (2, Version::V35)] {
        let recorder = Recorder::redacted(shared.clone()).device(number);
        let mut rig = Rig::new(&config(Some(version), KEY), emulated(version), Box::new(recorder), 1);
        rig.model = model(false);
        chat(&mut rig);
        told.extend(rig.told.clone());
    }
    let record = file.bytes();
    let steps: Vec<_> = Replay::new(&*record).expect("a record").map(|step| step.expect("a good record")).collect();
    assert!(steps.iter().any(|step| step.device == 1) && steps.iter().any(|step| step.device == 2));
    assert_eq!(replayed(Replay::new(&*record).expect("a record")).0, told);
}

/// Bytes that wait for a frame that never ends are written after all, and the end of that frame is not shown.
#[test]
fn a_frame_that_does_not_end_holds_nothing_back_for_ever() {
    let file = Memory::default();
    let mut recorder = Recorder::redacted(file.clone());
    let at = Instant::from_micros(1);
    recorder.on_event(at, TapEvent::Created { config: &config(Some(Version::V33), KEY), rx: 2048, tx: 2048 });
    let mut frame = b"\0\0\x55\xaa\0\0\0\x01\0\0\0\x08\0\0\0\x80".to_vec();
    frame.extend_from_slice(SECRET.as_bytes());
    recorder.on_event(at, TapEvent::Received(&frame));
    for micros in 2..3_000 {
        recorder.on_event(Instant::from_micros(micros), TapEvent::Poll);
    }
    let written = file.bytes();
    assert!(String::from_utf8_lossy(&written).lines().count() > 1_500);
    recorder.on_event(Instant::from_micros(3_000), TapEvent::Received(SECRET.as_bytes()));
    recorder.finish().expect("memory");
    let record = file.bytes();
    assert_clean(&record, "given up");
    assert!(String::from_utf8_lossy(&record).contains(&format!("{}\"", hex::encode("x".repeat(SECRET.len())))));
}

/// Notes behind a gap would be replayed as something that did not happen.
#[test]
fn a_record_ends_with_an_error_where_notes_were_left_out() {
    for redacted in [true, false] {
        let file = Memory::default();
        let mut recorder = if redacted { Recorder::redacted(file.clone()) } else { Recorder::full(file.clone()) };
        let at = Instant::from_micros(1);
        recorder.on_event(at, TapEvent::Created { config: &config(Some(Version::V33), KEY), rx: 2048, tx: 2048 });
        recorder.on_event(at, TapEvent::Poll);
        assert!(recorder.error().is_none());
        recorder.on_event(at, TapEvent::Missed { events: 12 });
        let written = file.bytes();
        assert_eq!(String::from_utf8_lossy(&written).lines().count(), 3, "all that was before the gap");
        let error = recorder.error().expect("an error").to_string();
        assert!(error.contains("12 events"), "{error}");
        recorder.on_event(at, TapEvent::ConnectNow);
        recorder.on_event(at, TapEvent::Missed { events: 5 });
        assert_eq!(recorder.finish().expect_err("a gap").to_string(), error);
        assert_eq!(file.bytes(), written, "nothing after it");
    }
}
