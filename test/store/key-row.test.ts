import { getTableColumns } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { type ApiKey, EDITABLE_FIELDS, FIELD_DEFAULTS, statusAt } from '../../src/domain/api-key.js';
import { keyState } from '../../src/domain/audit.js';
import {
  changingColumns,
  isTrustworthy,
  keyColumns,
  keyFromNew,
  writtenColumns,
} from '../../src/store/credential-row.js';
import { KEY_FIELDS, WHEN_DAMAGED } from '../../src/store/key-fields.js';
import { keyFromRow } from '../../src/store/key-row.js';
import { apiKeys } from '../../src/store/schema.js';
import { rowOf } from '../support/key-rows.js';
import { refusal } from '../support/refusal.js';
import { change, DEFAULT_ENGINE, freshLocation, freshStore, newKey, rawDatabase } from '../support/stores.js';

const KEY: ApiKey = {
  id: '3xbb3bje4dr5',
  name: 'Partner Check-in',
  description: 'für den Tresen',
  mode: 'live',
  scopes: ['checkin:read', 'plan:read'],
  status: 'inactive',
  rateLimit: { limit: 7, windowSeconds: 90 },
  expiresAt: new Date('2027-01-31T09:00:00Z'),
  createdAt: new Date('2026-01-01T00:00:00.001Z'),
  updatedAt: new Date('2026-01-02T00:00:00.002Z'),
  lastUsedAt: new Date('2026-01-03T00:00:00.003Z'),
  labels: { team: 'gym', tier: '1' },
  allowFrom: ['10.0.0.0/8', '2001:db8::/32'],
  rotatedFrom: '6jhnb3g233yz',
  rotatedTo: '3xbb3bje4dr5',
};

describe('the table of fields', () => {
  test('every column of a key belongs to one field, is derived from fields, or is known to be no field', () => {
    const apart = ['seq', 'hash', 'guard', 'expiryOrder'];
    expect([...writtenColumns(), ...apart].sort()).toEqual(Object.keys(getTableColumns(apiKeys)).sort());
  });

  test('a key is read as it was written', () => {
    expect(keyFromRow(rowOf(KEY))).toEqual(KEY);
  });

  test('so is one with nothing in its optional fields', () => {
    const bare = { ...KEY, ...FIELD_DEFAULTS, description: null, expiresAt: null, lastUsedAt: null };
    expect(keyFromRow(rowOf(bare))).toEqual(bare);
  });

  test('a row without a place in the order, or with too few cells, is no row of keys', () => {
    for (const row of [rowOf(KEY, { seq: 0 }), rowOf(KEY).slice(0, -1), []])
      expect(refusal(() => keyFromRow(row))).toMatchObject({ code: 'store_corrupt' });
  });

  test.each([
    ['id', 'not an id'],
    ['name', 5],
    ['description', 5],
    ['mode', 'prod'],
    ['scopes', '[]'],
    ['scopes', 'x'],
    ['status', 'expired'],
    ['rateLimit', '5'],
    ['rateWindowSeconds', null],
    ['expiresAt', 'soon'],
    ['createdAt', null],
    ['updatedAt', 1.5],
    ['lastUsedAt', null],
    ['labels', '{"a":1}'],
    ['rotatedFrom', 'x'],
    ['rotatedTo', 5],
    ['rateLimit', 0],
    ['rateLimit', 1000 / 3],
    ['rateLimit', 2 ** 60],
    ['expiresAt', 8_640_000_000_000_001],
    ['createdAt', -1e300],
    ['updatedAt', Number.NaN],
    ['lastUsedAt', 9e18],
    ['labels', '["a"]'],
    ['name', Buffer.from('blob')],
  ])('a row with another %s (%j) is a damaged key: its other fields are read, and it is not active', (column, cell) => {
    const field = column === 'rateWindowSeconds' ? 'rateLimit' : column;
    const key = keyFromRow(rowOf(KEY, { [column]: cell }));
    expect(key.damaged).toEqual([field]);
    expect(statusAt(key, new Date('2026-06-01T00:00:00Z'))).toBe('damaged');
    expect({ ...key, [field]: KEY[field as keyof ApiKey], damaged: undefined }).toEqual({ ...KEY, damaged: undefined });
    expect(isTrustworthy(key)).toBe(field === 'lastUsedAt' || field === 'description');
  });

  test('what a damaged key has instead lets nobody in', () => {
    const { status, scopes, expiresAt, mode } = WHEN_DAMAGED;
    expect({ status, scopes, mode }).toEqual({ status: 'inactive', scopes: [], mode: 'live' });
    expect(expiresAt?.getTime()).toBe(0);
  });

  test('what could not be read back is not written', () => {
    for (const change of [
      { rateLimit: { limit: 1000 / 3, windowSeconds: 60 } },
      { expiresAt: new Date(Number.NaN) },
      { scopes: [] },
      { labels: { a: 1 } },
      { mode: 'prod' },
    ])
      expect(refusal(() => keyColumns({ ...KEY, ...change } as ApiKey)).code).toBe('usage');
  });

  test('a change leaves damaged columns as they are', () => {
    const columns = changingColumns({ ...KEY, damaged: ['name', 'rateLimit'] });
    for (const left of ['name', 'nameKey', 'searchText', 'rateLimit', 'rateWindowSeconds'])
      expect(columns).not.toHaveProperty(left);
    expect(columns).toHaveProperty('status');
  });

  test('the audit log records every field but the id and the two marks that change without it', () => {
    const recorded = Object.keys(keyState(KEY, 'x'));
    expect([...recorded, 'id', 'updatedAt', 'lastUsedAt'].sort()).toEqual(
      [...Object.keys(KEY_FIELDS), 'credential'].sort(),
    );
  });

  test('a new key has a value in every field', () => {
    const { id, name, description, mode, scopes, rateLimit, expiresAt } = KEY;
    const made = keyFromNew(
      { id, name, description, mode, scopes, rateLimit, expiresAt, hash: 'h', guard: 'g' },
      KEY.createdAt,
    );
    expect(Object.keys(made).sort()).toEqual(Object.keys(KEY_FIELDS).sort());
    expect(Object.values(made)).not.toContain(undefined);
  });

  test('what may be edited is not fixed', () => {
    expect(EDITABLE_FIELDS.filter((field) => KEY_FIELDS[field].fixed)).toEqual([]);
  });

  test('the database refuses a change of every fixed column, and of no other', async () => {
    const engine = DEFAULT_ENGINE;
    const location = await freshLocation(engine);
    const store = await freshStore(engine, location);
    const { id } = newKey('a');
    await store.create([newKey('a', { id, rotatedFrom: KEY.id })], change());
    const db = await rawDatabase(location, engine);
    const refused: string[] = [];
    for (const [field, { fixed, columns }] of Object.entries(KEY_FIELDS).filter(([name]) => name !== 'lastUsedAt')) {
      const other =
        field === 'mode'
          ? "'live'"
          : field === 'status'
            ? "'inactive'"
            : field === 'scopes'
              ? `'["x:y"]'`
              : field === 'labels'
                ? `'{"a":"b"}'`
                : field.startsWith('rotated')
                  ? "'7xbb3bje4dr5'"
                  : "'7'";
      const own = Object.entries(getTableColumns(apiKeys)).filter(([name]) =>
        columns.some((column) => column === name),
      );
      for (const [, { name }] of own)
        await db.exec(`update api_keys set ${name} = ${other}`).catch(() => refused.push(field));
      if (!fixed) expect(refused).not.toContain(field);
    }
    const fixed = Object.entries(KEY_FIELDS).filter((entry) => entry[1].fixed);
    expect(refused).toEqual(fixed.map(([field]) => field));
    expect(changingColumns(KEY)).not.toHaveProperty('scopes');
  });
});
