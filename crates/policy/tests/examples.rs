//! Policies of the kinds that AWS documents, and what they say of requests.

use carob_policy::{
    Acl, Caller, Canned, Context, Ownership, Policy, PublicAccessBlock, Question, Request, Resource, Rights,
    Rules, Verdict, decide,
};

const BUCKET: &str = "photos";

fn policy(statement: &str) -> Policy {
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
    Policy::parse(text.as_bytes(), BUCKET).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refused(text: &str) -> String {
    Policy::parse(text.as_bytes(), BUCKET).expect_err(text).to_string()
}

fn account(number: u64, user: Option<&str>) -> Caller {
    Caller::Account {
        number: format!("{number:012}"),
        canonical: format!("{number:064}"),
        user: user.map(str::to_owned),
    }
}

fn context(values: &[(&str, &str)]) -> Context {
    let mut context = Context::default();
    for (key, value) in values {
        let values: Vec<_> = value.split('|').map(str::to_owned).collect();
        context.insert_all(key, values);
    }
    context
}

/// Whether a public GetObject that holds on this condition is allowed.
fn holds(condition: &str, values: &[(&str, &str)]) -> bool {
    let policy = policy(&format!(
        r#"{{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*",
            "Condition": {condition}}}"#
    ));
    let context = context(values);
    let resource = Resource::Object { bucket: BUCKET, key: "k" };
    let request = Request { caller: &Caller::Anonymous, action: "s3:GetObject", resource, context: &context };
    matches!(policy.evaluate(&request), Verdict::Allow { .. })
}

#[test]
fn every_operator_compares_as_documented() {
    for (condition, value, expected) in [
        (r#"{"StringEquals": {"aws:Referer": ["a", "b"]}}"#, Some("b"), true),
        (r#"{"StringEquals": {"aws:Referer": "a*"}}"#, Some("ab"), false),
        (r#"{"StringEquals": {"aws:Referer": "a*"}}"#, Some("a*"), true),
        (r#"{"StringEquals": {"aws:Referer": "a"}}"#, None, false),
        (r#"{"StringEquals": {"AWS:referer": "a"}}"#, Some("a"), true),
        (r#"{"StringEquals": {"aws:Referer": "a"}}"#, Some("A"), false),
        (r#"{"StringNotEquals": {"aws:Referer": ["a", "b"]}}"#, Some("b"), false),
        (r#"{"StringNotEquals": {"aws:Referer": ["a", "b"]}}"#, Some("c"), true),
        (r#"{"StringNotEquals": {"aws:Referer": "a"}}"#, None, true),
        (r#"{"StringEqualsIgnoreCase": {"aws:Referer": "ab"}}"#, Some("AB"), true),
        (r#"{"StringNotEqualsIgnoreCase": {"aws:Referer": "ab"}}"#, Some("AB"), false),
        (
            r#"{"StringLike": {"aws:Referer": "http://*.example.com/?"}}"#,
            Some("http://www.example.com/x"),
            true,
        ),
        (r#"{"StringNotLike": {"aws:Referer": "http://*"}}"#, Some("https://x"), true),
        (r#"{"StringLikeIfExists": {"aws:Referer": "http://*"}}"#, None, true),
        (r#"{"StringLikeIfExists": {"aws:Referer": "http://*"}}"#, Some("ftp"), false),
        (r#"{"NumericLessThanEquals": {"s3:max-keys": "10"}}"#, Some("10"), true),
        (r#"{"NumericLessThan": {"s3:max-keys": 10}}"#, Some("10"), false),
        (r#"{"NumericEquals": {"s3:max-keys": "10.0"}}"#, Some("10"), true),
        (r#"{"NumericNotEquals": {"s3:max-keys": "10"}}"#, Some("11"), true),
        (r#"{"NumericGreaterThan": {"s3:max-keys": "10"}}"#, Some("9"), false),
        (r#"{"NumericGreaterThanEquals": {"s3:max-keys": "10"}}"#, Some("ten"), false),
        (
            r#"{"DateGreaterThan": {"aws:CurrentTime": "2024-01-01T00:00:00Z"}}"#,
            Some("2024-06-01T00:00:00Z"),
            true,
        ),
        (r#"{"DateLessThan": {"aws:EpochTime": "2024-01-01T00:00:00Z"}}"#, Some("1700000000"), true),
        (r#"{"DateEquals": {"aws:CurrentTime": "2024-01-01"}}"#, Some("2024-01-01T00:00:00Z"), true),
        (r#"{"DateNotEquals": {"aws:CurrentTime": "2024-01-01"}}"#, Some("2024-01-01T00:00:00Z"), false),
        (r#"{"DateLessThanEquals": {"aws:CurrentTime": "2024-01-01"}}"#, Some("2024-01-01T00:00:01Z"), false),
        (
            r#"{"DateGreaterThanEquals": {"aws:CurrentTime": "1704067200"}}"#,
            Some("2024-01-01T00:00:00Z"),
            true,
        ),
        (r#"{"Bool": {"aws:SecureTransport": "false"}}"#, Some("false"), true),
        (r#"{"Bool": {"aws:SecureTransport": true}}"#, Some("false"), false),
        (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, None, false),
        (r#"{"BinaryEquals": {"aws:Referer": "QUI="}}"#, Some("QUI="), true),
        (r#"{"BinaryEquals": {"aws:Referer": "QUI="}}"#, Some("QUE="), false),
        (r#"{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}}"#, Some("192.0.2.77"), true),
        (
            r#"{"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}}"#,
            Some("2001:db8:1::2"),
            true,
        ),
        (r#"{"IpAddress": {"aws:SourceIp": "192.0.2.1"}}"#, Some("192.0.2.2"), false),
        (r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, Some("198.51.100.1"), true),
        (r#"{"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#, Some("::ffff:192.0.2.9"), true),
        (r#"{"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#, Some("192.0.2.9"), false),
        (r#"{"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}"#, Some("198.51.100.9"), true),
        (r#"{"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:logs"}}"#, Some("arn:aws:s3:::logs"), true),
        (r#"{"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::lo*"}}"#, Some("arn:aws:s3:::logs"), true),
        (r#"{"ArnLike": {"aws:SourceArn": "arn:*:logs"}}"#, Some("arn:aws:s3:::logs"), false),
        (r#"{"ArnNotLike": {"aws:SourceArn": "arn:aws:s3:::lo*"}}"#, Some("arn:aws:s3:::logs"), false),
        (r#"{"ArnNotEquals": {"aws:SourceArn": "arn:aws:s3:::lo*"}}"#, Some("arn:aws:s3:::dogs"), true),
        (r#"{"Null": {"aws:Referer": "true"}}"#, None, true),
        (r#"{"Null": {"aws:Referer": "true"}}"#, Some("x"), false),
        (r#"{"Null": {"aws:Referer": "false"}}"#, Some("x"), true),
        (r#"{"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["a*", "b"]}}"#, Some("aa|b"), true),
        (r#"{"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["a*", "b"]}}"#, Some("aa|c"), false),
        (r#"{"ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": "a"}}"#, None, true),
        (r#"{"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}"#, Some("b|a"), true),
        (r#"{"ForAnyValue:StringEquals": {"s3:RequestObjectTagKeys": "a"}}"#, None, false),
        (r#"{"ForAnyValue:StringNotEquals": {"s3:RequestObjectTagKeys": "a"}}"#, Some("a|b"), true),
        (r#"{"ForAllValues:StringNotEquals": {"s3:RequestObjectTagKeys": "a"}}"#, Some("a|b"), false),
    ] {
        let json: serde_json::Value = serde_json::from_str(condition).unwrap();
        let key =
            json.as_object().unwrap().values().next().unwrap().as_object().unwrap().keys().next().unwrap();
        let values: Vec<_> = value.map(|value| (key.as_str(), value)).into_iter().collect();
        assert_eq!(holds(condition, &values), expected, "{condition} of {value:?}");
    }
}

#[test]
fn conditions_of_one_statement_must_all_hold_and_tags_keep_their_case() {
    let both = r#"{"StringEquals": {"s3:ExistingObjectTag/Team": "red", "s3:x-amz-acl": "private"}}"#;
    let acl = ("s3:x-amz-acl", "private");
    assert!(holds(both, &[("s3:ExistingObjectTag/Team", "red"), acl]));
    assert!(!holds(both, &[("s3:ExistingObjectTag/Team", "red")]));
    assert!(!holds(both, &[("s3:ExistingObjectTag/team", "red"), acl]));
}

#[test]
fn a_denial_wins_and_the_statement_is_named() {
    let policy = policy(
        r#"{"Sid": "All", "Effect": "Allow", "Principal": {"AWS": "000000000007"}, "Action": "s3:*",
            "Resource": ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*"]},
           {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::000000000007:user/ci"}, "NotAction": "s3:Get*",
            "NotResource": "arn:aws:s3:::photos/open/*"}"#,
    );
    let context = Context::default();
    let said = |caller: &Caller, action: &str, key: &str| {
        let resource = Resource::Object { bucket: BUCKET, key };
        match policy.evaluate(&Request { caller, action, resource, context: &context }) {
            Verdict::Deny(by) => format!("deny {by}"),
            Verdict::Allow { by, itself } => format!("allow {by} {itself}"),
            Verdict::Silent => "silent".to_owned(),
        }
    };
    let (root, ci) = (account(7, None), account(7, Some("ci")));
    assert_eq!(said(&root, "s3:GetObject", "x"), "allow statement 0 (All) true");
    assert_eq!(said(&root, "s3:PutObject", "x"), "deny statement 1");
    assert_eq!(said(&root, "s3:PutObject", "open/x"), "allow statement 0 (All) true");
    assert_eq!(said(&ci, "s3:PutObject", "x"), "allow statement 0 (All) false");
    assert_eq!(said(&account(8, None), "s3:GetObject", "x"), "silent");
    assert_eq!(said(&Caller::Anonymous, "s3:PutObject", "x"), "deny statement 1");
}

#[test]
fn resources_have_variables_from_the_second_version_on() {
    let text = |version: &str| {
        format!(
            r#"{{"Version": "{version}", "Statement": {{"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
                "Resource": "arn:aws:s3:::photos/home/${{aws:username}}/*"}}}}"#
        )
    };
    let allowed = |version: &str, key: &str| {
        let policy = Policy::parse(text(version).as_bytes(), BUCKET).unwrap();
        let context = context(&[("aws:username", "ann")]);
        let resource = Resource::Object { bucket: BUCKET, key };
        let request =
            Request { caller: &Caller::Anonymous, action: "s3:PutObject", resource, context: &context };
        matches!(policy.evaluate(&request), Verdict::Allow { .. })
    };
    assert!(allowed("2012-10-17", "home/ann/x") && !allowed("2012-10-17", "home/bob/x"));
    assert!(allowed("2008-10-17", "home/${aws:username}/x") && !allowed("2008-10-17", "home/ann/x"));
}

#[test]
fn what_is_malformed_is_said() {
    let good = r#""Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*""#;
    let of = |fields: &str| refused(&format!(r#"{{"Version": "2012-10-17", "Statement": [{{{fields}}}]}}"#));
    let with = |more: &str| of(&format!("{good}, {more}"));
    let without = |field: &str| {
        let fields: Vec<_> =
            good.split(", ").filter(|part| !part.starts_with(&format!("\"{field}\""))).collect();
        of(&fields.join(", "))
    };
    for field in ["Effect", "Principal", "Action", "Resource"] {
        assert_eq!(without(field), format!("Missing required field {field}"));
    }
    assert_eq!(refused("[]"), "Policies must be valid JSON and the first byte must be '{'");
    assert_eq!(refused("{"), "This policy contains invalid Json");
    assert_eq!(
        refused(r#"{"Version": "2012-10-17", "Version": "2012-10-17"}"#),
        "This policy contains invalid Json"
    );
    assert_eq!(
        refused(&format!("{{{}", " ".repeat(20 << 10))),
        "Policy exceeds the maximum allowed document size."
    );
    assert_eq!(
        refused(&format!(r#"{{"Statement": {}"#, "[".repeat(5000))),
        "This policy contains invalid Json"
    );
    assert_eq!(
        refused(r#"{"Version": "2020-01-01", "Statement": []}"#),
        "The policy must contain a valid version string"
    );
    assert_eq!(refused(r#"{"Version": "2012-10-17"}"#), "Missing required field Statement");
    assert_eq!(refused(r#"{"Statement": []}"#), "Could not parse the policy: Statement is empty!");
    assert_eq!(refused(r#"{"Statement": [], "Extra": 1}"#), "Unknown field Extra");
    assert_eq!(with(r#""Extra": 1"#), "Unknown field Extra");
    assert_eq!(with(r#""NotAction": "s3:PutObject""#), "Invalid policy syntax.");
    assert_eq!(with(r#""Condition": []"#), "Invalid policy syntax.");
    assert_eq!(
        with(r#""Condition": {"StringMatches": {"aws:Referer": "x"}}"#),
        "Invalid Condition type : StringMatches"
    );
    assert_eq!(
        with(r#""Condition": {"NullIfExists": {"aws:Referer": "true"}}"#),
        "Invalid Condition type : NullIfExists"
    );
    assert_eq!(
        with(r#""Condition": {"StringEquals": {"s3:Prefixes": "x"}}"#),
        "Policy has an invalid condition key"
    );
    assert_eq!(
        with(r#""Condition": {"StringEquals": {"s3:ExistingObjectTag/": "x"}}"#),
        "Policy has an invalid condition key"
    );
    for (operator, value) in [
        ("NumericEquals", r#""one""#),
        ("NumericEquals", r#""inf""#),
        ("DateEquals", r#""tomorrow""#),
        ("IpAddress", r#""192.0.2.0/33""#),
        ("IpAddress", r#""here""#),
        ("Bool", r#""maybe""#),
        ("BinaryEquals", r#""!""#),
        ("StringEquals", "[]"),
        ("StringEquals", r#"{"a": "b"}"#),
    ] {
        let said = with(&format!(r#""Condition": {{"{operator}": {{"aws:Referer": {value}}}}}"#));
        assert_eq!(said, format!("Policy has an invalid value for the condition operator {operator}"));
    }
    let changed = |from: &str, to: &str| of(&good.replace(from, to));
    assert_eq!(changed("Allow", "allow"), "Invalid effect: allow");
    assert_eq!(changed("s3:GetObject", "s3:Fetch"), "Policy has invalid action");
    assert_eq!(changed("\"*\"", "{\"AWS\": \"bob\"}"), "Invalid principal in policy");
    assert_eq!(changed("Principal", "NotPrincipal"), "Allow with NotPrincipal is not allowed.");
    for resource in
        ["arn:aws:s3:::other/*", "photos/*", "arn:aws:s3:::", "arn:aws:s3:::photos2", "arn:aws:ec2:::photos"]
    {
        assert_eq!(changed("arn:aws:s3:::photos/*", resource), "Policy has invalid resource", "{resource}");
    }
    for resource in ["arn:aws:s3:::*", "arn:aws:s3:::*/*", "*", "arn:aws:s3:::pho*/x", "arn:aws:s3:::photos"]
    {
        let statement = good.replace("arn:aws:s3:::photos/*", resource);
        policy(&format!("{{{statement}}}"));
    }
}

#[test]
fn a_policy_is_public_unless_it_says_who_or_from_where() {
    let public = |principal: &str, condition: &str| {
        policy(&format!(
            r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::photos/*", "Condition": {condition}}}"#
        ))
        .is_public()
    };
    let anyone = r#"{"AWS": "*"}"#;
    assert!(public(anyone, "{}") && public("\"*\"", "{}"));
    assert!(!public(r#"{"AWS": "000000000007"}"#, "{}"));
    for (condition, expected) in [
        (r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/32"}}"#, false),
        (r#"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "0.0.0.0/1"]}}"#, true),
        (r#"{"IpAddress": {"aws:SourceIp": "2000::/3"}}"#, true),
        (r#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/32"}}"#, true),
        (r#"{"StringEquals": {"aws:SourceVpc": "vpc-91237329"}}"#, false),
        (r#"{"StringLike": {"aws:SourceVpc": "vpc-*"}}"#, true),
        (r#"{"StringEquals": {"aws:SourceVpc": "${aws:userid}"}}"#, true),
        (r#"{"StringEqualsIfExists": {"aws:SourceVpc": "vpc-91237329"}}"#, true),
        (r#"{"ForAllValues:StringEquals": {"aws:SourceVpc": "vpc-91237329"}}"#, true),
        (r#"{"StringEquals": {"aws:Referer": "http://example.com/"}}"#, true),
        (r#"{"Bool": {"aws:SecureTransport": "true"}}"#, true),
        (r#"{"ArnLike": {"aws:SourceArn": "arn:aws:s3:::logs"}}"#, false),
        (r#"{"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}"#, true),
    ] {
        assert_eq!(public(anyone, condition), expected, "{condition}");
    }
    let denial = policy(
        r#"{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*"}"#,
    );
    assert!(!denial.is_public());
}

struct Case {
    rules: Rules,
    object: Option<Acl>,
}

impl Case {
    fn decides(&self, caller: &Caller, rights: Rights, action: &str) -> String {
        let context = Context::default();
        let resource = Resource::Object { bucket: BUCKET, key: "k" };
        let request = Request { caller, action, resource, context: &context };
        let owner = format!("{:064}", 1);
        let question = Question { request, rights, bucket_owner: &owner, object: self.object.as_ref() };
        let decided = decide(&self.rules, &question);
        format!("{} {}", if decided.allowed { "yes:" } else { "no:" }, decided.reason)
    }
}

const FULL: Rights = Rights::Key { full: true, granted: true };
const NARROW: Rights = Rights::Key { full: false, granted: false };
const READER: Rights = Rights::Key { full: false, granted: true };

fn statement_of_all(principal: &str) -> String {
    format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "*", "Resource": "*"}}"#)
}

fn rules(policy_statements: Option<&str>) -> Rules {
    Rules { policy: policy_statements.map(policy), ..Rules::default() }
}

#[test]
fn accounts_their_keys_and_nobody_get_what_aws_gives_them() {
    let open = |principal: &str| {
        rules(Some(&format!(
            r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*"}}"#
        )))
    };
    let (owner, own_key) = (account(1, None), account(1, Some("ci")));
    let (other, other_key) = (account(2, None), account(2, Some("ci")));
    let nothing = "no: nothing allows it";
    let (key, statement) = ("yes: access key", "yes: bucket policy, statement 0");
    let get = "s3:GetObject";
    let closed = Case { rules: rules(None), object: None };
    for (caller, rights, expected) in [
        (&owner, FULL, key),
        (&own_key, READER, key),
        (&own_key, NARROW, nothing),
        (&other, FULL, nothing),
        (&other, Rights::Everything, key),
        (&Caller::Anonymous, Rights::None, nothing),
    ] {
        assert_eq!(closed.decides(caller, rights, get), expected, "{caller:?}");
    }
    let everyone = Case { rules: open("\"*\""), object: None };
    for (caller, rights, expected) in [
        (&owner, FULL, key),
        (&own_key, NARROW, statement),
        (&other, FULL, statement),
        (&other_key, READER, statement),
        (&other_key, NARROW, nothing),
        (&Caller::Anonymous, Rights::None, statement),
    ] {
        assert_eq!(everyone.decides(caller, rights, get), expected, "{caller:?}");
    }
    let all = statement_of_all(r#""*""#);
    let wide = Case { rules: rules(Some(&all)), object: None };
    for action in ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"] {
        assert_eq!(wide.decides(&owner, FULL, action), key);
        assert_eq!(wide.decides(&other, FULL, action), nothing, "{action} is the owner's");
        assert_eq!(wide.decides(&Caller::Anonymous, Rights::None, action), nothing);
    }
    assert_eq!(wide.decides(&other, FULL, "s3:PutBucketAcl"), statement);
    let accounts = Case { rules: open(r#"{"AWS": ["000000000001", "000000000002"]}"#), object: None };
    for (caller, rights, expected) in [
        (&own_key, NARROW, nothing),
        (&other, FULL, statement),
        (&other_key, READER, statement),
        (&other_key, NARROW, nothing),
        (&Caller::Anonymous, Rights::None, nothing),
    ] {
        assert_eq!(accounts.decides(caller, rights, get), expected, "{caller:?}");
    }
}

#[test]
fn a_denial_binds_all_but_the_owner_who_mends_the_policy() {
    let shut = Case {
        rules: rules(Some(
            r#"{"Sid": "No", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::photos/*"}"#,
        )),
        object: None,
    };
    let locked = Case { rules: Rules { policy: Some(Policy::shut()), ..Rules::default() }, object: None };
    let owner = account(1, None);
    assert_eq!(locked.decides(&owner, FULL, "s3:GetObject"), "no: bucket policy, statement 0");
    assert_eq!(locked.decides(&owner, FULL, "s3:PutBucketPolicy"), "yes: access key");
    let denied = "no: bucket policy, statement 0 (No)";
    assert_eq!(shut.decides(&owner, FULL, "s3:GetObject"), denied);
    assert_eq!(shut.decides(&account(9, None), Rights::Everything, "s3:GetObject"), denied);
    for action in ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"] {
        assert_eq!(shut.decides(&owner, FULL, action), "yes: access key");
        assert_eq!(shut.decides(&account(9, None), Rights::Everything, action), "yes: access key");
        assert_eq!(shut.decides(&account(1, Some("ci")), READER, action), denied);
        assert_eq!(shut.decides(&account(2, None), FULL, action), denied);
    }
}

#[test]
fn lists_count_unless_they_are_switched_off() {
    let (owner, other) = (account(1, None), account(2, None));
    let ids = |n: u64| format!("{n:064}");
    let anyone = (&Caller::Anonymous, Rights::None);
    let granted = "yes: access control list";
    let nothing = "no: nothing allows it";
    let bucket = Canned::PublicReadWrite.acl(&ids(1), &ids(1));
    let mut case = Case {
        rules: Rules { acl: Some(bucket), ..Rules::default() },
        object: Some(Canned::PublicRead.acl(&ids(1), &ids(1))),
    };
    for (action, expected) in [
        ("s3:ListBucket", granted),
        ("s3:PutObject", granted),
        ("s3:DeleteObject", granted),
        ("s3:GetObject", granted),
        ("s3:DeleteObjectVersion", nothing),
        ("s3:GetObjectAcl", nothing),
        ("s3:PutBucketPolicy", nothing),
        ("s3:GetObjectTagging", nothing),
    ] {
        assert_eq!(case.decides(anyone.0, anyone.1, action), expected, "{action}");
    }
    case.rules.block = PublicAccessBlock { ignore_public_acls: true, ..PublicAccessBlock::default() };
    assert_eq!(case.decides(anyone.0, anyone.1, "s3:GetObject"), nothing);
    case.rules.block = PublicAccessBlock::default();
    case.rules.ownership = Ownership::BucketOwnerEnforced;
    assert_eq!(case.decides(anyone.0, anyone.1, "s3:GetObject"), nothing);

    // What another account has put there is that account's.
    let foreign = Case { rules: rules(None), object: Some(Acl::private(&ids(2))) };
    assert_eq!(foreign.decides(&owner, FULL, "s3:GetObject"), nothing);
    assert_eq!(foreign.decides(&owner, FULL, "s3:DeleteObject"), "yes: access key");
    assert_eq!(foreign.decides(&owner, FULL, "s3:PutObjectTagging"), "yes: access key");
    assert_eq!(foreign.decides(&other, FULL, "s3:GetObject"), granted);
    assert_eq!(foreign.decides(&other, NARROW, "s3:GetObject"), nothing);
    let bare = Case { object: Some(Acl { owner: ids(2), grants: Vec::new() }), ..foreign };
    assert_eq!(bare.decides(&other, FULL, "s3:GetObject"), nothing);
    assert_eq!(bare.decides(&other, FULL, "s3:PutObjectAcl"), "yes: access key");
    let enforced = Rules { ownership: Ownership::BucketOwnerEnforced, ..rules(None) };
    let enforced = Case { rules: enforced, ..bare };
    assert_eq!(enforced.decides(&owner, FULL, "s3:GetObject"), "yes: access key");
    assert_eq!(enforced.decides(&other, FULL, "s3:PutObjectAcl"), nothing);
}

#[test]
fn a_bucket_that_is_restricted_lets_in_its_own_account_alone() {
    let statement = r#"{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"}"#;
    let block = PublicAccessBlock { restrict_public_buckets: true, ..PublicAccessBlock::default() };
    let case = Case { rules: Rules { block, ..rules(Some(statement)) }, object: None };
    let get = "s3:GetObject";
    assert_eq!(case.decides(&Caller::Anonymous, Rights::None, get), "no: nothing allows it");
    assert_eq!(case.decides(&account(2, None), FULL, get), "no: nothing allows it");
    assert_eq!(case.decides(&account(1, None), FULL, get), "yes: access key");
    assert_eq!(case.decides(&account(1, Some("ci")), NARROW, get), "yes: bucket policy, statement 0");
    let service = Caller::Service("logging.s3.amazonaws.com".into());
    assert_eq!(case.decides(&service, Rights::None, get), "yes: bucket policy, statement 0");
}
