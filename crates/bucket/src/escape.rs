//! Keys as the first part of a longer tree key.

/// The key, so escaped that a shorter one stays before a longer one whatever follows: `00` becomes `00 ff`, and
/// `00 00` ends it.
pub(crate) fn escaped(key: &str) -> Vec<u8> {
    let mut bytes = unterminated(key);
    bytes.extend([0, 0]);
    bytes
}

/// The escaped key without its end: before all keys that start with it.
pub(crate) fn unterminated(prefix: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(prefix.len() + 20);
    for byte in prefix.bytes() {
        bytes.push(byte);
        if byte == 0 {
            bytes.push(0xff);
        }
    }
    bytes
}

/// The key that an escaped one is, and what follows it.
pub(crate) fn unescaped(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (mut key, mut rest) = (Vec::new(), bytes.iter());
    loop {
        match rest.next()? {
            0 => match rest.next()? {
                0 => break,
                _ => key.push(0),
            },
            byte => key.push(*byte),
        }
    }
    Some((String::from_utf8(key).ok()?, rest.as_slice()))
}
