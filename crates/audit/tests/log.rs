//! What is recorded hangs together, across files and restarts, and what was touched shows.

use std::fs;
use std::path::{Path, PathBuf};

use carob_audit::{AuditError, AuditLog, Deed, FILE, Link, verify};

fn deed(path: &str) -> Deed {
    Deed {
        request: "0123456789ABCDEF".to_owned(),
        operation: "PutObject".to_owned(),
        method: "PUT".to_owned(),
        path: path.to_owned(),
        status: Some(200),
        ..Deed::default()
    }
}

fn record(dir: &Path, max_bytes: u64, paths: &[&str]) {
    let log = AuditLog::open(dir, max_bytes).unwrap();
    paths.iter().for_each(|path| log.record(deed(path)));
    log.close();
}

/// All files, oldest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    // `audit-0…` sorts before `audit.`, and `broken-…` behind both.
    files.sort();
    files
}

fn broken_at(path: &Path) -> u64 {
    match verify(path, None) {
        Err(AuditError::Broken { line, .. }) => line,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_log_goes_on_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 1 << 20, &["/a", "/b"]);
    let before = verify(&dir.path().join(FILE), None).unwrap();
    record(dir.path(), 1 << 20, &["/c"]);
    let chain = verify(&dir.path().join(FILE), Some(&Link::default())).unwrap();
    assert_eq!((chain.lines, chain.last.number), (3, 3));
    assert_ne!(chain.last, before.last);
    let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("\"operation\":\"PutObject\"")).count(), 3);
}

#[test]
fn the_chain_goes_on_in_the_next_file() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 500, &["/a", "/b", "/c", "/d", "/e"]);
    record(dir.path(), 500, &["/f"]);
    let files = files(dir.path());
    assert!(files.len() > 2, "{files:?}");
    let mut last = Link::default();
    for file in &files {
        assert!(fs::metadata(file).unwrap().len() <= 500);
        last = verify(file, Some(&last)).unwrap().last;
    }
    assert_eq!(last.number, 6);
    assert!(verify(&files[1], Some(&Link::default())).is_err(), "a file is missing before it");
}

#[test]
fn a_log_goes_on_from_the_newest_full_file() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 300, &["/a", "/b", "/c"]);
    let last = verify(&dir.path().join(FILE), None).unwrap().last;
    fs::rename(dir.path().join(FILE), dir.path().join(format!("audit-{:020}.jsonl", last.number))).unwrap();
    record(dir.path(), 300, &["/d"]);
    assert_eq!(verify(&dir.path().join(FILE), Some(&last)).unwrap().last.number, last.number + 1);
}

#[test]
fn whatever_was_touched_shows() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 1 << 20, &["/a", "/b", "/c", "/d"]);
    let path = dir.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let write = |lines: &[&str]| fs::write(&path, lines.join("\n") + "\n").unwrap();
    write(&[lines[0], lines[2], lines[3]]);
    assert_eq!(broken_at(&path), 2, "a line is gone");
    write(&[lines[0], lines[2], lines[1], lines[3]]);
    assert_eq!(broken_at(&path), 2, "two have changed places");
    let changed = lines[1].replace("/b", "/x");
    write(&[lines[0], &changed, lines[2], lines[3]]);
    assert_eq!(broken_at(&path), 3, "the one behind names another");
    write(&[lines[0], "{}", lines[2]]);
    assert_eq!(broken_at(&path), 2);
    fs::write(&path, text.trim_end()).unwrap();
    assert_eq!(broken_at(&path), 4, "the last one is not whole");
    write(&lines);
    assert_eq!(verify(&path, None).unwrap().lines, 4);
}

#[test]
fn a_line_cut_by_a_crash_is_cut_off_and_told() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 1 << 20, &["/a", "/b"]);
    let path = dir.path().join(FILE);
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 5]).unwrap();
    record(dir.path(), 1 << 20, &["/c"]);
    let chain = verify(&path, Some(&Link::default())).unwrap();
    assert_eq!(chain.lines, 3);
    assert!(fs::read_to_string(&path).unwrap().contains("\"cut_off_bytes\":"));
}

#[test]
fn lines_that_were_touched_are_set_aside_and_the_log_says_so() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), 1 << 20, &["/a", "/b", "/c"]);
    let path = dir.path().join(FILE);
    let text = fs::read_to_string(&path).unwrap();
    let touched = text.replace("/a", "/x");
    fs::write(&path, &touched).unwrap();
    record(dir.path(), 1 << 20, &["/d"]);
    let chain = verify(&path, Some(&Link::default())).unwrap();
    assert_eq!(chain.lines, 3, "the first, what became of the others, and a new one");
    let aside = files(dir.path()).pop().unwrap();
    let name = aside.file_name().unwrap().to_str().unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains(&format!("\"set_aside\":\"{name}\"")));
    let (first, others) = touched.split_at(touched.find('\n').unwrap() + 1);
    assert_eq!(fs::read_to_string(&aside).unwrap(), others);
    assert!(fs::read_to_string(&path).unwrap().starts_with(first));
}

#[test]
fn a_page_that_a_power_cut_lost_does_not_end_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Vec<String> = (0..40).map(|n| format!("/{n}")).collect();
    record(dir.path(), 1 << 20, &paths.iter().map(String::as_str).collect::<Vec<_>>());
    let path = dir.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..8192].fill(0);
    fs::write(&path, &bytes).unwrap();
    record(dir.path(), 1 << 20, &["/after"]);
    let chain = verify(&path, Some(&Link::default())).unwrap();
    assert!((3..40).contains(&chain.lines), "{} lines", chain.lines);
    assert!(fs::read_to_string(&path).unwrap().contains("/after"));
}
