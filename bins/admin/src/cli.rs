//! The arguments of `carob`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use carob_http::api::rfc3339;
use carob_identity::Did;
use clap::{Args, Parser, Subcommand};

/// Looks into a Carob gateway, and verifies what it exported.
#[derive(Debug, Parser)]
#[command(name = "carob", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) gateway: Gateway,
    /// Print JSON for programs, one value a line; errors, too, on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which gateway to ask.
#[derive(Debug, Args)]
pub(crate) struct Gateway {
    /// The data directory of the gateway to ask
    #[arg(long, global = true, value_name = "DIR", env = "CAROB_DATA", default_value = "carob-data")]
    data: PathBuf,
    /// The gateway's admin socket, if it is not admin.sock in the data directory
    #[arg(long, global = true, value_name = "PATH", env = "CAROB_ADMIN_SOCKET")]
    socket: Option<PathBuf>,
    /// Ask a gateway on the network, as in http://host:9000, with the access key that AWS's tools would take
    #[arg(long, global = true, value_name = "URL", env = "CAROB_ENDPOINT", conflicts_with = "socket")]
    endpoint: Option<String>,
    /// Trust these certificates of a gateway on the network, in PEM [default: AWS_CA_BUNDLE, or the system's]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Gateway {
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    pub(crate) fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data.join("admin.sock"))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the gateway's version, space and store
    Status,
    /// Work with buckets
    #[command(subcommand)]
    Bucket(BucketCommand),
    /// Work with accounts, which own buckets
    #[command(subcommand)]
    Account(AccountCommand),
    /// Work with access keys, which act for accounts
    #[command(subcommand)]
    Key(KeyCommand),
    /// Work with the named keys that objects are encrypted under
    #[command(subcommand)]
    Kms(KmsCommand),
    /// List the keys of a bucket
    Ls {
        /// A bucket or a prefix in one: s3://bucket/photos/ or bucket/photos/
        target: Target,
        /// List every key instead of rolling keys up at each slash
        #[arg(long, short)]
        recursive: bool,
        #[command(flatten)]
        at: At,
    },
    /// Count the objects under a prefix and their bytes; instant, however many there are
    Du {
        /// A bucket or a prefix in one: s3://bucket/photos/ or bucket/photos/
        target: Target,
        #[command(flatten)]
        at: At,
    },
    /// Show everything known of an object
    Stat {
        /// The object: s3://bucket/key or bucket/key
        target: Target,
        #[command(flatten)]
        at: At,
    },
    /// Show the newest commits of a bucket
    Log {
        /// The bucket
        bucket: String,
        /// How many at most
        #[arg(long, short = 'n', value_parser = clap::value_parser!(u64).range(1..=1000))]
        limit: Option<u64>,
    },
    /// Show which keys differ between two states of a bucket, or of two buckets
    Diff {
        /// The earlier state: BUCKET@MOMENT, or BUCKET for what its newest commit changed
        old: State,
        /// The later state: @MOMENT, BUCKET or BUCKET@MOMENT [default: the bucket now]
        new: Option<State>,
        /// Only keys that start with this
        #[arg(long, value_name = "PREFIX")]
        prefix: Option<String>,
        /// Only count them
        #[arg(long)]
        stat: bool,
        /// Only the keys
        #[arg(long, conflicts_with = "stat")]
        name_only: bool,
    },
    /// Make a bucket, or a part of it, what it was; the configuration stays, and so does the history
    Restore {
        /// The bucket
        bucket: String,
        /// Which state: a time, 90s, 45m, 12h or 30d ago, a commit, or a snapshot
        #[arg(long, value_name = "MOMENT", value_parser = moment)]
        at: String,
        /// Only keys that start with this
        #[arg(long, value_name = "PREFIX", conflicts_with = "key")]
        prefix: Option<String>,
        /// Only this key
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// Only show what would change
        #[arg(long)]
        dry_run: bool,
    },
    /// Make a bucket that begins as another one is, at once and whatever its size
    Branch {
        /// The bucket to begin as
        bucket: String,
        /// What to call the new one
        name: String,
        #[command(flatten)]
        at: At,
        /// The account that shall own it [default: root]
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<String>,
    },
    /// Take over what a bucket changed since it and another last had the same objects
    Merge {
        /// The bucket whose changes to take
        from: String,
        /// The bucket that takes them
        into: String,
        #[command(flatten)]
        rule: Rule,
    },
    /// Show or set how long past states of a bucket stay readable
    Retention {
        /// The bucket
        bucket: String,
        /// How long every state stays: 1h, 2d, or 0 for only the newest [default: as it is]
        #[arg(long, value_name = "TIME")]
        all: Option<Span>,
        /// How long the states at full hours stay [default: as it is]
        #[arg(long, value_name = "TIME")]
        hourly: Option<Span>,
    },
    /// Work with named snapshots, which stay until they are removed
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Give back the space of what nothing needs any more
    Gc {
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
        /// Everything that is dead, however much has to be copied for it [default: where a third of a segment is]
        #[arg(long)]
        full: bool,
    },
    /// Erase an object for good: all of its versions, and its bytes from every past state of the bucket
    Purge {
        /// The object: s3://bucket/key or bucket/key
        target: Target,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Bring a deleted bucket back, empty and with its whole history; without a bucket, list the deleted ones
    Undelete {
        /// The name that it had
        bucket: Option<String>,
        /// Which of those of that name [default: the one that was deleted last]
        #[arg(long, value_name = "ID", requires = "bucket")]
        id: Option<String>,
        /// What to call it [default: as it was called]
        #[arg(long, value_name = "NAME", requires = "bucket")]
        name: Option<String>,
    },
    /// Write a bucket to standard output as a CAR: its commit, index and bodies
    Export {
        /// The bucket
        bucket: String,
        /// Write all past states that are kept, too
        #[arg(long, conflicts_with = "at")]
        history: bool,
        #[command(flatten)]
        at: At,
    },
    /// Bring a bucket from another gateway, or bring it up to date; only what is missing is fetched, and all of it checked
    Pull {
        /// Where it is, as in https://host:9000/bucket; asked with the access key that AWS's tools would take
        url: Source,
        /// What to call it here [default: as it is called there]
        bucket: Option<String>,
        /// Bring all past states along that are kept there
        #[arg(long)]
        history: bool,
        /// The space that it must belong to [default: when pulled for the first time, whichever signed it]
        #[arg(long, value_name = "DID")]
        space: Option<Did>,
        /// Give up if more than this comes, as in 500GiB, and check bodies that repeat themselves up to it [default: no bound]
        #[arg(long, value_name = "SIZE")]
        max_bytes: Option<Size>,
    },
    /// Make a bucket of an export, after checking every byte of it
    Import {
        /// The CAR file
        file: PathBuf,
        /// What to call the bucket
        bucket: String,
        /// The account that shall own it [default: root]
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<String>,
        /// Give up if more than this comes, as in 500GiB, and check bodies that repeat themselves up to it [default: no bound]
        #[arg(long, value_name = "SIZE")]
        max_bytes: Option<Size>,
    },
    /// Get an object, each byte proven before it is written
    Get {
        /// The object: s3://bucket/key or bucket/key
        target: Target,
        /// Check the proof of the object and its bytes by the space's key; what is not checked, S3 clients get
        #[arg(long, required = true)]
        verify: bool,
        /// Only these bytes, counted from 0: 0-99, or 100- for all but the first hundred
        #[arg(long, value_name = "FIRST-LAST")]
        range: Option<ByteRange>,
        /// The space whose key is trusted [default: the gateway's, as it says]
        #[arg(long, value_name = "DID")]
        space: Option<Did>,
        /// Write to this file, which is there when every byte of it is proven [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        at: At,
    },
    /// Write to standard output, as a CAR, what proves what is under a key, or that nothing is
    Prove {
        /// The object: s3://bucket/key; with --list a bucket or a prefix in one
        target: Target,
        /// Prove which objects there are under the prefix, and that these are all
        #[arg(long)]
        list: bool,
        /// Put the body into the proof
        #[arg(long, conflicts_with = "list")]
        body: bool,
        #[command(flatten)]
        at: At,
    },
    /// Work with the gateway's audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check the store of a gateway that is not running: every byte of it, and all that its buckets reach
    Fsck,
    /// Make the store's indexes and its checkpoint anew where they are missing or wrong; the gateway must not be running
    Repair {
        /// Put up with damaged blocks that keep the store shut: it opens then, and only reading these fails
        #[arg(long)]
        accept_loss: bool,
    },
    /// Check an exported bucket or a proof offline, and say what it shows
    Verify {
        /// The CAR file; - for standard input
        file: PathBuf,
        /// The space that it must belong to
        #[arg(long, value_name = "DID")]
        space: Option<Did>,
    },
}

/// Which state of a bucket to look at.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// A past state: a time, 90s, 45m, 12h or 30d ago, a commit, or a snapshot
    #[arg(long, value_name = "MOMENT", value_parser = moment)]
    pub(crate) at: Option<String>,
}

/// What stands under a key that both sides changed.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Rule {
    /// Where both changed a key, keep that of the bucket that takes
    #[arg(long)]
    pub(crate) ours: bool,
    /// Where both changed a key, take the other's
    #[arg(long)]
    pub(crate) theirs: bool,
    /// Where both changed a key, merge nothing and say so [default]
    #[arg(long)]
    pub(crate) fail: bool,
}

/// A moment as the gateway reads it; one that is so long ago becomes a time.
fn moment(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("a moment is a time, 45m ago, a commit or a snapshot");
    }
    let Ok(Lifetime(seconds)) = text.parse() else { return Ok(text.to_owned()) };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let then = now.saturating_sub(Duration::from_secs(seconds)).as_millis();
    Ok(rfc3339(u64::try_from(then).unwrap_or(u64::MAX)))
}

/// A bucket and a moment of it, either of which may be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) bucket: Option<String>,
    pub(crate) at: Option<String>,
}

impl FromStr for State {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, at) = match text.split_once('@') {
            Some((bucket, at)) => (bucket, Some(moment(at)?)),
            None => (text, None),
        };
        let bucket = (!bucket.is_empty()).then(|| bucket.trim_end_matches('/').to_owned());
        if bucket.is_none() && at.is_none() {
            return Err("a bucket is missing");
        }
        Ok(Self { bucket, at })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that the lines of a log hang together, and show the hash of the last
    Verify {
        /// Files that follow each other, the oldest first
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BucketCommand {
    /// List the buckets
    Ls,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Keep a bucket as it is now, under a name
    Create {
        /// The bucket
        bucket: String,
        /// What to call it: a-z, 0-9, and between them single dots and hyphens
        name: String,
        /// Until when nobody can remove it, as in 2030-01-31T00:00:00Z [default: it can be removed]
        #[arg(long, value_name = "TIME")]
        lock_until: Option<String>,
    },
    /// List a bucket's snapshots
    Ls {
        /// The bucket
        bucket: String,
    },
    /// Give a snapshot up; what only it kept goes with the next collection
    Rm {
        /// The bucket
        bucket: String,
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Make an account with an access key; the secret is shown once
    Create {
        /// What to call it
        name: String,
        /// The id of its access key, instead of a new one
        #[arg(long, value_name = "ID", requires = "secret_key")]
        access_key: Option<String>,
        /// The secret of that access key
        #[arg(long, value_name = "SECRET", requires = "access_key")]
        secret_key: Option<String>,
    },
    /// List the accounts
    Ls,
    /// Remove an account that owns no bucket, and its access keys
    Rm {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Give an account another access key; the secret is shown once
    Create {
        /// The account that the key acts for; root is the space's own
        account: String,
        /// Only in this bucket; may be given several times [default: all that the account owns]
        #[arg(long, value_name = "NAME")]
        bucket: Vec<String>,
        /// Only keys that start with this
        #[arg(long, value_name = "PREFIX", default_value = "")]
        prefix: String,
        /// Only to get, head and list, unless --write is given too [default: both]
        #[arg(long)]
        read: bool,
        /// Only to put, delete and upload, unless --read is given too [default: both]
        #[arg(long)]
        write: bool,
        /// When it ends: 90s, 45m, 12h or 30d from now [default: never]
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
    },
    /// List the access keys, without their secrets
    Ls {
        /// Only those of this account
        account: Option<String>,
    },
    /// Make an access key void, for good and at once
    Revoke {
        /// The access key's id
        key: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KmsCommand {
    /// Make an encryption key
    Create {
        /// What to call it
        name: String,
    },
    /// List the encryption keys
    Ls,
    /// Keep an encryption key from being used; what it has encrypted cannot be read meanwhile
    Disable {
        /// Its name
        name: String,
    },
    /// Let a disabled encryption key be used again
    Enable {
        /// Its name
        name: String,
    },
}

/// How long an access key lives, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(pub(crate) u64);

impl FromStr for Lifetime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
        let parsed = units.iter().find_map(|(unit, seconds)| {
            let count: u64 = text.strip_suffix(*unit)?.parse().ok()?;
            count.checked_mul(*seconds).filter(|seconds| *seconds > 0)
        });
        parsed.map(Self).ok_or("a time is a number and one of s, m, h and d, as in 30d")
    }
}

/// How long something is kept, in seconds; perhaps not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) u64);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "0" { Ok(Self(0)) } else { text.parse().map(|Lifetime(seconds)| Self(seconds)) }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
        let unit = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, 1_u64 << shift)));
        let (number, unit) = unit.unwrap_or((text, 1));
        let bytes = number.trim_end().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        bytes.map(Self).ok_or("a size is a number of bytes, or one with KiB, MiB, GiB or TiB, as in 500GiB")
    }
}

/// Bytes from a first one to a last one, or to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ByteRange {
    first: u64,
    last: Option<u64>,
}

impl FromStr for ByteRange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a range is FIRST-LAST or FIRST-, as in 0-99";
        let (first, last) = text.split_once('-').ok_or(wrong)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong);
        let first = number(first)?;
        let last = if last.is_empty() { None } else { Some(number(last)?) };
        if last.is_some_and(|last| last < first) { Err(wrong) } else { Ok(Self { first, last }) }
    }
}

impl ByteRange {
    /// The bytes of an object of `size` that are meant, if there are any.
    pub(crate) fn of(self, size: u64) -> Option<Range<u64>> {
        let end = self.last.map_or(size, |last| last.saturating_add(1).min(size));
        (self.first < end).then_some(self.first..end)
    }
}

/// A bucket of another gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a bucket elsewhere is a URL, as in https://host:9000/bucket";
        let (scheme, rest) = text.split_once("://").ok_or(wrong)?;
        let (authority, bucket) = rest.trim_end_matches('/').split_once('/').ok_or(wrong)?;
        if !matches!(scheme, "http" | "https") || authority.is_empty() || bucket.contains(['/', '?', '#']) {
            return Err(wrong);
        }
        Ok(Self { endpoint: format!("{scheme}://{authority}"), bucket: bucket.to_owned() })
    }
}

/// A bucket and what follows the slash behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.strip_prefix("s3://").unwrap_or(text);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err("a bucket is missing");
        }
        Ok(Self { bucket: bucket.into(), key: key.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lifetimes_are_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("45m", 2700), ("12h", 43_200), ("30d", 2_592_000)] {
            assert_eq!(text.parse(), Ok(Lifetime(seconds)), "{text}");
        }
        assert_eq!(("0".parse(), "7d".parse()), (Ok(Span(0)), Ok(Span(604_800))));
        for bad in ["", "d", "30", "0d", "-1d", "1.5d", "1w", "99999999999999999999d", "999999999999999999d"]
        {
            assert!(bad.parse::<Lifetime>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_are_first_and_last() {
        let range = |text: &str, size| text.parse::<ByteRange>().map(|range| range.of(size));
        assert_eq!(range("0-0", 5), Ok(Some(0..1)));
        assert_eq!(range("2-", 5), Ok(Some(2..5)));
        assert_eq!(range("2-99", 5), Ok(Some(2..5)));
        assert_eq!(range("5-", 5), Ok(None));
        assert_eq!(range("0-18446744073709551615", 5), Ok(Some(0..5)));
        for bad in ["", "-", "-5", "5", "3-2", "a-b", "0-18446744073709551616"] {
            assert!(range(bad, 5).is_err(), "{bad}");
        }
    }

    #[test]
    fn sources_are_an_endpoint_and_a_bucket() {
        let source = |endpoint: &str| Ok(Source { endpoint: endpoint.into(), bucket: "b".into() });
        assert_eq!("http://localhost:9000/b".parse(), source("http://localhost:9000"));
        assert_eq!("https://[::1]/b/".parse(), source("https://[::1]"));
        for bad in
            ["", "b", "s3://b/k", "http://host", "http://host/", "http:///b", "http://h/b/c", "http://h/b?x"]
        {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }

    #[test]
    fn targets_keep_every_byte_of_a_key() {
        let cases = [
            ("b", "b", ""),
            ("s3://b", "b", ""),
            ("s3://b/", "b", ""),
            ("b//a b/", "b", "/a b/"),
            ("s3://b/s3://c/d", "b", "s3://c/d"),
        ];
        for (text, bucket, key) in cases {
            let (bucket, key) = (bucket.into(), key.into());
            assert_eq!(text.parse(), Ok(Target { bucket, key }), "{text}");
        }
        for bad in ["", "s3://", "/key", "s3:///key"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
