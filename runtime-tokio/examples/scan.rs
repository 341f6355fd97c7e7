//! Lists the devices that announce themselves within 18 seconds, as they are heard.

use rustuya_runtime_tokio::{Scanner, SightingKind, Tokio};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut scan = Scanner::new(Tokio).stream()?;
    while let Some(found) = scan.recv().await {
        if found.kind == SightingKind::New {
            let version = found.version.map_or("unknown", |version| version.as_str());
            println!("{:<15} {:<22} version {version}", found.ip, found.id);
        }
    }
    Ok(())
}
