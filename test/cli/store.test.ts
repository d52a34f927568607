import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

interface Finding {
  check: string;
  status: string;
  detail: string;
  hint: string | null;
}

describe('store path', () => {
  test.each([
    { env: {}, flags: ['--store', 'a.db'], at: 'a.db', source: '--store' },
    { env: { UNLOCKOS_KEYS_STORE: 'b.db' }, flags: [], at: 'b.db', source: 'UNLOCKOS_KEYS_STORE' },
    { env: { UNLOCKOS_KEYS_STORE: 'b.db' }, flags: ['--store', 'a.db'], at: 'a.db', source: '--store' },
    { env: {}, flags: [], at: 'home/.local/share/unlockos-keys/keys.db', source: 'default' },
    { env: { UNLOCKOS_KEYS_STORE: '' }, flags: [], at: 'home/.local/share/unlockos-keys/keys.db', source: 'default' },
    { env: { XDG_DATA_HOME: 'relative' }, flags: [], at: 'home/.local/share/unlockos-keys/keys.db', source: 'default' },
    { env: { XDG_DATA_HOME: '/data' }, flags: [], at: '/data/unlockos-keys/keys.db', source: 'default' },
  ])('with $env and $flags is $at ($source)', async ({ env, flags, at, source }) => {
    const cli = testCli();
    cli.env = env;
    const { stdout, stderr } = await cli.run('store', 'path', ...flags);
    expect(stdout).toBe(`${path.resolve(cli.dir, at)}\n`);
    expect(stderr).toBe(`(${source}; not created yet)\n`);
    expect(await cli.json('store', ...flags)).toEqual({ path: path.resolve(cli.dir, at), source, exists: false });
  });

  test.each(['', ' ', ':memory:', 'file:x.db', ' x.db'])('refuses %j as a store', async (store) => {
    const { exitCode } = await testCli().run('list', '--store', store);
    expect(exitCode).toBe(2);
  });
});

describe('a store that must not be used', () => {
  test.each([
    { what: 'a symbolic link', exit: 6, make: (at: string, real: string) => symlinkSync(real, at) },
    { what: 'a directory', exit: 6, make: (at: string) => mkdirSync(at) },
    {
      what: 'writable by others',
      exit: 6,
      make: (at: string) => {
        writeFileSync(at, '');
        chmodSync(at, 0o666);
      },
    },
    {
      what: 'no database',
      exit: 8,
      make: (at: string) => writeFileSync(at, 'hello, this is a text file'.repeat(50), { mode: 0o600 }),
    },
  ])('is refused when it is $what', async ({ make, exit }) => {
    const cli = testCli();
    await cli.create('one');
    const at = path.join(cli.dir, 'bad.db');
    make(at, cli.store);
    for (const argv of [['list'], ['create', 'x', '--live', '-s', 'plan:read']]) {
      const { exitCode, stdout, stderr } = await cli.run(...argv, '--store', at);
      expect({ exitCode, stdout }).toEqual({ exitCode: exit, stdout: '' });
      expect(stderr).toMatch(/^error: /);
    }
    const doctor = await cli.run('doctor', '--store', at, '--json');
    expect(doctor.exitCode).toBe(7);
    expect(JSON.parse(doctor.stdout).some(({ status }: Finding) => status === 'failed')).toBe(true);
  });
});

describe('store backup', () => {
  test('writes a complete copy, 0600, that is a store itself', async () => {
    const cli = testCli();
    await cli.create('one');
    const { stderr } = await cli.run('store', 'backup', 'copy.db');
    expect(stderr).toBe(`Wrote ${cli.dir}/copy.db\n`);
    expect(statSync(path.join(cli.dir, 'copy.db')).mode & 0o777).toBe(0o600);
    await cli.create('two');
    expect((await cli.run('list', '--store', 'copy.db', '-o', 'value', '--fields', 'name')).stdout).toBe('one\n');
    expect((await cli.run('audit', 'verify', '--store', 'copy.db')).exitCode).toBe(0);
  });

  test.each([
    { file: 'keys.db', exit: 5, says: 'exists' },
    { file: 'taken', exit: 5, says: 'a backup never overwrites' },
    { file: 'home', exit: 5, says: 'exists' },
    { file: 'none/copy.db', exit: 2, says: 'does not exist' },
    { file: ' ', exit: 2, says: 'the file name is empty' },
  ])('to $file is refused with exit $exit', async ({ file, exit, says }) => {
    const cli = testCli();
    await cli.create('one');
    writeFileSync(path.join(cli.dir, 'taken'), 'mine');
    const { exitCode, stderr } = await cli.run('store', 'backup', file);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
    expect(statSync(path.join(cli.dir, 'taken')).size).toBe(4);
    expect(await cli.names()).toEqual(['one']);
  });

  test('--dry-run writes nothing', async () => {
    const cli = testCli();
    await cli.create('one');
    expect((await cli.run('store', 'backup', 'copy.db', '-n')).stderr).toContain('Dry run: would write');
    expect(existsSync(path.join(cli.dir, 'copy.db'))).toBe(false);
  });
});

describe('store restore', () => {
  test('puts a backup in place, and says what became of what was there', async () => {
    const cli = testCli();
    await cli.create('one');
    await cli.run('store', 'backup', 'copy.db');
    await cli.create('two');
    expect((await cli.run('store', 'restore', 'copy.db')).exitCode).toBe(6);
    expect((await cli.run('store', 'restore', 'copy.db', '-n')).stderr).toContain('Dry run: would replace');
    expect(await cli.names()).toEqual(['one', 'two']);
    const { stdout, stderr, exitCode } = await cli.run('store', 'restore', 'copy.db', '--yes');
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Restored ') });
    const kept = /What was there is in (.+)/.exec(stderr)?.[1] ?? '';
    expect(await cli.names()).toEqual(['one']);
    expect((await cli.run('list', '-o', 'value', '--fields', 'name', '--store', kept)).stdout).toBe('two\none\n');
    expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
  });

  test.each([
    { file: 'keys.db', exit: 2, says: 'the store itself' },
    { file: 'none.db', exit: 8, says: 'there is no store' },
    { file: 'text', exit: 8, says: 'damaged' },
  ])('$file is refused with exit $exit', async ({ file, exit, says }) => {
    const cli = testCli();
    await cli.create('one');
    writeFileSync(path.join(cli.dir, 'text'), 'mine '.repeat(500), { mode: 0o600 });
    const { exitCode, stderr } = await cli.run('store', 'restore', file, '--yes');
    expect({ exitCode, stderr }).toEqual({ exitCode: exit, stderr: expect.stringContaining(says) });
    expect(await cli.names()).toEqual(['one']);
  });

  test('a damaged store names it, and it mends', async () => {
    const cli = testCli();
    await cli.create('one');
    await cli.run('store', 'backup', 'copy.db');
    writeFileSync(cli.store, 'no database '.repeat(1000));
    expect((await cli.run('list')).stderr).toContain('unlockos-keys store restore FILE');
    expect((await cli.run('store', 'restore', 'copy.db', '--yes')).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['one']);
  });

  test.each<[string, (cli: TestCli) => string]>([
    [
      'a link that leads nowhere',
      ({ dir }) => {
        symlinkSync('nowhere', path.join(dir, 'new.db'));
        return 'it is a symbolic link';
      },
    ],
    [
      'a directory where a log would be',
      ({ dir }) => {
        mkdirSync(path.join(dir, 'new.db-wal'));
        return 'new.db-wal is not a regular file';
      },
    ],
    [
      'a directory that everybody can write to',
      ({ dir }) => {
        chmodSync(dir, 0o777);
        return 'everyone can write to';
      },
    ],
  ])('%s is no place for a store', async (_, plant) => {
    const [cli, from] = [testCli(), testCli()];
    await from.create('one');
    const says = plant(cli);
    const before = readdirSync(cli.dir);
    const { exitCode, stderr } = await cli.run('store', 'restore', from.store, '--yes', '--store', './new.db');
    expect({ exitCode, stderr }).toEqual({ exitCode: 6, stderr: expect.stringContaining(says) });
    expect(readdirSync(cli.dir)).toEqual(before);
  });

  test('a store on a server is not restored that way', async () => {
    const { exitCode, stderr } = await testCli().run('store', 'restore', 'copy.db', '--store', 'http://127.0.0.1:9');
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('store copy') });
  });
});

test('store copy onto the same file under another path is refused', async () => {
  const cli = testCli();
  await cli.create('one');
  symlinkSync(cli.dir, path.join(cli.dir, 'link'));
  for (const target of ['link/keys.db', './/keys.db', `../${path.basename(cli.dir)}/keys.db`])
    expect((await cli.run('store', 'copy', 'keys.db', target)).exitCode).toBe(2);
  expect(await cli.names()).toEqual(['one']);
});

test('store upgrade says what it does to an older store, which nothing that reads changes', async () => {
  const cli = testCli();
  await cli.create('one');
  expect((await cli.run('store', 'upgrade')).stdout).toMatch(/^The schema is at version \d+: nothing to do\n$/);
  const [version] = (await cli.sql('select max(version) as version from schema_migrations')) as [{ version: number }];
  await cli.sql('delete from schema_migrations where version = ?', version.version);
  const older = { from: version.version - 1, to: version.version };
  for (const argv of [['list'], ['show', 'one'], ['audit', 'verify'], ['store', 'check'], ['verify']]) {
    cli.stdin = 'x';
    expect((await cli.run(...argv)).stderr).not.toContain('Upgrading');
  }
  expect((await cli.run('store', 'upgrade', '-n')).stderr).toContain(`from version ${older.from} to ${older.to}`);
  expect(await cli.sql('select max(version) as version from schema_migrations')).toEqual([{ version: older.from }]);
});
