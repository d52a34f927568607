// Measures what docs/performance.md claims: `npm run bench`, or `node bench/run.mjs startup list create remote verify fleet serve yaml issue`.
// Reports ratios to a floor that is measured in the same run, and exits with 0 whatever they are. `--json` adds them as JSON.
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import bcrypt from 'bcryptjs';
import { openKeyring } from '../dist/index.js';
import { fleet } from './fleet.mjs';
import { issue } from './issue.mjs';
import { issueServer } from './issue-server.mjs';
import { makeStore } from './make-store.mjs';
import { allResults, functionRatios, processRatios, report } from './measure.mjs';
import { remote } from './remote.mjs';
import { serve } from './serve.mjs';
import { startup } from './startup.mjs';
import { verify } from './verify.mjs';
import { yaml } from './yaml.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const tool = path.join(here, '../bin/unlockos-keys.js');
const scratch = mkdtempSync(path.join(tmpdir(), 'unlockos-keys-bench-'));
const small = path.join(scratch, 'small.db');
const big = path.join(scratch, 'big.db');
const SMALL = 1000;
const BIG = 1_000_000;

const list = (store, ...more) => [tool, 'list', '--json', '--limit', '20', '--quiet', '--store', store, ...more];

/** The cursors of the middle page and of the last page. */
async function places(keyring, query) {
  const cursors = [];
  for (let cursor; ; ) {
    const { next } = await keyring.list({ ...query, limit: 50_000, cursor });
    if (next === null) break;
    cursors.push(next);
    cursor = next;
  }
  return { middle: cursors[cursors.length >> 1], last: cursors.at(-1) };
}

const FILTERS = [
  ['all', {}],
  ['active', { status: 'active' }],
  ['inactive', { status: 'inactive' }],
  ['expired', { status: 'expired' }],
  ['live', { mode: 'live' }],
  ['test', { mode: 'test' }],
  ['a common scope', { scopes: ['checkin:read'] }],
  ['a rare scope', { scopes: ['facility:read'] }],
  ['active, live, a scope', { status: 'active', mode: 'live', scopes: ['plan:read'] }],
  ...['name', 'last-used', 'expires'].flatMap((sort) => [
    [`by ${sort}`, { sort }],
    [`by ${sort}, inactive`, { sort, status: 'inactive' }],
    [`by ${sort}, a scope`, { sort, scopes: ['plan:read'] }],
  ]),
];

async function lists() {
  console.log(`making a store of ${BIG.toLocaleString('en')} keys …`);
  await makeStore(big, BIG);
  const [few, many] = [
    await openKeyring({ store: small, create: false }),
    await openKeyring({ store: big, create: false }),
  ];
  for (const [name, query] of FILTERS) {
    const first = () => few.list({ ...query, limit: 20 });
    const { middle, last } = await places(many, query);
    for (const [place, cursor] of [
      ['first', undefined],
      ['middle', middle],
      ['last', last],
    ]) {
      if (place !== 'first' && cursor === undefined) continue;
      const page = () => many.list({ ...query, limit: 20, cursor });
      report(`${name}: ${place} page of 1,000,000 / first of 1,000`, await functionRatios(page, first, 11), 2);
    }
  }
  const seconds = async (search) => {
    const start = performance.now();
    await many.list({ search, limit: 20 });
    return (performance.now() - start) / 1000;
  };
  for (const [name, text] of [
    ['one hit', 'key 777777'],
    ['no hit', 'nowhere'],
    ['many hits', 'kiosk'],
    ['nearly all hits', 'partner'],
  ]) {
    report(`search, ${name}, 1,000,000 keys`, [await seconds(text), await seconds(text), await seconds(text)], 1, 's');
  }
  await few.close();
  await many.close();
  report('whole process: list of 1,000,000 / of 1,000', processRatios(list(big), list(small)), 2);
  report('whole process: list --status inactive', processRatios(list(big, '--status', 'inactive'), list(small)), 2);
}

async function create() {
  const keyring = await openKeyring({ store: small, create: false });
  const count = 60;
  let round = 0;
  const ratios = [];
  const stalls = [];
  for (let i = 0; i < 3; i++) {
    let start = performance.now();
    for (let n = 0; n < count; n++) bcrypt.hashSync('x'.repeat(32), 10);
    const alone = performance.now() - start;
    const stall = monitorEventLoopDelay({ resolution: 5 });
    await new Promise(setImmediate); // otherwise the loop above would count as a stall
    stall.enable();
    start = performance.now();
    await keyring.create(
      Array.from({ length: count }, (_, n) => ({ name: `bulk ${round}-${n}`, mode: 'test', scopes: ['plan:read'] })),
    );
    stall.disable();
    stalls.push(stall.max / 1e6);
    ratios.push((performance.now() - start) / alone);
    round += 1;
  }
  await keyring.close();
  report(
    `create ${count} keys / hashing them in one thread (${availableParallelism()} cores)`,
    ratios,
    1.3 / availableParallelism(),
  );
  report('longest stall of the main thread meanwhile', stalls, null, 'ms');
}

const GROUPS = {
  startup: () => startup(scratch, small),
  list: lists,
  create,
  remote: () => remote(scratch),
  verify: () => verify(scratch),
  fleet: () => fleet(scratch),
  serve: () => serve(scratch),
  yaml,
  async issue() {
    await issue();
    await issueServer(scratch);
  },
};
const json = process.argv.includes('--json');
const wanted = process.argv.slice(2).filter((word) => word in GROUPS);
try {
  await makeStore(small, SMALL);
  for (const name of wanted.length > 0 ? wanted : Object.keys(GROUPS)) await GROUPS[name]();
  if (json) console.log(JSON.stringify(allResults(), null, 2));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
