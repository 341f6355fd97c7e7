//! Checks that the excerpts in the guide for drivers are in the drivers.

use std::fs;
use std::path::Path;

/// Returns every block of code with the file that its first line names.
fn excerpts(page: &str) -> Vec<(String, String)> {
    let blocks = page.split("```rust,ignore\n").skip(1);
    let code = blocks.map(|block| block.split("```").next().unwrap_or_default());
    code.map(|code| {
        let (file, code) = code.split_once('\n').expect("more than a line");
        (file.strip_prefix("// ").expect("names its file").to_owned(), code.to_owned())
    })
    .collect()
}

/// Returns the lines without indentation and without empty ones.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[test]
fn excerpts_are_in_their_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/writing-a-driver.md")).expect("is there");
    let excerpts = excerpts(&page);
    assert!(excerpts.len() >= 5, "{} excerpts", excerpts.len());
    for (file, code) in excerpts {
        let source = fs::read_to_string(root.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (source, code) = (lines(&source), lines(&code));
        let found = source.windows(code.len()).any(|window| window == code);
        assert!(found, "not in {file}:\n{}", code.join("\n"));
    }
}
