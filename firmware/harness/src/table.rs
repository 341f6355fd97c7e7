//! Table of sizes: printed, checked against limits, and compared with the documentation.

use core::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::chip::Chip;
use crate::image::{Image, Role, Sizes};

/// Path of the document with the table, in the repository.
pub const DOCUMENT: &str = "docs/firmware.md";
const BEGIN: &str = "<!-- sizes: written by cargo xtask firmware --write -->\n";
const END: &str = "<!-- end of sizes -->\n";
/// Tolerance of the document's numbers, in per cent and at least in bytes: the packaged compiler is updated from time
/// to time.
const TOLERANCE: (u32, u32) = (2, 96);

/// Sizes of one image.
#[derive(Debug)]
pub struct Row {
    pub(crate) image: Image,
    pub(crate) sizes: Sizes,
    /// Deepest stack in any run.
    pub(crate) stack: u32,
}

impl Row {
    const fn ram(&self) -> u32 {
        self.sizes.statics + self.stack
    }

    fn labels(&self) -> [&'static str; 3] {
        [self.image.name(), self.image.chip.target(), if self.image.compact { "compact" } else { "default" }]
    }

    const fn numbers(&self) -> [u32; 6] {
        let Sizes { text, rodata, statics, flash } = self.sizes;
        [text, rodata, statics, self.stack, flash, self.ram()]
    }
}

/// Formats the table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = "| image | target | ciphers | text | rodata | static RAM | stack | flash in all | RAM in all |\n\
                    |---|---|---|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for row in rows {
        let numbers = row.numbers().map(|number| number.to_string());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} | {} |", row.labels().join(" | "), numbers.join(" | "));
    }
    text
}

/// Flash limit of images of 3.5 alone. The target is 40 KiB; the document explains by how much it is missed.
const FLASH_35: u32 = 44 * 1024;

/// Checks the limits of the images on a Cortex-M, with the compact ciphers.
///
/// # Errors
/// If an image exceeds its limit.
pub fn check_limits(rows: &[Row]) -> Result<()> {
    for row in rows.iter().filter(|row| row.image.chip == Chip::Thumb && row.image.compact) {
        let flash = match (row.image.role, row.image.all_versions) {
            (Role::Controller, true) => 64 * 1024,
            (Role::Controller | Role::Device, false) => FLASH_35,
            (Role::Device, true) => continue,
        };
        if row.sizes.flash > flash || row.ram() > 8 * 1024 {
            bail!(
                "{} takes {} bytes of flash and {} of RAM; the limits are {flash} and 8192",
                row.image,
                row.sizes.flash,
                row.ram()
            );
        }
    }
    Ok(())
}

/// Compares the document with the table.
///
/// # Errors
/// The rows that differ.
pub fn compare(root: &Path, rows: &[Row]) -> Result<()> {
    let text = fs::read_to_string(root.join(DOCUMENT)).context(DOCUMENT)?;
    let (_, table, _) = split(&text)?;
    let wrong = differences(table, rows);
    if !wrong.is_empty() {
        bail!("{DOCUMENT} is out of date; run `cargo xtask firmware --write`:\n{}", wrong.join("\n"));
    }
    Ok(())
}

/// Puts the table into the document.
///
/// # Errors
/// If the document cannot be written, or has no place for the table.
pub fn write(root: &Path, rows: &[Row]) -> Result<()> {
    let path = root.join(DOCUMENT);
    let text = fs::read_to_string(&path).context(DOCUMENT)?;
    let (before, _, after) = split(&text)?;
    Ok(fs::write(path, format!("{before}{BEGIN}\n{}\n{END}{after}", markdown(rows)))?)
}

fn split(text: &str) -> Result<(&str, &str, &str)> {
    let marks = "the marks around the table of sizes are missing";
    let (before, rest) = text.split_once(BEGIN).context(marks)?;
    let (table, after) = rest.split_once(END).context(marks)?;
    Ok((before, table, after))
}

/// Returns the rows that the document's table lacks, or has with other numbers.
fn differences(table: &str, rows: &[Row]) -> Vec<String> {
    let known: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let mut wrong = Vec::new();
    for row in rows {
        let labels = row.labels();
        let Some(cells) = known.iter().find(|cells| cells.get(..3) == Some(&labels)) else {
            wrong.push(format!("{}: missing", labels.join(", ")));
            continue;
        };
        let stated: Vec<Option<u32>> = cells.iter().skip(3).map(|cell| cell.parse().ok()).collect();
        let fits = stated.len() == row.numbers().len()
            && stated
                .iter()
                .zip(row.numbers())
                .all(|(stated, measured)| stated.is_some_and(|stated| close(stated, measured)));
        if !fits {
            wrong.push(format!("{}: {:?}", labels.join(", "), row.numbers()));
        }
    }
    wrong
}

fn close(stated: u32, measured: u32) -> bool {
    let (percent, bytes) = TOLERANCE;
    stated.abs_diff(measured) <= (measured / 100 * percent).max(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Chip, Image, Role, Row, Sizes, check_limits, differences, markdown, split};

    fn row(flash: u32, stack: u32) -> Row {
        let image = Image { chip: Chip::Thumb, role: Role::Controller, all_versions: false, compact: true };
        Row { image, sizes: Sizes { text: flash - 1000, rodata: 1000, statics: 8, flash }, stack }
    }

    #[test]
    fn a_table_agrees_with_itself_and_not_with_another() {
        let table = markdown(&[row(40_000, 7_000)]);
        assert_eq!(differences(&table, &[row(40_000, 7_000)]), Vec::<String>::new());
        assert_eq!(differences(&table, &[row(40_500, 7_100)]), Vec::<String>::new());
        assert_eq!(differences(&table, &[row(41_500, 7_000)]).len(), 1);
        assert_eq!(differences(&table, &[row(40_000, 7_300)]).len(), 1);
        assert_eq!(differences("", &[row(40_000, 7_000)]).len(), 1);
    }

    #[test]
    fn limits_hold() {
        assert!(check_limits(&[row(45_056, 8_184)]).is_ok());
        assert!(check_limits(&[row(45_057, 7_000)]).is_err());
        assert!(check_limits(&[row(40_000, 8_185)]).is_err());
    }

    #[test]
    fn the_marks_are_needed() {
        assert!(split("no marks").is_err());
        let text = format!("a\n{}x\n{}b\n", super::BEGIN, super::END);
        assert_eq!(split(&text).unwrap(), ("a\n", "x\n", "b\n"));
    }
}
