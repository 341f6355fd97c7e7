//! Locks and atomics shared by threads: of the standard library or, in the models, of loom, which tries every order in
//! which threads can take them.
//!
//! The models are the tests named `models`; `cargo xtask test --only models` runs them. They have a `cfg` of their own:
//! `--cfg loom` would change other crates too.

#[cfg(not(all(test, rustuya_loom)))]
pub(crate) use core::sync::atomic::{AtomicBool, AtomicUsize};
#[cfg(all(test, rustuya_loom))]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicUsize},
};
#[cfg(not(all(test, rustuya_loom)))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(all(test, rustuya_loom))]
pub(crate) mod models {
    use core::task::Waker;
    use std::sync::Arc;
    use std::task::Wake;

    use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use loom::thread;

    /// Runs `model` in each order of its threads that interrupts running threads at most this often.
    pub(crate) fn each_order(interruptions: usize, model: impl Fn() + Sync + Send + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(interruptions);
        builder.max_branches = 20_000;
        builder.check(model);
    }

    /// Records whether a waker was called.
    #[derive(Default)]
    pub(crate) struct Woken(AtomicBool);

    impl Woken {
        pub(crate) fn waker() -> (Arc<Self>, Waker) {
            let woken = Arc::<Self>::default();
            (Arc::clone(&woken), Waker::from(woken))
        }

        pub(crate) fn was_called(&self) -> bool {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// A check that finds nothing must be able to.
    #[test]
    #[should_panic(expected = "an update is lost")]
    fn a_lost_update_is_found() {
        each_order(2, || {
            let count = Arc::new(AtomicUsize::new(0));
            let add = |count: &AtomicUsize| count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
            let other = thread::spawn({
                let count = Arc::clone(&count);
                move || add(&count)
            });
            add(&count);
            other.join().expect("no panic");
            assert_eq!(count.load(Ordering::SeqCst), 2, "an update is lost");
        });
    }
}
