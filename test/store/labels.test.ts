import { describe, expect, test } from 'vitest';
import { change, ENGINES, freshStore, keyringOver, newKey, rawDatabase, START } from '../support/stores.js';

describe.each(ENGINES)('labels, on %s', (engine) => {
  test('are stored, changed, found by, and gone with their key; the audit log replays to them', async () => {
    const store = await freshStore(engine);
    const keys = ['a', 'b', 'c'].map((name, i) => newKey(name, { labels: { n: String(i % 2), name } }));
    await store.create(keys, change());
    const found = async (labels: Record<string, string>) =>
      (await store.list({ labels, now: START })).keys.map(({ name }) => name);
    expect(await found({ n: '0' })).toEqual(['c', 'a']);
    expect(await found({ n: '0', name: 'a' })).toEqual(['a']);
    expect(await found({ n: '0', name: 'b' })).toEqual([]);
    const [a, , c] = keys;
    await store.edit(a?.id ?? '', { labels: { n: '1' } }, change());
    await store.delete(c?.id ?? '', change());
    expect(await found({ n: '0' })).toEqual([]);
    expect(await found({ n: '1' })).toEqual(['b', 'a']);
    const db = await rawDatabase(store.location, engine);
    expect(await db.all('select label from key_labels order by label')).toEqual([
      { label: 'n=1' },
      { label: 'n=1' },
      { label: 'name=b' },
    ]);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
    await db.exec(`update api_keys set labels = '{"n":"9"}' where name = 'b'`);
    expect((await keyringOver(store).auditVerify()).problems).toEqual([
      expect.stringMatching(/without an audit row: labels/),
    ]);
    for (const text of ['', '[]', '"x"', 'nonsense', '{"n":1}'])
      await expect(
        db.exec(`update api_keys set labels = '${text}' where name = 'b'`).then(() => store.list({ now: START })),
      ).rejects.toThrow();
  });
});
