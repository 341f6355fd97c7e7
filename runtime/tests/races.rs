//! Managers, registries and settings under threads that meet, and under foreign code that calls back.

use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::panic::catch_unwind;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::task::Wake;
use std::thread;

use rustuya_runtime::driver::{DrivenDiscovery, DrivenLink, Runtime};
use rustuya_runtime::{AddError, CommandError, Device, Manager, Pacing, Registry, Version};

const ID: &str = "bf0123456789abcdefgh";
const KEY: &str = "0123456789abcdef";

/// Keeps the links and does nothing with them, after it has called this.
struct Idle<F>(F, Mutex<Vec<DrivenLink>>);

impl<F: Fn() + Send + Sync + 'static> Runtime for Idle<F> {
    fn drive(&self, link: DrivenLink) {
        (self.0)();
        self.1.lock().expect("no panic").push(link);
    }

    fn listen(&self, _: DrivenDiscovery, _: Vec<UdpSocket>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

fn idle() -> impl Runtime {
    Idle(|| (), Mutex::default())
}

fn registry(runtime: impl Runtime) -> Registry {
    Registry::builder(runtime).without_discovery().build()
}

fn add(manager: &Manager, id: &str) -> Result<Device, AddError> {
    manager.add(id, [127, 0, 0, 1], KEY, Version::V33)
}

/// Fails the test when `run` does not end: something waits for itself.
fn in_time<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = channel();
    let thread = thread::spawn(move || done.send(run()));
    let result = result.recv_timeout(Duration::from_secs(20)).expect("ends in time");
    thread.join().expect("no panic").expect("is received");
    result
}

/// A waker that calls a function, once.
struct Calls<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send + 'static> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        let call = self.0.lock().expect("no panic").take();
        if let Some(call) = call {
            call();
        }
    }
}

fn calls(call: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(Calls(Mutex::new(Some(call)))))
}

/// Both lists agree, and the device in them is this one.
fn assert_held(manager: &Manager, registry: &Registry, device: &Device) {
    assert_eq!((manager.len(), registry.len()), (1, 1));
    assert!(!device.is_closed(), "nobody has ended it");
    manager.get(ID).expect("is there").set_value("no DP", 1).queue().expect_err("is refused");
    device.change(|known| known.port(1234)).expect("the same id");
    assert_eq!(manager.get(ID).expect("is there").port(), 1234, "the same device");
}

#[test]
fn a_device_that_is_added_while_another_is_deleted_stays() {
    in_time(|| {
        let registry = registry(idle());
        let manager = Manager::new(&registry);
        for shutdown in [false, true] {
            let old = add(&manager, ID).expect("is new");
            // Whoever waits for the old one is woken in the middle of its end, and adds it anew.
            let again = Arc::new(Mutex::new(None));
            let mut waits = Box::pin(old.wait_connected(Duration::from_secs(60)));
            let waker = calls({
                let (manager, again) = (manager.clone(), Arc::clone(&again));
                move || *again.lock().expect("no panic") = Some(add(&manager, ID))
            });
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            if shutdown {
                // Nobody drives the devices: the first look starts the end.
                let mut end = Box::pin(registry.shutdown());
                assert!(end.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            } else {
                assert!(manager.delete(ID));
            }
            assert!(old.is_closed());
            let new = again.lock().expect("no panic").take().expect("was woken").expect("is new");
            assert_held(&manager, &registry, &new);
            assert!(manager.delete(ID));
            assert!(manager.is_empty() && registry.is_empty() && new.is_closed());
        }
    });
}

#[test]
fn what_runs_in_the_middle_may_use_managers_and_devices() {
    in_time(|| {
        let manager: Arc<Mutex<Option<Manager>>> = Arc::default();
        let looks = Arc::new(AtomicUsize::new(0));
        let runtime = Idle(
            {
                let (manager, looks) = (Arc::clone(&manager), Arc::clone(&looks));
                move || {
                    let manager = manager.lock().expect("no panic").clone().expect("is set");
                    if looks.fetch_add(1, Ordering::Relaxed) == 0 {
                        assert!(manager.get(ID).is_some());
                        add(&manager, "another-device").expect("is new");
                        assert!(matches!(add(&manager, ID), Err(AddError::DuplicateDevice)));
                        assert!(manager.remove("another-device"));
                    }
                }
            },
            Mutex::default(),
        );
        let registry = registry(runtime);
        *manager.lock().expect("no panic") = Some(Manager::new(&registry));
        let manager = manager.lock().expect("no panic").clone().expect("is set");
        let device = add(&manager, ID).expect("is new");
        assert_eq!(looks.load(Ordering::Relaxed), 2);
        // A waker that is called because of a change, and one because of a removal.
        let mut events = device.listener();
        let mut all = manager.listener();
        let called = Arc::new(AtomicUsize::new(0));
        let look = || {
            let (manager, device, called) = (manager.clone(), device.clone(), Arc::clone(&called));
            calls(move || {
                let _ = (manager.len(), device.config(), manager.remove(ID), add(&manager, ID));
                called.fetch_add(1, Ordering::Relaxed);
            })
        };
        assert!(events.poll_recv(&mut Context::from_waker(&look())).is_pending());
        let mut end = Box::pin(device.close());
        assert!(end.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(all.poll_recv(&mut Context::from_waker(&look())).is_pending());
        let mut end = Box::pin(manager.shutdown());
        let _ = end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(called.load(Ordering::Relaxed) > 0);
        assert!(manager.is_empty() && matches!(add(&manager, ID), Err(AddError::Closed)));
    });
}

#[test]
fn a_runtime_that_cannot_drive_leaves_nothing_behind() {
    let registry = registry(Idle(|| panic!("outside of a runtime"), Mutex::default()));
    let manager = Manager::new(&registry);
    assert!(catch_unwind(AssertUnwindSafe(|| add(&manager, ID))).is_err());
    assert!(manager.is_empty() && registry.is_empty());
}

#[test]
fn adding_removing_deleting_and_shutting_down_at_once_leave_both_lists_alike() {
    const ROUNDS: usize = 300;
    let registry = registry(idle());
    for _ in 0..ROUNDS {
        let (one, two) = (Manager::new(&registry), Manager::new(&registry));
        let start = Arc::new(Barrier::new(4));
        let run = |act: fn(&Manager)| {
            let (manager, start) = (one.clone(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                (0..10).for_each(|_| act(&manager));
            })
        };
        let adds = |manager: &Manager| match add(manager, ID) {
            Ok(_) | Err(AddError::DuplicateDevice) => {}
            Err(error) => panic!("{error}"),
        };
        let threads = [
            run(adds),
            run(adds),
            run(|manager| {
                manager.remove(ID);
            }),
            run(|manager| {
                manager.delete(ID);
            }),
        ];
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(one.len(), registry.len(), "a device in one list alone");
        if let Some(device) = one.get(ID) {
            assert_held(&one, &registry, &device);
        }
        let device = add(&two, ID).expect("is new to this one");
        assert_eq!((two.len(), registry.len()), (1, 1));
        drop(one);
        assert_held(&two, &registry, &device);
        // One that is added while the manager ends is in it, or refused: not in the registry alone.
        let ends = {
            let two = two.clone();
            thread::spawn(move || {
                let mut end = Box::pin(two.shutdown());
                let _ = end.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            })
        };
        let _ = add(&two, "another-device");
        ends.join().expect("no panic");
        assert!(two.is_empty() && registry.is_empty(), "{} {}", two.len(), registry.len());
    }
}

#[test]
fn a_command_after_the_runtime_is_gone_says_so() {
    /// Drops every link, as a runtime does that is gone.
    struct Gone;
    impl Runtime for Gone {
        fn drive(&self, link: DrivenLink) {
            drop(link);
        }
        fn listen(&self, _: DrivenDiscovery, _: Vec<UdpSocket>) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
    let builder = || Device::builder(ID, KEY).expect("usable id and key").address([127, 0, 0, 1]);
    let device = builder().spawn(&Gone);
    assert_eq!(device.set_value(1, true).queue(), Err(CommandError::RuntimeGone));
    let mut answer = device.set_value(1, true).acknowledged();
    let answer = Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(answer, Poll::Ready(Err(CommandError::RuntimeGone)));

    type Keeps = Arc<Idle<fn()>>;
    // One that waits while the runtime ends, in a thread whose generator is gone already.
    thread_local! {
        static LAST: Mutex<Option<Keeps>> = const { Mutex::new(None) };
    }
    struct Shared(Keeps);
    impl Runtime for Shared {
        fn drive(&self, link: DrivenLink) {
            self.0.drive(link);
        }
        fn listen(&self, link: DrivenDiscovery, sockets: Vec<UdpSocket>) -> io::Result<()> {
            self.0.listen(link, sockets)
        }
    }
    let idle: Keeps = Arc::new(Idle(|| (), Mutex::default()));
    let device = builder().spawn(&Shared(Arc::clone(&idle)));
    let mut waits = device.set_value(1, true).acknowledged();
    assert!(Pin::new(&mut waits).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let ends = thread::spawn(move || {
        // Made before whatever the library keeps for this thread, and so dropped after it.
        LAST.with(|last| *last.lock().expect("no panic") = Some(idle));
        let _drawn: u32 = rand::random();
    });
    ends.join().expect("no panic");
    let ended = Pin::new(&mut waits).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(ended, Poll::Ready(Err(CommandError::RuntimeGone)));

    // Closed by the program: not the runtime's doing.
    let runtime = Idle(|| (), Mutex::default());
    let device = builder().spawn(&runtime);
    let mut end = Box::pin(device.close());
    assert!(end.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(device.set_value(1, true).queue(), Err(CommandError::Closed));
}

#[test]
fn changes_by_many_threads_are_all_kept() {
    type Change = Box<dyn Fn(&Manager, &Device) + Send>;
    for round in 0..50_u16 {
        let registry = registry(idle());
        let manager = Manager::new(&registry);
        let device = add(&manager, ID).expect("is new");
        let start = Arc::new(Barrier::new(5));
        let run = |change: Change| {
            let (manager, device, start) = (manager.clone(), device.clone(), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                change(&manager, &device);
            })
        };
        let pacing = Pacing::NONE.gap(Duration::from_millis(7));
        let threads = [
            run(Box::new(move |_, device| device.change(|known| known.port(1000 + round)).expect("the same id"))),
            run(Box::new(|_, device| device.change(|known| known.nowait(true)).expect("the same id"))),
            run(Box::new(move |_, device| device.change(|known| known.pacing(pacing)).expect("the same id"))),
            run(Box::new(|_, device| device.change(|known| known.persist(false)).expect("the same id"))),
            // Address, key and version; the rest stays.
            run(Box::new(|manager, _| drop(manager.add(ID, [127, 0, 0, 9], KEY, Version::V35)))),
        ];
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        let known = device.config();
        let all = known.clone().port(1000 + round).nowait(true).pacing(pacing).persist(false);
        assert_eq!(known, all.address([127, 0, 0, 9]).version(Version::V35));
    }
}
