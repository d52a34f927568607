import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { dayOf, dayText } from '../../src/domain/use.js';
import { newSigningKey, openSignedHead } from '../../src/index.js';
import type { Keyring } from '../../src/keyring/keyring.js';
import { another, freshKeyring, input, make, receiver } from '../support/keyrings.js';
import {
  type Clock,
  change,
  DEFAULT_ENGINE,
  freshLocation,
  newKey,
  RECORDED_ALWAYS,
  rawDatabase,
  recordUse,
  START,
  scratch,
  storeOf,
} from '../support/stores.js';

// What a keyring answers, and that it asks its store for no less: this does not depend on the engine.

const DAY = 86_400_000;
const at = (ms: number) => new Date(START.getTime() + ms);

async function scene() {
  const clock: Clock = { now: START };
  return { clock, keyring: await freshKeyring(DEFAULT_ENGINE, clock) };
}

const names = (keys: readonly { name: string }[]) => keys.map(({ name }) => name);

/** Yesterday: the store takes no counts that are much older, or later than its own clock. */
const YESTERDAY = new Date(Date.now() - DAY);

async function used(keyring: Keyring, id: string, times: number) {
  const uses = [{ id, verdict: 'valid', times, at: YESTERDAY, detail: null }] as const;
  await recordUse(storeOf(keyring), { at: YESTERDAY, from: YESTERDAY, uses });
}

describe('keys', () => {
  test('are listed by the query, as of now', async () => {
    const { clock, keyring } = await scene();
    await make(keyring, 'a', { expiresAt: at(DAY) });
    await make(keyring, 'b');
    expect(names((await keyring.list({ sort: 'name' })).keys)).toEqual(['a', 'b']);
    expect((await keyring.list({ status: 'expired' })).keys).toEqual([]);
    expect((await keyring.census()).test.keys).toMatchObject({ active: 2, expired: 0 });
    clock.now = at(DAY);
    expect(names((await keyring.list({ status: 'expired' })).keys)).toEqual(['a']);
    expect((await keyring.census()).test.keys).toMatchObject({ active: 1, expired: 1 });
    const page = await keyring.list({ sort: 'name', limit: 1 });
    expect(names((await keyring.list({ sort: 'name', limit: 1, cursor: page.next ?? '' })).keys)).toEqual(['b']);
  });

  test('are found by name, however many names there are', async () => {
    const { keyring } = await scene();
    const all = Array.from({ length: 1001 }, (_, i) => `key ${i}`);
    const there = [0, 499, 500, 999, 1000].map((i) => `key ${i}`);
    await storeOf(keyring).create(
      there.map((name) => newKey(name)),
      change(),
    );
    expect(names(await keyring.named(all)).sort()).toEqual(there.sort());
    expect(await keyring.named([])).toEqual([]);
    expect(names(await keyring.named(['KEY 499', 'no-such']))).toEqual(['key 499']);
  });

  test('have a maker, and a name that is free or not', async () => {
    const { keyring } = await scene();
    const { key } = await make(keyring, 'Taken');
    expect(await keyring.creators([key.id])).toEqual(new Map([[key.id, { actor: null, osUser: 'ops' }]]));
    await expect(keyring.assertNameFree('taken')).rejects.toMatchObject({ code: 'name_taken' });
    await keyring.assertNameFree('taken2');
    await keyring.assertNameFree(key.id); // an id is no name
    await keyring.make(await keyring.plan([input('left')]), { toDeliver: true });
    await keyring.assertNameFree('left'); // nobody has that key
    expect(await keyring.lookalikes(['Takеn'])).toMatchObject([{ id: key.id, name: 'Takеn', other: 'Taken' }]);
    expect(await keyring.lookalikes(['free'])).toEqual([]);
  });

  test('are reviewed, and pruned, as of now', async () => {
    const { clock, keyring } = await scene();
    await make(keyring, 'a', { mode: 'live', expiresAt: at(40 * DAY) });
    const expiring = async () => (await keyring.review()).find(({ check }) => check === 'expiring')?.count;
    expect(await expiring()).toBe(0);
    clock.now = at(30 * DAY);
    expect(await expiring()).toBe(1);
    expect(await keyring.prunable({ expired: true })).toEqual([]);
    clock.now = at(40 * DAY);
    expect(names(await keyring.prunable({ expired: true }))).toEqual(['a']);
    expect(await keyring.prunable({ expired: true, mode: 'test' })).toEqual([]);
  });

  test('that were deleted are found as of now', async () => {
    const { clock, keyring } = await scene();
    const { key } = await make(keyring, 'a');
    await keyring.delete('a', { reason: 'left' });
    expect(await keyring.deletions()).toMatchObject([{ key: { id: key.id }, reason: 'left' }]);
    expect(await keyring.deletion('A')).toMatchObject({ key: { id: key.id } });
    await make(keyring, 'a').then(() => keyring.delete('a'));
    clock.now = at(DAY);
    await expect(keyring.deletion('a')).rejects.toThrow(/2 deleted keys.*\n.*deleted (yesterday|.* ago)/);
  });

  test('what a key string says is read, and proves nothing', async () => {
    const { keyring } = await scene();
    const { key, keyString } = await make(keyring, 'a');
    expect(await keyring.identify(keyString)).toMatchObject({ checksum: 'good', key });
    expect((await keyring.proveLeaked(keyString)).id).toBe(key.id);
    expect((await keyring.verify(keyString, { environment: 'live' })).verdict).toBe('wrong_environment');
    expect((await keyring.verify(keyString, { scopes: ['plan:read'] })).verdict).toBe('missing_scope');
  });

  test('expire for a verdict, and for a verifier, by the clock of the keyring', async () => {
    const { clock, keyring } = await scene();
    const { keyString } = await make(keyring, 'a', { expiresAt: at(DAY) });
    const verifier = await keyring.verifier({ environment: 'test', markUsed: false });
    const both = async () => [(await keyring.verify(keyString)).verdict, (await verifier.verify(keyString)).verdict];
    expect(await both()).toEqual(['valid', 'valid']);
    clock.now = at(DAY);
    expect(await both()).toEqual(['expired', 'expired']);
    const other = await keyring.verifier({ environment: 'live', markUsed: false });
    const { keyString: young } = await make(keyring, 'b');
    expect((await other.verify(young)).verdict).toBe('wrong_environment');
  });
});

describe('rotations', () => {
  test('are told of one key, of several, and of all that a key is part of', async () => {
    const { clock, keyring } = await scene();
    await make(keyring, 'a');
    const { retired, key } = await keyring.rotate('a', { overlapMs: DAY });
    await (await rawDatabase(keyring.location, DEFAULT_ENGINE)).exec(RECORDED_ALWAYS);
    clock.now = at(DAY / 2);
    const told = { old: { id: retired.id }, successor: { id: key.id }, usedSince: false };
    expect(await keyring.rotationOf(retired)).toMatchObject(told);
    expect(await keyring.rotationsOf([retired, retired])).toMatchObject([told, told]);
    expect(await keyring.rotationsOf([])).toEqual([]);
    expect(await keyring.rotations('a')).toMatchObject([told]);
    await expect(keyring.planFinish('a')).rejects.toMatchObject({ code: 'guarded' });
    expect(await keyring.planFinish('a', { force: true })).toMatchObject({ over: false, rotation: told });
    clock.now = at(DAY);
    expect(await keyring.planFinish('a')).toMatchObject({ over: true, rotation: told });
    expect((await keyring.rotations('a')).length).toBe(1);
  });

  test('are planned with the lifetime from now on, and write nothing', async () => {
    const { clock, keyring } = await scene();
    await make(keyring, 'a', { expiresAt: at(10 * DAY) });
    const head = await keyring.auditHead();
    clock.now = at(DAY);
    const { successor, retired } = await keyring.planRotation('a', { overlapMs: DAY });
    expect([successor.expiresAt, retired.expiresAt]).toEqual([at(11 * DAY), at(2 * DAY)]);
    expect(await keyring.auditHead()).toEqual(head);
    const like = await keyring.plan([{ name: 'b', like: 'a' }]);
    expect(like.inputs[0]?.expiresAt).toEqual(at(11 * DAY));
  });
});

describe('use', () => {
  test('is counted for all keys, for some, and by day', async () => {
    const { clock, keyring } = await scene();
    clock.now = YESTERDAY;
    const { key: a } = await make(keyring, 'a');
    const { key: b } = await make(keyring, 'b');
    await used(keyring, a.id, 2);
    await used(keyring, b.id, 3);
    expect((await keyring.usage()).map(({ key, used: times }) => [key.name, times])).toEqual([
      ['b', 3],
      ['a', 2],
    ]);
    expect(await keyring.usage({ keys: [a] })).toMatchObject([{ key: a, used: 2 }]);
    expect(await keyring.usage({ since: new Date(YESTERDAY.getTime() - DAY) })).toHaveLength(2);
    const { recording, uses } = await keyring.knownUse([a, b]);
    expect(uses.map((each) => each.used)).toEqual([2, 3]);
    expect(recording).toEqual(await keyring.recording());
    expect(recording.recorders.length).toBeGreaterThan(0);
    const days = await keyring.usageByDay('a', { since: new Date(YESTERDAY.getTime() - DAY) });
    expect(days.map(({ day, used: times }) => [day, times])).toEqual([
      [dayText(dayOf(YESTERDAY) - 1), null],
      [dayText(dayOf(YESTERDAY)), 2],
    ]);
    expect(await keyring.usageByDay(a)).toHaveLength(30);
  });

  test('of days that are over is trimmed', async () => {
    const { clock, keyring } = await scene();
    clock.now = YESTERDAY;
    const { key } = await make(keyring, 'a');
    await used(keyring, key.id, 1);
    const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
    await db.exec("insert into key_days select seq, 1, 'valid', 1, 1, null from api_keys");
    expect(await keyring.trimUsage()).toBe(1);
    expect(await keyring.trimUsage()).toBe(0);
    expect(await keyring.usage({ keys: [key] })).toMatchObject([{ used: 1 }]);
  });
});

describe('the audit log', () => {
  test('is read by its events, from a row on, and by an operation', async () => {
    const { keyring } = await scene();
    await keyring.create([input('a')], { operationId: 'operation-1' });
    await keyring.disable('a', { operationId: 'operation-2' });
    await keyring.enable('a');
    const actions = (events: readonly { action: string }[]) => events.map(({ action }) => action);
    expect(actions(await keyring.auditList())).toEqual(['store.create', 'key.create', 'key.disable', 'key.enable']);
    expect(actions(await keyring.auditList({ limit: 1 }))).toEqual(['key.enable']);
    expect(actions(await keyring.operation('operation-2'))).toEqual(['key.disable']);
    await expect(keyring.operation('x')).rejects.toMatchObject({ code: 'usage' });
    const page = await keyring.auditAfter({ seq: 1 }, { limit: 2 });
    expect([actions(page.events), page.more, page.next.seq]).toEqual([['key.create', 'key.disable'], true, 3]);
    const rest = await keyring.auditAfter(page.next);
    expect([actions(rest.events), rest.more, rest.next]).toEqual([['key.enable'], false, await keyring.auditHead()]);
    expect(actions((await keyring.auditAfter({ seq: 0 }, { action: 'key.disable' })).events)).toEqual(['key.disable']);
    await expect(keyring.auditAfter({ seq: 2, hash: page.next.hash })).rejects.toMatchObject({
      code: 'anchor_missing',
    });
  });

  test('is handed over a thousand rows at a time', async () => {
    const { keyring } = await scene();
    await storeOf(keyring).create(
      Array.from({ length: 1001 }, (_, i) => newKey(`key ${i}`)),
      change(),
    );
    const page = await keyring.auditAfter({ seq: 0 });
    expect([page.events.length, page.more]).toEqual([1000, true]);
  });

  test('is followed from a row on, by the query, until the signal', async () => {
    const { keyring } = await scene();
    await make(keyring, 'a');
    await make(keyring, 'b');
    await keyring.disable('a');
    const ending = new AbortController();
    const seen: string[] = [];
    await keyring.auditFollow(
      { seq: 2 },
      (events) => {
        seen.push(...events.map(({ action, keyName }) => `${action} ${keyName}`));
        if (seen.length === 1) ending.abort();
      },
      { signal: ending.signal, query: { keyName: 'a' } },
    );
    expect(seen).toEqual(['key.disable a']);
  });

  test('contains the heads that it had, and no others', async () => {
    const { keyring } = await scene();
    const first = await keyring.auditHead();
    await make(keyring, 'a');
    const head = await keyring.auditHead();
    expect(await keyring.auditBirth()).toBe(first.hash);
    for (const each of [first, head, { seq: 0, hash: '' }]) {
      expect(await keyring.auditContains(each)).toBe(true);
      expect((await keyring.auditVerify(each)).problems).toEqual([]);
    }
    for (const each of [
      { seq: 1, hash: head.hash },
      { seq: 3, hash: head.hash },
    ]) {
      expect(await keyring.auditContains(each)).toBe(false);
      expect((await keyring.auditVerify(each)).problems).toEqual([
        `the log does not contain ${each.seq}:${each.hash}: it was cut or rebuilt after that head was noted`,
      ]);
    }
    expect(await (await receiver(DEFAULT_ENGINE)).auditBirth()).toBeNull();
  });

  test('is signed as it is now', async () => {
    const { clock, keyring } = await scene();
    const { privateKey, publicKey } = newSigningKey('example.com/keys');
    clock.now = at(DAY);
    const { note } = await keyring.auditSign(privateKey);
    expect(openSignedHead(note, publicKey)).toMatchObject({
      head: await keyring.auditHead(),
      birth: await keyring.auditBirth(),
      at: at(DAY),
    });
    await expect(keyring.auditSign('rubbish')).rejects.toMatchObject({ code: 'usage' });
  });

  test('is found by the id, the name, and a former name of a key', async () => {
    const { keyring } = await scene();
    const { key } = await make(keyring, 'a');
    await keyring.edit('a', { name: 'b' });
    for (const ref of ['a', 'b', key.id, key.id.slice(0, 6)]) expect(await keyring.auditKeyId(ref)).toBe(key.id);
    await keyring.delete('b');
    for (const ref of ['a', 'b', key.id, `unlk_test_${key.id}_…`]) expect(await keyring.auditKeyId(ref)).toBe(key.id);
    await expect(keyring.auditKeyId('never')).rejects.toMatchObject({
      code: 'not_found',
      message: 'no key "never"',
    });
    await storeOf(keyring).create([newKey('x', { id: '01zzzzzzzzz1' }), newKey('y', { id: '01zzzzzzzzz2' })], change());
    await expect(keyring.auditKeyId('01zz')).rejects.toMatchObject({ code: 'ambiguous' });
    const other = await make(keyring, 'c');
    await expect(keyring.auditKeyId(other.keyString)).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('the store', () => {
  test('is named, and says what was changed', async () => {
    const { keyring } = await scene();
    expect(path.basename(keyring.location)).toBe('keys.db');
    expect([keyring.created, keyring.lastChange]).toEqual([false, null]);
    const before = await keyring.auditHead();
    await make(keyring, 'a');
    expect(keyring.lastChange).toEqual({
      birth: await keyring.auditBirth(),
      before,
      head: await keyring.auditHead(),
    });
    expect(await keyring.storeSchema()).toEqual({ version: expect.any(Number), latest: expect.any(Number) });
    expect(await keyring.storeUpgrade()).toBeNull();
    expect((await keyring.storeCheck()).map(({ status }) => status)).not.toContain('failed');
    expect((await keyring.scopes()).map(({ scope }) => scope)).toContain('plan:read');
    await keyring.close();
    await expect(keyring.list()).rejects.toThrow();
    await keyring.close();
    expect((await receiver(DEFAULT_ENGINE, await freshLocation(DEFAULT_ENGINE))).created).toBe(true);
  });

  test('has settings, which a plan does not change', async () => {
    const { keyring } = await scene();
    expect(await keyring.plannedStorePolicy({ keepDeleted: '1d' })).toMatchObject({ keepDeleted: '1d' });
    expect(await keyring.storePolicy()).toMatchObject({ keepDeleted: '7d' });
    const policy = { maxLifetime: { live: '30d', test: null }, keepDeleted: '7d' };
    expect(await keyring.setStorePolicy({ maxLifetime: { live: '30d' } })).toEqual({ policy, changed: true });
    expect(await keyring.storePolicy()).toEqual(policy);
    expect(await keyring.setStoreHash('bcrypt')).toEqual({ scheme: 'bcrypt', changed: false });
    expect(await keyring.storeHash()).toEqual({ scheme: 'bcrypt', hashes: [], peppers: [] });
    const job = { actor: 'ci', proof: { issuer: 'https://ci.example', subject: 'x', job: {} } };
    expect(await (await keyring.issuing()).end('0123456789ab', job)).toBe(false);
    expect(await keyring.addScope('report:read', 'Reports')).toMatchObject({ categoryLabel: 'Reports' });
    expect(await keyring.addScope('report:list')).toMatchObject({ categoryLabel: 'Reports' });
    await expect(keyring.addScope('report:*', 'Reports')).rejects.toMatchObject({ code: 'usage' });
    await expect(keyring.addScope('other:read', '-bad')).rejects.toMatchObject({ code: 'usage' });
    expect(await keyring.retireScope('report:read')).toMatchObject({ changed: true, scope: { retired: true } });
  });

  test('is copied, finished and backed up', async () => {
    const { keyring } = await scene();
    await make(keyring, 'a', { mode: 'live' });
    const target = await receiver(DEFAULT_ENGINE);
    const progress = 'yes' as never;
    await expect(keyring.storeCopy(target, progress)).rejects.toMatchObject({ code: 'usage' });
    expect(await keyring.storeCopy(target)).toMatchObject({ keys: 1, copied: 2, head: await keyring.auditHead() });
    expect(await target.storeFinish()).toEqual({ finished: false, head: await keyring.auditHead() });
    const file = path.join(scratch(), 'backup.db');
    await keyring.storeBackup(file);
    expect(existsSync(file)).toBe(true);
    expect(names((await (await receiver(DEFAULT_ENGINE, file, false)).list()).keys)).toEqual(['a']);
    const changed = await another(keyring, DEFAULT_ENGINE);
    await changed.close();
  });

  test('drops what is past', async () => {
    const { keyring } = await scene();
    await make(keyring, 'a');
    await keyring.delete('a');
    const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
    await db.exec('update deleted_keys set kept_until = 1');
    await keyring.dropPast();
    expect(await db.all('select * from deleted_keys')).toEqual([]);
  });
});
