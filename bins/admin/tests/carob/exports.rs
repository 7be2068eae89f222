//! Exports, and what verifies them.

use std::fs::File;
use std::process::Stdio;

use carob_http::api;
use carob_identity::{SeededEntropy, Signer, SpaceKey};

use crate::harness::{Gateway, carob, commit, complaint};

#[test]
fn an_export_verifies_offline() {
    let gateway = Gateway::start();
    let car = gateway.exported();
    let car = car.to_str().unwrap();
    let space = gateway.space.did().to_string();
    let commit = gateway.json::<api::LogEntry>(&["log", "photos", "-n", "1"]).remove(0).cid;
    // From here on nothing is asked of the gateway.
    std::fs::remove_file(gateway.dir.path().join("admin.sock")).unwrap();
    let text = gateway.says(&["verify", car, "--space", &space]);
    let lines =
        ["verdict     authentic and complete", "bucket      photos", "objects     4", "size        14 B"];
    for line in lines {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    let report: Vec<serde_json::Value> = gateway.json(&["verify", car]);
    assert_eq!((&report[0]["commit"], &report[0]["space"]), (&commit.into(), &space.into()));
    assert_eq!(report[0]["time"], "1996-12-20T00:39:57.000Z");

    let other = SpaceKey::generate(&SeededEntropy::new(2)).did().to_string();
    let line = complaint(&gateway.run(&["verify", car, "--space", &other]));
    assert!(line.contains("the bucket belongs to did:key:"), "{line}");
}

#[test]
fn a_changed_or_cut_export_is_not_authentic() {
    let gateway = Gateway::start();
    let path = gateway.exported();
    let good = std::fs::read(&path).unwrap();
    let middle = good.len() / 2;
    let mut flipped = good.clone();
    flipped[middle] ^= 1;
    for bad in [&flipped[..], &good[..middle], &good[..good.len() - 1], b""] {
        std::fs::write(&path, bad).unwrap();
        let line = complaint(&gateway.run(&["verify", path.to_str().unwrap()]));
        assert!(line.contains("photos.car is not authentic: "), "{line}");
    }
    std::fs::write(&path, &flipped).unwrap();
    let piped = carob(gateway.dir.path()).args(["verify", "-"]).stdin(File::open(&path).unwrap()).output();
    assert!(complaint(&piped.unwrap()).starts_with("standard input is not authentic: "));
    let line = complaint(&gateway.run(&["verify", "absent.car"]));
    assert!(line.starts_with("cannot open absent.car: No such file"), "{line}");
}

#[test]
fn an_export_is_verified_as_it_comes_through_a_pipe() {
    let gateway = Gateway::start();
    let path = gateway.exported();
    let named = gateway.says(&["verify", path.to_str().unwrap()]);
    let redirected =
        carob(gateway.dir.path()).args(["verify", "-"]).stdin(File::open(&path).unwrap()).output();
    let mut piped = carob(gateway.dir.path());
    let mut piped = piped.args(["verify", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::copy(&mut File::open(&path).unwrap(), &mut piped.stdin.take().unwrap()).unwrap();
    for output in [redirected.unwrap(), piped.wait_with_output().unwrap()] {
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), named);
    }
}

#[test]
fn an_export_is_not_written_to_a_terminal() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let gateway = Gateway::start();
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::options().write(true).open(name.to_str().unwrap()).unwrap();
    let output = carob(gateway.dir.path()).args(["export", "photos"]).stdout(terminal).output().unwrap();
    assert!(complaint(&output).starts_with("a CAR is not for the terminal"));
}

#[test]
fn an_export_becomes_a_bucket_of_another_gateway_with_the_same_trees() {
    let (gateway, other) = (Gateway::start(), Gateway::start());
    let path = gateway.exported();
    let imported: Vec<api::Branched> = other.json(&["import", path.to_str().unwrap(), "copy"]);
    assert_eq!((imported[0].objects, &imported[0].from), (4, &commit(&gateway, 0)));
    let tree = |gateway: &Gateway, bucket: &str| {
        gateway.json::<api::LogEntry>(&["log", bucket, "-n", "1"]).remove(0).tree
    };
    assert_eq!(tree(&other, "copy"), tree(&gateway, "photos"));
    assert_eq!(other.says(&["ls", "-r", "copy"]), gateway.says(&["ls", "-r", "photos"]));

    let file = path.to_str().unwrap();
    assert_eq!(complaint(&other.run(&["import", file, "copy"])), "bucket copy exists already");
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        complaint(&other.run(&["import", file, "bad"]))
    };
    let last = good.len() - 1;
    let mut bad = good.clone();
    bad[last] ^= 1;
    let line = refused(&bad);
    let frame: usize =
        line.strip_prefix("the CAR is damaged at byte ").unwrap().split(':').next().unwrap().parse().unwrap();
    // The last frame goes from there to the end: its length, and so many bytes.
    let mut rest = &good[frame..];
    assert!(rest.len() < 1 << 14 && frame > 0, "{line}");
    let length = match rest {
        [first, second, ..] if first & 0x80 != 0 => {
            (usize::from(*second) << 7 | usize::from(first & 0x7f)) + 2
        }
        [first, ..] => usize::from(*first) + 1,
        [] => 0,
    };
    rest = &rest[length..];
    assert!(rest.is_empty(), "{line}");
    assert_eq!(
        refused(&good[..last]),
        format!("the CAR is cut short: it ends at byte {last}, inside the block that begins at byte {frame}")
    );
    assert!(
        refused(b"hello, this is a text and nothing else\n")
            .starts_with("this is no CAR, or one that is damaged where it begins")
    );
    assert!(
        refused(&[0x1f, 0x8b, 8, 0]).starts_with("this is no CAR, or one that is damaged where it begins")
    );
    assert_eq!(refused(b""), "the CAR is empty");
    assert_eq!(other.says(&["bucket", "ls"]).lines().count(), 3, "no bucket is made of it");
}

#[test]
fn an_export_with_history_brings_every_state_along() {
    let (gateway, other) = (Gateway::start(), Gateway::start());
    let path = gateway.dir.path().join("history.car");
    let file = File::create(&path).unwrap();
    let args = ["export", "photos", "--history"];
    assert!(carob(gateway.dir.path()).args(args).stdout(file).status().unwrap().success());
    let path = path.to_str().unwrap();
    assert!(gateway.says(&["verify", path]).ends_with("past states  4\n"));
    let imported: Vec<api::Branched> = other.json(&["import", path, "copy"]);
    assert_eq!((imported[0].objects, imported[0].past), (4, 4));
    let states = |gateway: &Gateway, bucket: &str| -> Vec<_> {
        let log: Vec<api::LogEntry> = gateway.json(&["log", bucket]);
        log.into_iter().map(|entry| (entry.time, entry.tree, entry.objects)).collect()
    };
    assert_eq!(states(&other, "copy"), states(&gateway, "photos"));
    assert_eq!(states(&other, "copy").len(), 5);
}
