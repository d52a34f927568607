import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Place, SOUND } from '../support/built-tool.js';
import { atPoint } from '../support/preloads.js';
import { openRaw, type RawConnection } from '../support/raw-database.js';
import { DEFAULT_ENGINE } from '../support/stores.js';

const CREATE = ['create', 'second', '--test-mode', '--scope', 'plan:read', '-o', 'value'];

/**
 * Runs SQL on a file, as a program that is not ours would. Not with libsql where another engine works: it closes a file later, and takes away the log
 * of whoever has it open by then.
 */
function sql<T>(file: string, body: (db: RawConnection) => T): T {
  const db = openRaw(file, DEFAULT_ENGINE);
  try {
    return body(db);
  } finally {
    db.close();
  }
}

/** Another user than root, who would be let through everywhere; undefined where the tests do not run as root. */
const NOBODY = process.getuid?.() === 0 ? 65_534 : undefined;

/** A store in a directory that belongs to the user that the tool runs as. */
async function ownedStore(): Promise<{
  place: Place;
  directory: string;
  store: string;
  keyString: string;
  env: Record<string, string>;
}> {
  const place = new Place();
  const directory = place.file('owned');
  mkdirSync(directory, { mode: 0o700 });
  if (NOBODY !== undefined) chownSync(directory, NOBODY, NOBODY);
  const store = path.join(directory, 'keys.db');
  const env = { UNLOCKOS_KEYS_STORE: store };
  const made = await place.tool(['create', 'first', ...CREATE.slice(2)], { env, ...asUser });
  expect(made).toMatchObject({ exitCode: 0 });
  return { place, directory, store, keyString: made.stdout.trimEnd(), env };
}

const asUser = NOBODY === undefined ? {} : { uid: NOBODY };

interface Owned {
  readonly directory: string;
  readonly store: string;
}

test.each<[string, (owned: Owned) => void, (owned: Owned) => [error: string, hint: string]]>([
  [
    'the directory',
    ({ directory }) => chmodSync(directory, 0o500),
    ({ directory, store }) => [
      `error: the store ${store} can be read, not changed: no permission to write to its directory`,
      `hint: chmod u+w ${directory}, or pass another --store`,
    ],
  ],
  [
    'the file',
    ({ store }) => chmodSync(store, 0o400),
    ({ store }) => [
      `error: the store ${store} is not writable (SQLITE_`,
      'hint: you need write access to the file, to the -wal and -shm files beside it, and to its directory',
    ],
  ],
])('where %s is read-only, nothing is changed and the message says what must be writable', async (_, close, said) => {
  const owned = await ownedStore();
  const { place, env, directory, store } = owned;
  const before = readFileSync(store);
  close(owned);
  const { exitCode, stdout, stderr } = await place.tool(CREATE, { env, ...asUser });
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  for (const line of said(owned)) expect(stderr).toContain(line);
  chmodSync(directory, 0o700);
  for (const name of readdirSync(directory)) chmodSync(path.join(directory, name), 0o600);
  expect(readFileSync(store).equals(before)).toBe(true);
  expect((await place.tool(CREATE, { env, ...asUser })).exitCode).toBe(0);
});

test('in a directory that may not be searched, the message says so', async () => {
  const { place, directory, env } = await ownedStore();
  chmodSync(directory, 0o000);
  const { exitCode, stdout, stderr } = await place.tool(['list'], { env, ...asUser });
  chmodSync(directory, 0o700);
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toContain('no permission to use the store');
});

test('at a limit on file sizes the write is given up whole, nothing is printed, and old keys still verify', async () => {
  const place = new Place();
  const keyString = await place.key('first');
  const names = Array.from({ length: 40 }, (_, i) => `many-${i}`).join(' ');
  const flags = `--test-mode -s checkin:* -d '${'x'.repeat(500)}' -o value`;
  const { exitCode, stdout, stderr } = await place.bash(`ulimit -f 40; tool create ${names} ${flags}`);
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toContain(`error: writing to the store ${place.store} failed (SQLITE_IOERR_WRITE)`);
  expect(stderr).toContain('the disk is full, over a quota or failing; nothing was changed');
  const verified = await place.bash('ulimit -f 40; tool verify --stdin -o value', { input: keyString });
  expect(verified.stdout).toBe('valid\n');
  expect(await place.names()).toEqual(['first']);
  expect(await place.health()).toEqual(SOUND);
});

/** Where the pages of a table begin in the file. */
function tablePage(place: Place, table: string): { offset: number; size: number } {
  return sql(place.store, (db) => {
    const [[size] = []] = db.run('PRAGMA page_size', [], true) as number[][];
    const [[root] = []] = db.run('SELECT rootpage FROM sqlite_master WHERE name = ?', [table], true) as number[][];
    return { offset: (Number(root) - 1) * Number(size), size: Number(size) };
  });
}

function overwrite(file: string, offset: number, bytes: Buffer): void {
  const whole = readFileSync(file);
  bytes.copy(whole, offset);
  writeFileSync(file, whole);
}

const DAMAGE: readonly (readonly [string, (place: Place) => void])[] = [
  ['a header that is overwritten', ({ store }) => overwrite(store, 0, Buffer.alloc(100, 0xa5))],
  [
    'a file that was cut in half',
    ({ store }) => truncateSync(store, Math.floor(readFileSync(store).length / 8192) * 4096),
  ],
  [
    'a page that is overwritten',
    (place) => {
      const { offset, size } = tablePage(place, 'api_keys');
      overwrite(place.store, offset, Buffer.alloc(size, 0xa5));
    },
  ],
];

test.each(
  DAMAGE,
)('%s: the store is called damaged, with the advice to restore, and nothing is printed', async (_, damage) => {
  const place = new Place();
  const keyString = await place.key('first');
  damage(place);
  const damaged = readFileSync(place.store);
  for (const args of [['list'], CREATE, ['disable', 'first'], ['verify', '--stdin', '-o', 'value']]) {
    const { exitCode, stdout, stderr } = await place.look(args, { input: keyString });
    expect({ args, exitCode, stdout }).toEqual({ args, exitCode: 8, stdout: '' });
    expect(stderr).toMatch(new RegExp(`error: the store ${place.store} is damaged \\(SQLITE_(CORRUPT|NOTADB)`));
    expect(stderr).toContain(
      'hint: unlockos-keys doctor says more; to put a backup in its place: unlockos-keys store restore FILE',
    );
  }
  const doctor = await place.look(['doctor']);
  expect({ exitCode: doctor.exitCode, failed: doctor.stdout.includes('× failed') }).toEqual({
    exitCode: 7,
    failed: true,
  });
  expect(readFileSync(place.store).equals(damaged)).toBe(true);
});

test('a copy made by store backup takes the place of a store that was lost, keys, secrets and audit log included', async () => {
  const place = new Place();
  const keyString = await place.key('first');
  await place.key('second');
  await place.look(['disable', 'second']);
  expect((await place.look(['store', 'backup', 'copy.db'])).exitCode).toBe(0);
  const before = { keys: await place.keys(), head: (await place.look(['audit', 'head'])).stdout };
  overwrite(place.store, 0, Buffer.alloc(4096, 0));
  expect((await place.look(['list'])).exitCode).toBe(8);
  expect((await place.bash(`mv copy.db '${place.store}'`)).exitCode).toBe(0);
  expect({ keys: await place.keys(), head: (await place.look(['audit', 'head'])).stdout }).toEqual(before);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
});

test.each([
  ['moved', (store: string) => `fs.renameSync('${store}', '${store}.moved');`],
  ['unlinked', (store: string) => `fs.unlinkSync('${store}');`],
  [
    'replaced',
    (store: string) => `fs.copyFileSync('${store}', '${store}.x'); fs.renameSync('${store}.x', '${store}');`,
  ],
])('a store that is %s between commit and read-back: the key string is not printed', async (_, change) => {
  const place = new Place();
  await place.key('first');
  const node = atPoint(place, 'after-commit', 1, `const fs = require('node:fs'); ${change(place.store)}`);
  const { exitCode, stdout, stderr } = await place.tool(CREATE, { node });
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toContain(`error: the store ${place.store} was moved or replaced while it was in use`);
});

test('a store of a newer schema is refused by all but doctor, and left as it is', async () => {
  const place = new Place();
  const input = await place.key('first');
  sql(place.store, (db) =>
    db.exec(
      "INSERT INTO schema_migrations SELECT max(version) + 1, 'later', 'x', 0 FROM schema_migrations; UPDATE store_settings SET value = '99' WHERE name = 'min_reader'",
    ),
  );
  const before = readFileSync(place.store);
  for (const args of [
    CREATE,
    ['list'],
    ['show', 'first'],
    ['edit', 'first', '--name', 'x'],
    ['disable', 'first'],
    ['enable', 'first'],
    ['delete', 'first', '--yes'],
    ['verify', '--stdin'],
    ['scopes', 'list'],
    ['audit', 'verify'],
    ['store', 'check'],
    ['store', 'backup', 'copy.db'],
  ]) {
    const { exitCode, stdout, stderr } = await place.look(args, { input });
    expect({ args, exitCode, stdout }).toEqual({ args, exitCode: 8, stdout: '' });
    expect(stderr).toMatch(
      /has schema \d+; this version of unlockos-keys knows schemas up to \d+\nhint: upgrade unlockos-keys/,
    );
  }
  const doctor = await place.look(['doctor']);
  expect(doctor.exitCode).toBe(7);
  expect(doctor.stdout).toMatch(/schema +× failed +version \d+ is too new/);
  expect(readFileSync(place.store).equals(before)).toBe(true);
});

test.each<[string, string, (place: Place, file: string) => unknown, RegExp]>([
  ['a symbolic link', 'unsafe_path', (place, file) => symlinkSync(place.store, file), /it is a symbolic link/],
  ['a hard link', 'unsafe_path', (place, file) => linkSync(place.store, file), /it has a second name/],
  ['a FIFO', 'unsafe_path', (place, file) => place.bash(`mkfifo '${file}'`), /it is not a regular file/],
  ['a directory', 'unsafe_path', (_, file) => mkdirSync(file), /it is not a regular file/],
  [
    'a file that others may write to',
    'unsafe_path',
    (place) => place.write('odd', '', 0o666),
    /others can write to it/,
  ],
  [
    "another program's SQLite file",
    'store_foreign',
    (_, file) => void sql(file, (db) => db.exec('CREATE TABLE t (x)')),
    /SQLite file of another program/,
  ],
  [
    'a text',
    'store_corrupt',
    (place) => place.write('odd', 'no database, '.repeat(500), 0o600),
    /is damaged \(SQLITE_NOTADB\)/,
  ],
])('%s as the store is refused (%s), and is left alone', async (_, code, make, why) => {
  const place = new Place();
  await place.key('first');
  await make(place, place.file('odd'));
  const listing = () => readdirSync(place.dir).sort();
  const before = listing();
  for (const args of [
    ['list', '--json'],
    ['create', 'second', '--test-mode', '-s', 'plan:read', '--json'],
  ]) {
    const { exitCode, stdout, stderr } = await place.look([...args, '--store', 'odd']);
    expect({ exitCode, stdout }).toEqual({ exitCode: code === 'unsafe_path' ? 6 : 8, stdout: '' });
    expect(JSON.parse(stderr).error).toMatchObject({ code, message: expect.stringMatching(why) });
  }
  expect(listing()).toEqual(before);
});
