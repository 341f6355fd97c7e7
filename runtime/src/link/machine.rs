//! The machine and whoever records what passes between it and this crate.

use core::convert::Infallible;
use core::net::IpAddr;
use core::ops::Deref;

use rustuya_proto::{
    self as proto, CommandId, ConnId, CryptoRng, DeviceConfig, Instant, LossReason, Output, SendError, TryCryptoRng,
    TryRng, Version,
};

use super::request::Request;
use super::tap::{Kept, SharedTap};
use crate::buffers::{Buffers, FRAME};
use crate::pacing::Pacing;
use crate::sources::Drawn;
use crate::tap::{Note, RecordingRng, Tap};

/// The machine of one device. Every call that changes it passes through here.
pub(super) struct Machine {
    device: proto::Device,
    tap: Option<SharedTap>,
    /// Where randomness comes from, if not from the system.
    pub(super) random: Option<fn(&mut [u8])>,
    /// It has worked with its keys since the stack was last wiped.
    pub(super) keyed: bool,
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
            tap.keep(now, Kept::Created { config: config.clone().into(), rx, tx: FRAME });
        }
        Self { device: proto::Device::new(config.clone(), now), tap, random: None, keyed: true }
    }

    pub(super) const fn tap(&self) -> Option<&SharedTap> {
        self.tap.as_ref()
    }

    pub(super) fn poll<'b>(&mut self, now: Instant, buffers: &'b mut Buffers) -> Output<'b> {
        let Buffers { rx, tx, .. } = buffers;
        self.note(now, Note::Poll);
        self.keyed = true;
        let output = with_rng(self.random, self.tap.as_ref(), now, |rng| self.device.poll(now, rng, rx, tx));
        match &output {
            Output::Dial { conn, to } => self.note(now, Note::Dial { conn: *conn, to: *to }),
            Output::Hangup { conn } => self.note(now, Note::Hangup { conn: *conn }),
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
        self.keyed = true;
        let command = request.machine_command(pacing);
        if let Some(tap) = &self.tap {
            tap.keep(now, Kept::command(request, &command));
        }
        with_rng(self.random, self.tap.as_ref(), now, |rng| self.device.send(&command, now, rng, &mut buffers.tx))
    }

    pub(super) fn handle_held(&mut self, conn: ConnId, now: Instant) {
        self.note(now, Note::Held { conn });
        self.device.handle_held(conn, now);
    }

    pub(super) fn handle_dialed(&mut self, conn: ConnId, now: Instant) {
        self.note(now, Note::Dialed { conn });
        self.device.handle_dialed(conn, now);
    }

    pub(super) fn handle_lost(&mut self, conn: ConnId, why: LossReason, now: Instant) {
        self.note(now, Note::Lost { conn, why });
        self.device.handle_lost(conn, why, now);
    }

    pub(super) fn handle_announcement(&mut self, address: IpAddr, version: Option<Version>, now: Instant) {
        self.note(now, Note::Announced { address, version });
        self.device.handle_announcement(address, version, now);
    }

    pub(super) fn handle_relayed(&mut self, now: Instant) {
        self.note(now, Note::Relayed);
        self.device.handle_relayed();
    }

    pub(super) fn connect_now(&mut self, now: Instant) {
        self.note(now, Note::ConnectNow);
        self.device.connect_now(now);
    }

    pub(super) fn reconfigure(&mut self, config: &DeviceConfig, now: Instant) {
        if let Some(tap) = &self.tap {
            tap.keep(now, Kept::Reconfigured(config.clone().into()));
        }
        self.keyed = true;
        self.device.reconfigure(config.clone(), now);
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.note(now, Note::Closed);
        self.device.close();
    }

    /// Bytes were written to the socket.
    pub(super) fn note_sent(&self, now: Instant, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.keep(now, Kept::Sent(bytes.into()));
        }
    }

    /// Bytes were read from the socket.
    pub(super) fn note_received(&self, now: Instant, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.keep(now, Kept::Received(bytes.into()));
        }
    }

    fn note(&self, now: Instant, what: Note<'static>) {
        if let Some(tap) = &self.tap {
            tap.keep(now, Kept::Plain(what));
        }
    }
}

/// Does something with the generator; what it draws is noted.
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

/// The thread's generator, asked for only when something is drawn: in a thread that is about to end it is gone, and
/// commands can be answered all the same.
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
    fn note(&mut self, at: Instant, what: Note<'_>) {
        // A generator that is recorded notes nothing but what was drawn.
        if let Note::Drawn(drawn) = what {
            self.0.keep(at, Kept::Drawn(drawn.into()));
        }
    }
}
