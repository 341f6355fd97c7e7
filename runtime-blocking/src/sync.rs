//! Locks, atomics and the selector's waker, shared by threads: of the standard library and mio or, in the models, of
//! loom, which tries every order in which threads can take them. `cargo xtask test --only models` runs the models.

#[cfg(not(all(test, rustuya_loom)))]
pub(crate) use {
    core::sync::atomic::AtomicBool,
    mio::Waker as PollWaker,
    std::sync::{Mutex, MutexGuard},
};
#[cfg(all(test, rustuya_loom))]
pub(crate) use {
    loom::sync::{Mutex, MutexGuard, atomic::AtomicBool},
    poll_waker::PollWaker,
};

#[cfg(all(test, rustuya_loom))]
mod poll_waker {
    use std::io;

    use loom::sync::Notify;

    /// Wakes one thread of a model, in place of a selector's.
    #[derive(Debug)]
    pub(crate) struct PollWaker(Notify);

    impl PollWaker {
        pub(crate) fn new(_: &mio::Registry, _: mio::Token) -> io::Result<Self> {
            Ok(Self::default())
        }

        pub(crate) fn wake(&self) -> io::Result<()> {
            self.0.notify();
            Ok(())
        }

        pub(crate) fn wait(&self) {
            self.0.wait();
        }
    }

    impl Default for PollWaker {
        fn default() -> Self {
            Self(Notify::new())
        }
    }
}
