// The verifier compared with the minimum that a correct one does on every call: SHA-256, one prepared read, a comparison in constant
// time, and a check of status and expiry.
import { hash, timingSafeEqual } from 'node:crypto';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { checksum, mintKeyString } from '../dist/domain/key-parts.js';
import { newPepper, Peppers } from '../dist/domain/peppers.js';
import { createVerifier } from '../dist/index.js';
import { Keyring } from '../dist/keyring/keyring.js';
import { openStore } from '../dist/store/open.js';
import Database from './database.cjs';
import { makeStore } from './make-store.mjs';
import { functionRatios, median, quietRatios, report } from './measure.mjs';

const BUSY_KEYS = 500;
const BATCH = 200;

export const pepper = newPepper();

/** Creates keys whose key strings are known; the other keys only fill the store. */
export async function busyKeys(file, { scheme = 'bcrypt', count = BUSY_KEYS, hashCost = 4 } = {}) {
  const by = () => ({ actor: null, osUser: 'bench', host: 'bench', tool: 'bench' });
  const store = await openStore(file, { create: false, makeParent: false, timeoutMs: 5000, by, now: () => new Date() });
  const keyring = new Keyring(store, {
    by,
    hashCost,
    peppers: Peppers.parse(pepper.line, 'bench'),
  });
  await keyring.setStoreHash(scheme);
  const inputs = Array.from({ length: count }, (_, i) => ({
    name: `busy ${scheme} ${hashCost} ${i}`,
    mode: 'live',
    scopes: ['checkin:read', 'plan:read'],
    rateLimit: { limit: 1_000_000, windowSeconds: 86_400 }, // never used up here
  }));
  const made = [];
  for (let from = 0; from < count; from += 1000) made.push(...(await keyring.create(inputs.slice(from, from + 1000))));
  await keyring.close();
  return made.map(({ keyString }) => keyString);
}

/** The floor, with the same interface. */
function floorVerifier(file, keyStrings) {
  const db = new Database(file, { readonly: true });
  const get = db.prepare('SELECT id, status, expires_at, scopes FROM api_keys WHERE id = ?');
  const digests = new Map(keyStrings.map((each) => [each.slice(10, 22), hash('sha256', each, 'buffer')]));
  return {
    verify: (keyString) => {
      const digest = hash('sha256', keyString, 'buffer');
      const row = get.get(keyString.slice(10, 22));
      const known = digests.get(keyString.slice(10, 22));
      return (
        row !== undefined &&
        known !== undefined &&
        timingSafeEqual(known, digest) &&
        row.status === 'active' &&
        row.expires_at === null
      );
    },
    close: () => db.close(),
  };
}

/** A function that calls `call` for a batch of keys, one after another. */
function batch(keyStrings, call, calls = BATCH) {
  let next = 0;
  return async () => {
    for (let i = 0; i < calls; i++) {
      next = (next + 1) % keyStrings.length;
      await call(keyStrings[next]);
    }
  };
}

const needs = { scopes: ['checkin:read'] };

function forged(keyString) {
  const body = keyString.slice(0, 23) + mintKeyString('live').secret;
  return body + checksum(body);
}

/** Microseconds of single calls: the median and the 99th percentile. */
async function spread(keyStrings, call) {
  const times = [];
  for (let round = 0; round < 20_000; round++) {
    const start = process.hrtime.bigint();
    await call(keyStrings[round % keyStrings.length]);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return { p50: median(times), p99: times[Math.floor(times.length * 0.99)] };
}

async function atSize(file, name, scheme) {
  const keyStrings = await busyKeys(file, { scheme });
  const floor = floorVerifier(file, keyStrings);
  const least = batch(keyStrings, floor.verify);
  const open = (more) => createVerifier({ store: file, environment: 'live', peppers: pepper.line, ...more });
  const bare = await open({ rateLimit: 'off', markUsed: false });
  const counting = await open({ rateLimit: 'off' });
  const whole = await open({});
  for (const verifier of [bare, counting, whole])
    for (const keyString of keyStrings) {
      const { verdict } = await verifier.verify(keyString, needs);
      if (verdict !== 'valid') throw new Error(`a warm-up verification was ${verdict}`);
    }
  const call = (verifier) => (keyString) => verifier.verify(keyString, needs);
  const inverse = async (a, b) => (await functionRatios(a, b)).map((ratio) => 1 / ratio);
  report(`${name}: warm, rate / floor`, await inverse(batch(keyStrings, call(bare)), least), 1.5, 'x', 'least');
  const each = [bare, counting, whole].map((verifier) => batch(keyStrings, call(verifier), 100));
  const [counted, limited] = await quietRatios(each);
  report(`${name}: with usage, rate / without`, [counted], 0.97, 'x', 'least');
  report(`${name}: with limit and usage, rate / without`, [limited], 0.97, 'x', 'least');
  const wrong = keyStrings.map(forged);
  report(`${name}: wrong secrets, rate / floor`, await inverse(batch(wrong, call(whole)), least), 1, 'x', 'least');
  const { p50, p99 } = await spread(keyStrings, call(whole));
  report(`${name}: p99 / p50 of a warm call`, [p99 / p50], 3);
  await bare.close();
  await counting.close();
  await whole.close();
  floor.close();
}

/** The first verification of each key in a new process, one after another. */
async function cold(file, name, options) {
  const keyStrings = await busyKeys(file, options);
  const rates = [];
  for (let round = 0; round < 5; round++) {
    const verifier = await createVerifier({ store: file, environment: 'live', peppers: pepper.line });
    const start = performance.now();
    for (const keyString of keyStrings) await verifier.verify(keyString, needs);
    rates.push((keyStrings.length / (performance.now() - start)) * 1000);
    await verifier.close();
  }
  report(`cold verifications, ${name}`, rates, null, '/s');
}

/** Thousands of wrong secrets a second for existing ids: the effect on the event loop and on valid keys. */
async function attack(file) {
  await makeStore(file, 1000);
  const keyStrings = await busyKeys(file);
  const verifier = await createVerifier({ store: file, environment: 'live' });
  for (const keyString of keyStrings) await verifier.verify(keyString, needs);
  const proofs = verifier.counters.bcrypt;
  const lag = monitorEventLoopDelay({ resolution: 5 });
  lag.enable();
  let wrong = 0;
  const end = performance.now() + 2000;
  const start = performance.now();
  while (performance.now() < end) {
    await Promise.all(
      Array.from({ length: 50 }, () => verifier.verify(forged(keyStrings[wrong++ % BUSY_KEYS]), needs)),
    );
    const { verdict } = await verifier.verify(keyStrings[wrong % BUSY_KEYS], needs);
    if (verdict !== 'valid') throw new Error(`a valid key was ${verdict} under attack`);
    await new Promise(setImmediate);
  }
  lag.disable();
  report('attack: wrong secrets a second', [(wrong / (performance.now() - start)) * 1000], null, '/s');
  report('attack: bcrypt runs', [verifier.counters.bcrypt - proofs], 0, '');
  report('attack: longest stall of the event loop', [lag.max / 1e6], 50, 'ms');
  await verifier.close();
}

/** The group `verify` of run.mjs. */
export async function verify(scratch, sizes = [1000, 100_000, 1_000_000]) {
  for (const count of sizes) {
    const file = path.join(scratch, `verify-${count}.db`);
    await makeStore(file, count);
    await atSize(file, `${count.toLocaleString('en')} keys, bcrypt`, 'bcrypt');
    await atSize(file, `${count.toLocaleString('en')} keys, hmac-sha256`, `hmac-sha256:${pepper.id}`);
    if (count !== sizes[0]) continue;
    await cold(file, 'bcrypt', { count: 10, hashCost: 10 });
    await cold(file, 'hmac-sha256', { scheme: `hmac-sha256:${pepper.id}`, hashCost: 5 });
    await attack(path.join(scratch, 'attack.db'));
  }
}
