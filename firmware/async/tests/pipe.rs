//! Test of the loop of `firmware/pipe` on a pipe that, like a socket, must be closed before it is opened again.

use core::convert::Infallible;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use rustuya_firmware_pipe::controller::{Controller, Pipe};
use rustuya_proto::*;

/// Pipe on which each dial fails in another way.
#[derive(Default)]
struct Picky {
    used: bool,
    dials: u32,
    hang_ups: u32,
}

impl Pipe for Picky {
    const HAS_CARRIER: bool = true;

    fn dial(&mut self, _to: SocketAddr) -> Result<(), LossReason> {
        assert!(!self.used, "dial {} on a pipe that was not closed", self.dials);
        self.used = true;
        self.dials += 1;
        if self.dials.is_multiple_of(2) { Ok(()) } else { Err(LossReason::TimedOut) }
    }

    fn hang_up(&mut self) {
        self.used = false;
        self.hang_ups += 1;
    }

    fn read(&mut self, _into: &mut [u8]) -> Result<usize, LossReason> {
        Err(LossReason::Closed)
    }

    fn write(&mut self, from: &[u8]) -> Result<usize, LossReason> {
        Ok(from.len())
    }
}

struct Zero;

impl TryRng for Zero {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Zero {}

#[test]
fn a_pipe_is_closed_before_it_is_opened_again() {
    let id = DeviceId::new("eb0123456789abcdefghij").unwrap();
    let config = DeviceConfig::new(id, LocalKey::new(*b"0123456789abcdef")).address(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut now = Instant::from_micros(0);
    let mut controller = Controller::<1024>::new(config, now);
    let mut pipe = Picky::default();
    for _ in 0..1000 {
        let until = controller.poll(&mut pipe, &mut Zero, now, |_, _| {});
        now = until.unwrap_or(now).max(now + Duration::from_millis(1));
    }
    assert!(pipe.dials > 10 && pipe.hang_ups >= pipe.dials - 1, "{} dials, {} hang-ups", pipe.dials, pipe.hang_ups);
}
