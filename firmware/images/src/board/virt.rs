//! QEMU's virt board with an RV32IMC core, the instruction set of the ESP32-C3 family: a 16550 UART and the core-local
//! timer of 10 MHz.
#![expect(unsafe_code, reason = "peripherals are memory")]

use rustuya_proto::Instant;

const UART_DATA: usize = 0x1000_0000;
const UART_FIFO: usize = 0x1000_0002;
const UART_STATE: usize = 0x1000_0005;
const RX_READY: u8 = 1;
const TX_READY: u8 = 0x20;

const MTIMECMP: usize = 0x0200_4000;
const MTIME: usize = 0x0200_bff8;
const MHZ: u64 = 10;

fn load<T>(register: usize) -> T {
    // SAFETY: only called with the addresses above, which are readable registers of this width.
    unsafe { (register as *const T).read_volatile() }
}

fn store<T>(register: usize, value: T) {
    // SAFETY: only called with the addresses above, which are writable registers of this width.
    unsafe { (register as *mut T).write_volatile(value) }
}

pub(super) fn start() {
    store(UART_FIFO, 1_u8);
    // The timer ends a `wfi`, although interrupts are off as a whole and no handler runs.
    // SAFETY: enables the machine timer interrupt alone.
    unsafe { core::arch::asm!("csrs mie, {}", in(reg) 1 << 7) };
}

pub(super) fn receive() -> Option<u8> {
    (load::<u8>(UART_STATE) & RX_READY != 0).then(|| load(UART_DATA))
}

pub(super) fn send(byte: u8) -> Option<()> {
    (load::<u8>(UART_STATE) & TX_READY != 0).then(|| store(UART_DATA, byte))
}

pub(super) fn sleep() {
    let due = ticks() + 1_000 * MHZ;
    // In this order the timer never has a past instant in between.
    store(MTIMECMP + 4, u32::MAX);
    store(MTIMECMP, due as u32);
    store(MTIMECMP + 4, (due >> 32) as u32);
    // SAFETY: waits for the timer; touches no memory.
    unsafe { core::arch::asm!("wfi") };
}

fn ticks() -> u64 {
    loop {
        let high: u32 = load(MTIME + 4);
        let low: u32 = load(MTIME);
        if load::<u32>(MTIME + 4) == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

pub(super) fn now() -> Instant {
    Instant::from_micros(ticks() / MHZ)
}
