use super::*;
use crate::value::Color;

fn v2() -> Entity {
    entity(
        EntityKind::Light,
        [
            (Role::Power, 20, BOOL),
            (Role::Mode, 21, words(&["white", "colour", "scene", "music"])),
            (Role::Brightness, 22, percent(10, 1000)),
            (Role::ColorTemp, 23, kelvin(0, 1000)),
            (Role::Color, 24, Codec::Color { form: ColorForm::Hsv16 }),
        ],
    )
}

fn kelvin(min: i64, max: i64) -> Codec {
    Codec::ColorTemp { spec: spec(min, max, 1, 0, ""), min_kelvin: 2000, max_kelvin: 6500 }
}

fn white() -> Dps {
    dps([(20, json!(true)), (21, json!("white")), (22, json!(505)), (23, json!(0)), (24, json!("00f001f402bc"))])
}

fn colored() -> Dps {
    dps([(20, json!(true)), (21, json!("colour")), (22, json!(505)), (23, json!(0)), (24, json!("00f001f402bc"))])
}

fn apply(entity: &Entity, present: &Dps, change: impl FnOnce(&mut LightIntent)) -> Result<Dps, String> {
    let mut intent = LightIntent::default();
    change(&mut intent);
    entity.apply(&Intent::Light(intent), present).map(|writes| writes.dps).map_err(|error| error.to_string())
}

#[test]
fn turning_on_or_off_only_switches() {
    let light = v2();
    assert_eq!(set(&light, &white(), &[("", "on")]), Ok(dps([(20, json!(true))])));
    assert_eq!(set(&light, &white(), &[("power", "off")]), Ok(dps([(20, json!(false))])));
    assert_eq!(set(&light, &white(), &[("power", "toggle")]), Ok(dps([(20, json!(false))])));
    assert_eq!(set(&light, &Dps::new(), &[("power", "toggle")]), Err("the present state of it is not known".into()));
    assert_eq!(
        light.apply(&Intent::Switch(Power::Toggle), &white()).map(|writes| writes.dps),
        Ok(dps([(20, json!(false))]))
    );
}

#[test]
fn brightness_alone_dims_what_is_lit() {
    let light = v2();
    let in_white = dps([(20, json!(true)), (21, json!("white")), (22, json!(505))]);
    assert_eq!(set(&light, &white(), &[("brightness", "50%")]), Ok(in_white.clone()));
    assert_eq!(set(&light, &Dps::new(), &[("brightness", "50")]), Ok(in_white), "of a light whose mode is not known");
    // In color, the brightness is that of the color: hue 240 and saturation 500 stay.
    let in_color = dps([(20, json!(true)), (21, json!("colour")), (24, json!("00f001f401f4"))]);
    assert_eq!(set(&light, &colored(), &[("brightness", "50%")]), Ok(in_color));
    assert_eq!(set(&light, &white(), &[("brightness", "0%")]), Err("brightness goes from 1 to 100 %".into()));
    assert_eq!(set(&light, &white(), &[("brightness", "101%")]), Err("brightness goes from 1 to 100 %".into()));
}

#[test]
fn bytes_of_home_assistant_come_back() {
    let light = v2();
    for byte in 1..=255 {
        let level = Level::from_byte(byte).expect("above 0");
        for mut present in [white(), colored()] {
            present.extend(apply(&light, &present, |intent| intent.brightness = Some(level)).expect("it dims"));
            let EntityState::Light(state) = light.state(&present) else { panic!("a light") };
            assert_eq!(state.brightness.map(Level::byte), Some(byte), "{present:?}");
        }
    }
}

#[test]
fn percent_come_back() {
    for (min, max) in [(10, 1000), (25, 255), (0, 255), (1, 100)] {
        let light = entity(EntityKind::Light, [(Role::Power, 1, BOOL), (Role::Brightness, 2, percent(min, max))]);
        for percent in 1..=100_u8 {
            let writes = set(&light, &Dps::new(), &[("brightness", &percent.to_string())]).expect("it dims");
            let EntityState::Light(state) = light.state(&writes) else { panic!("a light") };
            assert_eq!(state.brightness.map(Level::percent), Some(percent), "{writes:?}");
        }
    }
}

#[test]
fn colors_bring_the_mode_along() {
    let light = v2();
    let red = dps([(20, json!(true)), (21, json!("colour")), (24, json!("000003e803e8"))]);
    assert_eq!(set(&light, &white(), &[("color", "red")]), Ok(red.clone()));
    assert_eq!(set(&light, &Dps::new(), &[("color", "#FF0000")]), Ok(red));
    let half = dps([(20, json!(true)), (21, json!("colour")), (24, json!("000003e801f4"))]);
    assert_eq!(set(&light, &white(), &[("brightness", "50%"), ("color", "red")]), Ok(half.clone()));
    // Hue and saturation alone keep the brightness of the light as it is: 505 of 10 to 1000 is a half.
    assert_eq!(set(&light, &white(), &[("hs", "0,100")]), Ok(half));
    let kept = dps([(20, json!(true)), (21, json!("colour")), (24, json!("007803e802bc"))]);
    assert_eq!(set(&light, &colored(), &[("hs", "120, 100%")]), Ok(kept));
    assert!(set(&light, &white(), &[("color", "black")]).is_err_and(|error| error.ends_with("black is off")));
    assert!(set(&light, &white(), &[("color", "reddish")]).is_err_and(|error| error.contains("red, #ff8800")));
}

#[test]
fn the_form_of_a_color_is_the_device_s() {
    let light = v2();
    let present = dps([(24, json!("3c96c800c9b2c8"))]);
    let red = dps([(20, json!(true)), (21, json!("colour")), (24, json!("ff00000000ffff"))]);
    assert_eq!(set(&light, &present, &[("color", "red")]), Ok(red));
}

#[test]
fn white_and_its_temperature_bring_the_mode_along() {
    let light = v2();
    let warm = dps([(20, json!(true)), (21, json!("white")), (23, json!(374))]);
    assert_eq!(set(&light, &colored(), &[("color_temp", "2700K")]), Ok(warm));
    let both = dps([(20, json!(true)), (21, json!("white")), (22, json!(1000)), (23, json!(1000))]);
    assert_eq!(set(&light, &colored(), &[("color_temp", "6500"), ("brightness", "100%")]), Ok(both));
    let white = dps([(20, json!(true)), (21, json!("white")), (22, json!(505))]);
    assert_eq!(set(&light, &colored(), &[("white", "50%")]), Ok(white));
    assert_eq!(set(&light, &colored(), &[("color_temp", "9000K")]), Err("color_temp goes from 2000 to 6500 K".into()));
}

#[test]
fn effects_are_modes() {
    let light = v2();
    let scene = dps([(20, json!(true)), (21, json!("scene"))]);
    assert_eq!(set(&light, &white(), &[("effect", "scene")]), Ok(scene.clone()));
    assert_eq!(set(&light, &white(), &[("mode", "scene")]), Ok(scene));
    assert_eq!(set(&light, &white(), &[("effect", "disco")]), Err("effect is one of scene, music".into()));
    let EntityState::Light(state) = light.state(&dps([(21, json!("music"))])) else { panic!("a light") };
    assert_eq!(state.effect.as_deref(), Some("music"));
}

#[test]
fn parts_that_exclude_each_other_are_refused() {
    let light = v2();
    for (pairs, error) in [
        ([("color", "red"), ("color_temp", "2700")], "color and color_temp exclude each other"),
        ([("effect", "scene"), ("brightness", "50")], "effect and brightness exclude each other"),
        ([("power", "off"), ("brightness", "50")], "off and brightness exclude each other"),
        ([("white", "20"), ("color", "red")], "color and white exclude each other"),
        ([("color", "red"), ("color", "blue")], "color and another color exclude each other"),
    ] {
        assert_eq!(set(&light, &white(), &pairs), Err(error.to_owned()));
    }
}

#[test]
fn states_are_read_and_printed() {
    let light = v2();
    assert_eq!(printed(&light, &white()), ["power on", "brightness 50 %", "color_temp 2000 K", "mode white"]);
    assert_eq!(printed(&light, &colored()), ["power on", "brightness 70 %", "color #5959b3", "mode colour"]);
    assert_eq!(printed(&light, &dps([(22, json!(10))])), ["brightness 1 %"], "the least is not off");
    assert_eq!(
        light.state(&white()).to_json(),
        json!({"state": "ON", "brightness": 128, "color_mode": "color_temp", "color_temp": 2000})
    );
    assert_eq!(
        light.state(&colored()).to_json(),
        json!({"state": "ON", "brightness": 179, "color_mode": "hs", "color": {"h": 240.0, "s": 50.0}})
    );
    assert_eq!(light.state(&dps([(20, json!(false))])).to_json(), json!({"state": "OFF"}));
}

#[test]
fn capabilities_name_the_ways_of_lighting() {
    let of = |light: &Entity| LightCapabilities::of(light);
    let all = of(&v2());
    assert_eq!(all.color_modes, [ColorMode::ColorTemp, ColorMode::Hs]);
    assert_eq!(all.kelvin, Some((2000, 6500)));
    assert_eq!(all.effects, ["scene", "music"]);
    let switch = entity(EntityKind::Light, [(Role::Power, 1, BOOL)]);
    assert_eq!(of(&switch).color_modes, [ColorMode::OnOff]);
    let dimmer = entity(EntityKind::Light, [(Role::Power, 1, BOOL), (Role::Brightness, 2, percent(10, 1000))]);
    assert_eq!(of(&dimmer).color_modes, [ColorMode::Brightness]);
    let rgbw = entity(
        EntityKind::Light,
        [
            (Role::Power, 20, BOOL),
            (Role::Mode, 21, words(&["white", "colour"])),
            (Role::Brightness, 22, percent(10, 1000)),
            (Role::Color, 24, Codec::Color { form: ColorForm::Hsv16 }),
        ],
    );
    assert_eq!(of(&rgbw).color_modes, [ColorMode::Hs, ColorMode::White]);
    assert_eq!(dimmer.verbs(), ["power", "brightness"]);
    let error = set(&dimmer, &Dps::new(), &[("color_temp", "2700")]);
    assert_eq!(error, Err("it has no color_temp; it has power, brightness".into()));
}

#[test]
fn a_light_of_color_alone_is_dimmed_by_its_color() {
    let strip =
        entity(EntityKind::Light, [(Role::Power, 1, BOOL), (Role::Color, 5, Codec::Color { form: ColorForm::Rgb })]);
    let blue = dps([(1, json!(true)), (5, json!("0000ff"))]);
    assert_eq!(set(&strip, &blue, &[("brightness", "50%")]), Ok(dps([(1, json!(true)), (5, json!("000080"))])));
    let EntityState::Light(state) = strip.state(&blue) else { panic!("a light") };
    assert_eq!((state.color, state.color_mode), (Some(Color::hsv(240, 1000, 1000)), Some(ColorMode::Hs)));
}

#[test]
fn limits_of_a_dimmer_narrow_its_range() {
    let dimmer = entity(
        EntityKind::Light,
        [
            (Role::Power, 1, BOOL),
            (Role::Brightness, 2, percent(10, 1000)),
            (Role::BrightnessMin, 3, Codec::Number(spec(10, 1000, 1, 0, ""))),
            (Role::BrightnessMax, 4, Codec::Number(spec(10, 1000, 1, 0, ""))),
        ],
    );
    // A fifth to three fifths of the range.
    let limits = dps([(3, json!(208)), (4, json!(604))]);
    let half = dps([(1, json!(true)), (2, json!(406))]);
    assert_eq!(set(&dimmer, &limits, &[("brightness", "50%")]), Ok(half));
    assert_eq!(set(&dimmer, &limits, &[("brightness", "100%")]), Ok(dps([(1, json!(true)), (2, json!(604))])));
    let mut present = limits;
    present.insert(2, json!(406));
    assert_eq!(printed(&dimmer, &present), ["brightness 50 %"]);
}

#[test]
fn a_light_without_a_switch_is_switched_by_its_brightness() {
    let light = entity(EntityKind::Light, [(Role::Brightness, 2, percent(0, 100))]);
    assert_eq!(set(&light, &Dps::new(), &[("brightness", "40%")]), Ok(dps([(2, json!(40))])));
    let intent = |power| {
        light
            .apply(&Intent::Light(LightIntent { power: Some(power), ..LightIntent::default() }), &dps([(2, json!(40))]))
    };
    assert_eq!(intent(Power::Off).map(|writes| writes.dps), Ok(dps([(2, json!(0))])));
    assert_eq!(intent(Power::Toggle).map(|writes| writes.dps), Ok(dps([(2, json!(0))])));
    assert_eq!(
        light.state(&dps([(2, json!(0))])).to_json(),
        json!({"state": "OFF", "brightness": 1, "color_mode": "brightness"})
    );
}
