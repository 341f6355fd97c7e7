//! Start of a device on a runtime.

use std::sync::Arc;

use super::builder::DeviceBuilder;
use super::handle::Device;
use crate::driver::Runtime;
use crate::link::{DrivenLink, Env, Link};
use crate::wipe::wipe_stack;

impl DeviceBuilder {
    /// Starts to connect, in the background of a runtime.
    pub fn spawn(self, runtime: &impl Runtime) -> Device {
        let (device, start) = self.prepare(Env::standalone());
        start.drive(runtime);
        wipe_stack();
        device
    }

    /// Makes a device that does nothing yet, and its start.
    pub(crate) fn prepare(self, env: &Arc<Env>) -> (Device, Start) {
        let link = Link::new(&self.config, self.options, self.tap, env);
        let device = Device::new(link, self.discovery);
        let start = Start { link: DrivenLink::new(Arc::clone(device.link())), device: device.clone() };
        (device, start)
    }
}

/// Start of a device. If dropped, the device never starts.
pub(crate) struct Start {
    link: DrivenLink,
    device: Device,
}

impl Start {
    /// Lets a runtime drive the device. Runs foreign code.
    pub(crate) fn drive(self, runtime: &dyn Runtime) {
        if let Some(sources) = runtime.sources() {
            self.device.link().with(|engine, _| engine.use_sources(sources));
        }
        self.device.watch(0);
        runtime.drive(self.link);
    }
}
