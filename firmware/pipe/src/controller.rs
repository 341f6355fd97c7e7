//! Controller: the complete loop around [`Device`].

use rustuya_proto::{
    Command, CommandId, ConnId, CryptoRng, Device, DeviceConfig, Event, Instant, LossReason, Output, RxBuf, SendError,
    TxBuf,
};

/// Connection of the board: a TCP socket, a modem, or a UART that ends in a TCP connection. No call waits.
pub trait Pipe {
    /// True if the pipe reports the close of its other end. A socket does, a UART does not.
    const HAS_CARRIER: bool;

    /// Opens the pipe; does nothing where it is always open.
    fn dial(&mut self, to: core::net::SocketAddr) -> Result<(), LossReason>;

    /// Closes the pipe, from any state: open, closed only by the other end, or opening. After it, `dial` must be
    /// possible: network stacks refuse it on a socket that was not aborted. Does nothing where the pipe is always open.
    fn hang_up(&mut self);

    /// Reads received bytes into `into`. Returns their number; an error means that the pipe is closed.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, LossReason>;

    /// Sends as many bytes of `from` as it can at once. Returns their number; an error means that the pipe is closed.
    fn write(&mut self, from: &[u8]) -> Result<usize, LossReason>;
}

/// Function that sends a command; lent to the event handler.
pub type Send<'a> = &'a mut dyn FnMut(&Command<'_>) -> Result<CommandId, SendError>;

/// Controller of one Tuya device. `N` is the size of both buffers, and so the largest size of a frame.
pub struct Controller<const N: usize> {
    /// The machine. Between two turns the caller may send commands, pass announcements, reconfigure or close it.
    pub device: Device,
    /// Received bytes that are not processed yet.
    pub rx: RxBuf<[u8; N]>,
    /// Bytes to send.
    pub tx: TxBuf<[u8; N]>,
    open: Option<ConnId>,
}

impl<const N: usize> Controller<N> {
    /// Creates a controller that dials when it is first polled.
    #[inline(never)] // keeps its temporaries off the caller's stack frame
    pub fn new(config: DeviceConfig, now: Instant) -> Self {
        Self { device: Device::new(config, now), rx: RxBuf::new([0; N]), tx: TxBuf::new([0; N]), open: None }
    }

    /// Does all work that is due at `now`. The next poll is due when bytes arrive, or at the returned instant.
    pub fn poll(
        &mut self,
        pipe: &mut impl Pipe,
        rng: &mut dyn CryptoRng,
        now: Instant,
        mut handle: impl FnMut(Event<'_>, Send<'_>),
    ) -> Option<Instant> {
        let until = loop {
            match self.device.poll(now, rng, &mut self.rx, &mut self.tx) {
                Output::Dial { conn, to } => match pipe.dial(to) {
                    Ok(()) => {
                        self.open = Some(conn);
                        self.device.handle_dialed(conn, now);
                    }
                    Err(why) => {
                        pipe.hang_up();
                        self.device.handle_lost(conn, why, now);
                    }
                },
                Output::Hangup { .. } => {
                    self.open = None;
                    pipe.hang_up();
                }
                Output::Event(event) => {
                    handle(event, &mut |command| self.device.send(command, now, rng, &mut self.tx));
                }
                Output::Wait { until } => break until,
            }
        };
        let Some(conn) = self.open else { return until };
        let moved = pipe.write(self.tx.next_write(1024)).and_then(|sent| {
            self.tx.consume(sent);
            let got = pipe.read(self.rx.spare_mut())?;
            self.rx.commit(got);
            Ok(sent + got)
        });
        match moved {
            Ok(0) => until,
            Ok(_) => Some(now),
            Err(why) => {
                self.open = None;
                pipe.hang_up();
                self.device.handle_lost(conn, why, now);
                Some(now)
            }
        }
    }
}
