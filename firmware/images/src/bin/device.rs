//! Device: a dimmable lamp. DP 1 is the switch, DP 2 the brightness from 10 to 1000. It executes commands from the
//! UART, and dims a little by itself at intervals.

#![no_std]
#![no_main]

use core::time::Duration;

use rustuya_firmware_images::board::{self, Uart};
use rustuya_firmware_images::console::{self, Part};
use rustuya_firmware_images::settings::Settings;
use rustuya_firmware_images::{BUFFER, generator, refuse, stack};
use rustuya_firmware_pipe::device::Device;
use rustuya_proto::{DpId, DpMap, DpValue, EmulatorConfig, EmulatorEvent, Model, WriteError};

const SWITCH: DpId = DpId(1);
const BRIGHTNESS: DpId = DpId(2);
const DIMMEST: i64 = 10;
const BRIGHTEST: i64 = 1000;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    stack::paint();
    let mut uart = Uart::new();
    let settings = Settings::read();
    let mut rng = generator(&settings);
    let Some(version) = settings.version else { refuse("no version") };
    let pace = settings.pace.unwrap_or(Duration::from_secs(10));
    let config = EmulatorConfig::new(settings.id, version, settings.key);
    let mut device = Device::<BUFFER>::new(config, board::now(), &mut rng);
    let mut lamp = Lamp { on: false, brightness: BRIGHTEST };
    let mut dims_at = board::now() + pace;
    let mut deepest = 0;
    loop {
        let now = board::now();
        if dims_at <= now {
            dims_at = now + pace;
            lamp.brightness = if lamp.brightness <= DIMMEST { BRIGHTEST } else { lamp.brightness - 10 };
            let change = [(BRIGHTNESS, DpValue::Int(lamp.brightness))];
            let pushed = device.push(DpMap::Pairs(&change), now, &mut rng);
            console::line("dims ", if pushed.is_ok() { "told" } else { "untold" }.into());
        }
        let until = device.poll(&mut uart, &mut rng, &mut lamp, now, tell);
        let used = stack::used();
        if used > deepest {
            deepest = used;
            console::line("stack ", Part::Number(used as i32));
        }
        board::wait(Some(until.map_or(dims_at, |until| until.min(dims_at))));
    }
}

/// State of the device.
struct Lamp {
    on: bool,
    brightness: i64,
}

impl Model for Lamp {
    fn dps(&self, cid: Option<&str>, visit: &mut dyn FnMut(DpId, DpValue<'_>)) -> bool {
        if cid.is_none() {
            visit(SWITCH, DpValue::Bool(self.on));
            visit(BRIGHTNESS, DpValue::Int(self.brightness));
        }
        cid.is_none()
    }

    fn write(&mut self, cid: Option<&str>, dp: DpId, value: DpValue<'_>) -> Result<bool, WriteError> {
        match (cid, dp, value) {
            (None, SWITCH, DpValue::Bool(on)) => Ok(core::mem::replace(&mut self.on, on) != on),
            (None, BRIGHTNESS, DpValue::Int(brightness)) if (DIMMEST..=BRIGHTEST).contains(&brightness) => {
                Ok(core::mem::replace(&mut self.brightness, brightness) != brightness)
            }
            (None, BRIGHTNESS, DpValue::Int(_)) => Err(WriteError::Range),
            (None, SWITCH | BRIGHTNESS, _) => Err(WriteError::Kind),
            _ => Err(WriteError::Unknown),
        }
    }
}

fn tell(event: EmulatorEvent<'_>) {
    match event {
        EmulatorEvent::Negotiated => console::line("negotiated", "".into()),
        EmulatorEvent::Request { command, .. } => console::line("request ", Part::Number(command.0 as i32)),
        EmulatorEvent::Written { dps, .. } => {
            for (dp, _) in dps {
                console::line("written ", Part::Number(dp.0.into()));
            }
        }
        EmulatorEvent::Refused { .. } => console::line("refused", "".into()),
        _ => {}
    }
}
