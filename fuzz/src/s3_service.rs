//! Requests with a right signature and anything else in them, against the whole service.
//!
//! Each piece before a line of dashes is a request: method and target, header lines, an empty line, the body. What
//! is not known beforehand has a name: see `Server::request`.
#![no_main]

mod s3;

use s3::Server;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    s3::run(async {
        let mut server = Server::start().await;
        for piece in s3::split(bytes, b"\n----\n").take(6) {
            if let Some(request) = server.request(piece) {
                server.send(request).await.check();
            }
        }
        server.stop().await;
    });
});
