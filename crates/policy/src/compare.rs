//! Whether a condition holds of a request.

use std::net::IpAddr;

use data_encoding::BASE64;

use crate::Context;
use crate::condition::{Condition, Over, Test, boolean};
use crate::date;
use crate::pattern::{Filled, Pattern};

impl Condition {
    /// Whether it holds. A key that is not there satisfies what is negated, what says `IfExists` and `ForAllValues`, and
    /// nothing else.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = context.get(&self.key).filter(|values| !values.is_empty());
        if let Test::Null(absent) = &self.test {
            return absent.contains(&values.is_none());
        }
        let Some(values) = values else {
            return self.if_exists || self.over == Over::All || (self.negated && self.over == Over::Single);
        };
        let met = |value: &String| self.test.fits(value, context) != self.negated;
        match (self.over, self.negated) {
            (Over::All, _) | (Over::Single, true) => values.iter().all(met),
            (Over::Any, _) | (Over::Single, false) => values.iter().any(met),
        }
    }
}

impl Test {
    /// Whether a value is one of those that are listed. What cannot be read as it should be is none of them.
    fn fits(&self, value: &str, context: &Context) -> bool {
        let filled = |patterns: &[Pattern], fits: &dyn Fn(Filled) -> bool| {
            patterns.iter().filter_map(|pattern| pattern.fill(context)).any(fits)
        };
        match self {
            Self::Equal(patterns) => filled(patterns, &|pattern| pattern.is(value, |a, b| a == b)),
            Self::EqualIgnoringCase(patterns) => {
                filled(patterns, &|pattern| pattern.is(value, |a, b| a.to_lowercase().eq(b.to_lowercase())))
            }
            Self::Like(patterns) => filled(patterns, &|pattern| pattern.matches(value)),
            Self::Arn(patterns) => filled(patterns, &|pattern| arn_matches(pattern, value)),
            Self::Number(order, numbers) => {
                let value = value.trim().parse::<f64>();
                value.is_ok_and(|value| numbers.iter().any(|number| order.holds(&value, number)))
            }
            Self::Date(order, dates) => {
                date::parse(value).is_some_and(|value| dates.iter().any(|date| order.holds(&value, date)))
            }
            Self::Bool(wanted) => boolean(value).is_some_and(|value| wanted.contains(&value)),
            Self::Binary(wanted) => {
                BASE64.decode(value.as_bytes()).is_ok_and(|value| wanted.contains(&value))
            }
            Self::Ip(ranges) => value
                .parse::<IpAddr>()
                .is_ok_and(|address| ranges.iter().any(|range| range.contains(address))),
            // Decided before any value is looked at.
            Self::Null(_) => false,
        }
    }
}

/// Each of the six parts by itself, so that a wildcard does not run across a colon.
fn arn_matches(pattern: Filled, value: &str) -> bool {
    let pattern = pattern.split(6);
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    pattern.len() == parts.len() && pattern.iter().zip(parts).all(|(pattern, part)| pattern.matches(part))
}
