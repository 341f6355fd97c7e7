use core::time::Duration;
use std::collections::BTreeSet;

use rustuya_proto::{Cid, DpId, DpValue, Model as _, WriteError};
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::behavior::Changed;
use crate::datum::Datum;
use crate::spec::Spec;
use crate::store::Store;

/// A device of a profile, whose time passes as the test says.
struct Simulated {
    store: Store,
    now: Instant,
    profile: Profile,
    pushes: Vec<Changed>,
}

impl Simulated {
    fn new(name: &str) -> Self {
        let profile: Profile = name.parse().expect("a profile");
        let mut store = Store::default();
        store.install(None, profile).expect("valid");
        for (cid, child) in profile.children() {
            store.install(Some(cid), child).expect("a valid cid");
        }
        store.behavior_mut().seed(7);
        let now = Instant::now();
        store.start(now);
        Self { store, now, profile, pushes: Vec::new() }
    }

    fn write(&mut self, cid: Option<&str>, dp: u16, value: &Value) -> Result<bool, WriteError> {
        let value = match value {
            Value::Bool(value) => DpValue::Bool(*value),
            Value::Number(number) => DpValue::Int(number.as_i64().expect("whole")),
            Value::String(text) => DpValue::text(text),
            other => panic!("not a value: {other}"),
        };
        self.store.write(cid, DpId(dp), value)
    }

    /// Writes these DPs at once, and lets the device react.
    fn writes(&mut self, dps: &Value) {
        for (key, value) in dps.as_object().expect("DPs") {
            let name = self.profile.name();
            self.write(None, key.parse().expect("a number"), value).unwrap_or_else(|why| panic!("{name} {key}: {why}"));
        }
        let changes = self.store.react(self.now);
        self.pushes.extend(changes);
    }

    /// Lets so many seconds pass, and does everything when it is due.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        let mut steps = 0;
        while let Some(due) = self.store.wake_up().filter(|due| *due <= end) {
            assert!(due > self.now || steps == 0, "{}: time passes", self.profile.name());
            self.now = due;
            let changes = self.store.advance(due);
            self.pushes.extend(changes);
            steps += 1;
            assert!(steps < 4 + 4 * seconds, "{}: {steps} steps in {seconds} s", self.profile.name());
        }
        self.now = end;
        self.store.advance(end);
    }

    fn value(&self, dp: &str) -> Value {
        self.store.dps(None).expect("the device")[dp].clone()
    }

    fn integer(&self, dp: &str) -> i64 {
        self.value(dp).as_i64().expect("a number")
    }

    /// Returns all pushed values of a DP.
    fn pushed(&self, dp: &str) -> Vec<Value> {
        self.pushes.iter().filter_map(|changed| changed.dps.get(dp).cloned()).collect()
    }

    /// Checks that every value fits the mapping, which has the same DPs.
    fn check(&self) {
        let all = core::iter::once((None, self.profile))
            .chain(self.profile.children().map(|(cid, child)| (Some(cid), child)));
        for (cid, profile) in all {
            let (values, mapping) = (self.store.dps(cid).expect("exists"), profile.mapping());
            let names = |map: &Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(names(values), names(&mapping), "{}", profile.name());
            for (dp, value) in values.iter().filter(|(_, value)| !value.is_null()) {
                let spec = Spec::parse(&mapping[dp]).expect("devices.json has this form");
                assert_eq!(spec.check(value), Ok(()), "{} {dp}: {value}", profile.name());
                let point = profile.template().points.iter().find(|point| point.dp.to_string() == *dp);
                assert_eq!(point.expect("listed").spec().check(value), Ok(()), "{} {dp}: {value}", profile.name());
            }
        }
    }
}

#[test]
fn every_profile_is_whole() {
    let mut names = BTreeSet::new();
    for profile in Profile::all() {
        let name = profile.name();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
        assert!(names.insert(profile.product_id()), "{name}: the product id is another's");
        assert_eq!(profile.product_id().len(), 16, "{name}");
        assert!(!profile.title().is_empty() && !profile.product().is_empty() && profile.model().starts_with("V-"));
        let points = profile.template().points;
        let dps: BTreeSet<_> = points.iter().map(|point| point.dp).collect();
        let codes: BTreeSet<_> = points.iter().map(|point| point.code).collect();
        assert_eq!((dps.len(), codes.len()), (points.len(), points.len()), "{name}: no DP and no code comes twice");
        assert!(dps.iter().all(|dp| *dp > 0 && *dp < 256), "{name}: 3.5 has one byte for it");
        assert!(!points.is_empty() || profile.children().count() > 0, "{name}");
        assert!(profile.children().all(|(cid, _)| Cid::new(cid).is_ok()), "{name}");
        assert_eq!(name.parse(), Ok(profile));
        Simulated::new(name).check();
    }
}

#[test]
fn every_group_of_categories_has_a_profile() {
    let groups = "dj dd|dc|fwd|gyd|xdd tgq tgkg tdq ykq fsd fs fskg ks kg cz pc wkcz qxj wsdcg dlq znjdq zndb cl clkg ckmkzq mc wk \
                  wkf kt qn rs dbl mjj cs jsq xxj kj mcs pir hps ywbj rqbj cobj co2bj sj sos zd ldcg hjjcy zwjcy szjcy ywcgq swtz \
                  wxkg cjkg sgbj mal sd ggq sfkzq ms bh kfj cwwsq cwysj mzj msp sz szjqr qccdz xnyjcn znrb hxd sp wg2 wnykq";
    for group in groups.split_whitespace() {
        let has = |category: &str| Profile::all().any(|profile| profile.category() == category);
        assert!(group.split('|').any(has), "{group}");
    }
}

#[test]
fn a_mapping_is_that_of_a_devices_json() {
    let light = "light".parse::<Profile>().expect("a profile").mapping();
    assert_eq!(light["20"], json!({ "code": "switch_led", "type": "Boolean", "values": {} }));
    let bright = json!({ "unit": "", "min": 10, "max": 1000, "scale": 0, "step": 1 });
    assert_eq!(light["22"], json!({ "code": "bright_value_v2", "type": "Integer", "values": bright }));
    let color = &light["24"];
    let part = json!({ "min": 0, "scale": 0, "unit": "", "max": 360, "step": 1 });
    assert_eq!((&color["type"], &color["values"]["h"]), (&json!("Json"), &part));
    assert_eq!(color["raw_values"], json!(color["values"].to_string()));
    let plug = "plug".parse::<Profile>().expect("a profile").mapping();
    assert_eq!(plug["44"], json!({ "code": "switch_inching", "type": "String", "values": "{\"maxlen\":255}" }));
    let order: Vec<_> = plug.keys().map(String::as_str).collect();
    assert_eq!(order, ["1", "9", "38", "40", "41", "42", "43", "44", "17", "18", "19", "20", "26"]);
}

#[test]
fn whatever_happens_in_a_week_fits_the_mapping() {
    for profile in Profile::all() {
        let mut device = Simulated::new(profile.name());
        // Everything on.
        for point in profile.template().points {
            if point.is_writable && point.first == Datum::Bool(false) {
                device.write(None, point.dp, &json!(true)).expect("a switch");
            }
        }
        device.store.react(device.now);
        for _ in 0..14 {
            device.pass(12 * 3600);
            device.check();
            device.pushes.clear();
        }
    }
}

#[test]
fn hostile_writes_change_nothing() {
    let values = [
        json!(true),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(-1),
        json!("no such word"),
        json!(""),
        json!("f".repeat(40_000)),
        json!("{\"control\":\"study\"}"),
    ];
    for profile in Profile::all() {
        let mut device = Simulated::new(profile.name());
        for dp in 0..=300 {
            let point = profile.template().points.iter().find(|point| point.dp == dp);
            for value in &values {
                let before = device.store.dps(None).cloned();
                let taken = device.write(None, dp, value);
                let fits = point.is_some_and(|point| point.is_writable && point.spec().check(value).is_ok());
                assert_eq!(taken.is_ok(), fits, "{} {dp} {value}", profile.name());
                if let Some(point) = point.filter(|point| !point.is_writable) {
                    assert_eq!(taken, Err(WriteError::ReadOnly), "{} {}", profile.name(), point.code);
                }
                if !fits {
                    assert_eq!(device.store.dps(None).cloned(), before, "{} {dp} {value}", profile.name());
                }
            }
            device.store.react(device.now);
        }
        device.pass(3600);
        device.check();
        for (cid, child) in profile.children() {
            assert_eq!(device.write(Some(cid), 250, &json!(true)), Err(WriteError::Unknown), "{}", child.name());
        }
    }
}

/// A write, the seconds that pass then, and the DPs after that.
#[test]
fn devices_do_what_real_ones_do() {
    for (name, write, seconds, expected) in [
        ("light", json!({ "24": "00f003e803e8" }), 0, json!({ "21": "colour" })),
        ("light", json!({ "24": "00f003e803e8", "21": "white" }), 0, json!({ "21": "white" })),
        ("light", json!({ "25": "000e0d0000000000000000c80000" }), 0, json!({ "21": "scene" })),
        ("light", json!({ "26": 90 }), 89, json!({ "20": true })),
        ("light", json!({ "26": 90 }), 91, json!({ "20": false, "26": 0 })),
        ("light-v1", json!({ "5": "00ff000078ffff" }), 0, json!({ "2": "colour" })),
        ("led-strip", json!({ "25": "000e0d0000000000000000c80000" }), 0, json!({ "21": "scene" })),
        ("two-gang-switch", json!({ "9": 60 }), 61, json!({ "1": true, "2": true, "9": 0 })),
        ("plug", json!({ "1": false }), 2, json!({ "18": 0, "19": 0 })),
        ("curtain", json!({ "1": "open" }), 0, json!({ "7": "opening" })),
        ("curtain", json!({ "1": "open" }), 9, json!({ "1": "stop", "2": 0, "3": 0, "11": "fully_open" })),
        ("curtain", json!({ "2": 90 }), 0, json!({ "7": "closing", "3": 40 })),
        ("curtain", json!({ "2": 90 }), 5, json!({ "3": 65, "2": 90 })),
        ("curtain", json!({ "2": 90 }), 11, json!({ "3": 90 })),
        ("old-curtain", json!({ "101": "ZZ" }), 16, json!({ "101": "STOP", "102": 100 })),
        ("garage-door", json!({ "1": true }), 11, json!({ "3": false })),
        ("garage-door", json!({ "1": true }), 13, json!({ "3": true })),
        ("thermostat", json!({ "2": 200 }), 0, json!({ "36": "close" })),
        ("thermostat", json!({ "1": false }), 0, json!({ "36": "close" })),
        ("air-conditioner", json!({ "2": 20 }), 0, json!({ "23": 68 })),
        ("air-conditioner", json!({ "23": 68 }), 0, json!({ "2": 20 })),
        ("heater", json!({ "19": "2h" }), 3600, json!({ "1": true, "20": 60 })),
        ("heater", json!({ "19": "2h" }), 7201, json!({ "1": false, "19": "cancel", "20": 0, "8": 0 })),
        ("kettle", json!({ "1": true }), 0, json!({ "15": "heating" })),
        ("kettle", json!({ "1": true }), 175, json!({ "15": "standby", "1": false })),
        ("siren", json!({ "13": true }), 0, json!({ "21": "alarm_sound_light" })),
        ("siren", json!({ "13": true }), 11, json!({ "13": false, "21": "normal" })),
        ("alarm", json!({ "1": "sos" }), 0, json!({ "32": "alarm", "26": "AEQAbwBvAHI=" })),
        ("irrigation", json!({ "1": true, "11": 5 }), 299, json!({ "1": true, "12": "manual" })),
        ("irrigation", json!({ "1": true, "11": 5 }), 301, json!({ "1": false, "12": "idle" })),
        ("robot", json!({ "1": true }), 120, json!({ "5": "smart_clean", "6": 2, "7": 2, "8": 98 })),
        ("robot", json!({ "11": true }), 4, json!({ "11": false })),
        ("pet-feeder", json!({ "3": 4 }), 0, json!({ "4": "feeding" })),
        ("pet-feeder", json!({ "3": 4 }), 11, json!({ "4": "standby", "15": 4 })),
        ("coffee-maker", json!({ "2": true }), 20, json!({ "7": "brewing" })),
        ("coffee-maker", json!({ "2": true }), 2000, json!({ "7": "standby", "2": false })),
        ("litter-box", json!({ "9": true }), 81, json!({ "24": "standby", "9": false })),
        ("gas-sensor", json!({ "12": true }), 0, json!({ "13": "checking" })),
        ("fingerbot", json!({ "1": true }), 2, json!({ "1": false })),
        ("ir-blaster", json!({ "201": "{\"control\":\"study\"}" }), 4, json!({ "202": "CkEUXwYJAigCCQKRBuADAQ==" })),
        ("purifier", json!({ "11": true }), 2, json!({ "5": 100, "11": false })),
        ("door-controller", json!({ "1": "open" }), 0, json!({ "2": "opened" })),
        ("ev-charger", json!({ "18": true }), 60, json!({ "3": "charger_charging", "25": 6 })),
    ] {
        let mut device = Simulated::new(name);
        device.writes(&write);
        device.pass(seconds);
        for (dp, value) in expected.as_object().expect("DPs") {
            assert_eq!(device.value(dp), *value, "{name}, {write}: DP {dp} after {seconds} s");
        }
        device.check();
    }
}

#[test]
fn a_curtain_stops_where_it_is_and_continues() {
    let mut curtain = Simulated::new("curtain");
    curtain.writes(&json!({ "1": "close" }));
    curtain.pass(4);
    curtain.writes(&json!({ "1": "stop" }));
    assert_eq!((curtain.value("1"), curtain.value("2"), curtain.value("3")), (json!("stop"), json!(60), json!(60)));
    curtain.pass(60);
    assert_eq!(curtain.value("3"), json!(60));
    curtain.writes(&json!({ "1": "continue" }));
    curtain.pass(60);
    assert_eq!(curtain.value("3"), json!(100));
    assert_eq!(curtain.pushed("3"), [45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 95, 100].map(Value::from));
    // The same word again, after another write has moved it.
    curtain.writes(&json!({ "2": 0 }));
    curtain.pass(5);
    curtain.writes(&json!({ "1": "stop" }));
    curtain.pass(5);
    assert_eq!(curtain.value("3"), json!(75));
}

#[test]
fn a_thermostat_heats_until_it_is_warm() {
    let mut thermostat = Simulated::new("thermostat");
    assert_eq!(thermostat.value("36"), json!("open"));
    thermostat.pass(4 * 60);
    assert_eq!(thermostat.integer("3"), 213);
    thermostat.pass(60 * 60);
    assert!((213..=215).contains(&thermostat.integer("3")), "it holds its temperature: {}", thermostat.value("3"));
    assert!(thermostat.pushed("36").contains(&json!("close")));
    thermostat.writes(&json!({ "1": false }));
    thermostat.pass(3600);
    assert!(thermostat.integer("3") < 190, "it cools down: {}", thermostat.value("3"));
    assert_eq!(thermostat.value("36"), json!("close"));
}

#[test]
fn an_air_conditioner_cools_and_heats_as_its_mode_says() {
    let mut conditioner = Simulated::new("air-conditioner");
    conditioner.pass(3600);
    assert!((24..=25).contains(&conditioner.integer("3")));
    assert_eq!(conditioner.integer("24"), (conditioner.integer("3") * 18 + 325).div_euclid(10));
    conditioner.writes(&json!({ "4": "hot", "2": 29 }));
    conditioner.pass(3600);
    assert!((28..=29).contains(&conditioner.integer("3")));
    conditioner.writes(&json!({ "4": "wind" }));
    conditioner.pass(3600);
    assert_eq!(conditioner.integer("3"), 27, "the room's own temperature");
}

#[test]
fn a_plug_measures_what_it_powers() {
    let mut plug = Simulated::new("plug");
    plug.pass(3600);
    let (watts, milliamperes, volts) = (plug.integer("19"), plug.integer("18"), plug.integer("20"));
    assert!((594..=606).contains(&watts) && (2285..=2315).contains(&volts), "{watts} {volts}");
    assert_eq!(milliamperes, watts * 1000 / volts);
    // 60 W for an hour, as increments of a watt hour.
    let increments: i64 = plug.pushed("17").iter().filter_map(Value::as_i64).sum();
    assert!((54..=61).contains(&increments), "{increments}");
    assert!(plug.pushed("17").len() > 8, "the same increment is pushed again");
    plug.pushes.clear();
    plug.writes(&json!({ "1": false }));
    plug.pass(7200);
    let rest: i64 = plug.pushed("17").iter().filter_map(Value::as_i64).sum();
    assert!(rest <= 6 && plug.integer("19") == 0, "{rest}");
}

#[test]
fn a_meter_counts_up() {
    let mut meter = Simulated::new("energy-meter");
    let before = meter.integer("1");
    meter.pass(24 * 3600);
    // 1.5 kW for a day, in units of 10 Wh.
    let consumed = meter.integer("1") - before;
    assert!((3500..=3650).contains(&consumed), "{consumed}");
    assert!(meter.pushed("6").len() > 1000 && meter.pushed("29").len() > 1000);
}

#[test]
fn a_robot_goes_out_and_comes_home() {
    let mut robot = Simulated::new("robot");
    robot.writes(&json!({ "1": true }));
    robot.pass(600);
    robot.writes(&json!({ "2": true }));
    assert_eq!((robot.value("5"), robot.value("1")), (json!("paused"), json!(false)));
    robot.pass(600);
    assert_eq!(robot.integer("6"), 10, "it stands still");
    robot.writes(&json!({ "2": false }));
    assert_eq!(robot.value("5"), json!("smart_clean"));
    robot.pass(4 * 3600);
    let order = ["smart_clean", "paused", "smart_clean", "goto_charge", "charging", "charge_done"];
    assert_eq!(robot.pushed("5"), order.map(Value::from));
    robot.writes(&json!({ "1": true }));
    robot.pass(60);
    robot.writes(&json!({ "3": true }));
    assert_eq!((robot.value("5"), robot.value("1")), (json!("goto_charge"), json!(false)));
    robot.pass(60);
    assert_eq!((robot.value("5"), robot.value("3")), (json!("charging"), json!(false)));
}

#[test]
fn sensors_report_by_themselves() {
    for (name, dp, least) in [
        ("door-sensor", "1", 100),
        ("motion-sensor", "1", 300),
        ("temperature-humidity", "1", 1000),
        ("smoke-sensor", "1", 2),
        ("water-leak", "1", 6),
        ("button", "1", 50),
        ("scene-switch", "5", 100),
        ("lock", "47", 100),
        ("camera", "212", 50),
        ("weather-station", "101", 200),
        ("air-quality", "1", 1),
        ("door-sensor", "2", 3),
    ] {
        let mut sensor = Simulated::new(name);
        sensor.pass(24 * 3600);
        let pushed = sensor.pushed(dp);
        assert!(pushed.len() >= least, "{name}: {} pushes of {dp} in a day", pushed.len());
    }
    let mut button = Simulated::new("button");
    button.pass(24 * 3600);
    let pushed = button.pushed("1");
    assert!(pushed.windows(2).any(|two| two[0] == two[1]), "the same click again is pushed again");
}

#[test]
fn switching_by_hand_ends_a_countdown() {
    let mut plug = Simulated::new("plug");
    plug.writes(&json!({ "9": 600 }));
    plug.pass(120);
    assert_eq!(plug.integer("9"), 480);
    plug.writes(&json!({ "1": false }));
    assert_eq!(plug.integer("9"), 0);
    plug.pass(1000);
    assert_eq!(plug.value("1"), json!(false));
}

#[test]
fn the_same_seed_makes_the_same_life() {
    let life = |seed| {
        let mut sensor = Simulated::new("weather-station");
        sensor.store.behavior_mut().seed(seed);
        sensor.pass(3600);
        sensor.pushes
    };
    assert_eq!(life(1), life(1));
    assert_ne!(life(1), life(2));
}

#[test]
fn speed_and_pause_rule_time() {
    let mut curtain = Simulated::new("curtain");
    curtain.store.behavior_mut().set_speed(60);
    curtain.writes(&json!({ "1": "open" }));
    curtain.pass(1);
    assert_eq!(curtain.value("3"), json!(0), "a minute has passed");
    curtain.store.behavior_mut().set_speed(0);
    curtain.writes(&json!({ "1": "close" }));
    assert_eq!(curtain.value("7"), json!("closing"), "writes have effects");
    assert_eq!(curtain.store.wake_up(), None, "time stands still");
    curtain.store.behavior_mut().set_speed(1);
    curtain.store.behavior_mut().pause(curtain.now);
    assert_eq!(curtain.store.wake_up(), None, "it is switched off");
    curtain.now += Duration::from_secs(100);
    curtain.store.behavior_mut().resume(curtain.now);
    curtain.pass(10);
    assert_eq!(curtain.value("3"), json!(50));
    // The computer slept for a year.
    curtain.now += Duration::from_secs(365 * 24 * 3600);
    curtain.store.advance(curtain.now);
    assert_eq!(curtain.value("3"), json!(100));
}

#[test]
fn an_unreachable_sub_device_is_silent() {
    let mut gateway = Simulated::new("gateway");
    for (cid, _) in gateway.profile.children() {
        assert!(gateway.store.set_online(cid, false));
    }
    gateway.pass(24 * 3600);
    assert_eq!(gateway.pushes, []);
    assert!(gateway.store.set_online("a4c138fffe000001", true));
    gateway.pass(24 * 3600);
    assert!(gateway.pushes.iter().all(|changed| changed.cid.as_deref() == Some("a4c138fffe000001")));
    assert!(gateway.pushes.len() > 50);
}

#[test]
fn unknown_names_have_similar_ones() {
    for (name, expected) in [
        ("ligth", "there is no such profile; did you mean light?"),
        ("Plug", "there is no such profile; did you mean plug, old-plug?"),
        ("wk", "there is no such profile; did you mean thermostat?"),
        ("curtian", "there is no such profile; did you mean curtain?"),
        ("spaceship", "there is no such profile"),
        ("", "there is no such profile"),
    ] {
        let error = name.parse::<Profile>().expect_err("unknown");
        assert_eq!(error.to_string(), expected, "{name}");
    }
    assert!(UnknownProfile::near(&"x".repeat(100_000)).similar().is_empty());
}
