// `serve` against Fastify with the floor inside: requests a second and the slowest of a hundred, in turns, each server a process of its own.
// The load comes from wrk, a Debian package: a client in JavaScript would be the slower part.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
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

/** Asks with different keys in turn, as a server meets them; each request is put together before the first is sent. */
const script = (keys) => `
local ready, turn = {}, 0
function init()
  for key in io.lines(${JSON.stringify(keys)}) do
    ready[#ready + 1] = wrk.format("GET", nil, { authorization = "Bearer " .. key, ["x-forwarded-method"] = "GET", ["x-forwarded-uri"] = "/check-ins/7" })
  end
end
function request()
  turn = turn % #ready + 1
  return ready[turn]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"us":%d,"p99":%f,"refused":%d,"failed":%d}', summary.requests, summary.duration, latency:percentile(99), errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end`;

function load(url, lua, seconds) {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', lua, url];
  const output = execFileSync('wrk', args, { encoding: 'utf8' });
  const { requests, us, p99, refused, failed } = JSON.parse(/\{.*\}$/m.exec(output)?.[0] ?? '{}');
  if (refused > 0 || failed > 0) throw new Error(`${refused} refusals, ${failed} failures`);
  return { rate: requests / us, p99 };
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
  const lua = path.join(scratch, 'load.lua');
  writeFileSync(lua, script(keys));
  const tool = path.join(here, '../bin/unlockos-keys.js');
  const flags = ['--environment', 'live', '--listen', '127.0.0.1:0', '--require', rules, '--store', file];
  const ours = await start([tool, 'serve', ...flags]);
  const floor = await start([path.join(here, 'floor-serve.mjs'), file, keys]);
  try {
    for (const { url } of [ours, floor]) load(url, lua, 2);
    const rates = [];
    const slowest = [];
    for (let round = 0; round < ROUNDS; round++) {
      const pair = [];
      for (const { url } of round % 2 === 0 ? [ours, floor] : [floor, ours]) pair.push(load(url, lua, SECONDS));
      const [us, least] = round % 2 === 0 ? pair : pair.reverse();
      rates.push(us.rate / least.rate);
      slowest.push(us.p99 / least.p99);
    }
    report('serve /auth with rules, limits and marks: rate / Fastify with the floor', rates, 0.9, 'x', 'least');
    report('serve /auth: p99 / Fastify with the floor', slowest, 1.5);
  } finally {
    ours.stop();
    floor.stop();
  }
}
