// `serve` compared with a Fastify server that does the minimum: requests per second and the 99th percentile, measured in turns. Each
// server is its own process. The load comes from wrk, a Debian package: a client in JavaScript would be slower than the servers.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
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
const LOCKED_SECONDS = 12;

async function start(args) {
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const line of createInterface({ input: child.stderr })) {
    if (!line.includes('"listening"')) continue;
    return { url: `http://${JSON.parse(line).address}/auth`, stop: () => child.kill('SIGKILL') };
  }
  throw new Error(`${args[0]} did not listen`);
}

/** Uses different keys in turn, as real traffic does; each request is built before the first is sent. */
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

/** Another process that holds the write lock of a store until it is killed. */
async function holdLock(file) {
  const code = `const db = new (require('libsql'))(process.argv[1]); db.exec('begin immediate'); console.log('held'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', code, file], { cwd: here, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

/** The 99th percentile while another process holds the lock, for longer than marks wait, compared with that without. */
async function whileLocked(args, limits, file, lua) {
  const server = await start([...args, '--limits', limits]);
  let holder;
  try {
    load(server.url, lua, 2);
    const free = load(server.url, lua, LOCKED_SECONDS);
    holder = await holdLock(file);
    const locked = load(server.url, lua, LOCKED_SECONDS, limits === 'shared');
    report(`serve /auth, limits ${limits}, write lock held elsewhere: p99 / without`, [locked.p99 / free.p99], 3);
  } finally {
    holder?.kill('SIGKILL');
    server.stop();
  }
}

function load(url, lua, seconds, mayRefuse = false) {
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', lua, url];
  const output = execFileSync('wrk', args, { encoding: 'utf8' });
  const { requests, us, p99, refused, failed } = JSON.parse(/\{.*\}$/m.exec(output)?.[0] ?? '{}');
  if ((refused > 0 && !mayRefuse) || failed > 0) throw new Error(`${refused} refusals, ${failed} failures`);
  return { rate: requests / us, p99 };
}

/** The group `serve` of run.mjs. It is skipped without wrk. */
export async function serve(scratch, count = 100_000) {
  if (spawnSync('wrk', ['-v']).error) {
    console.log('serve: skipped, wrk is not installed (apt-get install wrk)');
    return;
  }
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
    report('serve /auth with rules, limits and usage: rate / Fastify', rates, 1, 'x', 'least');
    report('serve /auth: p99 / Fastify', slowest, 1.5);
  } finally {
    ours.stop();
    floor.stop();
  }
  for (const limits of ['memory', 'shared']) await whileLocked([tool, 'serve', ...flags], limits, file, lua);
}
