//! The protocol core's promises: whether the attributes are there that have the compiler and clippy keep them, and that
//! nothing but `core` is named. The step `bare-metal` proves the second for every feature set without `std`.

use super::{File, Problem};

const ROOT: &str = "proto/src/lib.rs";

/// Written without space, as [`bare`] leaves them. Ways to panic are forbidden, so that no attribute lifts the lints;
/// arithmetic is denied, because an `expect` may say why it cannot overflow.
const ATTRIBUTES: [&str; 4] = [
    "#![no_std]",
    "#![forbid(unsafe_code)]",
    "#![cfg_attr(not(test),forbid(clippy::expect_used,clippy::get_unwrap,clippy::indexing_slicing,clippy::panic,\
     clippy::string_slice,clippy::todo,clippy::unimplemented,clippy::unreachable,clippy::unwrap_used))]",
    "#![cfg_attr(not(test),deny(clippy::arithmetic_side_effects))]",
];

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    match files.iter().find(|file| file.path == ROOT) {
        None => problems.push(format!("{ROOT} is missing")),
        Some(root) => {
            let text = bare(&root.text);
            let missing = ATTRIBUTES.into_iter().filter(|attribute| !text.contains(attribute));
            problems.extend(missing.map(|attribute| format!("{ROOT}: needs {attribute}")));
        }
    }
    for file in files {
        if file.path.starts_with("proto/src/") && file.has_extension("rs") && !file.is_test() {
            let named = code(&file.text).filter(|(_, line)| line.contains("extern crate"));
            problems.extend(named.map(|(number, line)| format!("{}:{number}: `{}`", file.path, line.trim())));
        }
    }
    problems
}

/// Text without space, and without a comma in front of a bracket.
fn bare(text: &str) -> String {
    text.split_whitespace().collect::<String>().replace(",)", ")")
}

/// Numbered lines before the test module.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = || text.lines().map(str::trim);
    let tests = lines().zip(lines().skip(1)).position(|(attribute, module)| {
        attribute == "#[cfg(test)]" && module.starts_with("mod ") && module.ends_with('{')
    });
    text.lines().enumerate().take(tests.unwrap_or(usize::MAX)).map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::{ATTRIBUTES, check};

    #[test]
    fn a_clean_core_passes() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  extern crate std;\n}\n";
        let tests = file("proto/src/a/tests.rs", "extern crate std;");
        let other = file("cli/src/main.rs", "extern crate std;");
        let wrapped = ATTRIBUTES.join("\n").replace("unwrap_used)", "unwrap_used,\n)").replace(',', ",\n    ");
        for root in [ATTRIBUTES.join("\n"), wrapped] {
            let files = [file("proto/src/lib.rs", &root), file("proto/src/a.rs", text)];
            assert_eq!(check(&files), Vec::<String>::new());
        }
        assert_eq!(check(&[file("proto/src/lib.rs", &ATTRIBUTES.join("\n")), tests, other]), Vec::<String>::new());
    }

    #[test]
    fn missing_attributes_are_found() {
        assert_eq!(check(&[]).len(), 1);
        for attribute in ATTRIBUTES {
            let root = ATTRIBUTES.join("\n").replace(attribute, "");
            assert_eq!(check(&[file("proto/src/lib.rs", &root)]).len(), 1, "{attribute}");
        }
        let weaker = ATTRIBUTES.join("\n").replace("forbid(clippy", "deny(clippy");
        assert_eq!(check(&[file("proto/src/lib.rs", &weaker)]).len(), 1);
    }

    #[test]
    fn another_library_is_found() {
        for bad in [
            "extern crate alloc;",
            "#[cfg(test)]\nuse a;\nextern crate std;",
            "#[cfg(test)]\nmod tests;\nextern crate std;",
        ] {
            let files = [file("proto/src/lib.rs", &ATTRIBUTES.join("\n")), file("proto/src/a.rs", bad)];
            assert_eq!(check(&files).len(), 1, "{bad}");
        }
    }
}
