//! Both ends of a connection: with any bytes, neither panics, stalls or loses a command.

use core::time::Duration;

use rustuya_proto::{Dialect, Quirks, Sender, Version};

use crate::input::Input;
use crate::machines::{Peer, World, device_config, emulator_config};

/// Connects a controller and a device of one version. The first byte selects version and dialect. With an upper half
/// byte of zero, both ends receive the other bytes unchanged; otherwise these control changes of the genuine traffic:
/// bits flipped, bytes lost, inserted, repeated or replayed, frames forged with the right key, commands, pushes and
/// time.
///
/// # Panics
/// If one of the machines breaks an invariant.
pub fn session(data: &[u8]) {
    let mut input = Input::new(data);
    let first = input.byte();
    let version = Version::ALL[usize::from(first & 7) % Version::ALL.len()];
    let dialect = if first & 8 == 0 { Dialect::Default } else { Dialect::Device22 };
    let config = device_config().version(version).probe_on_failure(false);
    let mut world = World::new(config, emulator_config(version, dialect, Quirks::of(version)), [2048, 2048, 2048]);
    world.poll_controller();
    world.accept();
    if first & 0xf0 == 0 {
        raw(&mut world, &mut input);
    } else {
        altered(&mut world, &mut input);
    }
    world.finish();
}

/// Sends raw bytes, which are mostly invalid frames.
fn raw(world: &mut World, input: &mut Input<'_>) {
    let size = 1 + usize::from(input.byte());
    world.send(&mut Input::new(&[0]));
    while !input.is_empty() {
        let chunk = input.take(size);
        let Some(peer) = &mut world.peer else { return };
        peer.to_controller.extend_from_slice(chunk);
        peer.to_device.extend_from_slice(chunk);
        world.deliver_to_controller(size);
        world.deliver_to_device(size);
    }
    world.exchange(usize::MAX);
}

fn altered(world: &mut World, input: &mut Input<'_>) {
    let mut recorded: [Vec<u8>; 2] = Default::default();
    for _ in 0..256 {
        if input.is_empty() {
            break;
        }
        let op = input.byte();
        if let Some(peer) = &world.peer {
            record(peer, &mut recorded);
        }
        match op & 0x1f {
            0 => world.exchange(usize::MAX),
            1 => world.exchange(1 + usize::from(input.byte())),
            2 => world.send(input),
            3 => {
                world.write(usize::MAX);
                world.poll_emulator();
            }
            4 => world.deliver_to_controller(usize::from(input.byte())),
            5 => world.deliver_to_device(usize::from(input.byte())),
            6 => world.push(input.byte()),
            7 => world.pass(Duration::from_millis(u64::from(input.byte()) * 40)),
            8 => world.accept(),
            op => {
                if let Some(peer) = &mut world.peer {
                    alter(peer, op, input, &recorded);
                }
            }
        }
        world.poll_controller();
        if world.dialing.is_some() {
            world.accept();
        }
    }
    world.exchange(usize::MAX);
}

/// Changes the bytes in transit.
pub(crate) fn alter(peer: &mut Peer, op: u8, input: &mut Input<'_>, recorded: &[Vec<u8>; 2]) {
    let to_device = op & 1 == 1;
    if op >= 26 {
        let sender = if to_device { Sender::Controller } else { Sender::Device };
        let frame = peer.tap.forge(sender, input);
        let line = if to_device { &mut peer.to_device } else { &mut peer.to_controller };
        line.extend_from_slice(&frame);
        return;
    }
    let line = if to_device { &mut peer.to_device } else { &mut peer.to_controller };
    let (offset, len) = (input.short(), usize::from(input.byte()));
    let at = offset % (line.len() + 1);
    let end = (at + len).min(line.len());
    match op >> 1 {
        4..6 => {
            if let Some(byte) = line.get_mut(at) {
                *byte ^= 1 << (len % 8);
            }
        }
        6..8 => drop(line.drain(at..end)),
        8..10 => drop(line.splice(at..at, input.take(len).iter().copied())),
        10 => line.extend_from_within(at..end),
        11 => line[at..end].rotate_left((end - at) / 2),
        _ => {
            let tape = &recorded[usize::from(to_device)];
            let from = offset % (tape.len() + 1);
            line.extend_from_slice(&tape[from..(from + 4 * len).min(tape.len())]);
        }
    }
}

/// Records the bytes in transit once, for a later replay.
pub(crate) fn record(peer: &Peer, recorded: &mut [Vec<u8>; 2]) {
    for (tape, line) in recorded.iter_mut().zip([&peer.to_controller, &peer.to_device]) {
        if tape.len() < 4096 && !tape.ends_with(line) {
            tape.extend_from_slice(line);
        }
    }
}
