//! The commands of `carob`, each a request to the gateway or a read of files.

use std::fs::File;
use std::io::{BufReader, BufWriter, IsTerminal, StdoutLock, stdout};
use std::path::Path;

use anyhow::{Context, bail};
use carob_http::api::{Entry, LogEntry, Object, Status, Usage, rfc3339};
use carob_http::client::{Client, ListOptions};
use carob_identity::Did;
use serde::Serialize;

use crate::accounts;
use crate::cli::{BucketCommand, Cli, Command, Target};
use crate::output::{Output, bytes};

pub(crate) type Out = Output<BufWriter<StdoutLock<'static>>>;

pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    let client = Client::new(cli.gateway.socket());
    if let Command::Export { bucket } = &cli.command {
        return export(&client, bucket).await;
    }
    let mut out = Output::new(BufWriter::new(stdout().lock()), cli.json);
    match cli.command {
        Command::Status => out.one(&client.status().await?, status)?,
        Command::Bucket(BucketCommand::Ls) => {
            out.table(["NAME", "OWNER", "CREATED", "ID"], &client.buckets().await?, |bucket| {
                [bucket.name.clone(), bucket.owner.clone(), bucket.created.clone(), bucket.id.clone()]
            })?;
        }
        Command::Account(command) => accounts::account(&client, command, &mut out).await?,
        Command::Key(command) => accounts::key(&client, command, &mut out).await?,
        Command::Ls { target, recursive } => list(&client, target, recursive, &mut out).await?,
        Command::Du { target } => out.one(&client.usage(&target.bucket, &target.key).await?, usage)?,
        Command::Stat { target } => out.one(&client.stat(&target.bucket, &target.key).await?, object)?,
        Command::Log { bucket, limit } => {
            let limit = limit.and_then(|limit| usize::try_from(limit).ok());
            let columns = ["SEQ", "TIME", "OBJECTS", "BYTES", "COMMIT"];
            out.table(columns, &client.log(&bucket, limit).await?, log_row)?;
        }
        // Handled above: it writes no text.
        Command::Export { .. } => {}
        Command::Verify { file, space } => out.one(&verify(&file, space.as_ref()).await?, verified)?,
    }
    Ok(out.flush()?)
}

async fn list(client: &Client, target: Target, recursive: bool, out: &mut Out) -> anyhow::Result<()> {
    let delimiter = (!recursive).then(|| "/".to_owned());
    let mut options = ListOptions { prefix: target.key, delimiter, token: None };
    loop {
        let page = client.list(&target.bucket, &options).await?;
        for entry in &page.entries {
            out.line(entry, list_line)?;
        }
        match page.next {
            Some(next) => options.token = Some(next),
            None => return Ok(()),
        }
    }
}

fn list_line(entry: &Entry) -> String {
    match entry {
        Entry::Object { key, size, modified, .. } => format!("{modified}  {size:>14}  {key}"),
        Entry::Prefix { prefix } => format!("{:24}  {:>14}  {prefix}", "", "PRE"),
    }
}

fn log_row(entry: &LogEntry) -> [String; 5] {
    let LogEntry { cid, seq, time, objects, bytes, .. } = entry;
    [seq.to_string(), time.clone(), objects.to_string(), bytes.to_string(), cid.clone()]
}

fn usage(usage: &Usage) -> Vec<(&'static str, String)> {
    vec![
        ("objects", usage.objects.to_string()),
        ("size", bytes(usage.bytes)),
        ("commit", usage.commit.clone()),
    ]
}

fn status(status: &Status) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("version", status.version.clone()),
        ("space", status.space.clone()),
        ("uptime", format!("{} s", status.uptime_seconds)),
        ("buckets", status.buckets.to_string()),
    ];
    let store: Vec<String> = status.store.iter().map(|(name, value)| format!("{value} {name}")).collect();
    fields.push(("store", store.join(", ")));
    fields
}

fn object(object: &Object) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("key", object.key.clone()),
        ("cid", object.cid.clone()),
        ("size", bytes(object.size)),
        ("modified", object.modified.clone()),
        ("etag", object.etag.clone()),
    ];
    for part in &object.blake3 {
        fields.push(("blake3", part.root.clone()));
        fields.extend(part.outboard.iter().map(|cid| ("outboard", cid.clone())));
    }
    fields.extend(object.checksum.iter().map(|sum| ("checksum", format!("{} {}", sum.algorithm, sum.value))));
    fields.extend(object.headers.iter().map(|(name, value)| ("header", format!("{name}: {value}"))));
    fields.extend(object.metadata.iter().map(|(name, value)| ("metadata", format!("{name}: {value}"))));
    fields.push(("commit", object.commit.clone()));
    fields
}

async fn export(client: &Client, bucket: &str) -> anyhow::Result<()> {
    if stdout().is_terminal() {
        bail!(
            "a CAR is not for the terminal: write it to a file, as in carob export {bucket} > {bucket}.car"
        );
    }
    client.export(bucket, &mut tokio::io::stdout()).await?;
    Ok(())
}

/// What an authentic export holds.
#[derive(Debug, Serialize)]
struct Verified {
    bucket: String,
    bucket_id: String,
    space: String,
    commit: String,
    seq: u64,
    time: String,
    author: String,
    objects: u64,
    noncurrent: u64,
    bytes: u64,
    blocks: u64,
}

async fn verify(path: &Path, space: Option<&Did>) -> anyhow::Result<Verified> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
    let report = carob_commit::verify_car(BufReader::new(file), space).await;
    let report = report.with_context(|| format!("{shown} is not authentic"))?;
    let commit = report.commit;
    Ok(Verified {
        bucket: commit.name.clone(),
        bucket_id: commit.bucket.to_string(),
        space: commit.space.to_string(),
        commit: commit.cid().to_string(),
        seq: commit.seq,
        time: rfc3339(commit.time.millis),
        author: commit.author.to_string(),
        objects: report.objects,
        noncurrent: report.noncurrent,
        bytes: report.bytes,
        blocks: report.blocks,
    })
}

fn verified(report: &Verified) -> Vec<(&'static str, String)> {
    vec![
        ("verdict", "authentic and complete".into()),
        ("bucket", report.bucket.clone()),
        ("space", report.space.clone()),
        ("signed by", report.author.clone()),
        ("commit", report.commit.clone()),
        ("seq", report.seq.to_string()),
        ("time", report.time.clone()),
        ("objects", report.objects.to_string()),
        ("noncurrent", report.noncurrent.to_string()),
        ("size", bytes(report.bytes)),
        ("blocks", report.blocks.to_string()),
    ]
}
