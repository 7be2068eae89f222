//! Differences, restores, branches and merges.

use std::io;

use anyhow::{Context, bail};
use carob_http::api::{Branched, Change, Grafted, MergeRule, Restore};
use carob_http::client::{Client, DiffOptions};
use serde::Serialize;

use crate::cli::{Rule, State};
use crate::commands::Out;
use crate::output::bytes;

/// How much of a difference is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Changes,
    Names,
    Counts,
}

impl Shown {
    pub(crate) fn of(stat: bool, name_only: bool) -> Self {
        match (stat, name_only) {
            (true, _) => Self::Counts,
            (false, true) => Self::Names,
            (false, false) => Self::Changes,
        }
    }
}

/// How many keys differ, and what that does to the bytes.
#[derive(Debug, Default, Serialize)]
struct Counts {
    added: u64,
    removed: u64,
    changed: u64,
    bytes_added: u64,
    bytes_removed: u64,
}

/// What two arguments of `carob diff` compare.
pub(crate) fn compared(
    old: &State,
    new: Option<State>,
    prefix: Option<String>,
) -> anyhow::Result<DiffOptions> {
    let bucket = old.bucket.as_ref().context("the earlier state needs a bucket: BUCKET@MOMENT")?;
    let (to_bucket, to) = match new {
        Some(State { bucket: other, at }) => (other.filter(|other| other != bucket), at),
        None => (None, None),
    };
    if old.at.is_none() && to_bucket.is_none() && to.is_some() {
        bail!("the earlier state needs a moment: {bucket}@MOMENT");
    }
    Ok(DiffOptions { from: old.at.clone(), to, to_bucket, prefix, key: None })
}

pub(crate) async fn diff(
    client: &Client,
    bucket: &str,
    options: &DiffOptions,
    shown: Shown,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut counts = Counts::default();
    let each = |change: Change| -> io::Result<()> {
        match shown {
            Shown::Counts => counts.add(&change),
            Shown::Names => out.line(&change.key, String::clone)?,
            Shown::Changes => out.line(&change, line)?,
        }
        Ok(())
    };
    client.diff(bucket, options, each).await?;
    if shown == Shown::Counts {
        out.one(&counts, Counts::fields)?;
    }
    Ok(())
}

fn line(change: &Change) -> String {
    let (sign, size) = match (&change.old, &change.new) {
        (Some(old), Some(new)) => ('~', format!("{} -> {}", old.size, new.size)),
        (None, Some(new)) => ('+', new.size.to_string()),
        (Some(old), None) => ('-', old.size.to_string()),
        (None, None) => (' ', String::new()),
    };
    format!("{sign} {size:>20}  {}", change.key)
}

impl Counts {
    fn add(&mut self, change: &Change) {
        match (&change.old, &change.new) {
            (Some(_), Some(_)) => self.changed += 1,
            (None, _) => self.added += 1,
            (_, None) => self.removed += 1,
        }
        self.bytes_added += change.new.as_ref().map_or(0, |object| object.size);
        self.bytes_removed += change.old.as_ref().map_or(0, |object| object.size);
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("added", self.added.to_string()),
            ("removed", self.removed.to_string()),
            ("changed", self.changed.to_string()),
            ("bytes added", bytes(self.bytes_added)),
            ("bytes removed", bytes(self.bytes_removed)),
        ]
    }
}

pub(crate) async fn restore(
    client: &Client,
    bucket: &str,
    restore: Restore,
    dry_run: bool,
    out: &mut Out,
) -> anyhow::Result<()> {
    if dry_run {
        let Restore { at, prefix, key } = restore;
        // From now to then; the bucket twice, since the newest commit alone is what two times now would mean.
        let to_bucket = Some(bucket.to_owned());
        let options = DiffOptions { from: None, to: Some(at), to_bucket, prefix, key };
        return diff(client, bucket, &options, Shown::Changes, out).await;
    }
    out.one(&client.restore(bucket, &restore).await?, grafted)?;
    Ok(())
}

pub(crate) fn rule(rule: &Rule) -> MergeRule {
    match (rule.ours, rule.theirs) {
        (true, _) => MergeRule::Ours,
        (_, true) => MergeRule::Theirs,
        _ => MergeRule::Fail,
    }
}

pub(crate) fn grafted(grafted: &Grafted) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("commit", grafted.commit.clone()),
        ("from", grafted.from.clone()),
        ("objects", format!("{} (before: {})", grafted.objects, grafted.objects_before)),
    ];
    fields.extend(grafted.conflicts.iter().map(|key| ("conflict", key.clone())));
    fields
}

pub(crate) fn branched(branched: &Branched) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("bucket", branched.name.clone()),
        ("owner", branched.owner.clone()),
        ("from", branched.from.clone()),
        ("objects", branched.objects.to_string()),
        ("size", bytes(branched.bytes)),
    ];
    if branched.past > 0 {
        fields.push(("past states", branched.past.to_string()));
    }
    fields
}
