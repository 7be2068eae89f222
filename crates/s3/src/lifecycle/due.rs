//! When something is due.

use carob_bucket::{Config, Record};
use carob_identity::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::BucketLifecycleConfiguration;

use super::rules::{Expiration, Rules};
use crate::{documents, instant};

/// A day of the calendar, in milliseconds.
pub(super) const DAY: u64 = 24 * 60 * 60 * 1000;

/// What a rule's name keeps in a header; Amazon S3 encodes it, too.
const IN_HEADER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// So many days after `from`, rounded up to the next midnight (user guide, "How Amazon S3 calculates how long an object
/// has been noncurrent" and "Expiring objects"). `day` is the length of a day.
pub(super) fn after(from: Timestamp, days: u32, day: u64) -> Timestamp {
    let end = from.0.saturating_add(u64::from(days).saturating_mul(day));
    Timestamp(end.div_ceil(day).saturating_mul(day))
}

impl Expiration {
    /// When an object goes that was made then.
    pub(super) fn due(self, made: Timestamp, day: u64) -> Timestamp {
        match self {
            Self::Days(days) => after(made, days, day),
            Self::Date(date) => date,
        }
    }
}

/// What `x-amz-expiration` says of a current object: nothing, if no rule takes it away.
pub(crate) fn expiration(config: &Config, key: &str, record: &Record) -> Option<String> {
    let rules = rules(config)?;
    let fitting = rules.0.iter().filter(|rule| rule.filter.fits(key, record));
    let due = fitting.filter_map(|rule| Some((rule.expiration?.due(record.modified, DAY), &rule.id)));
    let (when, id) = due.min_by_key(|(when, _)| *when)?;
    let when = instant::http_date(when);
    let id = utf8_percent_encode(id, IN_HEADER);
    Some(format!("expiry-date=\"{when}\", rule-id=\"{id}\""))
}

/// The end of an upload in parts that is not complete by then.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Abort {
    pub(crate) when: Timestamp,
    /// The rule, written as [`expiration`] writes it.
    pub(crate) rule: String,
}

/// When an upload to `key` is aborted: never, if no rule says so (API reference, CreateMultipartUpload, `x-amz-abort-date`).
pub(crate) fn abort(config: &Config, key: &str, initiated: Timestamp) -> Option<Abort> {
    let rules = rules(config)?;
    let fitting = rules.0.iter().filter(|rule| rule.filter.fits_bare(key));
    let due = fitting.filter_map(|rule| Some((after(initiated, rule.abort?, DAY), &rule.id)));
    let (when, id) = due.min_by_key(|(when, _)| *when)?;
    Some(Abort { when, rule: utf8_percent_encode(id, IN_HEADER).to_string() })
}

fn rules(config: &Config) -> Option<Rules> {
    let document = config.documents.get(documents::LIFECYCLE)?;
    Rules::parse(&documents::read::<BucketLifecycleConfiguration>(document).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_due_at_a_midnight() {
        let noon = Timestamp(10 * DAY + DAY / 2);
        assert_eq!(after(noon, 1, DAY).0, 12 * DAY);
        assert_eq!(after(Timestamp(10 * DAY), 1, DAY).0, 11 * DAY);
        assert_eq!(after(Timestamp(10 * DAY + 1), 3, DAY).0, 14 * DAY);
        assert_eq!(Expiration::Date(noon).due(Timestamp(0), DAY), noon);
        after(Timestamp(u64::MAX), u32::MAX, DAY);
    }
}
