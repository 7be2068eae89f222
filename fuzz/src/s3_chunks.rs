//! Bodies of an upload in aws-chunked encoding: one whose chunks need no signature, and two whose do. The first byte
//! says which. A signature of 64 zeros stands for the right one, as far as there is a chunk to be signed.
#![no_main]

mod s3;

use s3::signer::{Signer, hash};
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
                if mode.ends_with("TRAILER") { "\nx-amz-trailer: x-amz-checksum-crc32" } else { "" };
            let head = format!("PUT /bucket/chunks\nx-amz-decoded-content-length: {length}{trailer}");
            let request = server.signed(&head, chunks.to_vec(), mode, seal).expect("a request");
            let answer: Answer = server.send(request).await;
            answer.check();
            if answer.status == 200 {
                let stored = server.send(server.request(b"HEAD /bucket/chunks").expect("a request")).await;
                assert_eq!(stored.header("content-length"), length.to_string(), "as long as was told");
            }
        }
        server.stop().await;
    });
});

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Puts the right signatures where zeros stand for them.
fn seal(signer: &Signer, seed: &str, body: Vec<u8>) -> Vec<u8> {
    let scope = format!("{}\n{}", signer.date(), signer.scope());
    let (mut sealed, mut rest, mut previous) = (Vec::new(), &body[..], seed.to_owned());
    while let Some((line, after)) = split_line(rest) {
        let size = line.split([';', '\r']).next().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let Some((chunk, after)) = size.and_then(|size| after.split_at_checked(size)) else { break };
        let hashes = format!("{}\n{}", hash(b""), hash(chunk));
        previous = signer.seal(&format!("AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{hashes}"));
        sealed.extend_from_slice(line.replace(ZEROS, &previous).as_bytes());
        sealed.extend_from_slice(chunk);
        rest = after;
        if chunk.is_empty() {
            break;
        }
        let Some(after) = rest.strip_prefix(b"\r\n") else { break };
        sealed.extend_from_slice(b"\r\n");
        rest = after;
    }
    let mut trailers = String::new();
    while let Some((line, after)) = split_line(rest) {
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{scope}\n{previous}\n{}", hash(trailers.as_bytes()));
        sealed.extend_from_slice(line.replace(ZEROS, &signer.seal(&text)).as_bytes());
        trailers.push_str(&line.replace('\r', ""));
        rest = after;
    }
    sealed.extend_from_slice(rest);
    sealed
}

/// The first line, its end included, and what follows.
fn split_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = bytes.split_at_checked(end + 2)?;
    Some((std::str::from_utf8(line).ok()?, rest))
}
