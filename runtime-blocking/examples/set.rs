//! Sets one DP: `set DEVICE_ID ADDRESS DP VALUE`, with the local key in `RUSTUYA_KEY`. The value is JSON, or else text.

use core::error::Error;
use std::env;

use rustuya_runtime_blocking::{Address, Device, PollThread};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [id, address, dp, value] = args.as_slice() else {
        return Err("usage: set DEVICE_ID ADDRESS DP VALUE".into());
    };
    let key = env::var("RUSTUYA_KEY").map_err(|_| "RUSTUYA_KEY must hold the local key")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value.as_str()));
    let device = Device::builder(id, &key)?.address(address.parse::<Address>()?).spawn(&PollThread::start()?);
    let reply = device.set_value(dp.as_str(), value).acknowledged()?;
    println!("accepted: {reply:?}");
    Ok(())
}
