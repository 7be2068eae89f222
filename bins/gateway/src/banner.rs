//! What the gateway says once it serves.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::Path;

use carob_identity::{Did, Signer};

use crate::keys::Keys;

/// Where to find it and what to type next; never a secret.
pub(crate) struct Banner<'a> {
    pub(crate) address: SocketAddr,
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) region: &'a str,
    pub(crate) keys: &'a Keys,
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, scheme, metrics, region, keys } = self;
        let did: &Did = keys.space.did();
        let file = keys.root_file.display();
        writeln!(f, "endpoint    {scheme}://{address}")?;
        if let Some(metrics) = metrics {
            writeln!(f, "metrics     http://{metrics}/_carob/metrics")?;
        }
        writeln!(f, "region      {region}")?;
        writeln!(f, "access key  {}", keys.root.id)?;
        writeln!(f, "secret      in {file}")?;
        writeln!(f, "space       {did}")?;
        if let Some(replaced) = &keys.replaced {
            let old = &replaced.id;
            writeln!(
                f,
                "The root access key was replaced by the one in the environment; {old} as it was is void."
            )?;
        }
        writeln!(f, "Next:")?;
        let file = quoted(&keys.root_file);
        writeln!(
            f,
            "  AWS_SHARED_CREDENTIALS_FILE={file} aws --endpoint-url {scheme}://{address} --region {region} s3 mb s3://my-bucket"
        )
    }
}

/// As a shell reads it back.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carob_identity::{Credentials, SeededEntropy, SpaceKey};

    fn banner(root_file: &str, replaced: Option<Credentials>) -> String {
        let keys = Keys {
            space: SpaceKey::generate(&SeededEntropy::new(1)),
            root: Credentials::parse("root-id", "root-secret").unwrap(),
            root_file: root_file.into(),
            replaced,
        };
        let address = "127.0.0.1:9000".parse().unwrap();
        Banner { address, scheme: "http", metrics: None, region: "eu-1", keys: &keys }.to_string()
    }

    #[test]
    fn no_secret_is_shown() {
        let text = banner("d/credentials", Some(Credentials::parse("old-id", "older-secret").unwrap()));
        assert!(text.contains("access key  root-id\n") && text.contains("old-id"));
        assert!(!text.contains("root-secret") && !text.contains("older-secret"), "{text}");
    }

    #[test]
    fn the_next_command_survives_a_shell() {
        let text = banner("my data/o'clock", None);
        assert!(text.ends_with(
            "  AWS_SHARED_CREDENTIALS_FILE='my data/o'\\''clock' aws --endpoint-url http://127.0.0.1:9000 \
             --region eu-1 s3 mb s3://my-bucket\n"
        ), "{text}");
    }
}
