//! Models of threads that post, and of the poll thread that sleeps and collects.

use core::task::Waker;

use loom::thread;

use super::*;

/// Runs `model` in each order of its threads that interrupts running threads at most three times.
fn each_order(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Collects as the poll thread does, until `done` returns true for what was collected.
fn run(mailbox: &Mailbox<u8>, mut done: impl FnMut(Vec<u8>, &[usize], bool) -> bool) {
    let mut woken = Vec::new();
    loop {
        if mailbox.doze() {
            mailbox.bell.wait();
        }
        let (new, stop) = mailbox.collect(&mut woken);
        if done(new, &woken, stop) {
            return;
        }
        woken.clear();
    }
}

#[test]
fn a_thread_that_sleeps_is_rung_for_a_task_and_for_the_end() {
    each_order(|| {
        let mailbox = Arc::new(Mailbox::new(Bell::default()));
        let other = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.add(1))
        };
        let last = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.stop())
        };
        let (mut tasks, mut stopped) = (Vec::new(), false);
        run(&mailbox, |new, _, stop| {
            tasks.extend(new);
            stopped |= stop;
            stopped && !tasks.is_empty()
        });
        assert_eq!((other.join().expect("no panic"), tasks), (Ok(()), vec![1]));
        last.join().expect("no panic");
    });
}

/// A change under a lock before a task is woken is seen in the task's turn, or in one that follows.
#[test]
fn a_task_that_is_woken_in_its_turn_gets_another_one() {
    each_order(|| {
        let mailbox = Arc::new(Mailbox::<u8>::new(Bell::default()));
        let alarm = Alarm::new(&mailbox, 7);
        let changes = Arc::new(Mutex::new(0));
        let other = {
            let (changes, waker) = (Arc::clone(&changes), Waker::from(Arc::clone(&alarm)));
            thread::spawn(move || {
                for _ in 0..2 {
                    *changes.lock().expect("no panic") += 1;
                    waker.wake_by_ref();
                }
            })
        };
        run(&mailbox, |_, woken, _| {
            if woken != [7] {
                assert!(woken.is_empty(), "{woken:?}");
                return false;
            }
            alarm.reset();
            *changes.lock().expect("no panic") == 2
        });
        other.join().expect("no panic");
    });
}

#[test]
fn a_task_is_run_or_given_back() {
    each_order(|| {
        let mailbox = Arc::new(Mailbox::new(Bell::default()));
        let other = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || mailbox.add(1))
        };
        let (collected, _) = mailbox.collect(&mut Vec::new());
        let left = mailbox.close();
        let given_back = other.join().expect("no panic").is_err();
        assert_eq!(collected.len() + left.len() + usize::from(given_back), 1);
    });
}
