//! An object of which nothing is believed but the space's key: the proof of its record, and slices of its bytes.

use std::io::Cursor;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use carob_commit::{Answer, Proven, Verified, check_slices, verify_file};
use carob_http::api::rfc3339;
use carob_http::client::{Client, Question};
use carob_identity::Did;
use futures::{Stream, TryStreamExt};
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::cli::{ByteRange, Target};
use crate::output::bytes;

/// What to get.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) target: &'a Target,
    pub(crate) range: Option<ByteRange>,
    pub(crate) at: Option<&'a str>,
    pub(crate) space: Option<Did>,
}

/// What was written to a file.
#[derive(Debug, Serialize)]
pub(crate) struct Got {
    bucket: String,
    key: String,
    size: u64,
    first: u64,
    bytes: u64,
    space: String,
    commit: String,
    time: String,
}

/// Writes the bytes to standard output, which nobody else may hold meanwhile.
pub(crate) async fn to_stdout(client: &Client, wanted: &Wanted<'_>) -> anyhow::Result<()> {
    let proven = proven(client, wanted).await?;
    receive(client, wanted, &proven, &mut tokio::io::stdout()).await?;
    Ok(())
}

/// Writes them to a file, which is there when all of it is.
pub(crate) async fn to_file(client: &Client, wanted: &Wanted<'_>, path: &Path) -> anyhow::Result<Got> {
    let proven = proven(client, wanted).await?;
    let shown = path.display();
    // Beside it, so that it can be renamed; nobody takes for proven what is not.
    let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(beside);
    let file = file.with_context(|| format!("cannot write to {}", beside.display()))?;
    let mut writer = tokio::fs::File::from_std(file.reopen()?);
    let range = receive(client, wanted, &proven, &mut writer).await?;
    writer.sync_all().await.with_context(|| format!("cannot write {shown}"))?;
    file.persist(path).with_context(|| format!("cannot write {shown}"))?;
    Ok(got(&wanted.target.key, &proven, range))
}

/// What proves the object: the commit, and the way down the index to its record.
async fn proven(client: &Client, wanted: &Wanted<'_>) -> anyhow::Result<Proven> {
    let Target { bucket, key } = wanted.target;
    let space = match wanted.space {
        Some(space) => space,
        None if client.is_remote() => bail!("name the space whose key is trusted: --space did:key:…"),
        None => client.status().await?.space.parse().context("the gateway's space has no DID")?,
    };
    let mut car = Vec::new();
    client.prove(bucket, &Question::Key { key, body: false }, wanted.at, &mut car).await?;
    let verified = verify_file(Cursor::new(car), Some(&space)).await;
    let proven = match verified.context("the gateway's proof is not authentic")? {
        Verified::Proof(proven) => proven,
        Verified::Export(_) => bail!("the gateway sent something else than a proof"),
    };
    let asked = carob_commit::Question::Key(key.clone());
    ensure!(proven.claim.question == asked, "the gateway's proof is of another key");
    ensure!(proven.commit.name == *bucket, "the gateway's proof is of the bucket {}", proven.commit.name);
    Ok(proven)
}

/// Writes the bytes, each once it is proven; says which they are.
async fn receive(
    client: &Client,
    wanted: &Wanted<'_>,
    proven: &Proven,
    to: &mut (impl AsyncWrite + Unpin),
) -> anyhow::Result<Range<u64>> {
    let Target { bucket, key } = wanted.target;
    let Answer::Object(record, _) = &proven.answer else {
        bail!("there is no object {key:?}, and that is proven");
    };
    let pieces =
        proven.answer.pieces().context("the object is encrypted: nothing proves what it opens to")?;
    let range = match wanted.range {
        Some(range) => range.of(record.size).context("the object has no such bytes, and that is proven")?,
        None => 0..record.size,
    };
    let commit = proven.commit.cid().to_string();
    let slices = client.slices(bucket, key, &commit, range.clone()).await?;
    let bytes = check_slices(pieces, range.clone(), slices).context("the object is not what was proven")?;
    write(bytes, to).await?;
    Ok(range)
}

async fn write<E>(
    bytes: impl Stream<Item = Result<impl AsRef<[u8]>, E>>,
    to: &mut (impl AsyncWrite + Unpin),
) -> anyhow::Result<()>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut bytes = std::pin::pin!(bytes);
    while let Some(piece) = bytes.try_next().await.context("the object is not what was proven")? {
        to.write_all(piece.as_ref()).await.context("cannot write the output")?;
    }
    to.flush().await.context("cannot write the output")
}

fn got(key: &str, proven: &Proven, range: Range<u64>) -> Got {
    let Proven { commit, answer, .. } = proven;
    let size = if let Answer::Object(record, _) = answer { record.size } else { 0 };
    Got {
        bucket: commit.name.clone(),
        key: key.to_owned(),
        size,
        first: range.start,
        bytes: range.end.saturating_sub(range.start),
        space: commit.space.to_string(),
        commit: commit.cid().to_string(),
        time: rfc3339(commit.time.millis),
    }
}

pub(crate) fn fields(got: &Got) -> Vec<(&'static str, String)> {
    vec![
        ("verdict", "every byte is proven".into()),
        ("bucket", got.bucket.clone()),
        ("key", got.key.clone()),
        ("size", bytes(got.size)),
        ("written", format!("{} from byte {}", bytes(got.bytes), got.first)),
        ("space", got.space.clone()),
        ("commit", got.commit.clone()),
        ("time", got.time.clone()),
    ]
}
