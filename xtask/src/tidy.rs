//! Rules of this repository that no compiler checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cargo;

/// Which crate may know which of our own; see `docs/architecture.md`. Tests may use what they like.
const EDGES: &[(&str, &[&str])] = &[
    ("carob-audit", &[]),
    ("carob-block", &[]),
    ("carob-car", &["block"]),
    ("carob-index", &["block"]),
    ("carob-object", &["block"]),
    ("carob-identity", &["block"]),
    ("carob-policy", &[]),
    ("carob-local", &["car", "block"]),
    ("carob-commit", &["index", "object", "car", "identity", "block"]),
    ("carob-bucket", &["commit", "index", "object", "identity", "block"]),
    ("carob-http", &["bucket", "car", "identity", "block"]),
    ("carob-s3", &["bucket", "policy", "identity"]),
    ("carob-gateway", &["audit", "s3", "http", "bucket", "local", "identity", "block"]),
    ("carob-admin", &["audit", "block", "commit", "identity", "http", "local"]),
    ("xtask", &["bucket", "commit", "http", "local", "index", "car", "identity", "block"]),
];

/// Macros that no committed line may use. Spelt apart, so that this file is clean itself.
const FORBIDDEN: &[&str] = &[concat!("to", "do!"), concat!("unimple", "mented!"), concat!("db", "g!")];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

/// Runs every check and reports all findings at once.
pub(crate) fn run() -> Result<()> {
    let files = tracked_files()?;
    let metadata = metadata()?;
    let mut findings = crate_edges(&metadata);
    findings.extend(unexplained_dependencies(&metadata)?);
    findings.extend(forbidden_words(&files)?);
    findings.extend(unlinked_docs(&files)?);
    findings.extend(headless_files(&files)?);
    for finding in &findings {
        println!("tidy: {finding}");
    }
    ensure!(findings.is_empty(), "{} findings", findings.len());
    println!("tidy: {} files, nothing to say", files.len());
    Ok(())
}

fn metadata() -> Result<Metadata> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1"])
        .current_dir(cargo::root())
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn crate_edges(metadata: &Metadata) -> Vec<String> {
    let mut findings = Vec::new();
    for package in &metadata.packages {
        let Some((_, allowed)) = EDGES.iter().find(|(name, _)| *name == package.name) else {
            findings.push(format!("{} is not in the list of crates in xtask/src/tidy.rs", package.name));
            continue;
        };
        let own = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
        for dependency in own.filter(|dependency| dependency.kind.as_deref() != Some("dev")) {
            let short = dependency.name.strip_prefix("carob-").unwrap_or(&dependency.name);
            if !allowed.contains(&short) {
                findings.push(format!("{} must not depend on {}", package.name, dependency.name));
            }
        }
    }
    findings
}

/// Every library of others that a crate uses has its line in the documentation.
fn unexplained_dependencies(metadata: &Metadata) -> Result<Vec<String>> {
    let page = read(Path::new("docs/dependencies.md"))?;
    let all = metadata.packages.iter().flat_map(|package| &package.dependencies);
    let names: BTreeSet<_> = all.filter(|dependency| dependency.path.is_none()).map(|d| &d.name).collect();
    let unexplained = names.into_iter().filter(|name| !page.contains(&format!("`{name}`")));
    Ok(unexplained.map(|name| format!("docs/dependencies.md does not say what {name} is for")).collect())
}

/// Files of the repository, the not yet committed among them; paths from its top.
fn tracked_files() -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(cargo::root())
        .output()
        .context("tidy needs git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout)?;
    let files = names.split_terminator('\0').map(PathBuf::from);
    Ok(files.filter(|file| cargo::root().join(file).is_file()).collect())
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(cargo::root().join(file))
        .with_context(|| format!("cannot read {}", file.display()))
}

fn forbidden_words(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let text = read(file)?;
        for (number, line) in text.lines().enumerate() {
            for word in FORBIDDEN.iter().filter(|word| uses(line, word)) {
                findings.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    Ok(findings)
}

/// Whether `line` has `word` as a word of its own.
fn uses(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Every page in `docs/` is reachable from the README or from another page.
fn unlinked_docs(files: &[PathBuf]) -> Result<Vec<String>> {
    let pages = |file: &&PathBuf| {
        file.starts_with("docs") && file.extension().is_some_and(|extension| extension == "md")
    };
    let mut linked = BTreeSet::new();
    let sources = files.iter().filter(|file| file.as_path() == Path::new("README.md") || pages(file));
    for source in sources {
        let from = source.parent().unwrap_or(Path::new(""));
        let targets = link_targets(&read(source)?);
        linked.extend(targets.iter().map(|target| from.join(target)).filter(|target| target != source));
    }
    let unlinked = files.iter().filter(pages).filter(|page| !linked.contains(*page));
    Ok(unlinked.map(|page| format!("{} is linked from nowhere", page.display())).collect())
}

/// Every source file begins with what it is.
fn headless_files(files: &[PathBuf]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        let text = read(file)?;
        if !text.starts_with("//!") && !text.starts_with("#!") {
            findings.push(format!("{} does not begin with what it is (`//!`)", file.display()));
        }
    }
    Ok(findings)
}

/// Targets of Markdown's inline links, without fragments.
fn link_targets(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
    targets.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_word_counts_only_as_a_word() {
        let word = FORBIDDEN[2];
        assert!(uses(&format!("    {word}(x);"), word));
        assert!(uses(&format!("std::{word}(x);"), word));
        assert!(!uses(&format!("my_{word}(x);"), word));
    }

    #[test]
    fn an_edge_against_the_direction_is_found() {
        let dependency =
            |name: &str| Dependency { name: name.into(), kind: None, path: Some(PathBuf::from("/")) };
        let package =
            |name: &str, needs: &str| Package { name: name.into(), dependencies: vec![dependency(needs)] };
        let packages = vec![package("carob-index", "carob-bucket"), package("carob-bucket", "carob-index")];
        assert_eq!(
            crate_edges(&Metadata { packages }),
            ["carob-index must not depend on carob-bucket".to_owned()]
        );
    }

    #[test]
    fn link_targets_are_found() {
        let text = "see [a](docs/a.md) and [b](docs/b.md#part)\nnot (docs/c.md)";
        assert_eq!(link_targets(text), ["docs/a.md", "docs/b.md"]);
    }
}
