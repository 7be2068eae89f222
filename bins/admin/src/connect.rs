//! Which gateway is asked, and as whom.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, bail};
use carob_http::client::{Access, Client, Endpoint};

use crate::cli::Gateway;

/// Where systems keep the certificates that they trust.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

const ID: &str = "aws_access_key_id";
const SECRET: &str = "aws_secret_access_key";

pub(crate) fn client(gateway: &Gateway) -> anyhow::Result<Client> {
    let Some(url) = gateway.endpoint() else { return Ok(Client::new(gateway.socket())) };
    let Credentials { id, secret, region } = credentials()?;
    let access = Access { id, secret, region, now: Arc::new(SystemTime::now) };
    let roots = if url.starts_with("https:") { roots(gateway.ca())? } else { Vec::new() };
    Ok(Client::over(Endpoint::new(url, access, &roots)?))
}

/// What to sign with.
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) region: String,
}

pub(crate) fn credentials() -> anyhow::Result<Credentials> {
    let (id, secret) = access_key()?;
    let region = set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).unwrap_or("us-east-1".into());
    Ok(Credentials { id, secret, region })
}

/// A variable that is there and not empty.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// As AWS's own tools find them: in the environment, else in the profile's section of the credentials file.
fn access_key() -> anyhow::Result<(String, String)> {
    match (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => return Ok((id, secret)),
        (None, None) => {}
        _ => bail!("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together"),
    }
    let file = set("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let file = file.or_else(|| Some(Path::new(&set("HOME")?).join(".aws/credentials")));
    let file = file.context("there is no access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")?;
    let profile = set("AWS_PROFILE").unwrap_or("default".into());
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let found = profile_of(&text, &profile);
    found.with_context(|| format!("{} has no access key for the profile {profile}", file.display()))
}

fn profile_of(text: &str, profile: &str) -> Option<(String, String)> {
    let (mut here, mut id, mut secret) = (false, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            here = section.trim_end_matches(']').trim() == profile;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| here) {
            match name.trim() {
                ID => id = Some(value.trim().to_owned()),
                SECRET => secret = Some(value.trim().to_owned()),
                _ => {}
            }
        }
    }
    Some((id?, secret?))
}

/// The certificates to trust, in PEM: those named, or else the system's.
pub(crate) fn roots(named: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    let named = named.map(Path::to_owned);
    let named = named.or_else(|| set("AWS_CA_BUNDLE").or_else(|| set("SSL_CERT_FILE")).map(Into::into));
    let file = named.or_else(|| BUNDLES.into_iter().map(PathBuf::from).find(|path| path.is_file()));
    let file = file.context("there are no trusted certificates: name a file of them with --ca")?;
    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_found_among_others() {
        let text = "[other]\naws_access_key_id=A\naws_secret_access_key = S=1\n\n# x\n[ default ]\nregion = r\n\
                    aws_access_key_id = B\naws_secret_access_key = T\n[half]\naws_access_key_id = C\n";
        let found = |profile| profile_of(text, profile);
        assert_eq!(found("other"), Some(("A".into(), "S=1".into())));
        assert_eq!(found("default"), Some(("B".into(), "T".into())));
        assert_eq!((found("half"), found("none")), (None, None));
    }
}
