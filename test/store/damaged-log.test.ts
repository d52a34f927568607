import { expect, test } from 'vitest';
import { appendToChain } from '../../src/domain/audit.js';
import { freshKeyring, make, receiver } from '../support/keyrings.js';
import { change, ENGINES, freshStore, keyringOver, newKey, rawDatabase } from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

// Rows of the audit log and of the catalogue that nothing of ours writes: whoever comes upon one goes on with the others.
const EVENTS = [
  "op = x'00'",
  "body = '7'",
  'body = \'{"action":"key.edit","at":5}\'',
  "body = '[]'",
  'prev = zeroblob(64)',
];
const SCOPES = ['retired = 7', "category_label = x'00ff'", "scope = 'odd'"];

for (const engine of ENGINES) {
  test.each([
    ...EVENTS.map((set) => `update audit_events set ${set} where seq = 2`),
    ...SCOPES.map((set) => `update scopes set ${set} where position = 3`),
  ])(`${engine}: after %s, others work, and the check names it`, async (attack) => {
    const keyring = await freshKeyring(engine);
    const { key, keyString } = await make(keyring, 'a');
    await unguarded(await rawDatabase(keyring.location, engine), engine, attack);
    const { problems } = await keyring.auditVerify();
    expect(problems.join('\n')).toMatch(/audit row 2 |row 3 of the catalogue/);
    await make(keyring, 'b', { scopes: ['plan:read'] });
    await keyring.disable('b');
    await keyring.addScope('plan:purge');
    await keyring.delete(key.id, {});
    expect((await keyring.auditList()).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await keyring.scopes()).map(({ scope }) => scope)).toContain('plan:purge');
    expect(await keyring.verify(keyString)).toMatchObject({ verdict: 'invalid' });
    await expect(keyring.storeCopy(await receiver(engine))).rejects.toMatchObject({ code: 'store_corrupt' });
  });

  test(`${engine}: the database takes no such row, and none without its operation id after one with it`, async () => {
    const store = await freshStore(engine);
    await store.create([newKey('a')], change());
    const db = await rawDatabase(store.location, engine);
    const [[seq, hash, body] = []] = await db.rows(
      'select seq, hash, body from audit_events order by seq desc limit 1',
    );
    const head = { seq: Number(seq), hash: String(hash) };
    const insert = (values: readonly unknown[]) =>
      db.rows('insert into audit_events (seq, op, body, prev, hash) values (?, ?, ?, ?, ?)', ...(values as string[]));
    const [row, bare] = [false, true].map(
      (each) => appendToChain(head, 'next', [JSON.parse(String(body))], { bare: each })[0],
    );
    if (!row || !bare) throw new Error('no row');
    await expect(insert([bare.seq, bare.op, bare.body, bare.prev, bare.hash])).rejects.toThrow(/append-only/);
    await expect(insert([row.seq, 'other', row.body, row.prev, row.hash])).rejects.toThrow(/append-only/);
    await expect(insert([row.seq, row.op, '7', row.prev, row.hash])).rejects.toThrow();
    await expect(db.exec('update scopes set retired = 2 where position = 1')).rejects.toThrow(/unreadable/);
    await insert([row.seq, row.op, row.body, row.prev, row.hash]);
  });

  test(`${engine}: a store that changes all the time can be checked and copied`, async () => {
    const store = await freshStore(engine);
    const others = keyringOver(store);
    await store.create(
      Array.from({ length: 30 }, (_, i) => newKey(`key ${i}`)),
      change(),
    );
    const keyring = keyringOver(await freshStore(engine, store.location));
    let going = true;
    const writing = (async () => {
      for (let i = 0; going; i++) {
        const id = `key ${i % 30}`;
        await (i % 60 < 30 ? others.disable(id) : others.enable(id));
        await make(others, `new ${i}`);
        if (i % 2 === 1) await others.delete(`new ${i - 1}`, {});
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      const before = await keyring.auditHead();
      const { problems, head } = await keyring.auditVerify(before);
      expect(problems).toEqual([]);
      expect(head.seq).toBeGreaterThanOrEqual(before.seq);
      const copy = await receiver(engine);
      await keyring.storeCopy(copy);
      expect((await copy.auditVerify()).problems).toEqual([]);
    } finally {
      going = false;
      await writing;
    }
  });

  test(`${engine}: a scope or a scheme that was not stored as it is answered is no success`, async () => {
    const store = await freshStore(engine);
    const db = await rawDatabase(store.location, engine);
    await db.exec(
      'create trigger turn_scope after insert on scopes begin update scopes set retired = 1 where scope = new.scope; end',
      "create trigger turn_hash after insert on store_settings when new.name = 'hash' begin update store_settings set value = 'bcrypt' where name = 'hash'; end",
    );
    await expect(store.settings.addScope('plan:purge', null, change())).rejects.toMatchObject({
      code: 'store_corrupt',
    });
    await expect(store.settings.setHashScheme('hmac-sha256:abcdefgh', change())).rejects.toMatchObject({
      code: 'store_corrupt',
    });
  });
}
