// `serve` against Fastify with the floor inside: requests a second and the slowest of a hundred, in turns, each server a process of its own.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { makeStore } from './make-store.mjs';
import { report } from './measure.mjs';
import { busyKeys } from './verify.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const ROUNDS = 7;
const SECONDS = 3;
const CONNECTIONS = 32;

async function start(args) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of createInterface({ input: child.stderr })) {
    if (!line.includes('"listening"')) continue;
    return { url: `http://${JSON.parse(line).address}/auth`, stop: () => child.kill('SIGKILL') };
  }
  throw new Error(`${args[0]} did not listen`);
}

/** Different keys in turn, as a server meets them. */
async function load(url, keyStrings, duration) {
  const requests = keyStrings.map((keyString) => ({
    method: 'GET',
    headers: {
      authorization: `Bearer ${keyString}`,
      'x-forwarded-method': 'GET',
      'x-forwarded-uri': '/check-ins/7',
    },
  }));
  const result = await autocannon({ url, connections: CONNECTIONS, duration, requests });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} refusals, ${result.errors} errors`);
  return { rate: result.requests.average, p99: result.latency.p99 };
}

/** The group `serve` of run.mjs. */
export async function serve(scratch, count = 100_000) {
  const file = path.join(scratch, 'serve.db');
  await makeStore(file, count);
  const keyStrings = (await busyKeys(file)).slice(0, 100);
  const keys = path.join(scratch, 'serve.keys');
  writeFileSync(keys, keyStrings.join('\n'), { mode: 0o600 });
  const rules = path.join(scratch, 'rules.yaml');
  writeFileSync(rules, '- { methods: [GET], path: /check-ins/**, scopes: [checkin:read] }\n');
  const tool = path.join(here, '../bin/unlockos-keys.js');
  const flags = ['--environment', 'live', '--listen', '127.0.0.1:0', '--require', rules, '--store', file];
  const ours = await start([tool, 'serve', ...flags]);
  const floor = await start([path.join(here, 'floor-serve.mjs'), file, keys]);
  try {
    for (const { url } of [ours, floor]) await load(url, keyStrings, 2);
    const rates = [];
    const slowest = [];
    for (let round = 0; round < ROUNDS; round++) {
      const pair = [];
      for (const { url } of round % 2 === 0 ? [ours, floor] : [floor, ours])
        pair.push(await load(url, keyStrings, SECONDS));
      const [us, least] = round % 2 === 0 ? pair : pair.reverse();
      rates.push(us.rate / least.rate);
      slowest.push((us.p99 + 1) / (least.p99 + 1)); // whole milliseconds, of which there may be none
    }
    report('serve /auth with rules, limits and marks: rate / Fastify with the floor', rates, 0.9, 'x', 'least');
    report('serve /auth: p99 / Fastify with the floor', slowest, 1.5);
  } finally {
    ours.stop();
    floor.stop();
  }
}
