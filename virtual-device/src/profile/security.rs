//! Sirens, alarm hosts, locks, cameras, gateways and infrared hubs.

use super::point::{boolean, choice, countdown, integer, percent, text};
use super::template::{HOUR, MINUTE, SECOND, Template, when, when_word};
use super::{climate, sensor, weather};
use crate::behavior::{Effect, Part};
use crate::datum::Datum;

/// "Door" in big-endian UTF-16, as base64.
const MESSAGE: &str = "AEQAbwBvAHI=";

/// A code as infrared hubs report it.
const INFRARED: &str = "CkEUXwYJAigCCQKRBuADAQ==";

const USERS: &[Datum] = &[Datum::Int(1), Datum::Int(2), Datum::Int(3)];

const fn unlocked(when: u16) -> Effect {
    Effect { when, is: Datum::Any, then: 47, to: Datum::Bool(true) }
}

pub(super) const ALL: &[Template] = &[
    Template {
        name: "siren",
        title: "Hall siren",
        product: "siren",
        category: "sgbj",
        model: "V-SIREN-1",
        points: &[
            choice(5, "alarm_volume", &["middle", "low", "high", "mute"]),
            integer(7, "alarm_time", (1, 1800), 10).unit("s"),
            boolean(13, "alarm_switch", false),
            percent(15, "battery_percentage", 100).measured(),
            boolean(16, "muffling", false),
            boolean(20, "temper_alarm", false).measured(),
            choice(21, "alarm_state", &["normal", "alarm_sound", "alarm_light", "alarm_sound_light"]),
        ],
        parts: &[
            Part::Effects(&[when(13, true, 21, "alarm_sound_light"), when(13, false, 21, "normal")]),
            Part::Timer { switch: 13, time: 7, unit: SECOND },
            Part::Pulse { dp: 16, rest: Datum::Bool(false), after: 90 * SECOND },
            Part::Battery { dp: 15, every: 6 * HOUR },
        ],
        children: &[],
    },
    Template {
        name: "alarm",
        title: "House alarm",
        product: "alarm host",
        category: "mal",
        model: "V-ALARM-1",
        points: &[
            choice(1, "master_mode", &["disarmed", "arm", "home", "sos"]),
            integer(2, "delay_set", (0, 300), 30).unit("s"),
            integer(3, "alarm_time", (1, 30), 3).unit("min"),
            boolean(4, "switch_alarm_sound", true),
            boolean(5, "switch_alarm_light", true),
            text(26, "alarm_msg", 255).measured(),
            integer(28, "alarm_delay_time", (0, 300), 0).unit("s"),
            choice(32, "master_state", &["normal", "alarm"]).measured(),
        ],
        parts: &[Part::Effects(&[
            when_word(1, "sos", 32, "alarm"),
            when_word(1, "sos", 26, MESSAGE),
            when_word(1, "disarmed", 32, "normal"),
        ])],
        children: &[],
    },
    Template {
        name: "lock",
        title: "Front door lock",
        product: "door lock",
        category: "ms",
        model: "V-LOCK-1",
        points: &[
            integer(1, "unlock_fingerprint", (0, 999), 0).first(Datum::Any).measured(),
            integer(2, "unlock_password", (0, 999), 0).first(Datum::Any).measured(),
            integer(5, "unlock_card", (0, 999), 0).first(Datum::Any).measured(),
            choice(8, "alarm_lock", &["wrong_finger", "wrong_password", "low_battery", "pry"])
                .first(Datum::Any)
                .measured(),
            countdown(9, "unlock_request").first(Datum::Int(0)).measured(),
            percent(12, "residual_electricity", 79).measured(),
            boolean(15, "reverse_lock", false).measured(),
            integer(19, "unlock_app", (0, 999), 0).first(Datum::Any).measured(),
            boolean(33, "automatic_lock", true),
            boolean(47, "lock_motor_state", false).measured(),
        ],
        parts: &[
            Part::Events { dps: &[1, 2, 5], values: USERS, every: 20 * MINUTE },
            Part::Effects(&[unlocked(1), unlocked(2), unlocked(5), unlocked(19)]),
            Part::Pulse { dp: 47, rest: Datum::Bool(false), after: 10 * SECOND },
            Part::Battery { dp: 12, every: 6 * HOUR },
        ],
        children: &[],
    },
    Template {
        name: "camera",
        title: "Porch camera",
        product: "camera with a doorbell",
        category: "sp",
        model: "V-CAM-2K",
        points: &[
            boolean(101, "basic_indicator", true),
            boolean(103, "basic_flip", false),
            boolean(104, "basic_osd", true),
            boolean(105, "basic_private", false),
            choice(106, "motion_sensitivity", &["0", "1", "2"]),
            choice(108, "basic_nightvision", &["0", "1", "2"]),
            boolean(134, "motion_switch", true),
            boolean(138, "floodlight_switch", false),
            boolean(150, "record_switch", true),
            choice(151, "record_mode", &["1", "2"]),
            boolean(159, "siren_switch", false),
            integer(160, "basic_device_volume", (1, 10), 6),
            text(212, "alarm_message", 1024).measured(),
        ],
        parts: &[
            // {"cmd":"ipc_motion"} and {"cmd":"ipc_doorbell"}
            Part::Events {
                dps: &[212],
                values: &[Datum::Text("eyJjbWQiOiJpcGNfbW90aW9uIn0="), Datum::Text("eyJjbWQiOiJpcGNfZG9vcmJlbGwifQ==")],
                every: 10 * MINUTE,
            },
            Part::Pulse { dp: 159, rest: Datum::Bool(false), after: 30 * SECOND },
        ],
        children: &[],
    },
    Template {
        name: "gateway",
        title: "Zigbee gateway",
        product: "gateway with five sub-devices",
        category: "wg2",
        model: "V-GW-1",
        points: &[],
        parts: &[],
        children: &[
            ("a4c138fffe000001", &sensor::DOOR),
            ("a4c138fffe000002", &weather::ROOM),
            ("a4c138fffe000003", &sensor::MOTION),
            ("a4c138fffe000004", &sensor::BUTTON),
            ("a4c138fffe000005", &climate::TRV),
        ],
    },
    Template {
        name: "ir-blaster",
        title: "IR blaster",
        product: "infrared hub",
        category: "wnykq",
        model: "V-IR-2",
        points: &[text(201, "ir_send", 3072), text(202, "ir_study_code", 1024).measured()],
        parts: &[Part::Infrared { send: 201, code: 202, sample: INFRARED }],
        children: &[],
    },
];
