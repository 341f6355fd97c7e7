//! Time limit of a command as a whole.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use rustuya_faulty::{Fault, FaultyDevice};
use rustuya_proto::Version;
use serde_json::json;

use crate::common::{ID, KEY, run};

#[test]
fn set_keeps_its_time_limit_and_reports_a_possible_effect() {
    let device = FaultyDevice::builder(ID, KEY, Version::V33).dps(json!({ "1": 0 })).start().expect("a device");
    device.set_fault(Fault::RefuseDial);
    let port = device.addr().port().to_string();
    let at = ["--address", "127.0.0.1", "--port", &port, "--version", "3.3", "--timeout", "4"];
    let set = [&["set", ID, "1=1", "--wait", "effect"][..], &at].concat();
    let begun = Instant::now();
    let done = thread::scope(|scope| {
        let done = scope.spawn(|| run(&set));
        // Most of the time has passed before the connection.
        thread::sleep(Duration::from_millis(3_000));
        device.set_fault(Fault::Silent);
        done.join().expect("no panic")
    });
    let took = begun.elapsed();
    // Neither the acknowledgement nor the effect comes.
    assert!(took < Duration::from_secs(5), "{took:?}: {done:?}");
    done.failed(1, &["may have taken effect"]);
}
