//! Times as answers have them.

use std::time::{Duration, SystemTime};

use carob_identity::Timestamp;

/// The last millisecond of a year of four digits. No format has later times, and what writes them panics: they are shown as
/// this one. A bucket made elsewhere may hold such, and a lifecycle rule may come to them.
pub(crate) const LAST: u64 = 253_402_300_799_999;

/// The time that is shown for it.
pub(crate) fn system_time(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(time.millis().min(LAST))
}

/// `Fri, 02 Jan 2026 03:04:05 GMT`.
pub(crate) fn http_date(time: Timestamp) -> String {
    httpdate::fmt_http_date(system_time(time))
}

/// `2026-01-02T03:04:05.678Z`, as s3s writes times. A page of a listing has a thousand of them, and to have them formatted took a
/// twentieth of its processor time.
pub(crate) fn date_time(time: Timestamp) -> [u8; 24] {
    let time = time.millis().min(LAST);
    let (seconds, millis) = (time / 1000, time % 1000);
    let (year, month, day) = civil(seconds / 86_400);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let second = seconds % 86_400;
    for (at, value, digits) in [
        (0, year, 4),
        (5, month, 2),
        (8, day, 2),
        (11, second / 3600, 2),
        (14, second / 60 % 60, 2),
        (17, second % 60, 2),
        (20, millis, 3),
    ] {
        let mut value = value;
        for place in text[at..at + digits].iter_mut().rev() {
            *place += (value % 10) as u8;
            value /= 10;
        }
    }
    text
}

/// Year, month and day of a day since 1970: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`, for days that are not negative.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years begin with March here, and eras of 400 years with the year 0.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (year + era * 400 + later, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use s3s::dto::TimestampFormat;

    use super::*;
    use crate::headers;

    fn theirs(time: Timestamp) -> Vec<u8> {
        let mut text = Vec::new();
        headers::timestamp(time).format(TimestampFormat::DateTime, &mut text).unwrap();
        text
    }

    #[test]
    fn the_ends_of_years_and_of_time_are_as_s3s_has_them() {
        for days in (0..=LAST / 86_400_000).step_by(59) {
            for millis in [days * 86_400_000, days * 86_400_000 + 86_399_999] {
                assert_eq!(date_time(Timestamp(millis))[..], theirs(Timestamp(millis)));
            }
        }
        assert_eq!(&date_time(Timestamp(0)), b"1970-01-01T00:00:00.000Z");
        assert_eq!(&date_time(Timestamp(951_782_400_000)), b"2000-02-29T00:00:00.000Z");
    }

    #[test]
    fn what_has_no_year_of_four_digits_is_the_last_that_has_one() {
        for late in [LAST, LAST + 1, u64::MAX].map(Timestamp) {
            assert_eq!(&date_time(late), b"9999-12-31T23:59:59.999Z");
            assert_eq!(theirs(late), b"9999-12-31T23:59:59.999Z");
            assert_eq!(http_date(late), "Fri, 31 Dec 9999 23:59:59 GMT");
        }
    }

    proptest! {
        #[test]
        fn times_are_as_s3s_has_them(millis in 0..=LAST) {
            let time = Timestamp(millis);
            prop_assert_eq!(date_time(time).to_vec(), theirs(time));
        }
    }
}
