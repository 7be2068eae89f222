//! Which rule of a bucket lets a request from elsewhere in.

use http::HeaderName;
use s3s::dto::{CORSConfiguration, CORSRule};
use s3s::{S3Result, s3_error};

use crate::error::malformed_xml;

/// The most rules of a bucket (API reference, PutBucketCors).
const MAX_RULES: usize = 100;
const MAX_ID: usize = 255;
pub(super) const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// What PutBucketCors refuses.
///
/// # Errors
/// MalformedXML, InvalidRequest, InvalidArgument.
pub(crate) fn check(configuration: &CORSConfiguration) -> S3Result<()> {
    let rules = &configuration.cors_rules;
    if rules.is_empty() {
        return Err(malformed_xml());
    }
    if rules.len() > MAX_RULES {
        return Err(s3_error!(
            InvalidRequest,
            "The number of CORS rules should not exceed allowed limit of {MAX_RULES} rules."
        ));
    }
    rules.iter().try_for_each(check_rule)
}

fn check_rule(rule: &CORSRule) -> S3Result<()> {
    if rule.allowed_methods.is_empty() || rule.allowed_origins.is_empty() {
        return Err(malformed_xml());
    }
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > MAX_ID) {
        return Err(s3_error!(InvalidArgument, "ID length should not exceed allowed limit of {MAX_ID}"));
    }
    if let Some(method) = rule.allowed_methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
        return Err(s3_error!(
            InvalidRequest,
            "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
        ));
    }
    let patterns = |kind, patterns: &[String]| match patterns.iter().find(|p| p.matches('*').count() > 1) {
        Some(bad) => Err(s3_error!(InvalidRequest, "{kind} \"{bad}\" can not have more than one wildcard.")),
        None => Ok(()),
    };
    patterns("AllowedOrigin", &rule.allowed_origins)?;
    patterns("AllowedHeader", rule.allowed_headers.as_deref().unwrap_or_default())?;
    let exposed = rule.expose_headers.as_deref().unwrap_or_default();
    if let Some(bad) = exposed.iter().find(|name| name.contains('*')) {
        return Err(s3_error!(
            InvalidRequest,
            "ExposeHeader \"{bad}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
        ));
    }
    // An allowed header without a name allows nothing; S3 calls exposed headers allowed, too.
    let allowed = rule.allowed_headers.iter().flatten().filter(|name| !name.is_empty());
    if let Some(bad) = allowed.chain(exposed).find(|name| !is_header_name(name)) {
        return Err(s3_error!(InvalidRequest, "AllowedHeader \"{bad}\" contains invalid character."));
    }
    Ok(())
}

/// Whether this can be the name of a header, or a pattern of some (RFC 9110 §5.6.2).
pub(super) fn is_header_name(text: &str) -> bool {
    HeaderName::from_bytes(text.as_bytes()).is_ok()
}

/// A rule that lets a request in, and whom it let in.
#[derive(Debug, PartialEq)]
pub(crate) struct Match<'a> {
    pub(crate) rule: &'a CORSRule,
    /// Whether everybody is let in, so that the answer may say so.
    pub(crate) any_origin: bool,
}

/// The first rule that lets in a request from `origin` with this method and, in a preflight, these headers.
pub(crate) fn find<'a>(
    rules: &'a [CORSRule],
    origin: &str,
    method: &str,
    headers: &[String],
) -> Option<Match<'a>> {
    rules.iter().find_map(|rule| {
        let mut origins = rule.allowed_origins.iter();
        let allowed = origins.find(|allowed| fits(allowed, origin))?;
        let known = rule.allowed_headers.as_deref().unwrap_or_default();
        let header = |name: &String| known.iter().any(|known| fits(&known.to_ascii_lowercase(), name));
        let lets_in =
            rule.allowed_methods.iter().any(|allowed| allowed == method) && headers.iter().all(header);
        lets_in.then_some(Match { rule, any_origin: allowed == "*" })
    })
}

/// Whether `text` is what a pattern with at most one `*` describes.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CORSRule {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        CORSRule {
            allowed_headers: Some(owned(headers)),
            allowed_methods: owned(methods),
            allowed_origins: owned(origins),
            expose_headers: None,
            id: None,
            max_age_seconds: None,
        }
    }

    #[test]
    fn a_wildcard_stands_for_any_text_but_what_stands_around_it_does_not_overlap() {
        for (pattern, text, fitting) in [
            ("*", "https://a", true),
            ("http://*.example.com", "http://a.b.example.com", true),
            ("http://*.example.com", "https://a.example.com", false),
            ("start*end", "startend", true),
            ("start*end", "start1end2", false),
            ("aba*aba", "aba", false),
            ("https://a", "https://a", true),
            ("https://a", "https://A", false),
        ] {
            assert_eq!(fits(pattern, text), fitting, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_in_all_counts() {
        let rules = [
            rule(&["https://a"], &["GET"], &[]),
            rule(&["https://b", "*"], &["GET", "PUT"], &["X-Amz-*", "content-type"]),
        ];
        let found = |origin, method, headers: &[&str]| {
            let headers: Vec<_> = headers.iter().map(|&name| name.to_owned()).collect();
            let found = find(&rules, origin, method, &headers)?;
            Some((rules.iter().position(|rule| rule == found.rule).unwrap(), found.any_origin))
        };
        assert_eq!(found("https://a", "GET", &[]), Some((0, false)));
        assert_eq!(found("https://a", "GET", &["content-type"]), Some((1, true)));
        assert_eq!(found("https://b", "PUT", &["x-amz-date", "content-type"]), Some((1, false)));
        assert_eq!(found("https://b", "PUT", &["x-other"]), None);
        assert_eq!(found("https://b", "DELETE", &[]), None);
    }

    #[test]
    fn what_s3_refuses_is_refused() {
        let code = |rules: Vec<CORSRule>| {
            let checked = check(&CORSConfiguration { cors_rules: rules });
            checked.err().map(|error| error.code().as_str().to_owned())
        };
        let good = rule(&["https://*.a", "*"], &METHODS, &["*", "x-*"]);
        assert_eq!(code(vec![good.clone(); 100]), None);
        // S3 takes an age below nothing, which browsers take for none.
        assert_eq!(code(vec![CORSRule { max_age_seconds: Some(-1), ..rule(&["*"], &["GET"], &[""]) }]), None);
        assert_eq!(code(vec![good.clone(); 101]).as_deref(), Some("InvalidRequest"));
        assert_eq!(code(vec![]).as_deref(), Some("MalformedXML"));
        assert_eq!(code(vec![rule(&[], &["GET"], &[])]).as_deref(), Some("MalformedXML"));
        assert_eq!(code(vec![rule(&["*"], &[], &[])]).as_deref(), Some("MalformedXML"));
        for bad in [
            rule(&["*"], &["PATCH"], &[]),
            rule(&["*"], &["get"], &[]),
            rule(&["*.a.*"], &["GET"], &[]),
            rule(&["*"], &["GET"], &["**"]),
            CORSRule { expose_headers: Some(vec!["x-*".to_owned()]), ..good.clone() },
            CORSRule { expose_headers: Some(vec!["x-a\r\nx-b".to_owned()]), ..good.clone() },
            CORSRule { expose_headers: Some(vec![String::new()]), ..good.clone() },
            rule(&["*"], &["GET"], &["x-a", "x b"]),
            rule(&["*"], &["GET"], &["x-a:b"]),
        ] {
            assert_eq!(code(vec![bad]).as_deref(), Some("InvalidRequest"));
        }
        let long = CORSRule { id: Some("i".repeat(256)), ..good };
        assert_eq!(code(vec![long]).as_deref(), Some("InvalidArgument"));
    }
}
