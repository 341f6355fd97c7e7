//! Controller: queries the state of the device at the other end of the UART, toggles its switch, prints its reports,
//! and keeps the connection.

#![no_std]
#![no_main]

use core::net::{IpAddr, Ipv4Addr};

use rustuya_firmware_images::board::{self, Uart};
use rustuya_firmware_images::console::{self, Part};
use rustuya_firmware_images::settings::Settings;
use rustuya_firmware_images::{BUFFER, generator, stack};
use rustuya_firmware_pipe::controller::{Controller, Send};
use rustuya_proto::{Command, CommandId, DeviceConfig, DpId, DpMap, DpValue, Event, Outcome, Timing};

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    stack::paint();
    let mut uart = Uart::new();
    let settings = Settings::read();
    let mut rng = generator(&settings);
    let mut controller = Controller::<BUFFER>::new(config(settings), board::now());
    let mut app = App::default();
    let mut deepest = 0;
    loop {
        let until = controller.poll(&mut uart, &mut rng, board::now(), |event, send| app.handle(event, send));
        let used = stack::used();
        if used > deepest {
            deepest = used;
            console::line("stack ", Part::Number(used as i32));
        }
        board::wait(until);
    }
}

fn config(settings: Settings) -> DeviceConfig {
    // The machine needs an address to dial; a pipe that is always open ignores it.
    let mut config = DeviceConfig::new(settings.id, settings.key).address(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    config.version = settings.version;
    if let Some(pace) = settings.pace {
        let mut timing = Timing::DEFAULT;
        (timing.heartbeat, timing.answer, timing.negotiate) = (pace, pace, pace);
        (timing.backoff_min, timing.backoff_max) = (pace, pace + pace);
        config.timing = timing;
    }
    config
}

/// Application of the firmware.
#[derive(Default)]
struct App {
    /// Query whose answer tells the value of the switch.
    query: Option<CommandId>,
}

impl App {
    fn handle(&mut self, event: Event<'_>, send: Send<'_>) {
        let dps = event.message().and_then(|message| message.payload.report()?.dps);
        for (dp, value) in dps.into_iter().flatten() {
            print(dp, value);
        }
        match event {
            Event::Up { version } => {
                console::line("up ", version.as_str().into());
                self.query = send(&Command::status()).ok();
            }
            Event::Down { reason, .. } => {
                console::line("down ", if reason.is_auth() { "key or version" } else { "connection" }.into());
            }
            Event::Resolved { id, outcome, .. } => {
                console::line("resolved ", outcome_name(outcome).into());
                if self.query == Some(id) && outcome == Outcome::Unanswered {
                    // Up to 3.3 only an answer proves that the device is connected.
                    self.query = send(&Command::status()).ok();
                }
                let switch = dps.and_then(|dps| dps.value(DpId(1))?.as_bool());
                if let Some(on) = switch.filter(|_| self.query == Some(id)) {
                    let sent = send(&Command::set(DpMap::Pairs(&[(DpId(1), DpValue::Bool(!on))])));
                    console::line("set ", if sent.is_ok() { "sent" } else { "refused" }.into());
                }
            }
            _ => {}
        }
    }
}

fn print(dp: DpId, value: DpValue<'_>) {
    let value = match value {
        DpValue::Bool(true) => "true".into(),
        DpValue::Bool(false) => "false".into(),
        DpValue::Int(number) => Part::Number(i32::try_from(number).unwrap_or(i32::MAX)),
        DpValue::Str(text) => text.as_str().unwrap_or("(text)").into(),
        DpValue::Float(number) => number.as_str().into(),
        DpValue::Json(text) => text.as_str().unwrap_or("(json)").into(),
        DpValue::Null => "null".into(),
    };
    console::line("dp ", Part::Number(dp.0.into()));
    console::line("value ", value);
}

const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Acknowledged { .. } => "acknowledged",
        Outcome::Rejected { .. } => "rejected",
        Outcome::Unanswered => "unanswered",
        _ => "lost",
    }
}
