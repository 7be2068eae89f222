//! The one authorizer: who may do what on whose buckets, as a table and against a second, slow statement of the rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use carob_identity::{
    AccessKeyId, AccessKeys, AccessRequest, Account, AccountTable, Action, Authorizer, BucketOwners, Change,
    Credentials, Decision, Did, Directory, Grant, Identity, IdentityError, ManualClock, MasterKey, Resource,
    Rights, Scope, Sealed, SeededEntropy, Signer, SpaceKey, TableOptions, Timestamp,
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp(1_000_000);

/// Buckets and whose they are.
#[derive(Debug)]
struct Owners(BTreeMap<&'static str, Did>);

#[async_trait]
impl BucketOwners for Owners {
    async fn owner(&self, bucket: &str) -> Result<Option<Did>, IdentityError> {
        if bucket == "unreadable" {
            let source = std::io::Error::other("a failing disk").into();
            return Err(IdentityError::Unavailable { context: "cannot read the bucket", source });
        }
        Ok(self.0.get(bucket).copied())
    }
}

fn did(seed: u8) -> Did {
    *SpaceKey::from_seed(&[seed; 32]).did()
}

fn space() -> Did {
    did(1)
}
fn alice() -> Did {
    did(2)
}
fn bob() -> Did {
    did(3)
}

struct Fixture {
    table: AccountTable,
    master: Arc<MasterKey>,
    clock: Arc<ManualClock>,
}

/// Alice owns `alices` and `more`, Bob `bobs`, the space `roots`.
fn fixture() -> Fixture {
    let master = Arc::new(MasterKey::generate(&SeededEntropy::new(1)));
    let clock = Arc::new(ManualClock::new(NOW));
    let owners = [("alices", alice()), ("more", alice()), ("bobs", bob()), ("roots", space())];
    let table = AccountTable::new(TableOptions {
        root: Credentials::parse("root-key", "root-secret").unwrap(),
        space: space(),
        master: Arc::clone(&master),
        owners: Arc::new(Owners(owners.into())),
        clock: clock.clone(),
    });
    let fixture = Fixture { table, master, clock };
    for (id, name) in [(alice(), "alice"), (bob(), "bob")] {
        fixture.change(fixture.account(id, name)).unwrap();
    }
    for (key, account) in [("alice-key", alice()), ("bob-key", bob()), ("root-2", space())] {
        fixture.change(fixture.key(key, account, Scope::default())).unwrap();
    }
    fixture
}

impl Fixture {
    fn account(&self, id: Did, name: &str) -> Change {
        let account = Account { id, name: name.parse().unwrap(), created: Some(NOW) };
        Change::AddAccount { account, sealed: Vec::new() }
    }

    fn key(&self, key: &str, account: Did, scope: Scope) -> Change {
        let key: AccessKeyId = key.parse().unwrap();
        let secret = format!("{key}-secret");
        let place = Sealed::Secret(&account, &key);
        let sealed = self.master.seal(place, secret.as_bytes(), &SeededEntropy::new(9));
        let grant = Grant { key, account, scope, created: NOW, expires: None, revoked: None };
        Change::AddKey { grant, sealed }
    }

    fn change(&self, change: Change) -> Result<(), IdentityError> {
        self.table.check(std::slice::from_ref(&change))?;
        self.table.apply(vec![change]);
        Ok(())
    }

    async fn asks(&self, key: &str, action: &'static str, on: &str, listed: Option<&str>) -> bool {
        let identity = match key {
            "" => None,
            "operator" => Some(Identity::Operator),
            key => Some(Identity::AccessKey(key.parse().unwrap())),
        };
        let resource = match on.split_once('/') {
            None if on.is_empty() => Resource::Space,
            None => Resource::Bucket(on),
            Some((bucket, key)) => Resource::Object { bucket, key },
        };
        let mut request = AccessRequest::new(identity.as_ref(), Action::new(action), resource, NOW);
        request.listed = listed;
        self.table.authorize(&request).await.unwrap() == Decision::Allow
    }
}

const ACTIONS: [(&str, &str, Option<&str>); 20] = [
    ("s3:GetObject", "/key", None),
    ("s3:PutObject", "/key", None),
    ("s3:DeleteObject", "/key", None),
    ("s3:DeleteObjectVersion", "/key", None),
    ("s3:GetObjectAttributes", "/key", None),
    ("s3:GetObjectAcl", "/key", None),
    ("s3:PutObjectLegalHold", "/key", None),
    ("s3:BypassGovernanceRetention", "/key", None),
    ("s3:AbortMultipartUpload", "/key", None),
    ("s3:ListMultipartUploadParts", "/key", None),
    ("s3:ListBucket", "", Some("")),
    ("s3:ListBucket", "", None),
    ("s3:ListBucketVersions", "", Some("")),
    ("s3:ListBucketMultipartUploads", "", Some("")),
    ("s3:GetBucketLocation", "", None),
    ("s3:GetBucketAcl", "", None),
    ("s3:PutBucketPolicy", "", None),
    ("s3:DeleteBucket", "", None),
    ("carob:Export", "", None),
    ("carob:ReadHistory", "", None),
];

#[tokio::test]
async fn an_owner_may_do_everything_on_his_buckets_and_nothing_on_others() {
    let fixture = fixture();
    let owned = |key: &str, bucket: &str| match key {
        "root-key" | "operator" => true,
        "alice-key" => ["alices", "more"].contains(&bucket),
        "bob-key" => bucket == "bobs",
        "root-2" => bucket == "roots",
        _ => false,
    };
    for key in ["", "operator", "root-key", "root-2", "alice-key", "bob-key", "nobody", "ALICE-KEY"] {
        for bucket in ["alices", "more", "bobs", "roots", "absent", "Alices"] {
            for (action, rest, listed) in ACTIONS {
                let on = format!("{bucket}{rest}");
                let allowed = fixture.asks(key, action, &on, listed).await;
                assert_eq!(allowed, owned(key, bucket), "{key:?} {action} {on}");
            }
        }
        let anybody = !["", "nobody", "ALICE-KEY"].contains(&key);
        assert_eq!(fixture.asks(key, "s3:ListAllMyBuckets", "", None).await, anybody, "{key}");
        assert_eq!(fixture.asks(key, "s3:CreateBucket", "absent", None).await, anybody, "{key}");
        let rules = ["operator", "root-key"].contains(&key);
        assert_eq!(fixture.asks(key, "carob:ReadStatus", "", None).await, rules, "{key}");
    }
}

#[tokio::test]
async fn a_scoped_key_may_do_what_its_scope_says() {
    let fixture = fixture();
    let scope = |buckets: &[&str], prefix: &str, read: bool, write: bool| {
        let buckets = buckets.iter().map(|&bucket| bucket.to_owned()).collect();
        Scope { buckets, prefix: prefix.to_owned(), read, write }
    };
    for (key, scope) in [
        ("reader", scope(&[], "", true, false)),
        ("writer", scope(&[], "", false, true)),
        ("one", scope(&["alices"], "", true, true)),
        ("photos", scope(&["alices"], "photos/", true, false)),
        ("greedy", scope(&["alices", "bobs"], "", true, true)),
    ] {
        fixture.change(fixture.key(key, alice(), scope)).unwrap();
    }
    let table: [(&str, &str, &str, Option<&str>, bool); 43] = [
        ("reader", "s3:GetObject", "alices/a", None, true),
        ("reader", "s3:GetObject", "more/a", None, true),
        ("reader", "s3:GetObject", "bobs/a", None, false),
        ("reader", "s3:GetObjectTagging", "alices/a", None, true),
        ("reader", "s3:ListBucket", "alices", Some(""), true),
        ("reader", "s3:ListBucketMultipartUploads", "alices", Some(""), false),
        ("reader", "s3:GetBucketLocation", "alices", None, true),
        ("reader", "s3:GetBucketAcl", "alices", None, false),
        ("reader", "s3:PutObject", "alices/a", None, false),
        ("reader", "s3:DeleteObject", "alices/a", None, false),
        ("reader", "s3:AbortMultipartUpload", "alices/a", None, false),
        ("reader", "s3:ListAllMyBuckets", "", None, true),
        ("reader", "s3:CreateBucket", "absent", None, false),
        ("reader", "s3:DeleteBucket", "alices", None, false),
        ("reader", "carob:Export", "alices", None, false),
        ("writer", "s3:PutObject", "alices/a", None, true),
        ("writer", "s3:DeleteObject", "alices/a", None, true),
        ("writer", "s3:DeleteObjectVersion", "alices/a", None, false),
        ("writer", "s3:BypassGovernanceRetention", "alices/a", None, false),
        ("writer", "s3:AbortMultipartUpload", "alices/a", None, true),
        ("writer", "s3:ListBucketMultipartUploads", "alices", Some(""), true),
        ("writer", "s3:GetObject", "alices/a", None, false),
        ("writer", "s3:ListBucket", "alices", Some(""), false),
        ("writer", "s3:PutBucketPolicy", "alices", None, false),
        ("writer", "s3:ListAllMyBuckets", "", None, false),
        ("one", "s3:GetObject", "alices/a", None, true),
        ("one", "s3:PutObject", "alices/a", None, true),
        ("one", "s3:GetObject", "more/a", None, false),
        ("one", "s3:ListBucket", "more", Some(""), false),
        ("one", "s3:ListAllMyBuckets", "", None, false),
        ("one", "s3:CreateBucket", "absent", None, false),
        ("one", "s3:DeleteBucket", "alices", None, false),
        ("photos", "s3:GetObject", "alices/photos/1", None, true),
        ("photos", "s3:GetObject", "alices/photos", None, false),
        ("photos", "s3:GetObject", "alices/Photos/1", None, false),
        ("photos", "s3:ListBucket", "alices", Some("photos/"), true),
        ("photos", "s3:ListBucket", "alices", Some("photos/2024/"), true),
        ("photos", "s3:ListBucket", "alices", Some("photos"), false),
        ("photos", "s3:ListBucket", "alices", Some(""), false),
        ("photos", "s3:ListBucketVersions", "alices", Some(""), false),
        ("photos", "s3:ListBucket", "alices", None, true),
        ("greedy", "s3:GetObject", "alices/a", None, true),
        ("greedy", "s3:GetObject", "bobs/a", None, false),
    ];
    for (key, action, on, listed, allowed) in table {
        assert_eq!(fixture.asks(key, action, on, listed).await, allowed, "{key} {action} {on} {listed:?}");
    }
}

#[tokio::test]
async fn revocation_and_expiry_hold_at_once() {
    let fixture = fixture();
    let id: AccessKeyId = "alice-key".parse().unwrap();
    let secret = async || fixture.table.secret(&id).await.unwrap();
    assert_eq!(secret().await.unwrap().expose(), "alice-key-secret");
    fixture.change(Change::RevokeKey { key: id.clone(), at: NOW }).unwrap();
    assert!(secret().await.is_none());
    assert!(!fixture.asks("alice-key", "s3:GetObject", "alices/a", None).await);
    fixture.clock.set(Timestamp(0));
    assert!(secret().await.is_none(), "revoked in what is now the future, and void all the same");

    let Change::AddKey { mut grant, sealed } = fixture.key("brief", alice(), Scope::default()) else {
        unreachable!()
    };
    grant.expires = Some(Timestamp(NOW.0 + 1));
    fixture.change(Change::AddKey { grant, sealed }).unwrap();
    let brief: AccessKeyId = "brief".parse().unwrap();
    fixture.clock.set(NOW);
    assert!(fixture.table.secret(&brief).await.unwrap().is_some());
    fixture.clock.advance(1);
    assert!(fixture.table.secret(&brief).await.unwrap().is_none());
    let identity = Identity::AccessKey(brief);
    let on = Resource::Bucket("alices");
    for (now, decision) in [(NOW, Decision::Allow), (Timestamp(NOW.0 + 1), Decision::Deny)] {
        let request = AccessRequest::new(Some(&identity), Action::DELETE_BUCKET, on, now);
        assert_eq!(fixture.table.authorize(&request).await.unwrap(), decision);
    }
}

#[test]
fn rights_are_those_of_the_key_whoever_owns_the_bucket() {
    let fixture = fixture();
    let scope = Scope { buckets: vec!["bobs".into()], write: false, ..Scope::default() };
    fixture.change(fixture.key("reader", alice(), scope)).unwrap();
    fixture.change(fixture.key("gone", alice(), Scope::default())).unwrap();
    fixture.change(Change::RevokeKey { key: "gone".parse().unwrap(), at: NOW }).unwrap();
    let on = |bucket| Resource::Object { bucket, key: "k" };
    let rights = |identity: Option<Identity>, action, resource| {
        fixture.table.rights(&AccessRequest::new(identity.as_ref(), action, resource, NOW))
    };
    let key = |key: &str| Some(Identity::AccessKey(key.parse().unwrap()));
    let account = |full, granted| Rights::Account { id: alice(), full, granted };
    for (identity, action, bucket, expected) in [
        (key("alice-key"), Action::PUT_OBJECT, "bobs", account(true, true)),
        (key("reader"), Action::GET_OBJECT, "bobs", account(false, true)),
        (key("reader"), Action::PUT_OBJECT, "bobs", account(false, false)),
        (key("reader"), Action::GET_OBJECT, "alices", account(false, false)),
        (key("gone"), Action::GET_OBJECT, "alices", Rights::None),
        (key("nobody"), Action::GET_OBJECT, "alices", Rights::None),
        (None, Action::GET_OBJECT, "alices", Rights::None),
        (key("root-key"), Action::GET_OBJECT, "alices", Rights::Everything),
        (Some(Identity::Operator), Action::GET_OBJECT, "alices", Rights::Everything),
    ] {
        assert_eq!(rights(identity.clone(), action, on(bucket)), expected, "{identity:?} {bucket}");
    }
}

#[tokio::test]
async fn an_owner_that_cannot_be_found_out_is_no_permission() {
    let fixture = fixture();
    let identity = Identity::AccessKey("alice-key".parse().unwrap());
    let on = Resource::Bucket("unreadable");
    let request = AccessRequest::new(Some(&identity), Action::LIST_BUCKET, on, NOW);
    assert!(matches!(fixture.table.authorize(&request).await, Err(IdentityError::Unavailable { .. })));
}

#[tokio::test]
async fn a_removed_account_takes_its_keys_with_it() {
    let fixture = fixture();
    fixture.change(Change::RemoveAccount(alice())).unwrap();
    assert!(!fixture.asks("alice-key", "s3:GetObject", "alices/a", None).await);
    assert!(fixture.table.secret(&"alice-key".parse().unwrap()).await.unwrap().is_none());
    assert!(fixture.table.grants(Some(&alice())).is_empty() && fixture.table.name_of(&alice()).is_none());
    assert!(fixture.asks("bob-key", "s3:GetObject", "bobs/a", None).await);
}

#[test]
fn changes_that_break_a_rule_are_refused() {
    let fixture = fixture();
    let refused = |change| fixture.change(change).unwrap_err().to_string();
    assert_eq!(refused(fixture.account(did(9), "alice")), "account alice exists already");
    assert_eq!(refused(fixture.account(did(9), "Alice")), "account Alice exists already");
    assert_eq!(refused(fixture.account(alice(), "carol")), "the account number is taken");
    assert_eq!(refused(Change::RemoveAccount(space())), "the root account cannot be removed");
    assert!(refused(Change::RemoveAccount(did(9))).starts_with("there is no account did:key:"));
    let key = |key: &str, account| fixture.key(key, account, Scope::default());
    assert_eq!(refused(key("alice-key", bob())), "access key alice-key exists already");
    assert_eq!(refused(key("root-key", bob())), "access key root-key exists already");
    assert!(refused(key("new", did(9))).starts_with("there is no account did:key:"));
    let nothing = Scope { read: false, write: false, ..Scope::default() };
    assert!(refused(fixture.key("new", bob(), nothing)).starts_with("a key must be for"));
    let revoke = |key: &str| Change::RevokeKey { key: key.parse().unwrap(), at: NOW };
    assert_eq!(refused(revoke("nobody")), "there is no access key nobody");
    assert!(refused(revoke("root-key")).contains("in its file"));
    fixture.change(revoke("bob-key")).unwrap();
    assert_eq!(
        refused(key("bob-key", bob())),
        "access key bob-key exists already",
        "not even after revocation"
    );
}

#[test]
fn a_table_loads_whole_or_not_at_all() {
    let fixture = fixture();
    let other = Fixture { master: Arc::new(MasterKey::generate(&SeededEntropy::new(99))), ..self::fixture() };
    let changes =
        |made: &Fixture| vec![made.account(did(9), "carol"), made.key("carol", did(9), Scope::default())];
    let error = fixture.table.load(changes(&other)).unwrap_err();
    assert!(matches!(error, IdentityError::Unsealable), "{error}");
    assert_eq!(fixture.table.accounts().len(), 3);
    fixture.table.load(changes(&fixture)).unwrap();
    let names: Vec<_> = fixture.table.accounts().iter().map(|account| account.name.to_string()).collect();
    assert_eq!(names, ["root", "carol"]);
}

#[test]
fn everybody_acts_for_one_account() {
    let fixture = fixture();
    let name = |key: &str| {
        let identity = Identity::AccessKey(key.parse().unwrap());
        fixture.table.account_of(&identity).map(|account| account.name.to_string())
    };
    assert_eq!(name("root-key").as_deref(), Some("root"));
    assert_eq!(name("root-2").as_deref(), Some("root"));
    assert_eq!(name("alice-key").as_deref(), Some("alice"));
    assert_eq!(name("nobody"), None);
    assert_eq!(fixture.table.account_of(&Identity::Operator).unwrap().id, space());
    assert_eq!(fixture.table.name_of(&bob()).unwrap().as_str(), "bob");
}

#[test]
fn no_secret_is_printed() {
    let fixture = fixture();
    let Change::AddKey { sealed, .. } = fixture.key("shown", alice(), Scope::default()) else {
        unreachable!()
    };
    let text = format!("{:?} {:?}", fixture.table, fixture.master);
    assert!(!text.contains("secret") && !text.contains(&hex::encode(&sealed)), "{text}");
}

/// The rules said again, as plainly as can be.
fn should(
    scope: &Scope,
    own: bool,
    action: &str,
    bucket: &str,
    key: Option<&str>,
    listed: Option<&str>,
) -> bool {
    if !own {
        return false;
    }
    if scope.read && scope.write && scope.buckets.is_empty() && scope.prefix.is_empty() {
        return true;
    }
    if !scope.buckets.is_empty() && !scope.buckets.contains(&bucket.to_owned()) {
        return false;
    }
    if let Some(name) = key.or(listed)
        && !name.starts_with(&scope.prefix)
    {
        return false;
    }
    match action {
        "s3:GetObject" => scope.read && key.is_some(),
        "s3:PutObject" | "s3:DeleteObject" => scope.write && key.is_some(),
        "s3:ListBucket" => scope.read && key.is_none(),
        "s3:GetBucketLocation" => key.is_none(),
        _ => false,
    }
}

proptest! {
    #[test]
    fn decisions_are_those_of_the_plain_rules(
        buckets in proptest::sample::subsequence(vec!["alices", "more", "bobs"], 0..=3),
        prefix in "[ab/]{0,2}", read in any::<bool>(), write in any::<bool>(),
        action in proptest::sample::select(vec![
            "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetBucketLocation",
            "s3:DeleteBucket", "s3:DeleteObjectVersion", "carob:Export",
        ]),
        bucket in proptest::sample::select(vec!["alices", "more", "bobs", "roots", "absent"]),
        key in proptest::option::of("[ab/]{1,3}"), listed in proptest::option::of("[ab/]{0,3}"),
    ) {
        prop_assume!(read || write);
        let buckets = buckets.into_iter().map(str::to_owned).collect();
        let scope = Scope { buckets, prefix, read, write };
        let fixture = fixture();
        fixture.change(fixture.key("scoped", alice(), scope.clone())).unwrap();
        let own = ["alices", "more"].contains(&bucket);
        let on = key.as_ref().map_or_else(|| bucket.to_owned(), |key| format!("{bucket}/{key}"));
        // Only listings list.
        let listed = listed.filter(|_| action == "s3:ListBucket" && key.is_none());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let allowed = runtime.block_on(fixture.asks("scoped", action, &on, listed.as_deref()));
        let expected = should(&scope, own, action, bucket, key.as_deref(), listed.as_deref());
        prop_assert_eq!(allowed, expected, "{:?} {} {}", scope, action, on);
    }
}
