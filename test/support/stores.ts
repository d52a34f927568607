import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type Sqlite from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import type { Change, KeyStore, NewKey } from '../../src/domain/key-store.js';
import { mintKeyString } from '../../src/domain/key-string.js';
import { guardTag, hashSecret } from '../../src/domain/secret-hash.js';
import { Keyring } from '../../src/keyring/keyring.js';
import { BINDINGS, type BindingName, loadBinding } from '../../src/store/local/binding.js';
import { type OpenOptions, openStore } from '../../src/store/open.js';

export { BINDINGS, type BindingName };

export const BY = { actor: null, osUser: 'ops', host: 'host', tool: 'test' };
export const START = new Date('2026-11-23T10:00:00.000Z');

/** A directory of this test's own. */
export function scratch(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function options(binding: BindingName, change: Partial<OpenOptions> = {}): OpenOptions {
  return { create: true, makeParent: false, timeoutMs: 5000, binding, by: () => BY, now: () => START, ...change };
}

/** A store in a directory of its own, closed when the test ends. */
export async function freshStore(binding: BindingName, file = path.join(scratch(), 'keys.db')): Promise<KeyStore> {
  const store = await openStore(file, options(binding));
  onTestFinished(() => store.close().catch(() => {}));
  return store;
}

export interface Clock {
  now: Date;
}

export function keyringOver(store: KeyStore, clock: Clock = { now: START }): Keyring {
  return new Keyring(store, { by: () => BY, now: () => clock.now, hashCost: 4 });
}

/** A connection that knows none of our rules, for attacks and for looking. */
export async function rawDatabase(file: string, binding: BindingName): Promise<Sqlite.Database> {
  const db = (await loadBinding(binding)).open(file);
  onTestFinished(() => {
    db.close();
  });
  return db;
}

/** Everything that a store holds, to compare before and after. */
export function snapshot(db: Sqlite.Database): unknown {
  return ['api_keys', 'audit_events', 'scopes', 'key_scopes', 'key_usage'].map((table) =>
    db.prepare(`select * from ${table} order by 1, 2`).all(),
  );
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
