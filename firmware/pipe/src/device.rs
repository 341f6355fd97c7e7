//! Device: the complete loop around [`Emulator`], for one controller at a time.

use rustuya_proto::{
    CryptoRng, DpMap, Emulator, EmulatorConfig, EmulatorEvent, EmulatorOutput, Instant, LossReason, Model, PushError,
    RxBuf, TxBuf,
};

use crate::controller::Pipe;

/// Tuya device on one pipe. `N` is the size of both buffers, and so the largest size of a frame.
pub struct Device<const N: usize> {
    emulator: Emulator,
    rx: RxBuf<[u8; N]>,
    tx: TxBuf<[u8; N]>,
}

impl<const N: usize> Device<N> {
    /// Creates a device that waits for its controller.
    #[inline(never)] // keeps its temporaries off the caller's stack frame
    pub fn new(config: EmulatorConfig, now: Instant, rng: &mut dyn CryptoRng) -> Self {
        Self { emulator: Emulator::new(config, now, rng), rx: RxBuf::new([0; N]), tx: TxBuf::new([0; N]) }
    }

    /// Reports DPs that changed at the device. The model must have the new values already.
    ///
    /// # Errors
    /// [`PushError`]; nothing is sent then. Not an error without a controller.
    pub fn push(&mut self, dps: DpMap<'_>, now: Instant, rng: &mut dyn CryptoRng) -> Result<(), PushError> {
        self.emulator.push(None, dps, now, rng, &mut self.tx)
    }

    /// Does all work that is due at `now`. The next poll is due when bytes arrive, or at the returned instant.
    pub fn poll<P: Pipe>(
        &mut self,
        pipe: &mut P,
        rng: &mut dyn CryptoRng,
        model: &mut dyn Model,
        now: Instant,
        mut handle: impl FnMut(EmulatorEvent<'_>),
    ) -> Option<Instant> {
        let until = loop {
            if !P::HAS_CARRIER && self.emulator.begins_new_connection(&self.rx) {
                self.restart(now, rng);
            }
            match self.emulator.poll(now, rng, model, &mut self.rx, &mut self.tx) {
                EmulatorOutput::Event(event) => handle(event),
                EmulatorOutput::Wait { until } => break until,
                EmulatorOutput::Hangup { .. } => {
                    let _ = pipe.write(self.tx.pending());
                    pipe.hang_up();
                    self.restart(now, rng);
                    if P::HAS_CARRIER {
                        self.rx.clear();
                    }
                }
            }
        };
        match self.exchange(pipe) {
            Ok(0) => until,
            Ok(_) => Some(now),
            Err(_) => {
                // The controller has left. Resets the state for the next one.
                pipe.hang_up();
                self.restart(now, rng);
                self.rx.clear();
                until
            }
        }
    }

    fn exchange(&mut self, pipe: &mut impl Pipe) -> Result<usize, LossReason> {
        let sent = pipe.write(self.tx.pending())?;
        self.tx.consume(sent);
        // The receive buffer may be full while an answer waits for room.
        let spare = self.rx.spare_mut();
        let got = if spare.is_empty() { 0 } else { pipe.read(spare)? };
        self.rx.commit(got);
        Ok(sent + got)
    }

    #[inline(never)]
    fn restart(&mut self, now: Instant, rng: &mut dyn CryptoRng) {
        self.emulator = Emulator::new(self.emulator.config().clone(), now, rng);
        self.tx.clear();
    }
}
