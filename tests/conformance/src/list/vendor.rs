//! 3.5 in the vendor's own device software, and in other firmware.

use rustuya_proto::Version;
use serde_json::json;

use super::{EACH, NEW, ask, dps, lamp, query, receive, scenario, set, up};
use crate::scenario::{Scenario, Step, Want};

const V35: &[Version] = &[Version::V35];

pub(super) fn list() -> Vec<Scenario> {
    vec![
        scenario(
            "an unchanged value is acknowledged, and pushed by 3.5",
            V35,
            [lamp()],
            vec![
                up(),
                ask(set("2", 50), Want::Ok),
                receive(dps(json!({ "2": 50 }))),
                Step::Has(None, json!({ "1": false, "2": 50 })),
            ],
        ),
        scenario(
            "a value that is not taken is acknowledged all the same",
            EACH,
            [lamp()],
            vec![
                up(),
                ask(set("77", true), Want::Ok),
                ask(set("1", "yes"), Want::Ok),
                ask(set("3", "colour"), Want::Ok),
                Step::Has(None, json!({ "1": false, "2": 50, "3": "colour" })),
                query(Want::Dps(json!({ "1": false, "2": 50, "3": "colour" }))),
            ],
        ),
        scenario(
            "the push may come before the acknowledgement or after it",
            NEW,
            [lamp().quirk("push-before-ack"), lamp().quirk("ack-before-push")],
            (0..2)
                .flat_map(|node| {
                    [ask(set("2", 7), Want::Ok), receive(dps(json!({ "2": 7 }))), query(Want::Ok)]
                        .map(|step| Step::At(node, Box::new(step)))
                })
                .collect(),
        ),
    ]
}
