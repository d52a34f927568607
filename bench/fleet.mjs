// A verifier that keeps the keys of a server for `maxStaleMs`, compared with one on a local store that holds the same keys. Both record use and
// enforce limits. They take turns, and all of their time counts: the questions that the server is asked between the calls, too.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { createVerifier, openKeyring } from '../dist/index.js';
import { Keyring } from '../dist/keyring/keyring.js';
import { openStore } from '../dist/store/open.js';
import { median, report } from './measure.mjs';
import { countingProxy, startServer } from './remote.mjs';
import { busyKeys, pepper } from './verify.mjs';

const KEYS = 10_000;
const MAX_STALE_MS = 1000;
/** How long each of the two runs: rows of a server are read again once a minute. */
const RUN_MS = 60_000;
const SLICE_MS = 50;
/** Calls between two turns of the event loop. */
const CALLS = 100;

const needs = { scopes: ['checkin:read'] };

/** Each key once, fifty at a time. */
async function warmUp(verifier, keyStrings) {
  for (let from = 0; from < keyStrings.length; from += 50)
    await Promise.all(keyStrings.slice(from, from + 50).map((each) => verifier.verify(each, needs)));
}

/** Verifies one key after the other, for a while at a time, and counts. */
function runner(verifier, keyStrings) {
  let next = 0;
  const total = { calls: 0, ms: 0, slices: [] };
  return {
    total,
    async slice(ms) {
      const start = performance.now();
      let calls = 0;
      let now = start;
      for (; now - start < ms; now = performance.now()) {
        for (let i = 0; i < CALLS; i++) {
          next = (next + 1) % keyStrings.length;
          const { verdict } = await verifier.verify(keyStrings[next], needs);
          if (verdict !== 'valid') throw new Error(`a key was ${verdict}`);
        }
        calls += CALLS;
        await turn();
      }
      total.calls += calls;
      total.ms += now - start;
      total.slices.push(calls / (now - start));
    },
  };
}

/** The same keys in a file and on a server. */
async function bothStores(scratch) {
  const file = path.join(scratch, 'fleet.db');
  await (await openKeyring({ store: file })).close();
  const keyStrings = await busyKeys(file, { scheme: `hmac-sha256:${pepper.id}`, count: KEYS });
  const dir = path.join(scratch, 'fleet');
  mkdirSync(dir);
  const server = await startServer(dir);
  const from = await openKeyring({ store: file });
  const by = () => ({ actor: null, osUser: 'bench', host: 'bench', tool: 'bench' });
  const options = { create: true, receive: true, makeParent: false, timeoutMs: 5000, by, now: () => new Date() };
  const to = new Keyring(await openStore(server.url, { ...options, token: server.token }), { by });
  await from.storeCopy(to);
  await from.close();
  await to.close();
  return { file, keyStrings, server };
}

/** The group `fleet` of run.mjs. */
export async function fleet(scratch) {
  console.log(`making ${KEYS.toLocaleString('en')} keys in a file and on a server …`);
  const { file, keyStrings, server } = await bothStores(scratch);
  const open = (more) => createVerifier({ environment: 'live', peppers: pepper.line, ...more });
  const remotely = (store) => open({ store, authToken: server.token, maxStaleMs: MAX_STALE_MS });
  const local = await open({ store: file });
  const remote = await remotely(server.url);
  const name = `${KEYS.toLocaleString('en')} keys on a server`;
  try {
    const runs = [local, remote].map((verifier) => runner(verifier, keyStrings));
    for (const verifier of [local, remote]) await warmUp(verifier, keyStrings);
    for (let ms = 0; ms < RUN_MS; ms += SLICE_MS) for (const each of runs) await each.slice(SLICE_MS);
    const [here, there] = runs.map(({ total }) => total);
    report(`${name}: rate / local rate`, [there.calls / there.ms / (here.calls / here.ms)], 0.9, 'x', 'least');
    report(`${name}: median rate / local`, [median(there.slices) / median(here.slices)], null);
    await counted(server, keyStrings, remotely);
  } finally {
    await local.close();
    await remote.close();
    server.stop();
  }
}

/** What reaches the server while all keys are busy. */
async function counted(server, keyStrings, remotely) {
  const proxy = await countingProxy(server.url);
  const verifier = await remotely(proxy.url);
  const run = runner(verifier, keyStrings);
  await warmUp(verifier, keyStrings);
  const before = proxy.taken();
  await run.slice(RUN_MS);
  const perSecond = ((proxy.taken() - before) / RUN_MS) * 1000;
  report('requests to the server a second, with use recorded', [perSecond], null, '/s');
  await verifier.close();
  proxy.close();
}
