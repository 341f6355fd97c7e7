use super::*;

#[test]
fn fans_count_in_percent() {
    let by_words = entity(
        EntityKind::Fan,
        [
            (Role::Power, 1, BOOL),
            (Role::FanSpeed, 3, Codec::Steps { range: ["low", "middle", "high"].map(str::to_owned).to_vec() }),
            (Role::Mode, 2, words(&["nature", "sleep"])),
            (Role::Direction, 4, words(&["forward", "reverse"])),
            (Role::Oscillate, 5, BOOL),
        ],
    );
    assert_eq!(set(&by_words, &Dps::new(), &[("speed", "66%")]), Ok(dps([(1, json!(true)), (3, json!("middle"))])));
    assert_eq!(set(&by_words, &Dps::new(), &[("percentage", "0")]), Ok(dps([(1, json!(false))])));
    assert_eq!(set(&by_words, &Dps::new(), &[("mode", "sleep")]), Ok(dps([(1, json!(true)), (2, json!("sleep"))])));
    assert_eq!(
        set(&by_words, &Dps::new(), &[("oscillation", "oscillate_on"), ("direction", "reverse")]),
        Ok(dps([(4, json!("reverse")), (5, json!(true))]))
    );
    let present = dps([(1, json!(true)), (3, json!("high")), (2, json!("nature")), (5, json!(false))]);
    assert_eq!(printed(&by_words, &present), ["power on", "percentage 100 %", "preset nature", "oscillate off"]);
    // The first of six steps is a sixth: 0 % is off.
    let by_number = entity(EntityKind::Fan, [(Role::Power, 1, BOOL), (Role::FanSpeed, 3, percent(0, 6))]);
    for (percent, raw) in [("17", 1), ("50", 3), ("100", 6)] {
        let writes = dps([(1, json!(true)), (3, json!(raw))]);
        assert_eq!(set(&by_number, &Dps::new(), &[("speed", percent)]), Ok(writes));
    }
    assert_eq!(printed(&by_number, &dps([(3, json!(1))])), ["percentage 17 %"]);
    assert_eq!(FanCapabilities::of(&by_number).speed_count, Some(6));
}

#[test]
fn humidifiers() {
    let humidifier = entity(
        EntityKind::Humidifier,
        [
            (Role::Power, 1, BOOL),
            (Role::TargetHumidity, 2, Codec::Number(spec(30, 80, 5, 0, "%"))),
            (Role::CurrentHumidity, 6, Codec::Number(spec(0, 100, 1, 0, "%"))),
            (Role::Mode, 5, words(&["auto", "manual"])),
        ],
    );
    assert_eq!(
        set(&humidifier, &Dps::new(), &[("humidity", "45%"), ("mode", "auto"), ("", "on")]),
        Ok(dps([(1, json!(true)), (2, json!(45)), (5, json!("auto"))]))
    );
    assert_eq!(
        set(&humidifier, &Dps::new(), &[("humidity", "47")]),
        Err("humidity goes in steps of 5 %, from 30 on".into())
    );
    assert_eq!(
        printed(&humidifier, &dps([(2, json!(45)), (6, json!(38))])),
        ["humidity 45 %", "current_humidity 38 %"]
    );
}

#[test]
fn robots() {
    let robot = entity(
        EntityKind::Vacuum,
        [
            (Role::Power, 1, BOOL),
            (Role::Dock, 3, BOOL),
            (Role::Locate, 11, BOOL),
            (Role::Status, 5, words(&["standby", "smart_clean", "charging"])),
            (Role::FanSpeed, 14, words(&["strong", "normal"])),
            (Role::Battery, 6, Codec::Number(spec(0, 100, 1, 0, "%"))),
            (Role::Fault, 18, Codec::Labels(vec!["wheel".into()])),
        ],
    );
    assert_eq!(set(&robot, &Dps::new(), &[("", "start")]), Ok(dps([(1, json!(true))])));
    assert_eq!(set(&robot, &Dps::new(), &[("", "pause")]), Ok(dps([(1, json!(false))])));
    assert_eq!(set(&robot, &Dps::new(), &[("", "return_to_base")]), Ok(dps([(3, json!(true))])));
    assert_eq!(set(&robot, &Dps::new(), &[("", "locate")]), Ok(dps([(11, json!(true))])));
    assert_eq!(set(&robot, &Dps::new(), &[("fan_speed", "strong")]), Ok(dps([(14, json!("strong"))])));
    let present = dps([(5, json!("smart_clean")), (14, json!("normal")), (6, json!(80)), (18, json!(0))]);
    assert_eq!(printed(&robot, &present), ["state cleaning", "status smart_clean", "fan_speed normal", "battery 80 %"]);
    let by_mode = entity(EntityKind::Vacuum, [(Role::Power, 1, BOOL), (Role::Mode, 3, words(&["smart", "chargego"]))]);
    assert_eq!(set(&by_mode, &Dps::new(), &[("", "dock")]), Ok(dps([(3, json!("chargego"))])));
}

#[test]
fn alarms() {
    let alarm = entity(
        EntityKind::Alarm,
        [
            (Role::Mode, 1, words(&["disarmed", "arm", "home", "sos"])),
            (Role::AlarmState, 2, words(&["normal", "alarm"])),
            (Role::AlarmMessage, 3, Codec::Base64Text { is_utf16: true }),
        ],
    );
    assert_eq!(set(&alarm, &Dps::new(), &[("", "armed_away")]), Ok(dps([(1, json!("arm"))])));
    assert_eq!(set(&alarm, &Dps::new(), &[("mode", "disarm")]), Ok(dps([(1, json!("disarmed"))])));
    let mut present = dps([(1, json!("arm")), (2, json!("alarm"))]);
    assert_eq!(printed(&alarm, &present), ["state triggered"]);
    present.insert(3, json!("AFMAZQBuAHMAbwByACAATABvAHcAIABCAGEAdAB0AGUAcgB5"));
    assert_eq!(printed(&alarm, &present), ["state armed_away", "message Sensor Low Battery"]);
}

#[test]
fn locks_are_only_reported() {
    let lock = entity(
        EntityKind::Lock,
        [(Role::IsLocked, 1, BOOL), (Role::UnlockedBy("card".into()), 2, Codec::Number(spec(0, 999, 1, 0, "")))],
    );
    assert_eq!(printed(&lock, &dps([(1, json!(false)), (2, json!(7))])), ["state unlocked", "unlocked_by_card 7"]);
    assert_eq!(set(&lock, &Dps::new(), &[("", "on")]), Err("it is only reported and cannot be set".into()));
    let error = lock.apply(&Intent::Light(LightIntent::default()), &Dps::new());
    assert_eq!(error, Err(IntentError::ReadOnly { entity: "it".into() }));
    let error = lock.apply(&Intent::Switch(Power::On), &Dps::new());
    assert_eq!(error, Err(IntentError::ReadOnly { entity: "it".into() }));
}

#[test]
fn sirens() {
    let siren = entity(
        EntityKind::Siren,
        [
            (Role::Power, 104, BOOL),
            (Role::Volume, 5, words(&["low", "high"])),
            (Role::Duration, 7, Codec::Number(spec(1, 60, 1, 0, "s"))),
        ],
    );
    assert_eq!(
        set(&siren, &Dps::new(), &[("", "on"), ("volume", "high"), ("duration", "5 s")]),
        Ok(dps([(5, json!("high")), (7, json!(5)), (104, json!(true))]))
    );
    assert_eq!(
        siren.state(&dps([(104, json!(true)), (5, json!("low"))])).to_json(),
        json!({"state": "ON", "volume": "low"})
    );
}

#[test]
fn entities_of_one_value() {
    let mut level = entity(EntityKind::Number, [(Role::Value, 9, Codec::Number(spec(0, 86400, 1, 0, "s")))]);
    level.unit = "s".into();
    assert_eq!(set(&level, &Dps::new(), &[("", "60")]), Ok(dps([(9, json!(60))])));
    assert_eq!(set(&level, &Dps::new(), &[("value", "60 s")]), Ok(dps([(9, json!(60))])));
    assert_eq!(set(&level, &Dps::new(), &[("", "60 min")]), Err("value: \"60 min\" is not a number in s".into()));
    assert_eq!(printed(&level, &dps([(9, json!(60))])), [" 60 s"]);
    let select = entity(EntityKind::Select, [(Role::Value, 38, words(&["on", "memory"]))]);
    assert_eq!(set(&select, &Dps::new(), &[("", "memory")]), Ok(dps([(38, json!("memory"))])));
    assert_eq!(set(&select, &Dps::new(), &[("", "off")]), Err("it is one of on, memory".into()));
    assert_eq!(select.capabilities(), Capabilities::Words(vec!["on".into(), "memory".into()]));
    let button = entity(EntityKind::Button, [(Role::Value, 101, BOOL)]);
    assert_eq!(set(&button, &Dps::new(), &[("", "press")]), Ok(dps([(101, json!(true))])));
    let text = entity(EntityKind::Text, [(Role::Value, 102, Codec::Text { max_len: Some(5) })]);
    assert_eq!(set(&text, &Dps::new(), &[("", "hello")]), Ok(dps([(102, json!("hello"))])));
    let switch = entity(EntityKind::Switch, [(Role::Value, 1, BOOL)]);
    assert_eq!(set(&switch, &Dps::new(), &[("switch", "on")]), Ok(dps([(1, json!(true))])));
    assert_eq!(switch.apply(&Intent::Press, &Dps::new()).unwrap_err().to_string(), "it is not a button");
    let sensor = entity(EntityKind::Sensor, [(Role::Value, 1, BOOL)]);
    assert_eq!(set(&sensor, &Dps::new(), &[("", "on")]), Err("it is only reported and cannot be set".into()));
    assert_eq!(
        sensor.apply(&Intent::Switch(Power::On), &Dps::new()),
        Err(IntentError::ReadOnly { entity: "it".into() })
    );
    assert_eq!(switch.state(&dps([(1, json!(true))])).value(), Some(&Value::Bool(true)));
}

#[test]
fn phases_are_listed_by_part() {
    let meter = entity(EntityKind::Sensor, [(Role::Value, 6, Codec::Phase { part: None })]);
    let present = dps([(6, json!("CRoAA+gAAMg="))]);
    assert_eq!(printed(&meter, &present), ["voltage 233.0 V", "current 1.000 A", "power 200 W"]);
}

#[test]
fn an_intent_without_a_dp_is_an_error() {
    let mut heater = entity(EntityKind::Climate, [(Role::TargetTemperature, 2, percent(0, 100))]);
    heater.on_mode = Some("heat".into());
    assert_eq!(set(&heater, &Dps::new(), &[("mode", "heat")]), Err("it has no DP for this; it has temperature".into()));
    let light = entity(EntityKind::Light, [(Role::Power, 1, BOOL)]);
    assert!(light.apply(&Intent::Light(LightIntent::default()), &Dps::new()).is_err());
}
