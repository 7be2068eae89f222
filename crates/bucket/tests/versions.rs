//! Versions against a simple model: a list of versions for each key, as AWS describes them.

mod support;

use std::collections::BTreeMap;

use carob_bucket::{
    Amendment, Bucket, BucketError, DeleteOptions, Found, VersionName, VersionStart, Versioning,
    VersionsEntry, VersionsQuery,
};
use futures::TryStreamExt;
use futures::future::join_all;
use proptest::prelude::*;
use support::{bucket, put};

#[derive(Debug, Clone)]
enum Op {
    Put {
        key: usize,
        body: u8,
    },
    Delete {
        key: usize,
    },
    /// Of the versions that the key ever had, this one.
    DeleteVersion {
        key: usize,
        at: prop::sample::Index,
    },
    Tag {
        key: usize,
        at: Option<prop::sample::Index>,
        tag: u8,
    },
    Enable,
    Suspend,
}

const KEYS: [&str; 6] = ["a", "a/1", "a/2", "a\0", "b/1", "b/ü"];

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS.len();
    prop_oneof![
        6 => (key(), any::<u8>()).prop_map(|(key, body)| Op::Put { key, body }),
        3 => key().prop_map(|key| Op::Delete { key }),
        4 => (key(), any::<prop::sample::Index>()).prop_map(|(key, at)| Op::DeleteVersion { key, at }),
        2 => (key(), any::<Option<prop::sample::Index>>(), any::<u8>())
            .prop_map(|(key, at, tag)| Op::Tag { key, at, tag }),
        1 => Just(Op::Enable),
        1 => Just(Op::Suspend),
    ]
}

#[derive(Debug, Clone, PartialEq)]
struct ModelVersion {
    name: VersionName,
    /// `None` for a delete marker.
    body: Option<String>,
    tag: Option<u8>,
}

#[derive(Debug, Default)]
struct Model {
    versioning: Versioning,
    /// The newest last.
    keys: BTreeMap<&'static str, Vec<ModelVersion>>,
    /// Every name that a key's versions ever had.
    named: BTreeMap<&'static str, Vec<VersionName>>,
}

impl Model {
    /// A new version; `given` is the name that the bucket gave it.
    fn push(&mut self, key: &'static str, body: Option<String>, given: VersionName) {
        let versions = self.keys.entry(key).or_default();
        match self.versioning {
            Versioning::Enabled => assert!(matches!(given, VersionName::Id(_))),
            Versioning::Unversioned | Versioning::Suspended => {
                assert_eq!(given, VersionName::Null);
                versions.retain(|version| version.name != VersionName::Null);
            }
        }
        assert!(versions.iter().all(|version| version.name != given));
        versions.push(ModelVersion { name: given, body, tag: None });
        self.named.entry(key).or_default().push(given);
    }

    fn latest(&self, key: &str) -> Option<&ModelVersion> {
        self.keys.get(key)?.last()
    }

    /// Entries in the order of a listing: key, version (`None` for a prefix), whether it is the latest.
    fn listing(&self, query: &VersionsQuery) -> Vec<(String, Option<ModelVersion>, bool)> {
        let mut all = Vec::new();
        for (key, versions) in &self.keys {
            let Some(rest) = key.strip_prefix(&query.prefix) else { continue };
            let rolled =
                query.delimiter.as_ref().and_then(|delimiter| Some((rest.find(delimiter)?, delimiter)));
            if let Some((at, delimiter)) = rolled.filter(|_| !versions.is_empty()) {
                let entry = (key[..query.prefix.len() + at + delimiter.len()].to_owned(), None, false);
                if all.last() != Some(&entry) {
                    all.push(entry);
                }
            } else {
                let newest = versions.len().checked_sub(1);
                for (n, version) in versions.iter().enumerate().rev() {
                    all.push(((*key).to_owned(), Some(version.clone()), Some(n) == newest));
                }
            }
        }
        all
    }
}

async fn body(found: Found) -> Option<String> {
    let Found::Object(object) = found else { return None };
    let chunks: Vec<_> = object.read(0..u64::MAX).try_collect().await.unwrap();
    Some(String::from_utf8(chunks.concat()).unwrap())
}

/// Applies operations one after the other, each answered before the next.
async fn apply(bucket: &Bucket, model: &mut Model, op: &Op) {
    match op {
        Op::Put { key, body } => {
            let written = put(bucket, KEYS[*key], &body.to_string()).await.unwrap();
            model.push(KEYS[*key], Some(body.to_string()), written.record.version_name());
        }
        Op::Delete { key } => {
            let key = KEYS[*key];
            let deleted = bucket.delete(key, DeleteOptions::default()).await.unwrap();
            assert_eq!(deleted.existed, model.latest(key).is_some_and(|version| version.body.is_some()));
            if model.versioning == Versioning::Unversioned {
                assert_eq!((deleted.version, deleted.delete_marker), (None, false));
                model.keys.remove(key);
            } else {
                assert!(deleted.delete_marker);
                model.push(key, None, deleted.version.unwrap());
            }
        }
        Op::DeleteVersion { key, at } => {
            let key = KEYS[*key];
            let Some(named) = model.named.get(key) else { return };
            let name = *at.get(named);
            let options = DeleteOptions { version: Some(name), ..DeleteOptions::default() };
            let deleted = bucket.delete(key, options).await.unwrap();
            let versions = model.keys.entry(key).or_default();
            let present = versions.iter().position(|version| version.name == name);
            assert_eq!((deleted.existed, deleted.version), (present.is_some(), Some(name)));
            let gone = present.map(|at| versions.remove(at));
            assert_eq!(deleted.delete_marker, gone.is_some_and(|version| version.body.is_none()));
        }
        Op::Tag { key, at, tag } => {
            let key = KEYS[*key];
            let name = at.and_then(|at| Some(*at.get(model.named.get(key)?)));
            let tags = BTreeMap::from([("tag".to_owned(), tag.to_string())]);
            let result = bucket.amend(key, name, Amendment::Tags(tags)).await;
            let versions = model.keys.entry(key).or_default();
            let target = match name {
                Some(name) => versions.iter_mut().find(|version| version.name == name),
                None => versions.last_mut(),
            };
            match (target, result) {
                (Some(version), Ok(written)) if version.body.is_some() => {
                    assert_eq!(written.record.version_name(), version.name);
                    version.tag = Some(*tag);
                }
                (Some(version), Err(BucketError::IsDeleteMarker(marker))) if version.body.is_none() => {
                    assert_eq!(marker.name(), version.name);
                }
                (None, Err(BucketError::NoSuchKey(_))) => assert_eq!(name, None),
                (None, Err(BucketError::NoSuchVersion { version, .. })) => assert_eq!(name, Some(version)),
                (target, result) => panic!("{target:?}: {result:?}"),
            }
        }
        Op::Enable => set(bucket, model, Versioning::Enabled).await,
        Op::Suspend => set(bucket, model, Versioning::Suspended).await,
    }
}

async fn set(bucket: &Bucket, model: &mut Model, versioning: Versioning) {
    let change = move |config: &mut carob_bucket::Config| {
        config.versioning = versioning;
        Ok(())
    };
    bucket.configure(change).await.unwrap();
    model.versioning = versioning;
}

async fn check(bucket: &Bucket, model: &Model) {
    let snapshot = bucket.snapshot().await.unwrap();
    for (key, named) in &model.named {
        let latest = model.latest(key);
        let found = snapshot.find(key, None).await.unwrap();
        assert_eq!(matches!(found, Found::DeleteMarker(_)), latest.is_some_and(|v| v.body.is_none()));
        assert_eq!(body(found).await, latest.and_then(|version| version.body.clone()));
        for name in named {
            let version = model.keys.get(key).into_iter().flatten().find(|version| version.name == *name);
            let found = snapshot.find(key, Some(*name)).await.unwrap();
            match (&found, version) {
                (Found::Object(object), Some(version)) => {
                    let tag = object.record().tags.get("tag").map(|tag| tag.parse().unwrap());
                    assert_eq!(tag, version.tag);
                }
                (Found::DeleteMarker(marker), Some(version)) => assert_eq!(marker.name(), version.name),
                (Found::Nothing, None) => {}
                other => panic!("{key:?} {name}: {other:?}"),
            }
            assert_eq!(body(found).await, version.and_then(|version| version.body.clone()));
        }
    }
    for (prefix, delimiter) in [("", None), ("", Some("/")), ("a", Some("/")), ("a/", None), ("b/ü", None)] {
        for max_keys in [1, 2, 3, 1000] {
            let mut query = VersionsQuery {
                prefix: prefix.to_owned(),
                delimiter: delimiter.map(str::to_owned),
                start: VersionStart::Beginning,
                max_keys,
            };
            let expected = model.listing(&query);
            let mut listed = Vec::new();
            loop {
                let page = snapshot.list_versions(&query).await.unwrap();
                assert!(page.entries.len() <= max_keys);
                assert!(page.next.is_none() || page.entries.len() == max_keys);
                for entry in page.entries {
                    listed.push(match entry {
                        VersionsEntry::Prefix(prefix) => (prefix, None, false),
                        VersionsEntry::Object { key, record, latest } => {
                            (key, Some(record.version_name()), latest)
                        }
                        VersionsEntry::DeleteMarker { key, marker, latest } => {
                            (key, Some(marker.name()), latest)
                        }
                    });
                }
                let Some(next) = page.next else { break };
                query.start = next;
            }
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(key, version, latest)| (key, version.map(|v| v.name), latest))
                .collect();
            assert_eq!(listed, expected, "{prefix:?} {delimiter:?} by {max_keys}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_history_gives_the_versions_of_the_model(ops in prop::collection::vec(op(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (bucket, mut model) = (bucket().await, Model::default());
            for (n, op) in ops.iter().enumerate() {
                apply(&bucket, &mut model, op).await;
                if n % 8 == 0 {
                    check(&bucket, &model).await;
                }
            }
            check(&bucket, &model).await;
        });
    }

    /// What waits together is committed as a group; it must come to the same as one after the other.
    #[test]
    fn a_group_comes_to_the_same_as_its_operations_one_by_one(
        puts in prop::collection::vec((0..KEYS.len(), any::<Option<u8>>()), 1..40),
        suspended: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (bucket, mut model) = (bucket().await, Model::default());
            apply(&bucket, &mut model, &Op::Put { key: 0, body: 0 }).await;
            set(&bucket, &mut model, Versioning::Enabled).await;
            apply(&bucket, &mut model, &Op::Put { key: 0, body: 1 }).await;
            if suspended {
                set(&bucket, &mut model, Versioning::Suspended).await;
            }
            let written = join_all(puts.iter().map(|(key, body)| {
                let (bucket, key) = (&bucket, KEYS[*key]);
                async move {
                    match body {
                        Some(body) => put(bucket, key, &body.to_string()).await.unwrap().record.version_name(),
                        None => bucket.delete(key, DeleteOptions::default()).await.unwrap().version.unwrap(),
                    }
                }
            }));
            let names: Vec<VersionName> = written.await;
            // Their order is that of the ids; the bucket numbered them as it applied them.
            let snapshot = bucket.snapshot().await.unwrap();
            let query = VersionsQuery { max_keys: 1000, ..VersionsQuery::default() };
            let all = snapshot.list_versions(&query).await.unwrap();
            let mut listed: Vec<(String, VersionName)> = all.entries.into_iter().map(|entry| match entry {
                VersionsEntry::Object { key, record, .. } => (key, record.version_name()),
                VersionsEntry::DeleteMarker { key, marker, .. } => (key, marker.name()),
                VersionsEntry::Prefix(_) => unreachable!("no delimiter"),
            }).collect();
            listed.reverse();
            if suspended {
                prop_assert!(names.iter().all(|name| *name == VersionName::Null));
                for key in KEYS {
                    let nulls = listed.iter().filter(|(k, name)| k == key && *name == VersionName::Null).count();
                    let wrote = puts.iter().any(|(at, _)| KEYS[*at] == key);
                    prop_assert_eq!(nulls, usize::from(wrote || key == "a"));
                }
            } else {
                for (name, (key, _)) in names.iter().zip(&puts) {
                    let entry = (KEYS[*key].to_owned(), *name);
                    prop_assert_eq!(listed.iter().filter(|listed| **listed == entry).count(), 1);
                }
                prop_assert_eq!(listed.len(), names.len() + 2);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn the_first_put_of_a_key_never_touches_the_versions() {
    let (bucket, mut model) = (bucket().await, Model::default());
    set(&bucket, &mut model, Versioning::Enabled).await;
    for key in KEYS {
        put(&bucket, key, "x").await.unwrap();
    }
    let commit = bucket.snapshot().await.unwrap().commit().clone();
    assert_eq!(commit.versions, None);
    let overwritten = put(&bucket, "a", "y").await.unwrap();
    assert!(bucket.snapshot().await.unwrap().commit().versions.is_some());
    let version = Some(overwritten.record.version_name());
    let options = DeleteOptions { version, ..DeleteOptions::default() };
    bucket.delete("a", options).await.unwrap();
    let after = bucket.snapshot().await.unwrap();
    assert_eq!(after.commit().versions, None, "no versions are as none ever were");
    assert_eq!(after.commit().objects, commit.objects, "the same entries are the same tree");
}

#[tokio::test]
async fn a_bucket_with_nothing_but_a_delete_marker_is_not_empty() {
    let space = support::space().await;
    space.create_bucket("bucket").await.unwrap();
    let (bucket, mut model) = (space.bucket("bucket").await.unwrap(), Model::default());
    set(&bucket, &mut model, Versioning::Enabled).await;
    let marker = bucket.delete("k", DeleteOptions::default()).await.unwrap();
    assert!(matches!(space.delete_bucket("bucket").await, Err(BucketError::BucketNotEmpty(_))));
    let options = DeleteOptions { version: marker.version, ..DeleteOptions::default() };
    bucket.delete("k", options).await.unwrap();
    space.delete_bucket("bucket").await.unwrap();
}

#[tokio::test]
async fn versioning_is_never_undone() {
    let (bucket, mut model) = (bucket().await, Model::default());
    set(&bucket, &mut model, Versioning::Suspended).await;
    let change = |config: &mut carob_bucket::Config| {
        config.versioning = Versioning::Unversioned;
        Ok(())
    };
    assert!(matches!(bucket.configure(change).await, Err(BucketError::VersioningState(_))));
}
