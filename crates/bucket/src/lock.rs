//! Object lock: the one guard before anything that would take a version away or lift what protects it.
//!
//! Whatever makes a version unreachable or unprotected asks here, below every surface. Nobody is exempt: neither
//! the root key nor the operator lifts a legal hold by deleting, or shortens a compliance retention at all.

use carob_commit::{Config, Lock, Record, Retention, RetentionMode, RetentionPeriod, Versioning};
use carob_identity::Timestamp;
use time::OffsetDateTime;

use crate::BucketError;

/// A day in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// The longest default retention of a bucket, in days (Amazon S3 user guide, "Object Lock considerations").
pub const MAX_RETENTION_DAYS: u32 = 36_500;

/// Whether a version so protected may go now. `bypass` is for a caller with the right to bypass governance.
pub(crate) fn may_remove(record: &Record, now: Timestamp, bypass: bool) -> Result<(), BucketError> {
    let Lock { retention, legal_hold } = record.lock;
    if legal_hold == Some(true) || retention.is_some_and(|retention| binds(retention, now, bypass)) {
        return Err(BucketError::Locked);
    }
    Ok(())
}

/// Whether `next` may take the place of a version's retention.
pub(crate) fn may_retain(
    present: Option<Retention>,
    next: Option<Retention>,
    now: Timestamp,
    bypass: bool,
) -> Result<(), BucketError> {
    check_until(next, now)?;
    let Some(present) = present.filter(|present| binds(*present, now, bypass)) else { return Ok(()) };
    match next {
        Some(next) if next.mode == present.mode && next.until >= present.until => Ok(()),
        _ => Err(BucketError::Locked),
    }
}

/// Refuses a retention that is over before it begins.
pub(crate) fn check_until(retention: Option<Retention>, now: Timestamp) -> Result<(), BucketError> {
    if retention.is_some_and(|retention| retention.until <= now) {
        return Err(BucketError::RetentionDate);
    }
    Ok(())
}

/// What a new version is protected by, given what its writer asked for.
pub(crate) fn of_new_version(asked: Lock, config: &Config, now: Timestamp) -> Result<Lock, BucketError> {
    let Some(object_lock) = &config.object_lock else {
        return if asked.is_none() { Ok(asked) } else { Err(BucketError::LockNotEnabled) };
    };
    check_until(asked.retention, now)?;
    let default = object_lock.default.map(|default| {
        let until = end_of(default.period, now);
        Retention { mode: default.mode, until }
    });
    Ok(Lock { retention: asked.retention.or(default), ..asked })
}

/// Whether a bucket so configured may become configured so: versioning is never undone, object lock never
/// disabled, and while it is enabled versioning is not even suspended.
pub(crate) fn may_configure(present: &Config, next: &Config) -> Result<(), BucketError> {
    let unversioned = next.versioning == Versioning::Unversioned;
    if unversioned && present.versioning != Versioning::Unversioned {
        return Err(BucketError::VersioningState("versioning cannot be undone, only suspended"));
    }
    if next.object_lock.is_some() && next.versioning != Versioning::Enabled {
        return Err(BucketError::VersioningState("object lock needs versioning to be enabled"));
    }
    if present.object_lock.is_some() && next.object_lock.is_none() {
        return Err(BucketError::VersioningState("object lock cannot be disabled"));
    }
    Ok(())
}

fn binds(retention: Retention, now: Timestamp, bypass: bool) -> bool {
    let lifted = bypass && retention.mode == RetentionMode::Governance;
    retention.until > now && !lifted
}

fn end_of(period: RetentionPeriod, from: Timestamp) -> Timestamp {
    let days = |days: u32| Timestamp(from.0.saturating_add(u64::from(days).saturating_mul(DAY)));
    let years = match period {
        RetentionPeriod::Days(count) => return days(count),
        RetentionPeriod::Years(count) => count,
    };
    // Never less than calendar years; 29 February ends on 1 March.
    let calendar = || {
        let start = OffsetDateTime::from_unix_timestamp(i64::try_from(from.seconds()).ok()?).ok()?;
        let year = start.year().checked_add(i32::try_from(years).ok()?)?;
        let end = match start.replace_year(year) {
            Ok(end) => end,
            Err(_) => (start + time::Duration::DAY).replace_year(year).ok()?,
        };
        let end = u64::try_from(end.unix_timestamp()).ok()?;
        Some(Timestamp(end.checked_mul(1000)?.checked_add(from.0 % 1000)?))
    };
    calendar().unwrap_or_else(|| days(years.saturating_mul(366)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_709_164_800_000); // 29 February 2024

    fn retention(mode: RetentionMode, days: i64) -> Retention {
        let until = i64::try_from(NOW.0).unwrap() + days * i64::try_from(DAY).unwrap();
        Retention { mode, until: Timestamp(u64::try_from(until).unwrap()) }
    }

    #[test]
    fn compliance_can_only_be_prolonged() {
        let present = Some(retention(RetentionMode::Compliance, 10));
        for bypass in [false, true] {
            assert!(may_retain(present, Some(retention(RetentionMode::Compliance, 10)), NOW, bypass).is_ok());
            assert!(may_retain(present, Some(retention(RetentionMode::Compliance, 11)), NOW, bypass).is_ok());
            for next in [
                None,
                Some(retention(RetentionMode::Compliance, 9)),
                Some(retention(RetentionMode::Governance, 11)),
            ] {
                assert!(matches!(may_retain(present, next, NOW, bypass), Err(BucketError::Locked)));
            }
        }
    }

    #[test]
    fn governance_gives_way_to_the_bypass_alone() {
        let present = Some(retention(RetentionMode::Governance, 10));
        assert!(may_retain(present, Some(retention(RetentionMode::Governance, 11)), NOW, false).is_ok());
        for next in [
            None,
            Some(retention(RetentionMode::Governance, 9)),
            Some(retention(RetentionMode::Compliance, 11)),
        ] {
            assert!(matches!(may_retain(present, next, NOW, false), Err(BucketError::Locked)), "{next:?}");
            assert!(may_retain(present, next, NOW, true).is_ok(), "{next:?}");
        }
    }

    #[test]
    fn a_retention_that_is_over_binds_nothing() {
        let over = Some(retention(RetentionMode::Compliance, 0));
        assert!(may_retain(over, None, NOW, false).is_ok());
        assert!(may_retain(over, Some(retention(RetentionMode::Governance, 1)), NOW, false).is_ok());
    }

    #[test]
    fn a_date_in_the_past_is_refused() {
        for days in [-1, 0] {
            let next = Some(retention(RetentionMode::Governance, days));
            assert!(matches!(may_retain(None, next, NOW, true), Err(BucketError::RetentionDate)), "{days}");
        }
        assert!(may_retain(None, Some(retention(RetentionMode::Governance, 36_500)), NOW, true).is_ok());
    }

    #[test]
    fn years_are_those_of_the_calendar() {
        let end = |years| (end_of(RetentionPeriod::Years(years), NOW).0 - NOW.0) / DAY;
        assert_eq!([end(1), end(4), end(100)], [366, 1461, 36_524]);
        assert_eq!((end_of(RetentionPeriod::Days(30), NOW).0 - NOW.0) / DAY, 30);
    }
}
