//! Dependencies of a program with this crate.

use std::process::Command;

/// All crates that users of `package` build, it included, each with its features.
fn tree(package: &str) -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal,build", "--target", "all"])
        .args(["--prefix", "none", "--format", "{p}\t{f}", "--all-features", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names are text");
    let crates = text.lines().filter_map(|line| Some((line.split(' ').next()?, line.split_once('\t')?.1)));
    crates.map(|(name, features)| (name.to_owned(), features.to_owned())).collect()
}

#[test]
fn there_is_no_async_runtime() {
    let tree: Vec<_> = tree("rustuya-runtime-blocking").into_iter().map(|(name, _)| name).collect();
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

#[test]
fn no_driver_has_the_device_role_or_records() {
    for driver in ["rustuya-runtime-blocking", "rustuya-runtime-tokio", "rustuya-runtime-futures"] {
        let tree = tree(driver);
        let core: Vec<_> = tree.iter().filter(|(name, _)| name == "rustuya-proto").map(|(_, has)| has).collect();
        assert!(!core.is_empty(), "{driver}");
        assert!(core.iter().all(|has| !has.contains("emulator") && !has.contains("quirks")), "{driver}: {core:?}");
        for other in ["rustuya-record", "rustuya-virtual-device"] {
            assert!(tree.iter().all(|(name, _)| name != other), "{driver} needs {other}");
        }
    }
}
