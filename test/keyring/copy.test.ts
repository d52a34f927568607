import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Keyring } from '../../src/keyring/keyring.js';
import { freshKeyring, input, make, receiver } from '../support/keyrings.js';
import { refused } from '../support/manifests.js';
import {
  change,
  DEFAULT_ENGINE,
  ENGINES,
  freshLocation,
  freshStore,
  keyringOver,
  newKey,
  rawDatabase,
  recordUse,
  START,
  scratch,
  storeOf,
} from '../support/stores.js';
import { unguarded } from '../support/unguarded.js';

/**
 * Each engine once as the source and once as the target. A copy passes from one store to the other as domain objects, so the two sides
 * cannot fail in combination.
 */
const PAIRS = ENGINES.map((from, i) => [from, ENGINES[(i + 1) % ENGINES.length] as typeof from] as const);

/** Events enough for a second page of the log. */
const TWO_PAGES = 220;

/** A store with a past: keys made, renamed in a circle, disabled, deleted, a scope added and one retired; and `more` keys besides. */
async function livedIn(engine: (typeof ENGINES)[number], more = 0): Promise<Keyring> {
  const keyring = await freshKeyring(engine);
  await keyring.create(['a', 'b', 'c', 'd', 'e'].map((name) => input(name, { scopes: ['plan:*', 'checkin:read'] })));
  await keyring.addScope('report:read', 'Reports');
  await keyring.retireScope('plan:read');
  await keyring.edit('a', { name: 'spare' });
  await keyring.edit('b', { name: 'a' });
  await keyring.edit('spare', { name: 'b' });
  await keyring.disable('c');
  await keyring.delete('d');
  for (let i = 0; i < 3; i++) await keyring.edit('e', { description: `edit ${i}` });
  if (more > 0)
    await storeOf(keyring).create(
      Array.from({ length: more }, (_, i) => newKey(`more ${i}`)),
      change(),
    );
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
    const source = await livedIn(from, TWO_PAGES);
    const { keyString } = await make(source, 'proof');
    const target = await receiver(to);
    const { id } = await source.show('d');
    const uses = [{ id, verdict: 'valid', times: 7, at: START, detail: null }] as const;
    await recordUse(storeOf(source), { uses });
    const seen: [number, number][] = [];
    const result = await source.storeCopy(target, (done, total) => seen.push([done, total]));
    expect(await everything(target)).toEqual(await everything(source));
    expect(result).toEqual({ head: await source.auditHead(), keys: 6 + TWO_PAGES, copied: result.head.seq });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.at(-1)).toEqual([result.head.seq, result.head.seq]);
    expect((await target.verify(keyString)).verdict).toBe('valid');
    await recordUse(storeOf(source), { uses });
    await source.storeCopy(target);
    expect((await storeOf(target).use.totals([id], 0)).get(id)?.used).toBe(14);
    const recorded = async (keyring: Keyring) => (await storeOf(keyring).use.recording()).recorded;
    expect(await recorded(target)).toEqual(await recorded(source));
    await target.create([input('after')]);
    expect((await target.list({ limit: 1 })).keys[0]?.name).toBe('after');
  });

  test('cut off anywhere, it is no store yet, and goes on where it was', async () => {
    const source = await livedIn(from, TWO_PAGES);
    const target = await receiver(to);
    const cut = () => {
      throw new Error('cut off');
    };
    await expect(source.storeCopy(target, cut)).rejects.toThrow('cut off');
    const reached = (await target.auditHead()).seq;
    expect(reached).toBeGreaterThan(0);
    await expect(receiver(to, target.location, false).then((keyring) => keyring.list())).rejects.toMatchObject({
      code: 'store_incomplete',
    });
    const again = await receiver(to, target.location);
    const { copied, head } = await source.storeCopy(again);
    expect(copied).toBe(head.seq - reached);
    expect(await everything(again)).toEqual(await everything(source));
    await (await receiver(to, target.location, false)).list();
  });

  test('again later, it takes in what happened since: changes, deletions, and marks that no audit row tells of', async () => {
    const source = await livedIn(from);
    const target = await receiver(to);
    await source.storeCopy(target);
    await source.edit('a', { name: 'z' });
    await source.edit('b', { name: 'a' });
    await source.delete('c');
    await make(source, 'c');
    const db = await rawDatabase(source.location, from);
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
    const stranger = keyringOver(await freshStore(to, await freshLocation(to)));
    await expect(source.storeCopy(stranger)).rejects.toMatchObject({ code: 'conflict' });
  });

  test('a source that was changed behind its log is not copied', async () => {
    const source = await livedIn(from);
    const db = await rawDatabase(source.location, from);
    await db.exec("update api_keys set status = 'active' where name = 'c'");
    await expect(source.storeCopy(await receiver(to))).rejects.toMatchObject({ code: 'store_corrupt' });
  });
});

test('changes that are made while it copies are taken in', async () => {
  const source = await livedIn(DEFAULT_ENGINE, TWO_PAGES);
  const target = await receiver(DEFAULT_ENGINE, path.join(scratch(), 'copy.db'));
  let left = 3;
  const busy: Promise<unknown>[] = [];
  await source.storeCopy(target, () => {
    if (left-- > 0) busy.push(source.edit('e', { description: `meanwhile ${left}` }));
  });
  await Promise.all(busy);
  await source.storeCopy(target);
  expect(await everything(target)).toEqual(await everything(source));
});

describe('a store and itself', () => {
  test.each(ENGINES)('on %s is refused under another name, and goes on working', async (engine) => {
    const source = await livedIn(engine);
    const other = await receiver(engine, await aliasOf(source.location, engine), false);
    for (const to of [other, source]) {
      await expect(source.storeCopy(to)).rejects.toMatchObject({
        code: 'usage',
        message: expect.stringContaining('same'),
      });
      await make(source, `after ${to === other}`);
    }
    expect((await source.auditVerify()).problems).toEqual([]);
    expect((await source.storeCheck()).filter(({ status }) => status === 'failed')).toEqual([]);
  });

  test.each(ENGINES)('on %s while somebody changes it all the time', async (engine) => {
    const source = await livedIn(engine);
    const other = await receiver(engine, await aliasOf(source.location, engine), false);
    const changes = Array.from({ length: 20 }, (_, i) => source.edit('e', { description: `meanwhile ${i}` }));
    await expect(source.storeCopy(other)).rejects.toMatchObject({ code: 'usage' });
    await Promise.allSettled(changes); // so many at once on one key: some may give up
    await (await receiver(engine, source.location, false)).list(); // not marked as an unfinished copy
  });
});

test('a copy that has everything is not marked as unfinished when it is copied to again', async () => {
  const source = await livedIn(DEFAULT_ENGINE);
  const target = await receiver(DEFAULT_ENGINE, path.join(scratch(), 'copy.db'));
  await source.storeCopy(target);
  const before = await rawDatabase(target.location, DEFAULT_ENGINE);
  await before.exec(
    "create trigger nothing_marked before insert on schema_migrations begin select raise(abort, 'marked'); end",
  );
  expect((await source.storeCopy(target)).copied).toBe(0);
});

test.each(ENGINES)('on %s, an unfinished copy can be made a store as it is, if its log verifies', async (engine) => {
  const source = await livedIn(DEFAULT_ENGINE, TWO_PAGES);
  const target = await receiver(engine);
  await expect(target.storeFinish()).rejects.toMatchObject({ code: 'store_corrupt' }); // nothing there yet
  await expect(
    source.storeCopy(target, () => {
      throw new Error('cut off');
    }),
  ).rejects.toThrow('cut off');
  const again = await receiver(engine, target.location);
  const db = await rawDatabase(target.location, engine);
  const [state] = (await again.auditVerify()).problems;
  if (state === undefined) expect((await again.storeFinish()).finished).toBe(true);
  else await expect(again.storeFinish()).rejects.toMatchObject({ code: 'store_corrupt' });
  expect(await db.rows('select count(*) from schema_migrations where version = 0')).toEqual([[state ? 1 : 0]]);
  await source.storeCopy(again);
  await (await receiver(engine, target.location, false)).list();
});

describe('a copy that is refused', () => {
  async function scene() {
    const source = await livedIn(DEFAULT_ENGINE);
    const target = await receiver(DEFAULT_ENGINE);
    return { source, target, db: await rawDatabase(source.location, DEFAULT_ENGINE) };
  }

  test('into a store with changes of its own names both', async () => {
    const { source, target } = await scene();
    await source.storeCopy(target);
    await make(target, 'of its own');
    expect(await refused(source.storeCopy(target))).toMatchObject({
      code: 'conflict',
      message: `${target.location} is not an earlier state of ${source.location}: it has changes of its own`,
      hint: 'copy to a store that does not exist yet',
    });
    await make(source, 'of the same length');
    expect((await refused(source.storeCopy(target))).code).toBe('conflict');
  });

  test('onto itself changes nothing, and leaves nothing', async () => {
    const { source } = await scene();
    const before = await everything(source);
    expect(await refused(source.storeCopy(source))).toMatchObject({
      message: `FROM and TO are the same store (${source.location})`,
      hint: expect.stringContaining('nothing was copied'),
    });
    expect(await everything(source)).toEqual(before);
  });

  test('of a source that is not sound says what is wrong with it, and the copy has nothing', async () => {
    const { source, target, db } = await scene();
    await db.exec("update api_keys set status = 'active' where name = 'c'");
    const { id } = await source.show('c');
    expect(await refused(source.storeCopy(target))).toMatchObject({
      code: 'store_corrupt',
      message: `the audit log of ${source.location} and its keys do not agree: key ${id} was changed without an audit row: status`,
      hint: expect.stringContaining(`audit verify --store ${source.location}`),
    });
    expect((await target.auditHead()).seq).toBe(0);
  });

  test('because it arrived otherwise than it was sent is no store', async () => {
    const { source, target } = await scene();
    const there = await rawDatabase(target.location, DEFAULT_ENGINE);
    const spoil = () => there.exec("update api_keys set status = 'active' where name = 'c'");
    expect(await refused(source.storeCopy(target, () => void spoil()))).toMatchObject({
      code: 'store_corrupt',
      message: expect.stringContaining(target.location),
    });
    const opened = receiver(DEFAULT_ENGINE, target.location, false).then((keyring) => keyring.list());
    await expect(opened).rejects.toMatchObject({ code: 'store_incomplete' });
  });

  test('because the source lost what was copied is to be run again', async () => {
    const { source, target, db } = await scene();
    const cut = () => unguarded(db, DEFAULT_ENGINE, 'delete from audit_events where seq > 5');
    const error = await refused(source.storeCopy(target, () => void cut()));
    const { seq, hash } = await target.auditHead();
    expect(error).toMatchObject({
      code: 'conflict',
      message: `the copy ends in ${seq}:${hash}, which the source does not contain`,
      hint: 'run it again',
    });
  });

  test('to be finished with nothing in it, is refused as well', async () => {
    const { target } = await scene();
    expect(await refused(target.storeFinish())).toMatchObject({ code: 'store_corrupt' });
  });
});

test('progress never ends short of what there is, although more comes meanwhile', async () => {
  const source = await livedIn(DEFAULT_ENGINE, TWO_PAGES);
  const target = await receiver(DEFAULT_ENGINE, path.join(scratch(), 'copy.db'));
  const { seq } = await source.auditHead();
  const seen: [number, number][] = [];
  const busy: Promise<unknown>[] = [];
  await source.storeCopy(target, (done, total) => {
    seen.push([done, total]);
    if (busy.length < 3) busy.push(source.edit('e', { description: `meanwhile ${busy.length}` }));
  });
  await Promise.all(busy);
  expect(seen[0]).toEqual([200, seq]);
  for (const [done, total] of seen) expect(total).toBe(Math.max(done, seq));
  expect(seen.at(-1)?.[0]).toBeGreaterThan(seq);
});

/** Another path to the file, or another URL of the server. */
async function aliasOf(location: string, engine: (typeof ENGINES)[number]): Promise<string> {
  if (engine === 'sqld') return location.replace('127.0.0.1', 'localhost');
  const link = path.join(scratch(), 'link');
  symlinkSync(path.dirname(location), link);
  return path.join(link, path.basename(location));
}
