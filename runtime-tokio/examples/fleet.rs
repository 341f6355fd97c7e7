//! Keeps every device of a tinytuya `devices.json` connected and shows what happens: `fleet DEVICES_JSON`.

use core::error::Error;
use std::env;

use rustuya_runtime_tokio::{DevicesFile, Event, Manager, Registry, Tokio};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: fleet DEVICES_JSON")?;
    let manager = Manager::new(&Registry::new(Tokio));
    let mut events = manager.listener();
    for listed in DevicesFile::read(&path)?.devices().filter(|listed| !listed.is_sub_device()) {
        manager.add_with(listed.builder()?)?;
    }
    while let Some(news) = events.recv().await {
        match news.event {
            Event::Up { version } => println!("{}: connected, version {version}", news.device_id),
            Event::Down { reason, .. } => println!("{}: {reason}: {}", news.device_id, reason.advice()),
            Event::Message(message) => println!("{}: {}", news.device_id, message.text()),
            Event::Lagged(lost) => println!("too slow: {lost} events lost"),
            _ => {}
        }
    }
    Ok(())
}
