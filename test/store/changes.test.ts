import { describe, expect, test } from 'vitest';
import { FIELD_DEFAULTS } from '../../src/domain/api-key.js';
import type { AuditEvent } from '../../src/domain/audit-side.js';
import { change, ENGINES, freshLocation, freshStore, markUsed, newKey, rawDatabase, START } from '../support/stores.js';

const LATER = new Date('2026-11-24T10:00:00.000Z');
const taken = expect.objectContaining({ code: 'name_taken' });

describe.each(ENGINES)('changes, on %s', (engine) => {
  const lastEvents = (events: AuditEvent[]) =>
    events.map(({ action, keyId, before, after, reason }) => ({ action, keyId, before, after, reason }));

  test('a new store begins with its own birth, the catalogue, and no key', async () => {
    const store = await freshStore(engine, await freshLocation(engine));
    expect(store.created).toBe(true);
    expect((await store.settings.catalogue()).map(({ scope }) => scope)).toEqual([
      'checkin:read',
      'checkin:create',
      'checkin:update',
      'plan:read',
      'plan:create',
      'plan:update',
      'facility:read',
    ]);
    expect((await store.list({ now: START })).keys).toEqual([]);
    expect(await store.audit.events({})).toMatchObject([{ seq: 1, action: 'store.create', osUser: 'ops' }]);
  });

  test('create stores every field, with an audit row that holds no hash', async () => {
    const store = await freshStore(engine);
    const row = newKey('施設連携', {
      description: 'kiosk',
      mode: 'live',
      scopes: ['plan:read', 'facility:read'],
      rateLimit: { limit: 5, windowSeconds: 1 },
      expiresAt: LATER,
    });
    const [{ key: made } = {}] = await store.create([row], change());
    const { hash, guard, ...fields } = row;
    expect(made).toEqual({
      ...FIELD_DEFAULTS,
      ...fields,
      status: 'active',
      createdAt: START,
      updatedAt: START,
      lastUsedAt: null,
    });
    expect(await store.credential(row.id)).toEqual({ key: made, hash, guard, scheme: 'bcrypt', outdated: false });
    expect((await store.list({ now: START })).keys).toEqual([made]);
    const event = (await store.audit.events({ keyId: row.id }))[0];
    expect(event).toMatchObject({
      action: 'key.create',
      keyName: '施設連携',
      before: null,
      after: { name: '施設連携', mode: 'live', rateLimit: '5/s', status: 'active' },
    });
    expect(JSON.stringify(event)).not.toContain(hash);
    expect(JSON.stringify(event)).not.toContain(guard);
  });

  test('edit writes the difference, and nothing when there is none', async () => {
    const store = await freshStore(engine);
    const [{ key } = {}] = await store.create([newKey('old', { description: 'x' })], change());
    const id = key?.id ?? '';
    const edited = await store.edit(id, { name: 'new', description: null }, change(LATER));
    expect(edited).toEqual({ changed: true, key: { ...key, name: 'new', description: null, updatedAt: LATER } });
    const head = await store.audit.head();
    expect(await store.edit(id, { name: 'new', rateLimit: { limit: 600, windowSeconds: 60 } }, change(LATER))).toEqual({
      changed: false,
      key: edited.key,
    });
    expect(await store.audit.head()).toEqual(head);
    expect(lastEvents(await store.audit.events({ limit: 1 }))).toEqual([
      {
        action: 'key.edit',
        keyId: id,
        before: { name: 'old', description: 'x' },
        after: { name: 'new', description: null },
        reason: null,
      },
    ]);
    expect((await store.edit(id, { name: 'NEW' }, change())).key.name).toBe('NEW'); // its own name in another case is free
  });

  test('a name cannot be taken by an edit, nor one freed for long', async () => {
    const store = await freshStore(engine);
    const [{ key: a } = {}] = await store.create([newKey('a'), newKey('b')], change());
    await expect(store.edit(a?.id ?? '', { name: 'B' }, change())).rejects.toEqual(taken);
    await store.edit(a?.id ?? '', { name: 'c' }, change());
    await store.create([newKey('a')], change());
  });

  test('status is idempotent, keeps its reason in the log, and goes back and forth', async () => {
    const store = await freshStore(engine);
    const [{ key } = {}] = await store.create([newKey('a')], change());
    const id = key?.id ?? '';
    expect(await store.setStatus(id, 'inactive', { ...change(LATER), reason: 'leaked' })).toMatchObject({
      changed: true,
      key: { status: 'inactive' },
    });
    expect(await store.setStatus(id, 'inactive', { ...change(LATER), reason: 'again' })).toMatchObject({
      changed: false,
    });
    expect(await store.setStatus(id, 'active', change(LATER))).toMatchObject({
      changed: true,
      key: { status: 'active' },
    });
    expect((await store.audit.events({ keyId: id })).map(({ action, reason }) => [action, reason])).toEqual([
      ['key.create', null],
      ['key.disable', 'leaked'],
      ['key.enable', null],
    ]);
  });

  test('delete takes the key, its usage and its scopes, and leaves what it was in the log', async () => {
    const store = await freshStore(engine);
    const [{ key } = {}] = await store.create([newKey('a'), newKey('b')], change());
    await store.delete(key?.id ?? '', change());
    const db = await rawDatabase(store.location, engine);
    for (const table of ['api_keys', 'key_usage', 'key_scopes'])
      expect(await db.rows(`select count(*) from ${table}`)).toEqual([[1]]);
    expect((await store.audit.events({ keyId: key?.id ?? '' })).at(-1)).toMatchObject({
      action: 'key.delete',
      keyName: 'a',
      before: { name: 'a', status: 'active' },
      after: { keptUntil: expect.any(String) },
    });
    for (const gone of [
      () => store.delete(key?.id ?? '', change()),
      () => store.edit(key?.id ?? '', { name: 'x' }, change()),
      () => store.setStatus(key?.id ?? '', 'active', change()),
    ]) {
      await expect(gone()).rejects.toMatchObject({ code: 'not_found' });
    }
  });

  test('a key is deleted only while it is as it was seen', async () => {
    const store = await freshStore(engine);
    const row = newKey('a');
    const [made] = await store.create([row], change());
    const seen = made?.key;
    if (!seen) throw new Error('nothing was made');
    await markUsed(store, [{ id: row.id, at: new Date(START.getTime() + 5) }]);
    await expect(store.delete(row.id, change(), seen)).rejects.toMatchObject({ code: 'conflict' });
    const [used] = await store.candidates({ id: row.id, limit: 1 });
    await store.setStatus(row.id, 'inactive', change());
    await expect(store.delete(row.id, change(), used)).rejects.toMatchObject({ code: 'conflict' });
    const [now] = await store.candidates({ id: row.id, limit: 1 });
    expect((await store.delete(row.id, change(), now)).id).toBe(row.id);
  });

  test('the catalogue grows and retires, each once', async () => {
    const store = await freshStore(engine);
    expect(await store.settings.addScope('plan:purge', 'ignored', change())).toMatchObject({
      scope: 'plan:purge',
      categoryLabel: 'Plan',
    });
    expect(await store.settings.addScope('report:read', 'Reports', change())).toMatchObject({
      categoryLabel: 'Reports',
    });
    await expect(store.settings.addScope('plan:purge', null, change())).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.settings.retireScope('plan:purge', change())).toMatchObject({
      changed: true,
      scope: { retired: true },
    });
    expect(await store.settings.retireScope('plan:purge', change())).toMatchObject({ changed: false });
    await expect(store.settings.retireScope('nope:read', change())).rejects.toMatchObject({ code: 'not_found' });
    expect((await store.audit.events({})).map(({ action }) => action)).toEqual([
      'store.create',
      'scope.add',
      'scope.add',
      'scope.retire',
    ]);
  });

  test('the log is filtered by key, actor or user, action and time, and cut to the latest', async () => {
    const store = await freshStore(engine);
    const by = (actor: string | null, osUser: string) => ({ by: { actor, osUser, host: 'h', tool: 't' } });
    const [{ key: a } = {}] = await store.create([newKey('a')], { ...change(), ...by('alice', 'root') });
    await store.create([newKey('b')], { ...change(LATER), ...by(null, 'alice') });
    await store.setStatus(a?.id ?? '', 'inactive', { ...change(LATER), ...by('bob', 'root') });
    const names = async (query: Parameters<typeof store.audit.events>[0]) =>
      (await store.audit.events(query)).map(({ seq }) => seq);
    expect(await names({ keyId: a?.id })).toEqual([2, 4]);
    expect(await names({ actor: 'alice' })).toEqual([2, 3]);
    expect(await names({ action: 'key.create' })).toEqual([2, 3]);
    expect(await names({ since: LATER })).toEqual([3, 4]);
    expect(await names({ limit: 2 })).toEqual([3, 4]);
    expect(await names({ keyId: a?.id, action: 'key.create', actor: 'bob' })).toEqual([]);
  });

  test('hostile names and descriptions come back byte for byte, and change no table', async () => {
    const store = await freshStore(engine);
    const db = await rawDatabase(store.location, engine);
    const schema = () => db.rows('select sql from sqlite_master order by name');
    const before = await schema();
    const hostile = [
      "'; DROP TABLE api_keys;--",
      '%s%n',
      '$' + '{x}',
      '$(id)',
      '`id`',
      '../../x',
      '__proto__',
      '<script>',
      '::add-mask::x',
      '"',
      "a'b",
      '\\',
      '?1',
      ':id',
    ];
    await store.create(
      hostile.map((name, i) => newKey(name, { description: hostile[hostile.length - 1 - i] ?? null })),
      change(),
    );
    expect((await store.list({ sort: 'created', now: START })).keys.map(({ name }) => name)).toEqual(hostile);
    for (const name of hostile)
      expect((await store.candidates({ name, limit: 1 })).map((key) => key.name)).toEqual([name]);
    expect(await schema()).toEqual(before);
  });
});
