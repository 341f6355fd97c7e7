//! Checks that no heap memory is allocated while frames are encoded and decoded.

use allocation_counter::measure;
use rustuya_proto::{
    Command, CommandCode, Device, DeviceConfig, DeviceId, DpId, DpMap, DpValue, Emulator, EmulatorConfig,
    EmulatorOutput, Event, FixedModel, Head, Instant, Keys, LocalKey, Output, Payload, RetCode, RxBuf, Sender, TxBuf,
    Version, VersionHeader, frame_len, open, seal,
};
use rustuya_seeded::SeededRng;

const KEY: [u8; 16] = *b"0123456789abcdef";
const PUSH: &[u8] =
    br#"{"devId":"eb0123456789abcdefghij","dps":{"1":true,"2":"caf\u00e9","3":-5,"4":21.5,"5":null,"6":[1]},"t":1700000000}"#;

#[test]
fn the_counter_counts() {
    // Checks that the counter works.
    let counted = measure(|| drop(core::hint::black_box(vec![0_u8; 100])));
    assert_eq!(counted.count_total, 1);
}

#[test]
fn sealing_opening_and_reading_allocate_nothing() {
    let mut frames = 0;
    let counted = measure(|| {
        for version in Version::ALL {
            let keys = Keys::new(version, &KEY);
            let mut buf = [0_u8; 512];
            for seqno in 1..=200_u32 {
                for sender in [Sender::Controller, Sender::Device] {
                    let device = sender == Sender::Device;
                    let head = Head {
                        sender,
                        seqno,
                        command: if device { CommandCode::STATUS } else { CommandCode::CONTROL },
                        retcode: device.then_some(RetCode::OK),
                        header: (version != Version::V31).then(|| VersionHeader::controller(version)),
                    };
                    let mut iv = [0; 12];
                    iv[8..].copy_from_slice(&seqno.to_be_bytes());
                    let len = seal(&keys, &head, &iv, PUSH, &mut buf).expect("there is room");
                    assert_eq!(frame_len(&buf), Ok(Some(len)));
                    let opened = open(&keys, sender, &mut buf[..len]).expect("it opens");
                    assert_eq!(read(&buf[opened.payload]), 6);
                    buf[len - 5] ^= 1;
                    open(&keys, sender, &mut buf[..len]).expect_err("a damaged frame");
                    frames += 1;
                }
            }
        }
    });
    assert_eq!(frames, 2000);
    assert_eq!((counted.count_total, counted.bytes_total), (0, 0));
}

/// Polls both machines once and exchanges their bytes. Returns whether anything happened.
fn exchange(at: &mut Meeting) -> bool {
    let mut active = false;
    loop {
        match at.device.poll(at.now, &mut at.rng, &mut at.rx, &mut at.tx) {
            Output::Dial { conn, .. } => {
                at.device.handle_dialed(conn, at.now);
                at.emulator = Some(Emulator::new(at.config.clone(), at.now, &mut at.rng));
            }
            Output::Hangup { .. } => at.emulator = None,
            Output::Event(event) => {
                at.resolved += usize::from(matches!(event, Event::Resolved { .. }));
                at.dps += event.message().and_then(|m| m.payload.report()?.dps).map_or(0, Iterator::count);
            }
            Output::Wait { until } => {
                at.until = until;
                break;
            }
        }
        active = true;
    }
    let Some(emulator) = &mut at.emulator else { return active };
    let (rx, tx) = (&mut at.device_rx, &mut at.device_tx);
    while let EmulatorOutput::Event(_) = emulator.poll(at.now, &mut at.rng, &mut at.model, rx, tx) {
        active = true;
    }
    active | carry(&mut at.tx, &mut at.device_rx) | carry(&mut at.device_tx, &mut at.rx)
}

fn carry(from: &mut TxBuf<[u8; 2048]>, to: &mut RxBuf<[u8; 2048]>) -> bool {
    let bytes = from.pending();
    let spare = to.spare_mut();
    let n = bytes.len().min(spare.len());
    spare[..n].copy_from_slice(&bytes[..n]);
    to.commit(n);
    from.consume(n);
    n > 0
}

struct Meeting {
    device: Device,
    emulator: Option<Emulator>,
    config: EmulatorConfig,
    model: FixedModel<4>,
    rng: SeededRng,
    rx: RxBuf<[u8; 2048]>,
    tx: TxBuf<[u8; 2048]>,
    device_rx: RxBuf<[u8; 2048]>,
    device_tx: TxBuf<[u8; 2048]>,
    now: Instant,
    until: Option<Instant>,
    resolved: usize,
    dps: usize,
}

#[test]
fn both_machines_connect_and_exchange_frames_without_the_heap() {
    let id = DeviceId::new("eb0123456789abcdefghij").expect("valid");
    for version in Version::ALL {
        let counted = measure(|| {
            let config = DeviceConfig::new(id.clone(), LocalKey::new(KEY)).address([127, 0, 0, 1].into());
            let now = Instant::from_millis(1);
            let mut at = Meeting {
                device: Device::new(config.version(version), now),
                emulator: None,
                config: EmulatorConfig::new(id.clone(), version, LocalKey::new(KEY)),
                model: FixedModel::new(),
                rng: SeededRng::new(1),
                rx: RxBuf::new([0; 2048]),
                tx: TxBuf::new([0; 2048]),
                device_rx: RxBuf::new([0; 2048]),
                device_tx: TxBuf::new([0; 2048]),
                now,
                until: None,
                resolved: 0,
                dps: 0,
            };
            at.model.set(None, DpId(1), DpValue::Bool(false)).expect("room");
            for round in 0..100 {
                while exchange(&mut at) {}
                let pairs = [(DpId(1), DpValue::Bool(round % 2 == 0))];
                for command in [Command::set(DpMap::Pairs(&pairs)), Command::status()] {
                    at.device.send(&command, at.now, &mut at.rng, &mut at.tx).expect("connected");
                }
                while exchange(&mut at) {}
                // Advances the time far enough for heartbeats.
                at.now = at.until.unwrap_or(at.now);
            }
            assert_eq!(at.resolved, 200, "{version}");
            assert!(at.dps >= 200, "{version}: {}", at.dps);
        });
        assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{version}");
    }
}

/// Reads every character and value of a message. Returns the number of its DPs.
fn read(payload: &[u8]) -> usize {
    let report = Payload::new(payload).report().expect("a message");
    assert_eq!(report.time, Some(1_700_000_000));
    let mut count = 0;
    for (_, value) in report.dps.expect("DPs") {
        match value {
            DpValue::Str(text) => assert_eq!(text.chars().count(), 4),
            DpValue::Float(number) => assert!(number.to_f64() > 21.0),
            DpValue::Json(json) => assert_eq!(json.as_bytes(), b"[1]"),
            DpValue::Null | DpValue::Bool(_) | DpValue::Int(_) => {}
        }
        count += 1;
    }
    count
}
