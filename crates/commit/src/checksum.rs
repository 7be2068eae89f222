//! How a checksum stands in a block: `a` S3's name of the algorithm, `v` the value.

use carob_object::{Checksum, ChecksumAlgorithm};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
struct Wire {
    a: String,
    #[serde(with = "serde_bytes")]
    v: Vec<u8>,
}

pub(crate) fn serialize<S: Serializer>(
    checksum: &Option<Checksum>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let wire = |c: &Checksum| Wire { a: c.algorithm.as_str().to_owned(), v: c.value.clone() };
    checksum.as_ref().map(wire).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Checksum>, D::Error> {
    let Some(wire) = Option::<Wire>::deserialize(deserializer)? else { return Ok(None) };
    let algorithm = algorithm(&wire.a)?;
    if wire.v.len() != algorithm.value_len() {
        return Err(D::Error::custom("a checksum of the wrong length"));
    }
    Ok(Some(Checksum { algorithm, value: wire.v }))
}

fn algorithm<E: serde::de::Error>(name: &str) -> Result<ChecksumAlgorithm, E> {
    ChecksumAlgorithm::from_name(name).ok_or_else(|| E::custom("unknown checksum algorithm"))
}
