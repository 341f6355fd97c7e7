//! Answers of firmware to each request, per version.

use super::*;

const ALL: [Version; 5] = Version::ALL;
const OLD: [Version; 3] = [Version::V31, Version::V32, Version::V33];
const NEW: [Version; 2] = [Version::V34, Version::V35];

#[test]
fn heartbeats_with_any_payload_are_answered() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        for text in ["", "{}", "nonsense"] {
            let replies = pair.ask(CommandCode::HEART_BEAT, text);
            assert_eq!(replies.iter().map(Reply::brief).collect::<Vec<_>>(), [(9, Some(0), "")], "{version}");
        }
    }
    let unreadable = sealed(Version::V33, b"another key ....", 1, CommandCode::HEART_BEAT, "{}");
    let mut bench = Bench::new(config(Version::V33), plug());
    assert_eq!(opened(Version::V33, &KEY, &bench.feed(&unreadable)), (9, Some(0), String::new()));
}

#[test]
fn a_query_returns_the_state_without_version_header() {
    for (version, text) in [
        (Version::V31, r#"{"devId":"eb0123456789abcdefghij","dps":{"1":false,"2":10,"9":0,"101":"x"}}"#),
        (Version::V33, r#"{"dps":{"1":false,"2":10,"9":0,"101":"x"}}"#),
        (Version::V34, r#"{"dps":{"1":false,"2":10,"9":0,"101":"x"}}"#),
        (Version::V35, r#"{"dps":{"1":false,"2":10,"9":0,"101":"x"},"devId":"eb0123456789abcdefghij"}"#),
    ] {
        let mut pair = Pair::new(config(version), plug());
        let query = pair.query();
        let replies = pair.ask(query, "{}");
        assert_eq!(replies.iter().map(Reply::brief).collect::<Vec<_>>(), [(query.0, Some(0), text)]);
        assert_eq!(replies[0].header, None);
    }
    let mut pair = Pair::new(config(Version::V33), plug());
    assert_eq!(commands(&pair.ask(CommandCode::DP_QUERY_NEW, "{}")), [0x10]);
}

#[test]
fn queries_of_the_other_generation_are_unknown() {
    for (version, command) in [
        (Version::V31, CommandCode::DP_QUERY_NEW),
        (Version::V34, CommandCode::DP_QUERY),
        (Version::V35, CommandCode::DP_QUERY),
    ] {
        assert_eq!(Pair::new(config(version), plug()).ask(command, "{}"), [], "{version}");
    }
}

#[test]
fn invalid_json_is_refused_with_a_text() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        let (query, control) = (pair.query(), pair.control());
        for (command, text, error) in [
            (query, "", "data format error"),
            (query, "{", "data format error"),
            (control, "{\"dps\":", "parse data error"),
            (control, "{}", "data format error"),
            (control, r#"{"data":{},"dps":{"1":true}}"#, "data format error"),
            (control, r#"{"dps":7}"#, "data format error"),
        ] {
            let replies = pair.ask(command, text);
            assert_eq!(
                replies.iter().map(Reply::brief).collect::<Vec<_>>(),
                [(command.0, Some(1), error)],
                "{version} {text}"
            );
            assert_eq!(replies[0].header, None);
        }
        assert_eq!(pair.bench.told("Refused"), 6);
    }
}

#[test]
fn a_control_is_acknowledged_and_its_changes_are_pushed() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        let control = pair.control().0;
        let replies = pair.set(r#"{"1":true,"2":10,"77":1,"101":"\u00e9"}"#);
        assert_eq!(commands(&replies), [control, 8], "{version}");
        assert_eq!(replies[0].brief(), (control, Some(0), ""));
        let expected = match version {
            Version::V31 => {
                r#"{"devId":"eb0123456789abcdefghij","dps":{"1":true,"101":"\u00e9"},"t":1700000000,"s":62046}"#
            }
            Version::V32 | Version::V33 => {
                r#"{"devId":"eb0123456789abcdefghij","dps":{"1":true,"101":"\u00e9"},"t":1700000000}"#
            }
            Version::V34 | Version::V35 => r#"{"protocol":4,"t":1700000000,"data":{"dps":{"1":true,"101":"\u00e9"}}}"#,
        };
        assert_eq!(replies[1].text, expected);
        let header = (version != Version::V31).then(|| VersionHeader::device(version, 62046));
        assert_eq!(replies[1].header, header);
        assert_eq!(pair.bench.told("Written  1=Bool(true) 101=Str(\"é\")"), 1, "{:?}", pair.bench.events);
        let replies = pair.set(r#"{"1":true}"#);
        assert_eq!(commands(&replies), [control], "an unchanged value is not pushed");
        let replies = pair.set(r#"{"1":false}"#);
        assert_eq!(replies[1].header, header.map(|h| VersionHeader { sequence: 62047, ..h }));
    }
}

#[test]
fn values_of_another_kind_are_not_accepted() {
    let mut pair = Pair::new(config(Version::V33), plug());
    let unfit = [r#"{"1":1}"#, r#"{"2":true}"#, r#"{"2":1.5}"#, r#"{"101":[]}"#, r#"{"1":null}"#, r#"{"77":1}"#];
    for (before, dps) in unfit.into_iter().chain(["{}"]).enumerate() {
        assert_eq!(commands(&pair.set(dps)), [7], "{dps}");
        assert_eq!(pair.bench.told("Ignored"), (before + 1).min(unfit.len()), "{dps}");
    }
    assert_eq!(pair.bench.told("Written"), 0);
    assert_eq!(pair.bench.told("Ignored  77=Int(1)"), 1, "{:?}", pair.bench.events);
}

#[test]
fn device22_refuses_queries_and_answers_nulls() {
    for version in [Version::V32, Version::V33, Version::V34, Version::V35] {
        let mut pair = Pair::new(config(version).with_dialect(Dialect::Device22), plug());
        let query = pair.query();
        let replies = pair.ask(query, "{}");
        assert_eq!(replies[0].brief(), (query.0, Some(1), "json obj data unvalid"), "{version}");
        let nulls = r#"{"devId":"x","uid":"x","t":"1","dps":{"1":null,"9":null,"20":null}}"#;
        let replies = pair.ask(CommandCode::CONTROL_NEW, nulls);
        assert_eq!(commands(&replies), [13, 8]);
        assert_eq!(replies[0].text, "");
        assert!(replies[1].text.contains(r#""dps":{"1":false,"9":0}"#), "{}", replies[1].text);
        let none = pair.ask(CommandCode::CONTROL_NEW, r#"{"dps":{"20":null}}"#);
        assert_eq!(commands(&none), [13]);
        let replies = pair.set(r#"{"1":true}"#);
        assert_eq!(commands(&replies), [pair.control().0, 8]);
        assert_eq!(pair.bench.told("Written  1=Bool(true)"), 1);
    }
    let mut pair = Pair::new(config(Version::V34), plug());
    assert_eq!(commands(&pair.ask(CommandCode::CONTROL_NEW, r#"{"dps":{"1":null}}"#)), [13], "not device22");
}

#[test]
fn an_update_request_is_acknowledged_and_the_requested_dps_are_pushed() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        let replies = pair.ask(CommandCode::UPDATE_DPS, r#"{"dpId":[2,9,50]}"#);
        assert_eq!(commands(&replies), [0x12, 8], "{version}");
        assert!(replies[1].text.contains(r#""dps":{"2":10,"9":0}"#));
        assert_eq!(commands(&pair.ask(CommandCode::UPDATE_DPS, r#"{"dpId":[50]}"#)), [0x12]);
        assert_eq!(pair.ask(CommandCode::UPDATE_DPS, "x"), []);
    }
}

#[test]
fn a_gateway_reports_its_children() {
    let all = r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
    for version in ALL {
        let mut pair = Pair::new(config(version), gateway());
        let replies = pair.ask(CommandCode::LAN_EXT_STREAM, all);
        let report = r#"{"reqType":"subdev_online_stat_report","data":{"online":["a4c1380123456789"],"offline":["00124b002d8e6a68"]}}"#;
        assert_eq!(replies.iter().map(Reply::brief).collect::<Vec<_>>(), [(0x40, Some(0), report)], "{version}");
        let one = r#"{"reqType":"subdev_online_stat_query","data":{"cids":["a4c1380123456789"]}}"#;
        let replies = pair.ask(CommandCode::LAN_EXT_STREAM, one);
        assert!(replies[0].text.ends_with(r#""offline":[]}}"#));
        assert_eq!(pair.ask(CommandCode::LAN_EXT_STREAM, r#"{"reqType":"other"}"#), []);
        pair.bench.emulator.report_children();
        let unsolicited = pair.bench.drain();
        assert_eq!(texts(&pair.take(&unsolicited)), [report]);
        assert_eq!(Pair::new(config(version), plug()).ask(CommandCode::LAN_EXT_STREAM, all), []);
    }
}

#[test]
fn sub_devices_are_queried_and_set_by_cid() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let mut pair = Pair::new(config(version), gateway());
        let (query, control) = (pair.query(), pair.control());
        let replies = pair.ask(query, r#"{"cid":"a4c1380123456789"}"#);
        assert_eq!(texts(&replies), [r#"{"dps":{"1":false,"9":0},"cid":"a4c1380123456789"}"#]);
        let within = pair.ask(query, r#"{"data":{"cid":"a4c1380123456789"}}"#);
        assert!(within[0].text.contains("101"), "the gateway answers for itself");
        let set = r#"{"t":1,"data":{"cid":"a4c1380123456789","dps":{"1":true}},"cid":"elsewhere"}"#;
        let replies = pair.ask(control, set);
        assert_eq!(commands(&replies), [control.0, 8]);
        assert!(replies[1].text.contains(r#""cid":"a4c1380123456789""#));
        assert_eq!(pair.bench.told("Written a4c1380123456789 1=Bool(true)"), 1);
        assert_eq!(pair.ask(query, r#"{"cid":"unknown"}"#), []);
        assert_eq!(pair.ask(control, r#"{"cid":"unknown","dps":{"1":true}}"#), []);
        assert_eq!(pair.ask(query, r#"{"cid":"\u0061"}"#), []);
    }
    let mut model = FixedModel::new();
    model.set_child(&Cid::new(CHILD).expect("a cid"), true).expect("room");
    let mut pair = Pair::new(config(Version::V34), model);
    assert_eq!(texts(&pair.ask(CommandCode::DP_QUERY_NEW, "{}")), ["json obj data unvalid"]);
}

#[test]
fn anything_else_meets_silence() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        for code in [1, 8, 11, 0x25, 0x77] {
            assert_eq!(pair.ask(CommandCode(code), "{}"), [], "{version} {code}");
        }
        assert_eq!(pair.bench.told("Request"), 5);
    }
    for version in OLD {
        let mut pair = Pair::new(config(version), plug());
        assert_eq!(pair.ask(CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001"), []);
        assert_eq!(pair.bench.hangup, None);
    }
}

#[test]
fn sequence_numbers_are_those_of_the_version() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        let control = pair.set(r#"{"1":true}"#);
        let heartbeat = pair.ask(CommandCode::HEART_BEAT, "");
        let numbers: Vec<_> = control.iter().chain(&heartbeat).map(|reply| reply.seqno).collect();
        let expected = if version.negotiates() { [64826, 64827, 64828] } else { [1, 0, 0] };
        assert_eq!(numbers, expected, "{version}");
    }
}

#[test]
fn commands_before_the_negotiation_are_dropped_three_times() {
    for version in NEW {
        let mut bench = Bench::new(config(version), plug());
        for seqno in 1..=3 {
            assert_eq!(bench.feed(&sealed(version, &KEY, seqno, CommandCode::DP_QUERY_NEW, "{}")), b"");
            assert_eq!(bench.hangup, None, "{version}");
        }
        assert_eq!(bench.told("Dropped"), 3);
        bench.feed(&sealed(version, &KEY, 4, CommandCode::DP_QUERY_NEW, "{}"));
        assert_eq!(bench.hangup, Some(HangupReason::NotNegotiated));

        let mut pair = Pair::raw(config(version), plug(), KEY);
        let early = sealed(version, &KEY, 1, CommandCode::SESS_KEY_NEG_FINISH, "0123456789abcdef0123456789abcdef");
        pair.bench.feed(&early);
        assert_eq!(pair.bench.told("Dropped"), 1, "FINISH before START");
    }
}

#[test]
fn a_repeated_start_restarts_the_exchange_and_a_late_one_closes() {
    for version in NEW {
        let mut pair = Pair::raw(config(version), plug(), KEY);
        let first = sealed(version, &KEY, 1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0009");
        assert!(!pair.bench.feed(&first).is_empty());
        pair.request_with(CommandCode::HEART_BEAT, "", false);
        pair.negotiate();
        pair.negotiate();
        assert!(pair.bench.emulator.is_ready());
        assert_eq!(pair.ask(CommandCode::HEART_BEAT, "").len(), 1);
        let late = pair.request_with(CommandCode::SESS_KEY_NEG_START, "ClientNonce-0009", false);
        assert_eq!(pair.bench.feed(&late), b"");
        assert_eq!(pair.bench.hangup, Some(HangupReason::Renegotiation));
    }
}

#[test]
fn frames_of_the_other_kind_are_ignored_or_end_the_connection() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        let other = if version == Version::V35 { Version::V33 } else { Version::V35 };
        assert_eq!(pair.bench.feed(&sealed(other, &KEY, 90, CommandCode::DP_QUERY, "{}")), b"");
        let expected = version.negotiates().then_some(HangupReason::OtherVersion);
        assert_eq!(pair.bench.hangup, expected, "{version}");
        assert_eq!(pair.bench.emulator.is_ready(), expected.is_none());
    }
    for version in NEW {
        let mut bench = Bench::new(config(version), plug());
        let other = if version == Version::V35 { Version::V34 } else { Version::V35 };
        bench.feed(&sealed(other, &KEY, 1, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001"));
        assert_eq!(bench.hangup, Some(HangupReason::OtherVersion));
    }
}

#[test]
fn traffic_of_3_1_to_3_3_ends_a_connection_to_3_4_at_once() {
    for version in OLD {
        for command in [CommandCode::DP_QUERY, CommandCode::HEART_BEAT, CommandCode::CONTROL] {
            for text in ["", "{}"] {
                let frame = sealed(version, &KEY, 1, command, text);
                let mut bench = Bench::new(config(Version::V34), plug());
                assert_eq!(bench.feed(&frame), b"");
                assert_eq!(bench.hangup, Some(HangupReason::OtherVersion), "{version} {command:?} {text:?}");
                let mut pair = Pair::new(config(Version::V34), plug());
                pair.bench.feed(&frame);
                assert_eq!(pair.bench.hangup, Some(HangupReason::OtherVersion), "after the negotiation");
                let mut bench = Bench::new(quirky(Version::V34, &["ignore-other-version"]), plug());
                assert_eq!(bench.feed(&frame), b"");
                assert_eq!(bench.hangup, None);
                assert_eq!(bench.told("Discarded { error: Integrity }"), 1);
            }
        }
    }
}

#[test]
fn frames_that_do_not_verify_are_ignored_or_end_the_connection() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        let query = pair.query();
        let mut frame = pair.request(query, r#"{"a":"some text"}"#);
        frame[33] ^= 1;
        assert_eq!(pair.bench.feed(&frame), b"");
        assert_eq!(pair.bench.hangup, version.negotiates().then_some(HangupReason::Integrity), "{version}");
        if !version.negotiates() {
            assert_eq!(pair.bench.told("Discarded { error: Integrity }"), 1);
            assert_eq!(commands(&pair.ask(CommandCode::HEART_BEAT, "")), [9]);
        }
    }
}

#[test]
fn a_controller_with_another_key_gets_nothing_out_of_the_negotiation() {
    for version in NEW {
        let mut pair = Pair::raw(config(version), plug(), *b"fedcba9876543210");
        assert_eq!(pair.negotiate(), []);
        assert_eq!(pair.bench.hangup, Some(HangupReason::Integrity), "{version}");

        let mut pair = Pair::raw(config(version), plug(), KEY);
        pair.negotiate();
        let wrong = sealed(version, &KEY, 2, CommandCode::SESS_KEY_NEG_FINISH, "0123456789abcdef0123456789abcdef");
        assert_eq!(pair.bench.feed(&wrong), b"");
        assert_eq!(pair.bench.hangup, Some(HangupReason::WrongProof));
    }
}

#[test]
fn undecryptable_requests_are_refused_under_the_real_key() {
    for version in [Version::V32, Version::V33] {
        let other = b"fedcba9876543210";
        let mut bench = Bench::new(config(version), plug());
        let answer = bench.feed(&sealed(version, other, 4, CommandCode::DP_QUERY, "{\"gwId\":\"x\"}"));
        assert_eq!(opened(version, &KEY, &answer), (10, Some(1), "data format error".to_owned()));
        assert!(!answer.windows(4).any(|w| w == b"data"), "encrypted");
        assert_eq!(bench.feed(&sealed(version, other, 5, CommandCode::CONTROL, "{\"dps\":{}}")), b"");
        assert_eq!(bench.hangup, None);
    }
}

#[test]
fn clear_text_from_a_controller_is_not_obeyed() {
    for version in [Version::V31, Version::V33] {
        let head =
            Head { sender: Sender::Device, seqno: 1, command: CommandCode::CONTROL, retcode: None, header: None };
        let mut frame = vec![0; 256];
        let text = br#"{"dps":{"1":true}}"#;
        let len = seal(&Keys::new(Version::V31, &KEY), &head, &[0; 12], text, &mut frame).expect("room");
        let mut bench = Bench::new(config(version), plug());
        let answer = bench.feed(&frame[..len]);
        assert_eq!(answer.is_empty(), version == Version::V33);
        assert_eq!(bench.told("Written"), 0);
    }
}

#[test]
fn sequence_numbers_of_the_controller_must_grow_in_3_5_and_not_be_0_in_3_4() {
    let mut pair = Pair::new(config(Version::V35), plug());
    let frame = pair.request(CommandCode::HEART_BEAT, "");
    assert!(!pair.bench.feed(&frame).is_empty());
    assert_eq!(pair.bench.feed(&frame), b"");
    assert_eq!(pair.bench.hangup, Some(HangupReason::Sequence));

    let mut bench = Bench::new(config(Version::V34), plug());
    let start = |seqno| sealed(Version::V34, &KEY, seqno, CommandCode::SESS_KEY_NEG_START, "ClientNonce-0001");
    assert_eq!(bench.feed(&start(0)), b"");
    assert_eq!(bench.told("Dropped"), 1);
    assert_eq!(bench.feed(&start(7)).len(), 120);
    assert_eq!(bench.feed(&start(7)).len(), 120, "3.4 does not compare numbers");

    let mut bench = Bench::new(config(Version::V33), plug());
    let beat = sealed(Version::V33, &KEY, 0, CommandCode::HEART_BEAT, "");
    assert_eq!(bench.feed(&beat).len(), 28);
    assert_eq!(bench.feed(&beat).len(), 28);
}

#[test]
fn frames_of_4096_bytes_are_dropped_by_3_5() {
    let mut pair = Pair::new(config(Version::V35), plug());
    let fits = "x".repeat(4095 - 50);
    assert_eq!(pair.ask(CommandCode::HEART_BEAT, &fits).len(), 1);
    let large = "x".repeat(4096 - 50);
    assert_eq!(pair.ask(CommandCode::HEART_BEAT, &large), []);
    assert_eq!(pair.bench.told("TooLong"), 1);
    assert_eq!(pair.ask(CommandCode::HEART_BEAT, "").len(), 1);
}

#[test]
fn only_valid_frames_keep_a_connection_open() {
    for version in ALL {
        let mut pair = Pair::new(config(version), plug());
        pair.bench.later(29_000);
        assert_eq!(pair.ask(CommandCode::HEART_BEAT, "").len(), 1);
        pair.bench.later(29_000);
        pair.bench.feed(b"garbage without end");
        assert_eq!(pair.bench.hangup, None);
        assert_eq!(pair.bench.poll(), Some(Some(Instant::from_millis(59_000))), "the idle limit is when to wake");
        pair.bench.later(1_000);
        pair.bench.drain();
        assert_eq!(pair.bench.hangup, Some(HangupReason::Idle), "{version}");
        pair.bench.hangup = None;
        pair.bench.drain();
        assert_eq!(pair.bench.hangup, Some(HangupReason::Idle), "said again");
    }
}
