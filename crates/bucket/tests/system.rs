//! Accounts in the head `system`: what survives a restart, what is refused, what never reaches the store in the clear.

mod support;

use std::sync::Arc;

use carob_block::fault::FaultyStore;
use carob_block::{Heads, MemoryStore, Store};
use carob_bucket::{Config, Space, System, SystemError, SystemOptions};
use carob_identity::{
    AccessKeys, Clock, Credentials, EncryptionKeys, IdentityError, KeyName, ManualClock, MasterKey, Scope,
    SeededEntropy, Timestamp,
};
use support::{START, space_over};

fn master(seed: u64) -> MasterKey {
    MasterKey::generate(&SeededEntropy::new(seed))
}

fn options(master: MasterKey) -> SystemOptions {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(START)));
    SystemOptions { root: Credentials::parse("root-key", "root-secret").unwrap(), master, clock }
}

async fn open(store: &Arc<MemoryStore>) -> (Space, System) {
    let space = space_over(Arc::clone(store) as _).await;
    let system = System::open(&space, options(master(1))).await.unwrap();
    (space, system)
}

fn chosen(id: &str) -> Option<Credentials> {
    Some(Credentials::parse(id, &format!("{id}-secret")).unwrap())
}

#[tokio::test]
async fn a_space_without_accounts_stores_nothing_for_them() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    assert!(!System::exists(&*store).await.unwrap());
    assert_eq!(system.table().accounts().len(), 1);
    // So any master key will do.
    let space = space_over(Arc::clone(&store) as _).await;
    System::open(&space, options(master(2))).await.unwrap();
}

#[tokio::test]
async fn accounts_keys_and_revocations_survive_a_restart() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    let (alice, first) = system.create_account("alice", chosen("alice-1")).await.unwrap();
    let scope = Scope { buckets: vec!["photos".into()], prefix: "x".repeat(1024), ..Scope::default() };
    let expires = Some(Timestamp(START + 1000));
    let scoped = system.create_key("alice", scope.clone(), expires, None).await.unwrap();
    system.create_key("root", Scope::default(), None, chosen("root-2")).await.unwrap();
    let revoked = system.revoke_key("alice-1".parse().unwrap()).await.unwrap();
    assert_eq!(revoked.revoked, Some(Timestamp(START)));
    let before = (system.table().accounts(), system.table().grants(None));

    let (_, again) = open(&store).await;
    assert_eq!((again.table().accounts(), again.table().grants(None)), before);
    assert_eq!(again.table().account("alice").unwrap(), alice);
    let secret = again.table().secret(&scoped.credentials.id).await.unwrap();
    assert_eq!(secret.unwrap(), scoped.credentials.secret);
    assert!(again.table().secret(&first.credentials.id).await.unwrap().is_none());
    let found = again.table().grants(Some(&alice.id));
    assert!(found.iter().any(|grant| grant.scope == scope && grant.expires == expires));

    again.remove_account("alice").await.unwrap();
    let (_, gone) = open(&store).await;
    assert_eq!(gone.table().accounts().len(), 1);
    let left: Vec<_> = gone.table().grants(None).into_iter().map(|grant| grant.key.to_string()).collect();
    assert_eq!(left, ["root-2"]);
}

#[tokio::test]
async fn another_master_key_opens_nothing_and_changes_nothing() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    let (_, key) = system.create_account("alice", None).await.unwrap();
    let root = store.head("system").await.unwrap();
    let space = space_over(Arc::clone(&store) as _).await;
    let error = System::open(&space, options(master(2))).await.unwrap_err();
    assert!(matches!(error, SystemError::WrongMasterKey), "{error}");
    assert_eq!(store.head("system").await.unwrap(), root);
    let (_, again) = open(&store).await;
    assert!(again.table().secret(&key.credentials.id).await.unwrap().is_some());
}

#[tokio::test]
async fn an_account_stays_while_it_owns_a_bucket() {
    let store = Arc::new(MemoryStore::new());
    let (space, system) = open(&store).await;
    let (alice, _) = system.create_account("alice", None).await.unwrap();
    let info = space.create_bucket_with("photos", alice.id, &Config::default()).await.unwrap();
    assert_eq!((info.owner, space.bucket("photos").await.unwrap().info().owner), (alice.id, alice.id));
    let error = system.remove_account("alice").await.unwrap_err().to_string();
    assert_eq!(error, "account alice owns buckets, photos among them: delete them first");
    space.delete_bucket("photos").await.unwrap();
    system.remove_account("alice").await.unwrap();
    let error = system.remove_account("root").await.unwrap_err().to_string();
    assert_eq!(error, "the root account cannot be removed");
}

#[tokio::test]
async fn encryption_keys_survive_a_restart() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    let (one, two, managed) = ("one".parse().unwrap(), "two".parse().unwrap(), KeyName::managed());
    let absent = system.wrap(&one, &[7; 32], b"here").await;
    assert!(matches!(absent, Err(IdentityError::NoSuchEncryptionKey(_))));
    system.create_encryption_key(&one).await.unwrap();
    system.create_encryption_key(&two).await.unwrap();
    let again = system.create_encryption_key(&one).await.unwrap_err().to_string();
    assert_eq!(again, "encryption key one exists already");
    let sealed = system.wrap(&one, &[7; 32], b"here").await.unwrap();
    // It makes itself.
    let by_managed = system.wrap(&managed, &[7; 32], b"here").await.unwrap();
    system.disable_encryption_key(&two, true).await.unwrap();
    assert!(system.disable_encryption_key(&managed, true).await.is_err());
    let keys = system.table().encryption_keys();

    let (_, system) = open(&store).await;
    assert_eq!(system.table().encryption_keys(), keys);
    assert_eq!(*system.unwrap(&one, &sealed, b"here").await.unwrap(), [7; 32]);
    assert_eq!(*system.unwrap(&managed, &by_managed, b"here").await.unwrap(), [7; 32]);
    let elsewhere = system.unwrap(&one, &sealed, b"there").await;
    assert!(matches!(elsewhere, Err(IdentityError::Unsealable)));
    assert!(matches!(system.unwrap(&managed, &sealed, b"here").await, Err(IdentityError::Unsealable)));
    let disabled = system.wrap(&two, &[7; 32], b"here").await;
    assert!(matches!(disabled, Err(IdentityError::EncryptionKeyDisabled(_))));
    system.disable_encryption_key(&two, false).await.unwrap();
    system.wrap(&two, &[7; 32], b"here").await.unwrap();

    let space = space_over(Arc::clone(&store) as _).await;
    let other = System::open(&space, options(master(2))).await.unwrap_err();
    assert!(matches!(other, SystemError::WrongMasterKey));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_leaves_the_head() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    system.create_account("alice", chosen("alice-1")).await.unwrap();
    let root = store.head("system").await.unwrap();
    let refused = |result: Result<(), SystemError>| result.unwrap_err().to_string();
    let account = async |name: &str, key| system.create_account(name, key).await.map(|_| ());
    assert_eq!(refused(account("alice", None).await), "account alice exists already");
    assert_eq!(refused(account("bob", chosen("alice-1")).await), "access key alice-1 exists already");
    assert_eq!(refused(account("bob", chosen("root-key")).await), "access key root-key exists already");
    assert!(refused(account("a/b", None).await).starts_with("an account's name may hold only"));
    let key = async |account: &str, scope, expires| system.create_key(account, scope, expires, None).await;
    let nobody = key("bob", Scope::default(), None).await.map(|_| ());
    assert_eq!(refused(nobody), "there is no account bob");
    let late = key("alice", Scope::default(), Some(Timestamp(START))).await.map(|_| ());
    assert_eq!(refused(late), "the key would have expired already");
    let revoke = system.revoke_key("nobody".parse().unwrap()).await.map(|_| ());
    assert_eq!(refused(revoke), "there is no access key nobody");
    assert_eq!(store.head("system").await.unwrap(), root);
    assert_eq!(system.table().accounts().len(), 2);
}

#[tokio::test]
async fn a_root_key_with_the_id_of_an_accounts_is_refused_at_start() {
    let store = Arc::new(MemoryStore::new());
    let (space, system) = open(&store).await;
    system.create_account("alice", chosen("alice-1")).await.unwrap();
    let root = Credentials::parse("alice-1", "another-secret").unwrap();
    let error = System::open(&space, SystemOptions { root, ..options(master(1)) }).await.unwrap_err();
    assert!(matches!(error, SystemError::Identity(IdentityError::AccessKeyExists(_))), "{error}");
}

#[tokio::test]
async fn two_processes_do_not_undo_each_others_changes() {
    let store = Arc::new(MemoryStore::new());
    let (_, one) = open(&store).await;
    let (_, two) = open(&store).await;
    one.create_account("alice", None).await.unwrap();
    two.create_account("bob", None).await.unwrap();
    let clash = one.create_account("bob", None).await.unwrap_err().to_string();
    assert_eq!(clash, "account bob exists already");
    let (_, both) = open(&store).await;
    assert_eq!(both.table().accounts().len(), 3);
}

#[tokio::test]
async fn many_changes_at_once_all_hold() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    let all = (0..40).map(|n| {
        let system = system.clone();
        async move { system.create_account(&format!("account {n}"), None).await.map(|_| ()) }
    });
    for made in futures::future::join_all(all).await {
        made.unwrap();
    }
    let (_, again) = open(&store).await;
    assert_eq!(again.table().accounts().len(), 41);
}

#[tokio::test]
async fn a_change_whose_caller_went_away_is_whole() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    let (_, key) = system.create_account("alice", None).await.unwrap();
    let mut revoke = Box::pin(system.revoke_key(key.credentials.id.clone()));
    assert!(futures::poll!(revoke.as_mut()).is_pending());
    drop(revoke);
    system.close().await;
    assert!(system.table().secret(&key.credentials.id).await.unwrap().is_none());
    let (_, again) = open(&store).await;
    assert!(again.table().secret(&key.credentials.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_failing_store_changes_nothing_and_later_all_is_well() {
    for nth in 1..40 {
        let memory = Arc::new(MemoryStore::new());
        {
            let (_, system) = open(&memory).await;
            system.create_account("alice", chosen("alice-1")).await.unwrap();
        }
        let faulty = Arc::new(FaultyStore::new(Arc::clone(&memory) as Arc<dyn Store>));
        let space = space_over(Arc::clone(&faulty) as _).await;
        let system = System::open(&space, options(master(1))).await.unwrap();
        faulty.fail_call(nth);
        let made = system.create_account("bob", chosen("bob-1")).await;
        faulty.fail_call(0);
        let shown = system.table().account("bob").is_ok();
        assert_eq!(made.is_ok(), shown, "call {nth}");
        let (_, durable) = open(&memory).await;
        assert_eq!(durable.table().account("bob").is_ok(), shown, "call {nth}");
        system.create_account("carol", None).await.unwrap();
        if made.is_ok() {
            return;
        }
    }
    panic!("it never got through");
}

#[tokio::test]
async fn no_block_holds_a_secret() {
    let store = Arc::new(MemoryStore::new());
    let (_, system) = open(&store).await;
    let (_, key) = system.create_account("alice", None).await.unwrap();
    let other = system.create_key("alice", Scope::default(), None, chosen("alice-2")).await.unwrap();
    let root = store.head("system").await.unwrap().unwrap();
    let cache = Arc::new(carob_index::NodeCache::new(1 << 20));
    let tree = carob_index::Tree::open(Arc::clone(&store) as _, cache, root).await.unwrap();
    let mut walk = tree.nodes();
    let mut bytes = Vec::new();
    while let Some(visited) = walk.next().await.unwrap() {
        bytes.extend_from_slice(visited.block.data());
    }
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("alice-2") && holds("did:key:"), "the ids are there to be found");
    for secret in [&key.credentials.secret, &other.credentials.secret] {
        assert!(!holds(secret.expose()));
    }
    assert!(!format!("{system:?} {key:?}").contains(key.credentials.secret.expose()));
}
