//! Bodies of an upload in aws-chunked encoding: one whose chunks need no signature, and one whose do. The first byte
//! says which; what comes after a NUL are trailers that are announced.
#![no_main]

mod s3;

use s3::{Answer, Server};

const MODES: [&str; 3] = [
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((mode, chunks)) = bytes.split_first() else { return };
    let mode = MODES[usize::from(*mode) % MODES.len()];
    s3::run(async {
        let mut server = Server::start().await;
        for length in [0, 5, 100_000] {
            let trailer =
                if mode.ends_with("TRAILER") { "x-amz-trailer: x-amz-checksum-crc32\n" } else { "" };
            let head = format!("PUT /bucket/chunks\nx-amz-decoded-content-length: {length}\n{trailer}\n");
            let request = [head.as_bytes(), chunks].concat();
            let request = server.request(&request, Some(mode)).expect("a request");
            let answer: Answer = server.send(request).await;
            answer.check();
            if answer.status == 200 {
                let stored =
                    server.send(server.request(b"HEAD /bucket/chunks\n\n", None).expect("a request")).await;
                assert_eq!(stored.header("content-length"), length.to_string(), "as long as was told");
            }
        }
        server.stop().await;
    });
});
