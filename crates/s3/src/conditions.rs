//! Conditional requests: RFC 9110 §13, with S3's habits (Amazon S3 user guide, "Conditional requests").
//!
//! s3s reads one entity tag and refuses lists and odd dates, so the headers are taken off the request after the
//! signature is checked and read here.

use std::time::{Duration, SystemTime};

use carob_bucket::{EtagCondition, Precondition, Record};
use http::{HeaderMap, HeaderName, header};
use s3s::S3Result;

use crate::error::not_implemented;
use crate::range::ByteRange;

/// The headers that [`Conditional`] stands for.
pub(crate) const HEADERS: [HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// Those of [`SourceConditional`], behind the header that names the source.
pub(crate) const SOURCE_HEADERS: [(&str, [HeaderName; 4]); 2] =
    [("x-amz-copy-source", COPY_HEADERS), ("x-amz-rename-source", RENAME_HEADERS)];

const COPY_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-amz-copy-source-if-match"),
    HeaderName::from_static("x-amz-copy-source-if-none-match"),
    HeaderName::from_static("x-amz-copy-source-if-modified-since"),
    HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
];

const RENAME_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-amz-rename-source-if-match"),
    HeaderName::from_static("x-amz-rename-source-if-none-match"),
    HeaderName::from_static("x-amz-rename-source-if-modified-since"),
    HeaderName::from_static("x-amz-rename-source-if-unmodified-since"),
];

/// What a copy or a renaming asks of its source.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SourceConditional(Conditional);

/// The conditions and the range of one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conditional {
    if_match: Option<TagList>,
    if_none_match: Option<TagList>,
    if_modified_since: Option<SystemTime>,
    if_unmodified_since: Option<SystemTime>,
    if_range: Option<IfRange>,
    range: Option<ByteRange>,
}

/// What the conditions say about reading an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TagList {
    Any,
    Tags(Vec<Tag>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    weak: bool,
    value: String,
}

#[derive(Debug, Clone, PartialEq)]
enum IfRange {
    Tag(Tag),
    Date(SystemTime),
}

impl SourceConditional {
    /// Takes the headers off a request that copies or renames; off another they are left for it to refuse.
    pub(crate) fn take(headers: &mut HeaderMap) -> Self {
        let named = SOURCE_HEADERS.into_iter().find(|(source, _)| headers.contains_key(*source));
        let Some((_, names)) = named else { return Self::default() };
        let [tag, no_tag, since, until] = names.clone();
        let conditional = Conditional {
            if_match: joined(headers, tag).map(|value| TagList::parse(&value)),
            if_none_match: joined(headers, no_tag).map(|value| TagList::parse(&value)),
            if_modified_since: date(headers, since),
            if_unmodified_since: date(headers, until),
            ..Conditional::default()
        };
        for name in &names {
            headers.remove(name);
        }
        Self(conditional)
    }

    /// Whether `record` is what shall be copied or renamed.
    pub(crate) fn holds(&self, record: &Record) -> bool {
        self.0.verdict(record) == Verdict::Proceed
    }
}

impl Conditional {
    /// Reads the headers. Dates that are none are ignored (RFC 9110 §13.1.3); so is a range that is none.
    pub(crate) fn parse(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| joined(headers, name);
        Self {
            if_match: text(header::IF_MATCH).map(|value| TagList::parse(&value)),
            if_none_match: text(header::IF_NONE_MATCH).map(|value| TagList::parse(&value)),
            if_modified_since: date(headers, header::IF_MODIFIED_SINCE),
            if_unmodified_since: date(headers, header::IF_UNMODIFIED_SINCE),
            if_range: text(header::IF_RANGE).and_then(|value| IfRange::parse(&value)),
            range: text(header::RANGE).and_then(|value| ByteRange::parse(&value)),
        }
    }

    /// Which conditions there are, but for those of a range.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("If-Match", self.if_match.is_some()),
            ("If-None-Match", self.if_none_match.is_some()),
            ("If-Modified-Since", self.if_modified_since.is_some()),
            ("If-Unmodified-Since", self.if_unmodified_since.is_some()),
        ];
        given.into_iter().filter_map(|(name, given)| given.then_some(name))
    }

    /// Decides on reading `record`, in the order of RFC 9110 §13.2.2.
    pub(crate) fn verdict(&self, record: &Record) -> Verdict {
        let etag = record.etag.to_string();
        let modified = modified(record);
        if let Some(tags) = &self.if_match {
            if !tags.matches_strongly(&etag) {
                return Verdict::Failed;
            }
        } else if self.if_unmodified_since.is_some_and(|since| modified > since) {
            return Verdict::Failed;
        }
        if let Some(tags) = &self.if_none_match {
            if tags.matches_weakly(&etag) {
                return Verdict::NotModified;
            }
        } else if self.if_modified_since.is_some_and(|since| modified <= since) {
            return Verdict::NotModified;
        }
        Verdict::Proceed
    }

    /// The range asked for, unless `If-Range` says that it was meant for another state of the object.
    pub(crate) fn range(&self, record: &Record) -> Option<ByteRange> {
        let meant = match &self.if_range {
            None => true,
            Some(IfRange::Tag(tag)) => !tag.weak && tag.is(&record.etag.to_string()),
            Some(IfRange::Date(date)) => *date == modified(record),
        };
        self.range.filter(|_| meant)
    }

    /// What a PUT asks of the object that it replaces. Entity tags in `If-None-Match`, which Amazon S3 does not have on a
    /// write, mean what RFC 9110 §13.1.2 says.
    pub(crate) fn for_put(&self) -> Precondition {
        Precondition {
            if_match: self.if_match.as_ref().map(TagList::strong),
            if_none_match: self.if_none_match.as_ref().map(TagList::weak),
        }
    }

    /// Whether a write asks when the object that it replaces was written, which it does not where it names entity tags.
    pub(crate) fn asks_when(&self) -> bool {
        (self.if_modified_since.is_some() && self.if_none_match.is_none())
            || (self.if_unmodified_since.is_some() && self.if_match.is_none())
    }

    /// Whether that is so of what is there now. What is not there was not modified.
    pub(crate) fn replaces_then(&self, present: Option<&Record>) -> bool {
        let since = self.if_modified_since.filter(|_| self.if_none_match.is_none());
        let until = self.if_unmodified_since.filter(|_| self.if_match.is_none());
        match present.map(modified) {
            Some(modified) => {
                since.is_none_or(|since| modified > since) && until.is_none_or(|until| modified <= until)
            }
            None => since.is_none(),
        }
    }

    /// What a DELETE asks of the object's entity tag.
    ///
    /// # Errors
    /// NotImplemented for `If-None-Match`, which S3 has on no DELETE.
    pub(crate) fn for_delete(&self) -> S3Result<Option<EtagCondition>> {
        if self.if_none_match.is_some() {
            return Err(not_implemented("If-None-Match"));
        }
        Ok(self.if_match.as_ref().map(TagList::strong))
    }
}

/// The condition that one `ETag` element of a DeleteObjects request states.
pub(crate) fn etag_condition(text: &str) -> EtagCondition {
    TagList::parse(text).strong()
}

impl TagList {
    fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::Any;
        }
        // No tag of ours holds a comma, so one inside quotes need not be told apart.
        Self::Tags(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Tag::parse).collect())
    }

    fn matches_strongly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| !tag.weak && tag.is(etag)),
        }
    }

    fn matches_weakly(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|tag| tag.is(etag)),
        }
    }

    /// For the committer, which compares strongly: weak tags never match.
    fn strong(&self) -> EtagCondition {
        self.condition(|tag| !tag.weak)
    }

    fn weak(&self) -> EtagCondition {
        self.condition(|_| true)
    }

    fn condition(&self, counts: impl Fn(&Tag) -> bool) -> EtagCondition {
        match self {
            Self::Any => EtagCondition::Any,
            Self::Tags(tags) => {
                let tags = tags.iter().filter(|tag| counts(tag));
                EtagCondition::OneOf(tags.map(|tag| tag.value.clone()).collect())
            }
        }
    }
}

impl Tag {
    /// With quotes or, as many clients send it, without.
    fn parse(text: &str) -> Self {
        let (weak, quoted) = match text.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let value = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
        Self { weak, value: value.to_owned() }
    }

    /// Whether it is this one, in whatever case its digits are.
    fn is(&self, etag: &str) -> bool {
        self.value.eq_ignore_ascii_case(etag)
    }
}

impl IfRange {
    fn parse(text: &str) -> Option<Self> {
        match httpdate::parse_http_date(text.trim()) {
            Ok(date) => Some(Self::Date(date)),
            Err(_) if text.trim().is_empty() => None,
            Err(_) => Some(Self::Tag(Tag::parse(text.trim()))),
        }
    }
}

/// When the object was written, to the second: all that `Last-Modified` can say.
fn modified(record: &Record) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(record.modified.seconds())
}

/// A date that is none is ignored.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    joined(headers, name).and_then(|value| httpdate::parse_http_date(value.trim()).ok())
}

/// All lines of a header as one list (RFC 9110 §5.3). Bytes that are no text stay as something that matches
/// nothing: dropping them would turn a conditional write into an unconditional one.
fn joined(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}
