//! QEMU's mps2-an386: a Cortex-M4F at 25 MHz with CMSDK peripherals (Arm application note 386).
#![expect(unsafe_code, reason = "peripherals are memory")]

use core::cell::Cell;

use rustuya_proto::Instant;

const UART_DATA: usize = 0x4000_4000;
const UART_STATE: usize = 0x4000_4004;
const UART_CTRL: usize = 0x4000_4008;
const UART_BAUDDIV: usize = 0x4000_4010;
const TX_FULL: u32 = 1;
const RX_FULL: u32 = 2;

const TIMER_CTRL: usize = 0x4000_0000;
const TIMER_VALUE: usize = 0x4000_0004;
const TIMER_RELOAD: usize = 0x4000_0008;
const MHZ: u32 = 25;

const SYST_CSR: usize = 0xe000_e010;
const SYST_RVR: usize = 0xe000_e014;
const ICSR: usize = 0xe000_ed04;
const CLEAR_SYST: u32 = 1 << 25;

/// Vectors of the peripherals' interrupts. None is ever enabled, so the table ends early.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [usize; 1] = [0];

fn load(register: usize) -> u32 {
    // SAFETY: only called with the addresses above, which are readable registers of this board.
    unsafe { (register as *const u32).read_volatile() }
}

fn store(register: usize, value: u32) {
    // SAFETY: only called with the addresses above, which are writable registers of this board.
    unsafe { (register as *mut u32).write_volatile(value) }
}

pub(super) fn start() {
    store(UART_BAUDDIV, 16);
    store(UART_CTRL, 3);
    store(TIMER_RELOAD, u32::MAX);
    store(TIMER_VALUE, u32::MAX);
    store(TIMER_CTRL, 1);
    // The tick ends a `wfi`, although it is masked and no handler runs.
    // SAFETY: masking interrupts is always allowed here.
    unsafe { core::arch::asm!("cpsid i") };
    store(SYST_RVR, 25_000 - 1);
    store(SYST_CSR, 7);
}

pub(super) fn receive() -> Option<u8> {
    (load(UART_STATE) & RX_FULL != 0).then(|| load(UART_DATA) as u8)
}

pub(super) fn send(byte: u8) -> Option<()> {
    (load(UART_STATE) & TX_FULL == 0).then(|| store(UART_DATA, u32::from(byte)))
}

pub(super) fn sleep() {
    store(ICSR, CLEAR_SYST);
    // SAFETY: waits for the tick; touches no memory.
    unsafe { core::arch::asm!("wfi") };
}

/// Returns the time since the start. Must be called more often than every 171 seconds, when the 32-bit counter wraps.
pub(super) fn now() -> Instant {
    /// Counter value of the last call, at a whole microsecond, and the microseconds until then.
    struct Clock(Cell<(u32, u64)>);
    // SAFETY: one core, and no interrupt handler ever runs.
    unsafe impl Sync for Clock {}
    static LAST: Clock = Clock(Cell::new((0, 0)));
    let (seen, micros) = LAST.0.get();
    let passed = (u32::MAX - load(TIMER_VALUE)).wrapping_sub(seen) / MHZ;
    let micros = micros + u64::from(passed);
    LAST.0.set((seen.wrapping_add(passed * MHZ), micros));
    Instant::from_micros(micros)
}
