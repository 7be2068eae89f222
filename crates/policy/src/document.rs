//! Policies as they are written.

use std::fmt;

use crate::action::ActionPattern;
use crate::condition::Condition;
use crate::error::Malformed;
use crate::json::Json;
use crate::pattern::Pattern;
use crate::principal::Principal;

/// The largest policy (Amazon S3 user guide, "Bucket policies"), in bytes.
pub const MAX_POLICY: usize = 20 << 10;

/// A bucket's policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub(crate) statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principals: Listed<Principal>,
    pub(crate) actions: Listed<ActionPattern>,
    pub(crate) resources: Listed<ResourcePattern>,
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// What is meant, or (`NotAction` and the like) what is not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed<T> {
    pub(crate) all: Vec<T>,
    pub(crate) negated: bool,
}

impl<T> Listed<T> {
    pub(crate) fn has(&self, fits: impl FnMut(&T) -> bool) -> bool {
        self.all.iter().any(fits) != self.negated
    }
}

/// What follows `arn:aws:s3:::`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResourcePattern(pub(crate) Pattern);

/// Names a statement: where it stands, from 0, and its `Sid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementName<'a> {
    /// Where it stands.
    pub index: usize,
    /// What it calls itself.
    pub sid: Option<&'a str>,
}

impl fmt::Display for StatementName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.sid {
            Some(sid) => write!(f, "statement {} ({sid})", self.index),
            None => write!(f, "statement {}", self.index),
        }
    }
}

impl Policy {
    /// Reads the policy of the bucket called `bucket`.
    ///
    /// # Errors
    /// [`Malformed`] for whatever Amazon S3 refuses as `MalformedPolicy`.
    pub fn parse(text: &[u8], bucket: &str) -> Result<Self, Malformed> {
        if text.len() > MAX_POLICY {
            return Err(Malformed::new("Policy exceeds the maximum allowed document size."));
        }
        if text.first() != Some(&b'{') {
            return Err(Malformed::new("Policies must be valid JSON and the first byte must be '{'"));
        }
        let json =
            serde_json::from_slice(text).map_err(|_| Malformed::new("This policy contains invalid Json"))?;
        let Json::Object(fields) = json else { return Err(syntax()) };
        let (mut version, mut statements) = (None, None);
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("Version", Json::Text(text)) => version = Some(text),
                ("Id", Json::Text(_)) => {}
                ("Statement", value) => statements = Some(value),
                ("Version" | "Id", _) => return Err(syntax()),
                _ => return Err(Malformed::new(format!("Unknown field {name}"))),
            }
        }
        let variables = match version.as_deref() {
            Some("2012-10-17") => true,
            Some("2008-10-17") | None => false,
            Some(_) => return Err(Malformed::new("The policy must contain a valid version string")),
        };
        let statements = match statements {
            None => return Err(missing("Statement")),
            Some(Json::List(statements)) => statements,
            Some(statement) => vec![statement],
        };
        if statements.is_empty() {
            return Err(Malformed::new("Could not parse the policy: Statement is empty!"));
        }
        let read = |statement| Statement::read(statement, variables, bucket);
        Ok(Self { statements: statements.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// A policy that denies everything to everybody.
    pub fn shut() -> Self {
        let statement = Statement {
            sid: None,
            effect: Effect::Deny,
            principals: Listed { all: vec![Principal::Anyone], negated: false },
            actions: Listed { all: Vec::new(), negated: true },
            resources: Listed { all: Vec::new(), negated: true },
            conditions: Vec::new(),
        };
        Self { statements: vec![statement] }
    }

    /// Whether some condition looks at a key of which the name, in lower case, begins so: a caller that would have to find
    /// out what such keys say need not, if not.
    pub fn looks_at(&self, start: &str) -> bool {
        let mut conditions = self.statements.iter().flat_map(|statement| &statement.conditions);
        conditions.any(|condition| condition.key.starts_with(start))
    }
}

impl Statement {
    fn read(json: Json, variables: bool, bucket: &str) -> Result<Self, Malformed> {
        let Json::Object(fields) = json else { return Err(syntax()) };
        let (mut sid, mut effect, mut conditions) = (None, None, Vec::new());
        let (mut principals, mut actions, mut resources) = (None, None, None);
        for (name, value) in fields {
            let negated = name.starts_with("Not");
            match name.as_str() {
                "Sid" => match value {
                    Json::Text(text) => sid = Some(text).filter(|text| !text.is_empty()),
                    _ => return Err(syntax()),
                },
                "Effect" => effect = Some(Effect::read(value)?),
                "Principal" | "NotPrincipal" => {
                    once(&mut principals, Listed { all: Principal::parse_all(value)?, negated })?;
                }
                "Action" | "NotAction" => {
                    let texts = value.texts().ok_or_else(|| Malformed::new("Policy has invalid action"))?;
                    let all = texts.into_iter().map(ActionPattern::parse).collect::<Result<_, _>>()?;
                    once(&mut actions, Listed { all, negated })?;
                }
                "Resource" | "NotResource" => {
                    let texts = value.texts().ok_or_else(invalid_resource)?;
                    let read = |text: &String| ResourcePattern::parse(text, variables, bucket);
                    let all = texts.iter().map(read).collect::<Result<_, _>>()?;
                    once(&mut resources, Listed { all, negated })?;
                }
                "Condition" => conditions = Condition::parse_all(value, variables)?,
                _ => return Err(Malformed::new(format!("Unknown field {name}"))),
            }
        }
        let effect = effect.ok_or_else(|| missing("Effect"))?;
        let principals = principals.ok_or_else(|| missing("Principal"))?;
        if effect == Effect::Allow && principals.negated {
            return Err(Malformed::new("Allow with NotPrincipal is not allowed."));
        }
        let actions = actions.ok_or_else(|| missing("Action"))?;
        let resources = resources.ok_or_else(|| missing("Resource"))?;
        Ok(Self { sid, effect, principals, actions, resources, conditions })
    }
}

impl Effect {
    fn read(json: Json) -> Result<Self, Malformed> {
        match json {
            Json::Text(text) if text == "Allow" => Ok(Self::Allow),
            Json::Text(text) if text == "Deny" => Ok(Self::Deny),
            Json::Text(text) => Err(Malformed::new(format!("Invalid effect: {text}"))),
            _ => Err(syntax()),
        }
    }
}

impl ResourcePattern {
    /// Reads an ARN of a bucket or of keys in it, which must be this bucket.
    fn parse(text: &str, variables: bool, bucket: &str) -> Result<Self, Malformed> {
        let path = match text {
            "*" => text,
            _ => text.strip_prefix("arn:aws:s3:::").ok_or_else(invalid_resource)?,
        };
        let named = path.split_once('/').map_or(path, |(named, _)| named);
        // Up to the slash or the first thing that may run across it, it must be able to name the bucket.
        let own = Pattern::parse(named, variables)?.fill(&crate::Context::default());
        if path.is_empty() || !own.is_none_or(|own| own.matches(bucket)) {
            return Err(invalid_resource());
        }
        Pattern::parse(path, variables).map(Self)
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(syntax()),
    }
}

fn syntax() -> Malformed {
    Malformed::new("Invalid policy syntax.")
}

fn missing(field: &str) -> Malformed {
    Malformed::new(format!("Missing required field {field}"))
}

fn invalid_resource() -> Malformed {
    Malformed::new("Policy has invalid resource")
}
