//! Where dependency versions stand, and how old a compiler they accept.

use toml::{Table, Value};

use super::{File, Problem};
use crate::metadata::Metadata;

/// Manifests: every version in the root, without default features; members only refer to it.
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
            problems.extend(member(&file.path, &table));
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

fn member(path: &str, table: &Table) -> Vec<Problem> {
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
    for table in tables {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in table.get(kind).and_then(Value::as_table).into_iter().flatten() {
                if value.get("workspace").and_then(Value::as_bool) != Some(true) {
                    problems.push(format!("{path}: {name} must say workspace = true"));
                }
            }
        }
    }
    problems
}

/// Shipped dependencies that ask for a newer compiler than the workspace promises.
pub(super) fn too_new(metadata: &Metadata, msrv: &str) -> Vec<Problem> {
    let shipped = metadata.shipped();
    metadata
        .packages
        .iter()
        .filter(|package| shipped.contains(package.id.as_str()))
        .filter_map(|package| {
            let needs = package.rust_version.as_deref()?;
            (number(needs) > number(msrv)).then(|| format!("{} {} needs Rust {needs}", package.name, package.version))
        })
        .collect()
}

fn number(version: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect();
    parts.resize(3, 0);
    parts
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::{manifests, number};

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
    fn versions_compare_by_number() {
        assert!(number("1.100") > number("1.89"));
        assert_eq!(number("1.89"), number("1.89.0"));
    }
}
