//! What is known of one request, from the first header to the last byte of the answer.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use carob_identity::Entropy;
use data_encoding::{BASE64, HEXUPPER};
use http::Extensions;
use parking_lot::Mutex;
use s3s::{S3Error, S3ErrorCode};
use tokio::sync::Notify;

use crate::error::Elements;
use crate::mismatch::Compared;
use crate::observer::Touched;
use crate::operations::Operation;

/// The source of a copy, which an error is about.
#[derive(Debug)]
pub(crate) struct FailedSource {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) version: Option<String>,
}

/// Shared by the layers through the request's extensions.
#[derive(Debug)]
pub(crate) struct RequestContext {
    id: String,
    host_id: String,
    /// Tells placeholders for control characters from what keys may hold; see [`crate::xml`].
    nonce: String,
    operation: OnceLock<&'static Operation>,
    access_key: OnceLock<String>,
    bucket: OnceLock<String>,
    key: OnceLock<String>,
    failed_source: OnceLock<FailedSource>,
    compared: OnceLock<Compared>,
    elements: OnceLock<(S3ErrorCode, Vec<(&'static str, String)>)>,
    error_code: OnceLock<String>,
    rate_limited: AtomicBool,
    counted: AtomicBool,
    decision: OnceLock<String>,
    acl_required: AtomicBool,
    touched: OnceLock<Vec<Touched>>,
    received: AtomicU64,
    body_error: Mutex<Option<S3Error>>,
    long_work: Notify,
}

impl RequestContext {
    pub(crate) fn new(entropy: &dyn Entropy) -> Arc<Self> {
        let mut random = [0; 48];
        entropy.fill(&mut random);
        let (id, rest) = random.split_at(8);
        let (host_id, nonce) = rest.split_at(24);
        Arc::new(Self {
            id: HEXUPPER.encode(id),
            host_id: BASE64.encode(host_id),
            nonce: HEXUPPER.encode(nonce),
            operation: OnceLock::new(),
            access_key: OnceLock::new(),
            bucket: OnceLock::new(),
            key: OnceLock::new(),
            failed_source: OnceLock::new(),
            compared: OnceLock::new(),
            elements: OnceLock::new(),
            error_code: OnceLock::new(),
            rate_limited: AtomicBool::new(false),
            counted: AtomicBool::new(false),
            decision: OnceLock::new(),
            acl_required: AtomicBool::new(false),
            touched: OnceLock::new(),
            received: AtomicU64::new(0),
            body_error: Mutex::new(None),
            long_work: Notify::new(),
        })
    }

    /// The value of `x-amz-request-id`.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The value of `x-amz-id-2`.
    pub(crate) fn host_id(&self) -> &str {
        &self.host_id
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(crate) fn set_operation(&self, operation: &'static Operation) {
        // Told once a request; a second telling changes nothing.
        let _ = self.operation.set(operation);
    }

    /// The operation, once the request's signature is verified.
    pub(crate) fn operation(&self) -> Option<&'static Operation> {
        self.operation.get().copied()
    }

    pub(crate) fn set_access_key(&self, id: &str) {
        let _ = self.access_key.set(id.to_owned());
    }

    /// Whose signature the request carries, once it is verified.
    pub(crate) fn access_key(&self) -> Option<&str> {
        self.access_key.get().map(String::as_str)
    }

    /// Told what the request is about.
    pub(crate) fn set_resource(&self, bucket: &str, key: Option<String>) {
        let _ = self.bucket.set(bucket.to_owned());
        if let Some(key) = key {
            let _ = self.key.set(key);
        }
    }

    /// The bucket, once the request's signature is verified.
    pub(crate) fn bucket(&self) -> Option<&str> {
        self.bucket.get().map(String::as_str)
    }

    /// The object's key, if the request names one, once its signature is verified.
    pub(crate) fn key(&self) -> Option<&str> {
        self.key.get().map(String::as_str)
    }

    /// Told that the error is about the source of a copy, not about what is in the path.
    pub(crate) fn set_failed_source(&self, source: FailedSource) {
        let _ = self.failed_source.set(source);
    }

    /// The source of a copy, if the error is about it.
    pub(crate) fn failed_source(&self) -> Option<&FailedSource> {
        self.failed_source.get()
    }

    /// Told what a signature did not match that s3s knows nothing of.
    pub(crate) fn set_compared(&self, compared: Compared) {
        let _ = self.compared.set(compared);
    }

    pub(crate) fn compared(&self) -> Option<&Compared> {
        self.compared.get()
    }

    /// Keeps the elements of an error that is given on without its source.
    pub(crate) fn keep_elements(&self, error: &S3Error) {
        if let Some(Elements(elements)) = error.source().and_then(|source| source.downcast_ref()) {
            let _ = self.elements.set((error.code().clone(), elements.clone()));
        }
    }

    /// Those of an error of that code, if any were kept.
    pub(crate) fn elements(&self, code: &str) -> Option<&[(&'static str, String)]> {
        self.elements.get().filter(|(of, _)| of.as_str() == code).map(|(_, elements)| elements.as_slice())
    }

    pub(crate) fn set_error_code(&self, code: &str) {
        let _ = self.error_code.set(code.to_owned());
    }

    /// The code of the answer, if it is an error's.
    pub(crate) fn error_code(&self) -> Option<&str> {
        self.error_code.get().map(String::as_str)
    }

    /// Told when the request is one too many of its key or its address.
    pub(crate) fn set_rate_limited(&self) {
        self.rate_limited.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_rate_limited(&self) -> bool {
        self.rate_limited.load(Ordering::Relaxed)
    }

    /// Told when the request was counted against the limits of its key or its address.
    pub(crate) fn set_counted(&self) {
        self.counted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Told what was decided, where it was not the access key's own right alone that decided. The first decision of a
    /// request is the one on its operation.
    pub(crate) fn set_decision(&self, action: &str, allowed: bool, reason: &dyn fmt::Display) {
        let verb = if allowed { "allow" } else { "deny" };
        let _ = self.decision.set(format!("{verb} {action}: {reason}"));
    }

    /// Why the request was let in or not, for the log.
    pub(crate) fn decision(&self) -> Option<&str> {
        self.decision.get().map(String::as_str)
    }

    /// Told when an access control list alone let the request in.
    pub(crate) fn set_acl_required(&self) {
        self.acl_required.store(true, Ordering::Relaxed);
    }

    pub(crate) fn acl_required(&self) -> bool {
        self.acl_required.load(Ordering::Relaxed)
    }

    /// Told what became of the keys in the request's body.
    pub(crate) fn set_touched(&self, keys: Vec<Touched>) {
        let _ = self.touched.set(keys);
    }

    pub(crate) fn touched(&self) -> &[Touched] {
        self.touched.get().map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn add_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of the body that were read so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// That of the request with these extensions; only tests send one without.
    pub(crate) fn of(extensions: &Extensions) -> Option<&Arc<Self>> {
        extensions.get::<Arc<Self>>()
    }

    /// Told when a request is complete and checked, and what is left may take long.
    pub(crate) fn begin_long_work(&self) {
        self.long_work.notify_one();
    }

    /// Waits for [`RequestContext::begin_long_work`].
    pub(crate) async fn long_work_begun(&self) {
        self.long_work.notified().await;
    }

    /// Keeps what was wrong with a body that s3s reads: s3s would call all of it an internal error.
    pub(crate) fn set_body_error(&self, error: S3Error) {
        *self.body_error.lock() = Some(error);
    }

    pub(crate) fn take_body_error(&self) -> Option<S3Error> {
        self.body_error.lock().take()
    }
}
