//! Who one is and what one may do: keys, signatures, access rights, and the two things that come from outside
//! with them, time and randomness.
//!
//! A space is an Ed25519 key ([`SpaceKey`]) known to others by its [`Did`]. S3 clients are known by
//! [`Credentials`]; every surface asks the one [`Authorizer`] before it acts: with the feature `accounts` an
//! `AccountTable` of [`Account`]s and the [`Grant`]s that their keys are. [`Clock`],
//! [`HybridClock`] and [`Entropy`] are handed to whoever needs them; only with the feature `system` does this crate
//! hold the real ones and touch files.
//!
//! It deliberately does not know what is signed or guarded (no blocks, buckets or objects), nor how requests
//! carry a signature (no HTTP).
//!
//! ```
//! use carob_identity::{SeededEntropy, Signer, SpaceKey, verify};
//!
//! let key = SpaceKey::generate(&SeededEntropy::new(1));
//! let signature = key.sign(b"carob");
//! verify(key.did(), b"carob", &signature)?;
//! assert!(verify(key.did(), b"carrot", &signature).is_err());
//! # Ok::<(), carob_identity::IdentityError>(())
//! ```

mod access;
mod account;
mod authorize;
mod clock;
mod did;
mod entropy;
mod error;
#[cfg(feature = "system")]
pub mod files;
#[cfg_attr(not(feature = "accounts"), expect(dead_code, reason = "decided only where there are accounts"))]
mod grant;
mod hlc;
mod key;
mod key_name;
#[cfg(feature = "accounts")]
mod keyring;
#[cfg(feature = "limits")]
mod limit;
#[cfg(feature = "accounts")]
mod seal;
mod source;
#[cfg(feature = "accounts")]
mod table;
#[cfg(feature = "accounts")]
mod wrap;

pub use access::{AccessKeyId, Credentials, SecretKey};
pub use account::{Account, AccountName, AccountNumber, Directory, SoleAccount};
pub use authorize::{
    AccessKeys, AccessRequest, Action, Authorizer, BucketOwners, Decision, Identity, Resource, Rights,
    RootOnly,
};
#[cfg(feature = "system")]
pub use clock::SystemClock;
pub use clock::{Clock, ManualClock, Timestamp};
pub use did::Did;
#[cfg(feature = "system")]
pub use entropy::SystemEntropy;
pub use entropy::{Entropy, SeededEntropy};
pub use error::IdentityError;
pub use grant::{Grant, Scope};
pub use hlc::{Hlc, HybridClock};
pub use key::{Signature, Signer, SpaceKey, verify};
pub use key_name::KeyName;
#[cfg(feature = "accounts")]
pub use keyring::{EncryptionKey, EncryptionKeys, KeyChange};
#[cfg(feature = "limits")]
pub use limit::{LimitOptions, Rate, RateLimits};
#[cfg(feature = "accounts")]
pub use seal::{MasterKey, Sealed};
pub use source::Source;
#[cfg(feature = "accounts")]
pub use table::{AccountTable, Change, TableOptions};
#[cfg(feature = "accounts")]
pub use wrap::WrappingKey;
