//! Links between the repository's documents.

use std::path::{Component, Path, PathBuf};

use regex_lite::Regex;

use super::{File, Problem};
use crate::context::Context;

pub(super) fn check(context: &Context, files: &[File]) -> Vec<Problem> {
    let exists = |path: &Path| context.root.join(path).exists();
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("md")) {
        for link in links(&file.text) {
            if let Some(what) = broken(file, &link, files, exists) {
                problems.push(format!("{}: link `{link}`: {what}", file.path));
            }
        }
    }
    problems
}

/// Link targets outside code.
fn links(text: &str) -> Vec<String> {
    let (Ok(inline), Ok(reference)) = (Regex::new(r"\]\(([^)\s]+)[^)]*\)"), Regex::new(r"^ {0,3}\[[^\]]+\]:\s*(\S+)"))
    else {
        return vec!["the patterns of the link check are broken".to_owned()];
    };
    let mut found = Vec::new();
    for line in prose(text) {
        found.extend(inline.captures_iter(&line).map(|link| link[1].to_owned()));
        found.extend(reference.captures_iter(&line).map(|link| link[1].to_owned()));
    }
    found
}

/// The lines outside fenced blocks, without code spans.
fn prose(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            fenced = !fenced;
        } else if !fenced {
            lines.push(line.split('`').step_by(2).collect::<Vec<_>>().join(""));
        }
    }
    lines
}

fn broken(from: &File, link: &str, files: &[File], exists: impl Fn(&Path) -> bool) -> Option<&'static str> {
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    if target.contains("://") || target.starts_with("mailto:") || target.contains("::") {
        return None; // elsewhere, or an item of the documented crate
    }
    let path = if target.is_empty() {
        PathBuf::from(&from.path)
    } else {
        let Some(path) = resolve(&from.path, target) else {
            return Some("leaves the repository");
        };
        if !exists(&path) {
            return Some("no such file");
        }
        path
    };
    let document = files.iter().find(|file| Path::new(&file.path) == path)?;
    let known = anchor.is_empty() || !document.has_extension("md");
    (!known && !anchors(&document.text).any(|known| known == anchor)).then_some("no such heading")
}

/// A relative target from the folder of a document.
fn resolve(from: &str, target: &str) -> Option<PathBuf> {
    let mut path = Path::new(from).parent().map(Path::to_owned).unwrap_or_default();
    for part in Path::new(target).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// The anchors of a document's headings, as the usual renderers derive them.
fn anchors(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        line.trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::file;
    use super::{broken, links};

    #[test]
    fn code_holds_no_links() {
        let text = "[a](x.md)\n```\n[b](y.md)\n```\n`[c](z.md)` [d](w.md \"title\")\n[e]: v.md\n";
        assert_eq!(links(text), ["x.md", "w.md", "v.md"]);
    }

    #[test]
    fn targets_are_followed() {
        let files = [file("a/README.md", "# One two\n"), file("b.md", "")];
        let exists = |path: &Path| files.iter().any(|file| Path::new(&file.path) == path);
        let found = |from: usize, link: &str| broken(&files[from], link, &files, exists);
        for good in ["../b.md", "#one-two", "README.md#one-two", "https://example.org/x"] {
            assert_eq!(found(0, good), None, "{good}");
        }
        assert_eq!(found(0, "b.md"), Some("no such file"));
        assert_eq!(found(1, "a/README.md#three"), Some("no such heading"));
        assert_eq!(found(1, "#one"), Some("no such heading"));
        assert_eq!(found(1, "../x.md"), Some("leaves the repository"));
    }
}
