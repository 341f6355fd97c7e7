//! Single quirks, buffers that are too small, pushes by the caller.

use super::*;

#[test]
fn every_name_sets_something_and_others_are_refused() {
    for (name, does) in Quirks::NAMES {
        let name = name.replace("=N", "=3");
        let sets = |version: Version| {
            let mut quirks = Quirks::of(version);
            assert_eq!(quirks.set(&name), Ok(()), "{name}");
            quirks != Quirks::of(version)
        };
        assert!(Version::ALL.into_iter().any(sets), "{name}");
        assert!(!does.is_empty());
    }
    for wrong in ["", "no", "report-chunk", "report-chunk=0", "silent-after=x", "garbage=1"] {
        assert_eq!(Quirks::default().set(wrong), Err(UnknownQuirk), "{wrong}");
    }
    assert!(format!("{UnknownQuirk}").contains("zero-key"));
}

#[test]
fn controls_can_be_answered_in_another_way() {
    for version in Version::ALL {
        let control = if version.negotiates() { 13 } else { 7 };
        for (name, expected) in [
            ("push-before-ack", [8, control].as_slice()),
            ("drop-ack", &[8]),
            ("drop-push", &[control]),
            ("silent-control", &[]),
        ] {
            let mut pair = Pair::new(quirky(version, &[name]), plug());
            assert_eq!(commands(&pair.set(r#"{"1":true}"#)), expected, "{version} {name}");
            assert_eq!(pair.bench.told("Written"), 1);
        }
        let mut pair = Pair::new(quirky(version, &["push-unchanged"]), plug());
        assert_eq!(commands(&pair.set(r#"{"1":false}"#)), [control, 8]);
        assert_eq!(pair.bench.told("Written"), 1, "the other connections receive it, too");
    }
}

#[test]
fn updates_can_be_answered_in_another_way() {
    for (name, expected) in
        [("update-ack-only", [0x12].as_slice()), ("update-push-only", &[8]), ("update-silence", &[])]
    {
        let mut pair = Pair::new(quirky(Version::V35, &[name]), plug());
        assert_eq!(commands(&pair.ask(CommandCode::UPDATE_DPS, r#"{"dpId":[1]}"#)), expected, "{name}");
    }
}

#[test]
fn return_codes_can_mislead() {
    for version in Version::ALL {
        let mut pair = Pair::new(quirky(version, &["ack-retcode-one"]), plug());
        let one = if version == Version::V35 { 0x0100_0000 } else { 1 };
        assert_eq!(pair.set(r#"{"1":true}"#)[0].retcode, Some(one), "{version}");
        let mut pair = Pair::new(quirky(version, &["no-retcode"]), plug());
        let query = pair.query();
        let replies = [pair.set(r#"{"1":true}"#), pair.ask(CommandCode::HEART_BEAT, "")].concat_all();
        assert!(replies.iter().all(|reply| reply.retcode.is_none()), "{version}: {replies:?}");
        if version != Version::V32 {
            assert!(pair.ask(query, "{}")[0].text.contains("101"));
        }
    }
    let config = quirky(Version::V33, &["refusal-retcode-zero"]).with_dialect(Dialect::Device22);
    let mut pair = Pair::new(config, plug());
    assert_eq!(pair.ask(CommandCode::DP_QUERY, "{}")[0].brief(), (10, Some(0), "json obj data unvalid"));
}

trait ConcatAll {
    fn concat_all(self) -> Vec<Reply>;
}

impl<const N: usize> ConcatAll for [Vec<Reply>; N] {
    fn concat_all(self) -> Vec<Reply> {
        self.into_iter().flatten().collect()
    }
}

#[test]
fn sequence_numbers_can_be_of_any_kind() {
    for version in Version::ALL {
        let new = version.negotiates();
        let first = if new { 3 } else { 1 };
        let counter = if new { 64826 } else { 64825 };
        for (name, expected) in [
            ("seqno-echo", [first, if new { 64825 } else { 0 }, first + 1]),
            ("seqno-counter", [counter, counter + 1, counter + 2]),
            ("seqno-zero", [0, 0, 0]),
        ] {
            let mut pair = Pair::new(quirky(version, &[name]), plug());
            let replies = [pair.set(r#"{"1":true}"#), pair.ask(CommandCode::HEART_BEAT, "")].concat_all();
            let numbers: Vec<_> = replies.iter().map(|reply| reply.seqno).collect();
            assert_eq!(numbers, expected, "{version} {name}");
        }
    }
}

#[test]
fn replies_and_pushes_can_have_another_shape() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let mut pair = Pair::new(quirky(version, &["wrapped-reply", "reply-header"]), plug());
        let query = pair.query();
        let reply = pair.ask(query, "{}").remove(0);
        let text = r#"{"protocol":4,"t":1700000000,"data":{"dps":{"1":false,"2":10,"9":0,"101":"x"}}}"#;
        assert_eq!((reply.text.as_str(), reply.header.is_some()), (text, true), "{version}");
        let mut pair = Pair::new(quirky(version, &["push-without-header", "bad-clock"]), plug());
        let push = pair.set(r#"{"1":true}"#).remove(1);
        assert!(push.header.is_none() && push.text.contains(r#""t":809"#), "{push:?}");
    }
    let config = quirky(Version::V34, &["device22-data-in-reply"]).with_dialect(Dialect::Device22);
    let mut pair = Pair::new(config, plug());
    let replies = pair.ask(CommandCode::CONTROL_NEW, r#"{"dps":{"2":null,"3":null}}"#);
    assert_eq!(replies.iter().map(Reply::brief).collect::<Vec<_>>(), [(13, Some(0), r#"{"dps":{"2":10}}"#)]);
}

#[test]
fn refusals_can_be_clear_silent_or_more() {
    let other = b"fedcba9876543210";
    let query = sealed(Version::V33, other, 4, CommandCode::DP_QUERY, "{\"gwId\":\"x\"}");
    let mut bench = Bench::new(quirky(Version::V33, &["clear-errors"]), plug());
    assert_eq!(bench.feed(&query), rustuya_vectors::by_name("v3.3/default/error-clear-text").expect("there").frame());
    let mut bench = Bench::new(quirky(Version::V33, &["silent-errors"]), plug());
    assert_eq!(bench.feed(&query), b"");
    for version in Version::ALL {
        let names = ["unknown-command-error", "unknown-cid-error", "no-children-report"];
        let mut pair = Pair::new(quirky(version, &names), gateway());
        assert_eq!(pair.ask(CommandCode(0x77), "{}")[0].brief(), (0x77, Some(1), "json obj data unvalid"));
        let update = pair.ask(CommandCode::UPDATE_DPS, r#"{"cid":"unknown","dpId":[1]}"#);
        assert_eq!(texts(&update), ["devid not found"]);
        let all = r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
        assert_eq!(pair.ask(CommandCode::LAN_EXT_STREAM, all), []);
    }
}

#[test]
fn reports_can_come_in_parts() {
    let mut model = gateway();
    for cid in ["c", "d", "e"] {
        model.set_child(&Cid::new(cid).expect("a cid"), true).expect("room");
    }
    let mut pair = Pair::new(quirky(Version::V34, &["report-chunk=2"]), model);
    let all = r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
    let replies = pair.ask(CommandCode::LAN_EXT_STREAM, all);
    let parts: Vec<_> = replies.iter().map(|r| &r.text[r.text.find("online\":").expect("a list")..]).collect();
    assert_eq!(
        parts,
        [
            r#"online":["a4c1380123456789"],"offline":["00124b002d8e6a68"]}}"#,
            r#"online":["c","d"],"offline":[]}}"#,
            r#"online":["e"],"offline":[]}}"#,
        ]
    );
}

#[test]
fn a_device_can_fall_silent_or_hang_up() {
    for version in Version::ALL {
        let mut pair = Pair::new(quirky(version, &["ignore-heartbeats"]), plug());
        assert_eq!(pair.ask(CommandCode::HEART_BEAT, ""), []);
        let mut pair = Pair::new(quirky(version, &["silent-after=3"]), plug());
        let counts: Vec<_> = ["true", "false", "true"].map(|v| pair.set(&format!("{{\"1\":{v}}}")).len()).into();
        assert_eq!(counts, [2, 1, 0], "{version}");
        assert_eq!((pair.bench.told("Written"), pair.bench.hangup), (3, None));
        let mut pair = Pair::new(quirky(version, &["close-after=1"]), plug());
        assert_eq!(pair.set(r#"{"1":true}"#).len(), 1);
        assert_eq!(pair.bench.hangup, Some(HangupReason::Quirk));
    }
}

#[test]
fn an_answer_can_be_held_back() {
    let mut pair = Pair::new(quirky(Version::V34, &["delay-ms=200"]), plug());
    assert_eq!(pair.ask(CommandCode::HEART_BEAT, ""), []);
    assert_eq!(pair.bench.poll(), Some(Some(Instant::from_millis(200))));
    pair.bench.later(200);
    let late = pair.bench.drain();
    assert_eq!(commands(&pair.take(&late)), [9]);
}

#[test]
fn keys_and_proofs_can_be_wrong() {
    for version in [Version::V34, Version::V35] {
        let mut pair = Pair::raw(quirky(version, &["wrong-proof"]), plug(), KEY);
        assert_eq!(texts(&pair.negotiate()), ["repeated"], "{version}: the key is right, the answer is not");

        let mut pair = Pair::raw(quirky(version, &["silent-on-wrong-key"]), plug(), *b"fedcba9876543210");
        assert_eq!(pair.negotiate(), []);
        assert_eq!(pair.bench.hangup, None);
        pair.bench.later(30_000);
        pair.bench.drain();
        assert_eq!(pair.bench.hangup, Some(HangupReason::Idle));

        let mut pair = Pair::new(quirky(version, &["zero-key"]), plug());
        assert_eq!(commands(&pair.ask(CommandCode::HEART_BEAT, "")), [9], "the second attempt is a good one");
        assert!(pair.bench.emulator.sender.session.is_ready());
        let nonces = pair.bench.emulator.sender.session.negotiate(
            Instant::ZERO,
            &LocalKey::new(KEY),
            &mut Counter::default(),
            &mut TxBuf::new(vec![0; 512]).lend(),
        );
        assert!(!nonces, "a device starts no negotiation");
    }
    for version in Version::ALL {
        let mut pair = Pair::new(quirky(version, &["wrong-key"]), plug());
        let replies = pair.set(r#"{"1":true}"#);
        assert!(texts(&replies).iter().any(|t| ["Integrity", "Padding"].contains(t)), "{version}: {replies:?}");
    }
}

#[test]
fn the_zero_key_quirk_costs_exactly_one_attempt() {
    for version in [Version::V34, Version::V35] {
        let mut pair = Pair::raw(quirky(version, &["zero-key"]), plug(), KEY);
        pair.negotiate();
        assert!(!pair.bench.emulator.sender.zero_key);
        let bytes = {
            let mut tx = TxBuf::new(vec![0; 1024]);
            pair.session.negotiate(Instant::ZERO, &pair.key, &mut pair.rng, &mut tx.lend());
            tx.pending().to_vec()
        };
        let command = if version == Version::V35 { bytes[13] } else { bytes[11] };
        assert_eq!(command, 3, "the controller starts over instead of finishing");
    }
}

#[test]
fn garbage_between_frames_is_skipped() {
    for version in Version::ALL {
        let mut pair = Pair::new(quirky(version, &["garbage"]), plug());
        let control = pair.control().0;
        let frame = pair.request(CommandCode::HEART_BEAT, "");
        let clean = Pair::new(config(version), plug()).bench.feed(&frame).len();
        assert_eq!(pair.bench.feed(&frame).len(), clean + 7);
        assert_eq!(commands(&pair.set(r#"{"1":true}"#)), [control, 8], "{version}");
    }
}

#[test]
fn requests_wait_until_their_replies_have_room() {
    for version in Version::ALL {
        let mut pair = Pair::new(config(version), plug());
        let requests: Vec<u8> = ["true", "false", "true"]
            .map(|v| {
                let control = pair.control();
                let dps = format!(r#"{{"dps":{{"1":{v}}}}}"#);
                pair.request(control, &dps)
            })
            .concat();
        // Room for the largest frame, but not for two of them.
        pair.bench.tx = TxBuf::new(vec![0; 210]);
        pair.bench.rx.spare_mut()[..requests.len()].copy_from_slice(&requests);
        pair.bench.rx.commit(requests.len());
        while pair.bench.poll().is_none() {}
        assert!(!pair.bench.rx.is_empty() && !pair.bench.tx.is_empty());
        assert!(pair.bench.told("Request") < 3, "{version}");
        let out = pair.bench.drain();
        let control = pair.control().0;
        assert_eq!(commands(&pair.take(&out)), [control, 8, control, 8, control, 8], "{version}");
        assert_eq!(pair.bench.told("Written"), 3);
        assert!(pair.bench.rx.is_empty());
    }
}

#[test]
fn a_reply_that_can_never_fit_ends_the_connection() {
    for version in Version::ALL {
        let mut pair = Pair::new(config(version), plug());
        let query = pair.query();
        pair.bench.tx = TxBuf::new(vec![0; 70]);
        if version == Version::V32 {
            pair.set(r#"{"1":true}"#);
        } else {
            pair.ask(query, "{}");
        }
        assert!(matches!(pair.bench.hangup, Some(HangupReason::NoRoom { need }) if need > 70), "{version}");
    }
    // Sub-device reports are split instead.
    let mut pair = Pair::new(config(Version::V33), gateway());
    pair.bench.tx = TxBuf::new(vec![0; 130]);
    let all = r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
    assert_eq!(pair.ask(CommandCode::LAN_EXT_STREAM, all).len(), 2);
    assert_eq!(pair.bench.hangup, None);
    for version in [Version::V34, Version::V35] {
        let mut pair = Pair::raw(config(version), plug(), KEY);
        pair.bench.tx = TxBuf::new(vec![0; 100]);
        pair.negotiate();
        assert!(matches!(pair.bench.hangup, Some(HangupReason::NoRoom { .. })));
    }
}

#[test]
fn pushes_from_outside_reach_ready_connections_only() {
    for version in Version::ALL {
        let mut pair = Pair::raw(config(version), plug(), KEY);
        let dps = DpMap::Pairs(&[(DpId(1), DpValue::Bool(true))]);
        let push = |pair: &mut Pair, dps| {
            let Bench { emulator, tx, rng, now, .. } = &mut pair.bench;
            emulator.push(Some(CHILD), dps, *now, rng, tx)
        };
        if version.negotiates() {
            assert_eq!(push(&mut pair, dps), Err(PushError::NotReady));
        }
        while !pair.session.is_ready() {
            pair.negotiate();
        }
        pair.negotiate();
        assert_eq!(push(&mut pair, DpMap::Json("{")), Err(PushError::Dps));
        assert_eq!(push(&mut pair, dps), Ok(()), "{version}");
        let out = pair.bench.drain();
        let pushed = pair.take(&out);
        assert_eq!(commands(&pushed), [8]);
        assert!(pushed[0].text.contains(CHILD) && pushed[0].text.contains(r#"{"1":true}"#));
        pair.bench.tx = TxBuf::new(vec![0; 40]);
        assert!(matches!(push(&mut pair, dps), Err(PushError::NoRoom { need }) if need > 40));
        assert!(pair.bench.tx.is_empty());
    }
}

#[test]
fn any_chunking_gives_the_same_answers() {
    for version in Version::ALL {
        let answers: Vec<_> = [1, 2, 7, 61, 4096]
            .map(|size| {
                let mut pair = Pair::new(config(version), gateway());
                let (query, control) = (pair.query(), pair.control());
                let requests = [
                    pair.request(query, "{}"),
                    pair.request(control, r#"{"dps":{"1":true}}"#),
                    b"garbage".to_vec(),
                    pair.request(CommandCode::HEART_BEAT, ""),
                ]
                .concat();
                requests.chunks(size).flat_map(|chunk| pair.bench.feed(chunk)).collect::<Vec<u8>>()
            })
            .into();
        assert!(!answers[0].is_empty() && answers.iter().all(|a| *a == answers[0]), "{version}");
    }
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let bench = Bench::new(config(Version::V34), plug());
    let text = format!("{:?} {:?}", bench.emulator, bench.emulator.config());
    assert!(!text.contains("0123456789abcdef\"") && !text.contains("48, 49, 50"), "{text}");
}

#[test]
fn a_full_fixed_model_is_an_error() {
    let mut model: FixedModel<1, 1> = FixedModel::new();
    assert_eq!(model.set(None, DpId(1), DpValue::Bool(true)), Ok(true));
    assert_eq!(model.set(None, DpId(1), DpValue::Bool(true)), Ok(false));
    assert_eq!(model.set(None, DpId(2), DpValue::Bool(true)), Err(ModelError::Full));
    assert_eq!(model.set(Some("a"), DpId(2), DpValue::Bool(true)), Err(ModelError::UnknownCid));
    assert_eq!(model.set(None, DpId(1), DpValue::Null), Err(ModelError::Value));
    assert_eq!(model.set(None, DpId(1), "x".repeat(65).as_str().into()), Err(ModelError::Value));
    assert!(!model.is_gateway());
    let cid = Cid::new("a").expect("a cid");
    assert_eq!(model.set_child(&cid, true), Ok(()));
    assert_eq!(model.set_child(&cid, false), Ok(()));
    assert_eq!(model.set_child(&Cid::new("b").expect("a cid"), true), Err(ModelError::Full));
    assert!(model.is_gateway() && model.write(None, DpId(1), DpValue::Int(1)) == Err(WriteError::Kind));
}

/// On a transport without connections, only the first message of a negotiation shows a new controller.
#[test]
fn another_connection_shows_in_its_first_message() {
    for version in [Version::V34, Version::V35] {
        let mut pair = Pair::new(config(version), plug());
        let mut start = TxBuf::new(vec![0; 256]);
        Session::controller(version, &pair.key, Instant::ZERO).negotiate(
            Instant::ZERO,
            &pair.key,
            &mut pair.rng,
            &mut start.lend(),
        );
        let query = pair.request(pair.query(), "{}");
        let bench = &mut pair.bench;
        let meets = |bench: &Bench| bench.emulator.begins_new_connection(&bench.rx);
        assert!(!meets(bench), "{version}: nothing there");
        // Remains of the old connection in front of it do not hide it.
        for (before, expected) in [(query.as_slice(), false), (b"rubbish".as_slice(), true)] {
            let bytes = [before, start.pending()].concat();
            bench.rx.clear();
            bench.rx.spare_mut()[..bytes.len()].copy_from_slice(&bytes);
            bench.rx.commit(bytes.len());
            assert_eq!(meets(bench), expected, "{version}");
        }
        let first = Emulator::numbered(config(version), Instant::ZERO, 1, 1);
        assert!(!first.begins_new_connection(&bench.rx), "{version}: its own first message");
        bench.emulator = first;
        let answer = bench.drain();
        assert_eq!(bench.hangup, None);
        assert!(!answer.is_empty(), "{version}: the new connection negotiates");
    }
    let mut pair = Pair::new(config(Version::V33), plug());
    pair.set(r#"{"1":true}"#);
    let rx = &mut pair.bench.rx;
    rx.spare_mut()[..16].copy_from_slice(b"\0\0\x55\xaa\0\0\0\x01\0\0\0\x03\0\0\0\x10");
    rx.commit(16);
    assert!(!pair.bench.emulator.begins_new_connection(&pair.bench.rx), "3.3 does not negotiate");
}
