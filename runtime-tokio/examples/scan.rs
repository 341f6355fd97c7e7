//! Lists the devices that announce themselves within 18 seconds, as they are heard.

use core::time::Duration;

use rustuya_runtime_tokio::{Discovery, SightingKind};

const LONG_ENOUGH: Duration = Duration::from_secs(18);

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let discovery = Discovery::builder().start().await?;
    let mut listener = discovery.listener();
    discovery.probe(LONG_ENOUGH);
    let print = async {
        while let Some(found) = listener.recv().await {
            if found.kind == SightingKind::New {
                let version = found.version.map_or("unknown", |version| version.as_str());
                println!("{:<15} {:<22} version {version}", found.ip, found.id);
            }
        }
    };
    // The time limit is the ordinary end.
    let _ = tokio::time::timeout(LONG_ENOUGH, print).await;
    Ok(())
}
