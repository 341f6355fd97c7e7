//! Lists the devices that announce themselves within 18 seconds, as the announcements arrive.

use rustuya_runtime_blocking::{PollThread, Scanner, SightingKind};

fn main() -> std::io::Result<()> {
    for found in Scanner::new(PollThread::start()?).stream()? {
        if found.kind == SightingKind::New {
            let version = found.version.map_or("unknown", |version| version.as_str());
            println!("{:<15} {:<22} version {version}", found.ip, found.id);
        }
    }
    Ok(())
}
