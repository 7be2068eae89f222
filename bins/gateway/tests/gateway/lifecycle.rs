//! Starting, stopping and restarting the real binary.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use carob_http::client::Client;
use rustix::process::Signal;

use crate::harness::{Gateway, command};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn secret(data: &Path) -> String {
    let text = fs::read_to_string(data.join("credentials")).unwrap();
    text.lines().find_map(|line| line.strip_prefix("aws_secret_access_key = ")).unwrap().to_owned()
}

#[test]
fn the_first_start_makes_private_keys_and_tells_what_to_do_next() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("new/data");
    let gateway = Gateway::start(&data);
    for file in ["space.key", "credentials", "admin.sock"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&data), 0o700);
    let credentials = data.join("credentials");
    assert_eq!(gateway.told("region"), "us-east-1");
    assert_eq!(gateway.told("access key").len(), 20);
    assert_eq!(gateway.told("secret"), format!("in {}", credentials.display()));
    assert!(gateway.told("space").starts_with("did:key:z6Mk"));
    assert!(gateway.banner.contains(&format!("AWS_SHARED_CREDENTIALS_FILE={}", credentials.display())));
    let (status, rest, stderr) = gateway.stop(Signal::TERM);
    assert!(status.success());
    assert!(!(rest + &stderr).contains(&secret(&data)));
    assert!(!data.join("admin.sock").exists(), "a clean stop leaves no socket");
}

#[test]
fn domains_come_from_flags_environment_and_file() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("carob.toml");
    fs::write(&config, "domains = ['s3.example.com']\n").unwrap();
    let data = dir.path().join("data");
    let mut by_flag = command(&data, &["--domains", "other.example,s3.example.com"]);
    let mut by_variable = command(&data, &[]);
    by_variable.env("CAROB_DOMAINS", "s3.example.com");
    let mut by_file = command(&data, &["--config", config.to_str().unwrap()]);
    for start in [&mut by_flag, &mut by_variable, &mut by_file] {
        let gateway = Gateway::spawn(start);
        // It is a key there, of a bucket that is not.
        let (head, body) = gateway.get_from("photos.s3.example.com", "/_carob/health");
        assert!(
            head.starts_with("http/1.1 404") && body.contains("<Code>NoSuchBucket</Code>"),
            "{head}{body}"
        );
        assert!(gateway.healthy(), "other hosts are not of buckets");
        assert!(gateway.stop(Signal::TERM).0.success());
    }
}

#[test]
fn later_starts_keep_space_and_key_and_both_signals_stop() {
    let dir = tempfile::tempdir().unwrap();
    let first = Gateway::start(dir.path());
    let told = |gateway: &Gateway| (gateway.told("space").to_owned(), gateway.told("access key").to_owned());
    let kept = told(&first);
    assert!(first.stop(Signal::INT).0.success());
    let second = Gateway::start(dir.path());
    assert_eq!(told(&second), kept);
    assert!(second.stop(Signal::TERM).0.success());
}

#[test]
fn a_killed_gateway_starts_again_over_its_stale_socket() {
    let dir = tempfile::tempdir().unwrap();
    let space = {
        let gateway = Gateway::start(dir.path());
        gateway.told("space").to_owned()
        // Dropped: SIGKILL.
    };
    assert!(dir.path().join("admin.sock").exists());
    let gateway = Gateway::start(dir.path());
    assert_eq!(gateway.told("space"), space);
    assert!(gateway.healthy());
}

#[test]
fn the_listener_serves_health_to_all_and_s3_to_the_signed() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    assert!(gateway.healthy());
    let (head, _) = gateway.get("/_carob/status");
    assert!(head.starts_with("http/1.1 403"), "{head}");
    let (head, body) = gateway.get("/");
    assert!(head.starts_with("http/1.1 403") && body.contains("<Code>AccessDenied</Code>"), "{head}{body}");
    let id = head.lines().find_map(|line| line.strip_prefix("x-amz-request-id: ")).unwrap();
    assert!(head.contains("\r\nx-amz-id-2: "));
    assert!(
        body.to_ascii_lowercase().contains(&format!("<requestid>{id}</requestid>")),
        "{id} not in {body}"
    );
}

#[tokio::test]
async fn the_admin_socket_answers() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let client = Client::new(dir.path().join("admin.sock"));
    let status = client.status().await.unwrap();
    assert_eq!((status.space.as_str(), status.buckets), (gateway.told("space"), 0));
    assert_eq!(status.version, env!("CARGO_PKG_VERSION"));
    assert!(status.store.contains_key("segments"), "{:?}", status.store);
    assert!(client.buckets().await.unwrap().is_empty());
}

#[test]
fn a_chosen_root_key_is_taken_and_a_change_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let start = |id: &str, secret: &str| {
        let mut command = command(dir.path(), &[]);
        command.env("CAROB_ROOT_ACCESS_KEY", id).env("CAROB_ROOT_SECRET_KEY", secret);
        Gateway::spawn(&mut command)
    };
    let first = start("alice", "alices-secret");
    assert_eq!((first.told("access key"), secret(dir.path()).as_str()), ("alice", "alices-secret"));
    assert!(!first.banner.contains("replaced") && !first.banner.contains("alices-secret"));
    assert!(first.stop(Signal::TERM).0.success());
    let same = start("alice", "alices-secret");
    assert!(!same.banner.contains("replaced"));
    assert!(same.stop(Signal::TERM).0.success());
    let changed = start("bob-id", "bobs-secret");
    assert!(changed.banner.contains("was replaced") && changed.banner.contains("alice"));
    assert_eq!(changed.told("access key"), "bob-id");
    assert!(changed.stop(Signal::TERM).0.success());
    let kept = Gateway::start(dir.path());
    assert_eq!((kept.told("access key"), secret(dir.path()).as_str()), ("bob-id", "bobs-secret"));
}

#[test]
fn file_environment_and_flags_win_in_that_order() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("carob.toml");
    fs::write(&config, "region = 'file-1'\nlog-format = 'text'\ndrain-seconds = 1\n").unwrap();
    let config = config.to_str().unwrap();
    let region = |command: &mut std::process::Command| {
        let gateway = Gateway::spawn(command);
        gateway.told("region").to_owned()
    };
    let data = dir.path().join("data");
    assert_eq!(region(&mut command(&data, &["--config", config])), "file-1");
    assert_eq!(region(command(&data, &[]).env("CAROB_CONFIG", config)), "file-1");
    assert_eq!(region(command(&data, &["--config", config]).env("CAROB_REGION", "env-1")), "env-1");
    let all = ["--config", config, "--region", "flag-1"];
    assert_eq!(region(command(&data, &all).env("CAROB_REGION", "env-1")), "flag-1");
}

#[test]
fn logs_are_json_objects_on_standard_error_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &["--log-format", "json"]));
    let (status, rest, stderr) = gateway.stop(Signal::TERM);
    assert!(status.success());
    assert_eq!(rest, "");
    assert!(stderr.lines().count() >= 2, "{stderr}");
    for line in stderr.lines() {
        assert!(
            line.starts_with('{') && line.contains("\"level\":\"INFO\"") && line.ends_with('}'),
            "{line}"
        );
    }
}

#[test]
fn help_and_version_are_no_failures() {
    for flag in ["--help", "--version"] {
        let output = command(Path::new("unused"), &[flag]).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(String::from_utf8(output.stdout).unwrap().contains("carob-gateway"));
    }
}
