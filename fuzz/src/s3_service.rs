//! Requests with a right signature and anything else in them, against the whole service.
//!
//! Each piece before a line of dashes is a request: method and target, header lines, an empty line, the body. `@ID`
//! stands for the upload that was begun last.
#![no_main]

mod s3;

use s3::{Answer, Server};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    s3::run(async {
        let mut server = Server::start().await;
        for piece in s3::split(bytes, b"\n----\n").take(4) {
            if let Some(request) = server.request(piece, None) {
                server.send(request).await.check();
            }
        }
        server.stop().await;
    });
});
