import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isKeysError } from '../../src/domain/errors.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { apply, plan, readManifest } from '../../src/manifest/index.js';
import { openStore } from '../../src/store/open.js';
import { another, make, receiver } from '../support/keyrings.js';
import { sharedBy } from '../support/lifetime.js';
import { DEFAULT_ENGINE, keyringOver, options, rawDatabase, recordUse, scratch, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

// Each table damaged in ways that nothing of ours does, and then each use of the store: what is not about the damaged row goes on, the checks
// name the damage, and a command mends it.

const MANIFEST = readManifest('version: 1\nname: team\nkeys:\n  - { name: fresh, mode: test, scopes: [plan:read] }\n');

const NOWHERE = { probe() {}, deliver() {}, abandon() {} };

interface Scene {
  readonly keyring: Keyring;
  readonly keyString: string;
}

/** Every use of a store that is not about the damaged key. */
const USES: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  list: ({ keyring }) => keyring.list({}),
  'list by label': ({ keyring }) => keyring.list({ labels: { team: 'gym' } }),
  'list --deleted': ({ keyring }) => keyring.deletions(),
  show: ({ keyring }) => keyring.show('good'),
  usage: async ({ keyring }) => [await keyring.usage(), await keyring.usageByDay('good')],
  review: ({ keyring }) => keyring.review(),
  census: ({ keyring }) => keyring.census(),
  prune: async ({ keyring }) => [await keyring.prunable({ expired: true }), await keyring.recording()],
  'audit list': ({ keyring }) => keyring.auditList(),
  'scopes list': ({ keyring }) => keyring.scopes(),
  'store hash': ({ keyring }) => keyring.storeHash(),
  'store policy': ({ keyring }) => keyring.storePolicy(),
  'store backup': ({ keyring }) => keyring.storeBackup(path.join(scratch(), 'backup.db')),
  verify: async ({ keyring, keyString }) => expect(await keyring.verify(keyString)).toMatchObject({ verdict: 'valid' }),
  serve: async ({ keyring, keyString }) => {
    const problems: unknown[] = [];
    const verifier = await (await another(keyring, DEFAULT_ENGINE)).verifier({
      environment: 'test',
      rateLimit: 'shared',
      onWarning: (problem) => void problems.push(problem),
    });
    expect(await verifier.verify(keyString)).toMatchObject({ verdict: 'valid' });
    await verifier.close();
    expect(problems).toEqual([]);
  },
  'store copy': async ({ keyring }) => keyring.storeCopy(await receiver(DEFAULT_ENGINE)),
  disable: ({ keyring }) => keyring.disable('other'),
  enable: ({ keyring }) => keyring.enable('other'),
  edit: ({ keyring }) => keyring.edit('other', { description: 'x' }),
  create: ({ keyring }) => make(keyring, 'new', { mode: 'live' }),
  apply: async ({ keyring }) => apply(keyring, await plan(keyring, MANIFEST), { destinationOf: () => NOWHERE }),
  rotate: ({ keyring }) => keyring.rotate('other', { overlapMs: 3_600_000 }),
  delete: ({ keyring }) => keyring.delete('unneeded'),
  restore: ({ keyring }) => keyring.restore('unneeded'),
};
const NOTHING_ELSE: readonly string[] = [];
const MAKING = ['create', 'apply', 'rotate'];

interface Damage {
  readonly sql: string;
  /** Where the checks name it: `audit` for the audit log, else the name of the finding. */
  readonly named: string | null;
  /** The uses that it stops. */
  readonly stops?: readonly string[];
  /** What mends it. Default: one of the uses above did. */
  readonly mend?: (keyring: Keyring) => Promise<unknown>;
}

const START_OF_SERVER = async (keyring: Keyring) =>
  (await (await another(keyring, DEFAULT_ENGINE)).verifier({ environment: 'test' })).close();
const DELETE_BY_ID = async (keyring: Keyring) => {
  const bad = (await keyring.list({})).keys.find(({ name }) => name === 'bad');
  await keyring.delete(bad?.id ?? 'none');
};
const TRIM = (keyring: Keyring) => keyring.trimUsage();
const SCHEME = (keyring: Keyring) => keyring.setStoreHash('bcrypt');

const BAD = "(select seq from api_keys where name = 'bad')";
const DAMAGED: readonly Damage[] = [
  {
    sql: "update api_keys set rate_limit = 0.5 where name = 'bad'",
    named: 'keys',
    stops: ['store copy'],
    mend: DELETE_BY_ID,
  },
  {
    sql: "update api_keys set name_key = 'zz' where name = 'bad'",
    named: 'audit',
    stops: ['store copy'],
    mend: DELETE_BY_ID,
  },
  { sql: `delete from key_scopes where key_seq = ${BAD}`, named: 'audit', stops: ['store copy'], mend: DELETE_BY_ID },
  { sql: `insert into key_labels values ('q=r', ${BAD})`, named: 'audit', stops: ['store copy'], mend: DELETE_BY_ID },
  {
    sql: `update key_labels set label = x'00ff' where key_seq = ${BAD}`,
    named: 'audit',
    stops: ['store copy'],
    mend: DELETE_BY_ID,
  },
  { sql: `delete from key_usage where key_seq = ${BAD}`, named: 'audit', stops: ['store copy'], mend: TRIM },
  ...["'x'", '9e18'].map((value) => ({
    sql: `update key_usage set last_used_at = ${value} where key_seq = ${BAD}`,
    named: 'last-used times',
    mend: START_OF_SERVER,
  })),
  ...["times = 'x'", 'times = 9223372036854775807', "verdict = x'00ff'", "detail = x'00ff'", "day = 'x'"].map(
    (set) => ({ sql: `update key_days set ${set}`, named: 'use of keys', mend: TRIM }),
  ),
  ...["host = x'00ff'", 'seen = 9000000000000000000', "batch = 'x'"].map((set) => ({
    sql: `update recorders set ${set}`,
    named: 'use of keys',
    mend: TRIM,
  })),
  ...["since = 'x'", 'until = 9000000000000000000'].map((set) => ({
    sql: `update recorder_spans set ${set}`,
    named: 'use of keys',
    mend: TRIM,
  })),
  { sql: "insert or replace into key_rates select seq, 'x' from api_keys", named: null },
  { sql: 'insert or replace into key_rates select seq, 9e300 from api_keys', named: null },
  ...[
    "record = '7'",
    "record = '{}'",
    "record = 'nojson'",
    "kept_until = 'x'",
    'kept_until = 9000000000000000000',
    "id = x'00ff'",
  ].map((set) => ({
    sql: `update deleted_keys set ${set}`,
    named: 'audit',
    stops: set.includes('nojson') ? ['store copy', 'store backup'] : ['store copy'],
    mend: async (keyring: Keyring) => {
      for (const { key } of await keyring.deletions()) await keyring.purge(key.id);
    },
  })),
  ...["'nonsense'", "x'00ff'"].map((value) => ({
    sql: `insert or replace into store_settings values ('hash', ${value})`,
    named: 'audit',
    stops: ['verify', 'serve', 'store copy', ...MAKING],
    mend: SCHEME,
  })),
  {
    sql: "insert or replace into store_settings values ('max-lifetime-live', 'long')",
    named: 'audit',
    stops: ['store policy', 'store copy', ...MAKING],
    mend: (keyring) => keyring.setStorePolicy({ maxLifetime: { live: null } }),
  },
  {
    sql: "insert or replace into store_settings values ('max-lifetime-test', x'00ff'), ('keep-deleted', 'x')",
    named: 'audit',
    stops: ['store policy', 'store copy', ...MAKING],
    mend: (keyring) => keyring.setStorePolicy({ maxLifetime: { test: null }, keepDeleted: '7d' }),
  },
  { sql: "insert or replace into store_settings values ('min_reader', 'many')", named: null },
  { sql: "insert or replace into store_settings values ('copy-token', x'00ff')", named: null },
  { sql: 'delete from schema_migrations where version = 3', named: 'schema' },
  { sql: "update schema_migrations set checksum = 'x' where version = 3", named: 'schema' },
  { sql: "update schema_migrations set tag = x'00ff' where version = 3", named: null },
];

const seed = sharedBy(async () => {
  const file = path.join(scratch(), 'seed.db');
  const keyring = keyringOver(await openStore(file, options(DEFAULT_ENGINE)));
  const { key, keyString } = await make(keyring, 'good');
  const bad = await make(keyring, 'bad', { labels: { team: 'gym' } });
  for (const name of ['other', 'unneeded', 'gone']) await make(keyring, name);
  await keyring.delete('gone');
  const use = { at: new Date(), verdict: 'valid', times: 1, detail: null } as const;
  await recordUse(storeOf(keyring), {
    uses: [
      { id: key.id, ...use },
      { id: bad.key.id, ...use },
    ],
  });
  await keyring.close();
  return { file, keyString };
});

async function outcome(use: () => Promise<unknown>): Promise<string> {
  try {
    await use();
    return 'done';
  } catch (error) {
    return isKeysError(error) ? `${error.code}${error.hint ? '' : ' without a hint'}` : `failed: ${error}`;
  }
}

test.each(DAMAGED)('after $sql', async ({ sql, named, stops = NOTHING_ELSE, mend }) => {
  const { file, keyString } = seed();
  const store = path.join(scratch(), 'keys.db');
  copyFileSync(file, store);
  const db = await rawDatabase(store, DEFAULT_ENGINE);
  await unguarded(db, DEFAULT_ENGINE, sql);
  const keyring = keyringOver(await openStore(store, options(DEFAULT_ENGINE, { create: false })), { now: new Date() });
  onTestFinished(() => keyring.close());

  const { problems } = await keyring.auditVerify();
  const wrong = (await keyring.storeCheck()).filter(({ status }) => status !== 'ok').map(({ check }) => check);
  if (named === 'audit') expect(problems).not.toEqual([]);
  else expect(wrong).toEqual(named === null ? [] : expect.arrayContaining([named]));

  const results: Record<string, string> = {};
  for (const [name, use] of Object.entries(USES)) results[name] = await outcome(() => use({ keyring, keyString }));
  const expected = Object.fromEntries(
    Object.keys(USES).map((name) => [name, stops.includes(name) ? 'store_corrupt' : 'done']),
  );
  expect(results).toEqual(expected);

  if (!mend) return;
  await mend(keyring);
  expect((await keyring.auditVerify()).problems).toEqual([]);
  expect((await keyring.storeCheck()).filter(({ status }) => status !== 'ok')).toEqual([]);
  await keyring.storeCopy(await receiver(DEFAULT_ENGINE));
  await make(keyring, 'mended');
});
