//! Effects of a fault on the frames of one connection.

use core::time::Duration;
use std::collections::VecDeque;

use rustuya_proto::{CommandCode, Instant};
use rustuya_seeded::SeededRng;

use crate::fault::Fault;

/// Present fault of a connection, with its progress.
pub(crate) struct Filter {
    pub(crate) fault: Option<Fault>,
    /// Number of frames sent since the fault was set, without the negotiation.
    pub(crate) sent: u32,
    /// Number of frames that were cut in two.
    pub(crate) cuts: usize,
    /// True if a fault that applies once per connection has been applied.
    pub(crate) once: bool,
    /// Delayed answer, with the end of its delay.
    pub(crate) waiting: Option<(Vec<u8>, Instant)>,
    /// Late answers in order, with their due times.
    late: VecDeque<(Vec<u8>, Instant)>,
    number: u64,
    garbage: Option<SeededRng>,
}

impl Filter {
    pub(crate) const fn new(fault: Option<Fault>, number: u64) -> Self {
        Self { fault, sent: 0, cuts: 0, once: false, waiting: None, late: VecDeque::new(), number, garbage: None }
    }

    /// Sets another fault. An answer that the old one delays stays in `waiting`.
    pub(crate) fn set(&mut self, fault: Option<Fault>) {
        let (waiting, late) = (self.waiting.take(), core::mem::take(&mut self.late));
        *self = Self { waiting, late, ..Self::new(fault, self.number) };
    }

    /// Makes random bytes that contain no prefix of a frame.
    pub(crate) fn garbage(&mut self, seed: u64) -> Vec<u8> {
        let fresh = SeededRng::new(seed ^ self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let rng = self.garbage.get_or_insert(fresh);
        let len = 16 + rng.below(185);
        (0..len).map(|_| rng.bits() as u8 | 1).collect()
    }

    /// Delays the answer behind the next one if it is its turn. Returns the frames to send, in order.
    pub(crate) fn reorder(&mut self, frame: Vec<u8>, now: Instant) -> Vec<Vec<u8>> {
        match self.waiting.take() {
            Some((earlier, _)) => vec![frame, earlier],
            None => {
                self.waiting = Some((frame, now + Fault::HOLD));
                Vec::new()
            }
        }
    }

    /// Returns the delayed answer when its delay is over or the fault has ended.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let Some((frame, _)) =
            self.late.front().is_some_and(|(_, due)| *due <= now).then(|| self.late.pop_front()).flatten()
        {
            return Some(frame);
        }
        let holds = matches!(self.fault, Some(Fault::OutOfOrder | Fault::Unreliable { .. }));
        self.waiting.take_if(|(_, until)| !holds || *until <= now).map(|(frame, _)| frame)
    }

    /// Returns the time when [`overdue`](Self::overdue) has an answer.
    pub(crate) fn due(&self) -> Option<Instant> {
        let late = self.late.front().map(|(_, due)| *due);
        [self.waiting.as_ref().map(|(_, until)| *until), late].into_iter().flatten().min()
    }

    /// Delays an answer if the fault says so, or if an earlier one is still delayed.
    pub(crate) fn delay(&mut self, frame: Vec<u8>, now: Instant) -> Option<Vec<u8>> {
        let due = match self.fault {
            Some(Fault::LateAnswers { ms }) => now + Duration::from_millis(ms),
            _ if self.late.is_empty() => return Some(frame),
            _ => now,
        };
        self.late.push_back((frame, due));
        None
    }

    /// Returns the position where a frame of `len` bytes is cut in two.
    pub(crate) const fn cut(&mut self, len: usize) -> usize {
        self.cuts += 1;
        if len < 2 { len } else { 1 + (self.cuts - 1) % (len - 1) }
    }
}

/// Returns whether a frame is an answer that faults may delay.
pub(crate) fn is_answer(command: CommandCode) -> bool {
    !matches!(command, CommandCode::STATUS | CommandCode::HEART_BEAT) && !command.is_negotiation()
}

/// Pause between two segments: long enough for a waiting reader to read the first one alone.
pub(crate) const SEGMENT_PAUSE: Duration = Duration::from_micros(50);
/// Pause between two halves of a frame.
pub(crate) const SPLIT_PAUSE: Duration = Duration::from_millis(3);
