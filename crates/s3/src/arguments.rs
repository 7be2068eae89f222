//! Errors about one argument: Amazon S3 says which one, and what it was given (`ArgumentName`, `ArgumentValue`).

use std::borrow::Cow;

use crate::blank::NUMBERS;

/// Where the value of an argument is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Parameter(&'static str),
    Header(&'static str),
}

/// How s3s begins when it cannot read a parameter; the name, a colon and the value follow.
const UNREADABLE: &str = "<Message>invalid query: ";

/// The same of a header, whose value follows as Rust writes it.
const UNREADABLE_HEADER: &str = "<Message>invalid header: ";

const UNTIL: &str = "x-amz-object-lock-retain-until-date";

/// The error in Amazon's words, where s3s could not read a number or a header.
pub(crate) fn reworded(error: String) -> String {
    if let Some((before, rest)) = error.split_once(UNREADABLE_HEADER)
        && let Some((said, after)) = rest.split_once("</Message>")
    {
        let name = said.split(':').next().unwrap_or_default();
        let message = match name {
            UNTIL => "The retain until date must be provided in ISO 8601 format".to_owned(),
            name => format!("Value for {name} header is invalid."),
        };
        return format!("{before}<Message>{message}</Message>{after}");
    }
    let Some((before, rest)) = error.split_once(UNREADABLE) else { return error };
    let Some((said, after)) = rest.split_once("</Message>") else { return error };
    let name = said.split(':').next().unwrap_or_default();
    let message = match name {
        "partNumber" => Cow::from("Part number must be an integer between 1 and 10000, inclusive"),
        name if NUMBERS.contains(&name) => {
            format!("Provided {name} not an integer or within integer range").into()
        }
        _ => return error,
    };
    format!("{before}<Message>{message}</Message>{after}")
}

/// The name that an error gives to the argument that it is about, and where its value is.
pub(crate) fn named(error: &str) -> Option<(&'static str, Place)> {
    let message = error.split_once("<Message>")?.1;
    let after = |start: &str| message.strip_prefix(start)?.split(' ').next();
    let number = |name: &str| NUMBERS.into_iter().find(|known| *known == name);
    if let Some(name) = after("Provided ").and_then(number) {
        return Some((name, Place::Parameter(name)));
    }
    if let Some(name) = after("Argument ") {
        // The listings have a name of their own for it.
        return match name {
            "maxKeys" => Some(("maxKeys", Place::Parameter("max-keys"))),
            name => number(name).map(|name| (name, Place::Parameter(name))),
        };
    }
    [
        ("Part number must be", "partNumber", Place::Parameter("partNumber")),
        ("Invalid Encoding Method", "encoding-type", Place::Parameter("encoding-type")),
        ("The retain until date must be", UNTIL, Place::Header(UNTIL)),
        ("Invalid copy source", "x-amz-copy-source", Place::Header("x-amz-copy-source")),
        ("Copy Source must mention", "x-amz-copy-source", Place::Header("x-amz-copy-source")),
        ("The header &apos;x-amz-tagging&apos;", "x-amz-tagging", Place::Header("x-amz-tagging")),
    ]
    .into_iter()
    .find(|(start, _, _)| message.starts_with(start))
    .map(|(_, name, place)| (name, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_cannot_be_read_are_told_in_amazons_words() {
        let said = |message: &str| reworded(format!("<Error><Message>{message}</Message></Error>"));
        let whole = |message: &str| format!("<Error><Message>{message}</Message></Error>");
        let number = "Provided max-keys not an integer or within integer range";
        assert_eq!(said("invalid query: max-keys: 1:&lt;2"), whole(number));
        assert_eq!(
            said("invalid query: partNumber: x"),
            whole("Part number must be an integer between 1 and 10000, inclusive")
        );
        assert_eq!(
            said("invalid header: x-amz-object-lock-retain-until-date: &quot;soon&quot;"),
            whole("The retain until date must be provided in ISO 8601 format")
        );
        assert_eq!(
            said("invalid header: x-amz-if-match-size: &quot;a: b&quot;"),
            whole("Value for x-amz-if-match-size header is invalid.")
        );
        for other in ["invalid query: versionId: x", "invalid query: ", "something else"] {
            assert_eq!(said(other), whole(other));
        }
    }

    #[test]
    fn arguments_are_named_where_a_message_is_about_one() {
        let found = |message: &str| named(&format!("<Error><Message>{message}</Message>"));
        let of = |name, parameter| Some((name, Place::Parameter(parameter)));
        assert_eq!(found("Provided max-parts not an integer or"), of("max-parts", "max-parts"));
        assert_eq!(found("Argument maxKeys must be"), of("maxKeys", "max-keys"));
        assert_eq!(found("Argument max-uploads must be"), of("max-uploads", "max-uploads"));
        assert_eq!(found("Argument x-amz-max-parts must be"), None);
        assert_eq!(found("Invalid Encoding Method specified"), of("encoding-type", "encoding-type"));
        assert_eq!(found("Provided nothing"), None);
        assert_eq!(named("<Error/>"), None);
    }
}
