//! Controller's machine with any driver: valid and stale ids, tiny buffers, calls in any order.

use core::time::Duration;

use rustuya_proto::{Dialect, LossReason, Quirks, Version};

use crate::input::Input;
use crate::machines::{World, device_config, emulator_config};

/// Makes calls in the input's order. The input begins with the kind of the device and the controller's configuration.
///
/// # Panics
/// If the machine breaks an invariant.
pub fn device_ops(data: &[u8]) {
    let mut input = Input::new(data);
    let (device, controller, sizes) = (input.byte(), input.byte(), input.byte());
    let version = Version::ALL[usize::from(device & 7) % Version::ALL.len()];
    let dialect = if device & 8 == 0 { Dialect::Default } else { Dialect::Device22 };
    let mut quirks = Quirks::of(version);
    // Every quirk that takes no number, and none.
    if let Some((name, _)) = Quirks::NAMES.get(usize::from(input.byte()))
        && !name.contains('=')
    {
        quirks.set(name).expect("named by itself");
    }
    let rx = [512, 2048, 160, 64][usize::from(sizes & 3)];
    let tx = [1024, 96, 300, 32][usize::from(sizes >> 2 & 3)];
    let device_tx = [2048, 128, 300, 64][usize::from(sizes >> 4 & 3)];
    let mut world =
        World::new(configured(controller, version), emulator_config(version, dialect, quirks), [rx, tx, device_tx]);
    let mut closed = false;
    for _ in 0..256 {
        if input.is_empty() {
            break;
        }
        closed |= step(&mut world, &mut input);
        world.poll_controller();
        assert!(!closed || (!world.device.is_up() && world.dialing.is_none()), "alive after the end");
    }
    world.finish();
}

fn configured(choice: u8, right: Version) -> rustuya_proto::DeviceConfig {
    let mut config = device_config().persist(choice & 1 == 0).probe_on_failure(choice & 2 == 0);
    config = match choice >> 2 & 3 {
        0 => config.version(right),
        1 => config.version(Version::ALL[usize::from(choice >> 5) % Version::ALL.len()]),
        _ => config,
    };
    if choice & 0x10 != 0 {
        config = config.dialect(if choice & 0x20 == 0 { Dialect::Default } else { Dialect::Device22 });
    }
    if choice & 0xc0 == 0xc0 {
        config.address = None;
    }
    config
}

/// Makes one call. Returns whether the machine is closed.
fn step(world: &mut World, input: &mut Input<'_>) -> bool {
    let (op, choice) = (input.byte(), input.byte());
    let count = usize::from(choice);
    match op % 20 {
        0 => world.accept(),
        1 => world.exchange(usize::MAX),
        2 => world.exchange(1 + count),
        3 | 4 => world.send(input),
        5 => world.write(count),
        6 => world.deliver_to_controller(count * 4),
        7 => world.deliver_to_device(count * 4),
        8 => world.push(choice),
        9 => world.pass(Duration::from_millis(u64::from(choice))),
        10 => world.pass(Duration::from_millis(u64::from(choice) * 500)),
        11 => lost(world, choice, false),
        12 => lost(world, choice, true),
        13 => {
            // Dialed, with an id that may be stale, and without an answer.
            if let Some(conn) = old_or_new(world, choice) {
                if world.dialing == Some(conn) {
                    world.dialing = None;
                }
                world.device.handle_dialed(conn, world.now);
            }
        }
        14 => {
            let version = (choice & 1 == 0).then(|| Version::ALL[count / 2 % Version::ALL.len()]);
            world.device.handle_announcement([127, 0, 0, choice >> 6].into(), version, world.now);
        }
        15 => world.device.connect_now(world.now),
        16 => {
            let version = world.emulated.version;
            world.device.reconfigure(configured(choice, version), world.now);
        }
        17 if choice >= 0xf0 => {
            world.device.close();
            return true;
        }
        17 => world.emulated.version = Version::ALL[count % Version::ALL.len()],
        18 => {
            let garbage = input.take(count);
            if let Some(peer) = &mut world.peer {
                peer.to_controller.extend_from_slice(garbage);
            }
            world.deliver_to_controller(garbage.len());
        }
        _ => {
            let to_device = choice & 1 == 1;
            let sender = if to_device { rustuya_proto::Sender::Controller } else { rustuya_proto::Sender::Device };
            if let Some(peer) = &mut world.peer {
                let frame = peer.tap.forge(sender, input);
                let line = if to_device { &mut peer.to_device } else { &mut peer.to_controller };
                line.extend_from_slice(&frame);
            }
        }
    }
    false
}

/// Reports the end of a connection, possibly of an old one.
fn lost(world: &mut World, choice: u8, stale: bool) {
    let why = [
        LossReason::Refused,
        LossReason::Unreachable,
        LossReason::TimedOut,
        LossReason::Reset,
        LossReason::Closed,
        LossReason::Other,
    ];
    let conn = if stale { old_or_new(world, choice) } else { world.conns.last().copied() };
    let Some(conn) = conn else { return };
    if world.conns.last() == Some(&conn) {
        world.peer = None;
        world.dialing = None;
    }
    world.device.handle_lost(conn, why[usize::from(choice) % why.len()], world.now);
}

fn old_or_new(world: &World, choice: u8) -> Option<rustuya_proto::ConnId> {
    let count = world.conns.len();
    world.conns.get(usize::from(choice) % count.max(1)).copied()
}
