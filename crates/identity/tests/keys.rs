//! did:key, signatures and key files against published vectors and against damage.

use carob_identity::{Did, IdentityError, SeededEntropy, Signature, Signer, SpaceKey, verify};

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// The W3C CCG's did:key method, `test-vectors/ed25519-x25519.json`: seed and DID.
const DID_KEY: [(&str, &str); 3] = [
    (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
    ),
    (
        "0000000000000000000000000000000000000000000000000000000000000001",
        "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG",
    ),
    (
        "0000000000000000000000000000000000000000000000000000000000000002",
        "did:key:z6MknGc3ocHs3zdPiJbnaaqDi58NGb4pk1Sp9WxWufuXSdxf",
    ),
];

/// RFC 8032 §7.1, tests 1 to 3: seed, public key, message, signature.
const RFC_8032: [(&str, &str, &str, &str); 3] = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
];

/// RFC 8410 §10.3, the first example, and the public key that its certificate example gives for it.
const RFC_8410_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";
const RFC_8410_PUBLIC: &str = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

#[test]
fn seeds_give_the_dids_of_the_specification() {
    for (seed, did) in DID_KEY {
        let key = SpaceKey::from_seed(&bytes(seed));
        assert_eq!(key.did().to_string(), did);
        assert_eq!(did.parse::<Did>().unwrap(), *key.did());
        assert_eq!(serde_json::to_string(key.did()).unwrap(), format!("\"{did}\""));
    }
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    for (seed, public, message, signature) in RFC_8032 {
        let key = SpaceKey::from_seed(&bytes(seed));
        let message = hex::decode(message).unwrap();
        assert_eq!(*key.did().public_key(), bytes(public));
        assert_eq!(*key.sign(&message).as_bytes(), bytes::<64>(signature));
        verify(key.did(), &message, &Signature::from_bytes(bytes(signature))).unwrap();
    }
}

#[test]
fn any_flipped_bit_breaks_a_signature() {
    let key = SpaceKey::generate(&SeededEntropy::new(3));
    let good = key.sign(b"message");
    for bit in 0..512 {
        let mut bad = *good.as_bytes();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(key.did(), b"message", &Signature::from_bytes(bad)).is_err(), "bit {bit}");
    }
    assert!(verify(key.did(), b"messagf", &good).is_err());
    let other = SpaceKey::generate(&SeededEntropy::new(4));
    assert!(verify(other.did(), b"message", &good).is_err());
}

#[test]
fn a_signature_has_one_form_only() {
    // S + L verifies under the bare equation of RFC 8032 §5.1.7, which is why S must be below L.
    let order: [u8; 32] = bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let key = SpaceKey::generate(&SeededEntropy::new(5));
    let mut malleable = *key.sign(b"message").as_bytes();
    let mut carry = 0;
    for (byte, add) in malleable[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(verify(key.did(), b"message", &Signature::from_bytes(malleable)).is_err());
}

#[test]
fn keys_that_anyone_can_sign_for_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    // The curve point of order two, and y = p + 3, a second spelling of a point of full order.
    let order_two = bytes("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    let second_spelling = bytes("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    let off_curve = bytes("0200000000000000000000000000000000000000000000000000000000000000");
    let cases = [
        (identity, "the key has a small order"),
        (order_two, "the key has a small order"),
        (second_spelling, "the key is not canonically encoded"),
        (off_curve, "the key is not a point of the curve"),
    ];
    for (key, why) in cases {
        let err = Did::from_public_key(key).unwrap_err();
        assert!(matches!(err, IdentityError::InvalidDid(found) if found == why), "{err}, not: {why}");
    }
}

#[test]
fn a_did_has_one_spelling() {
    let good = DID_KEY[0].1;
    let key = bytes::<32>("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29");
    let of =
        |base, code: &[u8], key: &[u8]| format!("did:key:{}", multibase::encode(base, [code, key].concat()));
    use multibase::Base::{Base16Lower, Base58Btc, Base58Flickr};
    assert_eq!(of(Base58Btc, &[0xed, 1], &key), good);
    let bad = [
        String::new(),
        "did:key:".into(),
        good.to_uppercase(),
        good.replace("did:", "DID:"),
        good.replace("key:", "web:"),
        good.replace("z6M", "z0M"),
        good.replace("ooWp", "ooé"),
        format!("{good}#{}", &good[8..]),
        format!(" {good}"),
        format!("{good}1"),
        good[..good.len() - 1].to_owned(),
        of(Base58Flickr, &[0xed, 1], &key),
        of(Base16Lower, &[0xed, 1], &key),
        of(Base58Btc, &[0xec, 1], &key),
        of(Base58Btc, &[0xed, 1], &key[1..]),
        of(Base58Btc, &[0xed, 1], &[&key[..], &[0]].concat()),
        format!("did:key:z{}", "1".repeat(100_000)),
    ];
    for did in bad {
        assert!(did.parse::<Did>().is_err(), "{did}");
        assert!(serde_json::from_str::<Did>(&format!("\"{did}\"")).is_err(), "{did}");
    }
}

#[test]
fn pem_is_that_of_rfc_8410() {
    let key = SpaceKey::from_pem(RFC_8410_PEM).unwrap();
    assert_eq!(*key.did().public_key(), bytes(RFC_8410_PUBLIC));
    assert_eq!(*key.to_pem(), RFC_8410_PEM);
}

#[test]
fn damaged_pem_is_refused() {
    let (line, end) = (RFC_8410_PEM.lines().nth(1).unwrap(), "-----END PRIVATE KEY-----");
    let bad = [
        String::new(),
        line.to_owned(),
        RFC_8410_PEM.replace(end, ""),
        RFC_8410_PEM.replace("PRIVATE", "PUBLIC"),
        RFC_8410_PEM.replace("VhC\n", "V\n"),
        RFC_8410_PEM.replace("BQYDK2Vw", "BQYDK2Vu"),
    ];
    for pem in bad {
        assert!(matches!(SpaceKey::from_pem(&pem), Err(IdentityError::InvalidKey(_))), "{pem}");
    }
}

#[test]
fn a_space_key_is_never_printed() {
    let key = SpaceKey::generate(&SeededEntropy::new(6));
    assert_eq!(format!("{key:?}"), format!("SpaceKey({})", key.did()));
}
