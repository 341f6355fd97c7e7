//! Network and clock of a run.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Instant;

use rustuya_faulty::{FaultyDevice, FaultyDeviceBuilder, State};

use crate::simulated::Simulated;

/// Network of the devices, and clock of the stage.
pub(crate) trait Network {
    fn plug_in(&self, device: FaultyDeviceBuilder) -> FaultyDevice;
    fn now(&self) -> Duration;
    fn until(&self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool;
    fn wait_briefly(&self);
    /// Runs a future on this thread. Returns `None` when it takes longer than `limit`.
    fn block_on<F: Future + Unpin>(&self, future: F, limit: Duration) -> Option<F::Output>;
}

/// Real sockets on loopback, and the system's clock.
#[derive(Clone, Copy, Debug)]
pub struct RealTime(Instant);

impl RealTime {
    /// Starts the clock.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Puts a device on a free port.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn plug_in(&self, device: FaultyDeviceBuilder) -> FaultyDevice {
        device.start().expect("a free port")
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.elapsed()
    }

    /// Waits until `holds` is true. Returns whether it is within `limit`.
    pub fn until(&self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        device.wait_for(limit, holds)
    }

    /// Waits a millisecond.
    pub fn wait_briefly(&self) {
        thread::sleep(Duration::from_millis(1));
    }
}

impl Network for RealTime {
    fn plug_in(&self, device: FaultyDeviceBuilder) -> FaultyDevice {
        self.plug_in(device)
    }

    fn now(&self) -> Duration {
        self.now()
    }

    fn until(&self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        self.until(device, limit, holds)
    }

    fn wait_briefly(&self) {
        self.wait_briefly();
    }

    fn block_on<F: Future + Unpin>(&self, future: F, limit: Duration) -> Option<F::Output> {
        block_on(future, limit)
    }
}

impl Network for Simulated {
    fn plug_in(&self, device: FaultyDeviceBuilder) -> FaultyDevice {
        device.start_in(self.net())
    }

    fn now(&self) -> Duration {
        self.now()
    }

    fn until(&self, device: &FaultyDevice, limit: Duration, holds: &mut dyn FnMut(&State) -> bool) -> bool {
        self.run(limit, || device.wait_for(Duration::ZERO, &mut *holds))
    }

    fn wait_briefly(&self) {
        self.run(Duration::from_millis(1), || false);
    }

    fn block_on<F: Future + Unpin>(&self, future: F, limit: Duration) -> Option<F::Output> {
        self.block_on(future, limit)
    }
}

/// Runs a future on this thread. Returns `None` when it takes longer than `limit`.
fn block_on<F: Future + Unpin>(mut future: F, limit: Duration) -> Option<F::Output> {
    struct Unpark(Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let end = Instant::now() + limit;
    loop {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut cx) {
            return Some(output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}
