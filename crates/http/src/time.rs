//! Times as text.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A time, given in milliseconds since the Unix epoch, as RFC 3339 in UTC. Times beyond the year 9999, which only a broken clock gives, show as
/// that year's end.
pub fn rfc3339(millis: u64) -> String {
    let nanos = i128::from(millis) * 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos);
    time.ok().and_then(|time| time.format(FORMAT).ok()).unwrap_or_else(|| "9999-12-31T23:59:59.999Z".into())
}

/// Reads RFC 3339, in any zone, as milliseconds since the Unix epoch.
#[cfg(feature = "server")]
pub(crate) fn parse_rfc3339(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_to_the_millisecond() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        // RFC 3339 §5.8, the third example, in UTC.
        assert_eq!(rfc3339(851_042_397_007), "1996-12-20T00:39:57.007Z");
        assert_eq!(parse_rfc3339("1996-12-19T16:39:57.007-08:00"), Some(851_042_397_007));
        assert_eq!(parse_rfc3339("1996-12-20"), None);
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
