// minio-js: put, parts, list, presigned URLs and forms, copies, versions, settings of buckets, removal.
"use strict";

const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { Readable } = require("node:stream");
const minio = require("minio");
const { each, plain, same } = require("../session.cjs");

const VERSION = require(path.join(process.env.NODE_PATH, "minio/package.json")).version;
const work = process.argv[2];
const BUCKET = "minio-js";
const MIB = 1 << 20;
const { hostname, port } = new URL(process.env.AWS_ENDPOINT_URL);
const client = new minio.Client({
  endPoint: hostname, port: Number(port), useSSL: false, partSize: 5 * MIB,
  accessKey: process.env.AWS_ACCESS_KEY_ID, secretKey: process.env.AWS_SECRET_ACCESS_KEY,
});
const large = crypto.randomBytes(17 * MIB + 3);

const read = async (stream) => Buffer.concat(await (await stream).toArray());
const list = async (prefix, recursive = true) => (await client.listObjectsV2(BUCKET, prefix, recursive).toArray());

/** The call must fail with this S3 error code. */
async function refused(code, call) {
  await assert.rejects(call, (error) => { assert.equal(error.code, code, String(error)); return true; });
}

async function put() {
  await client.makeBucket(BUCKET, "us-east-1");
  assert.equal(await client.bucketExists(BUCKET), true);
  assert.equal(await client.bucketExists("minio-js-absent"), false);
  assert.ok((await client.listBuckets()).some((bucket) => bucket.name === BUCKET));
  const metaData = { "Content-Type": "text/x-small", "X-Amz-Meta-Colour": "red" };
  await client.putObject(BUCKET, "small ü+%.txt", "a small body", undefined, metaData);
  const stat = await client.statObject(BUCKET, "small ü+%.txt");
  assert.deepEqual([stat.size, stat.metaData["content-type"], stat.metaData.colour], [12, "text/x-small", "red"]);
  assert.equal(stat.etag, crypto.createHash("md5").update("a small body").digest("hex"));
  await client.putObject(BUCKET, "empty", Buffer.alloc(0));
  same("empty", await read(client.getObject(BUCKET, "empty")), Buffer.alloc(0));
  await refused("NotFound", () => client.statObject(BUCKET, "absent"));
  await refused("NoSuchKey", () => client.getObject(BUCKET, "absent"));
}

async function parts() {
  fs.writeFileSync(path.join(work, "up"), large);
  const { etag } = await client.fPutObject(BUCKET, "large", path.join(work, "up"));
  assert.match(etag, /-[234]$/);
  // Of unknown length: one part, as minio-js sees it.
  await client.putObject(BUCKET, "stream", Readable.from([large.subarray(0, 7), large.subarray(7, MIB)]));
  same("stream", await read(client.getObject(BUCKET, "stream")), large.subarray(0, MIB));
  same("large", await read(client.getObject(BUCKET, "large")), large);
  same("partial", await read(client.getPartialObject(BUCKET, "large", 6 * MIB, MIB)), large.subarray(6 * MIB, 7 * MIB));
  await client.fPutObject(BUCKET, "from-file", __filename, { "Content-Type": "text/javascript" });
  assert.equal((await client.statObject(BUCKET, "from-file")).metaData["content-type"], "text/javascript");
  await client.fGetObject(BUCKET, "large", path.join(work, "down"));
  same("file", fs.readFileSync(path.join(work, "down")), large);
  const id = await client.initiateNewMultipartUpload(BUCKET, "unfinished", {});
  const open = await client.listIncompleteUploads(BUCKET, "", true).toArray();
  assert.deepEqual(open.map((upload) => [upload.key, upload.uploadId]), [["unfinished", id]]);
  await client.removeIncompleteUpload(BUCKET, "unfinished");
  assert.deepEqual(await client.listIncompleteUploads(BUCKET, "", true).toArray(), []);
  return `${large.length >> 20} MiB in parts`;
}

async function listed() {
  const names = Array.from({ length: 1100 }, (_, n) => `list/${String(n).padStart(4, "0")}`);
  await each(names, (name) => client.putObject(BUCKET, name, name));
  assert.deepEqual((await list("list/")).map((entry) => entry.name), names);
  assert.deepEqual((await client.listObjects(BUCKET, "list/", true).toArray()).map((entry) => entry.name), names);
  const top = (await list("", false)).map((entry) => entry.name ?? entry.prefix).sort();
  assert.deepEqual(top, ["empty", "from-file", "large", "list/", "small ü+%.txt", "stream"]);
  await client.removeObjects(BUCKET, names);
  assert.deepEqual(await list("list/"), []);
  return `${names.length} keys listed and removed`;
}

async function presigned() {
  const putUrl = await client.presignedPutObject(BUCKET, "signed/put ü", 60);
  assert.equal((await plain("PUT", putUrl, { body: "by URL" })).status, 200);
  const getUrl = await client.presignedGetObject(BUCKET, "signed/put ü", 60, { "response-content-type": "x/y" });
  const got = await plain("GET", getUrl);
  assert.deepEqual([got.status, got.body.toString(), got.headers["content-type"]], [200, "by URL", "x/y"]);
  assert.equal((await plain("GET", getUrl.replace(/.$/, (c) => (c === "0" ? "1" : "0")))).status, 403);
  const policy = client.newPostPolicy();
  policy.setBucket(BUCKET);
  policy.setKeyStartsWith("signed/form");
  policy.setContentLengthRange(1, 100);
  policy.setExpires(new Date(Date.now() + 60_000));
  const { postURL, formData } = await client.presignedPostPolicy(policy);
  const send = (key, body) => {
    const form = new FormData();
    for (const [name, value] of Object.entries({ ...formData, key })) form.append(name, value);
    form.append("file", new Blob([body]));
    return fetch(postURL, { method: "POST", body: form });
  };
  assert.equal((await send("signed/form-1", "by form")).status, 204);
  assert.equal((await send("signed/form-2", "x".repeat(101))).status, 400);
  assert.equal((await send("elsewhere", "by form")).status, 403);
  same("form", await read(client.getObject(BUCKET, "signed/form-1")), Buffer.from("by form"));
  return "presigned URLs and a form";
}

async function copied() {
  await client.copyObject(BUCKET, "copy/v1 ü", `/${BUCKET}/small ü+%.txt`);
  same("copy", await read(client.getObject(BUCKET, "copy/v1 ü")), Buffer.from("a small body"));
  await client.copyObject(
    new minio.CopySourceOptions({ Bucket: BUCKET, Object: "large" }),
    new minio.CopyDestinationOptions({
      Bucket: BUCKET, Object: "copy/large", MetadataDirective: "REPLACE", UserMetadata: { colour: "blue" },
    }),
  );
  assert.equal((await client.statObject(BUCKET, "copy/large")).metaData.colour, "blue");
  await client.composeObject(
    new minio.CopyDestinationOptions({ Bucket: BUCKET, Object: "copy/composed" }),
    ["large", "copy/large"].map((name) => new minio.CopySourceOptions({ Bucket: BUCKET, Object: name })),
  );
  same("composed", await read(client.getObject(BUCKET, "copy/composed")), Buffer.concat([large, large]));
  return "copied and composed";
}

async function versions() {
  const bucket = "minio-js-locked";
  await client.makeBucket(bucket, "us-east-1", { ObjectLocking: true });
  assert.equal((await client.getBucketVersioning(bucket)).Status, "Enabled");
  await client.setObjectLockConfig(bucket, { mode: "GOVERNANCE", unit: "Days", validity: 1 });
  assert.deepEqual(await client.getObjectLockConfig(bucket), {
    objectLockEnabled: "Enabled", mode: "GOVERNANCE", unit: "Days", validity: 1,
  });
  const ids = [];
  for (const body of ["one", "two"]) ids.push((await client.putObject(bucket, "k", body)).versionId);
  same("old", await read(client.getObject(bucket, "k", { versionId: ids[0] })), Buffer.from("one"));
  assert.equal((await client.getObjectRetention(bucket, "k", { versionId: ids[0] })).mode, "GOVERNANCE");
  await refused("AccessDenied", () => client.removeObject(bucket, "k", { versionId: ids[0] }));
  await client.setObjectLegalHold(bucket, "k", { versionId: ids[1], status: "ON" });
  assert.equal((await client.getObjectLegalHold(bucket, "k", { versionId: ids[1] })).Status, "ON");
  await client.setObjectLegalHold(bucket, "k", { versionId: ids[1], status: "OFF" });
  await client.removeObject(bucket, "k");
  const all = await client.listObjects(bucket, "", true, { IncludeVersion: true }).toArray();
  assert.deepEqual(all.map((entry) => Boolean(entry.isDeleteMarker)).sort(), [false, false, true]);
  for (const { versionId } of all) await client.removeObject(bucket, "k", { versionId, governanceBypass: true });
  await client.removeBucket(bucket);
  return "versions under retention";
}

async function settings() {
  await client.setBucketTagging(BUCKET, { team: "one" });
  assert.deepEqual(await client.getBucketTagging(BUCKET), [{ Key: "team", Value: "one" }]);
  await client.setObjectTagging(BUCKET, "large", { a: "b c" });
  assert.deepEqual(await client.getObjectTagging(BUCKET, "large"), [{ Key: "a", Value: "b c" }]);
  await client.removeObjectTagging(BUCKET, "large");
  const policy = {
    Version: "2012-10-17",
    Statement: [{
      Effect: "Allow", Principal: { AWS: ["*"] }, Action: ["s3:GetObject"],
      Resource: [`arn:aws:s3:::${BUCKET}/signed/*`],
    }],
  };
  await client.setBucketPolicy(BUCKET, JSON.stringify(policy));
  assert.deepEqual(JSON.parse(await client.getBucketPolicy(BUCKET)), policy);
  assert.equal((await plain("GET", `${process.env.AWS_ENDPOINT_URL}/${BUCKET}/signed/form-1`)).status, 200);
  assert.equal((await plain("GET", `${process.env.AWS_ENDPOINT_URL}/${BUCKET}/large`)).status, 403);
  const rule = { ID: "r", Status: "Enabled", Filter: { Prefix: "tmp/" }, Expiration: { Days: 3 } };
  await client.setBucketLifecycle(BUCKET, { Rule: [rule] });
  const { Rule } = await client.getBucketLifecycle(BUCKET);
  assert.equal([Rule].flat()[0].ID, "r");
  await client.removeBucketLifecycle(BUCKET);
  const sealed = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } };
  await client.setBucketEncryption(BUCKET, { Rule: [sealed] });
  await client.putObject(BUCKET, "encrypted", "kept closed");
  same("encrypted", await read(client.getObject(BUCKET, "encrypted")), Buffer.from("kept closed"));
  await client.removeBucketEncryption(BUCKET);
  // What is announced to nobody reads as just that.
  assert.deepEqual(await client.getBucketNotification(BUCKET), {
    TopicConfiguration: [], QueueConfiguration: [], CloudFunctionConfiguration: [],
  });
  return "tags, policy, lifecycle, encryption, notifications";
}

async function removed() {
  await client.removeObjects(BUCKET, (await list("")).map((entry) => entry.name));
  await client.removeBucket(BUCKET);
  assert.equal(await client.bucketExists(BUCKET), false);
}

(async () => {
  const begun = Date.now();
  const notes = [];
  for (const step of [put, parts, listed, presigned, copied, versions, settings, removed]) {
    try {
      notes.push(await step());
    } catch (error) {
      console.log(`FAILED minio-js ${VERSION}: ${step.name}\n${String(error.stack ?? error).slice(0, 4000)}`);
      process.exit(1);
    }
  }
  const seconds = ((Date.now() - begun) / 1000).toFixed(0);
  console.log(`ok     minio-js ${VERSION} (${seconds} s): ${notes.filter(Boolean).join("; ")}`);
})();
