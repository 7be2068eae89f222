//! What the admin API says, as JSON. Times are RFC 3339 in UTC with milliseconds, CIDs and DIDs their usual
//! text, hashes hexadecimal, sizes bytes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::time::rfc3339;

/// The content type of every answer but an export.
pub const CONTENT_TYPE: &str = "application/json";

/// `GET /_carob/status`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's version.
    pub version: String,
    /// The space's DID.
    pub space: String,
    /// Since the gateway started.
    pub uptime_seconds: u64,
    /// How many buckets there are.
    pub buckets: u64,
    /// The store's own figures, by name.
    pub store: BTreeMap<String, u64>,
}

/// A bucket, in `GET /_carob/buckets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Its id, which no later bucket of that name has.
    pub id: String,
    /// The name of the account that owns it, or its DID if the account is gone.
    pub owner: String,
    /// When it was created.
    pub created: String,
    /// How long its past states stay; absent if that cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
}

/// A deleted bucket of which something is kept, in `GET /_carob/deleted-buckets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedBucket {
    /// The name that it had last.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The name of the account that owned it, or its DID if the account is gone.
    pub owner: String,
    /// When it was created.
    pub created: String,
    /// When it was deleted; absent if that was not noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// How long its states stay, counted from then.
    pub retention: Retention,
    /// How many of them are kept.
    pub states: u64,
}

/// The body of `POST /_carob/buckets/{bucket}/undelete`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undelete {
    /// Which of the deleted buckets of this name, if not the one that was deleted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What to call it, if not as it was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The answer to [`Undelete`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undeleted {
    /// What the bucket is called now.
    pub name: String,
    /// What it was before.
    pub before: DeletedBucket,
    /// Others of that name that are still deleted, if none was asked for by its id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<DeletedBucket>,
    /// Whether it has a policy that is about it by another name, and so denies everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shut: bool,
}

/// How long past states of a bucket stay readable: `GET` and `POST /_carob/buckets/{bucket}/retention`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Every one.
    pub all_seconds: u64,
    /// Those at full hours.
    pub hourly_seconds: u64,
}

/// A named snapshot, in `GET /_carob/buckets/{bucket}/snapshots`. `DELETE` with `?name=` removes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedSnapshot {
    /// Its name.
    pub name: String,
    /// The commit that it keeps.
    pub commit: String,
    /// When it was made.
    pub created: String,
    /// It cannot be removed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<String>,
}

/// The body of `POST /_carob/buckets/{bucket}/snapshots`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateSnapshot {
    /// What to call it.
    pub name: String,
    /// Until when nobody can remove it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<String>,
}

/// What a collection did, or would do: `POST /_carob/gc?dry-run=&full=`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// Whether it only says so.
    pub dry_run: bool,
    /// Bytes of live blocks found.
    pub live_bytes: u64,
    /// Bytes of dead blocks found.
    pub dead_bytes: u64,
    /// Live bytes copied to get at the dead ones.
    pub copied_bytes: u64,
    /// Bytes of disk given back, net of the copies.
    pub freed_bytes: u64,
    /// Segments removed.
    pub segments: u64,
    /// Each bucket's history.
    pub buckets: Vec<CollectedBucket>,
}

/// What became of a bucket's history, in [`Collected`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedBucket {
    /// The bucket.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Past commits that are kept.
    pub kept: u64,
    /// Commits that no longer are.
    pub dropped: u64,
    /// Incomplete uploads that were too old.
    pub uploads: u64,
}

/// What to erase from all states of a bucket: `POST /_carob/buckets/{bucket}/purge`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// The key.
    pub key: String,
    /// Only say what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purged {
    /// Whether it only says so.
    pub dry_run: bool,
    /// Versions deleted from the present, delete markers included.
    pub versions: u64,
    /// Uploads to the key that were ended.
    pub uploads: u64,
    /// Past states that held the key.
    pub states: u64,
    /// Blocks erased.
    pub erased: u64,
    /// Blocks that stay because something else needs them.
    pub shared: u64,
    /// Bytes of disk given back by the collection.
    pub freed_bytes: u64,
}

/// A page of keys: `GET /_carob/buckets/{bucket}/objects?prefix=&delimiter=&start-after=&token=&max=`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The commit that was listed.
    pub commit: String,
    /// Keys and prefixes in byte order.
    pub entries: Vec<Entry>,
    /// Give this as `token` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A line of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// An object.
    Object {
        /// Its key.
        key: String,
        /// Its length.
        size: u64,
        /// When it was written.
        modified: String,
        /// Its ETag, without quotes.
        etag: String,
        /// Its content CID.
        cid: String,
    },
    /// A prefix, up to and including the delimiter.
    Prefix {
        /// The prefix.
        prefix: String,
    },
}

/// `GET /_carob/buckets/{bucket}/stat?key=`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The content: a UnixFS file or a raw block.
    pub cid: String,
    /// Its length.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// One root, or one for each part of a multipart upload.
    pub blake3: Vec<Blake3>,
    /// The checksum that S3 reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// When it was written.
    pub modified: String,
    /// Standard headers stored with it, by name.
    pub headers: BTreeMap<String, String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// What it is encrypted under, if it is. BLAKE3 is then of what is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// The commit it was read from.
    pub commit: String,
}

/// A BLAKE3 root over an object or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blake3 {
    /// The hash.
    pub root: String,
    /// How many bytes it covers.
    pub size: u64,
    /// The Bao outboard; absent for what fits one group of 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outboard: Option<String>,
}

/// A checksum as S3 writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// `CRC32`, `SHA256` and so on.
    pub algorithm: String,
    /// Base64.
    pub value: String,
}

/// What the objects under a prefix take up, in `GET /_carob/buckets/{bucket}/usage?prefix=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// How many there are.
    pub objects: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
    /// The commit at which this holds.
    pub commit: String,
}

/// A commit, in `GET /_carob/buckets/{bucket}/log?limit=`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The commit: the bucket's root.
    pub cid: String,
    /// Its number; the bucket's first commit has 0.
    pub seq: u64,
    /// When it was made.
    pub time: String,
    /// Who signed it.
    pub author: String,
    /// The root of the tree of objects.
    pub tree: String,
    /// How many objects there were.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// A key that differs, a line of `GET /_carob/buckets/{bucket}/diff?from=&to=&to-bucket=&prefix=&key=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The key.
    pub key: String,
    /// What was there; absent if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<ChangedObject>,
    /// What is there; absent if nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<ChangedObject>,
}

/// One side of a [`Change`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedObject {
    /// Its length.
    pub size: u64,
    /// When it was written.
    pub modified: String,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its content CID.
    pub cid: String,
}

/// The body of `POST /_carob/buckets/{bucket}/restore`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// A time, a commit or a snapshot.
    pub at: String,
    /// Only keys that start with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Only this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a restore or a merge came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grafted {
    /// The commit with the result.
    pub commit: String,
    /// The commit that it came from.
    pub from: String,
    /// How many objects there were.
    pub objects_before: u64,
    /// How many there are.
    pub objects: u64,
    /// The keys that both sides of a merge had changed, at most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<String>,
}

/// The body of `POST /_carob/buckets/{bucket}/branch`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// What to call the new bucket.
    pub name: String,
    /// A time, a commit or a snapshot, if it is not to begin as the bucket is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The account that shall own it, if not the root account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// The answer to [`Branch`], and to `POST /_carob/buckets/{bucket}/import?owner=` with a CAR as its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branched {
    /// The new bucket's name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// The name of the account that owns it.
    pub owner: String,
    /// The commit that it began as.
    pub from: String,
    /// How many objects it has.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// How many past states came with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub past: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The body of `POST /_carob/buckets/{bucket}/blocks`, which is answered with a CAR. Blocks by their CIDs, and the ways that
/// lead to them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Blocks on the ways, each with the number of the one before it that links it; commits stand without one.
    pub steps: Vec<(String, Option<usize>)>,
    /// The blocks to send, each with the number of the step that links it.
    pub blocks: Vec<(String, usize)>,
}

/// The body of `POST /_carob/buckets/{bucket}/pull`, which is answered with a [`PullLine`] a line.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pull {
    /// The other gateway: `http://host:port` or `https://host`.
    pub endpoint: String,
    /// What the bucket is called there.
    pub bucket: String,
    /// The access key to sign with.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The region of the other gateway.
    pub region: String,
    /// The certificates to trust, in PEM, if the endpoint needs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roots: Option<String>,
    /// The DID of the space that it must belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// Whether past states are brought along.
    #[serde(default)]
    pub history: bool,
    /// How many bytes of blocks may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// A line of the answer to a [`Pull`]. The last is one of the latter two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullLine {
    /// How far it is.
    Progress(PullProgress),
    /// What came of it.
    Done(Pulled),
    /// Why nothing did.
    Failed(String),
}

/// How far a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullProgress {
    /// Blocks that came.
    pub fetched: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that were here already.
    pub skipped: u64,
    /// Blocks that are still to be looked for; there may be more below them.
    pub left: u64,
}

/// What came of a pull.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// The bucket's name here.
    pub name: String,
    /// Its id here.
    pub id: String,
    /// The space that signed what was pulled.
    pub space: String,
    /// The commit that was pulled.
    pub from: String,
    /// The newest commit here.
    pub commit: String,
    /// How many commits came of it; none if there was nothing new.
    pub commits: u64,
    /// How many objects there are.
    pub objects: u64,
    /// What was fetched for that, and what was not.
    pub blocks: PullProgress,
}

/// The body of `POST /_carob/buckets/{bucket}/merge`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The bucket whose changes to take.
    pub from: String,
    /// What stands under a key that both changed.
    pub rule: MergeRule,
}

/// What stands under a key that both sides of a merge changed, each in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MergeRule {
    /// What the bucket has that is merged into.
    Ours,
    /// What the other one has.
    Theirs,
    /// Nothing is merged then.
    Fail,
}

/// Who owns buckets, in `GET /_carob/accounts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What people call it.
    pub name: String,
    /// Its DID, which stands in its buckets.
    pub id: String,
    /// The owner id that S3 shows: 64 hex digits.
    pub canonical_id: String,
    /// The 12 digits that ARNs and `x-amz-expected-bucket-owner` have.
    pub number: String,
    /// When it was made; absent for the root account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// How many buckets it owns.
    pub buckets: u64,
}

/// The body of `POST /_carob/accounts`. `DELETE /_carob/accounts?name=` removes one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    /// What to call it.
    pub name: String,
    /// The id of its first access key, if it is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// The secret of that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_key: Option<String>,
}

/// The answer to [`CreateAccount`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewAccount {
    /// The account.
    #[serde(flatten)]
    pub account: Account,
    /// Its first access key.
    pub key: NewKey,
}

/// What an access key may do of what its account may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Only in these buckets; empty for all of the account's.
    #[serde(default)]
    pub buckets: Vec<String>,
    /// Only keys that start with this.
    #[serde(default)]
    pub prefix: String,
    /// Get, head and list.
    pub read: bool,
    /// Put, delete, and uploads in parts.
    pub write: bool,
}

/// An access key, in `GET /_carob/keys?account=`; never its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its id.
    pub access_key: String,
    /// The name of its account.
    pub account: String,
    /// Whether it is good.
    pub state: KeyState,
    /// How far it goes.
    pub scope: Scope,
    /// When it was made.
    pub created: String,
    /// From when on it is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

/// Whether an access key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It is.
    Active,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// The body of `POST /_carob/keys`. `DELETE /_carob/keys?id=` revokes one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// The name of the account it shall act for.
    pub account: String,
    /// How far it goes.
    pub scope: Scope,
    /// In how many seconds it expires, if ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
}

/// A new access key. Its secret is told here and never again.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewKey {
    /// The key.
    #[serde(flatten)]
    pub key: Key,
    /// Its secret.
    pub secret_key: String,
}

/// An encryption key, in `GET /_carob/encryption-keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptionKey {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: String,
    /// Since when it is disabled, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
}

/// The body of `POST /_carob/encryption-keys`, which makes one, and of `…/disable` and `…/enable` behind it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamesEncryptionKey {
    /// Its name.
    pub name: String,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, bucket, access_key, .. } = self;
        let mut shown = f.debug_struct("Pull");
        shown.field("endpoint", endpoint).field("bucket", bucket).field("access_key", access_key);
        shown.finish_non_exhaustive()
    }
}

impl fmt::Debug for CreateAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateAccount").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// One line for people.
    pub error: String,
}
