//! Values read where they stand.

use crate::cbor::{ARRAY, BYTES, MAP, NULL, Reader, Reason, SIMPLE, TAG, TEXT, UNSIGNED};

/// What a [`Value`](crate::Value) is, or an item within one, borrowed from it: for whoever reads many values and wants little
/// of each.
#[derive(Debug, Clone)]
pub enum Datum<'a> {
    /// An unsigned integer.
    Unsigned(u64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// A text, in UTF-8.
    Text(&'a [u8]),
    /// A link: the bytes of its CID.
    Link(&'a [u8]),
    /// A map.
    Map(Fields<'a>),
    /// `null`.
    Null,
    /// An array, a negative integer, a float, `true` or `false`.
    Other,
}

/// The fields of a map, each with its name, in their order.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    reader: Reader<'a>,
    left: u64,
}

impl<'a> Datum<'a> {
    /// What the bytes of a checked value are.
    #[inline]
    pub(crate) fn of_checked(value: &'a [u8]) -> Self {
        // There is none but an item in a value.
        read(&mut Reader::new(value)).map_or(Self::Other, |(datum, _)| datum)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Datum<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        // The value was checked as a whole: no read fails.
        let (_, len) = self.reader.head().ok()?;
        let name = self.reader.take(len).ok()?;
        let (datum, within) = read(&mut self.reader).ok()?;
        if within > 0 {
            pass(&mut self.reader, within).ok()?;
        }
        Some((name, datum))
    }
}

/// Reads an item but for those within it, and how many those are.
#[inline]
fn read<'a>(reader: &mut Reader<'a>) -> Result<(Datum<'a>, u64), Reason> {
    let (major, argument) = reader.head()?;
    let datum = match major {
        UNSIGNED => Datum::Unsigned(argument),
        BYTES => Datum::Bytes(reader.take(argument)?),
        TEXT => Datum::Text(reader.take(argument)?),
        MAP => {
            return Ok((Datum::Map(Fields { reader: *reader, left: argument }), argument.saturating_mul(2)));
        }
        ARRAY => return Ok((Datum::Other, argument)),
        // The identity prefix stands before the CID.
        TAG => Datum::Link(reader.bytes()?.get(1..).unwrap_or_default()),
        SIMPLE if argument == NULL => Datum::Null,
        _ => Datum::Other,
    };
    Ok((datum, 0))
}

/// Passes over so many items and all within them.
fn pass(reader: &mut Reader<'_>, mut items: u64) -> Result<(), Reason> {
    while let Some(left) = items.checked_sub(1) {
        let (major, argument) = reader.head()?;
        let within = match major {
            BYTES | TEXT => reader.take(argument).map(|_| 0)?,
            ARRAY => argument,
            MAP => argument.saturating_mul(2),
            TAG => 1,
            _ => 0,
        };
        items = left.saturating_add(within);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ipld_core::ipld::Ipld;
    use proptest::prelude::*;

    use super::*;
    use crate::Value;
    use crate::decode_tests::ipld;

    fn seen(datum: Datum<'_>) -> Option<Ipld> {
        Some(match datum {
            Datum::Unsigned(number) => Ipld::Integer(number.into()),
            Datum::Bytes(bytes) => Ipld::Bytes(bytes.to_vec()),
            Datum::Text(text) => Ipld::String(String::from_utf8(text.to_vec()).unwrap()),
            Datum::Link(cid) => Ipld::Link(cid.try_into().unwrap()),
            Datum::Map(fields) => {
                let field = |(name, value): (&[u8], _)| {
                    Some((String::from_utf8(name.to_vec()).unwrap(), seen(value)?))
                };
                Ipld::Map(fields.map(field).collect::<Option<_>>()?)
            }
            Datum::Null => Ipld::Null,
            Datum::Other => return None,
        })
    }

    /// Without what is not told apart.
    fn told(value: Ipld) -> Option<Ipld> {
        match value {
            Ipld::Bool(_) | Ipld::Float(_) | Ipld::List(_) | Ipld::Integer(i128::MIN..0) => None,
            Ipld::Map(map) => {
                let field = |(name, value)| Some((name, told(value)?));
                Some(Ipld::Map(map.into_iter().map(field).collect::<Option<_>>()?))
            }
            value => Some(value),
        }
    }

    proptest! {
        #[test]
        fn a_datum_is_what_the_value_is(value in ipld()) {
            let encoded = Value::from_serialize(&value);
            prop_assume!(encoded.is_ok());
            prop_assert_eq!(seen(encoded.unwrap().datum()), told(value));
        }

        #[test]
        fn fields_are_found_behind_whatever_stands_before(
            map in prop::collection::btree_map("[a-z]{0,3}", ipld(), 0..6),
        ) {
            let encoded = Value::from_serialize(&Ipld::Map(map.clone()));
            prop_assume!(encoded.is_ok());
            let encoded = encoded.unwrap();
            let Datum::Map(fields) = encoded.datum() else { panic!("not a map") };
            let found: Vec<_> = fields.map(|(name, value)| (name.to_vec(), seen(value))).collect();
            let mut expected: Vec<_> =
                map.into_iter().map(|(name, value)| (name.into_bytes(), told(value))).collect();
            expected.sort_by_key(|(name, _)| (name.len(), name.clone()));
            prop_assert_eq!(found, expected);
        }
    }
}
