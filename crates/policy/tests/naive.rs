//! The evaluation against one that reads the document anew for every request and does nothing cleverly.

use carob_policy::{Caller, Context, Policy, Request, Resource, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Matches by trying everything.
fn glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => {
            glob(rest, text) || text.split_first().is_some_and(|(_, shorter)| glob(pattern, shorter))
        }
        (Some((p, rest)), Some((t, others))) => (*p == '?' || p == t) && glob(rest, others),
        _ => false,
    }
}

fn like(pattern: &str, text: &str) -> bool {
    glob(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn listed(statement: &Value, name: &str, fits: impl Fn(&str) -> bool) -> bool {
    match (statement.get(name), statement.get(format!("Not{name}"))) {
        (Some(all), _) => texts(all).into_iter().any(fits),
        (None, Some(all)) => !texts(all).into_iter().any(fits),
        (None, None) => panic!("no {name}"),
    }
}

fn condition(operator: &str, wanted: &[&str], values: &[String]) -> bool {
    let (over, operator) =
        operator.split_once(':').map_or((None, operator), |(over, name)| (Some(over), name));
    let (if_exists, operator) =
        operator.strip_suffix("IfExists").map_or((false, operator), |name| (true, name));
    let negated = operator.contains("Not");
    if values.is_empty() {
        return match over {
            _ if if_exists => true,
            Some("ForAllValues") => true,
            Some(_) => false,
            None => negated,
        };
    }
    let one = |value: &String| {
        let found = match operator {
            "StringEquals" | "StringNotEquals" => wanted.contains(&value.as_str()),
            "StringLike" | "StringNotLike" => wanted.iter().any(|wanted| like(wanted, value)),
            other => panic!("{other}"),
        };
        found != negated
    };
    match over {
        Some("ForAllValues") => values.iter().all(one),
        Some(_) => values.iter().any(one),
        // One that fits is enough, and one that must not fit is too many.
        None if negated => values.iter().all(one),
        None => values.iter().any(one),
    }
}

fn naive(policy: &Value, caller: Option<u64>, action: &str, path: &str, values: &[String]) -> &'static str {
    let mut allowed = false;
    for statement in policy["Statement"].as_array().unwrap() {
        let named = |name: &str| name == "*" || caller.is_some_and(|number| name == format!("{number:012}"));
        let who = |list: &Value| texts(&list["AWS"]).into_iter().any(named);
        let principal = match statement.get("Principal") {
            Some(list) => who(list),
            None => !who(&statement["NotPrincipal"]),
        };
        let about = principal
            && listed(statement, "Action", |pattern| like(&pattern.to_lowercase(), &action.to_lowercase()))
            && listed(statement, "Resource", |pattern| {
                like(pattern.strip_prefix("arn:aws:s3:::").unwrap(), path)
            })
            && statement["Condition"].as_object().unwrap().iter().all(|(operator, keys)| {
                keys.as_object().unwrap().values().all(|wanted| condition(operator, &texts(wanted), values))
            });
        if about && statement["Effect"] == "Deny" {
            return "deny";
        }
        allowed |= about;
    }
    if allowed { "allow" } else { "silent" }
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Value> {
    prop::collection::vec(prop::sample::select(of), 1..3).prop_map(|all| json!(all))
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(&["Allow", "Deny"][..]);
    let principals = some(&["*", "000000000001", "000000000002"]);
    let actions = some(&["s3:GetObject", "s3:get*", "s3:*Object", "s3:PutObject", "*", "S3:?etObject"]);
    let resources = some(&[
        "arn:aws:s3:::b/*",
        "arn:aws:s3:::b/a*",
        "arn:aws:s3:::b/?b*a",
        "arn:aws:s3:::b",
        "arn:aws:s3:::b*",
        "arn:aws:s3:::*/ab",
    ]);
    let operator = prop::sample::select(
        &[
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIfExists",
            "StringNotLikeIfExists",
            "ForAllValues:StringLike",
            "ForAnyValue:StringNotEquals",
            "ForAllValues:StringNotLike",
            "ForAnyValue:StringEqualsIfExists",
        ][..],
    );
    let conditions = prop::collection::vec((operator, some(&["", "a", "a*", "b", "?", "*"])), 0..3);
    (effect, principals, actions, resources, conditions, any::<[bool; 3]>()).prop_map(
        |(effect, principals, actions, resources, conditions, [not_principal, not_action, not_resource])| {
            let name =
                |negated: bool, name: &str| if negated { format!("Not{name}") } else { name.to_owned() };
            let mut keys = serde_json::Map::new();
            for (operator, values) in conditions {
                keys.insert(operator.to_owned(), json!({ "s3:prefix": values }));
            }
            json!({
                "Effect": effect,
                name(not_principal && effect == "Deny", "Principal"): { "AWS": principals },
                name(not_action, "Action"): actions,
                name(not_resource, "Resource"): resources,
                "Condition": keys,
            })
        },
    )
}

proptest! {
    #[test]
    fn evaluation_is_that_of_the_naive_one(
        statements in prop::collection::vec(statement(), 1..4),
        caller in prop::sample::select(&[None, Some(1), Some(2), Some(3)][..]),
        action in prop::sample::select(&["s3:GetObject", "s3:PutObject", "s3:GetBucketAcl"][..]),
        key in "[ab]{0,4}",
        values in prop::collection::vec("[ab]{0,2}", 0..3),
    ) {
        let document = json!({ "Version": "2012-10-17", "Statement": statements });
        let policy = Policy::parse(document.to_string().as_bytes(), "b").unwrap();
        let mut context = Context::default();
        if !values.is_empty() {
            context.insert_all("s3:prefix", values.clone());
        }
        let who = caller.map_or(Caller::Anonymous, |number: u64| Caller::Account {
            number: format!("{number:012}"),
            canonical: format!("{number:064}"),
            user: None,
        });
        let resource = match key.as_str() {
            "" => Resource::Bucket("b"),
            key => Resource::Object { bucket: "b", key },
        };
        let request = Request { caller: &who, action, resource, context: &context };
        let found = match policy.evaluate(&request) {
            Verdict::Deny(_) => "deny",
            Verdict::Allow { .. } => "allow",
            Verdict::Silent => "silent",
        };
        prop_assert_eq!(found, naive(&document, caller, action, &resource.to_string(), &values), "{}", document);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\{[\"A-Za-z0-9:,*?${} \\[\\]]{0,80}\\}") {
        let _ = Policy::parse(text.as_bytes(), "b");
    }
}
