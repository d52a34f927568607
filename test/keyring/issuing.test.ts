import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { UNDELIVERED } from '../../src/domain/change.js';
import type { ErrorCode } from '../../src/domain/error-codes.js';
import { KeysError } from '../../src/domain/errors.js';
import type { Exchange } from '../../src/domain/issue.js';
import type { KeyStore } from '../../src/domain/key-store.js';
import { Peppers } from '../../src/domain/peppers.js';
import { type IssueInput, Issuing, type ProvenJob } from '../../src/keyring/issuing.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { another, freshKeyring, receiver } from '../support/keyrings.js';
import {
  BY,
  DEFAULT_ENGINE,
  ENGINES,
  freshStore,
  LOCAL_ENGINES,
  rawDatabase,
  scratch,
  storeOf,
} from '../support/stores.js';

const HOUR = 3_600_000;
/** An operation id that was drawn at random. */
const RANDOM = expect.stringMatching(/^[0-9a-f-]{36}$/);
const clock = () => ({ now: new Date() });
const job = (run: string): ProvenJob => ({
  actor: `github:acme/app run ${run}`,
  proof: { issuer: 'https://ci.example', subject: 'repo:acme/app', job: { run_id: run } },
});
const input = (name: string, more: Partial<IssueInput> = {}): IssueInput => ({
  name,
  scopes: ['checkin:read'],
  rateLimit: { limit: 600, windowSeconds: 60 },
  ttlMs: HOUR,
  asked: true,
  labels: { ci: 'github' },
  ...more,
});
const exchange = (token: string, more: Partial<Exchange> = {}): Exchange => ({
  token: token.padEnd(64, '0'),
  tokenIssued: new Date(),
  tokenEnds: new Date(Date.now() + 300_000),
  rule: 'app',
  maxAlive: 20,
  pace: { limit: 100, windowSeconds: 3600 },
  ...more,
});

async function issued(keyring: Keyring, token: string, more: Partial<Exchange> = {}, as = job('42')) {
  const issuing = await keyring.issuing();
  const made = await issuing.issue(input(`ci-${token}`), exchange(token, more), as);
  if (made.refused !== null) throw new Error(made.refused);
  return made;
}

test.each(ENGINES)('%s: one key for a token, by a proven actor, and gone once the same job ends it', async (engine) => {
  const keyring = await freshKeyring(engine, clock());
  const issuing = await keyring.issuing();
  const { key, keyString } = await issued(keyring, 'a');
  expect(key).toMatchObject({ mode: 'test', status: 'active', labels: { ci: 'github' } });
  expect(await keyring.verify(keyString)).toMatchObject({ verdict: 'valid' });
  expect(await issuing.issue(input('other'), exchange('a'), job('42'))).toEqual({ refused: 'spent', keyId: key.id });
  const [event] = await keyring.auditList({ keyId: key.id });
  expect(event).toMatchObject({ actor: 'github:acme/app run 42', osUser: 'ops', proven: job('42').proof });
  expect((await keyring.creators([key.id])).get(key.id)).toMatchObject({ proven: true });
  expect(await issuing.end(key.id, job('43'))).toBe(false);
  expect(await issuing.end('0123456789ab', job('42'))).toBe(false);
  expect((await keyring.show(key.id)).status).toBe('active');
  expect(await issuing.end(key.id, job('42'))).toBe(true);
  expect(await issuing.end(key.id, job('42'))).toBe(true);
  expect(await keyring.deletions()).toEqual([]);
  expect(await issuing.issue(input('other'), exchange('a'), job('42'))).toMatchObject({ refused: 'spent' });
  expect(await keyring.auditVerify()).toMatchObject({ problems: [] });
});

test.each(ENGINES)('%s: a spent token is forgotten when two changes say that its time is over', async (engine) => {
  const keyring = await freshKeyring(engine, clock());
  await issued(keyring, 'a');
  const db = await rawDatabase(keyring.location, engine);
  const [last] = await db.all("select body ->> '$.at' as at from audit_events order by seq desc limit 1");
  await db.exec('drop trigger issued_keys_update'); // which lets no row change
  await db.exec(`update issued_keys set kept_until = ${Date.parse(String(last?.at)) + 1}`);
  await issued(await another(keyring, engine, clock()), 'b');
  const tokens = async () =>
    (await db.all('select substr(token, 1, 1) as token from issued_keys order by 1')).map(({ token }) => token);
  expect(await tokens()).toEqual(['a', 'b']);
  await issued(await another(keyring, engine, clock()), 'c');
  expect(await tokens()).toEqual(['b', 'c']);
});

test.each(
  ENGINES,
)('%s: processes that exchange tokens at once keep once-only, maxAlive and the pace', async (engine) => {
  const keyring = await freshKeyring(engine, clock());
  const others = [keyring, await another(keyring, engine, clock()), await another(keyring, engine, clock())];
  const all = await Promise.all(
    Array.from({ length: 24 }, async (_, i) => {
      const issuing = await (others[i % 3] as Keyring).issuing();
      const limits = i < 12 ? {} : { rule: 'few', maxAlive: 3 };
      const token = i < 12 ? `t${i % 4}` : `f${i}`;
      return issuing.issue(input(`ci-${token}`), exchange(token, limits), job(`${i}`));
    }),
  );
  const count = (from: number, refused: string | null) =>
    all.slice(from, from + 12).filter((each) => each.refused === refused).length;
  expect([count(0, null), count(0, 'spent')]).toEqual([4, 8]);
  expect([count(12, null), count(12, 'alive')]).toEqual([3, 9]);
  const issuing = await keyring.issuing();
  const late = await issuing.issue(input('late'), exchange('p', { pace: { limit: 4, windowSeconds: 60 } }), job('1'));
  expect(late).toMatchObject({ refused: 'pace', retryAfterMs: expect.any(Number) });
});

test.each(ENGINES)('%s: a key that reached nobody frees its token; what is past is dropped', async (engine) => {
  const keyring = await freshKeyring(engine, clock());
  const issuing = await keyring.issuing();
  const { key } = await issued(keyring, 'a', { maxAlive: 1 });
  expect(await issuing.issue(input('b'), exchange('b', { maxAlive: 1 }), job('1'))).toMatchObject({
    refused: 'alive',
    retryAfterMs: expect.any(Number),
  });
  await issuing.takeBack(key, job('42'));
  await issued(keyring, 'a', { maxAlive: 1 });
  const over = exchange('c', { tokenEnds: new Date(Date.now() - 1) });
  expect(await issuing.issue(input('c'), over, job('1'))).toEqual({ refused: 'over' });
  expect(await storeOf(keyring).exchangeRefusal(exchange('d', { rule: 'other' }))).toBeNull();
});

test.each(
  ENGINES,
)('%s: a key that reached nobody counts in the pace: who never waits gets no keys without end', async (engine) => {
  const keyring = await freshKeyring(engine, clock());
  const issuing = await keyring.issuing();
  const pace = { limit: 2, windowSeconds: 60 };
  for (let n = 0; n < 2; n++) {
    const { key } = await issued(keyring, 'a', { pace });
    await issuing.takeBack(key, job('42'));
  }
  expect(await issuing.issue(input('a'), exchange('a', { pace }), job('42'))).toMatchObject({ refused: 'pace' });
  await issued(keyring, 'a'); // its token is worth another, once the pace allows
  expect(await issuing.issue(input('b'), exchange('a'), job('42'))).toMatchObject({ refused: 'spent' });
});

/** Every token that a server accepted before now, by its clock or by one that is behind by what is tolerated, and one that comes after. */
async function forgetsNone(keyring: Keyring) {
  const issuing = await keyring.issuing();
  const at = (ms: number) => ({ tokenIssued: new Date(Date.now() + ms) });
  for (const token of [exchange('a'), exchange('b', at(-HOUR)), exchange('c', at(29_000))]) {
    const answer = await issuing.issue(input('again'), token, job('42'));
    expect(answer).toMatchObject({ refused: 'early', since: expect.any(Date) });
    expect(await storeOf(keyring).exchangeRefusal(token)).toEqual(answer);
  }
  expect(await issuing.issue(input('late'), exchange('d', at(60_000)), job('42'))).toMatchObject({ refused: null });
}

test.each(ENGINES)('%s: a copy takes no token that was issued before it, for it may be spent', async (engine) => {
  const keyring = await freshKeyring(engine, clock());
  const { key } = await issued(keyring, 'a');
  await (await keyring.issuing()).end(key.id, job('42')); // then the copy has no trace of it but the log
  const target = await receiver(engine);
  await keyring.storeCopy(target);
  const copy = await receiver(engine, target.location, false);
  await forgetsNone(copy);
  await issued(keyring, 'e'); // the source goes on
});

test.each(LOCAL_ENGINES)('%s: a restored backup takes no token that was issued before', async (engine) => {
  const keyring = await freshKeyring(engine, clock());
  const backup = path.join(scratch(), 'backup.db');
  await keyring.storeBackup(backup);
  await issued(keyring, 'a');
  await (await receiver(engine, backup, false)).storeRestore(keyring.location);
  await forgetsNone(await receiver(engine, keyring.location, false));
});

test('a store policy shortens what nobody asked for, and refuses what a job asked for', async () => {
  const keyring = await freshKeyring(ENGINES[0] as (typeof ENGINES)[number], clock());
  const issuing = await keyring.issuing();
  await keyring.setStorePolicy({ maxLifetime: { test: '10m' } });
  await expect(issuing.issue(input('a'), exchange('a'), job('1'))).rejects.toMatchObject({ code: 'guarded' });
  const made = await issuing.issue(input('b', { asked: false }), exchange('a'), job('1'));
  expect(made.refused === null && made.key.expiresAt?.getTime()).toBeLessThan(Date.now() + 11 * 60_000);
});

test('a key is what the job asked for, from the clock of the keyring on', async () => {
  const { now } = clock();
  const keyring = await freshKeyring(DEFAULT_ENGINE, { now });
  const issuing = await keyring.issuing();
  for (const asked of [true, false]) {
    const wanted = input(`ci-${asked}`, { asked, scopes: ['plan:read'], rateLimit: { limit: 5, windowSeconds: 1 } });
    const made = await issuing.issue(wanted, exchange(`a${asked}`), job('1'));
    expect(made).toMatchObject({
      refused: null,
      key: {
        name: wanted.name,
        mode: 'test',
        scopes: ['plan:read'],
        rateLimit: wanted.rateLimit,
        labels: { ci: 'github' },
        expiresAt: new Date(now.getTime() + HOUR),
        createdAt: now,
      },
    });
  }
});

test('what a job does to its key is in the log as its doing, with the reason', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock());
  const issuing = await keyring.issuing();
  const [lost, used] = [await issued(keyring, 'a'), await issued(keyring, 'b')];
  await issuing.takeBack(lost.key, job('42'));
  await issuing.end(used.key.id, job('42'));
  const events = await keyring.auditList({ actor: job('42').actor });
  expect(events.map(({ action, keyId, reason }) => [action, keyId, reason])).toEqual([
    ['key.create', lost.key.id, null],
    ['key.create', used.key.id, null],
    ['key.delete', lost.key.id, 'the key string could not be delivered'],
    ['key.delete', used.key.id, 'its job ended it'],
  ]);
  for (const event of events) expect(event).toMatchObject({ osUser: 'ops', proven: job('42').proof, op: RANDOM });
  expect(new Set(events.map(({ op }) => op)).size).toBe(4);
  expect(await keyring.deletions()).toEqual([]);
});

test('no job ends a key that was not made for it, and none that nobody proved anything for', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock());
  const issuing = await keyring.issuing();
  const [own] = await keyring.create([{ name: 'own', mode: 'test', scopes: ['plan:read'] }]);
  const { key } = await issued(keyring, 'a');
  const { proof, ...rest } = job('42');
  for (const [id, as] of [
    [own?.key.id ?? '', job('42')],
    [key.id, job('43')],
    [key.id, { ...rest, proof: { ...proof, subject: 'repo:evil/app' } }],
    [key.id, { ...rest, proof: { ...proof, issuer: 'https://evil.example' } }],
  ] as const)
    expect(await issuing.end(id, as)).toBe(false);
  expect((await keyring.list()).keys).toHaveLength(2);
  expect(await issuing.end(key.id, { ...job('42'), actor: 'another text' })).toBe(true); // who it is counts, not how it is called
});

test('a refused job leaves its place to the next, and a name that is taken is refused', async () => {
  const keyring = await freshKeyring(DEFAULT_ENGINE, clock());
  const issuing = await keyring.issuing();
  await issued(keyring, 'a');
  for (let i = 0; i < 5; i++) {
    const unknown = issuing.issue(input(`b${i}`, { scopes: ['no-such:read'] }), exchange(`b${i}`), job('1'));
    await expect(unknown).rejects.toMatchObject({ code: 'usage' });
  }
  await expect(issuing.issue(input('ci-a'), exchange('c'), job('1'))).rejects.toMatchObject({ code: 'name_taken' });
  const all = await Promise.allSettled(
    Array.from({ length: 9 }, (_, i) => issuing.issue(input(i < 5 ? 'ci-a' : `d${i}`), exchange(`d${i}`), job('1'))),
  );
  expect(all.map(({ status }) => status)).toEqual([...Array(5).fill('rejected'), ...Array(4).fill('fulfilled')]);
  expect((await keyring.list()).keys).toHaveLength(5);
});

/** A keyring whose key ids come from these numbers, one after another. */
async function numbered(next: () => number): Promise<Keyring> {
  const random = (size: number) => new Uint8Array(size).fill(size === 12 ? next() : 7);
  const store = await freshStore(DEFAULT_ENGINE);
  return new Keyring(store, { by: () => BY, now: () => new Date(), hashCost: 4, random });
}

test('an id that exists is drawn again, three times at most', async () => {
  const draws = [0, 0, 0, 1, 0, 0, 0, 2];
  const issuing = await (await numbered(() => draws.shift() ?? 31)).issuing();
  const ids: string[] = [];
  for (const token of ['a', 'b']) {
    const made = await issuing.issue(input(`ci-${token}`), exchange(token), job('1'));
    ids.push(made.refused === null ? made.key.id : made.refused);
  }
  expect(ids).toEqual(['000000000000', '111111111111']);
  await expect(issuing.issue(input('ci-c'), exchange('c'), job('1'))).rejects.toMatchObject({ code: 'conflict' });
  expect(draws).toEqual([2]);
});

test('four keys are made at once; who waits longer than a limit lasts is refused, and no secret is hashed for it', async () => {
  let draws = 0;
  const issuing = await (await numbered(() => draws++)).issuing();
  const all = await Promise.all(
    Array.from({ length: 10 }, (_, i) => issuing.issue(input(`ci-${i}`), exchange(`${i}`, { maxAlive: 1 }), job('1'))),
  );
  expect(draws).toBe(4);
  const [made, ...refused] = all.sort((a) => (a.refused === null ? -1 : 1));
  expect(made).toMatchObject({ refused: null, keyString: expect.stringMatching(/^unlk_test_/) });
  for (const each of refused) expect(each).toEqual({ refused: 'alive', retryAfterMs: expect.any(Number) });
});

describe('where the store does not answer', () => {
  /** Issuing over a store of which some answers get lost. */
  async function losing(lost: (store: KeyStore) => Partial<KeyStore>) {
    const keyring = await freshKeyring(DEFAULT_ENGINE, clock());
    const store = storeOf(keyring);
    const some = lost(store);
    const over = new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(name in some ? some : target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const mint = { random: undefined, cost: 4, peppers: Peppers.none };
    return { keyring, issuing: new Issuing({ store: over, mint, by: () => BY, now: () => new Date() }) };
  }

  test.each<[string, ErrorCode, boolean, string[]]>([
    ['a key that was made is taken back', 'outcome_unknown', true, ['key.create', 'key.delete']],
    ['nothing is taken back that was not made', 'outcome_unknown', false, []],
    ['a key is left where it is known what happened', 'store_unavailable', true, ['key.create']],
  ])('%s', async (_, code, made, actions) => {
    const { keyring, issuing } = await losing((store) => ({
      async exchange(...args) {
        if (made) await store.exchange(...args);
        throw new KeysError(code, 'no reply');
      },
    }));
    await expect(issuing.issue(input('ci'), exchange('a'), job('1'))).rejects.toMatchObject({
      code,
      message: 'no reply',
    });
    const events = await keyring.auditList({ keyName: 'ci' });
    expect(events.map(({ action }) => action)).toEqual(actions);
    if (actions.length === 2) expect(events[1]).toMatchObject({ actor: job('1').actor, reason: UNDELIVERED });
  });

  test('no key is said to be ended', async () => {
    const { keyring, issuing } = await losing(() => ({
      async delete() {
        throw new KeysError('store_unavailable', 'no reply');
      },
    }));
    const made = await issuing.issue(input('ci'), exchange('a'), job('1'));
    if (made.refused !== null) throw new Error(made.refused);
    await expect(issuing.end(made.key.id, job('1'))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await keyring.show('ci')).status).toBe('active');
  });
});
