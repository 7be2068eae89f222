//! One key of a bucket, and what S3 makes of a request for it.

use std::collections::BTreeMap;

use carob_bucket::Versioning;

pub(in crate::crash) type Tags = BTreeMap<String, String>;

/// Names a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Id {
    /// `null`.
    Null,
    /// The one that this operation made.
    Made(u64),
    /// One whose maker has no answer yet, so that its name says nothing.
    Unnamed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::crash) enum Mode {
    Governance,
    Compliance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::crash) struct Retention {
    pub(in crate::crash) mode: Mode,
    /// The end, in milliseconds since 1970; whole seconds.
    pub(in crate::crash) until: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::crash) struct Lock {
    pub(in crate::crash) retention: Option<Retention>,
    pub(in crate::crash) hold: bool,
}

/// What an object is told by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Body {
    /// The operation that its metadata names.
    pub(super) op: u64,
    pub(super) etag: String,
    pub(super) size: u64,
}

/// An object, or without a body a delete marker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) id: Id,
    pub(super) body: Option<Body>,
    pub(super) tags: Tags,
    pub(super) lock: Lock,
}

/// The versions of a key, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State(pub(super) Vec<Version>);

/// What is asked of a key. `of` is a version, or the current object.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Put { body: Body, tags: Tags, lock: Lock },
    Delete,
    DeleteVersion { of: Id, bypass: bool },
    Read { of: Option<Id>, head: bool },
    List,
    Tags { of: Option<Id> },
    PutTags { of: Option<Id>, tags: Tags },
    Retain { of: Option<Id>, retention: Option<Retention>, bypass: bool },
    Hold { of: Option<Id>, on: bool },
}

/// What is answered; `I` names versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer<I = Id> {
    Wrote(I),
    Deleted {
        id: Option<I>,
        marker: bool,
    },
    Held {
        id: I,
        op: u64,
        etag: String,
        lock: Lock,
    },
    /// Objects, then delete markers, each kind the newest first: as the answer of S3 has them.
    Listed(Vec<Row<I>>),
    Tags(Tags),
    Done,
    Refused(String),
}

/// What a listing says of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row<I = Id> {
    pub(super) id: I,
    /// Entity tag and size of an object.
    pub(super) object: Option<(String, u64)>,
    pub(super) latest: bool,
}

/// When a request was under way.
#[derive(Debug, Clone)]
pub(super) struct During {
    /// Its beginning and its end at the latest, in milliseconds since 1970.
    pub(super) from: u64,
    pub(super) until: u64,
    /// How the bucket may have been meanwhile.
    pub(super) versioning: Vec<Versioning>,
}

impl Request {
    /// Whether it leaves everything as it is.
    pub(super) fn is_read(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::List | Self::Tags { .. })
    }
}

impl During {
    /// Whether a moment of it may lie before the date.
    fn may_begin_before(&self, date: u64) -> bool {
        self.from < date
    }

    /// Whether a moment of it may be the date or later.
    fn may_end_after(&self, date: u64) -> bool {
        self.until >= date
    }
}

impl Lock {
    /// Whether it may keep a version from being removed, and whether it may not.
    fn keeps(self, during: &During, bypass: bool) -> (bool, bool) {
        match self.retention {
            _ if self.hold => (true, false),
            Some(retention) => retention.binds(during, bypass),
            None => (false, true),
        }
    }
}

impl Retention {
    /// Whether it may bind, and whether it may not.
    fn binds(self, during: &During, bypass: bool) -> (bool, bool) {
        let lifted = bypass && self.mode == Mode::Governance;
        (!lifted && during.may_begin_before(self.until), lifted || during.may_end_after(self.until))
    }

    /// Whether it may take the place of `present` while that binds.
    fn prolongs(self, present: Self) -> bool {
        self.mode == present.mode && self.until >= present.until
    }
}

impl State {
    /// All that may come of a request of operation `op`: the state after it, and the answer.
    pub(super) fn after(&self, op: u64, request: &Request, during: &During) -> Vec<(Self, Answer)> {
        match request {
            Request::Put { body, tags, lock } => {
                let object =
                    Version { id: Id::Null, body: Some(body.clone()), tags: tags.clone(), lock: *lock };
                let mut all: Vec<_> = during
                    .versioning
                    .iter()
                    .filter(|_| lock.retention.is_none_or(|new| during.may_begin_before(new.until)))
                    .map(|versioning| match versioning {
                        Versioning::Enabled => self.with(Version { id: Id::Made(op), ..object.clone() }),
                        Versioning::Unversioned | Versioning::Suspended => self.with(object.clone()),
                    })
                    .map(|(state, id)| (state, Answer::Wrote(id)))
                    .collect();
                if lock.retention.is_some_and(|new| during.may_end_after(new.until)) {
                    all.push((self.clone(), refused("InvalidArgument")));
                }
                all
            }
            Request::Delete => {
                let marker = Version { id: Id::Null, body: None, tags: Tags::new(), lock: Lock::default() };
                let made = |(state, id)| (state, Answer::Deleted { id: Some(id), marker: true });
                let one = |versioning: &Versioning| match versioning {
                    Versioning::Unversioned => {
                        (self.without(Id::Null), Answer::Deleted { id: None, marker: false })
                    }
                    Versioning::Enabled => made(self.with(Version { id: Id::Made(op), ..marker.clone() })),
                    Versioning::Suspended => made(self.with(marker.clone())),
                };
                during.versioning.iter().map(one).collect()
            }
            Request::DeleteVersion { of, bypass } => {
                let found = self.0.iter().find(|version| version.id == *of);
                let marker = found.is_some_and(|version| version.body.is_none());
                let lock = found.map(|version| version.lock).unwrap_or_default();
                let (kept, free) = lock.keeps(during, *bypass);
                let gone = (self.without(*of), Answer::Deleted { id: Some(*of), marker });
                let stays = (self.clone(), refused("AccessDenied"));
                free.then_some(gone).into_iter().chain(kept.then_some(stays)).collect()
            }
            Request::Read { of, head } => {
                let answer = match self.find(*of) {
                    Ok((at, Body { op, etag, .. })) => {
                        let Version { id, lock, .. } = self.0[at];
                        Answer::Held { id, op: *op, etag: etag.clone(), lock }
                    }
                    // The answer to HEAD has no body to say more.
                    Err(code) if *head && code != "MethodNotAllowed" => refused("NotFound"),
                    Err(code) => refused(code),
                };
                vec![(self.clone(), answer)]
            }
            Request::List => vec![(self.clone(), Answer::Listed(self.rows()))],
            Request::Tags { of } => {
                let answer = match self.amendable(*of) {
                    Ok((at, _)) => Answer::Tags(self.0[at].tags.clone()),
                    Err(code) => refused(code),
                };
                vec![(self.clone(), answer)]
            }
            Request::PutTags { of, tags } => {
                self.amended(*of, |_| (true, None), |version| version.tags.clone_from(tags))
            }
            Request::Retain { of, retention, bypass } => {
                let may = |lock: Lock| {
                    let held =
                        lock.retention.filter(|held| !retention.is_some_and(|new| new.prolongs(*held)));
                    let (kept, free) = held.map_or((false, true), |held| held.binds(during, *bypass));
                    (free, kept.then_some("AccessDenied"))
                };
                let mut all = self.amended(*of, may, |version| version.lock.retention = *retention);
                if let Some(new) = retention.filter(|_| self.find(*of).is_ok()) {
                    // A date that is over is refused, whatever is protected.
                    if !during.may_begin_before(new.until) {
                        all.clear();
                    }
                    if during.may_end_after(new.until) {
                        all.push((self.clone(), refused("InvalidArgument")));
                    }
                }
                all
            }
            Request::Hold { of, on } => {
                self.amended(*of, |_| (true, None), |version| version.lock.hold = *on)
            }
        }
    }

    /// What a listing says.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |(n, version): (usize, &Version)| Row {
            id: version.id,
            object: version.body.as_ref().map(|body| (body.etag.clone(), body.size)),
            latest: n == 0,
        };
        let mut rows: Vec<_> = self.0.iter().enumerate().map(row).collect();
        rows.sort_by_key(|row| row.object.is_none());
        rows
    }

    /// With a new version; of those that are `null` there is but one.
    fn with(&self, version: Version) -> (Self, Id) {
        let id = version.id;
        let Self(mut versions) = self.without(id);
        versions.insert(0, version);
        (Self(versions), id)
    }

    fn without(&self, id: Id) -> Self {
        Self(self.0.iter().filter(|version| version.id != id).cloned().collect())
    }

    /// The place and body of an object, or the code of its absence.
    fn find(&self, of: Option<Id>) -> Result<(usize, &Body), &'static str> {
        let (at, absent, marker) = match of {
            None => (0, "NoSuchKey", "NoSuchKey"),
            Some(id) => {
                let at = self.0.iter().position(|version| version.id == id);
                (at.unwrap_or(usize::MAX), "NoSuchVersion", "MethodNotAllowed")
            }
        };
        let version = self.0.get(at).ok_or(absent)?;
        version.body.as_ref().map(|body| (at, body)).ok_or(marker)
    }

    /// The same for what a delete marker has none of, which is said of a current one, too.
    fn amendable(&self, of: Option<Id>) -> Result<(usize, &Body), &'static str> {
        let is_marker = of.is_none() && !self.0.is_empty();
        self.find(of).map_err(|code| if is_marker { "MethodNotAllowed" } else { code })
    }

    /// An object changed in its place, where its lock may allow it; else refused.
    fn amended(
        &self,
        of: Option<Id>,
        may: impl Fn(Lock) -> (bool, Option<&'static str>),
        change: impl Fn(&mut Version),
    ) -> Vec<(Self, Answer)> {
        let (at, _) = match self.amendable(of) {
            Ok(found) => found,
            Err(code) => return vec![(self.clone(), refused(code))],
        };
        let (free, kept) = may(self.0[at].lock);
        let mut changed = self.clone();
        change(&mut changed.0[at]);
        let stays = kept.map(|code| (self.clone(), refused(code)));
        free.then_some((changed, Answer::Done)).into_iter().chain(stays).collect()
    }
}

fn refused(code: &str) -> Answer {
    Answer::Refused(code.into())
}

impl<I> Answer<I> {
    /// The same, with versions named otherwise.
    pub(super) fn rename<J>(self, name: impl Fn(I) -> J) -> Answer<J> {
        match self {
            Self::Wrote(id) => Answer::Wrote(name(id)),
            Self::Deleted { id, marker } => Answer::Deleted { id: id.map(name), marker },
            Self::Held { id, op, etag, lock } => Answer::Held { id: name(id), op, etag, lock },
            Self::Listed(rows) => {
                let row = |Row { id, object, latest }| Row { id: name(id), object, latest };
                Answer::Listed(rows.into_iter().map(row).collect())
            }
            Self::Tags(tags) => Answer::Tags(tags),
            Self::Done => Answer::Done,
            Self::Refused(code) => Answer::Refused(code),
        }
    }
}
