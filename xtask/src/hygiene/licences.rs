//! Licences of everything that is compiled.

use super::Problem;
use crate::metadata::Metadata;

/// Licences that ask for no more than their text to be kept.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The fuzzers' runtime: compiled for fuzzing only, part of nothing that is published.
const FUZZ_RUNTIME: (&str, &str) = ("libfuzzer-sys", "(MIT OR Apache-2.0) AND NCSA");

pub(super) fn check(metadata: &Metadata) -> Vec<Problem> {
    let mut problems = Vec::new();
    for package in &metadata.packages {
        let Some(licence) = package.license.as_deref() else {
            problems.push(format!("{} {}: no licence", package.name, package.version));
            continue;
        };
        if !is_allowed(licence) && (package.name.as_str(), licence) != FUZZ_RUNTIME {
            problems.push(format!("{} {}: licence `{licence}`", package.name, package.version));
        }
    }
    for package in metadata.members() {
        if package.license.as_deref() != Some("MIT OR Apache-2.0") {
            problems.push(format!("{}: needs license.workspace = true", package.name));
        }
    }
    problems
}

/// Whether an SPDX expression can be satisfied with allowed licences.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    alternatives(&tokens, &mut at) == Some(true) && at == tokens.len()
}

fn alternatives(tokens: &[&str], at: &mut usize) -> Option<bool> {
    let mut value = conjunction(tokens, at)?;
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        value |= conjunction(tokens, at)?;
    }
    Some(value)
}

fn conjunction(tokens: &[&str], at: &mut usize) -> Option<bool> {
    let mut value = term(tokens, at)?;
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        value &= term(tokens, at)?;
    }
    Some(value)
}

fn term(tokens: &[&str], at: &mut usize) -> Option<bool> {
    let token = *tokens.get(*at)?;
    *at += 1;
    if token == "(" {
        let value = alternatives(tokens, at)?;
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(value);
    }
    if tokens.get(*at) == Some(&"WITH") {
        let exception = *tokens.get(*at + 1)?;
        *at += 2;
        return Some(ALLOWED.contains(&format!("{token} WITH {exception}").as_str()));
    }
    Some(ALLOWED.contains(&token))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn expressions() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR GPL-3.0-only",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "GPL-2.0 OR (BSD-3-Clause AND MIT)",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "(MIT OR Apache-2.0) AND NCSA",
            "GPL-2.0 WITH Classpath-exception-2.0",
            "MIT MIT",
            "(MIT",
            "",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
