// What a client script in JavaScript needs: its report, and checks. See session.py for the others.
"use strict";

const assert = require("node:assert/strict");
const http = require("node:http");

/** Fails unless both buffers hold the same bytes, and does not print them. */
function same(what, got, want) {
  assert.equal(got.length, want.length, `${what}: length`);
  assert.ok(got.equals(want), `${what}: other bytes`);
}

/** Runs `action` on every item, eight at a time. */
async function each(items, action) {
  const queue = items.values();
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (const item of queue) await action(item);
  }));
}

/** The call must fail with exactly this error and HTTP status. */
async function refused(code, status, call) {
  try {
    await call();
  } catch (error) {
    assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [code, status], String(error.stack));
    return;
  }
  assert.fail(`expected ${code}`);
}

/** A request by plain HTTP, the URL sent as it stands. */
function plain(method, url, { body, headers } = {}) {
  const { hostname, port } = new URL(url);
  const target = url.slice(url.indexOf("/", "http://".length));
  return new Promise((resolve, reject) => {
    const request = http.request({ method, hostname, port, path: target, headers, agent: false }, async (answer) => {
      const chunks = await answer.toArray();
      resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Runs `checks` in turn and exits; non-zero when one failed. The first sets the stage for the others. */
async function run(name, checks) {
  let passed = 0;
  let failed = 0;
  for (const check of checks) {
    const begun = Date.now();
    try {
      const note = (await check()) ?? "";
      passed += 1;
      console.log(`ok     ${check.name} (${((Date.now() - begun) / 1000).toFixed(1)} s) ${note}`.trimEnd());
    } catch (error) {
      failed += 1;
      console.log(`FAILED ${check.name}\n${String(error.stack ?? error).slice(0, 4000)}`);
      if (check === checks[0]) break;
    }
  }
  console.log(`${name}: ${passed} passed, ${failed} failed, ${checks.length - passed - failed} skipped`);
  process.exit(failed ? 1 : 0);
}

module.exports = { each, plain, refused, run, same };
