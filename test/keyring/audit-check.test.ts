import { describe, expect, test } from 'vitest';
import type { KeyStore } from '../../src/domain/key-store.js';
import { checkAudit } from '../../src/keyring/audit-check.js';
import { freshKeyring, make, receiver } from '../support/keyrings.js';
import { change, DEFAULT_ENGINE, freshLocation, freshStore, newKey, rawDatabase, storeOf } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

// How a log is checked does not depend on the engine; test/store/tamper.test.ts tries attacks on all of them.

/** A store with a key `a`, a deleted key `gone`, a scope of its own, and a policy. */
async function scene() {
  const keyring = await freshKeyring(DEFAULT_ENGINE);
  const { key: a } = await make(keyring, 'a');
  const { key: gone } = await make(keyring, 'gone');
  await keyring.delete('gone');
  await keyring.addScope('report:read', 'Reports');
  await keyring.retireScope('plan:read');
  await keyring.setStorePolicy({ maxLifetime: { live: '30d' } });
  const db = await rawDatabase(keyring.location, DEFAULT_ENGINE);
  return {
    keyring,
    store: storeOf(keyring),
    a,
    gone,
    attack: (...sql: string[]) => unguarded(db, DEFAULT_ENGINE, ...sql),
  };
}

test('a sound log is told with its head and its length', async () => {
  const { keyring, store } = await scene();
  const head = await keyring.auditHead();
  expect(await checkAudit(store, null)).toEqual({ sound: true, head, events: 7, problems: [] });
  expect(await checkAudit(store, head)).toEqual({ sound: true, head, events: 7, problems: [] });
});

describe('what differs from the log is told:', () => {
  type Scene = Awaited<ReturnType<typeof scene>>;
  test.each<[string, string, (scene: Scene) => string]>([
    [
      'a key',
      "update api_keys set status = 'inactive'",
      ({ a }) => `key ${a.id} was changed without an audit row: status`,
    ],
    [
      'a damaged key',
      "update api_keys set created_at = 'x'",
      ({ a }) => `key ${a.id} is damaged: its createdAt cannot be read`,
    ],
    [
      'a key that is missing',
      'delete from api_keys',
      ({ a }) => `key ${a.id} is in the audit log but not in the store`,
    ],
    [
      'a deleted key',
      "update deleted_keys set record = json_set(record, '$.guard', 'x')",
      ({ gone }) => `deleted key ${gone.id} was changed without an audit row: credential`,
    ],
    [
      'how long a deleted key is kept',
      'update deleted_keys set kept_until = kept_until + 86400000',
      ({ gone }) => `deleted key ${gone.id} was changed without an audit row: keptUntil`,
    ],
    [
      'a damaged deleted key',
      "update deleted_keys set record = json_set(record, '$.createdAt', 'x')",
      ({ gone }) => `deleted key ${gone.id} is damaged: its createdAt cannot be read`,
    ],
    [
      'a scope',
      "update scopes set retired = 1 where scope = 'report:read'",
      () => 'scope report:read differs between the catalogue and the audit log',
    ],
    [
      'a scope that is missing',
      "delete from scopes where scope = 'report:read'",
      () => 'scope report:read is in the audit log but not in the catalogue',
    ],
    [
      'a setting of the policy',
      "update store_settings set value = '365d' where name = 'max-lifetime-live'",
      () => 'max-lifetime-live is 365d, but the audit log says 30d',
    ],
    [
      'the hash scheme',
      "insert into store_settings (name, value) values ('hash', 'hmac-sha256:abcdefgh')",
      () => 'the hash scheme is hmac-sha256:abcdefgh, but the audit log says bcrypt',
    ],
    ['what is derived from keys', 'delete from key_scopes', ({ a }) => a.id],
  ])('%s', async (_, sql, says) => {
    const all = await scene();
    await all.attack(sql);
    const { sound, problems } = await checkAudit(all.store, null);
    expect(sound).toBe(false);
    expect(problems.join('\n')).toContain(says(all));
  });

  test('a row of the catalogue that cannot be read', async () => {
    const { store, attack } = await scene();
    await attack("update scopes set category_label = x'00ff' where position = 2");
    const { sound, problems } = await checkAudit(store, null);
    expect(sound).toBe(false);
    expect(problems[0]).toMatch(/^row 2\b.* of the catalogue is damaged$/);
  });

  test('keys of the second page, and of many problems a hundred', async () => {
    const { store, attack } = await scene();
    await store.create(
      Array.from({ length: 2001 }, (_, i) => newKey(`key ${i}`)),
      change(),
    );
    expect(await checkAudit(store, null)).toMatchObject({ sound: true, events: 7 + 2001 });
    await attack("update api_keys set status = 'inactive' where name = 'key 2000'");
    expect((await checkAudit(store, null)).problems).toHaveLength(1);
    await attack("update api_keys set status = 'inactive'");
    expect((await checkAudit(store, null)).problems).toHaveLength(100);
  });

  test('deleted keys of the second page', async () => {
    const { store, attack } = await scene();
    const names = Array.from({ length: 2001 }, (_, i) => `key ${i}`);
    for (
      let i = 0;
      i < 2;
      i++ // the second time, each takes the place of one that is deleted
    )
      await store.create(
        names.map((name) => newKey(name)),
        change(),
        () => 'replace',
      );
    expect(await checkAudit(store, null)).toMatchObject({ sound: true, events: 7 + 3 * 2001 });
    const last = 'seq = (select max(seq) from deleted_keys)';
    await attack(`update deleted_keys set record = json_set(record, '$.guard', 'x') where ${last}`);
    expect((await checkAudit(store, null)).problems).toEqual([expect.stringMatching(/^deleted key .*: credential$/)]);
  });

  test('rows that do not follow those before them, where two pages of the log meet and where it begins', async () => {
    const { store, attack } = await scene();
    await store.create(
      Array.from({ length: 2001 }, (_, i) => newKey(`key ${i}`)),
      change(),
    );
    const zeros = '0'.repeat(64);
    await attack(`update audit_events set prev = '${zeros}' where seq = 2001`);
    const follows = expect.arrayContaining(['audit row 2001 does not follow the row before it']);
    expect((await checkAudit(store, null)).problems).toEqual(follows);
    await attack('delete from audit_events where seq = 2001');
    const gone = ['audit row 2001 is missing (found 2002 in its place)'];
    expect((await checkAudit(store, null)).problems).toEqual(expect.arrayContaining(gone));
    await attack('delete from audit_events where seq = 1');
    const first = ['audit row 1 is missing (found 2 in its place)'];
    expect((await checkAudit(store, null)).problems).toEqual(expect.arrayContaining(first));
  });
});

describe('a head that was noted before', () => {
  test('is in the log with its hash, or the log was cut or rebuilt', async () => {
    const { keyring, store } = await scene();
    const rows = await store.audit.rows(0, 10);
    for (const { seq, hash } of rows) expect((await checkAudit(store, { seq, hash })).problems).toEqual([]);
    expect((await checkAudit(store, { seq: 0, hash: '' })).sound).toBe(true);
    const { hash } = await keyring.auditHead();
    for (const noted of [
      { seq: 3, hash },
      { seq: 8, hash },
    ])
      expect(await checkAudit(store, noted)).toMatchObject({
        sound: false,
        problems: [`the log does not contain ${noted.seq}:${hash}: it was cut or rebuilt after that head was noted`],
      });
  });

  test('is not in an empty log, which no store has', async () => {
    const empty = storeOf(await receiver(DEFAULT_ENGINE, await freshLocation(DEFAULT_ENGINE)));
    const { sound, events, problems } = await checkAudit(empty, null);
    expect({ sound, events }).toEqual({ sound: false, events: 0 });
    expect(problems).toContain('the audit log is empty: its first row, the creation of the store, is missing');
  });
});

describe('a store that is replaced during the check', () => {
  /** A store that reads from `before`, and from `after` once `is` says so, as one does whose file is replaced. */
  function replaced(before: KeyStore, after: KeyStore, is: (read: number) => boolean) {
    let reads = 0;
    const counted = <T extends object>(pick: (store: KeyStore) => T): T =>
      new Proxy(pick(before), {
        get(_, name) {
          if (name === 'audit') return counted((store) => pick(store)[name as keyof T] as object as KeyStore['audit']);
          return (...args: unknown[]) => {
            reads += 1;
            const target = pick(is(reads) ? after : before);
            return (target[name as keyof T] as (...all: unknown[]) => unknown).apply(target, args);
          };
        },
      });
    return { store: counted((store) => store), reads: () => reads };
  }

  /** Two stores: the second one is what became of the first, or is of the same length and another. */
  async function two(kind: 'longer' | 'shorter' | 'rewritten') {
    const [one, other] = [await freshStore(DEFAULT_ENGINE), await freshStore(DEFAULT_ENGINE)];
    for (const [store, keys] of [
      [one, kind === 'shorter' ? 4 : 2],
      [other, kind === 'longer' ? 4 : 2],
    ] as const)
      for (let i = 0; i < keys; i++) await store.create([newKey(`key ${i}`)], change());
    return [one, other] as const;
  }

  test.each([
    'longer',
    'shorter',
    'rewritten',
  ] as const)('by one that is %s is checked from the start', async (kind) => {
    const [before, after] = await two(kind);
    const whole = await checkAudit(after, null);
    expect(whole.sound).toBe(true);
    const alone = replaced(before, after, () => false);
    expect(await checkAudit(alone.store, null)).toEqual(await checkAudit(before, null));
    for (let read = 1; read < alone.reads(); read++) {
      const { sound, head } = await checkAudit(replaced(before, after, (at) => at > read).store, null);
      expect([read, sound, head]).toEqual([read, true, read < alone.reads() - 1 ? whole.head : head]);
    }
  });

  test('again and again is given up after five attempts', async () => {
    const [before, after] = await two('rewritten');
    const { store, reads } = replaced(before, after, (read) => read % 2 === 0); // each page of rows is of the other one
    await expect(checkAudit(store, null)).rejects.toMatchObject({ code: 'store_busy', hint: 'try again' });
    expect(reads()).toBe(5 * 2);
  });

  test('any other error ends the check', async () => {
    const { keyring, store } = await scene();
    await keyring.close();
    await expect(checkAudit(store, null)).rejects.not.toMatchObject({ code: 'store_busy' });
  });
});
