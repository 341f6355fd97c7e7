//! Seeds of the targets above the protocol core.

use rustuya_proto::{Quirks, Version};
use rustuya_vectors::{Transport, tinytuya};

use super::{Seed, seed};

/// Adds files of devices from tinytuya and other programs, and edited ones.
pub(super) fn lists(seeds: &mut Vec<Seed>) {
    let lamp =
        r#"{"id":"bf0123456789abcdefgh","name":"lamp","key":"0123456789abcdef","ip":"192.0.2.10","version":"3.4"}"#;
    let hub = r#"{"name":"hub","id":"gw0123456789abcdefgh","key":"fedcba9876543210","mapping":{"1":{"code":"x"}}}"#;
    let child = r#"{"id":"ch0123456789abcdefgh","key":"fedcba9876543210","node_id":"a4c1","sub":true,"parent":""}"#;
    let texts: [(&str, String); 12] = [
        ("list", format!("[{lamp},{hub},{child}]")),
        ("object", format!("{{\"timestamp\":1.5,\"devices\":[{lamp}]}}")),
        ("cloud", format!("{{\"result\":[{hub}],\"success\":true,\"t\":1700000000}}")),
        ("cloud-list", format!("{{\"result\":{{\"list\":[{lamp}],\"total\":1}}}}")),
        ("members", format!("{{\"bf0123456789abcdefgh\":{lamp},\"x\":{{\"local_key\":\"0123456789abcdef\"}}}}")),
        ("localtuya", r#"[{"device_id":"bf01","friendly_name":"b","local_key":"'0123456789abcdef'","host":"plug.local:7000","protocol_version":3.3}]"#.into()),
        ("gwid", r#"{"devices":[{"gwId":"bf01","ip":"192.0.2.10","ver":"3.5","port":6668,"dev_type":"device22"}]}"#.into()),
        ("twice", r#"[{"id":"a","id":"b","key":"short","version":3.5},{"id":"a"},{"id":""}]"#.into()),
        ("marked", format!("\u{feff}[{lamp}]\r\n")),
        ("no-list", "{}".into()),
        ("no-end", format!("[{lamp},")),
        ("deep", format!("[{{\"id\":\"a\",\"status\":{}1{}}}]", "[".repeat(140), "]".repeat(140))),
    ];
    seeds.extend(texts.into_iter().map(|(name, text)| seed("devices_file", name, text.into_bytes())));
}

/// Adds typical arguments.
pub(super) fn arguments(seeds: &mut Vec<Seed>) {
    let texts = [
        ("bool", "1=true"),
        ("several", "1=false\n2=-50\n3=white\n24=000003e803e8"),
        ("quoted", "5=\"12\""),
        ("empty", "5="),
        ("equals", "24=01e0="),
        ("object", "6={\"a\":[1,2.5]}"),
        ("float", "7=1e-7\n8=0.1\n9=123456789012345678901234567890"),
        ("none", "1=null\n2=NaN\n3=-inf\n4=[null]"),
        ("numbers", "65535=1\n65536=1\n01=1\n+1=1\n=1"),
        ("twice", "1=true\n1=false"),
        ("text", "5=\u{202e}\u{1b}[2J \\u0041 \u{1f4a1}"),
        ("escaped", "5=\"\\ud83d\\udca1 \\u0000\"\n6=\"\\ud83d\""),
    ];
    seeds.extend(texts.map(|(name, text)| seed("cli_values", name, text.as_bytes().to_vec())));
}

/// Adds datagrams of each version: valid, damaged, relayed, and from unpaired devices.
pub(super) fn announcements(seeds: &mut Vec<Seed>) {
    for (number, version) in (0_u8..).zip(Version::ALL) {
        let name = |what: &str| format!("{version}-{what}");
        let op = number * 6 + 1;
        seeds.push(seed("discovery", &name("honest"), vec![0, op, 0x10, op, 0x12, op, 0x10, op + 1, 0x20]));
        // From another address than the named one, with and without trust.
        let relayed = [op | 0x20, 0x10, 198, op | 0x40, 0x10, 0x30, op, 0x10];
        for trusts in [0, 1] {
            seeds.push(seed(
                "discovery",
                &name(["forged", "relayed"][usize::from(trusts)]),
                [&[trusts], &relayed[..]].concat(),
            ));
        }
        seeds.push(seed("discovery", &name("unpaired"), vec![0, op | 0x80, 0x10, op, 0x1c, op, 0x10, 5, 1, op, 0x10]));
    }
    for (at, vector) in (0_u8..).zip(tinytuya().iter().filter(|v| v.transport == Transport::Udp).take(8)) {
        let frame = vector.frame();
        if let Ok(len) = u8::try_from(frame.len()) {
            seeds.push(seed("discovery", &vector.name, [&[at & 1, 0, len], &frame[..], &[at, 0x10]].concat()));
        }
    }
}

/// Adds for each version: a controller with the key, one without, and every quirk without a number.
pub(super) fn controllers(seeds: &mut Vec<Seed>) {
    let control = br#"{"protocol":5,"t":1,"data":{"dps":{"1":true}}}"#;
    let write =
        [&[2, 0, 0x11, 13, control.len() as u8], &control[..], &[2, 0, 0x11, 7, control.len() as u8], control].concat();
    for (number, version) in (0_u8..).zip(Version::ALL) {
        let name = |what: &str| format!("{version}-{what}");
        let query = [2, 0, 0x10, 10, 2, b'{', b'}', 2, 0, 0x10, 16, 2, b'{', b'}', 4, 8, 2, 0, 0x10, 9, 0];
        let quirky = (0_u8..).zip(Quirks::NAMES).filter(|(_, (name, _))| !name.contains('='));
        for (at, (quirk, _)) in quirky.skip(usize::from(number)).step_by(7).take(3) {
            seeds.push(seed("emulator", &name(quirk), [&[0x80 | number, at], &query[..], &write].concat()));
        }
        seeds.push(seed(
            "emulator",
            &name("key"),
            [&[0x80 | number, 255], &query[..], &write, &[5, 0], &query].concat(),
        ));
        let front = [2, 7, b'{', b'}', 0, 0, 0, 0, 0, 2, 0x43, 1, 2, 3, 0, 4, 0, 0, 0x55, 0xaa];
        seeds.push(seed("emulator", &name("none"), [&[number, 255], &front[..]].concat()));
        let frames =
            tinytuya().iter().filter(|v| v.transport == Transport::Tcp && v.version.as_str() == version.as_str());
        for vector in frames.take(2) {
            let frame = vector.frame();
            if let Ok(len) = u8::try_from(frame.len()) {
                seeds.push(seed("emulator", &vector.name, [&[number, 255, 0, len], &frame[..]].concat()));
            }
        }
    }
}

/// Adds for each version: a run without faults, and one with cuts, refusals, late answers and new configurations, with
/// each pacing and each kind of record.
pub(super) fn links(seeds: &mut Vec<Seed>) {
    let well: &[u8] = &[1, 0x10, 1, 7, 0, 0, 5, 1, 9, 0, 0, 9, 1, 2, 0, 0, 14, 3, 0, 0, 1, 8, 2, 9, 0, 0, 9, 20, 18, 2];
    let badly: &[u8] = &[
        1, 0x10, 3, 1, 2, 5, 1, 2, 7, 0, 3, 0x25, 1, 3, 7, 2, 9, 13, 1, 0, 0, 10, 0, 11, 0, 0, 0, 4, 14, 0, 0, 15,
        0x6e, 0x41, 13, 0, 0, 0, 10, 0, 12, 1, 10, 0, 11, 0, 0, 0, 16, 0, 1, 1, 1, 4, 20, 0,
    ];
    let altered: &[u8] = &[
        1, 0x10, 1, 1, 21, 1, 0, 9, 2, 6, 99, 5, 99, 21, 12, 0, 20, 255, 5, 99, 0, 0, 17, 1, 13, 1, 9, 30, 11, 0, 0, 0,
    ];
    for (number, version) in (0_u8..).zip(Version::ALL) {
        for (what, life) in [("well", well), ("badly", badly), ("altered", altered)] {
            let pacing = number << 2;
            let head = [number | [0x10, 0x20, 0x40][what.len() % 3], 0x60 | pacing, 255, 0];
            seeds.push(seed("link", &format!("{version}-{what}"), [&head[..], life].concat()));
        }
        let auto = [number | 8, 0x0c, 255, 0];
        seeds.push(seed("link", &format!("{version}-auto-device22"), [&auto[..], well].concat()));
    }
}

/// Adds lines of records: runs with a device that answers, and misplaced calls. The target adds the first line.
pub(super) fn records(seeds: &mut Vec<Seed>) {
    let created = |version: &str| {
        format!(
            r#"{{"at":0,"op":"created","id":"eb0123456789abcdefghij","key":1,"address":"192.0.2.1","port":6668,{version}"persist":true,"probe":true,"timing":{{"connect":5000000,"negotiate":5000000,"answer":5000000,"heartbeat":10000000,"backoff_min":1000000,"backoff_max":60000000}},"rx":1024,"tx":1024}}"#
        )
    };
    let dial = r#"{"at":0,"op":"poll","times":2,"random":"00112233445566778899aabbccddeeff","orders":[{"order":"dial","conn":1,"to":"192.0.2.1:6668"}]}"#;
    let dialed = r#"{"at":10,"op":"dialed","conn":1}"#;
    let asked = r#"{"at":20,"op":"command","command":10,"unix_time":1700000000}"#;
    let set = r#"{"at":20,"op":"command","command":7,"unix_time":1700000000,"data":{"dps":"{\"1\":true}"}}"#;
    let lost = r#"{"at":30,"op":"lost","conn":1,"why":"reset"}"#;
    let closed = r#"{"at":40,"op":"closed"}"#;
    let bytes = |way: &str, bytes: &[u8]| format!(r#"{{"at":25,"op":"{way}","bytes":"{}"}}"#, hex(bytes));
    let mut add = |name: String, lines: &[&str]| seeds.push(seed("record", &name, lines.join("\n").into_bytes()));
    for version in Version::ALL {
        let created = created(&format!(r#""version":"{version}","#));
        let of = |v: &&rustuya_vectors::Vector| v.transport == Transport::Tcp && v.version.as_str() == version.as_str();
        let frame = tinytuya().iter().find(of).map(rustuya_vectors::Vector::frame).unwrap_or_default();
        let (received, sent) = (bytes("received", &frame), bytes("sent", &frame));
        add(format!("{version}-asked"), &[&created, dial, dialed, asked, &sent, &received, lost, closed]);
    }
    let auto = created("");
    add("lost".into(), &[&auto, dial, lost, r#"{"at":30,"op":"poll","times":4096}"#, closed]);
    add("backwards".into(), &[&auto, dialed, dial]);
    add("unknown".into(), &[dial, r#"{"device":7,"at":0,"op":"connect_now"}"#]);
    add(
        "set".into(),
        &[&auto, r#"{"at":0,"op":"announced","address":"192.0.2.2","version":"3.3"}"#, dial, dialed, set],
    );
    add("held".into(), &[&auto, dial, r#"{"at":1,"op":"held","conn":1}"#, r#"{"at":2,"op":"relayed"}"#, closed]);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
