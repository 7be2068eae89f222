//! The arguments of `carob`.

use std::path::PathBuf;
use std::str::FromStr;

use carob_identity::Did;
use clap::{Args, Parser, Subcommand};

/// Looks into a Carob gateway, and verifies what it exported.
#[derive(Debug, Parser)]
#[command(name = "carob", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) gateway: Gateway,
    /// Print JSON for programs, one value a line
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
}

impl Gateway {
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
    /// List the keys of a bucket
    Ls {
        /// A bucket or a prefix in one: s3://bucket/photos/ or bucket/photos/
        target: Target,
        /// List every key instead of rolling keys up at each slash
        #[arg(long, short)]
        recursive: bool,
    },
    /// Count the objects under a prefix and their bytes; instant, however many there are
    Du {
        /// A bucket or a prefix in one: s3://bucket/photos/ or bucket/photos/
        target: Target,
    },
    /// Show everything known of an object
    Stat {
        /// The object: s3://bucket/key or bucket/key
        target: Target,
    },
    /// Show the newest commits of a bucket
    Log {
        /// The bucket
        bucket: String,
        /// How many at most
        #[arg(long, short = 'n', value_parser = clap::value_parser!(u64).range(1..=1000))]
        limit: Option<u64>,
    },
    /// Write a bucket to standard output as a CAR: its commit, index and bodies
    Export {
        /// The bucket
        bucket: String,
    },
    /// Check an exported bucket offline: every hash, the signature, the shape of the index
    Verify {
        /// The CAR file
        file: PathBuf,
        /// The space that it must belong to
        #[arg(long, value_name = "DID")]
        space: Option<Did>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BucketCommand {
    /// List the buckets
    Ls,
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
        for bad in ["", "d", "30", "0d", "-1d", "1.5d", "1w", "99999999999999999999d", "999999999999999999d"]
        {
            assert!(bad.parse::<Lifetime>().is_err(), "{bad}");
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
