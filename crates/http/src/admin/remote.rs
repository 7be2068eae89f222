//! What of the admin API answers over the network, to access keys.

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};

use super::answer::Refusal;
use super::caller::Caller;
use super::told::Told;
use super::{Shared, State, segments};
use crate::Body;
use crate::body::{BoxError, boxed};

/// The history of buckets for whoever has signed: the same routes as the operator's, less those that are about the space or
/// that read bodies past the budget.
#[derive(Debug, Clone)]
pub struct Remote(pub(super) Arc<Shared>);

impl Remote {
    /// Answers one request under `/_carob/`. Who has sent it, and with what rights, is the front end's to say.
    pub async fn answer<B>(&self, request: Request<B>, caller: Arc<dyn Caller>) -> Response<Body>
    where
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        if !is_open(&head.method, head.uri.path()) {
            return Refusal::new(StatusCode::FORBIDDEN, "access denied").into_response();
        }
        let state = State { shared: Arc::clone(&self.0), caller, told: Told::default() };
        let answered = state.respond(Request::from_parts(head, boxed(body))).await;
        answered.unwrap_or_else(Refusal::into_response)
    }
}

fn is_open(method: &Method, path: &str) -> bool {
    let ["buckets", _, leaf] = *segments(path) else { return false };
    match *method {
        Method::GET => {
            matches!(
                leaf,
                "objects"
                    | "usage"
                    | "stat"
                    | "log"
                    | "diff"
                    | "proof"
                    | "retention"
                    | "snapshots"
                    | "export"
                    | "commits"
            )
        }
        Method::POST => {
            matches!(leaf, "restore" | "branch" | "merge" | "snapshots" | "retention" | "blocks")
        }
        Method::DELETE => leaf == "snapshots",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_one_bucket_is_open() {
        for (method, path) in [
            (Method::GET, "/_carob/buckets/b/log"),
            (Method::GET, "/_carob/buckets/b/proof"),
            (Method::GET, "/_carob/buckets/b/commits"),
            (Method::POST, "/_carob/buckets/b/restore"),
            (Method::POST, "/_carob/buckets/b/blocks"),
            (Method::DELETE, "/_carob/buckets/b/snapshots"),
        ] {
            assert!(is_open(&method, path), "{method} {path}");
        }
        for (method, path) in [
            (Method::GET, "/_carob/status"),
            (Method::GET, "/_carob/keys"),
            (Method::GET, "/_carob/buckets"),
            (Method::GET, "/_carob/buckets/b"),
            (Method::GET, "/_carob/buckets/b/slices"),
            (Method::GET, "/_carob/buckets/b/log/x"),
            (Method::POST, "/_carob/buckets/b/import"),
            (Method::POST, "/_carob/buckets/b/pull"),
            (Method::POST, "/_carob/buckets/b/undelete"),
            (Method::GET, "/_carob/deleted-buckets"),
            (Method::GET, "/_carob/buckets/b/blocks"),
            (Method::POST, "/_carob/gc"),
            (Method::PUT, "/_carob/buckets/b/log"),
            (Method::DELETE, "/_carob/keys"),
        ] {
            assert!(!is_open(&method, path), "{method} {path}");
        }
    }
}
