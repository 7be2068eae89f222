//! Exports and proofs of a real gateway, checked by programs that are not ours: `fixtures/verifier`, in JavaScript and in
//! Python.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::node;
use crate::python::Python;
use crate::s3::Payload;

const LIMIT: Duration = Duration::from_mins(5);
const PACKAGES: &str = include_str!("../../../fixtures/verifier/package.json");
const SCRIPTS: [&str; 2] = ["verify.mjs", "check.mjs"];
const BUCKET: &str = "verified";

/// What is proven, by the name of the file.
const PROOFS: &[(&str, &[&str])] = &[
    ("there", &["s3://verified/dir/0042"]),
    ("body", &["s3://verified/large", "--body"]),
    ("parts", &["s3://verified/parts"]),
    ("parts-body", &["s3://verified/parts", "--body"]),
    ("long-record", &["s3://verified/described", "--body"]),
    ("absent", &["s3://verified/dir/absent"]),
    ("behind-all", &["s3://verified/zzz"]),
    ("listing", &["s3://verified/dir/00", "--list"]),
    ("whole-listing", &["s3://verified/", "--list"]),
    ("empty-listing", &["s3://verified/dir/x", "--list"]),
];

/// Arguments of `xtask conformance verifier`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifierArgs {
    #[command(flatten)]
    binary: BinaryArgs,
}

#[derive(Deserialize)]
struct Status {
    space: String,
}

impl VerifierArgs {
    pub(super) async fn run(self) -> Result<()> {
        let binary = self.binary.resolve(Profile::Dev)?;
        run(&binary, &self.binary.resolve_admin(Profile::Dev)?).await
    }
}

/// The job, with these programs.
pub(super) async fn run(binary: &Path, carob: &Path) -> Result<()> {
    let scripts = install().await?;
    let python = Python::install().await?;
    let work = cargo::temp_dir("verifier-")?;
    let gateway = Gateway::start(binary, &work.path().join("data")).await?;
    let checked = check(&gateway, carob, &scripts, work.path()).await;
    gateway.stop().await?;
    checked?;
    python.run(&cargo::root().join("fixtures/verifier/read.py"), &[work.path()]).await
}

/// The packages, with the scripts beside them: ES modules are looked for from where the importing one lies.
async fn install() -> Result<PathBuf> {
    let modules = node::install_into("verifier", PACKAGES).await?;
    let dir = modules.parent().context("node_modules lies in a directory")?.to_owned();
    for script in SCRIPTS {
        std::fs::copy(cargo::root().join("fixtures/verifier").join(script), dir.join(script))?;
    }
    Ok(dir)
}

async fn check(gateway: &Gateway, carob: &Path, scripts: &Path, work: &Path) -> Result<()> {
    fill(gateway, work).await?;
    let run = async |args: &[&str]| -> Result<Vec<u8>> {
        let mut command = Command::new(carob);
        command.arg("--data").arg(gateway.data()).args(args).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(LIMIT, command.output()).await??;
        ensure!(output.status.success(), "carob {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    };
    let status: Status = serde_json::from_slice(&run(&["--json", "status"]).await?)?;
    std::fs::write(work.join("export.car"), run(&["export", BUCKET]).await?)?;
    std::fs::write(work.join("history.car"), run(&["export", BUCKET, "--history"]).await?)?;
    for (name, args) in PROOFS {
        std::fs::write(work.join(format!("{name}.car")), run(&[&["prove"], *args].concat()).await?)?;
    }
    let mut node = Command::new("node");
    node.arg("check.mjs").arg(work).arg(&status.space).current_dir(scripts);
    let ended = timeout(LIMIT, node.stdin(Stdio::null()).kill_on_drop(true).status()).await;
    let ended = ended.context("the verifier hangs")?.context("the verifier needs Node.js")?;
    ensure!(ended.success(), "the verifier ended with {ended}");
    Ok(())
}

/// Enough keys for a tree with levels, bodies of no, one and several blocks, and a record that needs a block of its own.
async fn fill(gateway: &Gateway, work: &Path) -> Result<()> {
    let client = gateway.client()?;
    client.create_bucket(BUCKET).await?;
    let mut bodies: Vec<(String, Bytes)> =
        (0..300).map(|n| (format!("dir/{n:04}"), Bytes::from(format!("body {}", n / 2)))).collect();
    bodies.push(("empty".into(), Bytes::new()));
    bodies.push(("described".into(), "words".into()));
    bodies.push(("large".into(), large_body(3_500_000)));
    let mut expected = BTreeMap::new();
    for (key, body) in bodies {
        let mut headers = HeaderMap::new();
        if key == "described" {
            headers.insert("x-amz-meta-description", "v".repeat(1500).parse()?);
        }
        expected.insert(key.clone(), hex::encode(Sha256::digest(&body)));
        client.put(BUCKET, &key, headers, Payload::Signed(body)).await?;
    }
    // In parts whose sizes are no whole leaves, so that the body has a tree of its own.
    let (first, second) = (large_body(5_300_000), large_body(70_000));
    let id = client.begin_upload(BUCKET, "parts", HeaderMap::new()).await?;
    let mut etags = Vec::new();
    for (number, part) in [(1, &first), (2, &second)] {
        etags.push((
            number,
            client.put_part(BUCKET, "parts", &id, number, Payload::Signed(part.clone())).await?,
        ));
    }
    let etags: Vec<_> = etags.iter().map(|(number, etag)| (*number, etag.as_str())).collect();
    client.complete_upload(BUCKET, "parts", &id, &etags, HeaderMap::new()).await?;
    expected.insert("parts".into(), hex::encode(Sha256::digest([first, second].concat())));
    std::fs::write(work.join("expected.json"), serde_json::to_vec(&expected)?)?;
    Ok(())
}

fn large_body(length: u32) -> Bytes {
    (0..length).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect()
}
