//! Many multipart uploads at once: the gateway's memory stays bounded, and nothing acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use http::HeaderMap;
use tokio::time::timeout;

use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::s3::{Client, Expected, Failure, Payload, Stamped};

const MIB: u64 = 1 << 20;
const PART: u64 = 5 * MIB;
const BUCKET: &str = "load";

/// A request is tried so often, as the SDKs do, but more patiently.
const ATTEMPTS: u32 = 40;
/// The longest wait between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// No phase may take longer.
const PHASE_LIMIT: Duration = Duration::from_mins(15);

/// Arguments of `xtask load`.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    /// How many uploads are under way at once.
    #[arg(long, default_value_t = 500)]
    uploads: u32,
    /// Parts of each, of 5 MiB.
    #[arg(long, default_value_t = 3)]
    parts: u16,
    /// Most resident memory that the gateway may reach, MiB.
    #[arg(long, default_value_t = 600)]
    limit: u64,
    /// How many objects are read back at once.
    #[arg(long, default_value_t = 64)]
    readers: usize,
    /// Decides the bodies and the pauses between tries.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    binary: BinaryArgs,
}

impl LoadArgs {
    pub(crate) async fn run(self) -> Result<()> {
        let binary = self.binary.resolve(Profile::Release)?;
        let data = cargo::temp_dir("load-")?;
        let gateway = Gateway::start(&binary, &data.path().join("data")).await?;
        let load =
            Load { client: gateway.client()?, parts: self.parts, seed: self.seed, answers: Mutex::default() };
        load.client.create_bucket(BUCKET).await?;
        println!(
            "{} uploads at once, each of {} parts of 5 MiB; seed {}",
            self.uploads, self.parts, self.seed
        );
        println!("phase                 seconds      MB/s  peak memory");
        println!("idle              {:>11} {:>9} {:>8} MiB", "", "", gateway.peak_memory()? / MIB);
        let all = 0..self.uploads;
        let at_once = all.len();
        let ids = self.phase("begin", &gateway, 0, all.clone().map(|n| load.begin(n)), at_once).await?;
        let uploads = all.clone().zip(&ids);
        let bytes = u64::from(self.uploads) * u64::from(self.parts) * PART;
        let sent = uploads.clone().map(|(n, id)| load.put_parts(n, id));
        let etags = self.phase("upload parts", &gateway, bytes, sent, at_once).await?;
        let completed = uploads.zip(&etags).map(|((n, id), etags)| load.complete(n, id, etags));
        self.phase("complete", &gateway, 0, completed, at_once).await?;
        let peak = gateway.peak_memory()?;
        gateway.reset_peak_memory()?;
        self.phase("read back", &gateway, bytes, all.map(|n| load.read_back(n)), self.readers).await?;
        let peak = peak.max(gateway.peak_memory()?);
        gateway.stop().await?;

        println!("answers that were retried");
        for (answer, count) in load.answers.into_inner().unwrap_or_else(PoisonError::into_inner) {
            println!("  {answer:<22}{count}");
        }
        println!("objects read back     {}, every byte as it was sent", self.uploads);
        println!("peak memory           {} MiB, limit {} MiB", peak / MIB, self.limit);
        ensure!(peak < self.limit * MIB, "{} MiB of memory are too much", peak / MIB);
        Ok(())
    }

    /// Runs `each`, so many at once, and prints what it took.
    async fn phase<T>(
        &self,
        name: &str,
        gateway: &Gateway,
        bytes: u64,
        each: impl Iterator<Item = impl Future<Output = Result<T>>>,
        at_once: usize,
    ) -> Result<Vec<T>> {
        let begun = Instant::now();
        let all = futures::stream::iter(each).buffered(at_once.max(1)).try_collect();
        let done = timeout(PHASE_LIMIT, all)
            .await
            .with_context(|| format!("{name} took more than {PHASE_LIMIT:?}"))?
            .with_context(|| name.to_owned())?;
        let took = begun.elapsed().as_secs_f64();
        let rate = if bytes == 0 { String::new() } else { format!("{:.0}", bytes as f64 / 1e6 / took) };
        println!("{name:<18}{took:>11.1} {rate:>9} {:>8} MiB", gateway.peak_memory()? / MIB);
        Ok(done)
    }
}

/// What all uploads share.
struct Load {
    client: Client,
    parts: u16,
    seed: u64,
    /// Answers that say to come again.
    answers: Mutex<BTreeMap<String, u64>>,
}

impl Load {
    async fn begin(&self, n: u32) -> Result<String> {
        let key = key(n);
        self.patiently(n, || self.client.begin_upload(BUCKET, &key, HeaderMap::new())).await
    }

    /// One part after the other; gives their entity tags.
    async fn put_parts(&self, n: u32, id: &str) -> Result<Vec<String>> {
        let mut etags = Vec::new();
        for number in 1..=self.parts {
            let key = key(n);
            let put = || {
                let payload = Payload::Unsigned(self.body(n, number));
                self.client.put_part(BUCKET, &key, id, number, payload)
            };
            etags.push(self.patiently(n, put).await.with_context(|| format!("part {number} of {key}"))?);
        }
        Ok(etags)
    }

    async fn complete(&self, n: u32, id: &str, etags: &[String]) -> Result<()> {
        let parts: Vec<_> = (1..).zip(etags.iter().map(String::as_str)).collect();
        let key = key(n);
        let complete = || self.client.complete_upload(BUCKET, &key, id, &parts, HeaderMap::new());
        self.patiently(n, complete).await.map(drop)
    }

    async fn read_back(&self, n: u32) -> Result<()> {
        let key = key(n);
        let read = || async {
            let mut expected = Expected::new((1..=self.parts).map(|number| self.body(n, number)));
            self.client.get_streaming(BUCKET, &key, |piece| expected.check(piece)).await?;
            expected.end()
        };
        self.patiently(n, read).await.with_context(|| format!("reading {key} back"))
    }

    /// Comes again while the server says so, or breaks off.
    async fn patiently<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        n: u32,
        request: impl Fn() -> F,
    ) -> Result<T> {
        let mut pauses = fastrand::Rng::with_seed(self.seed ^ u64::from(n));
        for attempt in 0..ATTEMPTS {
            let answer = match request().await {
                Ok(done) => return Ok(done),
                Err(Failure::Refused { status, code, .. }) if status.is_server_error() => {
                    format!("{} {code}", status.as_u16())
                }
                Err(Failure::Interrupted(_)) => "interrupted".to_owned(),
                Err(failure) => return Err(failure.into()),
            };
            *self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(answer).or_default() += 1;
            // Full jitter under a doubling bound, as the SDKs have it.
            let most = MAX_PAUSE.min(Duration::from_millis(50) * 2_u32.pow(attempt.min(10)));
            tokio::time::sleep(most.mul_f64(pauses.f64())).await;
        }
        bail!("no good answer in {ATTEMPTS} tries")
    }

    /// A body that no other part of the run has.
    fn body(&self, n: u32, number: u16) -> Stamped {
        let mut hasher = blake3::Hasher::new_derive_key("carob xtask load body");
        hasher.update(&self.seed.to_le_bytes()).update(&n.to_le_bytes()).update(&number.to_le_bytes());
        let mut id = [0; 8];
        hasher.finalize_xof().fill(&mut id);
        Stamped::new(u64::from_le_bytes(id), PART)
    }
}

fn key(n: u32) -> String {
    format!("upload-{n:05}")
}
