//! This library's controller, on either driver, with blocking calls.

use core::fmt;
use std::time::Instant;

use rustuya_runtime_blocking as blocking;
use rustuya_runtime_tokio::{
    CommandError, Device, DeviceBuilder, DownReason, Event, Listener, Reply, TokioHandle, Version,
};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use crate::{ID, LIMIT};

type Dps = Map<String, Value>;

/// Driver of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    Tokio,
    Blocking,
}

/// Makes the builder of a device at `port` of 127.0.0.1, for [`Controller::spawn`].
pub(crate) fn described(port: u16, key: &str) -> DeviceBuilder {
    Device::builder(ID, key).expect("usable id and key").address([127, 0, 0, 1]).port(port)
}

/// Device with its runtime.
pub(crate) enum Controller {
    Tokio { device: Device, runtime: Runtime },
    Blocking(blocking::Device),
}

/// Listener of the device and its sub-devices.
pub(crate) enum Events<'a> {
    Tokio { events: Listener, runtime: &'a Runtime },
    Blocking(blocking::Listener),
}

impl Driver {
    pub(crate) const ALL: [Self; 2] = [Self::Tokio, Self::Blocking];
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tokio => "tokio",
            Self::Blocking => "poll thread",
        })
    }
}

impl Controller {
    pub(crate) fn spawn(driver: Driver, builder: DeviceBuilder) -> Self {
        match driver {
            Driver::Tokio => {
                // With a thread of its own, so that the connection works while a test waits for output of the device.
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                let runtime = runtime.expect("a runtime");
                Self::Tokio { device: builder.spawn(&TokioHandle(runtime.handle().clone())), runtime }
            }
            Driver::Blocking => {
                let thread = blocking::PollThread::start().expect("a thread");
                Self::Blocking(blocking::DeviceBuilder::from(builder).spawn(&thread))
            }
        }
    }

    pub(crate) fn listener(&self) -> Events<'_> {
        match self {
            Self::Tokio { device, runtime } => Events::Tokio { events: device.listener(), runtime },
            Self::Blocking(device) => Events::Blocking(device.listener()),
        }
    }

    pub(crate) fn wait_connected(&self) -> Result<Version, CommandError> {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, device.wait_connected(LIMIT)),
            Self::Blocking(device) => device.wait_connected(LIMIT),
        }
    }

    pub(crate) fn query(&self) -> Result<Dps, CommandError> {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, device.query()).map(Dps::from),
            Self::Blocking(device) => device.query().map(Dps::from),
        }
    }

    pub(crate) fn query_dps(&self, dps: &[u16]) -> Result<Dps, CommandError> {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, device.query_dps(dps)).map(Dps::from),
            Self::Blocking(device) => device.query_dps(dps).map(Dps::from),
        }
    }

    /// Sets a DP and waits for the acknowledgement.
    pub(crate) fn set_value(&self, dp: u16, value: impl Into<Value>) -> Result<Reply, CommandError> {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, device.set_value(dp, value.into()).acknowledged()),
            Self::Blocking(device) => device.set_value(dp, value.into()).acknowledged(),
        }
    }

    /// Sets DPs and waits for the acknowledgement.
    pub(crate) fn set_dps(&self, dps: &Value) -> Result<Reply, CommandError> {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, device.set_dps(dps).acknowledged()),
            Self::Blocking(device) => device.set_dps(dps).acknowledged(),
        }
    }

    /// Requests fresh values, and returns when the request is written.
    pub(crate) fn update_dps(&self, dps: &[u16]) -> Result<(), CommandError> {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, async { device.update_dps(dps).await }),
            Self::Blocking(device) => device.update_dps(dps).send(),
        }
    }

    pub(crate) fn sub_discover(&self) -> Result<Reply, CommandError> {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, device.sub_discover().acknowledged()),
            Self::Blocking(device) => device.sub_discover().acknowledged(),
        }
    }

    pub(crate) fn sub_query(&self, cid: &str) -> Result<Dps, CommandError> {
        match self {
            Self::Tokio { device, runtime } => {
                block_on(runtime, device.sub(cid).expect("a usable cid").query()).map(Dps::from)
            }
            Self::Blocking(device) => device.sub(cid).expect("a usable cid").query().map(Dps::from),
        }
    }

    pub(crate) fn sub_set_value(&self, cid: &str, dp: u16, value: impl Into<Value>) -> Result<Reply, CommandError> {
        match self {
            Self::Tokio { device, runtime } => {
                block_on(runtime, device.sub(cid).expect("a usable cid").set_value(dp, value.into()).acknowledged())
            }
            Self::Blocking(device) => device.sub(cid).expect("a usable cid").set_value(dp, value.into()).acknowledged(),
        }
    }

    pub(crate) fn diagnosis(&self) -> Option<DownReason> {
        match self {
            Self::Tokio { device, .. } => device.diagnosis(),
            Self::Blocking(device) => device.diagnosis(),
        }
    }

    pub(crate) fn close(&self) {
        match self {
            Self::Tokio { device, runtime } => block_on(runtime, device.close()),
            Self::Blocking(device) => device.close(),
        }
    }
}

impl Events<'_> {
    /// Waits for an event that `wanted` accepts.
    pub(crate) fn next<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            let event = match self {
                Self::Tokio { events, runtime } => block_on(runtime, events.recv()).expect("the device lives"),
                Self::Blocking(events) => {
                    let rest = deadline.saturating_duration_since(Instant::now());
                    events.recv_timeout(rest).expect("an event in time")
                }
            };
            if let Some(found) = wanted(&event) {
                return found;
            }
            assert!(Instant::now() < deadline, "the event does not come");
        }
    }

    /// Waits for a message of this command in which `dp` is `value`.
    pub(crate) fn wait_for(&mut self, command: u32, cid: Option<&str>, dp: &str, value: &Value) {
        self.next(|event| match event {
            Event::Message(message) if message.command().0 == command && message.cid() == cid => {
                message.dps().get(dp).filter(|found| *found == value).map(drop)
            }
            _ => None,
        });
    }

    /// Waits for a push in which `dp` is `value`.
    pub(crate) fn pushed(&mut self, cid: Option<&str>, dp: &str, value: &Value) {
        self.wait_for(8, cid, dp, value);
    }

    /// Drops the queued events.
    pub(crate) fn forget(&mut self) {
        while match self {
            Self::Tokio { events, .. } => events.try_recv(),
            Self::Blocking(events) => events.try_recv(),
        }
        .is_some()
        {}
    }
}

pub(crate) fn block_on<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    runtime.block_on(async { tokio::time::timeout(LIMIT, future).await.expect("ends in time") })
}
