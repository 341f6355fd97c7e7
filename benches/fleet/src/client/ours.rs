//! This library with its tokio driver.

use core::net::IpAddr;

use anyhow::Result;
use rustuya_proto::{CommandCode, Version};
use rustuya_runtime_tokio::{Device as OurDevice, Event, Listener, Manager, ManagerEvent, Registry, Tokio};

use super::tasks::{Client, Device, Events};
use super::{DIALS, PATIENCE, Seen};
use crate::virtual_device::VirtualDevice;

pub(crate) struct Ours {
    manager: Manager,
    devices: Vec<OurDevice>,
}

impl Client for Ours {
    type Device = OurDevice;
    type Events = Listener<ManagerEvent>;

    fn start(devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self> {
        let registry = Registry::builder(Tokio).dials_at_once(DIALS).without_discovery().build();
        let manager = Manager::new(&registry);
        let add = |device: &VirtualDevice| -> Result<OurDevice> {
            let builder = OurDevice::builder(&device.id, &device.key)?.query_on_connect(false);
            Ok(manager.add_with(builder.address(IpAddr::V4(device.address)).port(port).version(version))?)
        };
        let devices = devices.iter().map(add).collect::<Result<_>>()?;
        Ok(Self { manager, devices })
    }

    fn devices(&self) -> &[OurDevice] {
        &self.devices
    }

    fn listen(&self) -> Listener<ManagerEvent> {
        self.manager.listener()
    }
}

impl Device for OurDevice {
    type Events = Listener;

    const ACKNOWLEDGES: bool = true;

    async fn wait_connected(&self) -> Result<()> {
        self.wait_connected(PATIENCE).await?;
        Ok(())
    }

    fn is_connected(&self) -> bool {
        self.is_connected()
    }

    async fn set(&self, on: bool) -> Result<()> {
        Ok(self.set_value(1, on).await?)
    }

    async fn set_acknowledged(&self, on: bool) -> Result<()> {
        self.set_value(1, on).acknowledged().await?;
        Ok(())
    }

    fn listen(&self) -> Listener {
        self.listener()
    }
}

impl Events for Listener {
    async fn next(&mut self) -> Option<Seen> {
        self.recv().await.map(|event| seen(&event))
    }
}

impl Events for Listener<ManagerEvent> {
    async fn next(&mut self) -> Option<Seen> {
        self.recv().await.map(|told| seen(&told.event))
    }
}

pub(crate) fn seen(event: &Event) -> Seen {
    match event {
        Event::Message(message) if message.command() == CommandCode::STATUS => Seen::Push,
        Event::Lagged(count) => Seen::Lost(*count),
        _ => Seen::Other,
    }
}
