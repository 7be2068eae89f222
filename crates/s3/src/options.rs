//! What the service is made of.

use std::fmt;
use std::sync::Arc;

use carob_bucket::{Budget, Space};
use carob_identity::{AccessKeys, Authorizer, Clock, Directory, EncryptionKeys, Entropy, RateLimits};
use parking_lot::{Mutex, RwLock};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::region::Region;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{Gatekeeper, RuleBook};
use crate::access_log::AccessLogs;
use crate::auth::{KeyRing, NoKeys};
use crate::body::MAX_SMALL_BODY;
use crate::cors::CrossOrigin;
use crate::date::AMZ_DATE;
use crate::encryption::Encrypter;
use crate::form::FormUploads;
use crate::frontend::{S3Frontend, Takers};
use crate::gate::Gate;
use crate::host::Domains;
use crate::remote::Routes;
use crate::renames::Renames;
use crate::table::Carob;
use crate::version2::Version2;

/// The largest body of one PUT (Amazon S3 user guide, "Uploading objects"), in bytes.
const MAX_OBJECT: u64 = 5 << 30;

/// How far a request's date may be from ours, in seconds (Amazon S3 API reference, "RequestTimeTooSkewed").
pub(crate) const MAX_SKEW: u32 = 15 * 60;

/// The longest life of a presigned URL, in seconds.
pub(crate) const MAX_PRESIGNED: u32 = 7 * 24 * 60 * 60;

/// A signed chunk of an aws-chunked body is held in memory until its signature is checked; clients send 64 KiB
/// to 1 MiB.
pub(crate) const MAX_CHUNK: usize = 1 << 20;

/// What the S3 API is served from.
pub struct S3Options {
    /// The buckets.
    pub space: Space,
    /// Secrets that requests are signed with.
    pub keys: Arc<dyn AccessKeys>,
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// What objects are encrypted under.
    pub encryption_keys: Arc<dyn EncryptionKeys>,
    /// Who acts for whom: owners in answers, and of new buckets.
    pub directory: Arc<dyn Directory>,
    /// How many requests a second are too many, by key and by the request's [`carob_identity::Source`].
    pub limits: Arc<RateLimits>,
    /// Tells the authorizer the time. Signatures are checked against the system clock, which s3s reads itself.
    pub clock: Arc<dyn Clock>,
    /// Draws request ids.
    pub entropy: Arc<dyn Entropy>,
    /// The region that requests must be signed for, such as `us-east-1`.
    pub region: String,
    /// Below which buckets may be named in `Host`.
    pub domains: Domains,
    /// The memory of all bodies under way.
    pub bodies: Budget,
    /// Whether requests may be signed with version 2, too.
    pub signature_v2: bool,
    /// Whether all requests come by TLS.
    pub tls: bool,
}

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("space", &self.space)
            .field("region", &self.region)
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

/// Options that make no service.
#[derive(Debug, thiserror::Error)]
pub enum S3OptionsError {
    /// Not the name of a region: letters, digits and hyphens.
    #[error("{0:?} is not the name of a region")]
    Region(String),
    /// Not the name of a domain.
    #[error("{0:?} is not the name of a domain")]
    Domain(String),
}

/// Makes the S3 service.
///
/// # Errors
/// [`S3OptionsError`].
pub fn service(options: S3Options) -> Result<S3Frontend, S3OptionsError> {
    let S3Options {
        space,
        keys,
        authorizer,
        encryption_keys,
        directory,
        limits,
        clock,
        entropy,
        region,
        domains,
        bodies,
        signature_v2,
        tls,
    } = options;
    let scheme = if tls { "https" } else { "http" };
    let expected = Region::new(region.as_str().into()).map_err(|_| S3OptionsError::Region(region.clone()))?;
    let region: Arc<str> = region.into();
    let config = Arc::new(StaticConfigProvider::new(Arc::new(config(expected))));
    let gatekeeper = Gatekeeper {
        authorizer,
        directory: Arc::clone(&directory),
        clock: Arc::clone(&clock),
        space: space.clone(),
        rules: RuleBook::default(),
        region: Arc::clone(&region),
        tls,
    };

    let cross_origin = CrossOrigin { space: space.clone(), domains: domains.clone() };
    let region_name = Arc::clone(&region);
    let encryption = Encrypter { keys: encryption_keys, entropy: Arc::clone(&entropy) };
    let access_logs = Arc::new(AccessLogs {
        space: space.clone(),
        directory: Arc::clone(&directory),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy),
        encryption: encryption.clone(),
        domains: domains.clone(),
        region: Arc::clone(&region),
        logged: RwLock::default(),
        waiting: Mutex::default(),
    });
    let carob = Carob {
        space,
        directory,
        encryption,
        gatekeeper: gatekeeper.clone(),
        region: region_name,
        scheme,
        bodies: bodies.clone(),
        access_logs: Arc::clone(&access_logs),
        renames: Renames::default(),
    };
    let mut inner = S3ServiceBuilder::new(carob);
    inner.set_config(config.clone());
    inner.set_auth(NoKeys);
    let own = gatekeeper.clone();
    inner.set_access(gatekeeper);
    inner.set_host(domains.clone());

    let mut outer = S3ServiceBuilder::new(Unrouted);
    outer.set_config(config);
    let inner = inner.build();
    let forms = FormUploads {
        inner: inner.clone(),
        keys: Arc::clone(&keys),
        limits: Arc::clone(&limits),
        clock,
        domains: domains.clone(),
        region: Arc::clone(&region),
        scheme,
        signature_v2,
    };
    let routes = Routes::default();
    let gate = Gate {
        inner,
        limits: Arc::clone(&limits),
        bodies,
        gatekeeper: own,
        domains: domains.clone(),
        routes: routes.clone(),
    };
    outer.set_route(gate.clone());
    outer.set_auth(KeyRing(Arc::clone(&keys)));
    let version2 = Version2 { gate, keys, domains, on: signature_v2 };
    let takers = Takers { service: outer.build(), version2, forms };
    Ok(S3Frontend::new(takers, entropy, limits, region, cross_origin, access_logs, routes))
}

fn config(region: Region) -> S3Config {
    let mut config = S3Config::default();
    config.xml_max_body_size = MAX_SMALL_BODY;
    config.put_object_max_size = Some(MAX_OBJECT);
    // The gate's route is all there is, so its bodies are objects too; the inner service limits them.
    config.custom_route_max_body_size = None;
    config.aws_chunked_stream_max_chunk_size = MAX_CHUNK;
    config.presigned_url_max_skew_time_secs = MAX_SKEW;
    config.presigned_url_max_expires_secs = MAX_PRESIGNED;
    config.expected_region = Some(region);
    config.sig_v4_allowed_services = vec!["s3".to_owned()];
    // It takes no date but in ISO 8601; see `version2`.
    config.enable_sig_v2 = false;
    // A request that is signed over `Date` gets it from us; see `date`.
    config.unsigned_amz_header_allowlist = vec![AMZ_DATE.as_str().to_owned()];
    config.allow_post_signature = false;
    // `x-id` names the operation beside the request's shape; the shape decides.
    config.operation_id_routing = false;
    // A PUT without a length is refused, as S3 does; a made-up length would hide it.
    config.normalize_content_length = false;
    config
}

/// The outer service's own operations: it has none, since the gate takes every request.
struct Unrouted;

#[async_trait::async_trait]
impl s3s::S3 for Unrouted {
    async fn get_object(
        &self,
        _request: S3Request<s3s::dto::GetObjectInput>,
    ) -> S3Result<S3Response<s3s::dto::GetObjectOutput>> {
        Err(s3s::s3_error!(NotImplemented, "no operation is served here"))
    }
}
