//! Proofs of objects.

use std::path::Path;

use crate::harness::{Gateway, commit, complaint};

#[test]
fn proofs_say_what_they_prove_and_a_changed_one_is_refused() {
    let gateway = Gateway::start();
    let space = gateway.space.did().to_string();
    let prove = |args: &[&str]| {
        let path = gateway.dir.path().join("proof.car");
        let output = gateway.run(&[&["prove"], args].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        std::fs::write(&path, output.stdout).unwrap();
        path
    };
    let says = |path: &Path| gateway.says(&["verify", path.to_str().unwrap(), "--space", &space]);
    for (args, words) in [
        (&["s3://photos/read me"][..], "an object of this CID is under this key at this commit"),
        (&["s3://photos/read me", "--body"], "these bytes are under this key at this commit"),
        (&["s3://photos/read"], "there is no object under this key at this commit"),
        (&["s3://photos/cats/", "--list"], "these 2 objects and no others are under this prefix"),
        (&["s3://photos/dogs/", "--list"], "these 0 objects and no others are under this prefix"),
    ] {
        let path = prove(args);
        let text = says(&path);
        assert!(text.contains(words), "{args:?}: {text}");
        let mut bad = std::fs::read(&path).unwrap();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let line = complaint(&gateway.run(&["verify", path.to_str().unwrap(), "--space", &space]));
        assert!(line.contains("is not authentic"), "{line}");
    }
    let past = prove(&["photos/read me", "--at", &commit(&gateway, 3)]);
    assert!(says(&past).contains("there is no object under this key"));
}

#[test]
fn an_object_is_written_when_it_is_proven() {
    let gateway = Gateway::start();
    let space = gateway.space.did().to_string();
    let get = |args: &[&str]| gateway.run(&[&["get", "--verify"], args].concat());
    for (args, bytes) in [
        (&["s3://photos/cats/one.jpg"][..], "meow"),
        (&["photos/cats/one.jpg", "--space", &space], "meow"),
        (&["photos/read me", "--range", "1-2"], "el"),
        (&["photos/read me", "--range", "4-"], "o"),
    ] {
        let output = get(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(output.stdout, bytes.as_bytes(), "{args:?}");
    }
    let path = gateway.dir.path().join("cat.jpg");
    let file = path.to_str().unwrap();
    let text = gateway.says(&["get", "--verify", "photos/cats/one.jpg", "--output", file]);
    assert!(text.contains("every byte is proven") && text.contains(&space), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), b"meow");

    let other = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    for (args, words) in [
        (&["photos/dogs"][..], "there is no object"),
        (&["photos/read me", "--range", "5-"], "no such bytes"),
        (&["photos/read me", "--space", other], "not authentic"),
        (&["photos/dogs", "--output", file], "there is no object"),
    ] {
        let line = complaint(&get(args));
        assert!(line.contains(words), "{args:?}: {line}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"meow", "what fails leaves the file as it was");
    assert!(!gateway.run(&["get", "photos/read me"]).status.success(), "nothing is got unproven");
    let past = get(&["photos/cats/one.jpg", "--at", &commit(&gateway, 1)]);
    assert_eq!(past.stdout, b"meow");
}
