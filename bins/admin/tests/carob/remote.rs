//! Other gateways.

use std::convert::Infallible;
use std::path::Path;

use carob_http::{Certificate, Connections, Limits, TlsListener, serve};
use http::{Request, Response};
use hyper::service::service_fn;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::harness::{Gateway, carob, complaint};

const KEY: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];

#[test]
fn a_pull_says_what_is_in_its_way() {
    let gateway = Gateway::start();
    let pull = |args: &[&str]| carob(gateway.dir.path()).arg("pull").args(args).envs(KEY).output().unwrap();
    let nobody = "http://127.0.0.1:1/garden";
    for (args, words) in [
        (&[nobody][..], "the other gateway: cannot reach the gateway at 127.0.0.1:1"),
        (&[nobody, "photos"], "bucket photos exists already"),
        (&[nobody, "No_Name"], "not a bucket name"),
        (&[nobody, "--endpoint", "http://127.0.0.1:2"], "without --endpoint"),
    ] {
        let line = complaint(&pull(args));
        assert!(line.contains(words), "{args:?}: {line}");
    }
    assert!(!pull(&["http://127.0.0.1:1"]).status.success(), "no bucket is named");
}

#[test]
fn a_certificate_is_trusted_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let runtime = Runtime::new().unwrap();
    let serve_with = |cert: &Path, key: &Path| {
        runtime.block_on(async {
            let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = tcp.local_addr().unwrap();
            let listener = TlsListener::new(tcp, Certificate::load(cert.to_owned(), key.to_owned()).unwrap());
            // It says that nothing differs.
            let says = service_fn(|request: Request<carob_http::Body>| async move {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            });
            let stop = CancellationToken::new();
            tokio::spawn(serve(listener, says, Limits::default(), Connections::default(), stop));
            format!("https://{address}")
        })
    };
    let made = |host: &str, is_ca| {
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        (file("cert.pem", cert.pem()), file("key.pem", key.serialize_pem()))
    };
    let authority = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (cert, key) = made("127.0.0.2", authority);
    let ask_at = |url: &str, named: Option<&Path>, bundle: Option<&Path>| {
        let mut command = carob(dir.path());
        command.envs(KEY).env_remove("AWS_CA_BUNDLE").env_remove("SSL_CERT_FILE");
        command.args(["--endpoint", url, "diff", "garden@1h"]);
        named.iter().for_each(|file| _ = command.arg("--ca").arg(file));
        bundle.iter().for_each(|file| _ = command.env("AWS_CA_BUNDLE", file));
        command.output().unwrap()
    };
    let elsewhere = complaint(&ask_at(&serve_with(&cert, &key), Some(&cert), None));
    assert!(elsewhere.contains("not valid for name"), "{elsewhere}");
    // Made as `openssl req -x509` makes it, and as one that is a server's alone.
    for is_ca in [authority, rcgen::IsCa::NoCa] {
        let (cert, key) = made("127.0.0.1", is_ca);
        let url = serve_with(&cert, &key);
        for trusting in [ask_at(&url, Some(&cert), None), ask_at(&url, None, Some(&cert))] {
            assert!(trusting.status.success(), "{trusting:?}");
        }
    }
    let url = serve_with(&cert, &key);
    let ask = |named: Option<&Path>, bundle: Option<&Path>| ask_at(&url, named, bundle);
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap().cert.pem();
    let line = complaint(&ask(Some(&file("other.pem", other)), Some(&cert)));
    assert!(line.contains("cannot reach the gateway") && line.contains("certificate"), "{line}");
    let line = complaint(&ask(Some(&dir.path().join("none.pem")), None));
    assert!(line.contains("cannot read"), "{line}");
}
