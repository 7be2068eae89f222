//! Clients that mean harm, byte by byte. Whatever they send is refused, tells no secret and leaves nothing behind.
//! More of the kind stands in `auth`, `raw`, `refusals` and beside each operation.

use crate::answer::exchange;
use crate::client::Request;
use crate::server::{ROOT, Server};

/// Sends bytes and expects a refusal with one of `codes` (any, if none is given).
async fn refused(bytes: impl FnOnce(&Server) -> Vec<u8>, codes: &[&str]) {
    let server = Server::start().await;
    server.fill(&["key", "victim"]).await;
    let before = server.state().await;
    let bytes = bytes(&server);
    // What the client waits for in vain, it does not get: the connection is closed by its side.
    let answer = answer_to(&server, &bytes).await;
    if let Some((status, text)) = answer {
        assert!((400..=505).contains(&status) && status != 500, "{status}: {text}");
        assert!(!text.contains(ROOT.1), "a secret: {text}");
        let named = codes.iter().any(|code| text.contains(&format!("<Code>{code}</Code>")));
        assert!(codes.is_empty() || named, "none of {codes:?}: {status} {text}");
    } else {
        assert!(codes.is_empty(), "no answer");
    }
    assert_eq!(server.state().await, before, "something was left behind");
    let uploads = server.get("/bucket?uploads").send().await.expect_status(200);
    assert!(uploads.elements("UploadId").is_empty());
    server.get("/bucket/key").send().await.expect_status(200);
}

/// Status and text, if there is an answer at all before the sender closes its side.
async fn answer_to(server: &Server, bytes: &[u8]) -> Option<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    Some((status, text))
}

fn put(server: &Server) -> Request {
    server.put("/bucket/new", "hello world")
}

/// A request with its head changed after it was signed.
fn changed(request: &Request, from: &str, to: &str) -> Vec<u8> {
    let (head, body) = request.parts();
    let new = head.replacen(from, to, 1);
    assert_ne!(new, head, "nothing to change");
    [new.into_bytes(), body].concat()
}

/// A body of signed chunks, changed after it was signed. `Content-Length` tells the truth about what is sent.
fn rechunked(server: &Server, change: impl FnOnce(Vec<String>) -> Vec<String>) -> Vec<u8> {
    let request = put(server).chunked(4);
    let (head, body) = request.parts();
    let text = String::from_utf8(body.clone()).unwrap();
    // Size line and data of each chunk, together.
    let lines: Vec<&str> = text.split_inclusive("\r\n").collect();
    let chunks = lines.chunks(2).map(<[&str]>::concat).collect();
    let new = change(chunks).concat();
    let head = head.replacen(
        &format!("content-length: {}", body.len()),
        &format!("content-length: {}", new.len()),
        1,
    );
    [head.into_bytes(), new.into_bytes()].concat()
}

macro_rules! corpus {
    ($($name:ident: $bytes:expr => [$($code:literal),*];)*) => {
        $(#[tokio::test]
        async fn $name() {
            refused($bytes, &[$($code),*]).await;
        })*
    };
}

// Signatures.
corpus! {
    a_flipped_digit_of_the_signature: |s| {
        let (head, _) = put(s).parts();
        let at = head.find("Signature=").unwrap() + 10;
        let old = &head[at..=at];
        let new = if old == "0" { "1" } else { "0" };
        changed(&put(s), &format!("Signature={old}"), &format!("Signature={new}"))
    } => ["SignatureDoesNotMatch"];
    a_signature_cut_short: |s| {
        let (head, _) = put(s).parts();
        let at = head.find("Signature=").unwrap() + 10;
        changed(&put(s), &head[at + 8..at + 64], "")
    } => [];
    an_empty_signature: |s| {
        let (head, _) = put(s).parts();
        let at = head.find("Signature=").unwrap() + 10;
        changed(&put(s), &head[at..at + 64], "")
    } => [];
    another_method_than_signed: |s| changed(&s.get("/bucket/key"), "GET ", "DELETE ") => ["SignatureDoesNotMatch"];
    another_key_than_signed: |s| changed(&s.delete("/bucket/key"), "/bucket/key", "/bucket/victim") => ["SignatureDoesNotMatch"];
    another_body_than_signed: |s| put(s).tampered().to_bytes() => ["XAmzContentSHA256Mismatch"];
    an_added_query: |s| changed(&s.delete("/bucket/key"), " HTTP", "?tagging HTTP") => [];
    a_subresource_taken_away: |s| changed(&s.delete("/bucket/key?tagging"), "?tagging=", "") => ["SignatureDoesNotMatch"];
    the_host_not_signed: |s| changed(&put(s), "SignedHeaders=host;", "SignedHeaders=") => [];
    the_date_not_signed: |s| changed(&put(s), ";x-amz-date", "") => [];
    the_payload_hash_not_signed: |s| changed(&put(s), ";x-amz-content-sha256", "") => [];
    a_scope_that_ends_otherwise: |s| changed(&put(s), "aws4_request", "aws5_request") => [];
    a_scope_of_another_day: |s| {
        let mut old = put(s);
        old.signer.time -= std::time::Duration::from_hours(72);
        let scope = old.signer.scope();
        changed(&put(s), &put(s).signer.scope(), &scope)
    } => [];
    a_credential_without_a_scope: |s| changed(&put(s), "Credential=ROOTKEY/", "Credential=ROOTKEY, Scope=") => [];
    a_key_with_a_newline_escape: |s| changed(&put(s), "Credential=ROOTKEY", "Credential=ROOT%0aKEY") => [];
    two_authorizations: |s| changed(&put(s), "\r\nhost", "\r\nauthorization: AWS4-HMAC-SHA256 x\r\nhost") => [];
    two_dates: |s| changed(&put(s), "\r\nhost", "\r\nx-amz-date: 20200101T000000Z\r\nhost") => [];
    two_payload_hashes: |s| changed(&put(s), "\r\nhost", "\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nhost") => [];
    another_algorithm: |s| changed(&put(s), "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512") => [];
    an_asymmetric_algorithm: |s| changed(&put(s), "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256") => [];
    a_bearer_token: |s| put(s).anonymous().unsigned_header("authorization", "Bearer x").to_bytes() => [];
    a_date_that_is_none: |s| changed(&put(s), "x-amz-date: 2", "x-amz-date: x") => [];
}

// Presigned URLs.
corpus! {
    a_presigned_url_of_another_method: |s| changed(&s.get("/bucket/key").presigned(60), "GET ", "DELETE ") => ["SignatureDoesNotMatch"];
    a_presigned_url_with_a_longer_life: |s| changed(&s.get("/bucket/key").presigned(60), "X-Amz-Expires=60", "X-Amz-Expires=6000") => ["SignatureDoesNotMatch"];
    a_negative_life: |s| changed(&s.get("/bucket/key").presigned(60), "X-Amz-Expires=60", "X-Amz-Expires=-60") => [];
    a_life_of_nothing: |s| s.get("/bucket/key").presigned(0).to_bytes() => [];
    a_life_beyond_64_bits: |s| changed(&s.get("/bucket/key").presigned(60), "X-Amz-Expires=60", "X-Amz-Expires=99999999999999999999") => [];
    a_life_that_is_no_number: |s| changed(&s.get("/bucket/key").presigned(60), "X-Amz-Expires=60", "X-Amz-Expires=x") => [];
    no_life_at_all: |s| changed(&s.get("/bucket/key").presigned(60), "&X-Amz-Expires=60", "") => [];
    two_lives: |s| changed(&s.get("/bucket/key").presigned(60), "X-Amz-Expires=60", "X-Amz-Expires=60&X-Amz-Expires=6000") => [];
    two_presigned_signatures: |s| changed(&s.get("/bucket/key").presigned(60), " HTTP", "&X-Amz-Signature=00 HTTP") => [];
    a_presigned_url_that_signs_no_header: |s| changed(&s.get("/bucket/key").presigned(60), "SignedHeaders=host", "SignedHeaders=") => [];
    a_presigned_put_that_becomes_a_part: |s| changed(&put(s).presigned(60), " HTTP", "&partNumber=1&uploadId=x HTTP") => ["SignatureDoesNotMatch"];
    a_presigned_put_with_metadata: |s| put(s).presigned(60).unsigned_header("x-amz-meta-a", "b").to_bytes() => ["AccessDenied"];
    a_presigned_put_with_a_directive: |s| put(s).presigned(60).unsigned_header("x-amz-metadata-directive", "REPLACE").to_bytes() => ["AccessDenied"];
    a_presigned_put_with_an_acl: |s| put(s).presigned(60).unsigned_header("x-amz-acl", "public-read").to_bytes() => ["AccessDenied"];
    a_presigned_get_with_a_carob_header: |s| s.get("/bucket/key").presigned(60).unsigned_header("x-carob-at", "1").to_bytes() => ["NotImplemented", "AccessDenied"];
    a_presigned_get_with_a_carob_query: |s| changed(&s.get("/bucket/key").presigned(60), " HTTP", "&x-carob-at=1 HTTP") => ["SignatureDoesNotMatch"];
    a_signed_url_and_a_signed_header: |s| {
        let url = s.get("/bucket/key").presigned(60);
        changed(&url, "\r\nhost", "\r\nauthorization: AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=x\r\nhost")
    } => [];
}

// Headers that mean something and were not signed.
corpus! {
    an_unsigned_source: |s| put(s).unsigned_header("x-amz-copy-source", "/bucket/victim").to_bytes() => ["AccessDenied"];
    an_unsigned_source_of_a_part: |s| {
        let part = s.put("/bucket/new", "").query("partNumber", "1").query("uploadId", "00");
        part.unsigned_header("x-amz-copy-source", "/bucket/victim").to_bytes()
    } => ["AccessDenied"];
    an_unsigned_directive_of_a_copy: |s| {
        let copy = s.put("/bucket/new", "").header("x-amz-copy-source", "/bucket/key");
        copy.unsigned_header("x-amz-metadata-directive", "REPLACE").to_bytes()
    } => ["AccessDenied"];
    an_unsigned_condition_on_a_source: |s| {
        let copy = s.put("/bucket/new", "").header("x-amz-copy-source", "/bucket/key");
        copy.unsigned_header("x-amz-copy-source-if-match", "*").to_bytes()
    } => ["AccessDenied"];
    an_unsigned_redirect: |s| put(s).unsigned_header("x-amz-website-redirect-location", "http://evil").to_bytes() => ["AccessDenied"];
    an_unsigned_size: |s| {
        let complete = s.request("POST", "/bucket/new?uploadId=x").body("<CompleteMultipartUpload/>");
        complete.unsigned_header("x-amz-mp-object-size", "1").to_bytes()
    } => ["AccessDenied"];
    an_unsigned_checksum: |s| put(s).unsigned_header("x-amz-checksum-crc32", "AAAAAA==").to_bytes() => ["AccessDenied"];
    an_unsigned_owner: |s| put(s).unsigned_header("x-amz-expected-bucket-owner", "x").to_bytes() => ["AccessDenied"];
}

// aws-chunked bodies.
corpus! {
    a_tampered_chunk: |s| put(s).chunked(4).tampered().to_bytes() => ["SignatureDoesNotMatch"];
    chunks_in_another_order: |s| rechunked(s, |mut chunks| { chunks.swap(0, 1); chunks }) => ["SignatureDoesNotMatch"];
    a_chunk_sent_twice: |s| rechunked(s, |mut chunks| { chunks.insert(1, chunks[0].clone()); chunks }) => ["SignatureDoesNotMatch", "IncompleteBody"];
    a_chunk_left_out: |s| rechunked(s, |mut chunks| { chunks.remove(1); chunks }) => ["SignatureDoesNotMatch", "IncompleteBody"];
    the_last_chunks_left_out: |s| rechunked(s, |mut chunks| {
        chunks.truncate(chunks.len() - 2);
        chunks
    }) => ["IncompleteBody"];
    chunks_without_signatures: |s| rechunked(s, |chunks| {
        chunks.into_iter().map(|chunk| {
            let (line, data) = chunk.split_once("\r\n").unwrap();
            format!("{}\r\n{data}", line.split(';').next().unwrap())
        }).collect()
    }) => [];
    a_chunk_longer_than_it_says: |s| rechunked(s, |mut chunks| { chunks[0] = chunks[0].replacen("4;", "3;", 1); chunks }) => [];
    a_chunk_shorter_than_it_says: |s| rechunked(s, |mut chunks| { chunks[0] = chunks[0].replacen("4;", "5;", 1); chunks }) => [];
    a_chunk_of_a_tebibyte: |s| rechunked(s, |mut chunks| { chunks[0] = chunks[0].replacen("4;", "10000000000;", 1); chunks }) => [];
    a_chunk_beyond_64_bits: |s| rechunked(s, |mut chunks| { chunks[0] = chunks[0].replacen("4;", "fffffffffffffffff;", 1); chunks }) => [];
    a_chunk_of_negative_size: |s| rechunked(s, |mut chunks| { chunks[0] = chunks[0].replacen("4;", "-4;", 1); chunks }) => [];
    an_endless_chunk_line: |s| rechunked(s, |_| vec!["4;".to_owned() + &"x".repeat(100_000)]) => [];
    a_decoded_length_too_long: |s| put(s).chunked(4).header("x-amz-decoded-content-length", "99").to_bytes() => [];
    a_decoded_length_that_is_none: |s| changed(&put(s).chunked(4), "decoded-content-length: 11", "decoded-content-length: 1x") => ["MissingContentLength"];
    a_tampered_trailer: |s| {
        let put = put(s).chunked(4).trailer("x-amz-checksum-crc32", "DUoRhQ==");
        let text = String::from_utf8(put.to_bytes()).unwrap();
        text.replacen("crc32:DUoRhQ==", "crc32:AAAAAA==", 1).into_bytes()
    } => ["SignatureDoesNotMatch", "BadDigest"];
    a_trailer_that_was_not_announced: |s| {
        let put = put(s).unsigned_chunked(4).trailer("x-amz-checksum-crc32", "DUoRhQ==");
        let text = String::from_utf8(put.to_bytes()).unwrap();
        text.replacen("checksum-crc32:", "meta-evil-12345:", 1).into_bytes()
    } => [];
    a_trailer_announced_and_not_sent: |s| put(s).unsigned_chunked(4).header("x-amz-trailer", "x-amz-checksum-crc32").to_bytes() => [];
    signed_chunks_said_to_be_unsigned: |s| changed(&put(s).chunked(4), "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER") => [];
}

// Lengths and framing.
corpus! {
    a_body_longer_than_it_says: |s| put(s).length("5").to_bytes() => ["XAmzContentSHA256Mismatch"];
    a_body_shorter_than_it_says: |s| put(s).length("50").to_bytes() => [];
    a_negative_length: |s| put(s).length("-1").to_bytes() => [];
    a_length_beyond_64_bits: |s| put(s).length("99999999999999999999").to_bytes() => [];
    a_length_with_a_sign: |s| put(s).length("+11").to_bytes() => [];
    a_length_in_hex: |s| put(s).length("0xb").to_bytes() => [];
    two_lengths_in_one: |s| put(s).length("11, 12").to_bytes() => [];
    a_length_and_chunks: |s| put(s).unsigned_header("transfer-encoding", "chunked").to_bytes() => [];
    an_unknown_coding: |s| put(s).length("").unsigned_header("transfer-encoding", "gzip").to_bytes() => [];
    chunked_not_last: |s| put(s).length("").unsigned_header("transfer-encoding", "chunked, identity").to_bytes() => [];
    two_codings: |s| changed(&put(s), "\r\nhost", "\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\nhost") => [];
    a_space_before_a_colon: |s| changed(&put(s), "content-length:", "content-length :") => [];
    a_folded_header: |s| changed(&put(s), "\r\nhost", "\r\nx-amz-meta-a: b\r\n c: d\r\nhost") => [];
    a_nul_in_a_header: |s| changed(&put(s), "\r\nhost", "\r\nx-a: b\0c\r\nhost") => [];
    a_request_in_a_body_of_nothing: |s| {
        let mut bytes = s.get("/bucket/absent").length("0").to_bytes();
        bytes.extend(s.delete("/bucket/key").anonymous().to_bytes());
        bytes
    } => ["NoSuchKey"];
    a_preface_of_another_protocol: |_| b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec() => [];
    a_tunnel: |_| b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec() => [];
    an_asterisk: |_| b"OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec() => [];
    a_trace: |_| b"TRACE /bucket/key HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec() => [];
    no_host: |_| b"GET /bucket/key HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec() => [];
}

// Names.
corpus! {
    invalid_utf_8_in_a_path: |_| b"GET /bucket/\xff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec() => [];
    encoded_invalid_utf_8: |s| s.put("", "x").raw_path("/bucket/%c3%28").to_bytes() => [];
    invalid_utf_8_in_metadata: |s| {
        let mut bytes = changed(&put(s), "\r\nhost", "\r\nx-amz-meta-a: @\r\nhost");
        let at = bytes.windows(3).position(|w| w == b": @").unwrap() + 2;
        bytes[at] = 0xff;
        bytes
    } => [];
    a_bucket_of_dots: |s| s.put("", "x").raw_path("/../key").to_bytes() => [];
    an_encoded_bucket_of_dots: |s| s.put("", "x").raw_path("/%2e%2e/key").to_bytes() => [];
    a_bucket_with_a_nul: |s| s.put("", "x").raw_path("/buc%00ket/key").to_bytes() => [];
    a_bucket_that_is_the_admins: |s| s.put("", "x").raw_path("/_carob/key").to_bytes() => [];
    a_key_of_too_many_bytes: |s| s.put("", "x").path(&format!("/bucket/{}", "k".repeat(1025))).to_bytes() => ["KeyTooLongError"];
    a_source_of_dots: |s| s.put("/bucket/new", "").header("x-amz-copy-source", "/../victim").to_bytes() => ["InvalidArgument"];
    a_source_encoded_twice: |s| s.put("/bucket/new", "").header("x-amz-copy-source", "/bucket%252Fvictim").to_bytes() => ["InvalidArgument"];
    an_oversize_header: |s| put(s).header("x-amz-meta-a", &"a".repeat(600_000)).to_bytes() => [];
    too_many_headers: |s| (0..300).fold(put(s), |r, n| r.header(&format!("x-amz-meta-{n}"), "1")).to_bytes() => [];
}

fn completion(server: &Server, document: impl Into<Vec<u8>>) -> Vec<u8> {
    server.request("POST", "/bucket/new?uploadId=00000000000000000000000000000000").body(document).to_bytes()
}

const LAUGHS: &str = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]>\
    <CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&c;</ETag></Part></CompleteMultipartUpload>";
const OUTSIDE: &str = "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\
    <CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&a;</ETag></Part></CompleteMultipartUpload>";

// Documents.
corpus! {
    a_billion_laughs: |s| completion(s, LAUGHS) => ["MalformedXML", "NoSuchUpload"];
    an_entity_from_outside: |s| completion(s, OUTSIDE) => ["MalformedXML", "NoSuchUpload"];
    a_document_too_deep: |s| completion(s, "<a>".repeat(200_000)) => ["MalformedXML"];
    a_deep_document_in_the_right_place: |s| completion(s, format!("<CompleteMultipartUpload><Part>{}", "<a>".repeat(200_000))) => ["MalformedXML"];
    a_document_too_large: |s| completion(s, " ".repeat(3 << 20)) => [];
    a_document_of_another_kind: |s| completion(s, "<Delete><Object><Key>key</Key></Object></Delete>") => ["MalformedXML"];
    a_document_in_no_encoding: |s| completion(s, vec![0xff, 0xfe, 0x00]) => ["MalformedXML"];
    a_part_number_beyond_32_bits: |s| completion(s, "<CompleteMultipartUpload><Part><PartNumber>4294967297</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>") => ["MalformedXML"];
    a_part_with_two_numbers: |s| completion(s, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>") => ["MalformedXML"];
    a_document_with_another_checksum: |s| {
        let post = s.request("POST", "/bucket?delete").body("<Delete><Object><Key>key</Key></Object></Delete>");
        post.header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==").to_bytes()
    } => ["BadDigest"];
}

// Numbers.
corpus! {
    max_keys_beyond_64_bits: |s| s.get("/bucket?list-type=2&max-keys=99999999999999999999").to_bytes() => [];
    negative_max_keys: |s| s.get("/bucket?max-keys=-1").to_bytes() => ["InvalidArgument"];
    max_uploads_beyond_64_bits: |s| s.get("/bucket?uploads&max-uploads=99999999999999999999").to_bytes() => [];
    a_part_number_of_nothing: |s| s.get("/bucket/key?partNumber=0").to_bytes() => ["InvalidArgument"];
    a_negative_object_size: |s| {
        let post = s.request("POST", "/bucket/new?uploadId=00000000000000000000000000000000");
        let parts = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>";
        post.header("x-amz-mp-object-size", "-1").body(parts).to_bytes()
    } => ["InvalidRequest"];
    a_range_behind_the_end: |s| s.get("/bucket/key").header("range", "bytes=18446744073709551615-").to_bytes() => ["InvalidRange"];
}

#[tokio::test]
async fn nobody_may_do_anything_unsigned() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let before = server.state().await;
    let queries = [
        "",
        "?acl",
        "?cors",
        "?delete",
        "?encryption",
        "?lifecycle",
        "?list-type=2",
        "?location",
        "?logging",
        "?notification",
        "?object-lock",
        "?ownershipControls",
        "?policy",
        "?policyStatus",
        "?publicAccessBlock",
        "?replication",
        "?requestPayment",
        "?tagging",
        "?uploads",
        "?versioning",
        "?versions",
        "?website",
        "?uploadId=x",
        "?partNumber=1&uploadId=x",
        "?attributes",
        "?restore",
        "?select&select-type=2",
    ];
    for path in ["/", "/bucket", "/bucket/key", "/nowhere/key"] {
        for query in queries {
            for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
                let target = format!("{path}{query}");
                let request = server.request(method, &target).anonymous();
                let plain = request.clone().send().await;
                // What is not there is told to everybody: buckets, operations, and requests that make no sense.
                let gone = path == "/nowhere/key";
                let refused = |status| [400, 403, 405, 412, 501].contains(&status) || (gone && status == 404);
                assert!(refused(plain.status), "{method} {target}: {}", plain.text());
                let copy = request.unsigned_header("x-amz-copy-source", "/bucket/key").send().await;
                assert!(refused(copy.status), "{method} {target} with a source: {}", copy.text());
            }
        }
    }
    assert_eq!(server.state().await, before);
}

#[tokio::test]
async fn names_encoded_twice_are_other_names() {
    let server = Server::start().await;
    server.space.create_bucket("other").await.unwrap();
    for path in ["/bucket/%252e%252e/other/key", "/bucket/../other/key", "/bucket/a%00b"] {
        server.put("", path).raw_path(path).send().await.expect_status(200);
        assert_eq!(server.get("").raw_path(path).send().await.text(), path);
    }
    assert_eq!(server.state().await.0, 3);
    assert_eq!(server.space.bucket("other").await.unwrap().snapshot().await.unwrap().objects(), 0);
}

#[tokio::test]
async fn a_replayed_request_does_what_it_did() {
    let server = Server::start().await;
    let bytes = server.put("/bucket/key", "hello").header("if-none-match", "*").to_bytes();
    exchange(server.address, &bytes, false).await.expect_status(200);
    exchange(server.address, &bytes, false).await.expect_error(412, "PreconditionFailed");
}

/// The length is signed, so nothing can be cut off with it.
#[tokio::test]
async fn the_empty_last_chunk_is_not_missed_when_all_bytes_came() {
    let server = Server::start().await;
    let bytes = rechunked(&server, |mut chunks| {
        chunks.pop();
        chunks
    });
    exchange(server.address, &bytes, false).await.expect_status(200);
    assert_eq!(server.get("/bucket/new").send().await.text(), "hello world");
}
