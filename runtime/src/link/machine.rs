//! The protocol machine of one device, and the tap that records its inputs and outputs.

use core::convert::Infallible;
use core::net::IpAddr;
use core::ops::Deref;

use rustuya_proto::{
    self as proto, CommandId, ConnId, CryptoRng, DeviceConfig, Instant, LossReason, Output, SendError, TryCryptoRng,
    TryRng, Version,
};

use super::pacing::Pacing;
use super::request::Request;
use super::tap::{OwnedTapEvent, SharedTap};
use crate::io::buffers::{Buffers, FRAME};
use crate::io::sources::Drawn;
use crate::tap::{RecordingRng, Tap, TapEvent};

/// Wraps the machine of one device. Every call that changes it passes through here, so that the tap sees all of them.
pub(super) struct Machine {
    device: proto::Device,
    tap: Option<SharedTap>,
    /// Source of randomness, if not the system's.
    pub(super) random: Option<fn(&mut [u8])>,
    /// Set when the machine has worked with keys since the stack was last wiped.
    pub(super) used_keys: bool,
}

impl Deref for Machine {
    type Target = proto::Device;

    fn deref(&self) -> &proto::Device {
        &self.device
    }
}

impl Machine {
    pub(super) fn new(config: &DeviceConfig, tap: Option<SharedTap>, rx: usize, now: Instant) -> Self {
        if let Some(tap) = &tap {
            tap.push(now, OwnedTapEvent::Created { config: config.clone().into(), rx, tx: FRAME });
        }
        Self { device: proto::Device::new(config.clone(), now), tap, random: None, used_keys: true }
    }

    pub(super) const fn tap(&self) -> Option<&SharedTap> {
        self.tap.as_ref()
    }

    pub(super) fn poll<'b>(&mut self, now: Instant, buffers: &'b mut Buffers) -> Output<'b> {
        let Buffers { rx, tx, .. } = buffers;
        self.record(now, TapEvent::Poll);
        self.used_keys = true;
        let output = with_rng(self.random, self.tap.as_ref(), now, |rng| self.device.poll(now, rng, rx, tx));
        match &output {
            Output::Dial { conn, to } => self.record(now, TapEvent::Dial { conn: *conn, to: *to }),
            Output::Hangup { conn } => self.record(now, TapEvent::Hangup { conn: *conn }),
            Output::Event(_) | Output::Wait { .. } => {}
        }
        output
    }

    pub(super) fn send(
        &mut self,
        request: &Request,
        pacing: &Pacing,
        now: Instant,
        buffers: &mut Buffers,
    ) -> Result<CommandId, SendError> {
        self.used_keys = true;
        let command = request.machine_command(pacing);
        if let Some(tap) = &self.tap {
            tap.push(now, OwnedTapEvent::command(request, &command));
        }
        with_rng(self.random, self.tap.as_ref(), now, |rng| self.device.send(&command, now, rng, &mut buffers.tx))
    }

    pub(super) fn handle_dial_delayed(&mut self, conn: ConnId, now: Instant) {
        self.record(now, TapEvent::DialDelayed { conn });
        self.device.handle_dial_delayed(conn, now);
    }

    pub(super) fn handle_dialed(&mut self, conn: ConnId, now: Instant) {
        self.record(now, TapEvent::Dialed { conn });
        self.device.handle_dialed(conn, now);
    }

    pub(super) fn handle_lost(&mut self, conn: ConnId, why: LossReason, now: Instant) {
        self.record(now, TapEvent::Lost { conn, why });
        self.device.handle_lost(conn, why, now);
    }

    pub(super) fn handle_announcement(&mut self, address: IpAddr, version: Option<Version>, now: Instant) {
        self.record(now, TapEvent::Announced { address, version });
        self.device.handle_announcement(address, version, now);
    }

    pub(super) fn handle_relayed(&mut self, now: Instant) {
        self.record(now, TapEvent::Relayed);
        self.device.handle_relayed();
    }

    pub(super) fn connect_now(&mut self, now: Instant) {
        self.record(now, TapEvent::ConnectNow);
        self.device.connect_now(now);
    }

    pub(super) fn reconfigure(&mut self, config: &DeviceConfig, now: Instant) {
        if let Some(tap) = &self.tap {
            tap.push(now, OwnedTapEvent::Reconfigured(config.clone().into()));
        }
        self.used_keys = true;
        self.device.reconfigure(config.clone(), now);
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.record(now, TapEvent::Closed);
        self.device.close();
    }

    /// Records bytes that were written to the socket.
    pub(super) fn record_sent(&self, now: Instant, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.push(now, OwnedTapEvent::Sent(bytes.into()));
        }
    }

    /// Records bytes that were read from the socket.
    pub(super) fn record_received(&self, now: Instant, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.push(now, OwnedTapEvent::Received(bytes.into()));
        }
    }

    fn record(&self, now: Instant, event: TapEvent<'static>) {
        if let Some(tap) = &self.tap {
            tap.push(now, OwnedTapEvent::Plain(event));
        }
    }
}

/// Runs `act` with the random generator, and records what it draws.
fn with_rng<T>(
    random: Option<fn(&mut [u8])>,
    tap: Option<&SharedTap>,
    now: Instant,
    act: impl FnOnce(&mut dyn CryptoRng) -> T,
) -> T {
    let mut drawn;
    let rng: &mut dyn CryptoRng = match random {
        None => &mut Lazy,
        Some(random) => {
            drawn = Drawn(random);
            &mut drawn
        }
    };
    match tap {
        None => act(rng),
        Some(tap) => act(&mut RecordingRng::new(rng, &mut Drawing(tap), now)),
    }
}

/// Generator of the thread, accessed only when bytes are drawn: a thread that is about to end has lost it, and can
/// still answer commands.
struct Lazy;

impl TryRng for Lazy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand::rng().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand::rng().try_next_u64()
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        rand::rng().try_fill_bytes(dst)
    }
}

impl TryCryptoRng for Lazy {}

struct Drawing<'a>(&'a SharedTap);

impl Tap for Drawing<'_> {
    fn on_event(&mut self, at: Instant, event: TapEvent<'_>) {
        // A recording generator reports nothing but drawn bytes.
        if let TapEvent::Drawn(drawn) = event {
            self.0.push(at, OwnedTapEvent::Drawn(drawn.into()));
        }
    }
}
