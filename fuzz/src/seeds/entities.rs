//! Seeds of devices with values and intents.

use super::{Seed, seed};

/// One device of each kind: name, and its text.
const DEVICES: &[(&str, &str)] = &[
    (
        "light-v2",
        r#"{"entry":{"category":"dj","mapping":{"20":{"code":"switch_led","type":"Boolean","values":{}},"21":{"code":"work_mode","type":"Enum","values":{"range":["white","colour","scene"]}},"22":{"code":"bright_value_v2","type":"Integer","values":{"min":10,"max":1000}},"23":{"code":"temp_value_v2","type":"Integer","values":{"min":0,"max":1000}},"24":{"code":"colour_data_v2","type":"Json","values":{}},"25":{"code":"scene_data_v2","type":"Json","values":{}}}},"dps":{"20":true,"21":"colour","22":505,"24":"00f001f402bc","25":"000e0d0000000000000000c80000"},"set":[["brightness","50%"],["color","red"]]}"#,
    ),
    (
        "light-v1",
        r#"{"entry":{"category":"dj","mapping":{"1":{"code":"switch_led","type":"Boolean"},"2":{"code":"work_mode","type":"Enum","values":{"range":["white","colour","scene_1"]}},"3":{"code":"bright_value","type":"Integer","values":{"min":25,"max":255}},"5":{"code":"colour_data","type":"Json"}}},"dps":{"5":"ff00000168ffff"},"set":[["hs","120,80"],["effect","scene_1"]]}"#,
    ),
    (
        "dimmer",
        r#"{"entry":{"category":"tgq","mapping":{"1":{"code":"switch_led_1","type":"Boolean"},"2":{"code":"bright_value_1","type":"Integer","values":{"min":10,"max":1000}},"3":{"code":"brightness_min_1","type":"Integer","values":{"min":10,"max":1000}}}},"dps":{"1":true,"2":500,"3":300},"set":[["brightness","1"]]}"#,
    ),
    (
        "plug",
        r#"{"entry":{"category":"cz","mapping":{"1":{"code":"switch_1","type":"Boolean"},"17":{"code":"add_ele","type":"Integer","values":{"unit":"kwh","scale":3,"max":50000}},"19":{"code":"cur_power","type":"Integer","values":{"unit":"W","scale":1,"max":80000}},"26":{"code":"fault","type":"Bitmap","values":{"label":["ov_cr"]}}}},"dps":{"1":true,"17":5,"19":"1002","26":-1},"set":[["","toggle"]]}"#,
    ),
    (
        "thermostat",
        r#"{"entry":{"category":"wk","mapping":{"1":{"code":"switch","type":"Boolean"},"2":{"code":"temp_set","type":"Integer","values":{"unit":"c","min":50,"max":350,"scale":1,"step":5}},"3":{"code":"temp_current","type":"Integer","values":{"min":0,"max":500,"scale":1}},"4":{"code":"mode","type":"Enum","values":{"range":["auto","hot","eco"]}}}},"dps":{"1":false,"2":215,"4":"eco"},"set":[["mode","heat"],["temperature","21.5 C"]]}"#,
    ),
    (
        "curtain",
        r#"{"entry":{"category":"cl","mapping":{"1":{"code":"control","type":"Enum","values":{"range":["ZZ","FZ","STOP"]}},"2":{"code":"percent_control","type":"Integer","values":{"min":0,"max":100}},"7":{"code":"work_state","type":"Enum","values":{"range":["opening","closing"]}}}},"dps":{"1":"FZ","2":30,"7":"opening"},"set":[["","stop"]]}"#,
    ),
    (
        "fan",
        r#"{"entry":{"category":"fs","mapping":{"1":{"code":"switch","type":"Boolean"},"3":{"code":"fan_speed_enum","type":"Enum","values":{"range":["low","high"]}},"63":{"code":"fan_direction","type":"Enum","values":{"range":["forward","reverse"]}}}},"dps":{"3":"high"},"set":[["speed","50%"],["direction","reverse"]]}"#,
    ),
    (
        "dehumidifier",
        r#"{"entry":{"category":"cs","mapping":{"1":{"code":"switch","type":"Boolean"},"2":{"code":"dehumidify_set_value","type":"Integer","values":{"unit":"%","min":30,"max":80,"step":5}}}},"dps":{"2":47},"set":[["humidity","45%"],["power","on"]]}"#,
    ),
    (
        "robot",
        r#"{"entry":{"category":"sd","mapping":{"1":{"code":"power_go","type":"Boolean"},"4":{"code":"mode","type":"Enum","values":{"range":["smart","chargego"]}},"5":{"code":"status","type":"Enum","values":{"range":["standby","smart_clean"]}}}},"dps":{"5":"smart_clean"},"set":[["","dock"]]}"#,
    ),
    (
        "alarm",
        r#"{"entry":{"category":"mal","mapping":{"1":{"code":"master_mode","type":"Enum","values":{"range":["disarmed","arm","home","sos"]}},"26":{"code":"alarm_msg","type":"Raw"}}},"dps":{"1":"sos","26":"AGEA3w=="},"set":[["","arm_home"]]}"#,
    ),
    (
        "meter",
        r#"{"entry":{"category":"dlq","mapping":{"6":{"code":"phase_a","type":"Raw"},"16":{"code":"switch","type":"Boolean"}}},"dps":{"6":"CRoAA+gAAMg=","16":1},"set":[["power","off"]]}"#,
    ),
    (
        "unknown",
        r#"{"entry":{"category":"zz","mapping":{"101":{"code":"what","type":"Strange","values":"{"}}},"dps":{"101":[1,{"h":2}],"102":1.5},"set":[["","on"]]}"#,
    ),
];

/// Adds one device of each kind.
pub(super) fn devices(seeds: &mut Vec<Seed>) {
    seeds.extend(DEVICES.iter().map(|(name, text)| seed("entities", name, text.as_bytes().to_vec())));
}
