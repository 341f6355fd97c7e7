//! Models of threads: loom runs each in every order in which its threads can meet.

use anyhow::{Result, ensure};

use crate::context::Context;
use crate::tools;

const PACKAGES: [&str; 2] = ["rustuya-runtime", "rustuya-runtime-blocking"];

pub(super) fn run(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    let cargo = context.cargo().args(["test", "--locked", "--lib"]);
    let cargo = PACKAGES.iter().fold(cargo, |cargo, name| cargo.args(["--package", name]));
    let mut passed = Vec::new();
    cargo
        .arg("models::")
        // Not for dependencies: `--cfg loom` would change some of them.
        .env("RUSTFLAGS", "--cfg rustuya_loom")
        .without_env("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", context.target.join("models"))
        .stdout_lines(|line| {
            println!("{line}");
            passed.extend(number_passed(line));
        })?;
    ensure!(passed.len() == PACKAGES.len() && passed.iter().all(|number| *number > 0), "a package ran no model");
    Ok(format!("{} models", passed.iter().sum::<u32>()))
}

/// The number in the line with which a test program ends.
fn number_passed(line: &str) -> Option<u32> {
    line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number_passed;

    #[test]
    fn the_last_line_counts() {
        assert_eq!(number_passed("test result: ok. 12 passed; 0 failed; 0 ignored"), Some(12));
        assert_eq!(number_passed("test a::models::b ... ok"), None);
    }
}
