import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createVerifier, openKeyring } from '../../src/index.js';
import { Keyring } from '../../src/keyring/keyring.js';
import * as manifest from '../../src/manifest/index.js';
import { PLAIN_KEY } from '../support/key-rows.js';
import { freshKeyring, input, make } from '../support/keyrings.js';
import { DEFAULT_ENGINE, scratch } from '../support/stores.js';

// A program in JavaScript, or one whose values come from elsewhere, may pass anything. What would be ignored, or could not be read back, is
// refused with `usage` and by its name.

/** The first half of an emoji: no text that can be stored. */
const HALF = '\ud83d';
const NOT_A_KEY = { ok: true };
const DESTINATION = { probe() {}, deliver() {}, abandon() {} };
const SUCCESSOR = { ...input('a'), description: null, expiresAt: null, rateLimit: { limit: 5, windowSeconds: 1 } };
const at = (text: string) => new Date(text);

/** Each method with values that are not allowed, and a part of the message that names them. */
const REFUSED: Readonly<Record<string, readonly (readonly [args: unknown[], names: string])[]>> = {
  plan: [
    [[{}], 'create: inputs must be an array'],
    [[[input('a')], { operationId: 'x' }], 'operation id'],
  ],
  create: [
    [[], 'create: inputs'],
    [[[null]], 'inputs[0]'],
    [[[{ mode: 'test', scopes: ['checkin:read'] }]], 'inputs[0].name is missing'],
    [[[input('a', { mode: 'prod' as 'test' })]], 'inputs[0].mode'],
    [[[input('a', { mode: undefined as unknown as 'test' })]], 'inputs[0].mode is missing'],
    [[[input('a', { scopes: 'checkin:read' as unknown as string[] })]], 'inputs[0].scopes'],
    [[[input('a', { scopes: [7] as unknown as string[] })]], 'inputs[0].scopes[0]'],
    [[[{ ...input('a'), scope: ['checkin:read'] }]], 'unknown property "scope"'],
    [[[{ ...input('a'), testMode: true }]], 'unknown property "testMode"'],
    [[[{ ...input('a'), name: 7 }]], 'inputs[0].name'],
    [[[{ ...input('a'), description: 7 }]], 'inputs[0].description'],
    [[[{ ...input('a'), name: `a${HALF}` }]], 'inputs[0].name'],
    [[[{ ...input('a'), description: `a${HALF}` }]], 'inputs[0].description'],
    [[[{ ...input('a'), labels: { a: `a${HALF}` } }]], 'half a character'],
    [[[{ ...input('a'), scopes: [`plan:${HALF}`] }]], 'inputs[0].scopes[0]'],
    [[[{ ...input('a'), rateLimit: { limit: 1000 / 3, windowSeconds: 60 } }]], 'inputs[0].rateLimit.limit'],
    [[[{ ...input('a'), rateLimit: { limit: 0, windowSeconds: 60 } }]], 'rateLimit.limit'],
    [[[{ ...input('a'), rateLimit: { limit: '5', windowSeconds: 60 } }]], 'rateLimit.limit'],
    [
      [[{ ...input('a'), rateLimit: { limit: 5, windowSeconds: Number.POSITIVE_INFINITY } }]],
      'rateLimit.windowSeconds',
    ],
    [[[{ ...input('a'), rateLimit: { limit: 5 } }]], 'rateLimit.windowSeconds is missing'],
    [[[{ ...input('a'), rateLimit: { limit: 5, windowSeconds: 1, window: 'm' } }]], 'unknown property "window"'],
    [[[{ ...input('a'), rateLimit: { limit: 100_001, windowSeconds: 1 } }]], '100000 requests per second'],
    [[[{ ...input('a'), rateLimit: '600' }]], 'rate limit "600"'],
    [[[{ ...input('a'), rateLimit: 600 }]], 'rateLimit'],
    [[[{ ...input('a'), expiresAt: '90d' }]], 'inputs[0].expiresAt'],
    [[[{ ...input('a'), expiresAt: new Date(Number.NaN) }]], 'an invalid Date'],
    [[[{ ...input('a'), expiresAt: at('+020000-01-01T00:00:00Z') }]], 'years 1 to 9999'],
    [[[{ ...input('a'), expires: 90 }]], 'inputs[0].expires'],
    [[[{ ...input('a'), expires: 'soon' }]], 'expiry "soon"'],
    [[[{ ...input('a'), expires: '90d', expiresAt: null }]], 'expires and expiresAt'],
    [[[{ ...input('a'), labels: ['team=gym'] }]], 'inputs[0].labels'],
    [[[{ ...input('a'), labels: { team: 7 } }]], 'labels["team"]'],
    [[[{ name: 'b', like: 7 }]], 'inputs[0].like'],
    [[[{ name: 'b', like: undefined }]], 'inputs[0].like must be a key id'],
    [[[{ name: 'b', like: 'a', addScopes: 'plan:read' }]], 'inputs[0].addScopes'],
    [[[{ name: 'b', like: 'a', scopes: ['plan:read'], dropScopes: [] }]], 'all scopes are given'],
    [[[{ ...input('b'), addScopes: ['plan:read'] }]], 'unknown property "addScopes"'],
    [[[input('a')], { ifExist: 'skip' }], 'unknown property "ifExist"'],
    [[[input('a')], { ifExists: 'ignore' }], 'options.ifExists'],
    [[[input('a')], { progress: true }], 'options.progress'],
    [[[input('a')], null], 'create: options'],
  ],
  make: [
    [[{}], 'make: plan.inputs'],
    [[null], 'make: plan.inputs'],
    [
      [
        {
          inputs: [{ ...input('a'), description: null, expiresAt: null, rateLimit: { limit: 0.5, windowSeconds: 1 } }],
        },
      ],
      'rateLimit.limit',
    ],
    [[{ inputs: [] }, 'x'], 'make: options'],
  ],
  assertNameFree: [[[undefined], 'assertNameFree: name']],
  lookalikes: [
    [['a'], 'lookalikes: names'],
    [[['a', 7]], 'lookalikes: names'],
  ],
  named: [
    [['ci'], 'named: names'],
    [[['ci', 7]], 'names[1]'],
  ],
  deliver: [
    [[{}, () => []], 'destination.probe'],
    [[{ ...DESTINATION, abandon: 7 }, () => []], 'destination.abandon'],
    [[DESTINATION, []], 'deliver: make'],
    [[DESTINATION, () => [], 'x'], 'deliver: options'],
    [[DESTINATION, () => [], { signal: 'x' }], 'options.signal'],
  ],
  list: [
    [[{ limit: 0 }], 'query.limit'],
    [[{ limit: 1.5 }], 'query.limit'],
    [[{ limit: '5' }], 'query.limit'],
    [[{ status: 'damaged' }], 'query.status'],
    [[{ scope: ['plan:read'] }], 'unknown property "scope"'],
    [[{ scopes: 'plan:read' }], 'query.scopes'],
    [[{ mode: 'prod' }], 'query.mode'],
    [[{ labels: 'team=gym' }], 'query.labels'],
    [[{ unusedSince: '90d' }], 'query.unusedSince'],
    [[{ sort: 'seq; drop table api_keys' }], 'query.sort'],
    [[{ search: 7 }], 'query.search'],
    [[{ now: new Date() }], 'unknown property "now"'],
    [['active'], 'list: query'],
  ],
  show: [
    [[undefined], 'the key must be'],
    [[7], 'the key must be'],
    [[NOT_A_KEY], 'the key must be'],
    [[{ ...PLAIN_KEY, id: 7 }], 'the key must be'],
    [[{ ...PLAIN_KEY, name: undefined }], 'the key must be'],
    [[{ ...PLAIN_KEY, updatedAt: '2026-11-23' }], 'the key must be'],
  ],
  edit: [
    [['a', { rateLimit: { limit: Number.POSITIVE_INFINITY, windowSeconds: 1 } }], 'input.rateLimit.limit'],
    [['a', { expiresAt: new Date(Number.NaN) }], 'input.expiresAt'],
    [['a', { expires: '9d', expiresAt: null }], 'expires and expiresAt'],
    [['a', { name: null }], 'input.name'],
    [['a', undefined], 'edit: input'],
    [['a', {}, { operation: 'x' }], 'edit: options has an unknown property "operation"'],
  ],
  enable: [
    [['a', { reason: 'x' }], 'enable: options has an unknown property "reason"'],
    [[null], 'the key must be'],
  ],
  disable: [
    [['a', 'left'], 'disable: options'],
    [['a', { reason: 7 }], 'options.reason'],
  ],
  proveLeaked: [[[undefined], 'key string']],
  disableLeaked: [[['x', 'left'], 'disableLeaked: options']],
  delete: [
    [['a', { asSeen: 'yes' }], 'options.asSeen'],
    [['a', { asSeen: true }], 'with asSeen, the key must be a key that was looked up'],
    [[NOT_A_KEY], 'the key must be'],
  ],
  operation: [[[7], 'operation: operationId']],
  verify: [
    [['x', 'plan:read'], 'verify: needs'],
    [['x', ['plan:read']], 'verify: needs'],
    [['x', { scope: ['plan:read'] }], 'unknown property "scope"'],
    [['x', { scopes: 'plan:read' }], 'needs.scopes'],
    [['x', { environment: 'prod' }], 'needs.environment'],
  ],
  identify: [[[7], 'identify: keyString']],
  addScope: [
    [[7], 'addScope: scope'],
    [['report:read', 7], 'categoryLabel'],
    [['report:read', undefined, 'x'], 'addScope: options'],
  ],
  retireScope: [
    [[7], 'retireScope: scope'],
    [['plan:read', 'x'], 'retireScope: options'],
  ],
  prunable: [
    [[undefined], 'prunable: query'],
    [[{ expired: 'yes' }], 'query.expired'],
    [[{ unusedSince: '90d' }], 'query.unusedSince'],
    [[{ unusedFor: '90d' }], 'unknown property "unusedFor"'],
  ],
  listWithUse: [
    [[{ status: 'off' }], 'query.status'],
    [[{ limit: 0 }], 'query.limit'],
    [[{ scope: 'a' }], 'unknown property "scope"'],
  ],
  knownUse: [
    [['a'], 'knownUse: keys'],
    [[['a']], 'keys[0]'],
  ],
  usage: [
    [[{ since: '30d' }], 'query.since'],
    [[{ keys: ['a'] }], 'query.keys[0]'],
    [[{ days: 30 }], 'unknown property "days"'],
  ],
  usageByDay: [
    [[7], 'the key must be'],
    [['a', { keys: [] }], 'usageByDay: query has an unknown property "keys"'],
  ],
  auditList: [
    [[{ action: 'key.destroy' }], 'query.action'],
    [[{ since: '7d' }], 'query.since'],
    [[{ limit: -1 }], 'query.limit'],
    [[{ key: 'a' }], 'unknown property "key"'],
  ],
  auditAfter: [
    [['1:abc'], 'auditAfter: after'],
    [[{ hash: 'abc' }], 'after.seq is missing'],
    [[{ seq: 0 }, { limit: 0 }], 'query.limit'],
  ],
  auditFollow: [
    [[{ seq: -1 }, () => {}], 'auditFollow: after'],
    [[{ seq: 0 }, 'take'], 'auditFollow: take'],
    [[{ seq: 0 }, () => {}, { intervalMs: 1 }], 'options.intervalMs'],
    [[{ seq: 0 }, () => {}, { query: { limit: 1 } }], 'unknown property "limit"'],
  ],
  auditSign: [
    [[7], 'auditSign: privateKey'],
    [['rubbish'], 'auditSign: privateKey is not a signing key'],
  ],
  auditKeyId: [[[7], 'auditKeyId: ref']],
  auditContains: [
    [['1:abc'], 'auditContains: head'],
    [[{ seq: 1 }], 'hash is missing'],
  ],
  auditVerify: [
    [['1:abc'], 'auditVerify: anchor'],
    [[{ seq: 1 }], 'anchor.hash is missing'],
  ],
  setStoreHash: [
    [['hmac-sha256'], '"hmac-sha256" is not a hash scheme'],
    [['hmac-sha256:'], 'not a hash scheme'],
    [['hmac-sha256:UPPER000'], 'not a hash scheme'],
    [['argon2'], 'not a hash scheme'],
    [[undefined], 'not a hash scheme'],
    [[['bcrypt']], 'not a hash scheme'],
    [['bcrypt', 'x'], 'setStoreHash: options'],
  ],
  storeCopy: [
    [[{}], 'storeCopy: to'],
    [['./copy.db'], 'storeCopy: to'],
  ],
  verifier: [
    [[], 'options'],
    [[{}], 'options.environment is missing'],
    [[{ environment: 'prod' }], 'options.environment'],
    [[{ environment: 'test', maxStale: 1 }], 'unknown property "maxStale"'],
    [[{ environment: 'test', maxStaleMs: '1' }], 'options.maxStaleMs'],
    [[{ environment: 'test', maxStaleMs: 60_001 }], 'options.maxStaleMs'],
    [[{ environment: 'test', rateLimit: 'on' }], 'options.rateLimit'],
    [[{ environment: 'test', rateLimit: {} }], 'options.rateLimit.admit'],
    [[{ environment: 'test', rateLimit: null }], 'options.rateLimit'],
    [[{ environment: 'test', markUsed: 'no' }], 'options.markUsed'],
    [[{ environment: 'test', pepperedOnly: 1 }], 'options.pepperedOnly'],
  ],
  setStorePolicy: [
    [[{ keepDeleted: 7 }], 'input.keepDeleted'],
    [[{ maxLifetime: { both: '1d' } }], 'unknown property "both"'],
    [[{ maxLifetime: { live: '1' } }], 'is not a duration'],
    [[{}, 'x'], 'setStorePolicy: options'],
  ],
  plannedStorePolicy: [[[{ keepDeleted: 7 }], 'input.keepDeleted']],
  creators: [[['a'], 'creators: ids']],
  deletion: [[[7], 'deletion: ref']],
  restore: [
    [[7], 'restore: ref'],
    [['a', 'b'], 'restore: input'],
    [['a', { name: 7 }], 'input.name'],
    [['a', {}, 'x'], 'restore: options'],
  ],
  purge: [
    [[7], 'purge: ref'],
    [['a', 'x'], 'purge: options'],
  ],
  storeBackup: [
    [[7], 'storeBackup: file'],
    [[''], 'storeBackup: file is empty'],
    [[`b${HALF}.db`], 'storeBackup: file holds half a character'],
    [['b\0.db'], 'storeBackup: file holds a NUL'],
  ],
  storeRestore: [
    [[7], 'storeRestore: file'],
    [[`b${HALF}.db`], 'storeRestore: file holds half a character'],
    [['b\0.db'], 'storeRestore: file holds a NUL'],
    [['x.db', 'now'], 'storeRestore: options'],
  ],
  planRotation: [
    [['a'], 'rotate: input'],
    [['a', { overlapMs: 0 }, 'x'], 'rotate: options'],
    [['a', { overlapMs: 0 }, { operationId: 'x' }], 'operation id'],
  ],
  rotate: [
    [['a', {}], 'input.overlapMs is missing'],
    [['a', { overlapMs: '24h' }], 'input.overlapMs'],
    [['a', { overlapMs: 0.5 }], 'overlap'],
    [['a', { overlap: 0, overlapMs: 0 }], 'unknown property "overlap"'],
    [['a', { overlapMs: 0, expiresAt: '90d' }], 'input.expiresAt'],
    [['a', { overlapMs: 0, expires: '90d', expiresAt: null }], 'expires and expiresAt'],
    [['a', { overlapMs: 0, scopes: 'plan:read' }], 'input.scopes'],
    [['a', { overlapMs: 0, addScopes: 'plan:read' }], 'input.addScopes'],
    [['a', { overlapMs: 0, dropScopes: [7] }], 'input.dropScopes[0]'],
    [['a', { overlapMs: 0, addScope: ['plan:read'] }], 'unknown property "addScope"'],
    [['a', { overlapMs: 0, scopes: ['plan:read'], addScopes: ['plan:create'] }], 'all scopes are given'],
  ],
  makeRotation: [
    [[{}], 'makeRotation: plan.successor'],
    [[undefined], 'makeRotation: plan.successor'],
    [[{ successor: SUCCESSOR }], 'makeRotation: plan.retirement.seen'],
    [[{ successor: SUCCESSOR, retirement: { seen: 'a' } }], 'makeRotation: plan.retirement.seen'],
    [[{ successor: SUCCESSOR, retirement: { seen: PLAIN_KEY } }, 'x'], 'makeRotation: options'],
  ],
  rotationOf: [[['a'], 'rotationOf: old']],
  rotationsOf: [
    [['a'], 'rotationsOf: olds'],
    [[['a']], 'olds[0]'],
  ],
  rotations: [[[7], 'the key must be']],
  planFinish: [[['a', { quietFor: 1 }], 'unknown property "quietFor"']],
  finishRotation: [
    [['a', { quietForMs: '1h' }], 'options.quietForMs'],
    [['a', { force: 'yes' }], 'options.force'],
  ],
};

/** Methods that take nothing. */
const WITHOUT_INPUT = [
  'issuing',
  'census',
  'deletions',
  'dropPast',
  'issuing',
  'recording',
  'trimUsage',
  'review',
  'scopes',
  'auditBirth',
  'auditHead',
  'storeHash',
  'storePolicy',
  'storeCheck',
  'storeFinish',
  'storeSchema',
  'storeUpgrade',
  'close',
];

test('every public method that takes something is in this list', () => {
  const methods = Object.entries(Object.getOwnPropertyDescriptors(Keyring.prototype))
    .filter(([name, { value }]) => name !== 'constructor' && typeof value === 'function')
    .map(([name]) => name);
  expect(Object.keys(REFUSED).sort()).toEqual(methods.filter((name) => !WITHOUT_INPUT.includes(name)).sort());
});

test.each(Object.entries(REFUSED))('%s refuses what it would ignore or could not keep', async (method, cases) => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  await make(keyring, 'a');
  const head = await keyring.auditHead();
  const call = (keyring as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[method];
  for (const [args, names] of cases)
    await expect(call?.apply(keyring, args), JSON.stringify(args)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining(names),
    });
  expect(await keyring.auditHead()).toEqual(head);
});

test.each<[Record<string, unknown>, string]>([
  [{}, 'options.store is missing'],
  [{ store: 7 }, 'options.store'],
  [{ path: './keys.db' }, 'unknown property "path"'],
  [{ store: 'x.db', timeoutMs: '0; drop trigger api_keys_immutable' }, 'options.timeoutMs'],
  [{ store: 'x.db', timeoutMs: -1 }, 'options.timeoutMs'],
  [{ store: 'x.db', timeoutMs: 1.5 }, 'options.timeoutMs'],
  [{ store: 'x.db', authToken: 7 }, 'options.authToken'],
  [{ store: 'x.db', allowHttp: 'no' }, 'options.allowHttp'],
  [{ store: 'x.db', pepperFile: 7 }, 'options.pepperFile'],
  [{ store: 'x.db', peppers: 7 }, 'options.peppers'],
  [{ store: `x${HALF}.db` }, 'options.store'],
  [{ store: 'x\0.db' }, 'options.store'],
  [{ store: 'x.db', pepperFile: `p${HALF}` }, 'options.pepperFile'],
])('openKeyring and createVerifier refuse %j before they open anything', async (options, names) => {
  const store = typeof options.store === 'string' ? path.join(scratch(), options.store) : options.store;
  const given = { ...options, ...(store !== undefined && { store }) } as unknown as Parameters<typeof openKeyring>[0];
  const refused = { code: 'usage', message: expect.stringContaining(names) };
  await expect(openKeyring(given)).rejects.toMatchObject(refused);
  await expect(createVerifier({ ...given, environment: 'test' })).rejects.toMatchObject(refused);
  if (typeof store === 'string') expect(readdirSync(path.dirname(store))).toEqual([]);
});

test.each<[Record<string, unknown>, string]>([
  [{ readonly: true }, 'unknown property "readonly"'],
  [{ testOnly: 'yes' }, 'options.testOnly'],
  [{ create: 'no' }, 'options.create'],
  [{ actor: 7 }, 'options.actor'],
  [{ actor: `a${HALF}` }, 'options.actor'],
  [{ actor: 'a\u0001b' }, 'actor'],
  [{ actor: '' }, 'actor'],
  [{ actor: 'a'.repeat(129) }, 'actor'],
  [{ receive: 1 }, 'options.receive'],
  [{ testonly: true }, 'unknown property "testonly"'],
])('openKeyring refuses %j', async (options, names) => {
  const store = path.join(scratch(), 'keys.db');
  await expect(openKeyring({ store, ...options } as never)).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining(names),
  });
});

test.each<[Record<string, unknown>, string]>([
  [{ maxStale: 1 }, 'unknown property "maxStale"'],
  [{ environment: undefined }, 'options.environment is missing'],
  [{ testOnly: true }, 'unknown property "testOnly"'],
  [{ now: Date.now }, 'unknown property "now"'],
])('createVerifier refuses %j', async (options, names) => {
  const store = path.join(scratch(), 'keys.db');
  const given = { store, environment: 'test', ...options } as never;
  await expect(createVerifier(given)).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(names) });
});

test.each<[unknown, string]>([
  ['plan:read', 'needs must be an object'],
  [['plan:read'], 'unknown property "0"'],
  [null, 'needs must be an object'],
  [{ scope: ['plan:read'] }, 'unknown property "scope"'],
  [{ scopes: 'checkin:read' }, 'needs.scopes'],
  [{ scopes: new Set(['checkin:read']) }, 'needs.scopes'],
  [{ environment: 'test' }, 'unknown property "environment"'],
])('a verifier gives no verdict for needs of %j', async (needs, names) => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const { keyString } = await make(keyring, 'a');
  const verifier = await keyring.verifier({ environment: 'test' });
  const asked = (text: string) => verifier.verify(text, needs as never);
  for (const text of [keyString, 'not a key string'])
    await expect(asked(text)).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(names) });
  expect((await verifier.verify(keyString, { scopes: [7] as never })).verdict).toBe('missing_scope');
});

test('a lifetime and a rate limit are taken in the words of the command line', async () => {
  const clock = { now: at('2026-11-23T10:00:00Z') };
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock);
  const { key } = await make(keyring, 'a', { expires: '90d', rateLimit: '600/m' });
  expect(key.expiresAt).toEqual(at('2027-02-21T10:00:00Z'));
  expect(key.rateLimit).toEqual({ limit: 600, windowSeconds: 60 });
  expect((await make(keyring, 'b', { expires: 'never' })).key.expiresAt).toBeNull();
  expect((await make(keyring, 'c', { expires: '2027-01-31' })).key.expiresAt).toEqual(at('2027-01-31T00:00:00Z'));
  expect((await keyring.edit('a', { rateLimit: '10/s' })).key.rateLimit).toEqual({ limit: 10, windowSeconds: 1 });
  const rotated = await keyring.rotate('b', { overlapMs: 0, expires: '1d' });
  expect(rotated.key.expiresAt).toEqual(at('2026-11-24T10:00:00Z'));
});

test.each<[unknown, string]>([
  [{ prun: true }, 'unknown property "prun"'],
  [{ prune: 'yes' }, 'options.prune'],
  [{ now: '2026-11-23' }, 'options.now'],
  [{ defaults: { rateLimit: { limit: 0.1, windowSeconds: 1 } } }, 'options.defaults.rateLimit.limit'],
  [{ defaults: { expires: '90d' } }, 'unknown property "expires"'],
])('plan of a manifest refuses %j', async (options, names) => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const read = manifest.readManifest('version: 1\nname: team\nkeys: []\n');
  const refused = { code: 'usage', message: expect.stringContaining(names) };
  await expect(manifest.plan(keyring, read, options as never)).rejects.toMatchObject(refused);
});

test.each<[unknown, string]>([
  [{}, 'options.destinationOf is missing'],
  [{ destinationOf: () => null, overlap: '24h' }, 'unknown property "overlap"'],
  [{ destinationOf: () => null, overlapMs: '24h' }, 'options.overlapMs'],
])('apply of a manifest refuses %j', async (options, names) => {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const plan = await manifest.plan(keyring, manifest.readManifest('version: 1\nname: team\nkeys: []\n'));
  const refused = { code: 'usage', message: expect.stringContaining(names) };
  await expect(manifest.apply(keyring, plan, options as never)).rejects.toMatchObject(refused);
});

describe('a value whose reading throws', () => {
  const trap = () => {
    throw new Error('trap');
  };
  const HOSTILE: [string, unknown][] = [
    [
      'a proxy',
      new Proxy({}, { get: trap, ownKeys: trap, has: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap }),
    ],
    ['an array that is a proxy', new Proxy([], { get: trap, ownKeys: trap })],
    [
      'getters',
      Object.defineProperties(
        {},
        Object.fromEntries(
          ['name', 'id', 'key', 'inputs', 'seq', 'probe', 'environment'].map((name) => [
            name,
            { get: trap, enumerable: true },
          ]),
        ),
      ),
    ],
  ];

  test.each(HOSTILE)('%s is refused as usage by every method that takes something', async (_, value) => {
    const keyring = await freshKeyring(DEFAULT_ENGINE);
    await make(keyring, 'a');
    const head = await keyring.auditHead();
    for (const method of Object.keys(REFUSED)) {
      const call = (keyring as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[method];
      const error = await call?.call(keyring, value).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (method === 'verify' && error === null) continue; // whatever is no key string is invalid
      expect(error, method).toMatchObject({ name: 'KeysError', code: 'usage' });
    }
    expect(await keyring.auditHead()).toEqual(head);
  });
});
