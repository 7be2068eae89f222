//! Retention, named snapshots, collections, deleted buckets.

use carob_http::api::{
    Collected, CollectedBucket, CreateSnapshot, DeletedBucket, NamedSnapshot, Purge, Purged, Retention,
    Undelete, Undeleted,
};
use carob_http::client::Client;

use crate::cli::{SnapshotCommand, Span};
use crate::commands::Out;
use crate::output::bytes;

pub(crate) async fn retention(
    client: &Client,
    bucket: &str,
    all: Option<Span>,
    hourly: Option<Span>,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut retention = client.retention(bucket).await?;
    if all.is_some() || hourly.is_some() {
        retention.all_seconds = all.map_or(retention.all_seconds, |Span(seconds)| seconds);
        retention.hourly_seconds = hourly.map_or(retention.hourly_seconds, |Span(seconds)| seconds);
        retention = client.set_retention(bucket, &retention).await?;
    }
    out.one(&retention, |retention| {
        vec![("all", span(retention.all_seconds)), ("hourly", span(retention.hourly_seconds))]
    })?;
    Ok(())
}

pub(crate) async fn snapshot(client: &Client, command: SnapshotCommand, out: &mut Out) -> anyhow::Result<()> {
    match command {
        SnapshotCommand::Create { bucket, name, lock_until: locked_until } => {
            let made = client.create_snapshot(&bucket, &CreateSnapshot { name, locked_until }).await?;
            out.one(&made, fields)?;
        }
        SnapshotCommand::Ls { bucket } => {
            let columns = ["NAME", "CREATED", "LOCKED UNTIL", "COMMIT"];
            out.table(columns, &client.snapshots(&bucket).await?, |snapshot| {
                let NamedSnapshot { name, commit, created, locked_until } = snapshot.clone();
                [name, created, locked_until.unwrap_or_else(|| "-".to_owned()), commit]
            })?;
        }
        SnapshotCommand::Rm { bucket, name } => {
            out.one(&client.remove_snapshot(&bucket, &name).await?, |gone| {
                vec![("removed", gone.name.clone())]
            })?;
        }
    }
    Ok(())
}

fn fields(snapshot: &NamedSnapshot) -> Vec<(&'static str, String)> {
    let mut fields = vec![("snapshot", snapshot.name.clone()), ("commit", snapshot.commit.clone())];
    fields.extend(snapshot.locked_until.iter().map(|until| ("locked until", until.clone())));
    fields
}

pub(crate) async fn gc(client: &Client, dry_run: bool, full: bool, out: &mut Out) -> anyhow::Result<()> {
    let collected = client.collect(dry_run, full).await?;
    out.one(&collected, collected_fields)?;
    Ok(())
}

pub(crate) async fn purge(
    client: &Client,
    bucket: &str,
    key: String,
    dry_run: bool,
    out: &mut Out,
) -> anyhow::Result<()> {
    let purged = client.purge(bucket, &Purge { key, dry_run }).await?;
    out.one(&purged, purged_fields)?;
    Ok(())
}

pub(crate) async fn deleted(client: &Client, out: &mut Out) -> anyhow::Result<()> {
    let columns = ["NAME", "OWNER", "DELETED", "KEEPS", "STATES", "ID"];
    out.table(columns, &client.deleted_buckets().await?, |bucket| {
        let DeletedBucket { name, id, owner, retention, states, .. } = bucket.clone();
        [name, owner, when(bucket), keeps(Some(retention)), states.to_string(), id]
    })?;
    Ok(())
}

pub(crate) async fn undelete(
    client: &Client,
    bucket: &str,
    undelete: Undelete,
    out: &mut Out,
) -> anyhow::Result<()> {
    out.one(&client.undelete(bucket, &undelete).await?, undeleted_fields)?;
    Ok(())
}

fn undeleted_fields(undeleted: &Undeleted) -> Vec<(&'static str, String)> {
    let Undeleted { name, before, others, shut } = undeleted;
    let mut fields = vec![
        ("bucket", name.clone()),
        ("id", before.id.clone()),
        ("owner", before.owner.clone()),
        ("deleted", when(before)),
        ("past states", before.states.to_string()),
        ("objects", format!("none yet: carob restore {name} --at MOMENT brings them back")),
    ];
    if *shut {
        let policy = format!(
            "is about {}, so that it denies all of {name} until it is replaced or removed",
            before.name
        );
        fields.push(("policy", policy));
    }
    let other = |other: &DeletedBucket| ("still deleted", format!("{}, {}", other.id, when(other)));
    fields.extend(others.iter().map(other));
    fields
}

/// When it was deleted.
fn when(bucket: &DeletedBucket) -> String {
    bucket.deleted.clone().unwrap_or_else(|| "?".to_owned())
}

fn purged_fields(purged: &Purged) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("versions", purged.versions.to_string()),
        ("uploads", purged.uploads.to_string()),
        ("past states", purged.states.to_string()),
        (if purged.dry_run { "would erase" } else { "erased" }, format!("{} blocks", purged.erased)),
        (if purged.dry_run { "would free" } else { "freed" }, bytes(purged.freed_bytes)),
    ];
    if purged.shared > 0 {
        let why = "other keys or buckets hold the same bytes";
        fields.push(("not erased", format!("{} blocks: {why}", purged.shared)));
    }
    fields
}

fn collected_fields(collected: &Collected) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("live", bytes(collected.live_bytes)),
        ("dead", bytes(collected.dead_bytes)),
        (if collected.dry_run { "would free" } else { "freed" }, bytes(collected.freed_bytes)),
        (if collected.dry_run { "would copy" } else { "copied" }, bytes(collected.copied_bytes)),
        ("segments", collected.segments.to_string()),
    ];
    fields.extend(collected.buckets.iter().map(|bucket| ("bucket", collected_bucket(bucket))));
    fields
}

fn collected_bucket(bucket: &CollectedBucket) -> String {
    let CollectedBucket { name, deleted, kept, dropped, uploads, .. } = bucket;
    let deleted = if *deleted { " (deleted)" } else { "" };
    format!("{name}{deleted}: {dropped} commits dropped, {kept} kept, {uploads} old uploads")
}

/// As `carob bucket ls` shows it: `1h, hourly 7d`.
pub(crate) fn keeps(retention: Option<Retention>) -> String {
    match retention {
        None => "?".to_owned(),
        Some(Retention { all_seconds: 0, hourly_seconds: 0 }) => "newest".to_owned(),
        Some(Retention { all_seconds, hourly_seconds }) => {
            format!("{}, hourly {}", span(all_seconds), span(hourly_seconds))
        }
    }
}

/// In the largest unit that leaves no rest.
fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let fits = units.iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{seconds}s"), |(unit, letter)| format!("{}{letter}", seconds / unit))
}
