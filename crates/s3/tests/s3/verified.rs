//! GetObject with `x-carob-verified`: the answer is slices, and says so.

use std::convert::Infallible;
use std::ops::Range;

use carob_bucket::{GROUP_SIZE, Part, PartList};
use carob_object::{Piece, check_slices};
use futures::{TryStreamExt, stream};

use crate::client::Request;
use crate::server::Server;

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8 ^ (n / 65_536) as u8).collect()
}

fn verified(server: &Server, target: &str) -> Request {
    server.get(target).header("x-carob-verified", "bao")
}

/// What an object is made of, as its record has it.
async fn pieces(server: &Server, key: &str) -> Vec<Piece> {
    let snapshot = server.space.bucket("bucket").await.unwrap().snapshot().await.unwrap();
    let object = snapshot.get(key).await.unwrap().unwrap();
    let piece = |part: &Part| Piece { size: part.size, root: part.blake3.root };
    match object.parts().await.unwrap() {
        Some(PartList(parts)) => parts.iter().map(piece).collect(),
        None => {
            let root = object.record().blake3.as_ref().unwrap().root;
            vec![Piece { size: object.record().size, root }]
        }
    }
}

async fn checked(pieces: Vec<Piece>, range: Range<u64>, slices: &[u8]) -> Vec<u8> {
    let slices = stream::iter([Ok::<_, Infallible>(slices.to_vec().into())]);
    check_slices(pieces, range, slices).unwrap().try_collect::<Vec<_>>().await.unwrap().concat()
}

#[tokio::test]
async fn the_answer_proves_itself_and_is_nothing_else() {
    let server = Server::start().await;
    let whole = body(5 * GROUP_SIZE + 7);
    let put = server.put("/bucket/key", whole.clone()).header("content-encoding", "gzip");
    put.header("x-amz-checksum-algorithm", "CRC32").send().await.expect_status(200);
    let known = pieces(&server, "key").await;
    let size = whole.len();
    for (asked, range) in [
        (None, 0..size),
        (Some("bytes=0-0"), 0..1),
        (Some("bytes=20000-40000"), 20_000..40_001),
        (Some("bytes=-9"), size - 9..size),
    ] {
        let mut request = verified(&server, "/bucket/key").header("x-amz-checksum-mode", "ENABLED");
        if let Some(asked) = asked {
            request = request.header("range", asked);
        }
        let answer = request.send().await.expect_status(200);
        let within = range.start as u64..range.end as u64;
        assert!(checked(known.clone(), within, &answer.body).await == whole[range.clone()], "{asked:?}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        assert_eq!(answer.header("x-carob-bao-range"), format!("{}..{}", range.start, range.end));
        assert_eq!(answer.header("x-carob-bao-size"), size.to_string());
        assert_eq!(answer.header("x-carob-bao-group"), "16384");
        assert_eq!(answer.header("x-carob-bao-root"), hex::encode(known[0].root));
        assert_eq!(answer.header("x-carob-verified"), "bao");
        assert_eq!(answer.header("content-type"), "application/vnd.carob.bao");
        assert!(answer.header("vary").contains("x-carob-verified"));
        // Nothing that is of the object's bytes: an SDK would hold these against it.
        for name in ["content-range", "content-encoding", "accept-ranges", "x-amz-checksum-crc32"] {
            assert_eq!(answer.find(name), None, "{name}");
        }
        assert!(answer.find("x-carob-commit").is_some_and(|commit| commit.starts_with("bafyrei")));
    }
}

#[tokio::test]
async fn an_object_of_parts_is_a_slice_of_each_that_the_range_touches() {
    let server = Server::start().await;
    let whole = body((5 << 20) + 100);
    let id = server.request("POST", "/bucket/key?uploads").send().await.element("UploadId");
    let mut parts = String::new();
    for (number, part) in [(1, &whole[..5 << 20]), (2, &whole[5 << 20..])] {
        let put = server.put(&format!("/bucket/key?partNumber={number}&uploadId={id}"), part);
        let etag = put.send().await.expect_status(200).header("etag").to_owned();
        parts.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"));
    }
    let complete = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let request = server.request("POST", &format!("/bucket/key?uploadId={id}")).body(complete);
    request.send().await.expect_status(200);

    let known = pieces(&server, "key").await;
    assert_eq!(known.len(), 2);
    let border = 5 << 20;
    let answer = verified(&server, "/bucket/key").header("range", "bytes=5242870-5242889").send().await;
    let bytes = checked(known.clone(), border - 10..border + 10, &answer.body).await;
    assert!(bytes == whole[border as usize - 10..border as usize + 10]);
    assert_eq!(answer.find("x-carob-bao-root"), None, "each part has its own");
    let second = verified(&server, "/bucket/key?partNumber=2").send().await.expect_status(200);
    let bytes = checked(known, border..border + 100, &second.body).await;
    assert!(bytes == whole[border as usize..]);
    assert_eq!(second.body.len(), 8 + 100);
}

#[tokio::test]
async fn an_empty_object_is_proven_empty() {
    let server = Server::start().await;
    server.put("/bucket/key", "").send().await.expect_status(200);
    let answer = verified(&server, "/bucket/key").send().await.expect_status(200);
    assert_eq!(answer.body, [0; 8]);
    assert_eq!(checked(pieces(&server, "key").await, 0..0, &answer.body).await, b"");
}

#[tokio::test]
async fn what_cannot_be_proven_or_was_not_signed_is_refused() {
    let server = Server::start().await;
    server.put("/bucket/key", "0123456789").send().await.expect_status(200);
    let sealed = server.put("/bucket/sealed", "secret").header("x-amz-server-side-encryption", "AES256");
    sealed.send().await.expect_status(200);
    verified(&server, "/bucket/sealed").send().await.expect_error(400, "InvalidRequest");
    let unsigned = server.get("/bucket/key").unsigned_header("x-carob-verified", "bao");
    unsigned.send().await.expect_error(403, "AccessDenied");
    let other = server.get("/bucket/key").header("x-carob-verified", "tar");
    other.send().await.expect_error(400, "InvalidArgument");
    server.head("/bucket/key").header("x-carob-verified", "bao").send().await.expect_status(501);
    let put = server.put("/bucket/key", "x").header("x-carob-verified", "bao");
    put.send().await.expect_error(501, "NotImplemented");
    verified(&server, "/bucket/absent").send().await.expect_error(404, "NoSuchKey");
    let beyond = verified(&server, "/bucket/key").header("range", "bytes=10-");
    beyond.send().await.expect_error(416, "InvalidRange");
    let changed = verified(&server, "/bucket/key").header("if-match", "\"0\"");
    changed.send().await.expect_error(412, "PreconditionFailed");
}
