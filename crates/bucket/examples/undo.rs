//! How long it takes to name a snapshot of a bucket of many keys, to branch it, to compare and to merge what differs, to
//! delete all keys, and to bring them back, on a real disk.
//!
//! `cargo run --release -p carob-bucket --example undo -- DIRECTORY [KEYS]`

#![expect(clippy::print_stdout, reason = "it reports to the person at the terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carob_bucket::{Bucket, DeleteOptions, MergeRule, Moment, Portion, PutOptions, Space, SpaceOptions};
use carob_identity::{Clock, SeededEntropy, SpaceKey, Timestamp};
use carob_local::{LocalOptions, LocalStore};
use futures::future::try_join_all;

/// Writers at a time, and keys of one deletion.
const BATCH: usize = 1000;

#[derive(Debug)]
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp(since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("where? DIRECTORY [KEYS]")?);
    let count: usize = arguments.next().map_or(Ok(1_000_000), |keys| keys.parse())?;
    let store = Arc::new(LocalStore::open(LocalOptions::new(directory, [7; 16]))?);
    let options = SpaceOptions {
        store: store.clone(),
        signer: Arc::new(SpaceKey::generate(&SeededEntropy::new(1))),
        clock: Arc::new(Wall),
        entropy: Arc::new(SeededEntropy::new(2)),
        cache_bytes: 64 << 20,
    };
    let space = Space::open(options).await?;
    space.create_bucket("garden").await?;
    let garden = space.bucket("garden").await?;
    let keys: Vec<String> = (0..count).map(|n| format!("beds/{:03}/plant-{n:07}", n % 1000)).collect();

    let begun = Instant::now();
    for some in keys.chunks(BATCH) {
        try_join_all(some.iter().map(|key| put(&garden, key, 0))).await?;
    }
    told("put, each key by itself", count, begun.elapsed());
    let then = garden.snapshot().await?;

    let begun = Instant::now();
    garden.create_snapshot("then", None).await?;
    told("snapshot", count, begun.elapsed());

    let begun = Instant::now();
    space.branch(&garden, &then, "draft", *space.did()).await?;
    told("branch", count, begun.elapsed());

    let draft = space.bucket("draft").await?;
    for changed in [1, 100, 10_000].into_iter().filter(|changed| *changed < count) {
        differ(&garden, &draft, &keys, changed).await?;
    }
    let then = garden.snapshot().await?;

    let begun = Instant::now();
    for some in keys.chunks(BATCH) {
        let all = some.iter().map(|key| (key.clone(), DeleteOptions::default())).collect();
        for deleted in garden.delete_many(all).await? {
            deleted?;
        }
    }
    told("delete, 1,000 keys at a time", count, begun.elapsed());
    let empty = garden.snapshot().await?;

    let begun = Instant::now();
    let moment = Moment::At(then.commit().time.timestamp());
    let restored = garden.restore(&moment, Portion::Whole).await?;
    told("restore of the whole bucket", count, begun.elapsed());
    assert_eq!((restored.objects_before, restored.objects), (0, count as u64));
    assert_eq!(garden.snapshot().await?.commit().objects, then.commit().objects);

    garden.restore(&Moment::from(empty.cid()), Portion::Whole).await?;
    let begun = Instant::now();
    let restored = garden.restore(&moment, Portion::Prefix("beds/042/".into())).await?;
    told("restore of a thousandth, by prefix", usize::try_from(restored.objects)?, begun.elapsed());
    space.close().await;
    store.close().await?;
    Ok(())
}

/// Changes as many keys of the branch, spread over all, and brings them back into the bucket.
async fn differ(
    garden: &Bucket,
    draft: &Bucket,
    keys: &[String],
    changed: usize,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let some: Vec<&String> = keys.iter().step_by(keys.len() / changed).take(changed).collect();
    for some in some.chunks(BATCH) {
        try_join_all(some.iter().map(|key| put(draft, key, changed))).await?;
    }
    let (ours, theirs) = (garden.snapshot().await?, draft.snapshot().await?);
    let begun = Instant::now();
    let mut changes = ours.changes(&theirs, Portion::Whole);
    let mut found = 0;
    while changes.next().await?.is_some() {
        found += 1;
    }
    told("diff, of so many that differ", found, begun.elapsed());
    let begun = Instant::now();
    garden.merge(draft, MergeRule::Fail).await?;
    told("merge, of so many that differ", changed, begun.elapsed());
    assert_eq!((found, garden.snapshot().await?.commit().objects), (changed, theirs.commit().objects));
    Ok(())
}

async fn put(bucket: &Bucket, key: &str, to: usize) -> Result<(), carob_bucket::BucketError> {
    let mut upload = bucket.upload(&[]);
    upload.write(format!("{key} {to}").into()).await?;
    bucket.put(key, upload.finish().await?, PutOptions::default()).await.map(|_| ())
}

fn told(what: &str, keys: usize, time: Duration) {
    println!("{what:<36} {keys:>9} keys {time:>12.1?}");
}
