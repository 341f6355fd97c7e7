//! The heap is never touched while frames are made and read.

use allocation_counter::measure;
use rustuya_proto::{
    CommandCode, DpValue, Head, Keys, Payload, RetCode, Sender, Version, VersionHeader, frame_len, open, seal,
};

const KEY: [u8; 16] = *b"0123456789abcdef";
const PUSH: &[u8] =
    br#"{"devId":"eb0123456789abcdefghij","dps":{"1":true,"2":"caf\u00e9","3":-5,"4":21.5,"5":null,"6":[1]},"t":1700000000}"#;

#[test]
fn the_counter_counts() {
    // Without this the zeros below would prove nothing.
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

/// Looks at every character and value of a message; returns the number of its DPs.
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
