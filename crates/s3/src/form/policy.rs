//! The policy of a form: what whoever signed it lets others upload (API reference, "POST policy").

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use carob_identity::Timestamp;
use data_encoding::BASE64;
use s3s::{S3Error, S3Result, s3_error};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use crate::checksum;

/// Fields that no condition needs to name: the form's own frame, and checksums, which allow nothing.
const UNCONDITIONAL: [&str; 7] = [
    "awsaccesskeyid",
    "file",
    "policy",
    "signature",
    "x-amz-signature",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-type",
];

/// A policy, read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    expiration: OffsetDateTime,
    conditions: Vec<Condition>,
    /// The sizes that the file may have.
    pub(super) sizes: RangeInclusive<u64>,
}

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    /// As the policy has it; letters of either case are the same.
    field: String,
    /// Whether it can be met: a list names a field with a `$`, and holds for nothing without one.
    named: bool,
    kind: Kind,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Equal,
    StartsWith,
}

impl Policy {
    /// Reads the field `policy`.
    ///
    /// # Errors
    /// InvalidPolicyDocument, saying what is wrong.
    pub(crate) fn parse(field: &str) -> S3Result<Self> {
        // Some clients wrap the lines.
        let packed: String = field.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let json = BASE64.decode(packed.as_bytes()).map_err(|_| invalid("invalid Base64 encoding."))?;
        if json.is_empty() {
            return Err(invalid("Expecting '{' but found End-of-Input"));
        }
        let document: Map<String, Value> = serde_json::from_slice(&json).map_err(|_| invalid_json())?;
        if let Some(other) =
            document.keys().find(|name| !["expiration", "conditions"].contains(&name.as_str()))
        {
            return Err(invalid(&format!("Unexpected: \"{other}\"")));
        }
        let expiration = document.get("expiration").ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration = expiration.as_str().ok_or_else(invalid_json)?;
        let expiration = OffsetDateTime::parse(expiration, &Iso8601::DEFAULT)
            .map_err(|_| invalid(&format!("Invalid 'expiration' value: '{expiration}'")))?;
        let conditions = document.get("conditions").ok_or_else(|| invalid("Policy missing conditions."))?;
        let conditions =
            conditions.as_array().ok_or_else(|| invalid("Invalid 'conditions' value: must be a List."))?;
        let mut policy = Self { expiration, conditions: Vec::new(), sizes: 0..=u64::MAX };
        conditions.iter().try_for_each(|condition| policy.add(condition))?;
        Ok(policy)
    }

    fn add(&mut self, condition: &Value) -> S3Result<()> {
        match condition {
            Value::Object(pairs) => {
                let mut pairs = pairs.iter();
                let (Some((field, value)), None) = (pairs.next(), pairs.next()) else {
                    return Err(invalid(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let value = value
                    .as_str()
                    .ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
                self.add_comparison(Kind::Equal, field, true, value);
                Ok(())
            }
            Value::Array(items) => {
                let operator = items.first().and_then(Value::as_str);
                let operator =
                    operator.ok_or_else(|| invalid("Invalid Condition: missing operation identifier."))?;
                let kind = match &*operator.to_ascii_lowercase() {
                    "content-length-range" => None,
                    "eq" => Some(Kind::Equal),
                    "starts-with" => Some(Kind::StartsWith),
                    _ => return Err(invalid(&format!("Invalid Condition: unknown operation '{operator}'."))),
                };
                let [_, first, second] = items.as_slice() else {
                    return Err(invalid(&format!("Invalid {operator}: wrong number of arguments.")));
                };
                let Some(kind) = kind else { return self.add_range(first, second) };
                let (field, value) = first.as_str().zip(second.as_str()).ok_or_else(invalid_json)?;
                let name = field.strip_prefix('$');
                self.add_comparison(kind, name.unwrap_or(field), name.is_some(), value);
                Ok(())
            }
            _ => Err(invalid("Invalid condition test: must be a List or Object.")),
        }
    }

    fn add_comparison(&mut self, kind: Kind, field: &str, named: bool, value: &str) {
        let (field, value) = (field.to_owned(), value.to_owned());
        self.conditions.push(Condition { field, named, kind, value });
    }

    fn add_range(&mut self, least: &Value, most: &Value) -> S3Result<()> {
        let number = |value: &Value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let (Some(least), Some(most)) = (number(least), number(most)) else {
            return Err(invalid_json());
        };
        // Where there are several, all hold.
        self.sizes = least.max(*self.sizes.start())..=most.min(*self.sizes.end());
        Ok(())
    }

    /// Checks a form's fields and the bucket that it is sent to.
    ///
    /// # Errors
    /// AccessDenied, saying what does not hold.
    pub(super) fn check(
        &self,
        bucket: &str,
        fields: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> S3Result<()> {
        if self.expiration.unix_timestamp_nanos() <= i128::from(now.millis()) * 1_000_000 {
            return Err(denied("Policy expired."));
        }
        let value = |field: &str| match field {
            "bucket" => Some(bucket),
            field => fields.get(field).map(String::as_str),
        };
        for condition in &self.conditions {
            if !condition.holds(value(&condition.field.to_ascii_lowercase())) {
                let operator = if condition.kind == Kind::Equal { "eq" } else { "starts-with" };
                let Condition { field, value, named, .. } = condition;
                let sign = if *named { "$" } else { "" };
                return Err(denied(&format!(
                    "Policy Condition failed: [\"{operator}\", \"{sign}{field}\", \"{value}\"]"
                )));
            }
        }
        let named =
            |field: &str| self.conditions.iter().any(|condition| condition.field.eq_ignore_ascii_case(field));
        let free = |field: &str| {
            UNCONDITIONAL.contains(&field) || checksum::is_header(field) || field.starts_with("x-ignore-")
        };
        let mut given = fields.keys().map(String::as_str).chain(["bucket"]);
        match given.find(|field| !free(field) && !named(field)) {
            Some(field) => Err(denied(&format!("Extra input fields: {field}"))),
            None => Ok(()),
        }
    }
}

impl Condition {
    fn holds(&self, given: Option<&str>) -> bool {
        match self.kind {
            _ if !self.named => false,
            Kind::Equal => given == Some(&*self.value),
            Kind::StartsWith => {
                let given = given.unwrap_or_default();
                // A list of content types has to begin so throughout.
                let list = self.field.eq_ignore_ascii_case("content-type");
                let mut values = given.split(',').filter(|_| list).map(str::trim);
                given.starts_with(&*self.value) && values.all(|value| value.starts_with(&*self.value))
            }
        }
    }
}

fn invalid(message: &str) -> S3Error {
    s3_error!(InvalidPolicyDocument, "Invalid Policy: {message}")
}

/// S3's word on values of another kind, too.
fn invalid_json() -> S3Error {
    invalid("Invalid JSON.")
}

fn denied(message: &str) -> S3Error {
    s3_error!(AccessDenied, "Invalid according to Policy: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn parse(json: &str) -> S3Result<Policy> {
        Policy::parse(&BASE64.encode(json.as_bytes()))
    }

    fn with(conditions: &str) -> S3Result<Policy> {
        parse(&format!("{{\"expiration\":\"2023-11-15T00:00:00.000Z\",\"conditions\":[{conditions}]}}"))
    }

    /// What a form is told; "" if nothing.
    fn told(conditions: &str, fields: &[(&str, &str)]) -> String {
        let policy = with(&format!("{{\"bucket\":\"b\"}},{conditions}")).unwrap();
        let fields = fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        match policy.check("b", &fields, NOW) {
            Ok(()) => String::new(),
            Err(error) => {
                assert_eq!(error.code().as_str(), "AccessDenied");
                error.message().unwrap().replace("Invalid according to Policy: ", "")
            }
        }
    }

    #[test]
    fn conditions_hold_or_not() {
        let any_key = "[\"starts-with\",\"$key\",\"\"]";
        assert_eq!(told(any_key, &[("key", "anything")]), "");
        for (conditions, field, good, bad) in [
            ("{\"ACL\":\"private\"}", "acl", "private", "public-read"),
            ("[\"eq\",\"$acl\",\"private\"]", "acl", "private", "privat"),
            ("[\"StArTs-With\",\"$x-amz-meta-a\",\"re\"]", "x-amz-meta-a", "red", "green"),
            (
                "[\"starts-with\",\"$Content-Type\",\"image/\"]",
                "content-type",
                "image/a, image/b",
                "image/a,text/b",
            ),
        ] {
            let conditions = format!("{any_key},{conditions}");
            assert_eq!(told(&conditions, &[("key", "k"), (field, good)]), "", "{conditions}");
            assert!(told(&conditions, &[("key", "k"), (field, bad)]).starts_with("Policy Condition failed"));
        }
        assert!(told("{\"acl\":\"private\"}", &[]).starts_with("Policy Condition failed"), "a missing field");
        let failed = "Policy Condition failed: [\"eq\", \"$Content-Type\", \"a/b\"]";
        assert_eq!(told("{\"Content-Type\":\"a/b\"}", &[("content-type", "a/c")]), failed);
        for operator in ["eq", "starts-with"] {
            let bare = format!("{any_key},[\"{operator}\",\"acl\",\"private\"]");
            let told = told(&bare, &[("key", "k"), ("acl", "private")]);
            assert_eq!(told, format!("Policy Condition failed: [\"{operator}\", \"acl\", \"private\"]"));
        }
    }

    #[test]
    fn a_field_that_no_condition_names_is_refused() {
        let any_key = "[\"starts-with\",\"$key\",\"\"]";
        assert_eq!(told(any_key, &[("key", "k"), ("x-amz-meta-a", "1")]), "Extra input fields: x-amz-meta-a");
        assert_eq!(told("[\"starts-with\",\"$acl\",\"\"]", &[("key", "k")]), "Extra input fields: key");
        let free = [
            ("key", "k"),
            ("policy", "p"),
            ("signature", "s"),
            ("x-ignore-me", "1"),
            ("awsaccesskeyid", "a"),
        ];
        assert_eq!(told(any_key, &free), "");
        let unnamed = with(any_key).unwrap();
        let error = unnamed.check("b", &BTreeMap::new(), NOW).unwrap_err();
        assert!(error.message().unwrap().ends_with("Extra input fields: bucket"));
        assert!(with("{\"bucket\":\"a\"}").unwrap().check("b", &BTreeMap::new(), NOW).is_err());
    }

    #[test]
    fn a_policy_ends() {
        let policy = with("{\"bucket\":\"b\"}").unwrap();
        let end = Timestamp(1_700_006_400_000);
        assert!(policy.check("b", &BTreeMap::new(), Timestamp(end.0 - 1)).is_ok());
        let error = policy.check("b", &BTreeMap::new(), end).unwrap_err();
        assert!(error.message().unwrap().ends_with("Policy expired."));
    }

    #[test]
    fn sizes_are_those_that_every_range_allows() {
        assert_eq!(with("").unwrap().sizes, 0..=u64::MAX);
        let two = with("[\"content-length-range\",1,10],[\"content-length-range\",\"5\",\"20\"]").unwrap();
        assert_eq!(two.sizes, 5..=10);
    }

    #[test]
    fn what_is_no_policy_is_refused_with_what_is_wrong() {
        let told = |policy: S3Result<Policy>| {
            let error = policy.unwrap_err();
            assert_eq!(error.code().as_str(), "InvalidPolicyDocument");
            error.message().unwrap().strip_prefix("Invalid Policy: ").unwrap().to_owned()
        };
        assert_eq!(told(Policy::parse("{}")), "invalid Base64 encoding.");
        for (bad, expected) in [
            ("", "Expecting '{' but found End-of-Input"),
            ("[]", "Invalid JSON."),
            ("{}", "Policy missing expiration."),
            ("{\"expiration\":\"2030-01-01T00:00:00Z\"}", "Policy missing conditions."),
            (
                "{\"expiration\":\"2030-01-01T00:00:00Z\",\"conditions\":1}",
                "Invalid 'conditions' value: must be a List.",
            ),
            ("{\"conditions\":[]}", "Policy missing expiration."),
            ("{\"expiration\":true,\"conditions\":[]}", "Invalid JSON."),
            ("{\"expiration\":\"tomorrow\",\"conditions\":[]}", "Invalid 'expiration' value: 'tomorrow'"),
            ("{\"EXPIRATION\":\"2030-01-01T00:00:00Z\",\"conditions\":[]}", "Unexpected: \"EXPIRATION\""),
        ] {
            assert_eq!(told(parse(bad)), expected, "{bad}");
        }
        let one = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.";
        for (bad, expected) in [
            ("{}", one),
            ("[]", "Invalid Condition: missing operation identifier."),
            ("1", "Invalid condition test: must be a List or Object."),
            ("{\"a\":\"b\",\"c\":\"d\"}", one),
            ("{\"a\":1}", "Invalid Simple-Condition: value must be a string."),
            ("[\"eq\",1,\"k\"]", "Invalid JSON."),
            ("[\"like\",\"$key\",\"k\"]", "Invalid Condition: unknown operation 'like'."),
            ("[\"eq\",\"$key\",\"k\",\"l\"]", "Invalid eq: wrong number of arguments."),
            ("[\"content-length-range\",0]", "Invalid content-length-range: wrong number of arguments."),
            ("[\"content-length-range\",-1,0]", "Invalid JSON."),
        ] {
            assert_eq!(told(with(bad)), expected, "{bad}");
        }
    }
}
