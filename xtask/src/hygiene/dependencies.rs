//! Places of dependency versions, and the age of the compiler that they accept.

use std::collections::{BTreeSet, HashSet};

use cargo_metadata::semver::Version;
use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};
use toml::{Table, Value};

use super::{File, Problem};

/// Manifests: every version in the root, without default features; members only refer to it.
///
/// Read from the files: the metadata that cargo prints does not tell what a member has from the workspace.
pub(super) fn manifests(files: &[File]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        if !file.path.ends_with("Cargo.toml") {
            continue;
        }
        let table: Table = match file.text.parse() {
            Ok(table) => table,
            Err(error) => {
                problems.push(format!("{}: {error}", file.path));
                continue;
            }
        };
        if table.contains_key("workspace") {
            problems.extend(root(&file.path, &table));
        } else {
            problems.extend(member(&file.path, &table, &published(files, &file.path)));
        }
    }
    problems
}

fn root(path: &str, table: &Table) -> Vec<Problem> {
    let dependencies =
        table.get("workspace").and_then(|workspace| workspace.get("dependencies")?.as_table()).into_iter().flatten();
    dependencies
        .filter(|(_, value)| value.get("path").is_none())
        .filter(|(_, value)| value.get("default-features").and_then(Value::as_bool) != Some(false))
        .map(|(name, _)| format!("{path}: {name} needs default-features = false"))
        .collect()
}

/// The crates that have a version in the workspace of the manifest at `path`.
fn published(files: &[File], path: &str) -> BTreeSet<String> {
    let folder = |file: &File| file.path.strip_suffix("Cargo.toml").map(str::len);
    let above = files.iter().filter(|file| folder(file).is_some_and(|len| path.starts_with(&file.path[..len])));
    let roots = above.filter_map(|file| Some((folder(file)?, file.text.parse::<Table>().ok()?)));
    let roots = roots.filter(|(_, table)| table.contains_key("workspace"));
    let root = roots.max_by_key(|(len, _)| *len).map(|(_, table)| table);
    let workspace = root.as_ref().and_then(|table| table.get("workspace")?.get("dependencies")?.as_table());
    let crates = workspace.into_iter().flatten();
    let crates = crates.filter(|(_, value)| value.get("path").is_some() && value.get("version").is_some());
    crates.map(|(name, _)| name.clone()).collect()
}

fn member(path: &str, table: &Table, published: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let lints = table.get("lints");
    let shares = lints.and_then(|lints| lints.get("workspace")?.as_bool()) == Some(true);
    // The macros of PyO3 expand to what the workspace forbids; denying it still keeps it out of what is written here.
    let own = lints.and_then(|lints| lints.get("rust")?.get("unsafe_code")?.as_str()) == Some("deny");
    if !(shares || own && path.starts_with("py/")) {
        problems.push(format!("{path}: needs [lints] workspace = true"));
    }
    let targets = table.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = targets.filter_map(|(_, value)| value.as_table()).chain([table]);
    let is_published = table.get("package").and_then(|package| package.get("publish")?.as_bool()) != Some(false);
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                let is_of_root = value.get("workspace").and_then(Value::as_bool) == Some(true);
                // A version would have to be published before this crate, whose dependent it may be.
                if kind == "dev-dependencies" && is_published && published.contains(name) {
                    if is_of_root || value.get("path").is_none() || value.get("version").is_some() {
                        problems
                            .push(format!("{path}: {name} must have its path alone: a version cannot be published"));
                    }
                } else if !is_of_root {
                    problems.push(format!("{path}: {name} must say workspace = true"));
                }
            }
        }
    }
    problems
}

/// Members without the licence of the project.
pub(super) fn licences(metadata: &Metadata) -> Vec<Problem> {
    let members = metadata.workspace_packages().into_iter();
    members
        .filter(|package| package.license.as_deref() != Some("MIT OR Apache-2.0"))
        .map(|package| format!("{}: needs license.workspace = true", package.name))
        .collect()
}

/// Shipped dependencies that ask for a newer compiler than the workspace promises.
pub(super) fn too_new(metadata: &Metadata, msrv: &Version) -> Vec<Problem> {
    let shipped = shipped(metadata);
    let packages = metadata.packages.iter().filter(|package| shipped.contains(&package.id));
    packages
        .filter_map(|package| {
            let needs = package.rust_version.as_ref().filter(|needs| *needs > msrv)?;
            Some(format!("{} {} needs Rust {needs}", package.name, package.version))
        })
        .collect()
}

/// Returns whether a package of the workspace may be published.
pub(super) fn is_published(package: &Package) -> bool {
    package.publish.as_ref().is_none_or(|registries| !registries.is_empty())
}

/// Returns the packages that users of the published crates build: everything reached without dev-dependencies.
fn shipped(metadata: &Metadata) -> HashSet<&PackageId> {
    let members = metadata.workspace_packages().into_iter();
    let mut open: Vec<&PackageId> =
        members.filter(|package| is_published(package)).map(|package| &package.id).collect();
    let nodes = || metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let mut seen = HashSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let dependencies = nodes().filter(|node| node.id == *id).flat_map(|node| &node.deps);
        let shipped =
            dependencies.filter(|used| used.dep_kinds.iter().any(|kind| kind.kind != DependencyKind::Development));
        open.extend(shipped.map(|used| &used.pkg));
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::{manifests, shipped, too_new};
    use cargo_metadata::semver::Version;
    use cargo_metadata::{CargoOpt, MetadataCommand};

    #[test]
    fn versions_outside_the_root_are_found() {
        let lints = "[lints]\nworkspace = true\n";
        for bad in [
            "[dependencies]\na = \"1\"",
            "[dev-dependencies]\na = { version = \"1\" }",
            "[build-dependencies]\na = { path = \"../a\" }",
            "[target.'cfg(unix)'.dependencies]\na = \"1\"",
            "[dependencies.a]\nversion = \"1\"",
        ] {
            let text = format!("{lints}{bad}\n");
            assert_eq!(manifests(&[file("a/Cargo.toml", &text)]).len(), 1, "{bad}");
        }
        let good =
            format!("{lints}[dependencies]\na.workspace = true\nb = {{ workspace = true, features = [\"x\"] }}\n");
        assert_eq!(manifests(&[file("a/Cargo.toml", &good)]), Vec::<String>::new());
    }

    #[test]
    fn versions_that_make_circles_are_found() {
        let root = "[workspace.dependencies]\na = { path = \"a\", version = \"1\" }\nb = { path = \"b\" }\n";
        let checked = |text: &str| {
            let text = format!("[lints]\nworkspace = true\n{text}\n");
            manifests(&[file("Cargo.toml", root), file("c/Cargo.toml", &text)])
        };
        for bad in [
            "[dev-dependencies]\na.workspace = true",
            "[dev-dependencies]\na = { path = \"../a\", version = \"1\" }",
            "[target.'cfg(unix)'.dev-dependencies]\na = { workspace = true, features = [\"x\"] }",
            "[dependencies]\na = { path = \"../a\" }",
            "[dev-dependencies]\nb = { path = \"../b\" }",
        ] {
            assert_eq!(checked(bad).len(), 1, "{bad}");
        }
        for good in [
            "[dev-dependencies]\na = { path = \"../a\", features = [\"x\"] }\nb.workspace = true",
            "[dependencies]\na.workspace = true",
            "[package]\npublish = false\n[dev-dependencies]\na.workspace = true",
        ] {
            assert_eq!(checked(good), Vec::<String>::new(), "{good}");
        }
        let other = [
            file("Cargo.toml", root),
            file("d/Cargo.toml", "[workspace.dependencies]\na = { path = \"../a\" }\n"),
            file("d/c/Cargo.toml", "[lints]\nworkspace = true\n[dev-dependencies]\na.workspace = true\n"),
        ];
        assert_eq!(manifests(&other), Vec::<String>::new(), "another workspace has no version of it");
    }

    #[test]
    fn missing_lints_and_default_features_are_found() {
        assert_eq!(manifests(&[file("a/Cargo.toml", "[package]\n")]).len(), 1);
        let own = "[lints.rust]\nunsafe_code = \"deny\"\n";
        assert_eq!(manifests(&[file("a/Cargo.toml", own)]).len(), 1);
        assert_eq!(manifests(&[file("py/Cargo.toml", own)]), Vec::<String>::new());
        let root = "[workspace.dependencies]\na = \"1\"\nb = { version = \"1\" }\n\
                    c = { version = \"1\", default-features = false }\nd = { path = \"d\" }\n";
        assert_eq!(manifests(&[file("Cargo.toml", root)]).len(), 2);
    }

    #[test]
    fn dev_dependencies_and_tools_are_not_shipped() {
        let metadata = MetadataCommand::new().features(CargoOpt::AllFeatures).exec().unwrap();
        let ids = shipped(&metadata);
        let is_shipped =
            |name: &str| metadata.packages.iter().any(|package| package.name == name && ids.contains(&package.id));
        for name in ["rustuya-proto", "rustuya-runtime", "aes", "tokio"] {
            assert!(is_shipped(name), "{name}");
        }
        for name in ["rustuya-xtask", "rustuya-tests", "rustuya-faulty", "rustuya-seeded", "cargo_metadata", "proptest"]
        {
            assert!(metadata.packages.iter().any(|package| package.name == name), "{name}");
            assert!(!is_shipped(name), "{name}");
        }
        assert!(!too_new(&metadata, &Version::new(1, 0, 0)).is_empty());
        assert!(too_new(&metadata, &Version::new(1, 1000, 0)).is_empty());
    }
}
