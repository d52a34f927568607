import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Authorship } from '../../src/domain/audit.js';
import type { Change } from '../../src/domain/change.js';
import { mintKeyString } from '../../src/domain/key-parts.js';
import type { KeyStore, NewKey } from '../../src/domain/key-store.js';
import type { Peppers } from '../../src/domain/peppers.js';
import { guardTag, hashSecret } from '../../src/domain/secret-hash.js';
import type { UseReport } from '../../src/domain/use.js';
import { Keyring } from '../../src/keyring/keyring.js';
import type { Database } from '../../src/store/database.js';
import { workingEngines } from '../../src/store/local/engines/load.js';
import { LocalDatabase } from '../../src/store/local/local-database.js';
import { type OpenOptions, openStore } from '../../src/store/open.js';
import { RemoteDatabase } from '../../src/store/remote/remote-database.js';
import { SqliteKeyStore } from '../../src/store/sqlite-key-store.js';
import { atEnd } from './lifetime.js';
import { localDatabase, type RawDatabase, remoteDatabase } from './raw-database.js';
import { startSqld, TOKENS } from './sqld.js';

/** Only these engines, separated by commas. Default: all. */
const ONLY = process.env.UNLOCKOS_KEYS_TEST_ENGINES?.split(',');
const wanted = <T extends string>(names: readonly T[]) => names.filter((name) => ONLY?.includes(name) ?? true);

/** The local engines that work on this Node; `test/store/local/engines.test.ts` checks which these are. */
export const LOCAL_ENGINES = wanted(await workingEngines());
if (LOCAL_ENGINES.length === 0) throw new Error(`no engine of ${ONLY} works on this Node`);
/** The one that the tool chooses by default. */
export const DEFAULT_ENGINE = LOCAL_ENGINES[0] as (typeof LOCAL_ENGINES)[number];
/** Everything that a store can run on: the local engines and a real server. */
export const ENGINES = wanted([...LOCAL_ENGINES, 'sqld'] as const);
export type EngineName = (typeof ENGINES)[number];
type LocalEngine = (typeof LOCAL_ENGINES)[number];

export const BY = { actor: null, osUser: 'ops', host: 'host', tool: 'test' };
export const START = new Date('2026-11-23T10:00:00.000Z');

/** A temporary directory for this test. */
export function scratch(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-test-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The options to open a store on `engine`; one token fits every server of this test process. */
export function options(engine: EngineName, change: Partial<OpenOptions> = {}): OpenOptions {
  const access = engine === 'sqld' ? { token: TOKENS.full } : { engine };
  return { create: true, makeParent: false, timeoutMs: 5000, by: () => BY, now: () => START, ...access, ...change };
}

/** A location without a store: a path in a temporary directory, or the URL of a new server with an empty database. */
export async function freshLocation(engine: EngineName): Promise<string> {
  return engine === 'sqld' ? (await startSqld()).url : path.join(scratch(), 'keys.db');
}

const empty = new Map<string, Promise<Buffer>>();

async function created(engine: LocalEngine, by: Authorship): Promise<Buffer> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-test-'));
  const file = path.join(folder, 'keys.db');
  const store = await openStore(file, options(engine, { by: () => by }));
  await store.close();
  const bytes = readFileSync(file);
  rmSync(folder, { recursive: true });
  return bytes;
}

/** The file of an empty store. It is created once per process: to copy it takes a third of the time. */
export function emptyStore(engine: LocalEngine, by: Authorship = BY): Promise<Buffer> {
  const name = `${engine} ${by.osUser}`;
  const known = empty.get(name) ?? created(engine, by);
  empty.set(name, known);
  return known;
}

let emptyServer: Promise<Map<string, Buffer>> | undefined;

/** The files of a server with an empty store. */
async function createdOnServer(): Promise<Map<string, Buffer>> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-sqld-'));
  const server = await startSqld({ dir, lives: 'caller' });
  const store = await openStore(server.url, options('sqld'));
  await store.audit.head();
  await store.close();
  await server.stop();
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map((entry) => path.join(entry.parentPath, entry.name));
  const contents = new Map(files.map((file) => [path.relative(dir, file), readFileSync(file)]));
  rmSync(dir, { recursive: true });
  return contents;
}

/** A location with an empty store, like one that was created there, for less. */
async function copiedStore(engine: EngineName): Promise<string> {
  const dir = scratch();
  if (engine !== 'sqld') {
    const file = path.join(dir, 'keys.db');
    writeFileSync(file, await emptyStore(engine), { mode: 0o600 });
    return file;
  }
  emptyServer ??= createdOnServer();
  for (const [name, bytes] of await emptyServer) {
    mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
    writeFileSync(path.join(dir, name), bytes);
  }
  return (await startSqld({ dir })).url;
}

/**
 * An empty store, closed when the test ends. It is read once, because a remote store is created by its first request. All of them begin with
 * the same log; one at a `location` of its own begins its own.
 */
export async function freshStore(engine: EngineName, location?: string): Promise<KeyStore> {
  const store = await openStore(location ?? (await copiedStore(engine)), options(engine));
  atEnd(() => store.close().catch(() => {}));
  await store.audit.head();
  return store;
}

/** The database of a store without the store, for tests of the layer below it. */
export async function openDatabase(
  location: string,
  engine: EngineName,
  change: Partial<OpenOptions> = {},
): Promise<Database> {
  const settled = options(engine, change);
  const database =
    engine === 'sqld' ? RemoteDatabase.open(location, settled) : await LocalDatabase.open(location, settled);
  atEnd(() => database.close().catch(() => {}));
  return database;
}

export interface Clock {
  now: Date;
}

const stores = new WeakMap<Keyring, KeyStore>();

export function keyringOver(store: KeyStore, clock: Clock = { now: START }, peppers?: Peppers): Keyring {
  const keyring = new Keyring(store, { by: () => BY, now: () => clock.now, hashCost: 4, peppers });
  stores.set(keyring, store);
  return keyring;
}

/** The store under a keyring of {@link keyringOver}, for what the keyring does not offer: a keyring keeps its store to itself. */
export function storeOf(keyring: Keyring): KeyStore {
  const store = stores.get(keyring);
  if (!store) throw new Error('not a keyring of keyringOver');
  return store;
}

/** A connection to a store without any of the tool's rules. */
export async function rawDatabase(location: string, engine: EngineName): Promise<RawDatabase> {
  return engine === 'sqld' ? remoteDatabase(location) : localDatabase(location, engine);
}

/** A local store whose connection can only read, as on a disk that became read-only, or whose file may not grow, as on a full one. */
export async function afflictedStore(
  location: string,
  engine: LocalEngine,
  affliction: 'read-only' | 'full',
): Promise<KeyStore> {
  const local = await LocalDatabase.open(location, options(engine, { create: false }));
  const store = new SqliteKeyStore(local);
  atEnd(() => store.close().catch(() => {}));
  if (affliction === 'full') await local.read([{ sql: 'pragma max_page_count = 1', params: [] }]);
  else
    await local.write([], () => ({ writes: [{ sql: 'pragma query_only = on', params: [], rows: 0 }], result: null }));
  return store;
}

/** All rows of a store, to compare before and after. */
export async function snapshot(db: RawDatabase): Promise<unknown> {
  const tables = [
    'api_keys',
    'audit_events',
    'scopes',
    'key_scopes',
    'key_labels',
    'key_usage',
    'key_rates',
    'key_days',
    'deleted_keys',
    'issued_keys',
    'recorders',
    'recorder_spans',
    'store_settings',
  ];
  return Promise.all(tables.map((table) => db.all(`select * from ${table} order by 1, 2`)));
}

let operations = 0;

export function change(at: Date = START): Change {
  operations += 1;
  return { by: BY, at, op: `op-${operations}` };
}

/** Sets last-used marks, as a server would that nobody hears of otherwise. */
export async function markUsed(store: KeyStore, marks: readonly { id: string; at: Date }[]): Promise<void> {
  await recordUse(store, { uses: marks.map(({ id, at }) => ({ id, verdict: 'valid', times: 1, at, detail: null })) });
}

/** Reports like a server of its own. `from` and `at`: the time in which it recorded use. */
export async function recordUse(store: KeyStore, report: Partial<UseReport>): Promise<void> {
  const at = report.at ?? START;
  const recorder = { id: randomUUID(), host: 'api-1' };
  await store.use.record({ recorder, records: true, batch: 1, from: at, at, ended: false, uses: [], ...report });
}

/** As if a server had recorded use at all times, whatever the clock of a test says. */
export const RECORDED_ALWAYS = 'insert into recorder_spans (records, since, until) values (1, 0, 8640000000000000)';

/** A hash for tests that check no secret. */
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

/** A key whose secret is known, hashed at the lowest cost. */
export async function realKey(name: string, fields: Partial<NewKey> = {}): Promise<{ row: NewKey; keyString: string }> {
  const { id, body, secret, keyString } = mintKeyString(fields.mode ?? 'test');
  return { row: newKey(name, { id, guard: guardTag(body), hash: await hashSecret(secret, 4), ...fields }), keyString };
}
