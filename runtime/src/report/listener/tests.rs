//! Queues without devices.

use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Number(u64),
    Lagged(u64),
}

impl Entry for Item {
    fn lagged(lost: u64) -> Option<Self> {
        Some(Self::Lagged(lost))
    }
}

fn hub(entries: usize) -> Hub<Item> {
    Hub::new(Bounds::entries(entries))
}

/// Publishes a number. Returns whether the queue of a listener is nearly full then.
fn publish(hub: &Hub<Item>, n: u64) -> bool {
    let mut wakes = Vec::new();
    hub.publish(&Item::Number(n), &mut wakes);
    wakes.into_iter().for_each(Waker::wake);
    hub.backpressure().is_active()
}

#[test]
fn a_slow_listener_loses_the_oldest_and_is_told_first() {
    let hub = hub(3);
    let mut slow = hub.listener();
    let mut quick = hub.listener();
    for n in 0..5 {
        publish(&hub, n);
        assert_eq!(quick.try_recv(), Some(Item::Number(n)));
    }
    assert_eq!(slow.missed(), 2);
    assert_eq!(slow.try_recv(), Some(Item::Lagged(2)));
    for n in 2..5 {
        assert_eq!(slow.try_recv(), Some(Item::Number(n)));
    }
    assert_eq!(slow.try_recv(), None);
    assert_eq!((slow.missed(), quick.missed()), (2, 0));
}

#[test]
fn closing_ends_listeners_after_what_is_queued() {
    let hub = hub(3);
    let mut listener = hub.listener();
    publish(&hub, 1);
    hub.close(&mut Vec::new());
    publish(&hub, 2);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(listener.poll_recv(&mut cx), Poll::Ready(Some(Item::Number(1))));
    assert_eq!(listener.poll_recv(&mut cx), Poll::Ready(None));
    assert_eq!(hub.listener().poll_recv(&mut cx), Poll::Ready(None));
}

#[test]
fn a_reader_that_keeps_up_is_waited_for_and_a_slow_one_is_not() {
    let hub = hub(8);
    let mut reader = hub.listener();
    for n in 0..6 {
        assert!(!publish(&hub, n));
    }
    assert!(publish(&hub, 6));
    let start = Instant::now();
    let until = hub.paused_until(start, || Waker::noop().clone()).expect("is waited for");
    assert!(until <= start + PATIENCE);
    for _ in 0..3 {
        reader.try_recv();
    }
    // At half full, the wait ends.
    assert_eq!(hub.paused_until(start, || Waker::noop().clone()), None);
    for n in 7..10 {
        publish(&hub, n);
    }
    // Each entry taken restarts the patience, up to the longest wait.
    let mut now = Instant::now();
    let end = now + LONGEST;
    while now + PATIENCE < end {
        assert!(hub.paused_until(now, || Waker::noop().clone()).is_some_and(|until| until > now));
        reader.try_recv();
        publish(&hub, 10);
        now += PATIENCE / 2;
    }
    assert!(hub.paused_until(end + PATIENCE, || Waker::noop().clone()).is_none(), "patience is over");
    reader.try_recv();
    assert!(!publish(&hub, 11), "it has not caught up yet");
    while reader.try_recv().is_some() {}
    for n in 0..6 {
        publish(&hub, n);
    }
    assert!(publish(&hub, 6), "it has caught up");
    drop(reader);
    assert!(!hub.backpressure().is_active());
}

#[test]
fn those_who_wait_for_room_come_back_one_by_one() {
    struct Count(AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let hub = hub(8);
    let mut reader = hub.listener();
    for n in 0..7 {
        publish(&hub, n);
    }
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    for _ in 0..9 {
        assert!(hub.paused_until(Instant::now(), || waker.clone()).is_some());
    }
    let woken: Vec<usize> = core::iter::from_fn(|| {
        reader.try_recv()?;
        Some(count.0.load(Ordering::Relaxed))
    })
    .collect();
    assert_eq!(woken, [0, 0, 1, 2, 3, 4, 5]);
    assert_eq!(reader.try_recv(), None);
    assert_eq!(count.0.load(Ordering::Relaxed), 9, "an empty queue has room for all");
}

#[test]
fn one_that_reads_is_given_room_by_sources_that_cannot_wait() {
    let hub = Hub::new(Bounds { entries: 8, most: 32, bytes: usize::MAX });
    let mut reader = hub.listener();
    for n in 0..40 {
        publish(&hub, n);
    }
    assert_eq!(reader.try_recv(), Some(Item::Lagged(8)), "even that has a bound");
    let start = Instant::now();
    assert!(hub.paused_until(start, || Waker::noop().clone()).is_some(), "the wait begins with the first who can");
    assert!(hub.paused_until(start + LONGEST, || Waker::noop().clone()).is_none(), "too slow");
    publish(&hub, 40);
    assert_eq!(reader.try_recv(), Some(Item::Lagged(25)));
    assert_eq!(reader.try_recv(), Some(Item::Number(33)));
}

#[test]
fn queues_are_bounded_in_bytes() {
    let hub = Hub::new(Bounds { entries: 100, most: 100, bytes: 4 * size_of::<Item>() });
    let mut listener = hub.listener();
    for n in 0..6 {
        publish(&hub, n);
    }
    assert_eq!(listener.try_recv(), Some(Item::Lagged(2)));
    assert_eq!(listener.try_recv(), Some(Item::Number(2)));
    publish(&hub, 6);
    assert_eq!(listener.try_recv(), Some(Item::Number(3)), "what was taken makes room");
    while listener.try_recv().is_some() {}
    assert_eq!(listener.queue.lock().bytes, 0);
}

#[test]
fn wakers_and_entries_that_look_back_find_no_lock_held() {
    static HUB: std::sync::LazyLock<Hub<Looks>> = std::sync::LazyLock::new(|| Hub::new(Bounds::entries(2)));
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    fn look() {
        HUB.has_listeners();
        drop(HUB.listener());
        LOOKS.fetch_add(1, Ordering::Relaxed);
    }
    struct Looks;
    impl Clone for Looks {
        fn clone(&self) -> Self {
            look();
            Self
        }
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            look();
        }
    }
    impl Entry for Looks {
        fn lagged(_lost: u64) -> Option<Self> {
            None
        }
    }
    impl std::task::Wake for Looks {
        fn wake(self: Arc<Self>) {
            look();
        }
    }
    let mut listener = HUB.listener();
    let waits = |listener: &mut Listener<Looks>| {
        let waker = Waker::from(Arc::new(Looks));
        listener.poll_recv(&mut Context::from_waker(&waker)).is_pending()
    };
    assert!(waits(&mut listener) && waits(&mut listener));
    for _ in 0..4 {
        let mut wakes = Vec::new();
        HUB.publish(&Looks, &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
    }
    assert!(listener.try_recv().is_some());
    drop(listener);
    assert!(LOOKS.load(Ordering::Relaxed) >= 10);
}

#[test]
fn a_dropped_listener_is_forgotten() {
    let hub = hub(8);
    let listener = hub.listener();
    assert!(hub.has_listeners());
    drop(listener);
    assert!(!hub.has_listeners());
    publish(&hub, 1);
    let _other = hub.listener();
    assert_eq!(hub.lock().queues.len(), 1);
}
