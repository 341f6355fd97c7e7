//! Categories of products.

/// Facts about a category of products.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CategoryFacts {
    pub(crate) code: &'static str,
    /// Its name, in lower case.
    pub(crate) name: &'static str,
    /// Parts with several DPs, the main one first.
    pub(crate) parts: &'static [Part],
    /// Code that the device is for, if it is none of the parts: the contact of a door sensor.
    pub(crate) main: &'static str,
}

/// A part with several DPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Alarm,
    /// With its HVAC mode while it is on and has no modes.
    Climate(&'static str),
    Cover,
    Dehumidifier,
    Fan,
    Garage,
    Gateway,
    Humidifier,
    Light,
    Lock,
    Outlet,
    Siren,
    Switch,
    Vacuum,
    Valve,
}

use Part::{
    Alarm, Climate, Cover, Dehumidifier, Fan, Garage, Gateway, Humidifier, Light, Lock, Outlet, Siren, Switch, Vacuum,
    Valve,
};

const fn parts(code: &'static str, name: &'static str, parts: &'static [Part]) -> CategoryFacts {
    CategoryFacts { code, name, parts, main: "" }
}

const fn plain(code: &'static str, name: &'static str, main: &'static str) -> CategoryFacts {
    CategoryFacts { code, name, parts: &[], main }
}

/// Sorted by code.
pub(crate) const CATEGORIES: &[CategoryFacts] = &[
    parts("alexa_yywg", "voice gateway", &[Gateway]),
    parts("aqcz", "metering outlet", &[Outlet]),
    plain("bh", "kettle", "start"),
    parts("bywg", "edge gateway", &[Gateway]),
    parts("bzyd", "white noise lamp", &[Light, Switch]),
    parts("cjkg", "scene switch", &[Switch]),
    parts("ckmkzq", "garage door opener", &[Garage]),
    parts("cl", "curtain", &[Cover]),
    parts("clkg", "curtain switch", &[Cover, Light]),
    plain("cn", "milk dispenser", ""),
    parts("cnwg", "energy gateway", &[Gateway]),
    CategoryFacts { code: "co2bj", name: "carbon dioxide detector", parts: &[Siren], main: "co2_state" },
    plain("cobj", "carbon monoxide detector", "co_state"),
    parts("cs", "dehumidifier", &[Dehumidifier, Fan]),
    plain("cwjwq", "pet odor eliminator", "switch"),
    CategoryFacts { code: "cwwsq", name: "pet feeder", parts: &[Light], main: "" },
    CategoryFacts { code: "cwysj", name: "pet fountain", parts: &[Light], main: "switch" },
    parts("cz", "outlet", &[Outlet, Light]),
    parts("dbl", "electric fireplace", &[Climate("heat"), Light]),
    parts("dc", "light string", &[Light]),
    parts("dd", "light strip", &[Light]),
    parts("dghsxj", "camera", &[Light, Siren]),
    CategoryFacts { code: "dgnbj", name: "multi-function alarm", parts: &[Siren], main: "" },
    parts("dgnzk", "control panel", &[Gateway, Switch, Light]),
    parts("dj", "light", &[Light]),
    parts("dlq", "circuit breaker", &[Switch]),
    parts("dr", "electric blanket", &[Switch]),
    parts("dsd", "filament lamp", &[Light]),
    parts("fs", "fan", &[Fan, Light]),
    parts("fsd", "ceiling fan with light", &[Light, Fan]),
    parts("fskg", "fan switch", &[Fan, Light]),
    parts("fwd", "ambient light", &[Light]),
    parts("ggq", "irrigator", &[Valve]),
    parts("gyd", "motion light", &[Light]),
    parts("gywg", "industrial gateway", &[Gateway]),
    parts("hcdd", "chasing light strip", &[Light]),
    plain("hjjcy", "air monitor", ""),
    plain("hps", "presence sensor", "presence_state"),
    parts("hwsb", "outdoor equipment", &[Switch]),
    parts("hxd", "wake-up light", &[Light, Switch]),
    parts("jdcljqr", "curtain robot", &[Cover]),
    plain("jqbj", "formaldehyde detector", "ch2o_state"),
    parts("jsq", "humidifier", &[Humidifier, Light]),
    parts("jtmsbh", "smart lock", &[Lock]),
    parts("jtmspro", "smart lock", &[Lock]),
    plain("jwbj", "methane detector", "ch4_sensor_state"),
    plain("kfj", "coffee maker", "switch"),
    parts("kg", "switch", &[Switch, Light]),
    parts("kj", "air purifier", &[Fan, Light]),
    parts("ks", "tower fan", &[Fan, Light]),
    parts("kt", "air conditioner", &[Climate("cool"), Light]),
    plain("ldcg", "light sensor", ""),
    parts("lyqwg", "router gateway", &[Gateway]),
    parts("mal", "alarm host", &[Alarm]),
    parts("mbd", "decorative light", &[Light]),
    plain("mc", "door or window controller", "status"),
    plain("mcs", "contact sensor", "doorcontact_state"),
    parts("mjj", "towel rack", &[Climate("heat")]),
    plain("mk", "access control", "closed_opened_kit"),
    parts("ms", "smart lock", &[Lock]),
    parts("msp", "litter box", &[Light]),
    plain("mzj", "sous-vide cooker", "switch"),
    parts("pc", "power strip", &[Outlet, Light]),
    plain("pir", "motion sensor", "pir"),
    plain("pm2.5", "particle detector", "pm25_state"),
    plain("qccdz", "car charger", "switch"),
    parts("qjdcz", "solar light", &[Light, Switch]),
    parts("qn", "heater", &[Climate("heat"), Light]),
    parts("qtyycp", "application gateway", &[Gateway]),
    plain("qxj", "weather station", ""),
    plain("rqbj", "gas detector", "gas_sensor_state"),
    parts("rs", "water heater", &[Climate("heat")]),
    parts("sd", "robot vacuum", &[Vacuum]),
    parts("sfkzq", "water valve", &[Valve]),
    parts("sgbj", "siren", &[Siren]),
    plain("sj", "water leak sensor", "watersensor_state"),
    plain("sjz", "standing desk", ""),
    plain("sos", "emergency button", "sos_state"),
    parts("sp", "camera", &[Light, Siren]),
    plain("swtz", "food thermometer", ""),
    parts("sz", "plant grower", &[Switch, Light]),
    plain("szjcy", "water tester", ""),
    plain("szjqr", "finger robot", "switch"),
    parts("tdq", "relay module", &[Light, Switch]),
    parts("tgkg", "dimmer switch", &[Light]),
    parts("tgq", "dimmer", &[Light]),
    parts("tyd", "flood light", &[Light]),
    parts("tyndj", "solar lamp", &[Light]),
    parts("videohub", "video hub", &[Gateway]),
    parts("videolock", "video lock", &[Lock]),
    plain("voc", "air quality detector", "voc_state"),
    parts("wfcon", "gateway", &[Gateway]),
    parts("wg2", "gateway", &[Gateway, Alarm]),
    parts("wgsxj", "camera gateway", &[Gateway]),
    parts("wk", "thermostat", &[Climate("heat_cool")]),
    parts("wkcz", "climate switch", &[Switch]),
    parts("wkf", "radiator valve", &[Climate("heat")]),
    parts("wnykq", "infrared remote", &[Gateway, Switch]),
    plain("wsdcg", "climate sensor", ""),
    plain("wxkg", "wireless button", ""),
    parts("xdd", "ceiling light", &[Light]),
    parts("xnwg", "virtual gateway", &[Gateway]),
    plain("xnyjcn", "inverter", ""),
    parts("xxj", "aroma diffuser", &[Humidifier, Light]),
    parts("ykq", "remote control", &[Light]),
    plain("ylcg", "pressure sensor", "pressure_state"),
    plain("ywbj", "smoke detector", "smoke_sensor_status"),
    plain("ywcgq", "tank level sensor", ""),
    plain("zd", "vibration sensor", "shock_state"),
    parts("zigbee", "gateway", &[Gateway]),
    parts("zndb", "energy meter", &[Switch]),
    parts("znjdq", "metering relay", &[Switch]),
    plain("znjxs", "smart pet door", "switch"),
    plain("znnbq", "solar inverter", ""),
    plain("znrb", "heat pump", "switch"),
    plain("zwjcy", "soil sensor", ""),
];

/// Returns the facts of a category.
pub(crate) fn find(category: &str) -> Option<&'static CategoryFacts> {
    let index = CATEGORIES.binary_search_by(|row| row.code.cmp(category)).ok()?;
    CATEGORIES.get(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_unique() {
        assert!(CATEGORIES.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(CATEGORIES.iter().all(|row| !row.name.is_empty() && row.name == row.name.to_lowercase()));
    }
}
