//! A controller: the complete loop around [`Device`].

use rustuya_proto::{
    Command, CommandId, ConnId, CryptoRng, Device, DeviceConfig, Event, Instant, LossReason, Output, RxBuf, SendError,
    TxBuf,
};

/// What the board brings along: a TCP socket, a modem, or a UART that ends in a TCP connection. Nothing in here waits.
pub trait Pipe {
    /// Whether the pipe tells when its other end closes. A socket does, a UART does not.
    const HAS_CARRIER: bool;

    /// Opens the pipe; does nothing where it is always open.
    fn dial(&mut self, to: core::net::SocketAddr) -> Result<(), LossReason>;

    /// Closes the pipe, whatever state it is in: open, closed by the other end alone, or about to open. After it, `dial`
    /// must be possible: network stacks refuse it on a socket that was not aborted. Does nothing where the pipe is always
    /// open.
    fn hang_up(&mut self);

    /// Moves what has arrived into `into`; the number of bytes. An error means that the pipe is closed.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, LossReason>;

    /// Takes what can be sent at once from `from`; the number of bytes. An error means that the pipe is closed.
    fn write(&mut self, from: &[u8]) -> Result<usize, LossReason>;
}

/// Sends a command; lent to the event handler.
pub type Send<'a> = &'a mut dyn FnMut(&Command<'_>) -> Result<CommandId, SendError>;

/// One Tuya device, as its controller holds it. `N` is the size of both buffers: no larger frame can pass.
pub struct Controller<const N: usize> {
    /// The machine. Between two turns it may send commands, be told of announcements, reconfigured or closed.
    pub device: Device,
    /// Received, not yet taken.
    pub rx: RxBuf<[u8; N]>,
    /// To be sent.
    pub tx: TxBuf<[u8; N]>,
    open: Option<ConnId>,
}

impl<const N: usize> Controller<N> {
    /// A controller that dials in its first turn.
    #[inline(never)] // its temporaries are not to stay on the stack of whoever loops
    pub fn new(config: DeviceConfig, now: Instant) -> Self {
        Self { device: Device::new(config, now), rx: RxBuf::new([0; N]), tx: TxBuf::new([0; N]), open: None }
    }

    /// Does everything that can be done at `now`. The next turn is due when bytes arrive, or at the returned instant.
    pub fn turn(
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
