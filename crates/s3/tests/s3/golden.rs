//! Content CIDs of uploads in parts, as other implementations give them to the same bytes.
//!
//! Made like `fixtures/unixfs/vectors.json` (ipfs-unixfs-importer 17.1.1, profile `unixfs-v1-2025`, IPIP-0499) for the
//! sizes that parts make; the bodies are that file's pattern.

use crate::server::Server;

const MIB: usize = 1 << 20;

/// Size of the body, size of its parts, CID.
const VECTORS: [(usize, usize, &str); 6] = [
    (10 * MIB, 5 * MIB, "bafybeie5qe4bocok53qp2qynj4grpwtgfcnul6t7vnjyhjufbusf7323wi"),
    (12 * MIB + 12_345, 5 * MIB, "bafybeicz2jimq6evptxeu5iauhynk3enyb27t3sjzx4ghijwldhe3pmdte"),
    (25 * MIB + 1, 5 * MIB, "bafybeigu33oxwojp67c24inajtceeurx3jtpyuea4qtashjm644daxg6jm"),
    (8 * MIB + 12_345, 8 * MIB, "bafybeie66hhf2oh7rhip5xvs35zddjllksv2kza6ugisuktauxfpij2cjq"),
    (24 * MIB, 8 * MIB, "bafybeicgaj4anqtsxp672du6ykra4knpj4urq5m7zkpdmxqzwwmhkyr3zu"),
    (25 * MIB + 1, 8 * MIB, "bafybeigu33oxwojp67c24inajtceeurx3jtpyuea4qtashjm644daxg6jm"),
];

/// Byte i is the top byte of the low 32 bits of (i mod 8 MiB) * 0x9e3779b1.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| ((at % (8 * MIB)) as u32).wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect()
}

#[tokio::test]
async fn parts_of_five_and_eight_mebibytes_have_the_cid_of_the_whole() {
    let server = Server::start().await;
    for (size, part_size, cid) in VECTORS {
        let body = pattern(size);
        let begun = server.request("POST", "/bucket/parts?uploads").send().await.expect_status(200);
        let id = begun.element("UploadId");
        let mut list = String::new();
        for (at, part) in body.chunks(part_size).enumerate() {
            let number = (at + 1).to_string();
            let put = server.put("/bucket/parts", part).query("partNumber", &number).query("uploadId", &id);
            let etag = put.send().await.expect_status(200).header("etag").to_owned();
            list.push_str(&format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"));
        }
        let document = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        let complete = server.request("POST", "/bucket/parts").query("uploadId", &id).body(document);
        assert_eq!(complete.send().await.expect_status(200).header("x-carob-cid"), cid, "{size} in parts");
        let single = server.put("/bucket/whole", body).send().await.expect_status(200);
        assert_eq!(single.header("x-carob-cid"), cid, "{size} at once");
    }
}
