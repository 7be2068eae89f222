//! A policy, and requests of it: none makes the reader or the evaluation panic, a policy that is read says the same each
//! time, and what it allows everybody it allows somebody.
#![no_main]

use carob_policy::{Acl, Caller, Context, Policy, Request, Resource, Verdict};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(acl) = std::str::from_utf8(bytes).ok().and_then(Acl::from_text) {
        assert_eq!(Acl::from_text(&acl.to_text()), Some(acl));
    }
    let Ok(policy) = Policy::parse(bytes, "bucket") else { return };
    assert_eq!(Policy::parse(bytes, "bucket"), Ok(policy.clone()));
    let mut context = Context::default();
    for key in ["aws:username", "aws:Referer", "s3:prefix", "aws:SourceIp", "aws:CurrentTime", "s3:max-keys"] {
        context.insert(key, "2024-01-01T00:00:00Z");
    }
    let canonical = "0d".repeat(32);
    let somebody = Caller::Account { number: "111122223333".to_owned(), canonical, user: None };
    for context in [Context::default(), context] {
        for action in ["s3:GetObject", "s3:ListBucket", "s3:PutBucketPolicy"] {
            for resource in [Resource::Bucket("bucket"), Resource::Object { bucket: "bucket", key: "a/key" }] {
                let ask = |caller| policy.evaluate(&Request { caller, action, resource, context: &context });
                let everybody = matches!(ask(&Caller::Anonymous), Verdict::Allow { .. });
                if everybody && !matches!(ask(&somebody), Verdict::Deny(_)) {
                    assert!(matches!(ask(&somebody), Verdict::Allow { itself: true, .. }));
                }
            }
        }
    }
});
