// AWS SDK for JavaScript v3: a tree with awkward keys, its own multipart uploader, copies, presigned URLs,
// checksums of every algorithm, conditions. Endpoint, region and keys come from the AWS_* environment.
"use strict";

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { Readable } = require("node:stream");
const { setTimeout } = require("node:timers/promises");
const S3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");
const { each, plain, refused, run, same } = require("./session.cjs");

const MIB = 1 << 20;
const [work] = process.argv.slice(2);
const files = JSON.parse(fs.readFileSync(path.join(work, "manifest.json")));
const BUCKET = "aws-sdk-js";
const OTHER = "aws-sdk-js-other";
const s3 = new S3.S3({ forcePathStyle: true });

const bodyOf = (file) => fs.readFileSync(file.path);
const md5 = (bytes) => crypto.createHash("md5").update(bytes).digest("hex");
const read = async (answer) => Buffer.from(await answer.Body.transformToByteArray());
const get = async (parameters) => read(await s3.getObject({ Bucket: BUCKET, ...parameters }));
const byBytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
// The path of a copy source is percent-encoded by the caller.
const source = (key, bucket = BUCKET) => `${bucket}/${key.split("/").map(encodeURIComponent).join("/")}`;

/** Bytes that follow from `seed`. */
function noise(size, seed) {
  const cipher = crypto.createCipheriv("aes-128-ctr", Buffer.alloc(16, seed), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(size));
}

const BIG = { Key: "big object/ü+%.bin", body: noise(17 * MIB + 12345, 7) };

async function buckets() {
  for (const Bucket of [BUCKET, OTHER]) {
    await refused("NotFound", 404, () => s3.headBucket({ Bucket }));
    await s3.createBucket({ Bucket });
    await s3.headBucket({ Bucket });
  }
  const names = (await s3.listBuckets({})).Buckets.map((bucket) => bucket.Name);
  assert.ok(names.includes(BUCKET) && names.includes(OTHER), `missing in ${names}`);
  await refused("NoSuchBucket", 404, () => s3.listObjectsV2({ Bucket: "no-such-bucket" }));
}

async function smallObjects() {
  await each(files, async (file) => {
    const answer = await s3.putObject({ Bucket: BUCKET, Key: file.key, Body: bodyOf(file), ContentLength: file.size, Metadata: { size: `${file.size}` } });
    assert.equal(answer.ETag, file.etag, file.key);
  });
  return `${files.length} objects, ${files.reduce((sum, file) => sum + file.size, 0) >> 20} MiB`;
}

async function listings() {
  const got = [];
  for await (const page of S3.paginateListObjectsV2({ client: s3, pageSize: 100 }, { Bucket: BUCKET })) {
    got.push(...page.Contents.map((entry) => [entry.Key, entry.Size, entry.ETag]));
  }
  const want = files.map((file) => [file.key, file.size, file.etag]).sort((a, b) => byBytes(a[0], b[0]));
  assert.deepEqual(got, want);
  const top = new Set(files.map((file) => file.key.replace(/^([^/]*\/).*/s, "$1")));
  const found = [];
  for await (const page of S3.paginateListObjectsV2({ client: s3, pageSize: 7 }, { Bucket: BUCKET, Delimiter: "/" })) {
    found.push(...(page.Contents ?? []).map((entry) => entry.Key));
    found.push(...(page.CommonPrefixes ?? []).map((entry) => entry.Prefix));
  }
  assert.deepEqual(found.sort(byBytes), [...top].sort(byBytes));
  const urls = await s3.listObjects({ Bucket: BUCKET, EncodingType: "url", MaxKeys: 1000 });
  assert.deepEqual(urls.Contents.map((entry) => decodeURIComponent(entry.Key.replaceAll("+", " "))), want.slice(0, 1000).map(([key]) => key));
}

async function moreThanAThousandKeys() {
  const keys = Array.from({ length: 2345 }, (_, n) => `many/${String(n).padStart(4, "0")}`);
  await each(keys, (Key) => s3.putObject({ Bucket: OTHER, Key, Body: "", ContentLength: 0 }));
  const pages = [];
  for await (const page of S3.paginateListObjectsV2({ client: s3 }, { Bucket: OTHER, Prefix: "many/" })) {
    pages.push(page.Contents.map((entry) => entry.Key));
  }
  assert.deepEqual(pages.map((page) => page.length), [1000, 1000, 345]);
  assert.deepEqual(pages.flat(), keys);
  for (const page of pages) {
    const answer = await s3.deleteObjects({ Bucket: OTHER, Delete: { Objects: page.map((Key) => ({ Key })) } });
    assert.equal(answer.Errors, undefined);
    assert.deepEqual(answer.Deleted.map((entry) => entry.Key).sort(), page);
  }
  assert.equal((await s3.listObjectsV2({ Bucket: OTHER })).KeyCount, 0);
}

async function wholeBodies() {
  await each(files, async (file) => {
    const answer = await s3.getObject({ Bucket: BUCKET, Key: file.key });
    assert.deepEqual([answer.ContentLength, answer.ETag, answer.Metadata.size], [file.size, file.etag, `${file.size}`]);
    same(JSON.stringify(file.key), await read(answer), bodyOf(file));
    const head = await s3.headObject({ Bucket: BUCKET, Key: file.key });
    assert.deepEqual([head.ContentLength, head.ETag], [file.size, file.etag]);
  });
}

/** A body of known length that comes as a stream goes out with its checksum in a trailer. */
async function streams() {
  for (const file of files.filter((file) => file.size > 100_000).slice(0, 20)) {
    const Body = fs.createReadStream(file.path);
    const answer = await s3.putObject({ Bucket: BUCKET, Key: "stream", Body, ContentLength: file.size });
    assert.equal(answer.ETag, file.etag);
    assert.ok(answer.ChecksumCRC32, "no CRC32 of a streamed body");
    const head = await s3.headObject({ Bucket: BUCKET, Key: "stream", ChecksumMode: "ENABLED" });
    assert.equal(head.ChecksumCRC32, answer.ChecksumCRC32);
    assert.equal(head.ContentEncoding, undefined);
    same(file.key, await get({ Key: "stream" }), bodyOf(file));
  }
}

/** The SDK's own uploader, from a buffer and from a stream of unknown length. */
async function multipart() {
  const parts = [];
  for (let at = 0; at < BIG.body.length; at += 5 * MIB) {
    parts.push(crypto.createHash("md5").update(BIG.body.subarray(at, at + 5 * MIB)).digest());
  }
  const etag = `"${md5(Buffer.concat(parts))}-${parts.length}"`;
  const pieces = Array.from({ length: 18 }, (_, n) => BIG.body.subarray(n * MIB, (n + 1) * MIB));
  for (const Body of [BIG.body, Readable.from(pieces)]) {
    const parameters = { Bucket: BUCKET, Key: BIG.Key, Body, Metadata: { a: "b" }, ContentType: "x/y" };
    const answer = await new Upload({ client: s3, params: parameters }).done();
    assert.deepEqual([answer.ETag, answer.Bucket, answer.Key], [etag, BUCKET, BIG.Key]);
    const whole = await s3.getObject({ Bucket: BUCKET, Key: BIG.Key });
    assert.deepEqual([whole.ETag, whole.Metadata.a, whole.ContentType], [etag, "b", "x/y"]);
    same("multipart", await read(whole), BIG.body);
  }
  const small = await new Upload({ client: s3, params: { Bucket: BUCKET, Key: "small", Body: "x" } }).done();
  assert.equal(small.ETag, `"${md5("x")}"`);
}

async function readParts() {
  const where = { Bucket: BUCKET, Key: BIG.Key };
  const head = await s3.headObject({ ...where, PartNumber: 1 });
  assert.deepEqual([head.PartsCount, head.ContentLength], [4, 5 * MIB]);
  const last = await s3.getObject({ ...where, PartNumber: 4 });
  assert.equal(last.ContentRange, `bytes ${15 * MIB}-${BIG.body.length - 1}/${BIG.body.length}`);
  same("part 4", await read(last), BIG.body.subarray(15 * MIB));
  const ObjectAttributes = ["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"];
  const about = await s3.getObjectAttributes({ ...where, ObjectAttributes, MaxParts: 3 });
  assert.deepEqual([about.ObjectSize, about.ObjectParts.TotalPartsCount], [BIG.body.length, 4]);
  assert.equal(`"${about.ETag}"`, head.ETag);
}

async function ranges() {
  const size = BIG.body.length;
  const wanted = [["0-0", 0, 1], [`${5 * MIB - 1}-${5 * MIB}`, 5 * MIB - 1, 5 * MIB + 1], [`${MIB + 7}-`, MIB + 7, size], ["-100", size - 100, size]];
  for (const [range, from, to] of wanted) {
    const answer = await s3.getObject({ Bucket: BUCKET, Key: BIG.Key, Range: `bytes=${range}` });
    assert.equal(answer.ContentRange, `bytes ${from}-${to - 1}/${size}`);
    same(range, await read(answer), BIG.body.subarray(from, to));
  }
  await refused("InvalidRange", 416, () => get({ Key: BIG.Key, Range: `bytes=${size}-` }));
}

async function metadata() {
  const sent = {
    CacheControl: "max-age=60", ContentDisposition: 'attachment; filename="a b"', ContentEncoding: "gzip",
    ContentLanguage: "de", ContentType: "text/plain; charset=utf-8", Metadata: { one: "1", two: "two words" },
  };
  await s3.putObject({ Bucket: BUCKET, Key: "meta data", Body: "x", ...sent });
  const head = await s3.headObject({ Bucket: BUCKET, Key: "meta data" });
  for (const [name, value] of Object.entries(sent)) assert.deepEqual(head[name], value, name);
}

async function copies() {
  await each(files, async (file) => {
    const answer = await s3.copyObject({ Bucket: OTHER, Key: file.key, CopySource: source(file.key) });
    assert.equal(answer.CopyObjectResult.ETag, file.etag);
    same(file.key, await get({ Bucket: OTHER, Key: file.key }), bodyOf(file));
  });
  const replace = { CopySource: source("meta data"), MetadataDirective: "REPLACE", Metadata: { three: "3" } };
  await s3.copyObject({ Bucket: OTHER, Key: "replaced", ...replace });
  assert.deepEqual((await s3.headObject({ Bucket: OTHER, Key: "replaced" })).Metadata, { three: "3" });
  const self = { Bucket: BUCKET, Key: "meta data", CopySource: source("meta data") };
  await refused("InvalidRequest", 400, () => s3.copyObject(self));
  const stale = { ...self, Bucket: OTHER, CopySourceIfMatch: '"other"' };
  await refused("PreconditionFailed", 412, () => s3.copyObject(stale));
}

async function multipartCopies() {
  const where = { Bucket: OTHER, Key: "composed ü" };
  const { UploadId } = await s3.createMultipartUpload({ ...where, Metadata: { four: "4" } });
  const Parts = [];
  const ranges = [[0, 5 * MIB], [3, 6 * MIB + 3], [100, 200]];
  for (const [n, [from, to]] of ranges.entries()) {
    const PartNumber = 2 * n + 1;
    const part = { ...where, UploadId, PartNumber, CopySource: source(BIG.Key), CopySourceRange: `bytes=${from}-${to - 1}` };
    const { CopyPartResult } = await s3.uploadPartCopy(part);
    assert.equal(CopyPartResult.ETag, `"${md5(BIG.body.subarray(from, to))}"`);
    Parts.push({ PartNumber, ETag: CopyPartResult.ETag });
  }
  await s3.completeMultipartUpload({ ...where, UploadId, MultipartUpload: { Parts } });
  const want = Buffer.concat(ranges.map(([from, to]) => BIG.body.subarray(from, to)));
  same("composed", await get(where), want);
  assert.deepEqual((await s3.headObject(where)).Metadata, { four: "4" });
}

async function uploads() {
  const keys = ["up/a b", "up/ü%", "up/ü%"];
  const ids = [];
  for (const Key of keys) ids.push((await s3.createMultipartUpload({ Bucket: BUCKET, Key })).UploadId);
  const where = { Bucket: BUCKET, Key: keys[0], UploadId: ids[0] };
  const Body = BIG.body.subarray(0, 5 * MIB);
  for (const PartNumber of [1, 3]) await s3.uploadPart({ ...where, PartNumber, Body });
  const listed = await s3.listMultipartUploads({ Bucket: BUCKET, Prefix: "up/" });
  assert.deepEqual(listed.Uploads.map((upload) => [upload.Key, upload.UploadId]).sort(), keys.map((key, n) => [key, ids[n]]).sort());
  const parts = [];
  for await (const page of S3.paginateListParts({ client: s3, pageSize: 1 }, where)) {
    parts.push(...page.Parts);
    // The paginator itself goes on for ever, against Amazon S3 as well.
    if (!page.IsTruncated) break;
  }
  assert.deepEqual(parts.map((part) => [part.PartNumber, part.Size, part.ETag]), [1, 3].map((n) => [n, Body.length, `"${md5(Body)}"`]));
  for (const [n, Key] of keys.entries()) await s3.abortMultipartUpload({ Bucket: BUCKET, Key, UploadId: ids[n] });
  await refused("NoSuchUpload", 404, () => s3.listParts(where));

  const upload = new Upload({ client: s3, params: { Bucket: BUCKET, Key: "aborted", Body: BIG.body }, queueSize: 1 });
  upload.on("httpUploadProgress", () => upload.abort());
  await assert.rejects(upload.done(), { name: "AbortError" });
  await refused("NotFound", 404, () => s3.headObject({ Bucket: BUCKET, Key: "aborted" }));
  // The promise is rejected first, and the upload aborted behind it.
  const left = async () => (await s3.listMultipartUploads({ Bucket: BUCKET })).Uploads ?? [];
  for (let tries = 0; tries < 50 && (await left()).length > 0; tries += 1) await setTimeout(200);
  assert.deepEqual(await left(), []);
}

async function checksums() {
  const algorithms = { CRC32: 8, CRC32C: 8, CRC64NVME: 12, SHA1: 28, SHA256: 44 };
  for (const [ChecksumAlgorithm, length] of Object.entries(algorithms)) {
    const field = `Checksum${ChecksumAlgorithm}`;
    const where = { Bucket: BUCKET, Key: `summed/${ChecksumAlgorithm}` };
    for (const Body of [Buffer.from("some bytes"), fs.createReadStream(files.find((file) => file.size > 70_000).path)]) {
      const size = Body.path ? fs.statSync(Body.path).size : Body.length;
      const sent = await s3.putObject({ ...where, Body, ContentLength: size, ChecksumAlgorithm });
      assert.equal(sent[field]?.length, length, `${field}: ${sent[field]}`);
      const answer = await s3.getObject({ ...where, ChecksumMode: "ENABLED" });
      assert.equal(answer[field], sent[field]);
      assert.equal((await read(answer)).length, size);
    }
    // In parts: each part's own, and the whole's.
    const { Key, ...rest } = where;
    const upload = { client: s3, params: { ...rest, Key: `${Key}/parts`, Body: BIG.body, ChecksumAlgorithm } };
    const done = await new Upload(upload).done();
    const head = await s3.headObject({ ...rest, Key: `${Key}/parts`, ChecksumMode: "ENABLED" });
    assert.ok(done[field] && head[field] === done[field], `${field}: ${done[field]} and ${head[field]}`);
    const whole = await s3.getObject({ ...rest, Key: `${Key}/parts`, ChecksumMode: "ENABLED" });
    same(`${Key}/parts`, await read(whole), BIG.body);
  }
  const ChecksumSHA256 = crypto.createHash("sha256").update("other").digest("base64");
  await refused("BadDigest", 400, () => s3.putObject({ Bucket: BUCKET, Key: "bad", Body: "x", ChecksumSHA256 }));
  await refused("NotFound", 404, () => s3.headObject({ Bucket: BUCKET, Key: "bad" }));
}

async function presigned() {
  const body = Buffer.from("sent with a presigned URL");
  for (const Key of ["presigned", "pre signed/ü+%41&=?#", "tab\there", "soh\x01"]) {
    const where = { Bucket: BUCKET, Key };
    const sign = (command, more) => getSignedUrl(s3, command, { expiresIn: 60, ...more });
    assert.equal((await plain("PUT", await sign(new S3.PutObjectCommand(where)), { body })).status, 200);
    const url = await sign(new S3.GetObjectCommand({ ...where, ResponseContentType: "a/b c" }));
    const whole = await plain("GET", url);
    assert.deepEqual([whole.status, whole.headers["content-type"], whole.body], [200, "a/b c", body]);
    const part = await plain("GET", url, { headers: { range: "bytes=5-8" } });
    assert.deepEqual([part.status, part.body], [206, body.subarray(5, 9)]);
    assert.equal((await plain("PUT", url, { body })).status, 403);
    assert.equal((await plain("HEAD", await sign(new S3.HeadObjectCommand(where)))).status, 200);
    assert.equal((await plain("DELETE", await sign(new S3.DeleteObjectCommand(where)))).status, 204);
  }
  const signingDate = new Date(Date.now() - 10_000);
  const get = new S3.GetObjectCommand({ Bucket: BUCKET, Key: "meta data" });
  assert.equal((await plain("GET", await getSignedUrl(s3, get, { expiresIn: 5, signingDate }))).status, 403);

  // An upload in parts by someone who has nothing but URLs.
  const where = { Bucket: BUCKET, Key: "presigned parts" };
  const { UploadId } = await s3.createMultipartUpload(where);
  const part = await getSignedUrl(s3, new S3.UploadPartCommand({ ...where, UploadId, PartNumber: 1 }));
  const sent = await plain("PUT", part, { body: BIG.body });
  assert.deepEqual([sent.status, sent.headers.etag], [200, `"${md5(BIG.body)}"`]);
  const complete = await getSignedUrl(s3, new S3.CompleteMultipartUploadCommand({ ...where, UploadId }));
  const xml = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${sent.headers.etag}</ETag></Part></CompleteMultipartUpload>`;
  const done = await plain("POST", complete, { body: xml });
  assert.equal(done.status, 200, done.body.toString());
  same("presigned parts", await read(await s3.getObject(where)), BIG.body);
}

async function conditions() {
  const where = { Bucket: BUCKET, Key: "once" };
  const { ETag } = await s3.putObject({ ...where, Body: "1", IfNoneMatch: "*" });
  await refused("PreconditionFailed", 412, () => s3.putObject({ ...where, Body: "2", IfNoneMatch: "*" }));
  await refused("PreconditionFailed", 412, () => s3.putObject({ ...where, Body: "2", IfMatch: '"other"' }));
  await s3.putObject({ ...where, Body: "2", IfMatch: ETag });
  assert.equal((await get(where)).toString(), "2");
  await refused("NoSuchKey", 404, () => s3.putObject({ ...where, Key: "absent", Body: "x", IfMatch: ETag }));
  await refused("PreconditionFailed", 412, () => get({ ...where, IfMatch: ETag }));
  const now = await s3.headObject(where);
  await assert.rejects(s3.headObject({ ...where, IfNoneMatch: now.ETag }), (error) => error.$metadata?.httpStatusCode === 304);
  const upload = new Upload({ client: s3, params: { ...where, Body: BIG.body, IfNoneMatch: "*" } });
  await refused("PreconditionFailed", 412, () => upload.done());
  assert.equal((await get(where)).toString(), "2");
  const race = Array.from({ length: 16 }, (_, n) => s3.putObject({ ...where, Key: "race", Body: `${n}`, IfNoneMatch: "*" }));
  const winners = (await Promise.allSettled(race)).map(({ status }, n) => [status, n]).filter(([status]) => status === "fulfilled");
  assert.equal(winners.length, 1);
  assert.equal((await get({ ...where, Key: "race" })).toString(), `${winners[0][1]}`);
}

async function remove() {
  await refused("BucketNotEmpty", 409, () => s3.deleteBucket({ Bucket: BUCKET }));
  for (const Bucket of [BUCKET, OTHER]) {
    for (const file of files.filter((file) => !file.inXml)) await s3.deleteObject({ Bucket, Key: file.key });
    for await (const page of S3.paginateListObjectsV2({ client: s3 }, { Bucket })) {
      const Objects = page.Contents.map(({ Key }) => ({ Key }));
      const answer = await s3.deleteObjects({ Bucket, Delete: { Objects, Quiet: true } });
      assert.deepEqual([answer.Errors, answer.Deleted], [undefined, undefined]);
    }
    assert.equal((await s3.listObjectsV2({ Bucket })).KeyCount, 0);
    await s3.deleteBucket({ Bucket });
  }
}

run("aws_sdk_js", [
  buckets, smallObjects, listings, moreThanAThousandKeys, wholeBodies, streams, multipart, readParts, ranges,
  metadata, copies, multipartCopies, uploads, checksums, presigned, conditions, remove,
]);
