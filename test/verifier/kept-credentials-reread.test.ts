import { describe, expect, test } from 'vitest';
import type { WatchSide } from '../../src/domain/watch.js';
import { KeptCredentials } from '../../src/verifier/kept-credentials.js';
import { MAX, twoStores } from '../support/kept-by-hand.js';
import { change, ENGINES, newKey, rawDatabase } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

describe.each(ENGINES)('what is read again, on %s', (engine) => {
  async function scene() {
    const { changing, watched } = await twoStores(engine);
    const rows = ['a', 'b', 'c'].map((name) => newKey(name));
    const [a, b, c] = (await changing.create(rows, change())).map(({ key: { id } }) => id);
    const clock = { wall: 0, real: 0 };
    const asked: string[] = [];
    const watch: WatchSide = {
      credentials(ids) {
        asked.push(`${ids.length} rows`);
        return watched.watch.credentials(ids);
      },
      since(head) {
        asked.push('log');
        return watched.watch.since(head);
      },
    };
    const kept = new KeptCredentials(watch, MAX, () => ({ ...clock }));
    const get = async (id = '') => (await kept.credential(id, { ...clock })) ?? (await kept.read(id));
    const pass = (ms: number) => {
      clock.wall += ms;
      clock.real += ms;
    };
    const asks = () => asked.splice(0);
    return { changing, a, b, c, get, pass, asks, db: await rawDatabase(changing.location, engine) };
  }

  test('only keys that the log names; after a change of the whole store, all of them', async () => {
    const { changing, a, b, c, get, pass, asks } = await scene();
    for (const id of [a, b]) await get(id);
    expect(asks()).toEqual(['1 rows', '1 rows']);
    await changing.setStatus(b ?? '', 'inactive', change());
    pass(MAX + 1);
    for (const id of [a, b]) await get(id);
    expect(asks()).toEqual(['log', '1 rows']);
    for (const id of [b, c]) await changing.setStatus(id ?? '', 'active', change());
    pass(MAX + 1);
    for (const id of [a, b]) await get(id);
    expect(asks()).toEqual(['log', '1 rows']);
    await changing.settings.setHashScheme('hmac-sha256:00000000', change());
    pass(MAX + 1);
    for (const id of [a, b]) expect((await get(id))?.outdated).toBe(true);
    expect(asks()).toEqual(['log', '1 rows', '1 rows']);
  });

  test('a key that is not there, at each request', async () => {
    const { get, asks } = await scene();
    for (let i = 0; i < 2; i++) expect(await get('no such key')).toBeNull();
    expect(asks()).toEqual(['1 rows', '1 rows']);
  });

  test('a hundred rows at once, one hundred after the other, and none of them twice', async () => {
    const { changing, get, pass, asks } = await scene();
    const rows = Array.from({ length: 201 }, (_, i) => newKey(`key ${i}`));
    await changing.create(rows, change());
    for (const { id } of rows) await get(id);
    pass(45_000);
    asks();
    const [{ id }] = rows as [(typeof rows)[0]];
    const asked = get(id);
    pass(1000);
    await Promise.all([asked, get(id)]);
    const found: string[] = [];
    await expect.poll(() => found.push(...asks()) && found.filter((each) => each !== 'log')).toHaveLength(3);
    pass(1000);
    await get(id);
    expect([...found, ...asks()].filter((each) => each !== 'log')).toEqual(['100 rows', '100 rows', '1 rows']);
  });

  test('a row that was changed with SQL: within a minute, together with others in use', async () => {
    const { a, b, get, pass, asks, db } = await scene();
    for (const id of [a, b]) await get(id);
    await db.exec("update api_keys set status = 'inactive'");
    for (let ms = 0; ms < 44_000; ms += MAX) {
      pass(MAX);
      for (const id of [a, b]) expect((await get(id))?.key.status).toBe('active');
    }
    expect(new Set(asks().slice(2))).toEqual(new Set(['log']));
    pass(MAX + 1);
    const answers = async () => Promise.all([a, b].map(async (id) => (await get(id))?.key.status));
    await expect.poll(answers).toEqual(['inactive', 'inactive']);
    expect(asks().sort()).toEqual(['2 rows', 'log']);
  });

  test('a row that was changed with SQL, where nobody came by in between: after a minute', async () => {
    const { a, get, pass, db } = await scene();
    await get(a);
    await db.exec("update api_keys set status = 'inactive'");
    pass(60_001);
    expect((await get(a))?.key.status).toBe('inactive');
  });

  test('no row of a key that nobody has used for five minutes', async () => {
    const { a, b, c, get, pass, asks } = await scene();
    for (const id of [a, b, c]) await get(id);
    const forMinutes = async (minutes: number) => {
      for (let ms = 0; ms < minutes * 60_000; ms += MAX + 1) {
        pass(MAX + 1);
        for (const id of [b, c]) await get(id);
      }
      return asks();
    };
    expect(await forMinutes(4)).toContain('3 rows');
    await forMinutes(2);
    const later = await forMinutes(2);
    expect(later).toContain('2 rows');
    expect(later).not.toContain('3 rows');
  });

  test('every row, where the log is another one', async () => {
    const { a, b, get, pass, asks, db } = await scene();
    for (const id of [a, b]) await get(id);
    const last = 'seq = (select max(seq) from audit_events)';
    await unguarded(db, engine, `update audit_events set hash = '${'a'.repeat(64)}' where ${last}`);
    await db.exec("update api_keys set status = 'inactive'");
    for (let i = 0; i < 2; i++) {
      pass(MAX + 1);
      for (const id of [a, b]) expect((await get(id))?.key.status).toBe('inactive');
    }
    expect(asks().slice(2)).toEqual(['log', '1 rows', '1 rows', 'log']);
  });

  test('every row, while the end of the log is damaged: each in its own time', async () => {
    const { a, b, get, pass, asks, db } = await scene();
    await unguarded(
      db,
      engine,
      'update audit_events set hash = zeroblob(64) where seq = (select max(seq) from audit_events)',
    );
    for (const id of [a, b, a, b]) await get(id);
    expect(asks()).toEqual(['1 rows', '1 rows']);
    await db.exec("update api_keys set status = 'inactive'");
    pass(MAX + 1);
    for (const id of [a, b]) expect((await get(id))?.key.status).toBe('inactive');
    expect(asks()).toEqual(['1 rows', '1 rows']);
  });
});
