import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.js';
import { freshKeyring, input, make, receiver } from '../support/keyrings.js';
import { ENGINES, rawDatabase, START, scratch } from '../support/stores.js';

const PAIRS = ENGINES.flatMap((from) => ENGINES.map((to) => [from, to] as const));

/** A store with a past: keys made, renamed in a circle, disabled, deleted, a scope added and one retired, and more than one page of log. */
async function livedIn(engine: (typeof ENGINES)[number]): Promise<Keyring> {
  const keyring = await freshKeyring(engine);
  await keyring.create(['a', 'b', 'c', 'd', 'e'].map((name) => input(name, { scopes: ['plan:*', 'checkin:read'] })));
  await keyring.addScope('report:read', 'Reports');
  await keyring.retireScope('plan:read');
  await keyring.edit('a', { name: 'spare' });
  await keyring.edit('b', { name: 'a' });
  await keyring.edit('spare', { name: 'b' });
  await keyring.disable('c');
  await keyring.delete('d');
  for (let i = 0; i < 220; i++) await keyring.edit('e', { description: `edit ${i}` });
  await make(keyring, 'd', {
    mode: 'live',
    scopes: ['report:read'],
    expiresAt: new Date('2027-01-01'),
    rateLimit: { limit: 5, windowSeconds: 1 },
  });
  return keyring;
}

async function everything(keyring: Keyring) {
  return {
    keys: (await keyring.list({ sort: 'created' })).keys,
    byScope: (await keyring.list({ scopes: ['report:read'] })).keys,
    scopes: await keyring.scopes(),
    audit: await keyring.auditList(),
    head: await keyring.auditHead(),
    sound: (await keyring.auditVerify()).problems,
  };
}

describe.each(PAIRS)('copying from %s to %s', (from, to) => {
  test('gives the same store, in which the same key strings verify', async () => {
    const source = await livedIn(from);
    const { keyString } = await make(source, 'proof');
    const target = await receiver(to);
    const seen: [number, number][] = [];
    const result = await source.storeCopy(target, (done, total) => seen.push([done, total]));
    expect(await everything(target)).toEqual(await everything(source));
    expect(result).toEqual({ head: await source.auditHead(), keys: 6, copied: result.head.seq });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toEqual([result.head.seq, result.head.seq]);
    expect((await target.verify(keyString)).verdict).toBe('valid');
    await target.create([input('after')]);
    expect((await target.list({ limit: 1 })).keys[0]?.name).toBe('after');
  });

  test('cut off anywhere, it is no store yet, and goes on where it was', async () => {
    const source = await livedIn(from);
    const target = await receiver(to);
    const cut = () => {
      throw new Error('cut off');
    };
    await expect(source.storeCopy(target, cut)).rejects.toThrow('cut off');
    const reached = (await target.auditHead()).seq;
    expect(reached).toBeGreaterThan(0);
    await expect(receiver(to, target.store.location, false).then((keyring) => keyring.list())).rejects.toMatchObject({
      code: 'store_incomplete',
    });
    const again = await receiver(to, target.store.location);
    const { copied, head } = await source.storeCopy(again);
    expect(copied).toBe(head.seq - reached);
    expect(await everything(again)).toEqual(await everything(source));
    await (await receiver(to, target.store.location, false)).list();
  });

  test('again later, it takes in what happened since: changes, deletions, and marks that no audit row tells of', async () => {
    const source = await livedIn(from);
    const target = await receiver(to);
    await source.storeCopy(target);
    await source.edit('a', { name: 'z' });
    await source.edit('b', { name: 'a' });
    await source.delete('c');
    await make(source, 'c');
    const db = await rawDatabase(source.store.location, from);
    await db.exec('update key_usage set last_used_at = 1790000000000 where key_seq = 1');
    const { copied } = await source.storeCopy(target);
    expect(copied).toBe(4);
    expect((await target.show('a')).lastUsedAt).toEqual(new Date(1790000000000));
    expect(await everything(target)).toEqual(await everything(source));
  });

  test('labels, rotations and their ends come along, with what happened to them since', async () => {
    const source = await livedIn(from);
    const target = await receiver(to);
    await make(source, 'rotating', {
      labels: { team: 'x', n: '1' },
      expiresAt: new Date(START.getTime() + 90 * 86_400_000),
    });
    await source.rotate('rotating', { overlapMs: 3_600_000 });
    await source.storeCopy(target);
    expect(await everything(target)).toEqual(await everything(source));
    await source.finishRotation('rotating', { force: true });
    await source.rotate('rotating', { overlapMs: 0, labels: { team: 'y' } });
    await source.storeCopy(target);
    expect(await everything(target)).toEqual(await everything(source));
    expect((await target.list({ labels: { team: 'y' } })).keys.map(({ name }) => name)).toEqual(['rotating']);
  });

  test('a target with changes of its own is left as it is', async () => {
    const source = await livedIn(from);
    const target = await receiver(to);
    await source.storeCopy(target);
    await make(target, 'of its own');
    await make(source, 'elsewhere');
    const held = await everything(target);
    await expect(source.storeCopy(target)).rejects.toMatchObject({ code: 'conflict' });
    expect(await everything(target)).toEqual(held);
    const stranger = await freshKeyring(to);
    await expect(source.storeCopy(stranger)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('a source that was changed behind its log is not copied', async () => {
    const source = await livedIn(from);
    const db = await rawDatabase(source.store.location, from);
    await db.exec("update api_keys set status = 'active' where name = 'c'");
    await expect(source.storeCopy(await receiver(to))).rejects.toMatchObject({ code: 'store_corrupt' });
  });
});

test('changes that are made while it copies are taken in', async () => {
  const source = await livedIn('better-sqlite3');
  const target = await receiver('better-sqlite3', path.join(scratch(), 'copy.db'));
  let left = 3;
  const busy: Promise<unknown>[] = [];
  await source.storeCopy(target, () => {
    if (left-- > 0) busy.push(source.edit('e', { description: `meanwhile ${left}` }));
  });
  await Promise.all(busy);
  await source.storeCopy(target);
  expect(await everything(target)).toEqual(await everything(source));
});
