//! The functions that the guide to the architecture names are where it says.

use std::fs;
use std::path::Path;

#[test]
fn each_step_of_the_guide_names_a_function_that_is_there() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let guide = fs::read_to_string(tree.join("docs/architecture.md")).expect("is there");
    let mut steps = 0;
    for line in guide.lines() {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let ["", number, file, function, _, ""] = cells[..] else { continue };
        if number.parse::<u8>().is_err() {
            continue;
        }
        steps += 1;
        let text = fs::read_to_string(tree.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let is_there = [format!("fn {function}("), format!("fn {function}<")].iter().any(|head| text.contains(head));
        assert!(is_there, "{file} has no function {function}");
    }
    assert!(steps >= 19, "{steps}");
}

#[test]
fn each_path_of_the_guide_is_there() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let guide = fs::read_to_string(tree.join("docs/architecture.md")).expect("is there");
    let paths = guide.split('`').skip(1).step_by(2).filter(|code| code.contains('/') && !code.contains(' '));
    let paths: Vec<&str> = paths.filter(|path| !path.contains('\n')).collect();
    for path in &paths {
        assert!(tree.join(path).exists(), "{path}");
    }
    assert!(paths.len() > 30, "{}", paths.len());
}
