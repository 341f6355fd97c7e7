//! The protocol core's own promises: no `std`, no `unsafe`, no way to panic.

use regex_lite::Regex;

use super::{File, Problem};

const ROOT: &str = "proto/src/lib.rs";
const ATTRIBUTES: [&str; 2] = ["#![no_std]", "#![forbid(unsafe_code)]"];

/// What is wrong in code that runs on network input, and the pattern that finds it.
const FORBIDDEN: [(&str, &str); 3] = [
    ("can panic", r#"\.(?:unwrap(?:_err)?\(\)|expect(?:_err)?\(")|\b(?:panic|unreachable)!"#),
    (
        "lifts a lint against panics",
        r"\b(?:allow|expect)\([^)]*\b(?:indexing_slicing|unwrap_used|expect_used|panic|string_slice|arithmetic_side_effects)\b",
    ),
    ("uses an allocator or std", r"\b(?:extern crate (?:alloc|std)|(?:alloc|std)::)"),
];

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    match files.iter().find(|file| file.path == ROOT) {
        None => problems.push(format!("{ROOT} is missing")),
        Some(root) => {
            for attribute in ATTRIBUTES {
                if !root.text.lines().any(|line| line.trim() == attribute) {
                    problems.push(format!("{ROOT}: needs {attribute}"));
                }
            }
            if !denies_indexing(&root.text) {
                problems.push(format!("{ROOT}: must deny clippy::indexing_slicing"));
            }
        }
    }
    for file in files {
        if file.path.starts_with("proto/src/") && file.has_extension("rs") && !file.is_test() {
            problems.extend(source(file));
        }
    }
    problems
}

/// Whether the crate root denies panicking indices (outside tests at least).
fn denies_indexing(text: &str) -> bool {
    Regex::new(r"(?s)#!\[(?:[^\]]*?)(?:deny|forbid|warn)\([^)]*clippy::indexing_slicing")
        .is_ok_and(|pattern| pattern.is_match(text))
}

fn source(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (what, pattern) in FORBIDDEN {
        let Ok(pattern) = Regex::new(pattern) else {
            return vec![format!("the pattern for `{what}` is broken")];
        };
        for (number, line) in code(&file.text) {
            if let Some(found) = pattern.find(line) {
                problems.push(format!("{}:{number}: {what}: `{}`", file.path, found.as_str()));
            }
        }
    }
    problems
}

/// Numbered lines of code before the test module, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .windows(2)
        .position(|pair| pair[0].trim() == "#[cfg(test)]" && is_test_module(pair[1]))
        .unwrap_or(lines.len());
    lines
        .into_iter()
        .take(end)
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

fn is_test_module(line: &str) -> bool {
    let line = line.trim();
    line.starts_with("mod ") && line.ends_with('{')
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::check;

    const GOOD: &str = "#![no_std]\n#![forbid(unsafe_code)]\n#![deny(clippy::indexing_slicing)]\n";

    #[test]
    fn a_clean_core_passes() {
        let text = "/// `x.unwrap()` in words\nfn a() {} // panic!\n#[cfg(test)]\nmod tests {\n  x.unwrap();\n}\n";
        let tests = file("proto/src/a/tests.rs", "x.unwrap()");
        let other = file("cli/src/main.rs", "x.unwrap()");
        let conditional =
            GOOD.replace("deny(clippy", "cfg_attr(not(test), deny(clippy").replace("slicing)", "slicing))");
        for root in [GOOD, &conditional] {
            let files = [file("proto/src/lib.rs", root), file("proto/src/a.rs", text)];
            assert_eq!(check(&files), Vec::<String>::new());
        }
        assert_eq!(check(&[file("proto/src/lib.rs", GOOD), tests, other]), Vec::<String>::new());
    }

    #[test]
    fn missing_attributes_are_found() {
        assert_eq!(check(&[]).len(), 1);
        for line in GOOD.lines() {
            let files = [file("proto/src/lib.rs", &GOOD.replace(line, ""))];
            assert_eq!(check(&files).len(), 1, "{line}");
        }
    }

    #[test]
    fn ways_to_panic_are_found() {
        for bad in [
            "x.unwrap();",
            "x.expect(\"y\");",
            "panic!(\"y\")",
            "unreachable!()",
            "#[allow(clippy::indexing_slicing)]",
            "#[expect(clippy::unwrap_used, reason = \"y\")]",
            "use std::vec::Vec;",
            "extern crate alloc;",
            "#[cfg(test)]\nuse a;\nx.unwrap();",
            "#[cfg(test)]\nmod tests;\nx.unwrap();",
        ] {
            let files = [file("proto/src/lib.rs", GOOD), file("proto/src/a.rs", bad)];
            assert_eq!(check(&files).len(), 1, "{bad}");
        }
    }
}
