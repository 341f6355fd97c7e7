use super::*;

fn heater() -> Entity {
    entity(
        EntityKind::Climate,
        [
            (Role::Power, 1, BOOL),
            (Role::Mode, 4, Codec::Words(vec![Word::new("auto", "heat_cool"), Word::new("hot", "heat")])),
            (Role::Preset, 4, words(&["eco", "holiday"])),
            (Role::TargetTemperature, 2, Codec::Number(spec(50, 350, 5, 1, "°C"))),
            (Role::CurrentTemperature, 3, Codec::Number(spec(0, 500, 1, 1, "°C"))),
            (Role::Action, 5, BOOL),
        ],
    )
}

#[test]
fn modes_switch_on_and_off() {
    let heater = heater();
    let heat = dps([(1, json!(true)), (4, json!("hot"))]);
    assert_eq!(set(&heater, &Dps::new(), &[("mode", "heat")]), Ok(heat.clone()));
    assert_eq!(set(&heater, &Dps::new(), &[("", "heat")]), Ok(heat));
    assert_eq!(set(&heater, &Dps::new(), &[("mode", "off")]), Ok(dps([(1, json!(false))])));
    assert_eq!(set(&heater, &Dps::new(), &[("", "on")]), Ok(dps([(1, json!(true))])));
    assert_eq!(set(&heater, &Dps::new(), &[("mode", "cool")]), Err("mode is one of off, heat, heat_cool".into()));
    let both = dps([(1, json!(true)), (2, json!(215)), (4, json!("hot"))]);
    assert_eq!(set(&heater, &Dps::new(), &[("mode", "heat"), ("temperature", "21.5")]), Ok(both));
    assert_eq!(set(&heater, &Dps::new(), &[("temperature", "21.5 °C")]), Ok(dps([(2, json!(215))])));
    assert_eq!(set(&heater, &Dps::new(), &[("temperature", "40")]), Err("temperature goes from 5 to 35 °C".into()));
    assert_eq!(set(&heater, &Dps::new(), &[("preset", "eco")]), Ok(dps([(4, json!("eco"))])));
    assert!(set(&heater, &Dps::new(), &[("preset", "eco"), ("mode", "heat")]).is_err(), "both are one DP");
}

#[test]
fn states_tell_modes_from_presets() {
    let heater = heater();
    let present = dps([(1, json!(true)), (2, json!(215)), (3, json!(198)), (4, json!("hot")), (5, json!(true))]);
    assert_eq!(
        printed(&heater, &present),
        ["mode heat", "action heating", "temperature 21.5 °C", "current_temperature 19.8 °C"]
    );
    assert_eq!(
        heater.state(&present).to_json(),
        json!({"mode": "heat", "action": "heating", "temperature": 21.5, "current_temperature": 19.8})
    );
    let eco = dps([(1, json!(true)), (4, json!("eco"))]);
    assert_eq!(printed(&heater, &eco), ["mode heat", "preset eco"]);
    assert_eq!(printed(&heater, &dps([(1, json!(false)), (4, json!("hot"))])), ["mode off", "action off"]);
    let EntityState::Climate(state) = heater.state(&dps([(4, json!("turbo"))])) else { panic!("a climate") };
    assert_eq!((state.hvac_mode, state.preset), (None, None));
}

#[test]
fn a_heater_that_is_only_switched_has_its_one_mode() {
    let mut heater = entity(EntityKind::Climate, [(Role::Power, 1, BOOL)]);
    heater.on_mode = Some("heat".into());
    assert_eq!(ClimateCapabilities::of(&heater).hvac_modes, [HvacMode::Off, HvacMode::Heat]);
    assert_eq!(set(&heater, &Dps::new(), &[("mode", "heat")]), Ok(dps([(1, json!(true))])));
    assert_eq!(printed(&heater, &dps([(1, json!(true))])), ["mode heat"]);
}

#[test]
fn a_mode_with_the_word_off_needs_no_switch() {
    let climate = entity(EntityKind::Climate, [(Role::Mode, 1, words(&["off", "cool"]))]);
    assert_eq!(set(&climate, &Dps::new(), &[("mode", "off")]), Ok(dps([(1, json!("off"))])));
    assert_eq!(set(&climate, &Dps::new(), &[("power", "on")]), Ok(dps([(1, json!("cool"))])));
    assert_eq!(set(&climate, &dps([(1, json!("cool"))]), &[("power", "toggle")]), Ok(dps([(1, json!("off"))])));
}

#[test]
fn fans_and_swings() {
    let climate = entity(
        EntityKind::Climate,
        [
            (Role::Power, 1, BOOL),
            (Role::FanSpeed, 5, words(&["low", "high"])),
            (Role::SwingHorizontal, 6, BOOL),
            (Role::SwingVertical, 7, BOOL),
        ],
    );
    assert_eq!(set(&climate, &Dps::new(), &[("fan_mode", "high")]), Ok(dps([(5, json!("high"))])));
    assert_eq!(set(&climate, &Dps::new(), &[("swing", "vertical")]), Ok(dps([(6, json!(false)), (7, json!(true))])));
    let capabilities = ClimateCapabilities::of(&climate);
    assert_eq!(capabilities.swing_modes, ["off", "horizontal", "vertical", "both"]);
    assert_eq!(capabilities.fan_modes, ["low", "high"]);
    let both = dps([(6, json!(true)), (7, json!(true))]);
    assert_eq!(printed(&climate, &both), ["swing_mode both"]);
    let plain = entity(EntityKind::Climate, [(Role::Swing, 8, BOOL)]);
    assert_eq!(set(&plain, &Dps::new(), &[("swing_mode", "on")]), Ok(dps([(8, json!(true))])));
}

#[test]
fn fahrenheit_stays_fahrenheit() {
    let climate = entity(
        EntityKind::Climate,
        [
            (Role::TargetTemperature, 2, Codec::Number(spec(41, 95, 1, 0, "°F"))),
            (Role::TemperatureUnit, 9, words(&["c", "f"])),
        ],
    );
    assert_eq!(printed(&climate, &dps([(2, json!(70)), (9, json!("c"))])), ["temperature 70 °F"]);
    let no_unit = entity(
        EntityKind::Climate,
        [
            (Role::TargetTemperature, 2, Codec::Number(spec(41, 95, 1, 0, ""))),
            (Role::TemperatureUnit, 9, words(&["c", "f"])),
        ],
    );
    assert_eq!(printed(&no_unit, &dps([(2, json!(70)), (9, json!("f"))])), ["temperature 70 °F"]);
    assert_eq!(printed(&no_unit, &dps([(2, json!(70)), (9, json!("c"))])), ["temperature 70 °C"]);
}
