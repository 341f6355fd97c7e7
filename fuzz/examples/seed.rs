//! `cargo run -p rustuya-fuzz --example seed` writes the seeds of every corpus to `fuzz/corpus/<target>/`. Other files
//! there, such as the inputs of fixed bugs, are kept.

use core::error::Error;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for seed in rustuya_fuzz::seeds() {
        let folder = corpus.join(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(seed.name), seed.bytes)?;
    }
    Ok(())
}
