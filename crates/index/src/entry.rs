//! Entries and their values.

use std::ops::AddAssign;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cbor::Reader;
use crate::{Datum, IndexError, MAX_VALUE};

/// One item of canonical DAG-CBOR, at most [`MAX_VALUE`] bytes.
///
/// It stands in its node as it is: a link in it is a link of the node. A value read from a tree is a slice of
/// its node's block, and keeps that block in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(Bytes);

impl Value {
    /// Checks that `bytes` are one canonical item.
    ///
    /// # Errors
    /// [`IndexError::ValueTooLarge`], [`IndexError::InvalidValue`].
    pub fn new(bytes: Bytes) -> Result<Self, IndexError> {
        if bytes.len() > MAX_VALUE {
            return Err(IndexError::ValueTooLarge(bytes.len()));
        }
        let mut reader = Reader::new(&bytes);
        reader
            .item()
            .and_then(|()| reader.end())
            .map_err(|reason| IndexError::InvalidValue(reason.into()))?;
        Ok(Self(bytes))
    }

    /// Encodes `value`.
    ///
    /// # Errors
    /// [`IndexError::ValueTooLarge`], [`IndexError::InvalidValue`].
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, IndexError> {
        let bytes =
            serde_ipld_dagcbor::to_vec(value).map_err(|source| IndexError::InvalidValue(source.into()))?;
        Self::new(bytes.into())
    }

    /// Decodes the value.
    ///
    /// # Errors
    /// [`IndexError::InvalidValue`] if it is not a `T`.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, IndexError> {
        serde_ipld_dagcbor::from_slice(&self.0)
            .map_err(|source| IndexError::InvalidValue(source.to_string().into()))
    }

    /// The value, to be read where it stands.
    pub fn datum(&self) -> Datum<'_> {
        Datum::of_checked(&self.0)
    }

    /// The encoded bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// A value inside a node that was checked as a whole.
    pub(crate) fn from_checked(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the entry adds to [`Totals::bytes`]: for an object, its size in bytes. The tree only sums it.
    pub weight: u64,
    /// The value.
    pub value: Value,
}

/// How many entries there are, and how much they weigh together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Number of entries.
    pub count: u64,
    /// Sum of [`Entry::weight`].
    pub bytes: u64,
}

impl Totals {
    pub(crate) fn checked_add(self, other: Self) -> Option<Self> {
        let count = self.count.checked_add(other.count)?;
        Some(Self { count, bytes: self.bytes.checked_add(other.bytes)? })
    }
}

/// For parts of a whole that is known not to overflow.
impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}
