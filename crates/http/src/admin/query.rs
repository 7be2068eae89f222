//! Query parameters of the admin API.

use percent_encoding::percent_decode_str;

use super::answer::Refusal;

/// The parameters of a request, each known to the route and given once.
#[derive(Debug)]
pub(super) struct Query<const N: usize>([Option<String>; N]);

impl<const N: usize> Query<N> {
    /// Reads a query string. `+` is itself: keys are percent-encoded, not form-encoded.
    pub(super) fn parse(query: Option<&str>, names: [&str; N]) -> Result<Self, Refusal> {
        let mut values = [const { None }; N];
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = names.iter().zip(&mut values).find(|(known, _)| **known == name);
            let (_, slot) =
                slot.ok_or_else(|| Refusal::bad_request(format!("unknown parameter {name:?}")))?;
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| Refusal::bad_request(format!("{name} is not UTF-8")))?;
            if slot.replace(value.into_owned()).is_some() {
                return Err(Refusal::bad_request(format!("{name} is given twice")));
            }
        }
        Ok(Self(values))
    }

    /// The values in the order of the names.
    pub(super) fn into_values(self) -> [Option<String>; N] {
        self.0
    }
}

/// A number from 1 to `max`, `default` if not given.
pub(super) fn number(
    name: &str,
    value: Option<String>,
    default: usize,
    max: usize,
) -> Result<usize, Refusal> {
    let Some(value) = value else { return Ok(default) };
    value
        .parse()
        .ok()
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(|| Refusal::bad_request(format!("{name} is not a number from 1 to {max}")))
}

/// Yes or no; no if not given.
pub(super) fn flag(name: &str, value: Option<String>) -> Result<bool, Refusal> {
    match value.as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Refusal::bad_request(format!("{name} is true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_percent_decoded_and_plus_is_itself() {
        let query = Query::parse(Some("key=a%20b+c%2F%C3%A9%00&prefix="), ["prefix", "key", "max"]).unwrap();
        assert_eq!(query.into_values(), [Some(String::new()), Some("a b+c/é\0".into()), None]);
    }

    #[test]
    fn what_a_route_does_not_expect_is_refused() {
        for bad in ["kex=1", "key=a&key=b", "key=%ff", "k%65y=a"] {
            assert!(Query::parse(Some(bad), ["key"]).is_err(), "{bad}");
        }
        for bad in ["0", "11", "-1", "x", ""] {
            assert!(number("max", Some(bad.into()), 1, 10).is_err(), "{bad}");
        }
        assert_eq!(number("max", None, 7, 10).unwrap(), 7);
    }
}
