//! Durations of commands when answers are missing, to the millisecond, in virtual time.

use core::time::Duration;

use rustuya_conformance::Simulated;
use rustuya_faulty::{Fault, FaultyDevice};
use rustuya_proto::{CommandCode, Version};
use rustuya_runtime::{CommandError, Device, Sending};
use serde_json::json;

const ID: &str = "eb0123456789abcdefghij";
const KEY: &str = "0123456789abcdef";
const VERSIONS: [Version; 4] = [Version::V31, Version::V33, Version::V34, Version::V35];
/// Time limit of every wait.
const LONG: Duration = Duration::from_secs(60);
/// Tolerance: frames arrive at once, but turns of the loops may be a little apart.
const NOTHING: Duration = Duration::from_millis(10);

/// Creates a device with these quirks and a connected controller, in a simulated runtime of their own.
fn pair(version: Version, quirks: &[&str]) -> (Simulated, FaultyDevice, Device) {
    let world = Simulated::new(7);
    let builder = FaultyDevice::builder(ID, KEY, version).dps(json!({ "1": false, "2": 50 }));
    let with = |builder: rustuya_faulty::FaultyDeviceBuilder, quirk: &&str| builder.quirk(quirk).expect("a quirk");
    let fake = quirks.iter().fold(builder, with).start_in(world.net());
    let builder = Device::builder(ID, KEY).expect("usable").address(fake.addr()).version(version);
    let device = builder.command_timeout(Duration::from_secs(10)).spawn(&world);
    let query = Box::pin(device.query());
    world.block_on(query, LONG).expect("in time").expect("answers");
    (world, fake, device)
}

/// Runs a future. Returns its result and duration.
fn timed<T>(world: &Simulated, future: impl Future<Output = T>) -> (T, Duration) {
    let begun = world.now();
    let result = world.block_on(Box::pin(future), LONG).expect("in time");
    (result, world.now() - begun)
}

#[track_caller]
fn assert_took(took: Duration, wanted: Duration, what: impl core::fmt::Display) {
    assert!(took >= wanted && took < wanted + NOTHING, "{what}: {took:?}, not {wanted:?}");
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_confirmed_write_takes_no_longer_than_its_parts_and_than_its_limit() {
    let on = |device: &Device, limit: Option<u64>| -> Sending {
        let write = device.set_value(1, true);
        match limit {
            Some(limit) => write.timeout(millis(limit)),
            None => write,
        }
    };
    for version in VERSIONS {
        // Acknowledged but not pushed: waits a second for the push, half of the remaining time at most, then queries.
        for (limit, wanted) in [(None, 1_000), (Some(5_000), 1_000), (Some(1_000), 500)] {
            let (world, _fake, device) = pair(version, &["drop-push"]);
            let (result, took) = timed(&world, on(&device, limit).confirmed());
            assert_eq!(result.map(|reply| reply.dps.get("1").cloned()), Ok(Some(json!(true))), "{version} {limit:?}");
            assert_took(took, millis(wanted), format_args!("{version}, limit {limit:?}"));
        }
        // No answer: 5 s for the acknowledgement, then 10 s for the query, as for any query; or the limit for both.
        for (limit, wanted) in [(None, 15_000), (Some(8_000), 8_000), (Some(3_000), 3_000)] {
            let (world, fake, device) = pair(version, &[]);
            fake.set_fault(Fault::Silent);
            let (result, took) = timed(&world, on(&device, limit).confirmed());
            assert_eq!(result.map(drop), Err(CommandError::Unanswered), "{version} {limit:?}");
            assert_took(took, millis(wanted), format_args!("{version}, silent, limit {limit:?}"));
        }
    }
}

#[test]
fn what_is_missing_in_an_answer_is_waited_for_three_tenths_of_a_second() {
    for version in VERSIONS {
        for (pushed, wanted, missing) in [(None, 300, vec![7]), (Some(200), 200, vec![]), (Some(400), 300, vec![7])] {
            let (world, fake, device) = pair(version, &[]);
            let begun = world.now();
            let mut query = Box::pin(device.query_dps(&[1, 7]));
            if let Some(at) = pushed {
                let early = world.block_on(&mut query, millis(at));
                assert_eq!(early.is_some(), at > 300, "{version} {at}");
                if let Some(early) = early {
                    assert_eq!(early.expect("answers").missing, missing, "{version} {at}");
                    continue;
                }
                fake.push(None, json!({ "7": 8 }));
            }
            let told = world.block_on(&mut query, LONG).expect("in time").expect("answers");
            assert_eq!(told.missing, missing, "{version} {pushed:?}");
            assert_eq!(told.get("7").is_some(), missing.is_empty(), "{version} {pushed:?}");
            assert_took(world.now() - begun, millis(wanted), format_args!("{version}, pushed {pushed:?}"));
        }
    }
}

#[test]
fn a_device_without_sub_devices_does_not_answer_and_nothing_was_done() {
    for version in VERSIONS {
        for (limit, wanted) in [(None, 10_000), (Some(3_000), 3_000)] {
            let (world, fake, device) = pair(version, &[]);
            let ask = device.sub_discover();
            let ask = match limit {
                Some(limit) => ask.timeout(millis(limit)),
                None => ask,
            };
            let (result, took) = timed(&world, ask.acknowledged());
            let error = result.expect_err("it is no gateway");
            assert_eq!(error, CommandError::NoAnswer, "{version}");
            assert!(!error.to_string().contains("may have taken effect"), "{error}");
            assert_took(took, millis(wanted), format_args!("{version}, limit {limit:?}"));
            // A query is repeated, and writes nothing.
            let asked = |code| fake.requests().iter().filter(|request| request.command == code).count();
            assert!(asked(CommandCode::LAN_EXT_STREAM) > 1, "{version}: {:?}", fake.requests());
            assert_eq!(asked(CommandCode::CONTROL), 0, "{version}");
        }
    }
}

#[test]
fn pushes_in_the_place_of_an_answer_are_waited_for_three_tenths_of_a_second() {
    for version in VERSIONS {
        for (pushed, wanted) in [(200, json!({ "1": false, "2": 50, "7": 8 })), (400, json!({ "1": false, "2": 50 }))] {
            let (world, fake, device) = pair(version, &["query-empty-then-push"]);
            let begun = world.now();
            let mut query = Box::pin(device.query());
            let early = world.block_on(&mut query, millis(pushed));
            assert_eq!(early.is_some(), pushed > 300, "{version} {pushed}");
            fake.push(None, json!({ "7": 8 }));
            let told = match early {
                Some(told) => told,
                None => {
                    let told = world.block_on(&mut query, LONG).expect("in time");
                    assert_took(world.now() - begun, millis(300), version);
                    told
                }
            };
            assert_eq!(serde_json::Value::Object(told.expect("is told").dps), wanted, "{version} {pushed}");
        }
    }
}
