//! Start of a device on a poll thread.

use crate::builder::DeviceBuilder;
use crate::device::Device;
use crate::poll_thread::PollThread;

impl DeviceBuilder {
    /// Starts the device, which connects in the background.
    pub fn spawn(self, thread: &PollThread) -> Device {
        Device::new(self.0.spawn(thread), thread)
    }
}
