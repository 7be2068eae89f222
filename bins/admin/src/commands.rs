//! The commands of `carob`, each a request to the gateway or a read of files.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, StdoutLock, stdout};

use anyhow::{Context, bail};
use carob_http::api::{Branch, Bucket, Entry, LogEntry, Merge, Object, Restore, Status, Undelete, Usage};
use carob_http::client::{Client, ListOptions, Question};
use carob_local::Losses;

use crate::cli::{AuditCommand, BucketCommand, Cli, Command, Size, Target};
use crate::encryption_keys;
use crate::output::{Output, bytes};
use crate::{accounts, audit, connect, fsck, get, history, keep, pull, verify};

pub(crate) type Out = Output<BufWriter<StdoutLock<'static>>>;

pub(crate) async fn run(cli: Cli) -> anyhow::Result<()> {
    let client = connect::client(&cli.gateway)?;
    if let Command::Export { bucket, history, at } = &cli.command {
        return export(&client, bucket, *history, at.at.as_deref()).await;
    }
    if let Command::Prove { target, list, body, at } = &cli.command {
        if !list {
            names_an_object(target, "prove")?;
        }
        let key = target.key.as_str();
        let question = if *list { Question::Prefix(key) } else { Question::Key { key, body: *body } };
        not_for_a_terminal("prove s3://bucket/key > key.car")?;
        client.prove(&target.bucket, &question, at.at.as_deref(), &mut tokio::io::stdout()).await?;
        return Ok(());
    }
    if let Command::Get { target, range, space, output, at, verify: _ } = &cli.command {
        names_an_object(target, "get")?;
        let wanted = get::Wanted { target, range: *range, at: at.at.as_deref(), space: *space };
        let Some(path) = output else { return get::to_stdout(&client, &wanted).await };
        let got = get::to_file(&client, &wanted, path).await?;
        let mut out = Output::new(BufWriter::new(stdout().lock()), cli.json);
        out.one(&got, get::fields)?;
        return Ok(out.flush()?);
    }
    let mut out = Output::new(BufWriter::new(stdout().lock()), cli.json);
    match cli.command {
        Command::Status => out.one(&client.status().await?, status)?,
        Command::Bucket(BucketCommand::Ls) => {
            let columns = ["NAME", "OWNER", "CREATED", "KEEPS", "ID"];
            out.table(columns, &client.buckets().await?, |bucket| {
                let Bucket { name, owner, created, retention, id } = bucket.clone();
                [name, owner, created, keep::keeps(retention), id]
            })?;
        }
        Command::Account(command) => accounts::account(&client, command, &mut out).await?,
        Command::Key(command) => accounts::key(&client, command, &mut out).await?,
        Command::Kms(command) => encryption_keys::run(&client, command, &mut out).await?,
        Command::Ls { target, recursive, at } => list(&client, target, recursive, at.at, &mut out).await?,
        Command::Du { target: Target { bucket, key }, at } => {
            out.one(&client.usage(&bucket, &key, at.at.as_deref()).await?, usage)?;
        }
        Command::Stat { target, at } => {
            names_an_object(&target, "stat")?;
            out.one(&client.stat(&target.bucket, &target.key, at.at.as_deref()).await?, object)?;
        }
        Command::Diff { old, new, prefix, stat, name_only } => {
            let options = history::compared(&old, new, prefix)?;
            let bucket = old.bucket.unwrap_or_default();
            history::diff(&client, &bucket, &options, history::Shown::of(stat, name_only), &mut out).await?;
        }
        Command::Restore { bucket, at, prefix, key, dry_run } => {
            let restore = Restore { at, prefix, key };
            history::restore(&client, &bucket, restore, dry_run, &mut out).await?;
        }
        Command::Branch { bucket, name, at, owner } => {
            let branched = client.branch(&bucket, &Branch { name, at: at.at, owner }).await?;
            out.one(&branched, history::branched)?;
        }
        Command::Pull { url, bucket, history, space, max_bytes } => {
            let pulled = pull::run(&client, &cli.gateway, url, bucket, history, space, max_bytes).await?;
            out.one(&pulled, pull::fields)?;
        }
        Command::Import { file, bucket, owner, max_bytes } => {
            let opened = File::open(&file).with_context(|| format!("cannot open {}", file.display()))?;
            let max_bytes = max_bytes.map(|Size(bytes)| bytes);
            let imported = client.import(&bucket, owner.as_deref(), max_bytes, opened).await?;
            out.one(&imported, history::branched)?;
        }
        Command::Merge { from, into, rule } => {
            let merged = client.merge(&into, &Merge { from, rule: history::rule(&rule) }).await?;
            out.one(&merged, history::grafted)?;
        }
        Command::Log { bucket, limit } => {
            let limit = limit.and_then(|limit| usize::try_from(limit).ok());
            let columns = ["SEQ", "TIME", "OBJECTS", "BYTES", "COMMIT"];
            out.table(columns, &client.log(&bucket, limit).await?, log_row)?;
        }
        Command::Retention { bucket, all, hourly } => {
            keep::retention(&client, &bucket, all, hourly, &mut out).await?;
        }
        Command::Snapshot(command) => keep::snapshot(&client, command, &mut out).await?,
        Command::Gc { dry_run, full } => keep::gc(&client, dry_run, full, &mut out).await?,
        Command::Purge { target: Target { bucket, key }, dry_run } => {
            keep::purge(&client, &bucket, key, dry_run, &mut out).await?;
        }
        Command::Undelete { bucket: None, .. } => keep::deleted(&client, &mut out).await?,
        Command::Undelete { bucket: Some(bucket), id, name } => {
            keep::undelete(&client, &bucket, Undelete { id, name }, &mut out).await?;
        }
        // Handled above: they write no text.
        Command::Export { .. } | Command::Get { .. } | Command::Prove { .. } => {}
        Command::Fsck => fsck::check(cli.gateway.data(), &mut out).await?,
        Command::Repair { accept_loss } => {
            let losses = if accept_loss { Losses::Accept } else { Losses::Report };
            fsck::repair(cli.gateway.data(), losses, &mut out)?;
        }
        Command::Audit(AuditCommand::Verify { files }) => audit::verify(&files, &mut out)?,
        Command::Verify { file, space } => verify::run(&file, space.as_ref(), &mut out).await?,
    }
    Ok(out.flush()?)
}

/// Says what to type where a bucket stands in an object's place.
fn names_an_object(Target { bucket, key }: &Target, command: &str) -> anyhow::Result<()> {
    if key.is_empty() {
        bail!(
            "{bucket} is a bucket, and carob {command} takes an object, as in carob {command} s3://{bucket}/KEY: \
             carob ls {bucket} lists them, carob du {bucket} counts them"
        );
    }
    Ok(())
}

async fn list(
    client: &Client,
    target: Target,
    recursive: bool,
    at: Option<String>,
    out: &mut Out,
) -> anyhow::Result<()> {
    let delimiter = (!recursive).then(|| "/".to_owned());
    let mut options = ListOptions { prefix: target.key, delimiter, token: None, at };
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
    fields.extend(object.encryption.iter().map(|how| ("encrypted", how.clone())));
    fields.push(("commit", object.commit.clone()));
    fields
}

async fn export(client: &Client, bucket: &str, history: bool, at: Option<&str>) -> anyhow::Result<()> {
    not_for_a_terminal(&format!("export {bucket} > {bucket}.car"))?;
    let to = &mut tokio::io::stdout();
    if history {
        client.export_history(bucket, to).await?
    } else {
        client.export(bucket, at, to).await?
    };
    Ok(())
}

fn not_for_a_terminal(example: &str) -> anyhow::Result<()> {
    if stdout().is_terminal() {
        bail!("a CAR is not for the terminal: write it to a file, as in carob {example}");
    }
    Ok(())
}
