//! Lines that wait, and their way into buckets.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carob_bucket::{BucketError, BucketInfo, MAX_KEY_BYTES, ObjectHeaders, PutOptions, Space};
use carob_identity::{AccessKeyId, Clock, Directory, Entropy, Identity};
use data_encoding::HEXUPPER;
use http::Request;
use parking_lot::{Mutex, RwLock};
use s3s::dto::{BucketLoggingStatus, LoggingEnabled};
use s3s::{S3Result, s3_error};
use time::OffsetDateTime;

use super::destination::Destination;
use super::line::{Outcome, Pending};
use crate::context::RequestContext;
use crate::documents;
use crate::encryption::Encrypter;
use crate::error::{from_bucket, no_such_bucket};
use crate::host::Domains;

/// The most that waits, in bytes of all lines. What comes while so much does is not logged.
const MOST: usize = 16 << 20;

/// How many random bytes tell apart the objects of the same second.
const UNIQUE: usize = 8;

/// The access logs of all buckets.
pub(crate) struct AccessLogs {
    pub(crate) space: Space,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) encryption: Encrypter,
    pub(crate) domains: Domains,
    pub(crate) region: Arc<str>,
    /// By the bucket that is logged.
    pub(crate) logged: RwLock<HashMap<String, Arc<Destination>>>,
    pub(crate) waiting: Mutex<Waiting>,
}

/// Lines by where they go.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    lines: BTreeMap<String, (Arc<Destination>, String)>,
    bytes: usize,
    dropped: u64,
}

impl fmt::Debug for AccessLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessLogs")
    }
}

impl AccessLogs {
    /// What is to be logged of a request, if anything is.
    pub(crate) fn begin<T>(&self, request: &Request<T>) -> Option<Pending> {
        let logged = self.logged.read();
        if logged.is_empty() {
            return None;
        }
        let place = self.domains.place(request);
        let destination = Arc::clone(logged.get(place.bucket.as_deref()?)?);
        Some(Pending::new(destination, request, &place, self.now()))
    }

    /// Keeps the line of a request that has ended; never waits.
    pub(crate) fn end(&self, pending: &Pending, context: &RequestContext, outcome: Outcome<'_>) {
        let requester = context.access_key().and_then(|key| key.parse::<AccessKeyId>().ok());
        let requester = requester.and_then(|key| self.directory.account_of(&Identity::AccessKey(key)));
        let requester = requester.map(|account| account.id.canonical_id());
        let line = pending.line(&Outcome { requester, ..outcome });
        let mut waiting = self.waiting.lock();
        if waiting.bytes.saturating_add(line.len()) > MOST {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += line.len();
        let destination = &pending.destination;
        let new = || (Arc::clone(destination), String::new());
        let (to, lines) = waiting.lines.entry(destination.source.clone()).or_insert_with(new);
        // The newest one is where the bucket's lines shall go.
        to.clone_from(destination);
        lines.push_str(&line);
    }

    /// Whether what is logged of a bucket as this says has keys that a bucket takes.
    ///
    /// # Errors
    /// InvalidArgument.
    pub(crate) fn check_key(&self, bucket: &BucketInfo, logging: &LoggingEnabled) -> S3Result<()> {
        let longest = Destination::of(bucket, logging).key(self.now(), &self.region, &unique([0; UNIQUE]));
        if longest.len() > MAX_KEY_BYTES {
            return Err(s3_error!(
                InvalidArgument,
                "The TargetPrefix is too long: the keys of logs below it would exceed {MAX_KEY_BYTES} bytes."
            ));
        }
        Ok(())
    }

    /// Logs a bucket from here on as this says, or no more.
    pub(crate) fn set(&self, bucket: &BucketInfo, logging: Option<&LoggingEnabled>) {
        let mut logged = self.logged.write();
        match logging {
            Some(logging) => {
                logged.insert(bucket.name.clone(), Arc::new(Destination::of(bucket, logging)));
            }
            None => _ = logged.remove(&bucket.name),
        }
    }

    /// Learns which buckets are logged, and puts what waits into buckets every `period`, until it is dropped.
    pub(crate) async fn run(&self, period: Duration) {
        if let Err(error) = self.learn().await {
            tracing::warn!(%error, "access logs: it is not known which buckets are logged");
        }
        loop {
            tokio::time::sleep(period).await;
            self.deliver().await;
        }
    }

    async fn learn(&self) -> Result<(), BucketError> {
        for info in self.space.buckets().await? {
            let bucket = self.space.bucket(&info.name).await?;
            let snapshot = bucket.snapshot().await?;
            let Some(text) = snapshot.config().documents.get(documents::LOGGING) else { continue };
            // It was read before it was kept.
            if let Ok(status) = documents::read::<BucketLoggingStatus>(text) {
                self.set(&info, status.logging_enabled.as_ref());
            }
        }
        Ok(())
    }

    /// Puts what waits into buckets.
    pub(crate) async fn deliver(&self) {
        let Waiting { lines, dropped, .. } = std::mem::take(&mut *self.waiting.lock());
        if dropped > 0 {
            tracing::warn!(dropped, "access logs: more lines than can wait");
        }
        for (source, (destination, lines)) in lines {
            if let Err(error) = self.put(&destination, lines).await {
                tracing::warn!(
                    bucket = source,
                    target = destination.target,
                    ?error,
                    "an access log is not delivered"
                );
            }
        }
    }

    async fn put(&self, destination: &Destination, lines: String) -> S3Result<()> {
        let target = self.space.bucket(&destination.target).await.map_err(from_bucket)?;
        if target.info().owner != destination.owner {
            return Err(no_such_bucket());
        }
        let mut random = [0; UNIQUE];
        self.entropy.fill(&mut random);
        let key = destination.key(self.now(), &self.region, &unique(random));
        let seal = self.encryption.default_seal(&target).await?;
        let mut upload = target.sealed_upload(&[], seal.as_ref());
        upload.write(lines.into()).await.map_err(from_bucket)?;
        let headers =
            ObjectHeaders { content_type: Some("text/plain".to_owned()), ..ObjectHeaders::default() };
        let options = PutOptions { headers, ..PutOptions::default() };
        let body = upload.finish().await.map_err(from_bucket)?;
        target.put(&key, body, options).await.map(drop).map_err(from_bucket)
    }

    fn now(&self) -> OffsetDateTime {
        let seconds = i64::try_from(self.clock.now().seconds()).unwrap_or_default();
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// The end of a key.
fn unique(random: [u8; UNIQUE]) -> String {
    HEXUPPER.encode(&random)
}
