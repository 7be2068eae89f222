//! Times as answers have them.

use carob_identity::Timestamp;

/// `2026-01-02T03:04:05.678Z`, as s3s writes times; `None` beyond the year 9999. A page of a listing has a thousand of them, and
/// to have them formatted took a twentieth of its processor time.
pub(crate) fn date_time(time: Timestamp) -> Option<[u8; 24]> {
    let (seconds, millis) = (time.seconds(), time.millis() % 1000);
    let (year, month, day) = civil(seconds / 86_400)?;
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
    Some(text)
}

/// Year, month and day of a day since 1970, up to the year 9999: Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`, for days that are not negative.
fn civil(days: u64) -> Option<(u64, u64, u64)> {
    /// That of 9999-12-31.
    const LAST: u64 = 2_932_896;
    if days > LAST {
        return None;
    }
    // Years begin with March here, and eras of 400 years with the year 0.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Some((year + era * 400 + later, month, day_of_month))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use s3s::dto::TimestampFormat;

    use super::*;
    use crate::headers;

    const LAST: u64 = 253_402_300_799_999;

    fn theirs(time: Timestamp) -> Vec<u8> {
        let mut text = Vec::new();
        headers::timestamp(time).format(TimestampFormat::DateTime, &mut text).unwrap();
        text
    }

    #[test]
    fn the_ends_of_years_and_of_time_are_as_s3s_has_them() {
        for days in (0..=LAST / 86_400_000).step_by(59) {
            for millis in [days * 86_400_000, days * 86_400_000 + 86_399_999] {
                assert_eq!(date_time(Timestamp(millis)).unwrap()[..], theirs(Timestamp(millis)));
            }
        }
        assert_eq!(&date_time(Timestamp(0)).unwrap(), b"1970-01-01T00:00:00.000Z");
        assert_eq!(&date_time(Timestamp(951_782_400_000)).unwrap(), b"2000-02-29T00:00:00.000Z");
        assert_eq!(&date_time(Timestamp(LAST)).unwrap(), b"9999-12-31T23:59:59.999Z");
        assert_eq!(date_time(Timestamp(LAST + 1)), None);
        assert_eq!(date_time(Timestamp(u64::MAX)), None);
    }

    proptest! {
        #[test]
        fn times_are_as_s3s_has_them(millis in 0..=LAST) {
            let time = Timestamp(millis);
            prop_assert_eq!(date_time(time).unwrap().to_vec(), theirs(time));
        }
    }
}
