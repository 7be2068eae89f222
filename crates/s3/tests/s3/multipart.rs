//! Multipart uploads over HTTP: Amazon S3 user guide, "Uploading and copying objects using multipart upload".

use carob_bucket::{Checksum, ChecksumAlgorithm, ChecksumHasher};
use md5::{Digest, Md5};

use crate::answer::Response;
use crate::client::Request;
use crate::server::Server;

const MIB: usize = 1 << 20;

/// A body that repeats at no block boundary.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8 ^ (n / 65_536) as u8).collect()
}

fn etag_of_parts(parts: &[&[u8]]) -> String {
    let sums: Vec<u8> = parts.iter().flat_map(Md5::digest).collect();
    format!("\"{}-{}\"", hex::encode(Md5::digest(sums)), parts.len())
}

async fn begin_with(request: Request) -> String {
    request.send().await.expect_status(200).element("UploadId")
}

async fn begin(server: &Server) -> String {
    begin_with(server.request("POST", "/bucket/key?uploads")).await
}

fn part(server: &Server, id: &str, number: &str, body: impl Into<Vec<u8>>) -> Request {
    server.put("/bucket/key", body).query("partNumber", number).query("uploadId", id)
}

async fn put_part(server: &Server, id: &str, number: u16, body: &[u8]) -> String {
    let answer = part(server, id, &number.to_string(), body).send().await.expect_status(200);
    answer.header("etag").to_owned()
}

fn document(parts: &[(u16, &str)]) -> String {
    let parts: String = parts
        .iter()
        .map(|(number, etag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"))
        .collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

fn complete(server: &Server, id: &str, document: &str) -> Request {
    server.request("POST", "/bucket/key").query("uploadId", id).body(document)
}

fn text_of(parts: &Response) -> Vec<String> {
    parts.elements("PartNumber")
}

#[tokio::test]
async fn parts_become_an_object_with_the_cid_of_a_single_put() {
    for size in [5 * MIB, 8 * MIB] {
        let server = Server::start().await;
        let whole = body(size + 1000);
        let (first, last) = whole.split_at(size);
        let id = begin(&server).await;
        // In any order.
        let second_tag = put_part(&server, &id, 2, last).await;
        let first_tag = put_part(&server, &id, 1, first).await;
        assert_eq!(first_tag, format!("\"{}\"", hex::encode(Md5::digest(first))));
        server.get("/bucket/key").send().await.expect_error(404, "NoSuchKey");
        // One entity tag bare, the other quoted.
        let parts = document(&[(1, first_tag.trim_matches('"')), (2, &second_tag.replace('"', "&quot;"))]);
        let done = complete(&server, &id, &parts).send().await.expect_status(200);
        let tag = etag_of_parts(&[first, last]);
        assert_eq!(done.element("ETag").replace("&quot;", "\""), tag);
        assert_eq!((done.element("Bucket"), done.element("Key")), ("bucket".into(), "key".into()));
        assert!(done.element("Location").ends_with("/bucket/key"));

        let read = server.get("/bucket/key").send().await.expect_status(200);
        assert!(read.body == whole);
        assert_eq!(read.header("etag"), tag);
        let single = server.put("/bucket/single", whole).send().await.expect_status(200);
        assert_eq!(read.header("x-carob-cid"), single.header("x-carob-cid"));
        assert_eq!(done.header("x-carob-cid"), single.header("x-carob-cid"));
    }
}

#[tokio::test]
async fn what_was_said_at_the_beginning_is_the_objects() {
    let server = Server::start().await;
    let create = server.request("POST", "/bucket/key?uploads").header("content-type", "text/plain");
    let id = begin_with(create.header("x-amz-meta-colour", "red").header("cache-control", "no-cache")).await;
    let tag = put_part(&server, &id, 1, b"hello").await;
    complete(&server, &id, &document(&[(1, &tag)])).send().await.expect_status(200);
    let head = server.head("/bucket/key").send().await.expect_status(200);
    for (name, value) in
        [("content-type", "text/plain"), ("x-amz-meta-colour", "red"), ("cache-control", "no-cache")]
    {
        assert_eq!(head.header(name), value);
    }
}

#[tokio::test]
async fn a_completion_may_be_repeated() {
    let server = Server::start().await;
    let id = begin(&server).await;
    let tag = put_part(&server, &id, 1, b"hello").await;
    let request = complete(&server, &id, &document(&[(1, &tag)])).header("if-none-match", "*");
    let first = request.clone().send().await.expect_status(200);
    let before = server.state().await;
    let again = request.send().await.expect_status(200);
    assert_eq!(first.element("ETag"), again.element("ETag"));
    assert_eq!(server.state().await, before);
    // But the upload itself is over, and it came to nothing else.
    let other = document(&[(1, &tag), (2, &tag)]);
    complete(&server, &id, &other).send().await.expect_error(404, "NoSuchUpload");
    part(&server, &id, "1", "late").send().await.expect_error(404, "NoSuchUpload");
    server.get("/bucket/key").query("uploadId", &id).send().await.expect_error(404, "NoSuchUpload");
}

#[tokio::test]
async fn wrong_completions_are_named_and_change_nothing() {
    let server = Server::start().await;
    let id = begin(&server).await;
    let one = put_part(&server, &id, 1, &body(5 * MIB)).await;
    let two = put_part(&server, &id, 2, b"small").await;
    let three = put_part(&server, &id, 3, b"last").await;
    let before = server.state().await;
    let many: Vec<_> = (1..=10_001_u16).map(|number| (number, &*one)).collect();
    for (parts, code) in [
        (document(&[]), "MalformedXML"),
        (
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"
                .into(),
            "MalformedXML",
        ),
        (
            "<CompleteMultipartUpload><Part><ETag>x</ETag></Part></CompleteMultipartUpload>".into(),
            "MalformedXML",
        ),
        ("<CompleteMultipartUpload>".into(), "MalformedXML"),
        (String::new(), "MalformedXML"),
        (document(&many), "MalformedXML"),
        (document(&[(0, &one)]), "InvalidArgument"),
        (document(&[(10_001, &one)]), "InvalidArgument"),
        (document(&[(2, &two), (1, &one)]), "InvalidPartOrder"),
        (document(&[(1, &one), (1, &one)]), "InvalidPartOrder"),
        (document(&[(1, &two)]), "InvalidPart"),
        (document(&[(4, &one)]), "InvalidPart"),
        (document(&[(1, "x")]), "InvalidPart"),
        (document(&[(1, &one), (2, &two), (3, &three)]), "EntityTooSmall"),
    ] {
        complete(&server, &id, &parts).send().await.expect_error(400, code);
    }
    let wrong_size = complete(&server, &id, &document(&[(1, &one)])).header("x-amz-mp-object-size", "1");
    wrong_size.send().await.expect_error(400, "InvalidRequest");
    let negative = complete(&server, &id, &document(&[(1, &one)])).header("x-amz-mp-object-size", "-1");
    let said = negative.send().await.expect_error(400, "InvalidRequest").element("Message");
    assert!(said.contains("is less than zero"), "{said}");
    let absent = complete(&server, &id, &document(&[(4, &one)])).send().await.element("Message");
    assert!(
        absent.starts_with("One or more of the specified parts could not be found.  The part"),
        "{absent}"
    );
    assert_eq!(server.state().await, before);
    let right = complete(&server, &id, &document(&[(1, &one), (3, &three)]));
    right.header("x-amz-mp-object-size", &(5 * MIB + 4).to_string()).send().await.expect_status(200);
}

#[tokio::test]
async fn a_completion_may_name_the_longest_checksum_of_each_of_10000_parts() {
    let server = Server::start().await;
    let id = begin_with(
        server.request("POST", "/bucket/key?uploads").header("x-amz-checksum-algorithm", "SHA512"),
    )
    .await;
    let etag = hex::encode([0; 16]);
    let sum = format!("{}==", "A".repeat(86));
    let parts: String = (1..=10_000)
        .map(|number| {
            format!(
                "<Part><ETag>&quot;{etag}&quot;</ETag><ChecksumSHA512>{sum}</ChecksumSHA512>\
                 <PartNumber>{number}</PartNumber></Part>"
            )
        })
        .collect();
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    assert!(document.len() > 2 << 20);
    // It is read, and its parts are looked for.
    complete(&server, &id, &document).send().await.expect_error(400, "InvalidPart");
}

#[tokio::test]
async fn conditions_are_decided_at_completion() {
    let server = Server::start().await;
    let id = begin(&server).await;
    let tag = put_part(&server, &id, 1, b"hello").await;
    let request = complete(&server, &id, &document(&[(1, &tag)]));
    request.clone().header("if-match", "\"x\"").send().await.expect_error(404, "NoSuchKey");
    server.fill(&["key"]).await;
    request.clone().header("if-none-match", "*").send().await.expect_error(412, "PreconditionFailed");
    request.clone().header("if-match", "\"x\"").send().await.expect_error(412, "PreconditionFailed");
    assert_eq!(server.get("/bucket/key").send().await.text(), "key");
    let old = server.head("/bucket/key").send().await.header("etag").to_owned();
    request.header("if-match", &old).send().await.expect_status(200);
}

#[tokio::test]
async fn part_numbers_run_from_1_to_10000() {
    let server = Server::start().await;
    let id = begin(&server).await;
    for number in ["0", "10001", "-1", "65537", "2147483648", "99999999999999999999", "x", "", "1.5", " 1"] {
        let answer = part(&server, &id, number, "hello").send().await;
        assert_eq!((answer.status, answer.element("Code")), (400, "InvalidArgument".into()), "{number}");
    }
    put_part(&server, &id, 10_000, b"hello").await;
    let listed = server.get("/bucket/key").query("uploadId", &id).send().await;
    assert_eq!(text_of(&listed), ["10000"]);
}

#[tokio::test]
async fn an_unknown_upload_is_none() {
    let server = Server::start().await;
    let id = begin(&server).await;
    for wrong in
        ["x", "", "00000000000000000000000000000000", &id.to_uppercase().replace('0', "1"), "../..", "\0"]
    {
        let answers = [
            part(&server, wrong, "1", "hello").send().await,
            server.get("/bucket/key").query("uploadId", wrong).send().await,
            server.delete("/bucket/key").query("uploadId", wrong).send().await,
            complete(&server, wrong, &document(&[(1, "x")])).send().await,
        ];
        for answer in answers {
            assert!(answer.status == 404 || answer.status == 400, "{wrong:?}: {}", answer.text());
        }
    }
    // An upload is of its key alone.
    let other = server.put("/bucket/other", "x").query("partNumber", "1").query("uploadId", &id);
    other.send().await.expect_error(404, "NoSuchUpload");
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let server = Server::start().await;
    let id = begin(&server).await;
    let tag = put_part(&server, &id, 1, b"hello").await;
    let abort = server.delete("/bucket/key").query("uploadId", &id);
    abort.clone().send().await.expect_status(204);
    abort.send().await.expect_error(404, "NoSuchUpload");
    complete(&server, &id, &document(&[(1, &tag)])).send().await.expect_error(404, "NoSuchUpload");
    assert_eq!(server.get("/bucket?uploads").send().await.elements("UploadId").len(), 0);
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let server = Server::start().await;
    let id = begin(&server).await;
    for number in [3, 1, 7, 5] {
        put_part(&server, &id, number, format!("part {number}").as_bytes()).await;
    }
    put_part(&server, &id, 3, b"replaced").await;
    let list = |marker: &str, max: &str| {
        let request = server.get("/bucket/key").query("uploadId", &id);
        request.query("part-number-marker", marker).query("max-parts", max).send()
    };
    let all = list("0", "1000").await.expect_status(200);
    assert_eq!(text_of(&all), ["1", "3", "5", "7"]);
    assert_eq!(all.elements("Size"), ["6", "8", "6", "6"]);
    assert_eq!((all.element("IsTruncated"), all.element("UploadId")), ("false".into(), id.clone()));
    assert_eq!(all.element("NextPartNumberMarker"), "7", "S3 gives it with the last page too");
    assert_eq!(all.elements("ChecksumCRC64NVME").len(), 4, "computed, as none was announced");
    let first = list("0", "2").await;
    assert_eq!(
        (text_of(&first), first.element("IsTruncated")),
        (vec!["1".into(), "3".into()], "true".into())
    );
    assert_eq!(first.element("NextPartNumberMarker"), "3");
    let second = list("3", "2").await;
    assert_eq!(
        (text_of(&second), second.element("IsTruncated")),
        (vec!["5".into(), "7".into()], "false".into())
    );
    for marker in ["7", "2147483647"] {
        let beyond = list(marker, "2").await.expect_status(200);
        assert!(text_of(&beyond).is_empty());
        assert_eq!(
            (beyond.element("NextPartNumberMarker"), beyond.element("IsTruncated")),
            ("0".into(), "false".into())
        );
    }
    let none = list("0", "0").await.expect_status(200);
    assert_eq!((text_of(&none), none.element("IsTruncated")), (vec![], "false".into()));
    let far = list("70000", "2").await.expect_status(200);
    assert_eq!(far.element("PartNumberMarker"), "70000", "told as it was asked for");
    let unreadable = |name: &str| format!("Provided {name} not an integer or within integer range");
    let range = |name: &str| format!("Argument {name} must be an integer between 0 and 2147483647");
    for (marker, max, name, message) in [
        ("-1", "1", "part-number-marker", range("part-number-marker")),
        ("0", "-1", "max-parts", range("max-parts")),
        ("x", "1", "part-number-marker", unreadable("part-number-marker")),
        ("2147483648", "1", "part-number-marker", unreadable("part-number-marker")),
        ("0", "9999999999999", "max-parts", unreadable("max-parts")),
    ] {
        let answer = list(marker, max).await.expect_error(400, "InvalidArgument");
        let value = if name == "max-parts" { max } else { marker };
        assert_eq!((answer.element("Message"), answer.element("ArgumentName")), (message, name.into()));
        assert_eq!(answer.element("ArgumentValue"), value);
    }
}

#[tokio::test]
async fn uploads_are_listed_by_key_then_age() {
    let server = Server::start().await;
    let mut begun = Vec::new();
    for key in ["photos/b", "a", "photos/a", "a", "z\u{1}"] {
        let create = server.request("POST", "").path(&format!("/bucket/{key}")).query("uploads", "");
        let id = create.send().await.expect_status(200).element("UploadId");
        begun.push((key.to_owned(), id));
    }
    begun.sort();
    let list = |query: &str| server.get(&format!("/bucket?uploads&{query}")).send();
    let keys = |answer: &Response| answer.elements("Key");
    let all = list("encoding-type=url").await.expect_status(200);
    assert_eq!(keys(&all), ["a", "a", "photos/a", "photos/b", "z%01"]);
    let ids: Vec<_> = begun.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(all.elements("UploadId"), ids);
    assert_eq!(list("prefix=photos/").await.elements("Key"), ["photos/a", "photos/b"]);
    let rolled = list("delimiter=/").await;
    assert_eq!(keys(&rolled), ["a", "a", "z&#x1;"]);
    assert_eq!(rolled.elements("CommonPrefixes"), ["<Prefix>photos/</Prefix>"]);

    // A page at a time, all turn up once.
    let (mut found, mut marker) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("encoding-type=url&max-uploads=1{marker}")).await.expect_status(200);
        found.extend(page.elements("UploadId"));
        if page.element("IsTruncated") == "false" {
            break;
        }
        marker = format!(
            "&key-marker={}&upload-id-marker={}",
            page.element("NextKeyMarker"),
            page.element("NextUploadIdMarker")
        );
    }
    assert_eq!(found, ids);
    list("max-uploads=-1").await.expect_error(400, "InvalidArgument");
    list("key-marker=a&upload-id-marker=x").await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn parts_are_read_by_number() {
    let server = Server::start().await;
    let whole = body(5 * MIB + 10);
    let (first, last) = whole.split_at(5 * MIB);
    let id = begin(&server).await;
    let tags = [put_part(&server, &id, 2, first).await, put_part(&server, &id, 5, last).await];
    complete(&server, &id, &document(&[(2, &tags[0]), (5, &tags[1])])).send().await.expect_status(200);
    for (number, start, part) in [("2", 0, first), ("5", 5 * MIB, last)] {
        let get =
            server.get("/bucket/key").query("partNumber", number).header("x-amz-checksum-mode", "ENABLED");
        let get = get.send().await.expect_status(206);
        assert!(get.body == part);
        assert_eq!(get.header("x-amz-mp-parts-count"), "2");
        let range = format!("bytes {start}-{}/{}", start + part.len() - 1, whole.len());
        assert_eq!(get.header("content-range"), range);
        assert_eq!(get.header("etag"), etag_of_parts(&[first, last]));
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, part).to_be_bytes();
        let crc = Checksum { algorithm: ChecksumAlgorithm::Crc64Nvme, value: crc.to_vec() }.to_base64();
        assert_eq!(get.header("x-amz-checksum-crc64nvme"), crc);
        let head = server.head("/bucket/key").query("partNumber", number).send().await;
        assert_eq!((head.status, head.header("content-length")), (206, &*part.len().to_string()));
        assert_eq!(head.header("x-amz-mp-parts-count"), "2");
    }
    for absent in ["1", "3", "10000"] {
        server
            .get("/bucket/key")
            .query("partNumber", absent)
            .send()
            .await
            .expect_error(416, "InvalidPartNumber");
    }
    assert_eq!(server.head("/bucket/key").send().await.find("x-amz-mp-parts-count"), None);
}

#[tokio::test]
async fn announced_checksums_are_kept_whole_or_composite() {
    for (algorithm, kind) in [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
        ("SHA512", "COMPOSITE"),
        ("MD5", "COMPOSITE"),
        ("XXHASH64", "COMPOSITE"),
        ("XXHASH3", "COMPOSITE"),
        ("XXHASH128", "COMPOSITE"),
    ] {
        let server = Server::start().await;
        let named = ChecksumAlgorithm::from_name(algorithm).unwrap();
        let header = format!("x-amz-checksum-{}", algorithm.to_lowercase());
        let create =
            server.request("POST", "/bucket/key?uploads").header("x-amz-checksum-algorithm", algorithm);
        let created = create.header("x-amz-checksum-type", kind).send().await.expect_status(200);
        assert_eq!(created.header("x-amz-checksum-algorithm"), algorithm);
        assert_eq!(created.header("x-amz-checksum-type"), kind);
        let id = created.element("UploadId");

        let first = body(5 * MIB);
        let parts: [&[u8]; 2] = [&first, b" world"];
        let mut listed = String::new();
        let mut values = Vec::new();
        for (number, bytes) in (1..).zip(parts) {
            let sum = sum(named, bytes);
            let value = Checksum { algorithm: named, value: sum.clone() }.to_base64();
            let answer = part(&server, &id, &number.to_string(), bytes).header(&header, &value).send().await;
            let answer = answer.expect_status(200);
            assert_eq!(answer.header(&header), value);
            let tag = answer.header("etag").to_owned();
            listed.push_str(&format!(
                "<Part><ETag>{tag}</ETag><PartNumber>{number}</PartNumber><Checksum{algorithm}>{value}</Checksum{algorithm}></Part>"
            ));
            values.extend(sum);
        }
        let expected = match kind {
            "COMPOSITE" => {
                format!("{}-2", Checksum { algorithm: named, value: sum(named, &values) }.to_base64())
            }
            _ => Checksum { algorithm: named, value: sum(named, &parts.concat()) }.to_base64(),
        };
        let whole = format!("<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>");
        let wrong = Checksum { algorithm: named, value: vec![0; named.value_len()] }.to_base64();
        let finish = |value: &str| complete(&server, &id, &whole).header(&header, value);
        finish(&wrong).send().await.expect_error(400, "BadDigest");
        for bad in ["bad".to_owned(), format!("{wrong}-2-2"), format!("{wrong}--2")] {
            finish(&bad).send().await.expect_error(400, "BadDigest");
        }
        let said = finish(&wrong).send().await.element("Message");
        assert_eq!(said, format!("The {algorithm} you specified did not match the calculated checksum."));
        let other = if algorithm == "SHA1" { "md5" } else { "sha1" };
        let several = finish(&expected).header(&format!("x-amz-checksum-{other}"), "x");
        let several = several.header("x-amz-checksum-type", "HALF").send().await;
        assert!(
            several.expect_error(400, "InvalidRequest").element("Message").starts_with("Expecting a single")
        );
        let odd = finish(&expected).header("x-amz-checksum-type", "HALF").send().await;
        assert!(odd.expect_error(400, "InvalidRequest").element("Message").starts_with("Value for"));
        let other_kind = if kind == "COMPOSITE" { "FULL_OBJECT" } else { "COMPOSITE" };
        finish(&expected)
            .header("x-amz-checksum-type", other_kind)
            .send()
            .await
            .expect_error(400, "InvalidRequest");
        let done = finish(&expected).send().await.expect_status(200);
        assert_eq!(done.element(&format!("Checksum{algorithm}")), expected, "{algorithm} {kind}");
        assert_eq!(done.element("ChecksumType"), kind);
        let head = server.head("/bucket/key").header("x-amz-checksum-mode", "ENABLED").send().await;
        assert_eq!((head.header(&header), head.header("x-amz-checksum-type")), (&*expected, kind));
        let one =
            |request: Request| request.query("partNumber", "2").header("x-amz-checksum-mode", "ENABLED");
        let of_part = Checksum { algorithm: named, value: sum(named, b" world") }.to_base64();
        for request in [server.get("/bucket/key"), server.head("/bucket/key")] {
            let shown = one(request).send().await.expect_status(206);
            assert_eq!((shown.header(&header), shown.header("x-amz-checksum-type")), (&*of_part, kind));
        }
    }
}

fn sum(algorithm: ChecksumAlgorithm, data: &[u8]) -> Vec<u8> {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(data);
    hasher.finish().value
}

#[tokio::test]
async fn a_part_with_another_checksum_than_announced_is_refused() {
    let server = Server::start().await;
    let create = server.request("POST", "/bucket/key?uploads").header("x-amz-checksum-algorithm", "SHA256");
    let id = begin_with(create).await;
    let crc = part(&server, &id, "1", "hello").header("x-amz-checksum-crc32", "NhCmhg==");
    crc.send().await.expect_error(400, "InvalidRequest");
    let wrong =
        part(&server, &id, "1", "hello").header("x-amz-checksum-sha256", &"A".repeat(43)).send().await;
    assert_eq!(wrong.status, 400);
    let none = part(&server, &id, "1", "hello").send().await.expect_error(400, "InvalidRequest");
    assert!(none.element("Message").ends_with("expected checksum Type: sha256, actual checksum Type: null"));
    let declared =
        Checksum { algorithm: ChecksumAlgorithm::Sha256, value: sum(ChecksumAlgorithm::Sha256, b"hello") };
    let put = part(&server, &id, "1", "hello").header("x-amz-checksum-sha256", &declared.to_base64());
    let tag = put.send().await.expect_status(200).header("etag").to_owned();
    // A composite checksum is of what the client lists.
    complete(&server, &id, &document(&[(1, &tag)])).send().await.expect_error(400, "InvalidRequest");
    let forged = format!(
        "<CompleteMultipartUpload><Part><ETag>{tag}</ETag><PartNumber>1</PartNumber><ChecksumSHA256>{}=</ChecksumSHA256></Part></CompleteMultipartUpload>",
        "A".repeat(43)
    );
    complete(&server, &id, &forged).send().await.expect_error(400, "InvalidPart");
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn a_part_needs_no_checksum_where_only_that_of_the_whole_is_kept() {
    let server = Server::start().await;
    let create = server.request("POST", "/bucket/key?uploads").header("x-amz-checksum-algorithm", "CRC32");
    let id = begin_with(create.header("x-amz-checksum-type", "FULL_OBJECT")).await;
    let tag = put_part(&server, &id, 1, b"hello").await;
    complete(&server, &id, &document(&[(1, &tag)])).send().await.expect_status(200);
}

#[tokio::test]
async fn a_part_may_declare_a_checksum_that_was_not_announced() {
    let server = Server::start().await;
    let id = begin(&server).await;
    let chunked =
        part(&server, &id, "1", "hello").unsigned_chunked(4096).trailer("x-amz-checksum-crc32", "NhCmhg==");
    let answer = chunked.send().await.expect_status(200);
    assert_eq!(answer.header("x-amz-checksum-crc32"), "NhCmhg==");
    let bad =
        part(&server, &id, "2", "hello").unsigned_chunked(4096).trailer("x-amz-checksum-crc32", "AAAAAA==");
    bad.send().await.expect_error(400, "BadDigest");
    let listed = format!(
        "<CompleteMultipartUpload><Part><ETag>{}</ETag><PartNumber>1</PartNumber><ChecksumCRC32>NhCmhg==</ChecksumCRC32></Part></CompleteMultipartUpload>",
        answer.header("etag")
    );
    // It is not kept, so that it could not be compared.
    complete(&server, &id, &listed).send().await.expect_error(400, "InvalidPart");
    let parts = document(&[(1, answer.header("etag"))]);
    let done = complete(&server, &id, &parts).send().await.expect_status(200);
    assert_eq!(
        (done.element("ChecksumType"), done.elements("ChecksumCRC64NVME").len()),
        ("FULL_OBJECT".into(), 1)
    );
}

#[tokio::test]
async fn a_presigned_upload_goes_through() {
    let server = Server::start().await;
    let id = begin_with(server.request("POST", "/bucket/key?uploads").presigned(60)).await;
    let put = part(&server, &id, "1", "hello").presigned(60).send().await.expect_status(200);
    let parts = document(&[(1, put.header("etag"))]);
    complete(&server, &id, &parts).presigned(60).send().await.expect_status(200);
    assert_eq!(server.get("/bucket/key").presigned(60).send().await.text(), "hello");
}
