//! Handles of drivers.

use rustuya_runtime::{Device, Sending, State, SubDevice};
use serde_json::{Map, Value as Json};

use crate::value::{Data, DpSource, Writes};

/// Handle of a device or sub-device that a driver keeps connected.
pub trait Handle: Clone {
    /// A command that is not sent yet.
    type Sending;

    /// Returns the last known DPs. Asks nobody.
    fn state(&self) -> State;

    /// Makes one command that writes these DPs.
    fn set_dps(&self, writes: Writes) -> Self::Sending;

    /// Returns the cid of a sub-device.
    fn cid(&self) -> Option<&str>;
}

impl DpSource for State {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        Data::from_json(self.get(dp)?)
    }
}

/// Returns the DPs as a JSON object.
fn object(writes: Writes) -> Json {
    Json::Object(writes.dps.into_iter().map(|(dp, value)| (dp.to_string(), value)).collect::<Map<_, _>>())
}

impl Handle for Device {
    type Sending = Sending;

    fn state(&self) -> State {
        self.state()
    }

    fn set_dps(&self, writes: Writes) -> Sending {
        self.set_dps(object(writes))
    }

    fn cid(&self) -> Option<&str> {
        None
    }
}

impl Handle for SubDevice {
    type Sending = Sending;

    fn state(&self) -> State {
        self.state()
    }

    fn set_dps(&self, writes: Writes) -> Sending {
        self.set_dps(object(writes))
    }

    fn cid(&self) -> Option<&str> {
        Some(self.id())
    }
}

#[cfg(feature = "blocking")]
mod blocking {
    use rustuya_runtime_blocking::{Device, Sending, SubDevice};

    use super::{Handle, State, Writes, object};

    impl Handle for Device {
        type Sending = Sending;

        fn state(&self) -> State {
            self.state()
        }

        fn set_dps(&self, writes: Writes) -> Sending {
            self.set_dps(object(writes))
        }

        fn cid(&self) -> Option<&str> {
            None
        }
    }

    impl Handle for SubDevice {
        type Sending = Sending;

        fn state(&self) -> State {
            self.state()
        }

        fn set_dps(&self, writes: Writes) -> Sending {
            self.set_dps(object(writes))
        }

        fn cid(&self) -> Option<&str> {
            Some(self.id())
        }
    }
}
