//! When a request says that it was made (Amazon S3 API reference, "Time stamp requirement"): in `x-amz-date`, or, where
//! that is missing, in `Date`.

use std::time::SystemTime;

use carob_identity::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::{S3Error, S3Result, s3_error};
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::error::access_denied_as;
use crate::instant;

pub(crate) const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Seconds since 1970, as `2013-05-24T00:00:00Z`.
pub(crate) fn shown(seconds: u64) -> String {
    let text = instant::date_time(Timestamp(seconds.saturating_mul(1000)));
    let second = text.get(..19).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    format!("{second}Z")
}

/// Reads `20130524T000000Z`.
pub(crate) fn basic(text: &str) -> Option<u64> {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    u64::try_from(PrimitiveDateTime::parse(text, form).ok()?.assume_utc().unix_timestamp()).ok()
}

/// The time of a signed request, in seconds since 1970.
///
/// # Errors
/// AccessDenied.
pub(crate) fn of_request(headers: &HeaderMap) -> S3Result<u64> {
    let value = match headers.contains_key(AMZ_DATE) {
        true => only(headers, &AMZ_DATE),
        false => only(headers, &header::DATE),
    };
    value
        .and_then(parse)
        .ok_or_else(|| access_denied_as("AWS authentication requires a valid Date or x-amz-date header"))
}

/// S3's word on a time that is too far from ours.
pub(crate) fn skewed() -> S3Error {
    s3_error!(
        RequestTimeTooSkewed,
        "The difference between the request time and the current time is too large."
    )
}

/// Gives a request that is signed over `Date` the header that s3s reads instead. That it is not signed does no harm:
/// the string that is signed holds the same time.
///
/// # Errors
/// AccessDenied for a request that is signed with version 4 at no time.
pub(crate) fn complete(headers: &mut HeaderMap) -> S3Result<()> {
    let signed =
        headers.get(header::AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4-"));
    if !signed {
        return Ok(());
    }
    let at = of_request(headers)?;
    if !headers.contains_key(AMZ_DATE) {
        let at = i64::try_from(at).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        let text = at
            .and_then(|at| at.format(format_description!("[year][month][day]T[hour][minute][second]Z")).ok());
        if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(AMZ_DATE, value);
        }
    }
    Ok(())
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Reads what HTTP, mail and ISO 8601 call a date.
fn parse(text: &str) -> Option<u64> {
    match OffsetDateTime::parse(text, &Rfc2822) {
        Ok(time) => u64::try_from(time.unix_timestamp()).ok(),
        Err(_) => basic(text).or_else(|| httpdate::parse_http_date(text).ok().map(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_in_several_forms() {
        for text in [
            "Tue, 14 Nov 2023 22:13:20 GMT",
            "Tue, 14 Nov 2023 22:13:20 +0000",
            "Tue, 14 Nov 2023 23:13:20 +0100",
            "14 Nov 2023 22:13:20 +0000",
            "Tuesday, 14-Nov-23 22:13:20 GMT",
            "Tue Nov 14 22:13:20 2023",
            "20231114T221320Z",
        ] {
            assert_eq!(parse(text), Some(1_700_000_000), "{text}");
        }
        for text in
            ["", "now", "1700000000", "Tue, 07 Jul 1950 21:53:04 GMT", "20231314T221320Z", "2023-11-14"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_signed_over_date_is_told_of_as_the_library_reads_it() {
        let completed = |lines: &[(HeaderName, &'static str)]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_static("AWS4-HMAC-SHA256 x"));
            headers.extend(lines.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))));
            complete(&mut headers).ok()?;
            Some(headers[AMZ_DATE].to_str().unwrap().to_owned())
        };
        let date = "Tue, 14 Nov 2023 22:13:20 GMT";
        assert_eq!(completed(&[(header::DATE, date)]).unwrap(), "20231114T221320Z");
        let both = completed(&[(header::DATE, date), (AMZ_DATE, "20130524T000000Z")]);
        assert_eq!(both.unwrap(), "20130524T000000Z");
        assert_eq!(completed(&[(header::DATE, "yesterday")]), None);
        assert_eq!(completed(&[(header::DATE, date), (AMZ_DATE, "")]), None);
        assert_eq!(completed(&[]), None);
    }

    #[test]
    fn what_is_not_signed_with_version_4_stays_as_it_is() {
        let mut headers = HeaderMap::new();
        complete(&mut headers).unwrap();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("AWS k:s"));
        complete(&mut headers).unwrap();
        assert!(!headers.contains_key(AMZ_DATE));
    }
}
