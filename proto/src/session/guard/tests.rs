//! Numbers that a device's frames may have.

use super::*;
use crate::wire::command::RetCode;

const ACK: CommandCode = CommandCode::CONTROL_NEW;
const PUSH: CommandCode = CommandCode::STATUS;
const BEAT: CommandCode = CommandCode::HEART_BEAT;

/// Connection of 3.4, whose frames differ in their footers by default.
struct Connection {
    guard: Guard,
    frames: u32,
}

fn opened(command: CommandCode, seqno: u32, retcode: Option<RetCode>) -> Opened {
    Opened { seqno, command, retcode, header: None, encrypted: true, payload: 0..0 }
}

impl Connection {
    /// Creates a connection whose device has answered our first message with this number.
    fn new(resp: u32) -> Self {
        let mut guard = Guard::default();
        guard.begin(&opened(CommandCode::SESS_KEY_NEG_RESP, resp, Some(RetCode::OK)), 1);
        Self { guard, frames: 0 }
    }

    /// Returns the last bytes of a frame.
    fn footer(number: u32) -> [u8; 8] {
        ((u64::from(number) + 1) << 40).to_be_bytes()
    }

    /// Returns whether a frame with this command and number is accepted.
    fn takes(&mut self, command: CommandCode, seqno: u32) -> bool {
        self.frames += 1;
        self.check(Version::V34, self.frames, &opened(command, seqno, Some(RetCode::OK)), false).is_none()
    }

    fn check(&mut self, version: Version, frame: u32, opened: &Opened, early: bool) -> Option<Repeated> {
        self.guard.check(version, &Self::footer(frame), opened, 1000, early)
    }
}

#[test]
fn sequence_numbers_of_a_counting_device_increase() {
    for first in [7, 0xfd39, u32::MAX - 3] {
        let mut h = Connection::new(first);
        let mut number = first;
        for command in [ACK, PUSH, BEAT, PUSH, ACK, PUSH, BEAT, ACK] {
            number = number.wrapping_add(1);
            assert!(h.takes(command, number), "{number}");
            assert!(!h.takes(command, number), "{number} again");
        }
        for back in 2..9 {
            assert!(!h.takes(PUSH, number.wrapping_sub(back)), "{back} back");
        }
        assert!(h.takes(PUSH, number.wrapping_add(100)), "others have been told something");
    }
}

#[test]
fn counters_wrap() {
    for last in [0xffff, u32::MAX] {
        let mut h = Connection::new(last - 2);
        assert!(h.takes(PUSH, last - 1));
        assert!(h.takes(PUSH, last));
        assert!(h.takes(PUSH, 0));
        assert!(!h.takes(PUSH, last), "before the wrap");
        assert!(h.takes(PUSH, 1));
        assert!(!h.takes(PUSH, 0));
    }
}

#[test]
fn answers_may_overtake_each_other_once() {
    let mut h = Connection::new(50);
    for (number, taken) in [(51, true), (54, true), (53, true), (53, false), (52, true), (51, false), (50, false)] {
        assert_eq!(h.takes(ACK, number), taken, "{number}");
    }
    // Pushes may not: the older state would remain.
    for (number, taken) in [(55, true), (58, true), (57, false)] {
        assert_eq!(h.takes(PUSH, number), taken, "{number}");
    }
}

#[test]
fn frames_of_devices_that_do_not_count_are_believed() {
    // Without numbers.
    let mut h = Connection::new(0);
    for command in [ACK, PUSH, BEAT, PUSH, ACK, ACK] {
        assert!(h.takes(command, 0));
    }
    // With our numbers in answers, in any order, several times, and none in pushes.
    let mut h = Connection::new(1);
    for (command, number) in [(BEAT, 3), (ACK, 5), (PUSH, 0), (ACK, 4), (ACK, 4), (PUSH, 0), (BEAT, 3)] {
        assert!(h.takes(command, number), "{number}");
    }
    assert!(h.guard.may_echo());
    // With our numbers in answers, except in the negotiation.
    let mut h = Connection::new(0xfd39);
    for number in [3, 5, 4, 4] {
        assert!(h.takes(ACK, number), "{number}");
    }
    // With a counter for each kind.
    let mut h = Connection::new(100);
    for (command, number) in [(PUSH, 900), (ACK, 101), (PUSH, 901), (BEAT, 7), (ACK, 102), (BEAT, 8)] {
        assert!(h.takes(command, number), "{number}");
    }
    assert!(!h.takes(PUSH, 900), "it counts, too");
    // One number for an acknowledgement and its push.
    let mut h = Connection::new(100);
    for number in 101..104 {
        assert!(h.takes(ACK, number) && h.takes(PUSH, number), "{number}");
    }
}

#[test]
fn equal_frames_are_one_frame_where_they_cannot_be_two() {
    let retcode = Some(RetCode::OK);
    for (version, resp, seqno, second) in [
        // No two frames of 3.5 are equal, whatever their number.
        (Version::V35, 0, 0, Some(Repeated::Replayed)),
        (Version::V35, 1, 4, Some(Repeated::Replayed)),
        (Version::V34, 1, 4, Some(Repeated::Replayed)),
        // Up to 3.4, two pushes without numbers may be equal.
        (Version::V34, 0, 0, None),
        (Version::V33, 0, 0, None),
        (Version::V31, 0, 0, None),
    ] {
        let mut h = Connection::new(resp);
        assert_eq!(h.check(version, 1, &opened(ACK, seqno, retcode), false), None);
        assert_eq!(h.check(version, 1, &opened(ACK, seqno, retcode), false), second, "{version}, {seqno}");
        assert_eq!(h.check(version, 2, &opened(ACK, seqno, retcode), false), None, "{version}, {seqno}: another");
    }
}

#[test]
fn our_own_frames_are_known_again() {
    for version in Version::ALL {
        let mut h = Connection::new(0xfd39);
        for frame in 0..FINGERPRINTS as u32 {
            h.guard.remember_own(&Connection::footer(frame));
        }
        for frame in 0..FINGERPRINTS as u32 {
            let ours = opened(ACK, 900 + frame, None);
            assert_eq!(h.check(version, frame, &ours, false), Some(Repeated::Reflected), "{version}");
        }
        // An old one: controllers send no return code, and this device does.
        let old = h.check(version, 99, &opened(ACK, 40, None), false);
        assert_eq!(old, version.negotiates().then_some(Repeated::Reflected), "{version}");
    }
}

#[test]
fn frames_under_the_local_key_must_have_the_next_number() {
    let retcode = Some(RetCode::OK);
    let mut guard = Guard::default();
    let early = guard.check(Version::V35, &Connection::footer(1), &opened(PUSH, 1, retcode), 2, true);
    assert_eq!(early, Some(Repeated::Replayed), "before the negotiation has shown anything");
    let mut h = Connection::new(50);
    for (frame, (seqno, taken)) in
        [(0, false), (50, false), (52, false), (51, true), (51, false), (52, true)].iter().enumerate()
    {
        let why = h.check(Version::V35, frame as u32, &opened(PUSH, *seqno, retcode), true);
        assert_eq!(why.is_none(), *taken, "{seqno}");
    }
}
