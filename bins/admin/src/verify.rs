//! What a file shows to somebody who trusts nothing but the space's key.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Seek, stdin};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, ensure};
use carob_commit::{Answer, Proven, Question, Record, Report};
use carob_http::api::rfc3339;
use carob_identity::Did;
use serde::Serialize;

use crate::commands::Out;
use crate::output::bytes;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    past: Option<u64>,
    blocks: u64,
}

pub(crate) async fn run(path: &Path, space: Option<&Did>, out: &mut Out) -> anyhow::Result<()> {
    let (shown, file) = if path == Path::new("-") {
        ("standard input".to_owned(), standard_input().context("cannot read standard input")?)
    } else {
        let shown = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot open {shown}"))?;
        (shown, file)
    };
    let found = carob_commit::verify_file(BufReader::new(file), space).await;
    match found.with_context(|| format!("{shown} is not authentic"))? {
        carob_commit::Verified::Export(report) => out.one(&export(report), verified)?,
        carob_commit::Verified::Proof(proven) => out.one(&proof(proven), proof_fields)?,
    }
    Ok(())
}

/// Standard input as a file that can be read twice: itself, or a copy of what comes through a pipe, without a name.
fn standard_input() -> anyhow::Result<File> {
    let mut input = File::from(stdin().as_fd().try_clone_to_owned()?);
    ensure!(!input.is_terminal(), "a CAR does not come from a terminal");
    if input.metadata()?.is_file() && input.stream_position()? == 0 {
        return Ok(input);
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut input, &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}

fn export(report: Report) -> Verified {
    let commit = report.commit;
    Verified {
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
        past: Some(report.past).filter(|past| *past > 0),
        blocks: report.blocks,
    }
}

fn verified(report: &Verified) -> Vec<(&'static str, String)> {
    let mut fields = vec![
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
    ];
    fields.extend(report.past.map(|past| ("past states", past.to_string())));
    fields
}

/// What an authentic proof shows.
#[derive(Debug, Serialize)]
struct Proof {
    proven: String,
    bucket: String,
    space: String,
    commit: String,
    seq: u64,
    time: String,
    author: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<String>,
    objects: Vec<Object>,
}

/// An object that a proof shows.
#[derive(Debug, Serialize)]
struct Object {
    key: String,
    size: u64,
    etag: String,
    cid: String,
}

fn proof(Proven { commit, claim, answer }: Proven) -> Proof {
    let (key, prefix) = match claim.question {
        Question::Key(key) => (Some(key), None),
        Question::Prefix(prefix) => (None, Some(prefix)),
    };
    let proven = match (&answer, claim.body) {
        (Answer::Object(..), true) => {
            "these bytes are under this key at this commit; they are in the file".to_owned()
        }
        (Answer::Object(..), false) => "an object of this CID is under this key at this commit".to_owned(),
        (Answer::Absent, _) => "there is no object under this key at this commit".to_owned(),
        (Answer::Listing(all), _) => {
            format!("these {} objects and no others are under this prefix at this commit", all.len())
        }
    };
    let objects = match answer {
        Answer::Object(record, _) => vec![object(key.clone().unwrap_or_default(), &record)],
        Answer::Absent => Vec::new(),
        Answer::Listing(all) => all.into_iter().map(|(key, record)| object(key, &record)).collect(),
    };
    Proof {
        proven,
        bucket: commit.name.clone(),
        space: commit.space.to_string(),
        commit: commit.cid().to_string(),
        seq: commit.seq,
        time: rfc3339(commit.time.millis),
        author: commit.author.to_string(),
        key,
        prefix,
        objects,
    }
}

fn object(key: String, record: &Record) -> Object {
    Object { key, size: record.size, etag: record.etag.to_string(), cid: record.content.to_string() }
}

fn proof_fields(proof: &Proof) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("verdict", "authentic".into()),
        ("proven", proof.proven.clone()),
        ("bucket", proof.bucket.clone()),
        ("space", proof.space.clone()),
        ("signed by", proof.author.clone()),
        ("commit", proof.commit.clone()),
        ("seq", proof.seq.to_string()),
        ("time", proof.time.clone()),
    ];
    fields.extend(proof.key.iter().map(|key| ("key", key.clone())));
    fields.extend(proof.prefix.iter().map(|prefix| ("prefix", prefix.clone())));
    for Object { key, size, cid, .. } in &proof.objects {
        fields.push(("object", format!("{cid}  {size:>14}  {key}")));
    }
    fields
}
