//! What a fault makes of the frames of one connection.

use core::time::Duration;
use std::collections::VecDeque;

use rustuya_proto::{CommandCode, Instant};

use super::fault::Fault;
use crate::rng::SeededRng;

/// The fault in force on a connection, and how far it has come.
pub(super) struct Filter {
    pub(super) fault: Option<Fault>,
    /// Frames sent since the fault is in force, the negotiation not counted.
    pub(super) sent: u32,
    /// Frames that were cut in two.
    pub(super) cuts: usize,
    /// What happens once per connection has happened.
    pub(super) once: bool,
    /// The answer that waits for another one, and until when.
    pub(super) waiting: Option<(Vec<u8>, Instant)>,
    /// Answers that are late, in order, and when they are due.
    late: VecDeque<(Vec<u8>, Instant)>,
    number: u64,
    garbage: Option<SeededRng>,
}

impl Filter {
    pub(super) const fn new(fault: Option<Fault>, number: u64) -> Self {
        Self { fault, sent: 0, cuts: 0, once: false, waiting: None, late: VecDeque::new(), number, garbage: None }
    }

    /// Sets another fault; what the old one held back is left in `waiting`.
    pub(super) fn set(&mut self, fault: Option<Fault>) {
        let (waiting, late) = (self.waiting.take(), core::mem::take(&mut self.late));
        *self = Self { waiting, late, ..Self::new(fault, self.number) };
    }

    /// Random bytes that contain no prefix of a frame.
    pub(super) fn garbage(&mut self, seed: u64) -> Vec<u8> {
        let fresh = SeededRng::new(seed ^ self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let rng = self.garbage.get_or_insert(fresh);
        let len = 16 + rng.below(185);
        (0..len).map(|_| rng.bits() as u8 | 1).collect()
    }

    /// Whether an answer is to be put back behind the next one. If so, it is kept; otherwise the result is what goes
    /// out, in order.
    pub(super) fn reorder(&mut self, frame: Vec<u8>, now: Instant) -> Vec<Vec<u8>> {
        match self.waiting.take() {
            Some((earlier, _)) => vec![frame, earlier],
            None => {
                self.waiting = Some((frame, now + Fault::HOLD));
                Vec::new()
            }
        }
    }

    /// The held answer, when its time has come or there is nothing any more that holds it.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let Some((frame, _)) =
            self.late.front().is_some_and(|(_, due)| *due <= now).then(|| self.late.pop_front()).flatten()
        {
            return Some(frame);
        }
        let holds = matches!(self.fault, Some(Fault::OutOfOrder | Fault::Unreliable { .. }));
        self.waiting.take_if(|(_, until)| !holds || *until <= now).map(|(frame, _)| frame)
    }

    /// When [`overdue`](Self::overdue) has something.
    pub(super) fn due(&self) -> Option<Instant> {
        let late = self.late.front().map(|(_, due)| *due);
        [self.waiting.as_ref().map(|(_, until)| *until), late].into_iter().flatten().min()
    }

    /// Keeps an answer back if it is late, or another one before it is.
    pub(super) fn delay(&mut self, frame: Vec<u8>, now: Instant) -> Option<Vec<u8>> {
        let due = match self.fault {
            Some(Fault::LateAnswers { ms }) => now + Duration::from_millis(ms),
            _ if self.late.is_empty() => return Some(frame),
            _ => now,
        };
        self.late.push_back((frame, due));
        None
    }

    /// Where to cut a frame of `len` bytes in two.
    pub(super) const fn cut(&mut self, len: usize) -> usize {
        self.cuts += 1;
        if len < 2 { len } else { 1 + (self.cuts - 1) % (len - 1) }
    }
}

/// Whether a frame is an answer whose place matters.
pub(super) fn is_answer(command: CommandCode) -> bool {
    !matches!(command, CommandCode::STATUS | CommandCode::HEART_BEAT) && !command.is_negotiation()
}

/// Between two segments: long enough for a reader that waits to take the first one by itself.
pub(super) const SEGMENT_PAUSE: Duration = Duration::from_micros(50);
/// Between two halves of a frame.
pub(super) const SPLIT_PAUSE: Duration = Duration::from_millis(3);
