//! Firmware images on emulated boards: runs them with peers under QEMU, and makes the table of their sizes. Runs on the
//! host; `cargo xtask firmware` builds the images and calls it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};

mod chip;
mod image;
mod peers;
mod qemu;
pub mod table;

pub use chip::Chip;
pub use image::{Image, Role};
pub use peers::Stage;
use table::Row;

/// Runs every image of the folder with its peers. Returns the rows of the table, and the number of runs.
///
/// # Errors
/// The first failed run; an image that cannot be read, or reports no stack.
pub fn run(stage: &Stage, folder: &Path) -> Result<(Vec<Row>, usize)> {
    let images = Image::all();
    let jobs: Vec<peers::Job> = images.iter().flat_map(|image| peers::Job::all_of(*image, folder)).collect();
    let depths = peers::run_all(stage, &jobs)?;
    let mut stacks: BTreeMap<&Image, u32> = BTreeMap::new();
    for (job, depth) in jobs.iter().zip(&depths) {
        let deepest = stacks.entry(&job.image).or_default();
        *deepest = (*deepest).max(*depth);
    }
    let mut rows = Vec::new();
    for image in images.iter().filter(|image| image.is_measured()) {
        let stack = stacks.get(image).copied().filter(|stack| *stack > 0);
        let stack = stack.with_context(|| format!("{image} reported no stack"))?;
        rows.push(Row { image: *image, sizes: image.sizes(folder)?, stack });
    }
    Ok((rows, jobs.len()))
}
