import { describe, expect, onTestFinished, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { type AuditHead, formatHead } from '../../src/domain/audit.js';
import type { Change } from '../../src/domain/change.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import { openStore } from '../../src/store/open.js';
import {
  change,
  ENGINES,
  type EngineName,
  freshLocation,
  freshStore,
  newKey,
  options,
  rawDatabase,
  recordUse,
  START,
} from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

// A verifier keeps credentials for as long as the log names no change of theirs. So each change must be named there, whoever makes it.

const HASH = `$2b$04$${'b'.repeat(53)}`;
const LATER = new Date(START.getTime() + 3_600_000);

/** Two keys that a change may be about, and one that was deleted. */
interface Keys {
  readonly store: KeyStore;
  readonly a: ApiKey;
  readonly hash: string;
  readonly deleted: ApiKey;
}

const exchange = (name: string) => ({
  token: name.repeat(64).slice(0, 64),
  tokenIssued: new Date(),
  tokenEnds: new Date('2100-01-01'),
  rule: 'r',
  maxAlive: 5,
  pace: { limit: 5, windowSeconds: 60 },
});
const inAnHour = () => new Date(Date.now() + 3_600_000);

/** Every way to change a store. */
const CHANGES: Readonly<Record<string, (keys: Keys, by: Change) => Promise<unknown>>> = {
  create: ({ store }, by) => store.create([newKey('new'), newKey('newer')], by),
  'create in the place of another': ({ store }, by) => store.create([newKey('a')], by, () => 'replace'),
  'edit the name': ({ store, a }, by) => store.edit(a.id, { name: 'renamed' }, by),
  'edit the limit': ({ store, a }, by) => store.edit(a.id, { rateLimit: { limit: 1, windowSeconds: 1 } }, by),
  'edit the networks': ({ store, a }, by) => store.edit(a.id, { allowFrom: ['10.0.0.0/8'] }, by),
  'edit the labels': ({ store, a }, by) => store.edit(a.id, { labels: { team: 'x' } }, by),
  'edit the expiry': ({ store, a }, by) => store.edit(a.id, { expiresAt: LATER }, by),
  disable: ({ store, a }, by) => store.setStatus(a.id, 'inactive', by),
  expire: ({ store, a }, by) => store.expire(a.id, by),
  delete: ({ store, a }, by) => store.delete(a.id, by),
  'delete for good': ({ store, a }, by) => store.delete(a.id, by, undefined, { purge: true }),
  restore: ({ store, deleted }, by) => store.deleted.restore(deleted.id, null, by),
  rotate: ({ store, a }, by) => store.rotate(a.id, newKey('a'), { name: 'a old', expiresAt: LATER, seen: a }, by),
  rehash: ({ store, a, hash }, by) => store.rehash([{ id: a.id, from: hash, to: HASH }], by),
  'set the hash scheme': ({ store }, by) => store.settings.setHashScheme('hmac-sha256:00000000', by),
  'make a key for a job': ({ store }, by) =>
    store.exchange(newKey('job', { expiresAt: inAnHour() }), exchange('b'), by),
};

/** What changes no credential, and how far it moves the log. */
const NO_CHANGES: Readonly<Record<string, [rows: number, (keys: Keys, by: Change) => Promise<unknown>]>> = {
  'record use': [
    0,
    ({ store, a }) => recordUse(store, { uses: [{ id: a.id, verdict: 'valid', times: 3, at: LATER, detail: null }] }),
  ],
  'count against a limit': [0, ({ store, a }) => store.admit(a.id, { limit: 1, windowSeconds: 1 })],
  'drop what is past': [0, ({ store }) => store.deleted.dropPast()],
  'remove a deleted key': [1, ({ store, deleted }, by) => store.deleted.purge(deleted.id, by)],
  'make a key for a job, and take it back': [
    2,
    async ({ store }, by) => {
      const made = await store.exchange(newKey('job', { expiresAt: inAnHour() }), exchange('a'), by);
      if (made.refused === null) await store.takeBack(made.key.id, change());
    },
  ],
  'add a scope': [1, ({ store }, by) => store.settings.addScope('plan:purge', null, by)],
  'set a policy': [1, ({ store }, by) => store.settings.setPolicy({ maxLifetime: { live: '30d' } }, by)],
};

async function scene(engine: EngineName): Promise<Keys & { head: AuditHead }> {
  const store = await freshStore(engine);
  const rows = ['a', 'b', 'gone'].map((name) => newKey(name));
  const [a, , gone] = (await store.create(rows, change())).map(({ key }) => key) as [ApiKey, ApiKey, ApiKey];
  const deleted = await store.delete(gone.id, change());
  return { store, a, deleted, hash: rows[0]?.hash ?? '', head: await store.audit.head() };
}

/** What a verifier goes by, of every key. */
async function credentials(store: KeyStore, engine: EngineName): Promise<Map<string, string>> {
  const db = await rawDatabase(store.location, engine);
  const ids = (await db.rows('select id from api_keys')).map(([id]) => String(id));
  const found = await store.watch.credentials(ids);
  const head = formatHead(await store.audit.head());
  for (const each of found.values()) expect(each.head).toBe(head);
  return new Map(
    [...found].map(([id, { credential }]) => [
      id,
      JSON.stringify({ ...credential, key: { ...credential.key, lastUsedAt: null } }),
    ]),
  );
}

function different(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].filter((id) => before.get(id) !== after.get(id));
}

describe.each(ENGINES)('on %s', (engine) => {
  test.each(Object.entries(CHANGES))('%s: the log names each key that is another now', async (_, apply) => {
    const keys = await scene(engine);
    const before = await credentials(keys.store, engine);
    await apply(keys, change());
    const [first, ...steps] = (await keys.store.watch.since(formatHead(keys.head))) ?? [];
    expect(first?.head).toBe(formatHead(keys.head));
    expect(steps.at(-1)?.head).toBe(formatHead(await keys.store.audit.head()));
    const named = steps.map(({ keyId }) => keyId);
    const changed = different(before, await credentials(keys.store, engine));
    expect(changed).not.toEqual([]);
    for (const id of changed) expect(named.includes(id) || named.includes(null), id).toBe(true);
  });

  test.each(Object.entries(NO_CHANGES))('%s: no key is another', async (_, [rows, apply]) => {
    const keys = await scene(engine);
    const before = await credentials(keys.store, engine);
    await apply(keys, change());
    expect(different(before, await credentials(keys.store, engine))).toEqual([]);
    expect(await keys.store.watch.since(formatHead(keys.head))).toHaveLength(1 + rows);
  });

  test('a copy that takes in what happened since: the log names each key that is another now', async () => {
    const { store, a } = await scene(engine);
    const target = await openStore(await freshLocation(engine), options(engine, { receive: true }));
    onTestFinished(() => target.close().catch(() => {}));
    const pull = async () => {
      const head = await target.audit.head();
      await target.copy.receive(await store.copy.page(head.seq, 100), head);
    };
    await pull();
    const [before, head] = [await credentials(target, engine), await target.audit.head()];
    await store.setStatus(a.id, 'inactive', change());
    await store.rotate(
      (await store.create([newKey('c')], change()))[0]?.key.id ?? '',
      newKey('c'),
      { name: 'c old', expiresAt: LATER, seen: (await store.candidates({ name: 'c', limit: 1 }))[0] as ApiKey },
      change(),
    );
    await pull();
    const named = (await target.watch.since(formatHead(head)))?.slice(1).map(({ keyId }) => keyId) ?? [];
    const changed = different(before, await credentials(target, engine));
    expect(changed).toHaveLength(3);
    for (const id of changed) expect(named).toContain(id);
  });

  test('a log that does not contain the row, or has gone on too far, is no answer', async () => {
    const { store, head } = await scene(engine);
    expect(await store.watch.since(`${head.seq}:${'0'.repeat(64)}`)).toBeNull();
    expect(await store.watch.since(`${head.seq + 1}:${head.hash}`)).toBeNull();
    expect(await store.watch.since(formatHead(head))).toEqual([{ head: formatHead(head), keyId: expect.any(String) }]);
  });

  test.each([
    "body = '7'",
    "body = '[]'",
    "op = x'00'",
  ])('after a row of the log that nothing of ours writes (%s), it is about the whole store, and others are read', async (set) => {
    const { store, a, head } = await scene(engine);
    const db = await rawDatabase(store.location, engine);
    await unguarded(db, engine, `update audit_events set ${set} where seq = ${head.seq}`);
    expect((await store.watch.credentials([a.id])).get(a.id)?.head).toBe(formatHead(head));
    await store.setStatus(a.id, 'inactive', change());
    const [damaged, next] = (await store.watch.since(formatHead(head))) ?? [];
    if (set.startsWith('body')) expect(damaged?.keyId).toBeNull();
    expect(next?.keyId).toBe(a.id);
  });

  test('a damaged end of the log is no head, and keys are read', async () => {
    const { store, a, head } = await scene(engine);
    const db = await rawDatabase(store.location, engine);
    await unguarded(db, engine, `update audit_events set hash = zeroblob(64) where seq = ${head.seq}`);
    const known = (await store.watch.credentials([a.id])).get(a.id);
    expect(known).toMatchObject({ credential: { key: { id: a.id } }, head: null });
    expect(await store.watch.since(formatHead(head))).toBeNull();
  });

  test('keys that do not exist or cannot be read are left out', async () => {
    const { store, a, deleted } = await scene(engine);
    const db = await rawDatabase(store.location, engine);
    const [damaged] = await store.create([newKey('damaged')], change());
    await unguarded(db, engine, `update api_keys set rate_limit = x'00' where id = '${damaged?.key.id}'`);
    const found = await store.watch.credentials([a.id, deleted.id, damaged?.key.id ?? '', 'nothing', '']);
    expect([...found.keys()]).toEqual([a.id]);
    expect(await store.watch.credentials([])).toEqual(new Map());
  });
});
