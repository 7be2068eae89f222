//! Clients that speak TLS and believe one authority alone, and a certificate that is replaced while the gateway serves.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::cargo;
use crate::gateway::{self, Gateway};
use crate::python::{Python, Session};

/// Runs the script `tls` against a gateway with a certificate of a first authority; those of a second lie beside, to be put
/// in its place.
pub(super) async fn run(binary: &Path) -> Result<()> {
    let dir = cargo::temp_dir("tls-")?;
    let first = Certified::make(dir.path(), "first")?;
    let second = Certified::make(dir.path(), "second")?;
    let gateway = Gateway::start_with(binary, &dir.path().join("data"), &first.flags()).await?;
    let credentials = gateway::test_credentials();
    let variables = [
        ("TLS_AUTHORITY", first.authority),
        ("TLS_CHAIN", first.chain),
        ("TLS_KEY", first.key),
        ("TLS_NEXT_AUTHORITY", second.authority),
        ("TLS_NEXT_CHAIN", second.chain),
        ("TLS_NEXT_KEY", second.key),
    ];
    let session = Session {
        endpoint: gateway.endpoint(),
        credentials: &credentials,
        files: 1,
        seed: 1,
        variables: &variables,
    };
    println!("== tls");
    let work = cargo::temp_dir("client-")?;
    let ran = Python::install().await?.script("tls", &[], &session, work.path()).await;
    let stopped = gateway.stop().await;
    ran.and(stopped)
}

/// An authority, and a certificate for this machine that it has signed: three files of PEM.
pub(super) struct Certified {
    pub(super) authority: PathBuf,
    chain: PathBuf,
    key: PathBuf,
}

impl Certified {
    /// For a gateway that is to show it.
    pub(super) fn flags(&self) -> [&OsStr; 4] {
        ["--tls-cert".as_ref(), self.chain.as_ref(), "--tls-key".as_ref(), self.key.as_ref()]
    }

    pub(super) fn make(dir: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, format!("{name} authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate()?;
        let authority = params.self_signed(&authority_key)?;
        let issuer = Issuer::new(params, authority_key);
        let mut params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        let file = |suffix: &str, text: String| -> Result<PathBuf> {
            let path = dir.join(format!("{name}-{suffix}.pem"));
            std::fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            authority: file("authority", authority.pem())?,
            chain: file("chain", certificate.pem())?,
            key: file("key", key.serialize_pem())?,
        })
    }
}
