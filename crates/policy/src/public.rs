//! Whether a policy is public (Amazon S3 user guide, "Blocking public access", "The meaning of public").

use std::net::IpAddr;

use crate::condition::{Cidr, Condition, Over, Test};
use crate::document::{Effect, Policy, Statement};
use crate::pattern::Pattern;
use crate::principal::Principal;

/// Keys that tie a right to somebody, if their values are fixed.
const TYING: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

impl Policy {
    /// Whether it lets somebody in who is not named: everybody, or everybody from most of the world.
    pub fn is_public(&self) -> bool {
        self.statements.iter().any(Statement::is_public)
    }
}

impl Statement {
    fn is_public(&self) -> bool {
        self.effect == Effect::Allow
            && self.principals.all.contains(&Principal::Anyone)
            && !self.conditions.iter().any(Condition::ties)
    }
}

impl Condition {
    /// Whether it holds for fixed callers or addresses alone. What holds for requests without the key as well does not.
    fn ties(&self) -> bool {
        if self.negated || self.if_exists || self.over == Over::All || !TYING.contains(&self.key.as_str()) {
            return false;
        }
        match &self.test {
            Test::Equal(patterns)
            | Test::EqualIgnoringCase(patterns)
            | Test::Like(patterns)
            | Test::Arn(patterns) => patterns.iter().all(Pattern::is_fixed),
            Test::Ip(ranges) => ranges.iter().all(|range| range.is_narrow()),
            _ => false,
        }
    }
}

impl Cidr {
    /// No broader than /8, or /32 in IPv6.
    fn is_narrow(self) -> bool {
        match self.address {
            IpAddr::V4(_) => self.bits >= 8,
            IpAddr::V6(_) => self.bits >= 32,
        }
    }
}
