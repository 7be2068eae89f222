//! What a signature of version 4 is good for: the credential names the key, a day, a region and a service.

/// A credential, read: `key/yyyyMMdd/region/s3/aws4_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    pub(crate) key: &'a str,
    pub(crate) day: &'a str,
}

/// How the text begins that says that the region is another.
pub(crate) const WRONG_REGION: &str = "the region ";

impl<'a> Scope<'a> {
    /// Reads a credential for this region, or says in S3's words what is wrong with it.
    pub(crate) fn read(credential: &'a str, region: &str) -> Result<Self, String> {
        let malformed = || {
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                .to_owned()
        };
        // From the right: an access key may hold slashes.
        let mut parts = credential.rsplitn(5, '/');
        let mut next = || parts.next().ok_or_else(malformed);
        let (terminal, service, of_region, day, key) = (next()?, next()?, next()?, next()?, next()?);
        // Others could not be repeated in an error.
        if key.is_empty() || !credential.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(malformed());
        }
        match (terminal, service, of_region) {
            ("aws4_request", "s3", found) if found == region => {}
            ("aws4_request", "s3", found) => {
                return Err(format!("{WRONG_REGION}'{found}' is wrong; expecting '{region}'"));
            }
            ("aws4_request", found, _) => {
                return Err(format!("incorrect service \"{found}\". This endpoint belongs to \"s3\"."));
            }
            _ if key.contains('/') => return Err(malformed()),
            (found, ..) => {
                return Err(format!("incorrect terminal \"{found}\". This endpoint uses \"aws4_request\"."));
            }
        }
        if day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "incorrect date format \"{day}\". This date in the credential must be in the format \"yyyyMMdd\"."
            ));
        }
        Ok(Self { key, day })
    }
}

/// The access key of a credential, whatever else is wrong with it.
pub(crate) fn key_of(credential: &str) -> Option<&str> {
    credential.trim().rsplitn(5, '/').nth(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_told_what_is_wrong_with_it() {
        let wrong = |credential: &str| Scope::read(credential, "us-east-1").err().unwrap_or_default();
        for (credential, expected) in [
            ("", "mal-formed"),
            ("20130524/us-east-1/s3/aws4_request", "mal-formed"),
            ("/20130524/us-east-1/s3/aws4_request", "mal-formed"),
            ("key/20130524/eu\u{1}/s3/aws4_request", "mal-formed"),
            ("key/20130524/us-east-1/s3/extra/things", "mal-formed"),
            ("key/1/us-east-1/ec2/aws5_request", "incorrect terminal \"aws5_request\". This endpoint uses"),
            (
                "key/1/eu-west-1/ec2/aws4_request",
                "incorrect service \"ec2\". This endpoint belongs to \"s3\"",
            ),
            ("key/1/eu-west-1/s3/aws4_request", "the region 'eu-west-1' is wrong; expecting 'us-east-1'"),
            ("key/2013052/us-east-1/s3/aws4_request", "incorrect date format \"2013052\". This date"),
            ("key/2013-5-4/us-east-1/s3/aws4_request", "incorrect date format"),
        ] {
            assert!(wrong(credential).contains(expected), "{credential}: {}", wrong(credential));
        }
    }

    #[test]
    fn a_key_may_hold_slashes() {
        let credential = "a/key/20130524/us-east-1/s3/aws4_request";
        assert_eq!(Scope::read(credential, "us-east-1"), Ok(Scope { key: "a/key", day: "20130524" }));
    }
}
