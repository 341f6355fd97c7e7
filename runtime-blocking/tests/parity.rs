//! Every method of the shared handles exists here, too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of the public methods in these files of a crate's `src`.
fn methods(root: &str, files: &[&str]) -> BTreeSet<String> {
    let path = |file: &&str| Path::new(env!("CARGO_MANIFEST_DIR")).join(root).join(file);
    let text: String = files.iter().map(|file| fs::read_to_string(path(file)).expect("is there")).collect();
    let signatures = text.lines().filter_map(|line| line.strip_prefix("    pub "));
    let names = signatures.filter_map(|line| {
        let name = ["fn ", "const fn ", "async fn "].into_iter().find_map(|kind| line.strip_prefix(kind))?;
        Some(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
    });
    names.collect()
}

/// The names in the `pub use` lists of a crate.
fn exports(lib: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(lib)).expect("is there");
    let lists = text.split("pub use ").skip(1).map(|rest| rest.split(';').next().unwrap_or_default());
    let words = lists.flat_map(|list| list.split(|c: char| !(c.is_alphanumeric() || c == '_')));
    words.filter(|word| word.starts_with(|first: char| first.is_uppercase())).map(str::to_owned).collect()
}

#[test]
fn every_verb_has_its_call() {
    let pairs: [(&[&str], &[&str]); 8] = [
        (&["device/handle.rs", "device/gateway.rs"], &["device.rs", "gateway.rs", "builder.rs", "start.rs"]),
        (&["device/builder.rs", "device/start.rs"], &["builder.rs", "start.rs"]),
        (&["device/sub_device.rs"], &["sub_device.rs"]),
        (&["fleet/manager.rs"], &["manager.rs"]),
        (&["fleet/registry.rs"], &["registry.rs"]),
        (&["discovery/mod.rs", "driver/runtime.rs"], &["discovery.rs"]),
        (&["scanner.rs"], &["scanner.rs"]),
        (&["device/sending.rs"], &["sending.rs"]),
    ];
    for (shared, ours) in pairs {
        let ours = methods("src", ours);
        for file in shared {
            assert!(!methods("../runtime/src", &[file]).is_empty(), "{file}");
        }
        let shared_methods = methods("../runtime/src", shared);
        let missing: Vec<_> = shared_methods.difference(&ours).collect();
        assert!(missing.is_empty(), "{shared:?}: {missing:?} cannot be called here");
    }
}

#[test]
fn every_type_that_a_call_can_return_is_named_here() {
    // The futures that calls stand for.
    let futures = ["Acknowledged", "Confirmed"];
    let shared = exports("../runtime/src/lib.rs");
    assert!(futures.iter().all(|name| shared.contains(*name)), "{futures:?}");
    let ours = exports("src/lib.rs");
    let missing: Vec<_> = shared.difference(&ours).filter(|name| !futures.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_application_type_is_named_by_every_async_driver() {
    let shared = exports("../runtime/src/lib.rs");
    for lib in ["../runtime-tokio/src/lib.rs", "../runtime-futures/src/lib.rs"] {
        let theirs = exports(lib);
        let missing: Vec<_> = shared.difference(&theirs).collect();
        assert!(missing.is_empty(), "{lib}: {missing:?}");
    }
}

/// An export of everything makes what one crate adds a part of the others, unseen.
#[test]
fn no_crate_exports_everything_of_another() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let mut looked_at = 0;
    for folder in fs::read_dir(tree).expect("is there") {
        let lib = folder.expect("is there").path().join("src/lib.rs");
        let Ok(text) = fs::read_to_string(&lib) else { continue };
        looked_at += 1;
        let exported = text.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
        let all: Vec<_> = exported.filter(|list| list.contains('*')).collect();
        assert!(all.is_empty(), "{}: {all:?}", lib.display());
    }
    assert!(looked_at > 5, "{looked_at}");
}
