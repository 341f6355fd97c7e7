//! Addresses of flash and RAM on QEMU's boards, for the runtime crates' linker scripts.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let riscv = env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "riscv32");
    let (flash, ram) = if riscv { (0x8000_0000_u32, 0x8008_0000_u32) } else { (0, 0x2000_0000) };
    let mut memory =
        format!("MEMORY {{ FLASH : ORIGIN = {flash}, LENGTH = 512K\n RAM : ORIGIN = {ram}, LENGTH = 16K }}\n");
    if riscv {
        for (region, place) in
            [("TEXT", "FLASH"), ("RODATA", "FLASH"), ("DATA", "RAM"), ("BSS", "RAM"), ("HEAP", "RAM"), ("STACK", "RAM")]
        {
            memory += &format!("REGION_ALIAS(\"REGION_{region}\", {place});\n");
        }
        println!("cargo:rustc-link-arg-bins=-Tmemory.x"); // cortex-m-rt includes it by itself
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("memory.x"), memory)?;
    // Cortex-M: names of interrupt handlers, of which there are none.
    fs::write(out.join("device.x"), "")?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rustc-link-arg-bins=--icf=all");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}
