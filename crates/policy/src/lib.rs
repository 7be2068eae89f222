//! Access rules as S3 states them: bucket policies, access control lists, and what narrows them.
//!
//! [`Policy`] reads a policy by AWS's rules and says what it allows or denies, and by which statement; [`Acl`] is a list
//! of grants; [`decide`] puts both together with what an access key may do for its account.
//!
//! It deliberately does not know where rules are kept, how requests look, or what an object is: no I/O, no HTTP. Whoever
//! asks gathers what is known of a request in a [`Context`].
//!
//! ```
//! use carob_policy::{Caller, Context, Policy, Request, Resource, Verdict};
//!
//! let text = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Read", "Effect": "Allow", "Principal": "*",
//!     "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/public/*"}]}"#;
//! let policy = Policy::parse(text.as_bytes(), "photos")?;
//! assert!(policy.is_public());
//! let asked = |key| {
//!     let resource = Resource::Object { bucket: "photos", key };
//!     let context = Context::default();
//!     let request = Request { caller: &Caller::Anonymous, action: "s3:GetObject", resource, context: &context };
//!     matches!(policy.evaluate(&request), Verdict::Allow { .. })
//! };
//! assert!(asked("public/cat.jpg") && !asked("private/cat.jpg"));
//! # Ok::<(), carob_policy::Malformed>(())
//! ```

mod acl;
mod action;
mod compare;
mod condition;
mod context;
mod date;
mod decision;
mod document;
mod error;
mod evaluate;
mod json;
mod ownership;
mod pattern;
mod principal;
mod public;
mod resource;

pub use acl::{Acl, AclGrant, Canned, Grantee, MAX_GRANTS, Permission};
pub use context::Context;
pub use decision::{Decided, Question, Reason, Rights, Rules, decide};
pub use document::{MAX_POLICY, Policy, StatementName};
pub use error::Malformed;
pub use evaluate::{Request, Verdict};
pub use ownership::{Ownership, PublicAccessBlock};
pub use principal::Caller;
pub use resource::Resource;

/// A moment, in milliseconds since 1970, as `aws:CurrentTime` has it.
pub fn current_time(millis: u64) -> String {
    date::format(millis)
}

/// Reads a date as conditions have it, in milliseconds since 1970.
pub fn parse_time(text: &str) -> Option<i64> {
    date::parse(text)
}
