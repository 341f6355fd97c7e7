//! What a program takes in with this crate.

use std::process::Command;

/// The names of all crates that users build, this one included.
fn tree() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "rustuya-runtime-blocking", "--edges", "normal,build", "--target", "all"])
        .args(["--prefix", "none", "--format", "{p}", "--all-features", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are text");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn there_is_no_async_runtime() {
    let tree = tree();
    for expected in ["rustuya-runtime-blocking", "rustuya-runtime", "mio"] {
        assert!(tree.iter().any(|name| name == expected), "{expected} is missing from {tree:?}");
    }
    let runtimes = ["tokio", "async-std", "smol", "async-io", "async-executor", "async-global-executor", "embassy"];
    let executors =
        ["futures", "futures-executor", "futures-util", "futures-lite", "pollster", "compio", "monoio", "glommio"];
    for name in runtimes.into_iter().chain(executors) {
        let taken = tree.iter().find(|taken| *taken == name || taken.starts_with(&format!("{name}-")));
        // Two traits, without anything that runs them.
        assert!(taken.is_none_or(|taken| taken == "futures-core"), "{name} is in the tree: {taken:?}");
    }
}
