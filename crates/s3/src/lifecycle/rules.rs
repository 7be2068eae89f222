//! A bucket's rules, as PutBucketLifecycleConfiguration takes them.

use std::collections::{BTreeMap, BTreeSet};

use carob_bucket::Record;
use carob_identity::Timestamp;
use http::StatusCode;
use s3s::dto::{self, BucketLifecycleConfiguration, LifecycleRule, Tag};
use s3s::{S3Error, S3Result, s3_error};
use time::OffsetDateTime;

use super::due::DAY;
use crate::error::{custom, malformed_xml};
use crate::tags::{self, Tagged};
use crate::{headers, instant};

const MAX_RULES: usize = 1000;
const MAX_ID: usize = 255;
/// The most noncurrent versions that a rule keeps (API reference, NoncurrentVersionExpiration).
const MAX_NEWER: i32 = 100;

/// The rules that are enabled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules(pub(crate) Vec<Rule>);

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) filter: Filter,
    pub(crate) expiration: Option<Expiration>,
    /// Whether delete markers go that nothing is left below.
    pub(crate) markers: bool,
    pub(crate) noncurrent: Option<Noncurrent>,
    /// After how many days an upload in parts is aborted.
    pub(crate) abort: Option<u32>,
}

/// When current objects go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiration {
    Days(u32),
    Date(Timestamp),
}

/// When noncurrent versions go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noncurrent {
    pub(crate) days: u32,
    /// The newest so many stay.
    pub(crate) keep: u32,
}

/// What a rule is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) prefix: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) larger_than: Option<u64>,
    pub(crate) smaller_than: Option<u64>,
}

impl Filter {
    pub(crate) fn fits(&self, key: &str, record: &Record) -> bool {
        let tagged = self.tags.iter().all(|(name, value)| record.tags.get(name) == Some(value));
        key.starts_with(&self.prefix)
            && tagged
            && self.larger_than.is_none_or(|bound| record.size > bound)
            && self.smaller_than.is_none_or(|bound| record.size < bound)
    }

    /// Whether it fits what has neither tags nor a size: a delete marker, or an upload that is not complete.
    pub(crate) fn fits_bare(&self, key: &str) -> bool {
        key.starts_with(&self.prefix) && self.is_bare()
    }

    fn is_bare(&self) -> bool {
        self.tags.is_empty() && self.larger_than.is_none() && self.smaller_than.is_none()
    }
}

impl Rules {
    /// Reads and checks the document.
    ///
    /// # Errors
    /// MalformedXML, InvalidArgument, InvalidRequest; NotImplemented for transitions: there is one storage class.
    pub(crate) fn parse(document: &BucketLifecycleConfiguration) -> S3Result<Self> {
        let rules = &document.rules;
        if rules.is_empty() {
            return Err(malformed_xml());
        }
        if rules.len() > MAX_RULES {
            return Err(s3_error!(
                InvalidRequest,
                "The number of lifecycle rules should not exceed allowed limit of {MAX_RULES} rules."
            ));
        }
        let mut ids = BTreeSet::new();
        let mut enabled = Vec::new();
        for document in rules {
            let rule = rule(document)?;
            if document.id.is_some() && !ids.insert(rule.id.clone()) {
                let message = "Rule ID must be unique. Found same ID for more than one rule";
                return Err(s3_error!(InvalidArgument, "{message}"));
            }
            match document.status.as_str() {
                "Enabled" => enabled.push(rule),
                "Disabled" => {}
                _ => return Err(malformed_xml()),
            }
        }
        Ok(Self(enabled))
    }
}

fn rule(document: &LifecycleRule) -> S3Result<Rule> {
    let id = document.id.clone().unwrap_or_default();
    if id.chars().count() > MAX_ID {
        return Err(s3_error!(InvalidArgument, "ID length should not exceed allowed limit of {MAX_ID}"));
    }
    let transitions = document.transitions.as_deref().unwrap_or_default();
    for date in transitions.iter().filter_map(|transition| transition.date.as_ref()) {
        midnight(date)?;
    }
    let later = document.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty());
    if !transitions.is_empty() || later {
        return Err(custom(
            "NotImplemented",
            StatusCode::NOT_IMPLEMENTED,
            "Transitions are not implemented: an object keeps the storage class that it was put with.",
        ));
    }
    let filter = match (&document.filter, &document.prefix) {
        (Some(document), None) => filter(document)?,
        (None, Some(prefix)) => Filter { prefix: prefix.clone(), ..Filter::default() },
        _ => return Err(malformed_xml()),
    };
    if filter.prefix.len() > carob_bucket::MAX_KEY_BYTES {
        return Err(s3_error!(InvalidRequest, "The maximum size of a prefix is 1024."));
    }
    let (expiration, markers) = document.expiration.as_ref().map_or(Ok((None, false)), expiration)?;
    if markers && !filter.is_bare() {
        return Err(s3_error!(
            InvalidRequest,
            "ExpiredObjectDeleteMarker cannot be specified with Tag-based or size-based filters."
        ));
    }
    let noncurrent = document.noncurrent_version_expiration.as_ref().map(noncurrent).transpose()?;
    let abort = document.abort_incomplete_multipart_upload.as_ref().map(|abort| {
        let days = abort.days_after_initiation.ok_or_else(malformed_xml)?;
        positive(days, "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action")
    });
    let abort = abort.transpose()?;
    if abort.is_some() && !filter.is_bare() {
        return Err(s3_error!(
            InvalidRequest,
            "AbortIncompleteMultipartUpload cannot be specified with Tag-based or size-based filters."
        ));
    }
    if expiration.is_none() && !markers && noncurrent.is_none() && abort.is_none() {
        return Err(s3_error!(InvalidRequest, "At least one action needs to be specified in a rule"));
    }
    Ok(Rule { id, filter, expiration, markers, noncurrent, abort })
}

fn filter(document: &dto::LifecycleRuleFilter) -> S3Result<Filter> {
    let dto::LifecycleRuleFilter {
        and, object_size_greater_than, object_size_less_than, prefix, tag, ..
    } = document;
    // An empty prefix beside another condition asks for nothing more.
    let prefix = prefix.as_ref().filter(|prefix| !prefix.is_empty());
    let conditions = [
        and.is_some(),
        object_size_greater_than.is_some(),
        object_size_less_than.is_some(),
        prefix.is_some(),
        tag.is_some(),
    ];
    if conditions.into_iter().filter(|given| *given).count() > 1 {
        return Err(malformed_xml());
    }
    let Some(and) = and else {
        return build(prefix, tag.as_slice(), *object_size_greater_than, *object_size_less_than);
    };
    let tags = and.tags.as_deref().unwrap_or_default();
    let others =
        [and.prefix.is_some(), and.object_size_greater_than.is_some(), and.object_size_less_than.is_some()];
    // One condition needs no And, and with none the rule would be about everything.
    if tags.len() + others.into_iter().filter(|given| *given).count() < 2 {
        return Err(malformed_xml());
    }
    build(and.prefix.as_ref(), tags, and.object_size_greater_than, and.object_size_less_than)
}

fn build(
    prefix: Option<&String>,
    list: &[Tag],
    larger: Option<i64>,
    smaller: Option<i64>,
) -> S3Result<Filter> {
    let size = |size: i64| {
        u64::try_from(size).map_err(|_| s3_error!(InvalidRequest, "Sizes in a Filter must not be negative."))
    };
    let larger_than = larger.map(size).transpose()?;
    let smaller_than = smaller.map(size).transpose()?;
    if larger_than.zip(smaller_than).is_some_and(|(larger, smaller)| larger >= smaller) {
        let message = "'ObjectSizeGreaterThan' has to be a value less than 'ObjectSizeLessThan'.";
        return Err(s3_error!(InvalidRequest, "{message}"));
    }
    let tags = tags::from_tags(list.to_vec(), Tagged::Object)?;
    Ok(Filter { prefix: prefix.cloned().unwrap_or_default(), tags, larger_than, smaller_than })
}

/// Writes the dates of rules in UTC. s3s keeps the offset that a date came with, and leaves it out of what it writes.
pub(crate) fn in_utc(document: &mut BucketLifecycleConfiguration) -> S3Result<()> {
    for rule in &mut document.rules {
        if let Some(date) = rule.expiration.as_mut().and_then(|expiration| expiration.date.as_mut()) {
            *date = headers::timestamp(Timestamp(midnight(date)?));
        }
    }
    Ok(())
}

/// Milliseconds since 1970.
fn midnight(date: &dto::Timestamp) -> S3Result<u64> {
    let millis = OffsetDateTime::from(date.clone()).unix_timestamp_nanos() / 1_000_000;
    let date = u64::try_from(millis).map_err(|_| malformed_xml())?;
    match date % DAY {
        0 if date > instant::LAST => Err(s3_error!(InvalidArgument, "'Date' must be before the year 10000")),
        0 => Ok(date),
        _ => Err(s3_error!(InvalidArgument, "'Date' must be at midnight GMT")),
    }
}

fn expiration(document: &dto::LifecycleExpiration) -> S3Result<(Option<Expiration>, bool)> {
    match (&document.days, &document.date, document.expired_object_delete_marker) {
        (Some(days), None, None) => {
            Ok((Some(Expiration::Days(positive(*days, "'Days' for Expiration action")?)), false))
        }
        (None, Some(date), None) => {
            let date = midnight(date)?;
            Ok((Some(Expiration::Date(Timestamp(date))), false))
        }
        (None, None, Some(markers)) => Ok((None, markers)),
        _ => Err(malformed_xml()),
    }
}

fn noncurrent(document: &dto::NoncurrentVersionExpiration) -> S3Result<Noncurrent> {
    let days = document.noncurrent_days.ok_or_else(malformed_xml)?;
    let days = positive(days, "'NoncurrentDays' for NoncurrentVersionExpiration action")?;
    let keep = match document.newer_noncurrent_versions {
        None => 0,
        Some(keep) if (1..=MAX_NEWER).contains(&keep) => keep.unsigned_abs(),
        Some(_) => {
            return Err(s3_error!(
                InvalidArgument,
                "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be between 1 and {MAX_NEWER}"
            ));
        }
    };
    Ok(Noncurrent { days, keep })
}

fn positive(number: i32, what: &str) -> S3Result<u32> {
    let wrong = || -> S3Error { s3_error!(InvalidArgument, "{what} must be a positive integer") };
    u32::try_from(number).ok().filter(|number| *number > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use s3s::xml::{Deserialize, Deserializer};

    use super::*;

    fn parse(rules: &str) -> S3Result<Rules> {
        let text = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
        let document = BucketLifecycleConfiguration::deserialize(&mut Deserializer::new(text.as_bytes()));
        Rules::parse(&document.map_err(|_| malformed_xml())?)
    }

    fn rule(inside: &str) -> String {
        format!("<Rule><Status>Enabled</Status>{inside}</Rule>")
    }

    fn code(rules: &str) -> String {
        parse(rules).unwrap_err().code().as_str().to_owned()
    }

    const DAYS: &str = "<Expiration><Days>1</Days></Expiration>";

    #[test]
    fn a_rule_is_read_with_all_that_it_says() {
        let rules = parse(&rule(
            "<ID>all</ID><Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>\
             <ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>10</ObjectSizeLessThan></And></Filter>\
             <Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration><NoncurrentVersionExpiration>\
             <NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>\
             </NoncurrentVersionExpiration>",
        ));
        let filter = Filter {
            prefix: "a/".to_owned(),
            tags: [("k".to_owned(), "v".to_owned())].into(),
            larger_than: Some(5),
            smaller_than: Some(10),
        };
        let expected = Rule {
            id: "all".to_owned(),
            filter,
            expiration: Some(Expiration::Date(Timestamp(1_893_456_000_000))),
            noncurrent: Some(Noncurrent { days: 3, keep: 2 }),
            ..Rule::default()
        };
        assert_eq!(rules.unwrap().0, [expected]);
        let disabled = rule(&format!("<Prefix/>{DAYS}")).replace("Enabled", "Disabled");
        assert_eq!(parse(&disabled).unwrap(), Rules::default());
    }

    #[test]
    fn filters_may_be_empty_or_of_one_condition() {
        for filter in [
            "<Prefix/>",
            "<Filter/>",
            "<Filter><Prefix>a</Prefix></Filter>",
            "<Filter><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>",
            "<Filter><Prefix/><Tag><Key>k</Key><Value>v</Value></Tag></Filter>",
        ] {
            assert!(parse(&rule(&format!("{filter}{DAYS}"))).is_ok(), "{filter}");
        }
        for filter in [
            "",
            "<Prefix/><Filter/>",
            "<Filter><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></Filter>",
        ] {
            assert_eq!(code(&rule(&format!("{filter}{DAYS}"))), "MalformedXML", "{filter}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_the_words_of_s3() {
        let tag = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>";
        for (inside, expected) in [
            ("<Prefix/>", "InvalidRequest"),
            ("<Prefix/><Expiration/>", "MalformedXML"),
            ("<Prefix/><Expiration><Days>0</Days></Expiration>", "InvalidArgument"),
            ("<Prefix/><Expiration><Days>-1</Days></Expiration>", "InvalidArgument"),
            (
                "<Prefix/><Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>",
                "MalformedXML",
            ),
            ("<Prefix/><Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>", "InvalidArgument"),
            ("<Prefix/><NoncurrentVersionExpiration/>", "MalformedXML"),
            (
                "<Prefix/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101\
                 </NewerNoncurrentVersions></NoncurrentVersionExpiration>",
                "InvalidArgument",
            ),
            (
                "<Prefix/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>",
                "NotImplemented",
            ),
            (
                "<Prefix/><Transition><Date>2023-11-14T01:00:00Z</Date><StorageClass>GLACIER</StorageClass>\
                 </Transition>",
                "InvalidArgument",
            ),
            (
                "<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5\
                 </ObjectSizeLessThan></And></Filter><Expiration><Days>1</Days></Expiration>",
                "InvalidRequest",
            ),
            (&format!("<ID>{}</ID><Prefix/>{DAYS}", "i".repeat(256)), "InvalidArgument"),
            (
                &format!(
                    "{tag}<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
                ),
                "InvalidRequest",
            ),
            (
                &format!(
                    "{tag}<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
                     </AbortIncompleteMultipartUpload>"
                ),
                "InvalidRequest",
            ),
        ] {
            assert_eq!(code(&rule(inside)), expected, "{inside}");
        }
        assert_eq!(code(""), "MalformedXML");
        let one = rule(&format!("<ID>a</ID><Prefix/>{DAYS}"));
        assert_eq!(code(&one.repeat(2)), "InvalidArgument");
        assert_eq!(code(&one.replace("Enabled", "enabled")), "MalformedXML");
        assert_eq!(code(&rule(&format!("<Prefix/>{DAYS}")).repeat(1001)), "InvalidRequest");
    }
}
