//! Who asks, and whom a statement names.

use crate::error::Malformed;
use crate::json::Json;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nobody has signed.
    Anonymous,
    /// Somebody who acts for an account.
    Account {
        /// The account's 12 digits.
        number: String,
        /// Its canonical id, 64 hex digits.
        canonical: String,
        /// The name of a key that may not do everything its account may, which is what AWS calls a user.
        user: Option<String>,
    },
    /// A part of the server that acts of itself, by its name as AWS has it: `logging.s3.amazonaws.com`.
    Service(String),
}

impl Caller {
    /// What AWS would call it: an ARN, or `None` for nobody.
    pub fn arn(&self) -> Option<String> {
        match self {
            Self::Account { number, user: None, .. } => Some(format!("arn:aws:iam::{number}:root")),
            Self::Account { number, user: Some(user), .. } => {
                Some(format!("arn:aws:iam::{number}:user/{user}"))
            }
            Self::Anonymous | Self::Service(_) => None,
        }
    }
}

/// How far a statement's principals fit a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Naming {
    /// Not at all.
    No,
    /// Its account is named, which may pass the right on to its keys or not.
    Account,
    /// It is named itself, or everybody is.
    Itself,
}

/// Whom a statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    Anyone,
    Account(String),
    User {
        account: String,
        name: String,
    },
    Canonical(String),
    Service(String),
    /// Well-formed, and nobody here: roles, sessions, federated users.
    Nobody,
}

impl Principal {
    /// Reads `Principal` or `NotPrincipal`.
    pub(crate) fn parse_all(json: Json) -> Result<Vec<Self>, Malformed> {
        let fields = match json {
            Json::Text(text) if text == "*" => return Ok(vec![Self::Anyone]),
            Json::Object(fields) if !fields.is_empty() => fields,
            _ => return Err(invalid()),
        };
        let mut all = Vec::new();
        for (kind, names) in fields {
            for name in names.texts().ok_or_else(invalid)? {
                all.push(match kind.as_str() {
                    "AWS" => Self::aws(&name)?,
                    "CanonicalUser" => Self::canonical(&name)?,
                    "Service" if is_word(&name, ".-*") => Self::Service(name),
                    "Federated" if !name.is_empty() => Self::Nobody,
                    _ => return Err(invalid()),
                });
            }
        }
        Ok(all)
    }

    fn aws(text: &str) -> Result<Self, Malformed> {
        if text == "*" {
            return Ok(Self::Anyone);
        }
        if is_account_number(text) {
            return Ok(Self::Account(text.to_owned()));
        }
        let mut parts = text.splitn(6, ':');
        let arn = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        let (Some("arn"), Some("aws"), Some(service), Some(""), Some(account), Some(who)) = arn else {
            return Self::canonical(text);
        };
        // An account is 12 digits; a name of another kind is nobody's here, and other servers have such.
        if !is_word(account, "-_") {
            return Err(invalid());
        }
        let named = |path: &str| !path.is_empty() && !path.contains(['*', '?']);
        match (service, who.split_once('/')) {
            ("iam", None) if who == "root" => Ok(Self::Account(account.to_owned())),
            ("iam", Some(("user", path))) if named(path) => {
                let name = path.rsplit('/').next().unwrap_or(path).to_owned();
                Ok(Self::User { account: account.to_owned(), name })
            }
            ("iam", Some(("role", path))) | ("sts", Some(("assumed-role" | "federated-user", path)))
                if named(path) =>
            {
                Ok(Self::Nobody)
            }
            _ => Err(invalid()),
        }
    }

    fn canonical(text: &str) -> Result<Self, Malformed> {
        let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex { Ok(Self::Canonical(text.to_ascii_lowercase())) } else { Err(invalid()) }
    }

    pub(crate) fn naming(&self, caller: &Caller) -> Naming {
        match (self, caller) {
            (Self::Anyone, _) => Naming::Itself,
            (Self::Account(named), Caller::Account { number, user, .. }) if named == number => {
                of_account(user)
            }
            (Self::Canonical(named), Caller::Account { canonical, user, .. }) if named == canonical => {
                of_account(user)
            }
            (Self::User { account, name }, Caller::Account { number, user: Some(user), .. })
                if account == number && name == user =>
            {
                Naming::Itself
            }
            (Self::Service(named), Caller::Service(service)) if named == service => Naming::Itself,
            _ => Naming::No,
        }
    }
}

fn of_account(user: &Option<String>) -> Naming {
    if user.is_none() { Naming::Itself } else { Naming::Account }
}

fn is_account_number(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_word(text: &str, more: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

fn invalid() -> Malformed {
    Malformed::new("Invalid principal in policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(principal: &str, caller: &Caller) -> Option<Naming> {
        let all = Principal::parse_all(serde_json::from_str(principal).unwrap()).ok()?;
        all.iter().map(|one| one.naming(caller)).max()
    }

    #[test]
    fn callers_are_named_in_every_way() {
        let canonical = "0d".repeat(32);
        let root =
            Caller::Account { number: "111122223333".into(), canonical: canonical.clone(), user: None };
        let user = Caller::Account {
            number: "111122223333".into(),
            canonical: canonical.clone(),
            user: Some("KEY".into()),
        };
        let service = Caller::Service("logging.s3.amazonaws.com".into());
        use Naming::{Account, Itself, No};
        for (principal, expected) in [
            (r#""*""#, [Itself, Itself, Itself, Itself]),
            (r#"{"AWS": "*"}"#, [Itself, Itself, Itself, Itself]),
            (r#"{"AWS": "111122223333"}"#, [Itself, Account, No, No]),
            (r#"{"AWS": ["444455556666", "arn:aws:iam::111122223333:root"]}"#, [Itself, Account, No, No]),
            (r#"{"AWS": "arn:aws:iam::111122223333:user/team/KEY"}"#, [No, Itself, No, No]),
            (r#"{"AWS": "arn:aws:iam::444455556666:user/KEY"}"#, [No, No, No, No]),
            (&format!(r#"{{"CanonicalUser": "{canonical}"}}"#), [Itself, Account, No, No]),
            (&format!(r#"{{"AWS": "{}"}}"#, canonical.to_uppercase()), [Itself, Account, No, No]),
            (r#"{"Service": "logging.s3.amazonaws.com"}"#, [No, No, No, Itself]),
            (r#"{"AWS": "arn:aws:iam::111122223333:role/r"}"#, [No, No, No, No]),
        ] {
            let found =
                [&root, &user, &Caller::Anonymous, &service].map(|caller| naming(principal, caller).unwrap());
            assert_eq!(found, expected, "{principal}");
        }
    }

    #[test]
    fn what_names_nobody_is_refused() {
        for bad in [
            r#""111122223333""#,
            "{}",
            "[]",
            r#"{"AWS": []}"#,
            r#"{"AWS": ""}"#,
            r#"{"AWS": "11112222333"}"#,
            r#"{"AWS": "arn:aws:iam::111122223333:user/*"}"#,
            r#"{"AWS": "arn:aws:iam::*:root"}"#,
            r#"{"AWS": "arn:aws:s3:::bucket"}"#,
            r#"{"Anyone": "*"}"#,
            r#"{"CanonicalUser": "abc"}"#,
            r#"{"AWS": {"x": "y"}}"#,
        ] {
            assert_eq!(naming(bad, &Caller::Anonymous), None, "{bad}");
        }
    }
}
