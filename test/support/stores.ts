import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Change, KeyStore, NewKey } from '../../src/domain/key-store.js';
import { mintKeyString } from '../../src/domain/key-string.js';
import type { Peppers } from '../../src/domain/peppers.js';
import { guardTag, hashSecret } from '../../src/domain/secret-hash.js';
import { Keyring } from '../../src/keyring/keyring.js';
import type { Database } from '../../src/store/database.js';
import { BINDINGS, type BindingName } from '../../src/store/local/binding.js';
import { LocalDatabase } from '../../src/store/local/local-database.js';
import { type OpenOptions, openStore } from '../../src/store/open.js';
import { RemoteDatabase } from '../../src/store/remote/remote-database.js';
import { localDatabase, type RawDatabase, remoteDatabase } from './raw-database.js';
import { startSqld, TOKENS } from './sqld.js';

export { BINDINGS, type BindingName };

/** Everything that a store may stand on: both local bindings, and a real server. */
export const ENGINES = [...BINDINGS, 'sqld'] as const;
export type EngineName = (typeof ENGINES)[number];

export const BY = { actor: null, osUser: 'ops', host: 'host', tool: 'test' };
export const START = new Date('2026-11-23T10:00:00.000Z');

/** A directory of this test's own. */
export function scratch(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** One token opens every server of this test process. */
export function options(engine: EngineName, change: Partial<OpenOptions> = {}): OpenOptions {
  const access = engine === 'sqld' ? { token: TOKENS.full } : { binding: engine };
  return { create: true, makeParent: false, timeoutMs: 5000, by: () => BY, now: () => START, ...access, ...change };
}

/** Where no store is yet: a path in a directory of this test's own, or the address of a server of its own with an empty database. */
export async function freshLocation(engine: EngineName): Promise<string> {
  return engine === 'sqld' ? (await startSqld()).url : path.join(scratch(), 'keys.db');
}

/** An empty store, closed when the test ends. It is asked something, because a remote one is only made by its first question. */
export async function freshStore(engine: EngineName, location?: string): Promise<KeyStore> {
  const store = await openStore(location ?? (await freshLocation(engine)), options(engine));
  onTestFinished(() => store.close().catch(() => {}));
  await store.auditHead();
  return store;
}

/** What a store stands on, without the store, for what only the seam below it can show. */
export async function openDatabase(
  location: string,
  engine: EngineName,
  change: Partial<OpenOptions> = {},
): Promise<Database> {
  const settled = options(engine, change);
  const database =
    engine === 'sqld' ? RemoteDatabase.open(location, settled) : await LocalDatabase.open(location, settled);
  onTestFinished(() => database.close().catch(() => {}));
  return database;
}

export interface Clock {
  now: Date;
}

export function keyringOver(store: KeyStore, clock: Clock = { now: START }, peppers?: Peppers): Keyring {
  return new Keyring(store, { by: () => BY, now: () => clock.now, hashCost: 4, peppers });
}

/** A connection to a store that knows none of our rules. */
export async function rawDatabase(location: string, engine: EngineName): Promise<RawDatabase> {
  return engine === 'sqld' ? remoteDatabase(location) : localDatabase(location, engine);
}

/** Everything that a store holds, to compare before and after. */
export async function snapshot(db: RawDatabase): Promise<unknown> {
  const tables = [
    'api_keys',
    'audit_events',
    'scopes',
    'key_scopes',
    'key_labels',
    'key_usage',
    'key_rates',
    'store_settings',
  ];
  return Promise.all(tables.map((table) => db.all(`select * from ${table} order by 1, 2`)));
}

let operations = 0;

export function change(at: Date = START): Change {
  operations += 1;
  return { by: BY, at, op: `op-${operations}` };
}

/** Any stored hash will do where no secret is proven. */
const HASH = `$2b$04$${'a'.repeat(53)}`;

export function newKey(name: string, fields: Partial<NewKey> = {}): NewKey {
  const { id, body } = mintKeyString(fields.mode ?? 'test');
  return {
    id,
    name,
    description: null,
    mode: 'test',
    scopes: ['checkin:read'],
    rateLimit: { limit: 600, windowSeconds: 60 },
    expiresAt: null,
    hash: HASH,
    guard: guardTag(body),
    ...fields,
  };
}

/** A key whose secret is known, at the lowest cost. */
export async function realKey(name: string, fields: Partial<NewKey> = {}): Promise<{ row: NewKey; keyString: string }> {
  const { id, body, secret, keyString } = mintKeyString(fields.mode ?? 'test');
  return { row: newKey(name, { id, guard: guardTag(body), hash: await hashSecret(secret, 4), ...fields }), keyString };
}
