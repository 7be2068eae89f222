//! `If-None-Match: *` makes exactly one of many writers the creator of a key.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use md5::{Digest, Md5};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Site, check_memory};
use crate::cargo;
use crate::gateway::Gateway;
use crate::s3::{Client, Failure, Payload};

const BUCKET: &str = "race";
const WRITERS: u32 = 64;
/// Bodies of a round, in turn: within one packet, of some, beyond what a socket holds.
const SIZES: [usize; 3] = [16, 4096, 300_000];

/// What a writer was told.
enum Told {
    Won(String),
    /// 412 PreconditionFailed.
    Late,
    /// 409 ConditionalRequestConflict.
    Conflict,
}

pub(super) async fn run(site: &Site, rounds: u32) -> Result<()> {
    println!("== race: {WRITERS} writers, {rounds} rounds");
    let data = cargo::temp_dir("race-")?;
    let gateway = Gateway::start(&site.binary, &data.path().join("data")).await?;
    let client = gateway.client()?;
    client.create_bucket(BUCKET).await?;
    let begun = Instant::now();
    let (mut late, mut conflicts) = (0, 0);
    for n in 0..rounds {
        let told = round(&client, site.seed, n).await.with_context(|| format!("round {n}"))?;
        let winners: Vec<_> = told.iter().filter(|(_, told)| matches!(told, Told::Won(_))).collect();
        let [(writer, Told::Won(etag))] = winners.as_slice() else {
            bail!("round {n}: {} winners", winners.len());
        };
        let object = client.get(BUCKET, &key(n)).await?.with_context(|| format!("round {n}: no object"))?;
        let body = body(site.seed, n, *writer);
        ensure!(object.body == body, "round {n}: the stored body is not that of the winner, {writer}");
        ensure!(*etag == hex::encode(Md5::digest(&body)), "round {n}: the winner was given another ETag");
        late += told.iter().filter(|(_, told)| matches!(told, Told::Late)).count();
        conflicts += told.iter().filter(|(_, told)| matches!(told, Told::Conflict)).count();
    }
    println!("{rounds} winners, {late} answers 412, {conflicts} answers 409, in {:.0?}", begun.elapsed());
    check_memory(&gateway)?;
    gateway.stop().await
}

async fn round(client: &Client, seed: u64, n: u32) -> Result<Vec<(u32, Told)>> {
    let start = Arc::new(Barrier::new(WRITERS as usize));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (client, start) = (client.clone(), Arc::clone(&start));
        writers.spawn(async move {
            let body = body(seed, n, writer);
            start.wait().await;
            create(&client, &key(n), body).await.map(|told| (writer, told))
        });
    }
    let mut told = Vec::new();
    while let Some(answer) = writers.join_next().await {
        told.push(answer??);
    }
    Ok(told)
}

async fn create(client: &Client, key: &str, body: Bytes) -> Result<Told, Failure> {
    let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("*"))]);
    match client.put(BUCKET, key, headers, Payload::Signed(body)).await {
        Ok(etag) => Ok(Told::Won(etag)),
        Err(Failure::Refused { status, code, .. }) if status == 412 && code == "PreconditionFailed" => {
            Ok(Told::Late)
        }
        Err(Failure::Refused { status, code, .. })
            if status == 409 && code == "ConditionalRequestConflict" =>
        {
            Ok(Told::Conflict)
        }
        Err(failure) => Err(failure),
    }
}

fn key(round: u32) -> String {
    format!("key-{round}")
}

/// No two writers send the same.
fn body(seed: u64, round: u32, writer: u32) -> Bytes {
    let mut body = vec![0; SIZES[round as usize % SIZES.len()]];
    let mut hasher = blake3::Hasher::new();
    for part in [seed, round.into(), writer.into()] {
        hasher.update(&part.to_le_bytes());
    }
    hasher.finalize_xof().fill(&mut body);
    body.into()
}
