//! Deadlines of tasks.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Deadlines of all tasks, the next one first. A deadline that was replaced by an earlier one stays in the heap, and is
/// ignored when its time comes.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(BinaryHeap<Reverse<(Instant, usize)>>);

impl Deadlines {
    /// Schedules the task to run at `until` or earlier. Keeps an earlier deadline: one spurious run is cheaper than a
    /// new entry for each of the many changes.
    pub(crate) fn arm(&mut self, token: usize, armed: &mut Option<Instant>, until: Option<Instant>) {
        if let Some(until) = until
            && armed.is_none_or(|at| until < at)
        {
            *armed = Some(until);
            self.0.push(Reverse((until, token)));
        }
    }

    /// Returns the next deadline that is over, and its task. It counts only if it is the deadline that the task is
    /// armed with.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<(Instant, usize)> {
        let Reverse((at, _)) = self.0.peek()?;
        if *at > now { None } else { self.0.pop().map(|Reverse(due)| due) }
    }

    /// Returns the time until the next deadline.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let Reverse((at, _)) = self.0.peek()?;
        Some(at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_earlier_deadlines_are_entered() {
        let mut deadlines = Deadlines::default();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let (mut one, mut two) = (None, None);
        deadlines.arm(1, &mut one, Some(at(20)));
        deadlines.arm(1, &mut one, Some(at(30)));
        deadlines.arm(1, &mut one, None);
        deadlines.arm(2, &mut two, Some(at(15)));
        deadlines.arm(1, &mut one, Some(at(10)));
        assert_eq!((one, two, deadlines.0.len()), (Some(at(10)), Some(at(15)), 3));
        assert!(deadlines.wait().is_some_and(|wait| wait <= Duration::from_secs(10)));
        assert_eq!(deadlines.pop(at(9)), None);
        assert_eq!(deadlines.pop(at(15)), Some((at(10), 1)));
        assert_eq!(deadlines.pop(at(15)), Some((at(15), 2)));
        assert_eq!(deadlines.pop(at(15)), None);
        assert_eq!(deadlines.pop(at(20)), Some((at(20), 1)), "overtaken, but still in there");
    }
}
