//! Keys of S3 shape, and values of the size of a record.

/// 40 bytes; neighbours in number are strangers in order.
pub fn key(n: u64) -> Vec<u8> {
    let spread = spread(n);
    format!("{:03}/photos/2024/{spread:016x}-{:06}", spread % 100, n % 1_000_000).into_bytes()
}

/// 200 bytes: a CBOR byte string.
pub fn value(n: u64) -> Vec<u8> {
    let mut bytes = vec![(n % 251) as u8; 200];
    bytes[..2].copy_from_slice(&[0x58, 198]);
    bytes[2..10].copy_from_slice(&n.to_be_bytes());
    bytes
}

/// The numbers below `keys`, in the order of their keys. Without making the keys: what that leaves of freed memory would
/// hide what the map takes.
pub fn sorted(keys: u64) -> Vec<u64> {
    let mut all: Vec<_> = (0..keys).collect();
    all.sort_unstable_by_key(|n| {
        let spread = spread(*n);
        (spread % 100, spread)
    });
    all
}

fn spread(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
