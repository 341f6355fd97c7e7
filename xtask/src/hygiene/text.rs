//! Length of source files, and what no file may contain.

use regex_lite::Regex;

use super::{File, Problem};

const MAX_LINES: usize = 600;

/// Name of each problem, and the pattern that finds it. Written so that no pattern matches itself.
const FORBIDDEN: [(&str, &str); 3] = [
    ("unfinished code", r"\b(?:todo|unimplemented)!\s*[(\[{]"),
    ("a note about unfinished work", r"\bFIX(?:ME)\b|\bTO(?:DO)\b"),
    ("a path of one machine", r#"(?m)(?:^|[\s"'`(=:])(?:/(?:home|root|Users|w[o]rk)/\w|[A-Z]:\\Users\\)"#),
];

/// Name of a second generator, and the pattern that finds the constants of SplitMix64 and of common congruential ones.
const GENERATOR: (&str, &str) =
    ("a seeded generator beside `rustuya-seeded`", r"(?i)bf58_?476d_?1ce[4]|6_?364_?136_?223_?84[6]|\b1_?664_?52[5]\b");

/// Files that may have one: the generator itself, and that of a published crate, which cannot depend on it.
const GENERATORS: [&str; 2] = ["tests/seeded/src/lib.rs", "record/src/frame.rs"];

pub(super) fn check(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (what, pattern) in FORBIDDEN.into_iter().chain([GENERATOR]) {
        let Ok(pattern) = Regex::new(pattern) else {
            problems.push(format!("the pattern for {what} is broken"));
            continue;
        };
        let may = |file: &&File| what == GENERATOR.0 && GENERATORS.contains(&file.path.as_str());
        for file in files.iter().filter(|file| !file.has_extension("lock") && !may(file)) {
            for found in pattern.find_iter(&file.text) {
                let line = file.text[..found.start()].matches('\n').count() + 1;
                problems.push(format!("{}:{line}: {what}: `{}`", file.path, found.as_str().trim()));
            }
        }
    }
    for file in files.iter().filter(|file| file.has_extension("rs") && !file.is_test()) {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            problems.push(format!("{}: {lines} lines, more than {MAX_LINES}", file.path));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::check;

    #[test]
    fn forbidden_text_is_found() {
        for (path, text) in [
            ("a.rs", format!("fn a() {{ {}() }}", "todo!")),
            ("a.rs", format!("{}[]", "unimplemented!")),
            ("a.rs", format!("// {}{}: later", "FIX", "ME")),
            ("a.py", format!("# {}{} later", "TO", "DO")),
            ("a.md", format!("see {}/me/x", "/home")),
            ("a.toml", format!("a = \"{}/x\"", "/root")),
            ("a.txt", format!("C:{}me", r"\Users\")),
            ("a.rs", format!("z.wrapping_mul(0xbf58_476d_1{}_e5b9)", "ce4")),
            ("tests/a.rs", format!("n * 6{} + 1", "364136223846793005")),
        ] {
            assert_eq!(check(&[file(path, &text)]).len(), 1, "{text}");
        }
    }

    #[test]
    fn harmless_text_passes() {
        let text = "todo = \"warn\"\nhttps://example.org/home/1\n/usr/bin/rustc\n./home/x\n";
        assert_eq!(check(&[file("a.md", text)]), Vec::<String>::new());
    }

    #[test]
    fn long_source_is_found() {
        let long = "//\n".repeat(601);
        assert_eq!(check(&[file("a/src/b.rs", &long)]).len(), 1);
        assert!(check(&[file("a/src/b/tests.rs", &long)]).is_empty());
        assert!(check(&[file("tests/faulty/src/a.rs", &long)]).is_empty());
        assert!(check(&[file("a/src/b.rs", &"//\n".repeat(600))]).is_empty());
    }
}
