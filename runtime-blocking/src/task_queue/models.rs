//! Models of threads that queue tasks, and of the poll thread that sleeps and takes them.

use core::task::Waker;

use loom::thread;

use super::*;

/// Runs `model` in each order of its threads that interrupts running threads at most three times.
fn each_order(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Takes the content as the poll thread does, until `done` returns true for it.
fn run(queue: &TaskQueue<u8>, mut done: impl FnMut(Vec<u8>, &[usize], bool) -> bool) {
    let mut woken = Vec::new();
    loop {
        if queue.begin_sleep() {
            queue.waker.wait();
        }
        let (new, stop) = queue.take(&mut woken);
        if done(new, &woken, stop) {
            return;
        }
        woken.clear();
    }
}

#[test]
fn a_thread_that_sleeps_is_woken_for_a_task_and_for_the_end() {
    each_order(|| {
        let queue = Arc::new(TaskQueue::new(PollWaker::default()));
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.add(1))
        };
        let last = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.stop())
        };
        let (mut tasks, mut stopped) = (Vec::new(), false);
        run(&queue, |new, _, stop| {
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
        let queue = Arc::new(TaskQueue::<u8>::new(PollWaker::default()));
        let task_waker = TaskWaker::new(&queue, 7);
        let changes = Arc::new(Mutex::new(0));
        let other = {
            let (changes, waker) = (Arc::clone(&changes), Waker::from(Arc::clone(&task_waker)));
            thread::spawn(move || {
                for _ in 0..2 {
                    *changes.lock().expect("no panic") += 1;
                    waker.wake_by_ref();
                }
            })
        };
        run(&queue, |_, woken, _| {
            if woken != [7] {
                assert!(woken.is_empty(), "{woken:?}");
                return false;
            }
            task_waker.reset();
            *changes.lock().expect("no panic") == 2
        });
        other.join().expect("no panic");
    });
}

#[test]
fn a_task_is_run_or_given_back() {
    each_order(|| {
        let queue = Arc::new(TaskQueue::new(PollWaker::default()));
        let other = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.add(1))
        };
        let (collected, _) = queue.take(&mut Vec::new());
        let left = queue.close();
        let given_back = other.join().expect("no panic").is_err();
        assert_eq!(collected.len() + left.len() + usize::from(given_back), 1);
    });
}
