//! The part of `cargo metadata` that the checks read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) target_directory: PathBuf,
    resolve: Resolve,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) rust_version: Option<String>,
    /// `Some([])` for packages that are never published.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

impl Package {
    pub(crate) fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|registries| !registries.is_empty())
    }
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

impl Metadata {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("cargo metadata prints something unknown")
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.members().find(|package| package.name == name)
    }

    /// What users of the published crates build: everything reached without dev-dependencies.
    pub(crate) fn shipped(&self) -> BTreeSet<&str> {
        let nodes: HashMap<&str, &Node> = self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut open: Vec<&str> =
            self.members().filter(|package| package.is_published()).map(|package| package.id.as_str()).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            for dependency in nodes.get(id).map(|node| &node.deps[..]).unwrap_or_default() {
                let shipped = dependency.dep_kinds.iter().any(|k| k.kind.as_deref() != Some("dev"));
                if shipped {
                    open.push(&dependency.pkg);
                }
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::Metadata;

    #[test]
    fn dev_dependencies_are_not_shipped() {
        let package = |name: &str, publish: &str| {
            format!(
                r#"{{"id":"{name}","name":"{name}","version":"1.0.0","license":null,"rust_version":null,
                "publish":{publish},"features":{{}}}}"#
            )
        };
        let text = format!(
            r#"{{"packages":[{},{},{},{}],"workspace_members":["lib","tool"],"target_directory":"target",
            "resolve":{{"nodes":[
              {{"id":"lib","deps":[{{"pkg":"used","dep_kinds":[{{"kind":null}}]}},
                                   {{"pkg":"test-only","dep_kinds":[{{"kind":"dev"}}]}}]}},
              {{"id":"tool","deps":[]}},{{"id":"used","deps":[]}},{{"id":"test-only","deps":[]}}]}}}}"#,
            package("lib", "null"),
            package("tool", "[]"),
            package("used", "null"),
            package("test-only", "null"),
        );
        let metadata = Metadata::parse(&text).unwrap();
        assert_eq!(metadata.shipped().into_iter().collect::<Vec<_>>(), ["lib", "used"]);
    }
}
