//! The crate `rustuya` 0.4 with its tokio driver.

use anyhow::{Result, bail};
use rustuya::tokio::{
    ConnectLimiter, Device as PeerDevice, Event, Listener, Message, MultiListener, Version as PeerVersion,
};
use rustuya_proto::{CommandCode, Version};

use super::tasks::{Client, Device, Events};
use super::{DIALS, PATIENCE, Seen};
use crate::virtual_device::VirtualDevice;

pub(crate) struct Peer {
    devices: Vec<PeerDevice>,
}

impl Client for Peer {
    type Device = PeerDevice;
    type Events = MultiListener;

    fn start(devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self> {
        let version = match version {
            Version::V33 => PeerVersion::V3_3,
            Version::V34 => PeerVersion::V3_4,
            Version::V35 => PeerVersion::V3_5,
            other => bail!("{other} is not measured"),
        };
        let limiter = ConnectLimiter::new(DIALS);
        let start = |device: &VirtualDevice| {
            PeerDevice::builder(device.id.clone(), device.key.clone())
                .address(device.address.to_string())
                .port(port)
                .version(version)
                .connect_limiter(&limiter)
                .connect()
        };
        Ok(Self { devices: devices.iter().map(start).collect::<Result<_, _>>()? })
    }

    fn devices(&self) -> &[PeerDevice] {
        &self.devices
    }

    fn listen(&self) -> MultiListener {
        let mut listener = MultiListener::new();
        for device in &self.devices {
            listener.add(device);
        }
        listener
    }
}

impl Device for PeerDevice {
    type Events = Listener;

    const ACKNOWLEDGES: bool = false;

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

    async fn set_acknowledged(&self, _: bool) -> Result<()> {
        bail!("a command is sent and forgotten")
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

impl Events for MultiListener {
    async fn next(&mut self) -> Option<Seen> {
        self.recv().await.map(|(_, event)| seen(&event))
    }
}

const fn seen(event: &Event) -> Seen {
    match event {
        Event::Frame(Message { cmd, .. }) if *cmd == CommandCode::STATUS.0 => Seen::Push,
        Event::Frame(_) => Seen::Other,
        Event::Lagged(count) => Seen::Lost(*count),
    }
}
