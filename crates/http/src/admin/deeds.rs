//! What the operator does, told to whoever writes it down.

use std::fmt;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};

use super::answer::Refusal;
use super::{State, segments};
use crate::Body;

/// Something that the operator asked for which changes something, or was denied. Nothing in it is secret: neither a body nor
/// a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorDeed<'a> {
    /// What is asked for; `-` for what there is not.
    pub operation: &'static str,
    /// Its method.
    pub method: &'a Method,
    /// Its path.
    pub path: &'a str,
    /// The bucket in the path.
    pub bucket: Option<&'a str>,
    /// What it is about that the path does not name: an account, an access key, a key of the bucket, a snapshot,
    /// a bucket's other name or its id.
    pub subject: Option<&'a str>,
    /// The status; nothing if whoever asked went away before there was one.
    pub status: Option<u16>,
}

/// Whoever is told. It is called on the request's path, so it may not wait.
#[derive(Clone)]
pub(super) struct Listener(Arc<dyn Fn(&OperatorDeed<'_>) + Send + Sync>);

impl Listener {
    pub(super) fn new(listener: impl Fn(&OperatorDeed<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// A request of the operator under way. Dropping it tells of it.
pub(super) struct Deed {
    state: State,
    listener: Option<Listener>,
    method: Method,
    path: String,
    status: Option<StatusCode>,
}

impl Deed {
    pub(super) fn of(state: State, listener: Option<Listener>, request: &Request<Body>) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        Self { state, listener, method, path, status: None }
    }

    pub(super) async fn answer(mut self, request: Request<Body>) -> Response<Body> {
        let answer = self.state.respond(request).await.unwrap_or_else(Refusal::into_response);
        self.status = Some(answer.status());
        answer
    }
}

impl Drop for Deed {
    fn drop(&mut self) {
        let Self { state, listener: Some(listener), method, path, status } = self else { return };
        let denied = status.is_some_and(|status| status == StatusCode::FORBIDDEN);
        if !denied && (method.is_safe() || state.told.changes_nothing()) {
            return;
        }
        let segments = segments(path);
        let bucket = match *segments {
            ["buckets", bucket, ..] => Some(bucket),
            _ => None,
        };
        (listener.0)(&OperatorDeed {
            operation: operation(method, &segments),
            method,
            path,
            bucket,
            subject: state.told.subject(),
            status: status.map(|status| status.as_u16()),
        });
    }
}

/// What a route that changes something is called.
fn operation(method: &Method, segments: &[&str]) -> &'static str {
    match (method, segments) {
        (&Method::POST, ["accounts"]) => "carob:CreateAccount",
        (&Method::DELETE, ["accounts"]) => "carob:RemoveAccount",
        (&Method::POST, ["keys"]) => "carob:CreateKey",
        (&Method::DELETE, ["keys"]) => "carob:RevokeKey",
        (&Method::POST, ["gc"]) => "carob:CollectGarbage",
        (&Method::POST, ["encryption-keys"]) => "carob:CreateEncryptionKey",
        (&Method::POST, ["encryption-keys", "disable"]) => "carob:DisableEncryptionKey",
        (&Method::POST, ["encryption-keys", "enable"]) => "carob:EnableEncryptionKey",
        (&Method::POST, ["buckets", _, "retention"]) => "carob:SetRetention",
        (&Method::POST, ["buckets", _, "snapshots"]) => "carob:CreateSnapshot",
        (&Method::DELETE, ["buckets", _, "snapshots"]) => "carob:RemoveSnapshot",
        (&Method::POST, ["buckets", _, "restore"]) => "carob:Restore",
        (&Method::POST, ["buckets", _, "branch"]) => "carob:Branch",
        (&Method::POST, ["buckets", _, "import"]) => "carob:Import",
        (&Method::POST, ["buckets", _, "pull"]) => "carob:Pull",
        (&Method::POST, ["buckets", _, "blocks"]) => "carob:ReadBlocks",
        (&Method::POST, ["buckets", _, "merge"]) => "carob:Merge",
        (&Method::POST, ["buckets", _, "purge"]) => "carob:Purge",
        (&Method::POST, ["buckets", _, "undelete"]) => "carob:Undelete",
        _ => "-",
    }
}
