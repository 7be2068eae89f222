//! The README's session works as it stands there.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cargo::{self, Profile};
use crate::gateway::Gateway;
use crate::python::Python;

const LIMIT: Duration = Duration::from_mins(2);

/// Runs the shell block under "Use it" against `gateway`, with its address and data directory put in.
pub(crate) async fn session(gateway: &Gateway, python: &Python) -> Result<()> {
    println!("== the session in README.md");
    let carob = cargo::build("carob-admin", "carob", Profile::Dev)?;
    let readme = std::fs::read_to_string(cargo::root().join("README.md"))?;
    let data = gateway.data().to_str().context("the data directory's path is no text")?;
    let session = shell_block(&readme, "## Use it")
        .context("README.md has no shell block under \"Use it\"")?
        .replace("http://127.0.0.1:9000", gateway.endpoint())
        .replace("carob-data", data)
        .replace("cargo carob", &format!("{} --data {data}", carob.display()));

    // A place with the files that the session names, and nothing to overwrite.
    let place = cargo::temp_dir("readme-")?;
    std::fs::copy(cargo::root().join("README.md"), place.path().join("README.md"))?;
    std::os::unix::fs::symlink(cargo::root().join("docs"), place.path().join("docs"))?;
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &session]).current_dir(place.path());
    python.on_path(&mut bash)?;
    bash.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = timeout(LIMIT, bash.output()).await.context("the session hangs")??;
    let shown = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "the session ended with {}, after:\n{shown}", output.status);
    for wanted in ["notes/readme.md", "docs/limits.md", "# Carob", "bafkrei"] {
        ensure!(shown.contains(wanted), "the session does not show {wanted:?}:\n{shown}");
    }
    println!("ok     README.md");
    Ok(())
}

/// The first `sh` block below `heading`.
fn shell_block<'a>(text: &'a str, heading: &str) -> Option<&'a str> {
    let (_, below) = text.split_once(heading)?;
    let (_, block) = below.split_once("```sh\n")?;
    Some(block.split_once("```")?.0)
}

#[cfg(test)]
mod tests {
    use super::shell_block;

    #[test]
    fn the_block_below_the_heading_is_found() {
        let text = "## A\n```sh\none\n```\n## B\ntext\n```sh\ntwo\n```\n";
        assert_eq!(shell_block(text, "## B"), Some("two\n"));
        assert_eq!(shell_block(text, "## C"), None);
    }
}
