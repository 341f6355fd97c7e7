use super::*;

fn curtain(command: Codec, is_inverted: bool) -> Entity {
    let position = Codec::Percent { spec: spec(0, 100, 1, 0, "%"), is_inverted };
    entity(
        EntityKind::Cover,
        [
            (Role::Command, 1, command),
            (Role::Position, 2, position.clone()),
            (Role::CurrentPosition, 3, position),
            (Role::Action, 7, words(&["opening", "closing"])),
        ],
    )
}

#[test]
fn commands_are_of_the_device_s_family() {
    for (family, open, close, stop) in [
        (["open", "stop", "close"].as_slice(), "open", "close", Some("stop")),
        (&["fopen", "fclose"], "fopen", "fclose", None),
        (&["on", "off", "stop"], "on", "off", Some("stop")),
        (&["up", "down", "stop"], "up", "down", Some("stop")),
        (&["ZZ", "FZ", "STOP"], "FZ", "ZZ", Some("STOP")),
        (&["0", "1", "2"], "1", "2", Some("0")),
        (&["00", "01", "02", "03"], "01", "02", Some("00")),
    ] {
        let by_words = curtain(words(family), false);
        let by_present = curtain(Codec::Text { max_len: None }, false);
        let present = dps([(1, json!(family[0]))]);
        for cover in [by_words, by_present] {
            assert_eq!(set(&cover, &present, &[("", "open")]), Ok(dps([(1, json!(open))])));
            assert_eq!(set(&cover, &present, &[("", "close")]), Ok(dps([(1, json!(close))])));
            match stop {
                Some(stop) => assert_eq!(set(&cover, &present, &[("", "stop")]), Ok(dps([(1, json!(stop))]))),
                None => assert_eq!(
                    set(&cover, &present, &[("", "stop")]),
                    Err("it has no stop; it has command, position".into())
                ),
            }
        }
    }
    let garage = curtain(BOOL, false);
    assert_eq!(set(&garage, &Dps::new(), &[("", "open")]), Ok(dps([(1, json!(true))])));
    assert_eq!(set(&garage, &Dps::new(), &[("", "close")]), Ok(dps([(1, json!(false))])));
    assert!(set(&garage, &Dps::new(), &[("", "stop")]).is_err());
    let go_on = curtain(words(&["open", "stop", "close", "continue"]), false);
    assert_eq!(set(&go_on, &Dps::new(), &[("", "continue")]), Ok(dps([(1, json!("continue"))])));
}

#[test]
fn positions_are_100_when_open() {
    let straight = curtain(words(&["open", "stop", "close"]), false);
    let inverted = curtain(words(&["open", "stop", "close"]), true);
    assert_eq!(set(&straight, &Dps::new(), &[("position", "30%")]), Ok(dps([(2, json!(30))])));
    assert_eq!(set(&inverted, &Dps::new(), &[("", "30%")]), Ok(dps([(2, json!(70))])));
    assert_eq!(set(&straight, &Dps::new(), &[("position", "130")]), Err("position goes from 0 to 100 %".into()));
    let present = dps([(2, json!(0)), (3, json!(100)), (7, json!("opening"))]);
    assert_eq!(printed(&straight, &present), ["state opening", "position 100 %"]);
    assert_eq!(printed(&inverted, &dps([(3, json!(100))])), ["state closed", "position 0 %"]);
    assert_eq!(straight.state(&dps([(3, json!(40))])).to_json(), json!({"state": "open", "position": 40}));
    assert_eq!(set(&inverted, &dps([(3, json!(100))]), &[("", "toggle")]), Ok(dps([(1, json!("open"))])));
}

#[test]
fn a_cover_without_commands_goes_to_the_ends() {
    let cover = entity(EntityKind::Cover, [(Role::Position, 2, percent(0, 100))]);
    assert_eq!(set(&cover, &Dps::new(), &[("", "open")]), Ok(dps([(2, json!(100))])));
    assert_eq!(set(&cover, &Dps::new(), &[("", "close")]), Ok(dps([(2, json!(0))])));
    assert!(set(&cover, &Dps::new(), &[("", "stop")]).is_err());
    let capabilities = CoverCapabilities::of(&cover);
    assert!(capabilities.can_open && capabilities.can_set_position && !capabilities.can_stop && !capabilities.can_tilt);
}

#[test]
fn a_contact_says_whether_a_garage_is_open() {
    let garage = entity(EntityKind::Cover, [(Role::Command, 1, BOOL), (Role::IsOpen, 3, BOOL)]);
    assert_eq!(printed(&garage, &dps([(3, json!(true))])), ["state open"]);
    assert_eq!(printed(&garage, &dps([(3, json!(false))])), ["state closed"]);
}

#[test]
fn valves() {
    let valve = entity(EntityKind::Valve, [(Role::Value, 1, BOOL)]);
    assert_eq!(set(&valve, &Dps::new(), &[("", "open")]), Ok(dps([(1, json!(true))])));
    assert_eq!(set(&valve, &dps([(1, json!(true))]), &[("", "toggle")]), Ok(dps([(1, json!(false))])));
    assert_eq!(printed(&valve, &dps([(1, json!(true))])), ["state open"]);
}
