//! Behaviour of 3.5 in the vendor's own device software.

use core::time::Duration;

use super::*;

const V35: Version = Version::V35;
/// 1 in the byte order of a little-endian chip, read as the protocol reads numbers.
const ONE: u32 = 0x0100_0000;

fn vendor() -> EmulatorConfig {
    EmulatorConfig::new(id(), V35, LocalKey::new(KEY)).with_clock(CLOCK)
}

fn with(name: &str) -> EmulatorConfig {
    let mut config = vendor();
    config.quirks.set(name).expect("a quirk");
    config
}

fn negotiated() -> Pair {
    Pair::new(vendor(), plug())
}

/// Returns a frame under the local key.
fn under_local(seqno: u32, command: CommandCode, text: &str) -> Vec<u8> {
    sealed(V35, &KEY, seqno, command, text)
}

#[test]
fn the_change_is_pushed_before_the_acknowledgement_also_when_it_is_none() {
    for (value, times) in [("true", 1), ("true", 2), ("false", 3)] {
        let mut pair = negotiated();
        for _ in 0..times {
            let replies = pair.set(&format!(r#"{{"1":{value}}}"#));
            assert_eq!(commands(&replies), [8, 13]);
            assert!(replies[0].text.ends_with(&format!(r#""data":{{"dps":{{"1":{value}}}}}}}"#)), "{replies:?}");
            assert_eq!(replies[1].brief(), (13, Some(ONE), ""));
        }
        assert_eq!(pair.bench.told(&format!("Written  1=Bool({value})")), times);
    }
    let mut pair = Pair::new(with("push-changes-only"), plug());
    assert_eq!(commands(&pair.set(r#"{"1":false}"#)), [13]);
}

#[test]
fn a_control_is_acknowledged_with_1_and_no_text_whatever_it_was() {
    let ids = [r#""devId":"somebody-else","#, r#""devId":"eb0123456789abcdefghij","#];
    for (text, pushed, ignored) in [
        (r#"{"protocol":5,"t":1}"#.to_owned(), false, 0),
        (r#"{"dps":{"1":true}}"#.to_owned(), false, 1),
        (r#"{"data":7,"dps":{"1":true}}"#.to_owned(), false, 1),
        (r#"{"data":{"dps":{"77":true}}}"#.to_owned(), false, 1),
        (r#"{"data":{"dps":{"256":true}}}"#.to_owned(), false, 1),
        (r#"{"data":{"dps":{"1":"yes"}}}"#.to_owned(), false, 1),
        (r#"{"data":{"dps":{"1":null}}}"#.to_owned(), false, 1),
        (format!(r#"{{"data":{{{}"dps":{{"1":true}}}}}}"#, ids[0]), false, 1),
        (format!(r#"{{"data":{{{}"dps":{{"1":true}}}}}}"#, ids[1]), true, 0),
        (r#"{"data":{"dps":{"1":true,"77":1}}}"#.to_owned(), true, 1),
    ] {
        for command in [CommandCode::CONTROL, CommandCode::CONTROL_NEW] {
            let mut pair = negotiated();
            let replies = pair.ask(command, &text);
            let expected = if pushed { vec![8, command.0] } else { vec![command.0] };
            assert_eq!(commands(&replies), expected, "{text}");
            assert_eq!(replies.last().map(Reply::brief), Some((command.0, Some(ONE), "")), "{text}");
            assert_eq!(pair.bench.told("Ignored"), ignored, "{text} {:?}", pair.bench.events);
            assert_eq!((pair.bench.told("Written"), pair.bench.told("Refused")), (usize::from(pushed), 0), "{text}");
        }
    }
    for (text, error) in [(r#"{"data":{}}"#, "data format error"), ("{", "parse data error"), ("", "parse data error")]
    {
        let replies = negotiated().ask(CommandCode::CONTROL_NEW, text);
        assert_eq!(replies.iter().map(Reply::brief).collect::<Vec<_>>(), [(13, Some(1), error)], "{text}");
    }
    let mut pair = Pair::new(with("flat-controls"), plug());
    assert_eq!(commands(&pair.ask(CommandCode::CONTROL_NEW, r#"{"dps":{"1":true}}"#)), [8, 13]);
    let mut pair = Pair::new(with("ack-retcode-zero"), plug());
    assert_eq!(pair.set(r#"{"1":true}"#)[1].retcode, Some(0));
}

#[test]
fn the_version_header_of_a_control_is_skipped_unread() {
    let text = r#"{"protocol":5,"t":1,"data":{"dps":{"1":true}}}"#;
    let mut pair = negotiated();
    let frame = pair.request_with(CommandCode::CONTROL_NEW, &format!("any 15 will do!{text}"), false);
    let answer = pair.bench.feed(&frame);
    assert_eq!(commands(&pair.take(&answer)), [8, 13]);
    assert_eq!(pair.bench.told("Written  1=Bool(true)"), 1);
    let frame = pair.request_with(CommandCode::CONTROL_NEW, text, false);
    let answer = pair.bench.feed(&frame);
    assert_eq!(texts(&pair.take(&answer)), ["parse data error"], "15 bytes of the text are gone");
}

#[test]
fn a_query_is_whatever_begins_with_a_json_value() {
    let state = r#"{"dps":{"1":false,"2":10,"9":0,"101":"x"},"devId":"eb0123456789abcdefghij"}"#;
    for command in [CommandCode::DP_QUERY, CommandCode::DP_QUERY_NEW] {
        for (text, has_header) in [("{}", false), ("{}", true), ("[1]", false), ("7", false), (r#"{"cid":"x"}"#, false)]
        {
            let mut pair = negotiated();
            let frame = pair.request_with(command, text, has_header);
            let answer = pair.bench.feed(&frame);
            let replies = pair.take(&answer);
            assert_eq!(replies.iter().map(Reply::brief).collect::<Vec<_>>(), [(command.0, Some(0), state)], "{text}");
        }
        for text in ["", "{", "what"] {
            assert_eq!(texts(&negotiated().ask(command, text)), ["data format error"], "{text}");
        }
    }
    assert_eq!(Pair::new(with("ignore-dp-query"), plug()).ask(CommandCode::DP_QUERY, "{}"), []);
    let mut older = config(Version::V34);
    older.quirks.set("answer-dp-query").expect("a quirk");
    assert_eq!(commands(&Pair::new(older, plug()).ask(CommandCode::DP_QUERY, "{}")), [10]);
}

#[test]
fn other_commands_meet_silence_and_a_cid_is_ignored() {
    let mut pair = negotiated();
    for code in (0..=0x50).filter(|code| ![3, 4, 5, 7, 9, 0x0a, 0x0d, 0x10].contains(code)) {
        let text = r#"{"dpId":[1],"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
        assert_eq!(pair.ask(CommandCode(code), text), [], "{code:#x}");
    }
    assert_eq!(pair.bench.hangup, None);
    let replies = pair.ask(CommandCode::CONTROL_NEW, r#"{"data":{"cid":"child","dps":{"1":true}},"cid":"child"}"#);
    assert_eq!(commands(&replies), [8, 13]);
    assert!(!replies[0].text.contains("cid"), "{}", replies[0].text);
    assert_eq!(pair.bench.told("Written  1=Bool(true)"), 1, "its own");
    let mut pair = Pair::new(with("obey-cid"), plug());
    assert_eq!(pair.ask(CommandCode::DP_QUERY_NEW, r#"{"cid":"child"}"#), []);
    let mut pair = Pair::new(with("update-answered"), plug());
    assert_eq!(commands(&pair.ask(CommandCode::UPDATE_DPS, r#"{"dpId":[1]}"#)), [0x12, 8]);
}

#[test]
fn a_gateway_has_children() {
    let mut pair = Pair::new(vendor(), gateway());
    let query = format!(r#"{{"cid":"{CHILD}"}}"#);
    let replies = pair.ask(CommandCode::DP_QUERY_NEW, &query);
    assert_eq!(texts(&replies), [format!(r#"{{"dps":{{"1":false,"9":0}},"cid":"{CHILD}"}}"#)]);
    let set = format!(r#"{{"data":{{"cid":"{CHILD}","devId":"of-the-child","dps":{{"1":true}}}},"cid":"{CHILD}"}}"#);
    assert_eq!(commands(&pair.ask(CommandCode::CONTROL_NEW, &set)), [13], "another device than this");
    let set = set.replace(r#""devId":"of-the-child","#, "");
    let replies = pair.ask(CommandCode::CONTROL_NEW, &set);
    assert_eq!(commands(&replies), [8, 13]);
    assert!(replies[0].text.contains(CHILD));
    let all = r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
    assert!(texts(&pair.ask(CommandCode::LAN_EXT_STREAM, all))[0].contains(r#""offline":["00124b002d8e6a68"]"#));
    assert_eq!(pair.ask(CommandCode::DP_QUERY_NEW, r#"{"cid":"nobody"}"#), []);
}

#[test]
fn heartbeats_are_answered_unread_also_before_any_key() {
    for key in [&KEY, b"fedcba9876543210"] {
        let mut bench = Bench::new(vendor(), plug());
        for seqno in [1, 2] {
            let answer = bench.feed(&sealed(V35, key, seqno, CommandCode::HEART_BEAT, "{}"));
            assert_eq!(opened(V35, &KEY, &answer), (9, Some(0), String::new()), "under the local key");
        }
        assert_eq!((bench.told("Request"), bench.hangup), (2, None));
    }
    let mut pair = negotiated();
    let answer = pair.bench.feed(&sealed(V35, b"fedcba9876543210", 90, CommandCode::HEART_BEAT, "{}"));
    assert_eq!(commands(&pair.take(&answer)), [9], "under the session key");
    let mut pair = Pair::new(with("read-heartbeats"), plug());
    pair.bench.feed(&sealed(V35, b"fedcba9876543210", 90, CommandCode::HEART_BEAT, "{}"));
    assert_eq!(pair.bench.hangup, Some(HangupReason::Integrity));
    let mut bench = Bench::new(with("read-heartbeats"), plug());
    bench.feed(&under_local(1, CommandCode::HEART_BEAT, "{}"));
    assert_eq!(bench.hangup, Some(HangupReason::NotNegotiated));
    // They keep a connection open, too.
    let mut bench = Bench::new(vendor(), plug());
    bench.later(29_000);
    bench.feed(&under_local(1, CommandCode::HEART_BEAT, "{}"));
    bench.later(29_000);
    bench.drain();
    assert_eq!(bench.hangup, None);
    bench.later(1_000);
    bench.drain();
    assert_eq!(bench.hangup, Some(HangupReason::Idle));
}

#[test]
fn a_command_before_the_key_ends_the_connection() {
    for command in [CommandCode::DP_QUERY_NEW, CommandCode::CONTROL_NEW, CommandCode(0x77)] {
        let mut bench = Bench::new(vendor(), plug());
        assert_eq!(bench.feed(&under_local(1, command, "{}")), b"");
        assert_eq!(bench.hangup, Some(HangupReason::NotNegotiated), "{command:?}");
    }
    let mut bench = Bench::new(with("early-commands=1"), plug());
    bench.feed(&under_local(1, CommandCode::DP_QUERY_NEW, "{}"));
    assert_eq!(bench.hangup, None);
    bench.feed(&under_local(2, CommandCode::DP_QUERY_NEW, "{}"));
    assert_eq!(bench.hangup, Some(HangupReason::NotNegotiated));
}

#[test]
fn sequence_numbers_have_to_grow_from_1() {
    for (seqno, ends) in [(0, true), (2, true), (3, true), (4, false), (4_000_000_000, false)] {
        let mut pair = negotiated();
        let first = pair.ask(CommandCode::HEART_BEAT, "");
        assert_eq!(commands(&first), [9], "the third frame");
        pair.bench.feed(&sealed(V35, &KEY, seqno, CommandCode::HEART_BEAT, ""));
        assert_eq!(pair.bench.hangup, ends.then_some(HangupReason::Sequence), "{seqno}");
    }
    let mut bench = Bench::new(vendor(), plug());
    bench.feed(&under_local(0, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001"));
    assert_eq!(bench.hangup, Some(HangupReason::Sequence));
    let mut bench = Bench::new(with("ignore-seqnos"), plug());
    for _ in 0..3 {
        assert!(!bench.feed(&under_local(0, CommandCode::HEART_BEAT, "")).is_empty());
    }
}

#[test]
fn a_first_read_below_50_bytes_is_ignored() {
    let mut bench = Bench::new(vendor(), plug());
    let start = under_local(1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001");
    bench.feed(&start[..49]);
    assert_eq!(bench.told("Discarded"), 1);
    assert_eq!(bench.feed(&sealed(Version::V33, &KEY, 1, CommandCode::HEART_BEAT, "")), b"");
    bench.feed(b"hello");
    assert_eq!((bench.told("Discarded"), bench.hangup), (3, None));
    assert!(!bench.feed(&start).is_empty(), "what comes next is read as if nothing had been");
    assert!(bench.rx.is_empty());
}

#[test]
fn a_frame_of_50_bytes_and_more_is_waited_for() {
    let mut bench = Bench::new(vendor(), plug());
    let start = under_local(1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001");
    bench.feed(&start[..50]);
    assert!(bench.emulator.has_partial_frame());
    bench.later(20_000);
    bench.drain();
    assert_eq!(bench.hangup, None);
    assert!(!bench.feed(&start[50..]).is_empty());
    assert!(!bench.emulator.has_partial_frame());
}

#[test]
fn bytes_behind_a_frame_must_be_one_within_10_ms() {
    let whole = under_local(1, CommandCode::HEART_BEAT, "");
    let next = under_local(2, CommandCode::HEART_BEAT, "");
    for (rest, cut) in [(next.as_slice(), 1), (&next, 30), (&next, 49), (b"no frame", 8)] {
        for wait in [9, 10] {
            let mut bench = Bench::new(vendor(), plug());
            bench.feed(&[&whole, &rest[..cut]].concat());
            assert_eq!(bench.poll(), Some(Some(Instant::from_millis(10))), "{cut}");
            assert!(!bench.emulator.has_partial_frame());
            bench.later(wait);
            bench.drain();
            assert_eq!(bench.hangup, (wait == 10).then_some(HangupReason::Unfinished), "{cut} {wait}");
            if wait == 9 && cut < 49 {
                let answer = bench.feed(if cut == 8 { &next } else { &next[cut..] });
                assert_eq!(opened(V35, &KEY, &answer).0, 9);
                bench.later(100);
                bench.drain();
                assert_eq!(bench.hangup, None);
            }
        }
    }
    let mut config = vendor();
    config.quirks.set("patient-reads").expect("a quirk");
    let mut bench = Bench::new(config, plug());
    bench.feed(&[&whole, &next[..30]].concat());
    bench.later(1_000);
    assert!(!bench.feed(&next[30..]).is_empty());
}

#[test]
fn an_invalid_frame_ends_the_connection() {
    let mut bench = Bench::new(vendor(), plug());
    bench.feed(&[b'x'; 60]);
    bench.later(Duration::from_millis(10).as_millis() as u64);
    bench.drain();
    assert_eq!(bench.hangup, Some(HangupReason::Unfinished));

    let mut bench = Bench::new(vendor(), plug());
    bench.feed(&sealed(Version::V34, &KEY, 1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001"));
    assert_eq!(bench.hangup, Some(HangupReason::OtherVersion));

    // So a controller that sends queries of both versions at once is disconnected.
    let both = [
        sealed(Version::V34, &KEY, 1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001"),
        under_local(1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001"),
    ];
    let mut bench = Bench::new(vendor(), plug());
    assert_eq!(opened(V35, &KEY, &bench.feed(&both.concat())).0, 4);
    assert_eq!(bench.hangup, None);

    let mut frame = under_local(1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001");
    *frame.last_mut().expect("a suffix") ^= 1;
    let mut bench = Bench::new(vendor(), plug());
    bench.feed(&frame);
    assert_eq!(bench.hangup, Some(HangupReason::Integrity));
}

#[test]
fn a_frame_of_4096_bytes_ends_the_connection_at_its_head() {
    for size in [4095, 4096, 70_000] {
        let mut pair = negotiated();
        let mut frame = pair.request(CommandCode::HEART_BEAT, &"x".repeat(4095 - 50));
        frame[14..18].copy_from_slice(&(size - 22u32).to_be_bytes());
        pair.bench.feed(&frame[..100]);
        let need = size as usize;
        assert_eq!(pair.bench.hangup, (size > 4095).then_some(HangupReason::TooLong { need }), "{size}");
    }
    assert_eq!(commands(&negotiated().ask(CommandCode::HEART_BEAT, &"x".repeat(4095 - 50))), [9]);
}

#[test]
fn pushes_reach_controllers_that_have_not_negotiated_under_the_local_key() {
    let push = |bench: &mut Bench| {
        let dps = DpMap::Pairs(&[(DpId(1), DpValue::Bool(true))]);
        let Bench { emulator, tx, rng, now, .. } = bench;
        emulator.push(None, dps, *now, rng, tx)
    };
    let mut pair = Pair::raw(vendor(), plug(), KEY);
    assert_eq!(push(&mut pair.bench), Ok(()));
    let early = pair.bench.drain();
    let expected = r#"{"protocol":4,"t":1700000000,"data":{"dps":{"1":true}}}"#;
    assert_eq!(opened(V35, &KEY, &early), (8, Some(0), expected.to_owned()));
    // Also during the negotiation.
    let start = under_local(1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001");
    let resp = pair.bench.feed(&start);
    assert_eq!(opened(V35, &KEY, &resp).0, 4);
    assert_eq!(push(&mut pair.bench), Ok(()));
    assert_eq!(opened(V35, &KEY, &pair.bench.drain()).0, 8);
    for version in [V35, Version::V34] {
        let mut config = EmulatorConfig::new(id(), version, LocalKey::new(KEY));
        config.quirks.set(if version == V35 { "negotiated-pushes" } else { "early-pushes" }).expect("a quirk");
        let mut bench = Bench::new(config, plug());
        let expected = if version == V35 { Err(PushError::NotReady) } else { Ok(()) };
        assert_eq!(push(&mut bench), expected, "{version}");
    }
    let mut bench = Bench::new(vendor(), plug());
    bench.feed(&under_local(1, CommandCode::DP_QUERY_NEW, "{}"));
    assert_eq!(push(&mut bench), Err(PushError::NotReady), "closed");
}

#[test]
fn raw_dps_read_as_false_and_bitmaps_are_never_pushed() {
    let mut model = plug();
    model.set_kind(None, DpId(101), DpKind::Raw);
    model.set_kind(None, DpId(9), DpKind::Bitmap);
    let mut pair = Pair::new(vendor(), model.clone());
    let state = pair.ask(CommandCode::DP_QUERY_NEW, "{}");
    assert!(state[0].text.contains(r#"{"1":false,"2":10,"9":0,"101":false}"#), "{}", state[0].text);
    let replies = pair.set(r#"{"9":3,"101":"aGVsbG8="}"#);
    assert!(replies[0].text.contains(r#""dps":{"101":"aGVsbG8="}"#), "{}", replies[0].text);
    assert_eq!(commands(&pair.set(r#"{"9":4}"#)), [13]);
    assert!(pair.ask(CommandCode::DP_QUERY_NEW, "{}")[0].text.contains(r#""9":4"#));

    let mut pair = Pair::new(config(V35), model);
    assert!(pair.ask(CommandCode::DP_QUERY_NEW, "{}")[0].text.contains(r#""101":"x""#));
    assert!(pair.set(r#"{"9":3}"#)[1].text.contains(r#""9":3"#));
}

#[test]
fn sent_frames_may_have_any_size() {
    let mut pair = negotiated();
    for dp in 10..16 {
        pair.bench.model.set(None, DpId(dp), "x".repeat(64).as_str().into()).expect("room");
    }
    pair.bench.tx = TxBuf::new(vec![0; 256]);
    assert_eq!(pair.ask(CommandCode::DP_QUERY_NEW, "{}"), []);
    let Some(HangupReason::NoRoom { need }) = pair.bench.hangup else { panic!("{:?}", pair.bench.hangup) };
    // A driver that can lend a larger buffer goes on.
    pair.bench.hangup = None;
    pair.bench.tx = TxBuf::new(vec![0; need]);
    let answer = pair.bench.drain();
    assert_eq!((answer.len(), pair.bench.hangup), (need, None));
    assert_eq!(commands(&pair.take(&answer)), [16]);
    assert_eq!(commands(&pair.ask(CommandCode::HEART_BEAT, "")), [9]);
}
