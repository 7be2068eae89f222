//! Names of past states of a bucket.

use std::fmt;
use std::str::FromStr;

use carob_block::Cid;
use carob_identity::Timestamp;
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, Time};

use crate::BucketError;
use crate::names::{AT_TIME, OF_COMMIT, OF_SNAPSHOT};

/// How every CID of a commit begins: CIDv1, dag-cbor, sha2-256, in base32.
const COMMIT_CID: &str = "bafyrei";

/// Which state of a bucket is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Moment {
    /// That of the newest commit not later than this.
    At(Timestamp),
    /// That which was kept under this name.
    Snapshot(String),
    /// That of the one commit of the bucket's history whose CID starts so.
    Commit(String),
}

impl Moment {
    /// Splits a name such as `photos--at-20261121t0930z`, `photos--snap-release1` or `photos--root-bafyreib4` into the
    /// bucket and what is meant of it. `None` for a plain name: no bucket can be called so.
    ///
    /// The bucket is what stands before the first such part, also where what follows means nothing: whoever decides
    /// about rights decides about that bucket.
    pub fn in_name(name: &str) -> Option<(&str, Result<Self, BucketError>)> {
        let parts = [AT_TIME, OF_SNAPSHOT, OF_COMMIT];
        let (at, part) = parts.iter().filter_map(|part| Some((name.find(part)?, *part))).min()?;
        let (bucket, rest) = (name.get(..at)?, name.get(at + part.len()..)?);
        let moment = match part {
            AT_TIME => compact(rest).map(Self::At).ok_or_else(|| unreadable(name)),
            OF_SNAPSHOT if !rest.is_empty() => Ok(Self::Snapshot(rest.to_owned())),
            OF_COMMIT if COMMIT_CID.starts_with(rest) || rest.starts_with(COMMIT_CID) => {
                Ok(Self::Commit(rest.to_owned()))
            }
            _ => Err(unreadable(name)),
        };
        Some((bucket, moment))
    }
}

/// A time as RFC 3339 or as in a name, the CID of a commit or the beginning of one, or the name of a snapshot.
impl FromStr for Moment {
    type Err = BucketError;

    fn from_str(text: &str) -> Result<Self, BucketError> {
        if let Some(time) = compact(text) {
            return Ok(Self::At(time));
        }
        if text.starts_with(COMMIT_CID) {
            return Ok(Self::Commit(text.to_owned()));
        }
        match OffsetDateTime::parse(text, &Rfc3339) {
            Ok(time) => millis(time).map(Self::At).ok_or_else(|| unreadable(text)),
            Err(_) if is_snapshot_name(text) => Ok(Self::Snapshot(text.to_owned())),
            Err(_) => Err(unreadable(text)),
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => {
                let nanos = i128::from(time.0) * 1_000_000;
                match OffsetDateTime::from_unix_timestamp_nanos(nanos).map(|time| time.format(&Rfc3339)) {
                    Ok(Ok(text)) => f.write_str(&text),
                    _ => write!(f, "{} ms", time.0),
                }
            }
            Self::Snapshot(name) => write!(f, "snapshot {name}"),
            Self::Commit(cid) => write!(f, "commit {cid}"),
        }
    }
}

impl From<Cid> for Moment {
    fn from(commit: Cid) -> Self {
        Self::Commit(commit.to_string())
    }
}

/// Whether a snapshot may be called so: what can stand in a bucket's name.
fn is_snapshot_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (1..=63).contains(&text.len()) && text.bytes().all(letter)
}

/// `20261121t0930z` or `20261121t093000z`: ISO 8601's basic form, in lower case.
fn compact(text: &str) -> Option<Timestamp> {
    let digits = |range| -> Option<u16> {
        let digits: &str = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let small = |range| u8::try_from(digits(range)?).ok();
    let (end, second) = match text.len() {
        14 => (13, 0),
        16 => (15, small(13..15)?),
        _ => return None,
    };
    if text.get(8..9) != Some("t") || text.get(end..) != Some("z") {
        return None;
    }
    let month = Month::try_from(small(4..6)?).ok()?;
    let date = Date::from_calendar_date(i32::from(digits(0..4)?), month, small(6..8)?).ok()?;
    let time = Time::from_hms(small(9..11)?, small(11..13)?, second).ok()?;
    millis(OffsetDateTime::new_utc(date, time))
}

fn millis(time: OffsetDateTime) -> Option<Timestamp> {
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

fn unreadable(text: &str) -> BucketError {
    BucketError::InvalidMoment(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3339 §5.8, the third example, in UTC.
    const TIME: Moment = Moment::At(Timestamp(851_042_397_000));

    #[test]
    fn names_are_a_bucket_and_a_moment() {
        let cases = [
            ("photos--at-19961220t003957z", TIME),
            ("photos--at-19961220t0039z", Moment::At(Timestamp(851_042_340_000))),
            ("photos--snap-release1", Moment::Snapshot("release1".into())),
            ("photos--snap-a--at-b", Moment::Snapshot("a--at-b".into())),
            ("photos--root-bafyreib4x", Moment::Commit("bafyreib4x".into())),
        ];
        for (name, moment) in cases {
            let (bucket, found) = Moment::in_name(name).unwrap();
            assert_eq!((bucket, found.unwrap()), ("photos", moment), "{name}");
        }
        for plain in ["photos", "a--b", "photos-at-1", "photos--attic"] {
            assert!(Moment::in_name(plain).is_none(), "{plain}");
        }
    }

    #[test]
    fn a_name_that_means_nothing_still_has_its_bucket() {
        for rest in [
            "at-",
            "at-now",
            "at-19961320t0039z",
            "at-19960230t0039z",
            "at-19961220t2460z",
            "at-19961220t003960z",
            "at-+9961220t0039z",
            "at-19961220t0039",
            "at-19961220t0039é",
            "at-00000101t0000z",
            "snap-",
            "root-qmhash",
            "at-x--snap-y",
        ] {
            let name = format!("photos--{rest}");
            let (bucket, moment) = Moment::in_name(&name).unwrap();
            assert!(bucket == "photos" && matches!(moment, Err(BucketError::InvalidMoment(_))), "{name}");
        }
    }

    #[test]
    fn text_is_a_time_a_commit_or_a_snapshot() {
        for text in ["1996-12-20T00:39:57Z", "1996-12-19T16:39:57-08:00", "19961220t003957z"] {
            assert_eq!(text.parse::<Moment>().unwrap(), TIME, "{text}");
        }
        assert_eq!("bafyreib4".parse::<Moment>().unwrap(), Moment::Commit("bafyreib4".into()));
        assert_eq!("release-1".parse::<Moment>().unwrap(), Moment::Snapshot("release-1".into()));
        assert_eq!(TIME.to_string(), "1996-12-20T00:39:57Z");
        for bad in ["", "Release 1", "1996-12-20T00:39:57", "1960-01-01T00:00:00Z", "a/b", &"a".repeat(64)] {
            assert!(bad.parse::<Moment>().is_err(), "{bad:?}");
        }
    }
}
