//! Each way not to start: one line, a failing exit, nothing half done.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;

use crate::harness::{Gateway, bare, command, command_at, refusal, refused};

/// A data directory that a gateway has used, and cleanly left.
fn used() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    assert!(Gateway::start(dir.path()).stop(Signal::TERM).0.success());
    dir
}

fn overwrite(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

#[test]
fn wrong_flags_and_files_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let config = dir.path().join("carob.toml");
    overwrite(&config, "region = 'r'\nlisten-on = 'x'\n");
    let config = config.to_str().unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["--config", config], "line 2: unknown field `listen-on`"),
        (&["--config", "/absent.toml"], "cannot read /absent.toml: No such file"),
        (&["--lisen", "127.0.0.1:0"], "unexpected argument '--lisen' found"),
        (&["--drain-seconds", "soon"], "invalid value 'soon' for '--drain-seconds <SECONDS>'"),
        (&["--region", "not a region"], "\"not a region\" is not a region"),
        (&["--log", "carob=loud"], "\"carob=loud\" is not a log filter"),
        (&["--listen", "9000"], "\"9000\" is not an address with a port"),
        (&["stray"], "unexpected argument 'stray' found"),
    ];
    for (args, message) in cases {
        let mut command = command(&data, args);
        if args.contains(&"--listen") {
            command = bare(&data, args);
        }
        let (status, line) = refused(&mut command);
        assert!(line.contains(message), "{line}");
        assert_eq!(status, Some(2), "{line}");
    }
    assert!(!data.exists(), "a mistake in the configuration leaves nothing behind");
}

#[test]
fn an_unacceptable_root_key_is_told_without_its_secret() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let line = refusal(command(&data, &[]).env("CAROB_ROOT_ACCESS_KEY", "admin"));
    assert_eq!(line, "CAROB_ROOT_ACCESS_KEY is set without CAROB_ROOT_SECRET_KEY");
    let mut short = command(&data, &[]);
    short.env("CAROB_ROOT_ACCESS_KEY", "admin").env("CAROB_ROOT_SECRET_KEY", "hush");
    let line = refusal(&mut short);
    assert!(line.ends_with("the secret key is too short: it must have at least 8 characters"), "{line}");
    assert!(!line.contains("hush"));
    assert!(!data.exists());
}

#[test]
fn an_address_may_be_a_name() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command_at("localhost:0", dir.path(), &[]));
    assert!(gateway.address().ip().is_loopback() && gateway.healthy());
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    overwrite(&cert, "-----BEGIN CERTIFICATE-----\n&&&&\n-----END CERTIFICATE-----\n");
    let tls = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let line = refusal(&mut command(&dir.path().join("data"), &tls));
    assert!(line.contains(&format!("{}: the PEM of the certificate is broken: ", cert.display())), "{line}");
}

#[test]
fn a_busy_port_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let (status, line) = refused(&mut command_at(&address, dir.path(), &[]));
    assert_eq!(status, Some(1), "the same command may succeed later");
    assert!(line.starts_with(&format!("cannot listen on {address}: Address already in use")), "{line}");
}

#[test]
fn a_data_directory_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    overwrite(&file, "");
    for data in [file.clone(), file.join("data")] {
        let line = refusal(&mut command(&data, &[]));
        assert!(
            line.starts_with(&format!("cannot create the data directory {}: ", data.display())),
            "{line}"
        );
    }
}

#[test]
fn a_second_gateway_on_the_same_data_is_told_and_the_first_serves_on() {
    let dir = tempfile::tempdir().unwrap();
    let first = Gateway::start(dir.path());
    let line = refusal(&mut command(dir.path(), &[]));
    assert!(line.ends_with("is in use by another process"), "{line}");
    assert!(first.healthy());
    assert!(dir.path().join("admin.sock").exists());
}

#[test]
fn damaged_or_exposed_keys_are_told_and_left_as_they_are() {
    let dir = used();
    for name in ["space.key", "credentials"] {
        let file = dir.path().join(name);
        let good = fs::read_to_string(&file).unwrap();
        let damaged = &good[..good.len() / 2];
        overwrite(&file, damaged);
        let line = refusal(&mut command(dir.path(), &[]));
        assert!(line.starts_with(&format!("{} is damaged: ", file.display())), "{line}");
        assert_eq!(fs::read_to_string(&file).unwrap(), damaged);
        overwrite(&file, &good);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let line = refusal(&mut command(dir.path(), &[]));
        assert!(line.ends_with(&format!("run chmod 600 {}", file.display())), "{line}");
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    }
    assert!(Gateway::start(dir.path()).healthy());
}

#[test]
fn a_store_of_an_unknown_format_version_is_told() {
    let dir = used();
    let format = dir.path().join("store/FORMAT");
    let text = fs::read_to_string(&format).unwrap();
    overwrite(&format, &text.replacen('1', "999", 1));
    let line = refusal(&mut command(dir.path(), &[]));
    assert!(line.contains("999") && line.ends_with("which this version does not know"), "{line}");
}

#[test]
fn a_socket_path_that_cannot_be_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("d".repeat(100));
    let line = refusal(&mut command(&data, &[]));
    assert!(line.starts_with("the path of the admin socket is ") && line.contains("may have 106"), "{line}");
    let socket = dir.path().join("s");
    let gateway = Gateway::spawn(&mut command(&data, &["--admin-socket", socket.to_str().unwrap()]));
    assert!(socket.exists() && gateway.healthy());
}
