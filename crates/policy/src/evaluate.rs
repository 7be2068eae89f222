//! What a policy says of a request (IAM user guide, "Policy evaluation logic").

use crate::document::{Effect, Policy, ResourcePattern, Statement, StatementName};
use crate::principal::{Caller, Naming};
use crate::{Context, Resource};

/// What is asked of a policy.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What for: `s3:GetObject`.
    pub action: &'a str,
    /// On what.
    pub resource: Resource<'a>,
    /// What else is known.
    pub context: &'a Context,
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Verdict<'a> {
    /// No, and nothing else can say yes.
    Deny(StatementName<'a>),
    /// Yes.
    Allow {
        /// The first statement that says so.
        by: StatementName<'a>,
        /// Whether the caller is meant itself, not just its account, which has yet to pass the right on.
        itself: bool,
    },
    /// Nothing.
    Silent,
}

impl Policy {
    /// What it says of a request: a denial before any number of allowances.
    pub fn evaluate(&self, request: &Request<'_>) -> Verdict<'_> {
        let mut verdict = Verdict::Silent;
        for (index, statement) in self.statements.iter().enumerate() {
            let naming = statement.applies(request);
            if naming == Naming::No {
                continue;
            }
            let by = StatementName { index, sid: statement.sid.as_deref() };
            let itself = naming == Naming::Itself;
            match (statement.effect, verdict) {
                (Effect::Deny, _) => return Verdict::Deny(by),
                (Effect::Allow, Verdict::Silent) => verdict = Verdict::Allow { by, itself },
                (Effect::Allow, Verdict::Allow { itself: false, .. }) if itself => {
                    verdict = Verdict::Allow { by, itself };
                }
                (Effect::Allow, _) => {}
            }
        }
        verdict
    }
}

impl Statement {
    /// Whether it is about the request, and how far it names the caller.
    fn applies(&self, request: &Request<'_>) -> Naming {
        let naming = self.principals.all.iter().map(|principal| principal.naming(request.caller)).max();
        let naming = match (naming.unwrap_or(Naming::No), self.principals.negated) {
            (naming, false) => naming,
            (Naming::No, true) => Naming::Itself,
            (_, true) => Naming::No,
        };
        let about = naming != Naming::No
            && self.actions.has(|action| action.matches(request.action))
            && self.resources.has(|resource| resource.matches(request))
            && self.conditions.iter().all(|condition| condition.holds(request.context));
        if about { naming } else { Naming::No }
    }
}

impl ResourcePattern {
    fn matches(&self, request: &Request<'_>) -> bool {
        self.0.fill(request.context).is_some_and(|pattern| pattern.matches(&request.resource.to_string()))
    }
}
