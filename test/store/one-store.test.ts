import { renameSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Database } from '../../src/store/database.js';
import { ofOneStore } from '../../src/store/one-store.js';
import { openStore } from '../../src/store/open.js';
import { change, LOCAL_ENGINES, newKey, openDatabase, options, scratch } from '../support/stores.js';

const NAMES = { sql: 'SELECT name FROM api_keys', params: [] };

describe.each(LOCAL_ENGINES)('a store that is replaced between two reads, on %s', (engine) => {
  async function storeWith(name: string): Promise<string> {
    const file = path.join(scratch(), 'keys.db');
    const store = await openStore(file, options(engine));
    await store.create([newKey(name)], change());
    await store.close();
    return file;
  }

  const nameIn = async (db: Database) => (await db.read([NAMES]))[0]?.[0]?.[0];

  async function scene() {
    const [file, other] = [await storeWith('first'), await storeWith('second')];
    const db = await openDatabase(file, engine, { create: false, follow: true });
    return { db, replace: () => renameSync(other, file) };
  }

  test('the work is done again, from its beginning', async () => {
    const { db, replace } = await scene();
    const seen: unknown[][] = [];
    const answer = await ofOneStore(db, async () => {
      const names = [await nameIn(db)];
      if (seen.length === 0) replace();
      await expect.poll(() => nameIn(db)).toBe('second');
      names.push(await nameIn(db));
      seen.push(names);
      return names;
    });
    expect(answer).toEqual(['second', 'second']);
    expect(seen).toEqual([
      ['first', 'second'],
      ['second', 'second'],
    ]);
  });

  test('an error that comes of it is not the answer; any other is', async () => {
    const { db, replace } = await scene();
    let replaced = false;
    const answer = ofOneStore(db, async () => {
      const name = await nameIn(db);
      if (replaced) return name;
      replace();
      replaced = true;
      await expect.poll(() => nameIn(db)).toBe('second');
      throw new Error('rows out of order');
    });
    expect(await answer).toBe('second');
    await expect(ofOneStore(db, async () => Promise.reject(new Error('other')))).rejects.toThrow('other');
  });
});
