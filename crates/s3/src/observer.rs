//! What is told of each request to whoever counts.

use std::net::IpAddr;
use std::time::Duration;

use http::Method;

/// Told of every request. It is called on the request's path, so it may not wait.
pub trait Observer: Send + Sync {
    /// A request has come.
    fn started(&self);

    /// The last byte of its answer was handed over, or the client went away. Once for each that started.
    fn finished(&self, exchange: &Exchange<'_>);
}

/// A request and its answer. Nothing in it is secret: neither query nor headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// Its id, as its answer gives it.
    pub request: &'a str,
    /// Where it came from, if that is an address.
    pub remote: Option<IpAddr>,
    /// Its method.
    pub method: &'a Method,
    /// Its path, as it was sent.
    pub path: &'a str,
    /// The access key that it was signed with, if the signature was good.
    pub access_key: Option<&'a str>,
    /// The bucket, if it came as far as one.
    pub bucket: Option<&'a str>,
    /// Why it was let in or not, where a policy or a list of the bucket decided.
    pub decision: Option<&'a str>,
    /// S3's name of the operation; `-` if it was refused before that was known.
    pub operation: &'static str,
    /// The status; [`GONE`] if the client went away before there was one.
    pub status: u16,
    /// The code in the error document.
    pub code: Option<&'a str>,
    /// Why it was turned away, if it was.
    pub rejection: Option<Rejection>,
    /// Bytes of the request's body that were read.
    pub received: u64,
    /// Bytes of the answer's body that were handed over.
    pub sent: u64,
    /// From the request's head to the first byte of the answer's body, or to the end if it has none.
    pub first_byte: Duration,
    /// From the request's head to the end.
    pub time: Duration,
    /// Whether the answer was broken off.
    pub failed: bool,
    /// What became of the keys that the path does not name, as far as it came.
    pub keys: &'a [Touched],
}

/// One of several keys that something is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The key.
    pub key: String,
    /// The version that was named, or made.
    pub version: Option<String>,
    /// The error's code, if it was one.
    pub code: Option<String>,
}

/// The status in logs and metrics of a request whose client went away before it was answered. HTTP has none; this one
/// is what many servers write.
pub const GONE: u16 = 499;

/// Why a request is turned away that might be welcome otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Its key or address asks too often.
    Rate,
    /// There is more to do than can be taken on.
    Overload,
    /// Its signature is not good.
    Signature,
    /// Its client stopped sending.
    Stalled,
}

impl Rejection {
    /// What the error code of an answer says; a rate limit has the same one as overload.
    pub(crate) fn of(code: &str, rate_limited: bool) -> Option<Self> {
        match code {
            "SlowDown" if rate_limited => Some(Self::Rate),
            "SlowDown" => Some(Self::Overload),
            "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "RequestTimeTooSkewed" => Some(Self::Signature),
            "RequestTimeout" => Some(Self::Stalled),
            _ => None,
        }
    }

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Overload => "overload",
            Self::Signature => "signature",
            Self::Stalled => "stalled",
        }
    }
}
