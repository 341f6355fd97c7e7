//! Shows what one device reports: `watch DEVICE_ID ADDRESS`, with its local key in `RUSTUYA_KEY`.

use core::error::Error;
use std::env;

use rustuya_runtime_blocking::{Address, Device, Event, PollThread};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(id), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: watch DEVICE_ID ADDRESS".into());
    };
    let key = env::var("RUSTUYA_KEY").map_err(|_| "RUSTUYA_KEY must hold the local key")?;
    let device = Device::builder(&id, &key)?.address(address.parse::<Address>()?).spawn(&PollThread::start()?);
    for event in device.listener() {
        match event {
            Event::Up { version } => println!("connected, version {version}"),
            Event::Down { reason, .. } => println!("{reason}: {}", reason.advice()),
            Event::Message(message) => {
                let about = message.cid().unwrap_or(&id);
                println!("{about}: {}", Value::Object(message.dps()));
            }
            other => println!("{other:?}"),
        }
    }
    Ok(())
}
