import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readStorePath } from '../../src/store/local/path-safety.js';
import { readMigrations, SCHEMA_VERSION } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open.js';
import {
  BINDINGS,
  change,
  freshStore,
  keyringOver,
  newKey,
  options,
  rawDatabase,
  realKey,
  START,
  scratch,
} from '../support/stores.js';

test.each([
  ['', 'usage'],
  ['   ', 'usage'],
  [':memory:', 'usage'],
  ['file:keys.db', 'usage'],
  ['FILE:///keys.db', 'usage'],
  ['a\0b', 'usage'],
  ['keys.db ', 'usage'],
  [' keys.db', 'usage'],
])('%j is no store path', (text, code) => {
  expect(() => readStorePath(text, '/')).toThrow(expect.objectContaining({ code }));
});

test('a relative path is taken from the working directory', () => {
  expect(readStorePath('./a/../keys.db', '/srv')).toBe(path.resolve('/srv/keys.db'));
});

test('the schema version is the number of shipped migrations', () => {
  expect(readMigrations().map(({ version }) => version)).toEqual(
    Array.from({ length: SCHEMA_VERSION }, (_, i) => i + 1),
  );
});

describe.each(BINDINGS)('opening, on %s', (binding) => {
  const open = (file: string, more: Parameters<typeof options>[1] = {}) => openStore(file, options(binding, more));

  /** Somebody's file or directory in the place of a store, and what it holds. */
  const places: [string, string, (file: string) => void, unknown?][] = [
    [
      'a symbolic link',
      'unsafe_path',
      (file) => {
        writeFileSync(`${file}.real`, 'precious');
        symlinkSync(`${file}.real`, file);
      },
    ],
    ['a link to nothing', 'unsafe_path', (file) => symlinkSync(`${file}.real`, file)],
    ['a loop of links', 'unsafe_path', (file) => symlinkSync(file, file)],
    [
      'a file with two names',
      'unsafe_path',
      (file) => {
        writeFileSync(`${file}.real`, '', { mode: 0o600 });
        linkSync(`${file}.real`, file);
      },
    ],
    ['a directory', 'unsafe_path', (file) => mkdirSync(file)],
    ['a FIFO', 'unsafe_path', (file) => execFileSync('mkfifo', [file])],
    [
      'a file that others can write',
      'unsafe_path',
      (file) => {
        writeFileSync(file, '');
        chmodSync(file, 0o666);
      },
    ],
    [
      'text',
      'store_corrupt',
      (file) => writeFileSync(file, 'precious text, not a database\n'.repeat(100), { mode: 0o600 }),
    ],
  ];

  test.each(places)('%s is refused, and left as it was', async (_, code, plant) => {
    const file = path.join(scratch(), 'keys.db');
    plant(file);
    const look = () =>
      [`${file}.real`, file].map((each) =>
        existsSync(each) && statSync(each).isFile() ? readFileSync(each, 'utf8') : existsSync(each),
      );
    const before = look();
    await expect(open(file)).rejects.toMatchObject({ code });
    expect(look()).toEqual(before);
  });

  test.each([
    ['a device', '/dev/null', 'unsafe_path'],
    ['a path through a file', '/etc/passwd/keys.db', 'usage'],
    ['4,096 characters', `/tmp/${'x'.repeat(4096)}`, 'usage'],
    ['a directory that is not there', '/nonexistent/keys.db', 'store_missing'],
  ])('%s is refused', async (_, file, code) => {
    await expect(open(file)).rejects.toMatchObject({ code });
  });

  test('a directory that everybody can write to is refused', async () => {
    const folder = path.join(scratch(), 'open');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    await expect(open(path.join(folder, 'keys.db'))).rejects.toMatchObject({ code: 'unsafe_path' });
    chmodSync(folder, 0o1777); // sticky, as /tmp: others can make files, but not take ours away
    await (await open(path.join(folder, 'keys.db'))).close();
  });

  test("another program's database is refused, byte for byte unchanged", async () => {
    const file = path.join(scratch(), 'keys.db');
    const db = await rawDatabase(file, binding);
    db.exec('create table bookmarks (url text)');
    chmodSync(file, 0o600);
    const before = readFileSync(file);
    await expect(open(file)).rejects.toMatchObject({ code: 'store_foreign' });
    expect(readFileSync(file)).toEqual(before);
  });

  test('without leave to make it, a missing or empty file stays what it is', async () => {
    const folder = scratch();
    const [missing, empty] = [path.join(folder, 'missing.db'), path.join(folder, 'empty.db')];
    writeFileSync(empty, '', { mode: 0o600 });
    for (const file of [missing, empty])
      await expect(open(file, { create: false })).rejects.toMatchObject({ code: 'store_missing' });
    expect([existsSync(missing), statSync(empty).size]).toEqual([false, 0]);
    await (await open(empty)).close();
    expect(statSync(empty).size).toBeGreaterThan(0);
  });

  test('the file and its side files are for the owner alone, and the default directory, too', async () => {
    const umask = process.umask(0o022);
    try {
      const file = path.join(scratch(), 'share', 'unlockos-keys', 'keys.db');
      const store = await open(file, { makeParent: true });
      await store.create([newKey('a')], change());
      expect(
        [file, `${file}-wal`, `${file}-shm`, path.dirname(file)].map((each) =>
          (statSync(each).mode & 0o777).toString(8),
        ),
      ).toEqual(['600', '600', '600', '700']);
      await store.close();
    } finally {
      process.umask(umask);
    }
  });

  test.each<[string, (file: string) => void]>([
    ['unlinked', (file) => rmSync(file)],
    ['moved', (file) => renameSync(file, `${file}.moved`)],
    [
      'replaced',
      (file) => {
        copyFileSync(file, `${file}.copy`);
        renameSync(`${file}.copy`, file);
      },
    ],
  ])('a store that was %s while it was open confirms nothing', async (_, happen) => {
    const store = await freshStore(binding);
    const row = newKey('a');
    await store.create([row], change());
    await store.confirmStored([row]);
    happen(store.location);
    await expect(store.confirmStored([row])).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('a key that is not there, or has another hash, is not confirmed', async () => {
    const store = await freshStore(binding);
    const row = newKey('a');
    await store.create([row], change());
    for (const wrong of [
      { id: '000000000000', hash: row.hash },
      { id: row.id, hash: 'x' },
    ])
      await expect(store.confirmStored([row, wrong])).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  test('a deleted hash is not left in the file', async () => {
    const store = await freshStore(binding);
    const { row } = await realKey('a');
    await store.create([row], change());
    await store.delete(row.id, change());
    await store.close();
    expect(readFileSync(store.location).includes(row.hash)).toBe(false);
    const log = `${store.location}-wal`;
    expect(existsSync(log) ? statSync(log).size : 0).toBe(0);
  });

  test('a lock held by another process is waited for, then named, and nothing is changed', async () => {
    const store = await freshStore(binding);
    const impatient = await open(store.location, { timeoutMs: 50 });
    const other = await rawDatabase(store.location, binding);
    other.exec('begin immediate');
    await expect(impatient.create([newKey('a')], change())).rejects.toMatchObject({ code: 'store_busy' });
    other.exec('rollback');
    expect((await impatient.list({ now: START })).keys).toEqual([]);
    await impatient.create([newKey('a')], change());
    await impatient.close();
  });

  describe('versions', () => {
    test('a newer store is opened for looking only', async () => {
      const store = await freshStore(binding);
      (await rawDatabase(store.location, binding)).exec("insert into schema_migrations values (99, 'future', 'x', 0)");
      await expect(open(store.location)).rejects.toMatchObject({ code: 'store_newer' });
      const looking = await open(store.location, { inspect: true, create: false });
      expect((await looking.check()).find(({ check }) => check === 'schema')).toMatchObject({ status: 'failed' });
      await looking.close();
    });

    test('a migration that fails in its middle leaves nothing, and the next attempt completes', async () => {
      const file = path.join(scratch(), 'keys.db');
      const migrations = readMigrations();
      const broken = migrations.map((each, i) =>
        i === 1 ? { ...each, statements: [...each.statements.slice(0, 3), 'create nonsense'] } : each,
      );
      await expect(open(file, { migrations: broken })).rejects.toThrow();
      expect((await rawDatabase(file, binding)).prepare('select count(*) from sqlite_master').raw().get()).toEqual([0]);
      const store = await open(file);
      expect(store.created).toBe(true);
      expect((await keyringOver(store).auditVerify()).problems).toEqual([]);
      await store.close();
    });

    test('an older store is copied (0600) before it is brought up to date', async () => {
      const store = await freshStore(binding);
      await store.create([newKey('kept')], change());
      await store.close();
      const next = [
        ...readMigrations(),
        { version: SCHEMA_VERSION + 1, tag: 'next', checksum: 'x', statements: ['create table later (x)'] },
      ];
      const upgraded = await open(store.location, { migrations: next });
      expect((await upgraded.list({ now: START })).keys.map(({ name }) => name)).toEqual(['kept']);
      await upgraded.close();
      const [copy, ...others] = execFileSync('ls', [path.dirname(store.location)], { encoding: 'utf8' })
        .split('\n')
        .filter((name) => name.includes('before-v'));
      expect(others).toEqual([]);
      const copied = path.join(path.dirname(store.location), copy ?? '');
      expect(statSync(copied).mode & 0o777).toBe(0o600);
      await (await open(copied)).close(); // still the older schema
      await expect(open(store.location)).rejects.toMatchObject({ code: 'store_newer' });
    });

    test('a store made by other migrations is reported', async () => {
      const store = await freshStore(binding);
      (await rawDatabase(store.location, binding)).exec(
        "update schema_migrations set checksum = 'x' where version = 1",
      );
      expect((await store.check()).find(({ check }) => check === 'schema')).toMatchObject({
        status: 'failed',
        detail: expect.stringContaining('0000_tables'),
      });
    });
  });

  describe('damage', () => {
    async function damaged(spoil: (file: string) => void): Promise<string> {
      const store = await freshStore(binding);
      await store.create(
        Array.from({ length: 50 }, (_, i) => newKey(`key ${i}`, { description: 'x'.repeat(400) })),
        change(),
      );
      await store.close();
      spoil(store.location);
      return store.location;
    }
    const overwrite = (file: string, at: number, text: string) => {
      const descriptor = openSync(file, 'r+');
      writeSync(descriptor, text, at);
      closeSync(descriptor);
    };

    test('a damaged header is named so', async () => {
      await expect(open(await damaged((file) => overwrite(file, 0, 'no database now')))).rejects.toMatchObject({
        code: 'store_corrupt',
        hint: expect.stringContaining('store backup'),
      });
    });

    test.each<[string, (file: string) => void]>([
      ['cut to half', (file) => truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096)],
      ['overwritten in its middle', (file) => overwrite(file, 4096 * 8, 'x'.repeat(4096 * 4))],
    ])('a file %s is found by the check or refused, never taken for good', async (_, spoil) => {
      const file = await damaged(spoil);
      const outcome = await open(file)
        .then(async (store) => {
          const findings = await store.check().finally(() => store.close());
          return findings.some(({ status }) => status === 'failed') ? 'found' : 'missed';
        })
        .catch((error: { code: string }) => error.code);
      expect(['found', 'store_corrupt']).toContain(outcome);
    });
  });

  describe('copies', () => {
    test('a backup is whole, for the owner alone, a store of its own on either binding, and overwrites nothing', async () => {
      const store = await freshStore(binding);
      const { row, keyString } = await realKey('a');
      await store.create([row], change());
      const copy = path.join(scratch(), 'copy.db');
      await store.backup(copy);
      expect(statSync(copy).mode & 0o777).toBe(0o600);
      await expect(store.backup(copy)).rejects.toMatchObject({ code: 'conflict' });
      await expect(store.backup('/nonexistent/copy.db')).rejects.toMatchObject({ code: 'usage' });
      for (const other of BINDINGS) {
        const opened = await openStore(copy, options(other, { create: false }));
        expect((await keyringOver(opened).verify(keyString)).verdict).toBe('valid');
        expect((await keyringOver(opened).auditVerify()).sound).toBe(true);
        await opened.close();
      }
    });
  });

  test('a sound store has nothing but good findings', async () => {
    const folder = path.join(scratch(), 'own');
    mkdirSync(folder, { mode: 0o700 });
    const store = await freshStore(binding, path.join(folder, 'keys.db'));
    const findings = await store.check();
    expect(findings.map(({ status }) => status)).toEqual(findings.map(() => 'ok'));
    expect(findings.map(({ check }) => check)).toEqual([
      'engine',
      'schema',
      'file mode',
      'directory mode',
      'integrity',
      'references',
      'triggers',
    ]);
    chmodSync(store.location, 0o640);
    expect((await store.check()).find(({ check }) => check === 'file mode')).toMatchObject({ status: 'warning' });
  });
});
