//! Intents and states of entities that device files describe.

use std::collections::BTreeMap;

use rustuya_entities::profile::Profile;
use rustuya_entities::{Capabilities, Color, ColorMode, Entity, EntityState, HvacMode, Number};
use serde_json::{Value as Json, json};

type State = BTreeMap<u16, Json>;

fn entity(text: &str, id: &str) -> Entity {
    let entities = Profile::parse(text).unwrap().entities();
    entities.into_iter().find(|entity| entity.id == id).unwrap_or_else(|| panic!("no {id}"))
}

fn set(entity: &Entity, pairs: &[(&str, &str)], state: &State) -> Result<Json, String> {
    let intent = entity.intents(pairs.iter().copied()).map_err(|error| error.to_string())?;
    let writes = entity.apply(&intent, state).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(writes.dps).unwrap())
}

#[test]
fn a_light_is_lit() {
    let light = entity(include_str!("profiles/lamp.yaml"), "light");
    let Capabilities::Light(can) = light.capabilities() else { panic!("{:?}", light.capabilities()) };
    assert_eq!(can.color_modes, [ColorMode::ColorTemp, ColorMode::Hs]);
    assert_eq!(can.kelvin, Some((2700, 6500)));
    assert_eq!(can.effects, ["Night", "Read"]);
    let state = State::from([(20, json!(false)), (21, json!("colour")), (22, json!(505)), (24, json!("000003e803e8"))]);
    let EntityState::Light(now) = light.state(&state) else { panic!("{:?}", light.state(&state)) };
    assert_eq!((now.color_mode, now.color), (Some(ColorMode::Hs), Some(Color::hsv(0, 1000, 1000))));
    assert_eq!(
        set(&light, &[("color_temp", "4600"), ("brightness", "100%")], &state),
        Ok(json!({"20": true, "21": "white", "22": 1000, "23": 500}))
    );
    assert_eq!(
        set(&light, &[("color", "blue")], &state),
        Ok(json!({"20": true, "21": "colour", "24": "00f003e803e8"}))
    );
    // The color is lit: its own brightness changes.
    assert_eq!(
        set(&light, &[("brightness", "50%")], &state),
        Ok(json!({"20": true, "21": "colour", "24": "000003e801f4"}))
    );
    assert_eq!(
        set(&light, &[("effect", "Night")], &state),
        Ok(json!({"20": true, "25": "000e0d0000000000000000c80000"}))
    );
    assert_eq!(set(&light, &[("power", "off")], &state), Ok(json!({"20": false})));
}

#[test]
fn a_climate_follows_its_conditions() {
    let climate = entity(include_str!("profiles/heater.yaml"), "climate_aircon_extra");
    let Capabilities::Climate(can) = climate.capabilities() else { panic!("{:?}", climate.capabilities()) };
    assert_eq!(can.hvac_modes, [HvacMode::Off, HvacMode::Heat, HvacMode::Cool, HvacMode::FanOnly]);
    assert_eq!(can.presets, ["none", "sleep", "eco"]);
    // Over both units, whose ranges differ.
    assert_eq!((can.min_temperature, can.max_temperature), (Some(Number::from(16)), Some(Number::from(88))));
    assert_eq!(can.temperature_step, Some(Number::new(5, 1)));
    let state = State::from([
        (1, json!(true)),
        (4, json!("cold")),
        (2, json!(215)),
        (3, json!(198)),
        (19, json!("c")),
        (5, json!("high")),
        (8, json!(false)),
        (9, json!(true)),
    ]);
    let EntityState::Climate(now) = climate.state(&state) else { panic!("{:?}", climate.state(&state)) };
    assert_eq!((now.hvac_mode, now.preset.as_deref()), (Some(HvacMode::Cool), Some("sleep")));
    assert_eq!(
        (now.target_temperature, now.current_temperature),
        (Some(Number::new(215, 1)), Some(Number::new(198, 1)))
    );
    assert_eq!(set(&climate, &[("mode", "heat")], &state), Ok(json!({"1": true, "4": "hot"})));
    assert_eq!(set(&climate, &[("power", "off")], &state), Ok(json!({"1": false})));
    assert_eq!(
        set(&climate, &[("temperature", "22.5"), ("fan_mode", "low")], &state),
        Ok(json!({"2": 225, "5": "low"}))
    );
    let error = set(&climate, &[("temperature", "60")], &state).unwrap_err();
    assert!(error.contains("from 16 to 31"), "{error}");
}

#[test]
fn other_kinds_take_their_verbs() {
    let parts = include_str!("profiles/parts.yaml");
    let now = State::from([(50, json!(30)), (60, json!(true)), (61, json!(3)), (110, json!("MOWING"))]);
    let cover = entity(parts, "cover_curtain");
    assert_eq!(set(&cover, &[("position", "25")], &now), Ok(json!({"50": 75})));
    let open = cover.apply(&rustuya_entities::Intent::Cover(rustuya_entities::CoverIntent::Open), &now).unwrap();
    assert_eq!(open.dps, State::from([(51, json!("FZ"))]));
    let fan = entity(parts, "fan");
    let Capabilities::Fan(can) = fan.capabilities() else { panic!("{:?}", fan.capabilities()) };
    assert_eq!(can.speed_count, Some(4));
    let EntityState::Fan(state) = fan.state(&now) else { panic!("{:?}", fan.state(&now)) };
    assert_eq!((state.is_on, state.percentage), (Some(true), Some(75)));
    let child_lock = entity(parts, "lock_child_lock");
    let on = child_lock.apply(&rustuya_entities::Intent::Switch(true.into()), &now).unwrap();
    assert_eq!(on.dps, State::from([(43, json!(true))]));
    let reset = entity(parts, "button_filter_reset_1").apply(&rustuya_entities::Intent::Press, &now).unwrap();
    assert_eq!(reset.dps, State::from([(120, json!("reset"))]));
    let timer = entity(include_str!("profiles/lamp.yaml"), "number_timer");
    let Capabilities::Number(can) = timer.capabilities() else { panic!("{:?}", timer.capabilities()) };
    assert_eq!((can.min, can.max, can.step), (Some(0.into()), Some(1440.into()), Some(1.into())));
    let season = entity(include_str!("profiles/heater.yaml"), "select_season");
    assert_eq!(season.capabilities(), Capabilities::Words(vec!["summer".into()]));
}
