//! The S3 API over buckets.
//!
//! [`service`] makes an [`S3Frontend`] that answers HTTP requests by the rules of Amazon S3: SigV4, XML, error
//! codes, conditional headers. It is the only crate that knows S3's names. Each operation is a file in `ops`; a
//! table in `operations` says what right each one takes and which headers it understands, and whatever is not in
//! the table is refused.
//!
//! It deliberately does not know what an object is made of: no blocks, no trees, no commits beyond the CIDs that
//! it reports. It opens no port, and serves nothing under `/_carob/`: both are its caller's.
//!
//! ```
//! # use std::sync::Arc;
//! # use carob_bucket::{Budget, BudgetOptions, Space, SpaceOptions, System, SystemOptions};
//! # use carob_identity::{Account, Clock, Credentials, MasterKey, RateLimits, RootOnly, SeededEntropy};
//! # use carob_identity::{SoleAccount, SpaceKey, SystemClock};
//! use carob_s3::{Body, Domains, S3Options, service};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let entropy = Arc::new(SeededEntropy::new(1));
//! # let clock: Arc<dyn Clock> = Arc::new(SystemClock);
//! # let space = Space::open(SpaceOptions {
//! #     store: Arc::new(carob_block::MemoryStore::new()),
//! #     signer: Arc::new(SpaceKey::generate(&*entropy)),
//! #     clock: clock.clone(),
//! #     entropy: entropy.clone(),
//! #     cache_bytes: 1 << 20,
//! # }).await?;
//! let root = Credentials::generate(&*entropy);
//! let limits = RateLimits::new(Default::default(), root.id.clone(), &clock);
//! let master = MasterKey::generate(&*entropy);
//! let system = SystemOptions { root: root.clone(), master, clock: clock.clone() };
//! let system = System::open(&space, system).await?;
//! let rights = Arc::new(RootOnly::new(root));
//! let s3 = service(S3Options {
//!     space: space.clone(),
//!     encryption_keys: Arc::new(system),
//!     keys: rights.clone(),
//!     authorizer: rights,
//!     directory: Arc::new(SoleAccount(Account::root(*space.did()))),
//!     limits: Arc::new(limits),
//!     clock,
//!     entropy,
//!     region: "us-east-1".to_owned(),
//!     domains: Domains::default(),
//!     bodies: Budget::new(BudgetOptions::default()),
//!     signature_v2: true,
//!     tls: false,
//! })?;
//! let answer = s3.handle(http::Request::new(Body::empty())).await;
//! assert_eq!(answer.status(), 403);
//! # space.close().await;
//! # Ok(())
//! # }
//! ```

mod access;
mod access_log;
mod acl;
mod amend;
mod answer;
mod arguments;
mod auth;
mod blank;
mod body;
mod checksum;
mod conditions;
mod contents;
mod context;
mod cors;
mod date;
mod deletion;
mod details;
mod documents;
mod early;
mod encryption;
mod error;
mod form;
mod frontend;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod headers;
mod host;
mod instant;
mod interleave;
mod lifecycle;
mod lines;
mod locate;
mod log;
mod mismatch;
mod observer;
mod operations;
mod ops;
mod options;
mod past;
mod patience;
mod protection;
mod range;
mod refuse;
mod remote;
mod renames;
mod scope;
mod table;
mod tags;
mod target;
mod verified;
mod version2;
mod xml;

pub use frontend::S3Frontend;
pub use host::Domains;
pub use lifecycle::{Lifecycle, Removal, Tally};
pub use observer::{Exchange, GONE, Observer, Rejection, Touched};
pub use options::{S3Options, S3OptionsError, service};
pub use remote::{SignedCaller, SignedRoutes};
pub use s3s::Body;
