import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { newPepper, Peppers } from '../../src/domain/peppers.js';
import { testCli } from '../support/test-cli.js';

interface Finding {
  check: string;
  status: string;
  detail: string;
}

/** A tool with a file of one pepper, made by itself. */
async function peppered() {
  const cli = testCli();
  const { stdout } = await cli.run('store', 'pepper', 'peppers');
  const file = path.join(cli.dir, 'peppers');
  cli.env = { ...cli.env, UNLOCKOS_KEYS_PEPPER_FILE: file };
  return { cli, file, pepper: stdout.trim() };
}

const hashes = async (cli: ReturnType<typeof testCli>): Promise<unknown[]> =>
  (await cli.sql('select hash from api_keys order by seq')).map((row) => (row as { hash: string }).hash);

test('a pepper file that others can read stops what looks at one key or changes it, and no list', async () => {
  const { cli, file } = await peppered();
  await cli.run('create', 'a', '--test-mode', '-s', 'plan:read');
  chmodSync(file, 0o644);
  for (const line of [['list'], ['list', '--status', 'active'], ['list', '--json']]) {
    const { stdout, exitCode } = await cli.run(...line);
    expect({ stdout, exitCode }).toEqual({ stdout: expect.stringContaining('a'), exitCode: 0 });
  }
  for (const line of [
    ['show', 'a'],
    ['disable', 'a'],
  ]) {
    const { stderr, exitCode } = await cli.run(...line);
    expect({ stderr, exitCode }).toEqual({ stderr: expect.stringContaining('peppers'), exitCode: 6 });
    expect(existsSync(`${cli.store}-wal`), 'the store was closed').toBe(false);
  }
});

describe('store pepper', () => {
  test('makes a file that only its owner can read, adds to it, and prints the id alone', async () => {
    const { cli, file, pepper } = await peppered();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { stdout, stderr, exitCode } = await cli.run('store', 'pepper', 'peppers');
    expect(exitCode).toBe(0);
    const peppers = Peppers.parse(readFileSync(file, 'utf8'), file);
    expect(peppers.ids).toEqual([pepper, stdout.trim()]);
    expect(stderr).toMatch(/If you lose a pepper, every key hashed with it/);
    for (const line of readFileSync(file, 'utf8').trim().split('\n'))
      expect(stdout + stderr).not.toContain(line.slice(9));
  });

  test('dry, makes nothing', async () => {
    const cli = testCli();
    expect((await cli.run('store', 'pepper', 'peppers', '-n')).stdout).toBe('');
    expect(() => statSync(path.join(cli.dir, 'peppers'))).toThrow();
  });

  test.each([
    ['a file that others can read', (file: string) => writeFileSync(file, newPepper().line, { mode: 0o644 })],
    ['a file of something else', (file: string) => writeFileSync(file, 'hello\n', { mode: 0o600 })],
    [
      'a symbolic link',
      (file: string) => {
        writeFileSync(`${file}.real`, newPepper().line, { mode: 0o600 });
        symlinkSync(`${file}.real`, file);
      },
    ],
  ])('leaves %s alone', async (_, plant) => {
    const cli = testCli();
    const file = path.join(cli.dir, 'peppers');
    plant(file);
    const before = readFileSync(file, 'utf8');
    const { exitCode, stdout } = await cli.run('store', 'pepper', 'peppers');
    expect({ failed: exitCode === 2 || exitCode === 6, stdout }).toEqual({ failed: true, stdout: '' });
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  test('names a directory that is not there', async () => {
    const { exitCode, stderr } = await testCli().run('store', 'pepper', 'no/such/peppers');
    expect(exitCode).toBe(6);
    expect(stderr).toMatch(/no\/such\/peppers.*its directory does not exist/);
  });
});

describe('store hash', () => {
  test('shows how keys are hashed, and has new ones hashed with a pepper', async () => {
    const { cli, pepper } = await peppered();
    await cli.create('a');
    expect(await cli.json('store', 'hash')).toEqual([{ scheme: 'bcrypt', keys: 1, readable: true, current: true }]);
    const set = await cli.run('store', 'hash', 'hmac-sha256');
    expect(set.exitCode).toBe(0);
    expect(set.stderr).toMatch(/existing keys are rehashed when they are next used[\s\S]*If you lose a pepper/);
    const { keyString } = await cli.create('b');
    expect(await hashes(cli)).toEqual([expect.stringMatching(/^\$2b\$/), expect.stringMatching(/^\$hmac-sha256\$/)]);
    expect(await cli.json('store', 'hash')).toEqual(
      expect.arrayContaining([
        { scheme: 'bcrypt', keys: 1, readable: true, current: false },
        { scheme: `hmac-sha256:${pepper}`, keys: 1, readable: true, current: true },
      ]),
    );
    cli.stdin = keyString;
    expect((await cli.json('verify', '--stdin')).verdict).toBe('valid');
    expect((await cli.json('audit', 'list', '--action', 'store.hash'))[0]).toMatchObject({
      before: { scheme: 'bcrypt' },
      after: { scheme: `hmac-sha256:${pepper}` },
    });
    expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
  });

  test('a second time changes nothing; another pepper is another scheme; bcrypt is the way back', async () => {
    const { cli, pepper } = await peppered();
    const second = (await cli.run('store', 'pepper', 'peppers')).stdout.trim();
    await cli.create('a');
    const scheme = async (...argv: string[]) => {
      expect((await cli.run('store', 'hash', ...argv)).exitCode).toBe(0);
      return (await cli.json('store', 'hash')).find((line: { current: boolean }) => line.current).scheme;
    };
    expect(await scheme('hmac-sha256')).toBe(`hmac-sha256:${second}`);
    expect((await cli.run('store', 'hash', 'hmac-sha256')).stderr).toMatch(/nothing changed/);
    expect(await scheme('hmac-sha256', '--pepper', pepper)).toBe(`hmac-sha256:${pepper}`);
    expect(await scheme('bcrypt')).toBe('bcrypt');
    expect(await cli.json('audit', 'list', '--action', 'store.hash')).toHaveLength(3);
  });

  test.each([
    [['md5'], 2, /"?md5"? is not a hash scheme/],
    [['bcrypt', '--pepper', '0123abcd'], 2, /not a hash scheme/],
    [['--pepper', '0123abcd'], 2, /works with hmac-sha256 only/],
    [['hmac-sha256', '--pepper', '0123abcd'], 4, /0123abcd/],
  ])('refuses %j', async (argv, exit, message) => {
    const { cli } = await peppered();
    await cli.create('a');
    const { exitCode, stderr } = await cli.run('store', 'hash', ...argv);
    expect(exitCode).toBe(exit);
    expect(stderr).toMatch(message);
    expect(await cli.json('audit', 'list', '--action', 'store.hash')).toEqual([]);
  });

  test('without a pepper at hand says how to make one, and dry changes nothing', async () => {
    const cli = testCli();
    await cli.create('a');
    const { exitCode, stderr } = await cli.run('store', 'hash', 'hmac-sha256');
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/store pepper FILE/);
    const { cli: ready } = await peppered();
    await ready.create('a');
    expect((await ready.run('store', 'hash', 'hmac-sha256', '-n')).stderr).toMatch(/Dry run/);
    expect(await ready.json('store', 'hash')).toMatchObject([{ scheme: 'bcrypt', current: true }]);
  });
});

describe('a pepper that is needed', () => {
  test('and not there stops create before anything is made, and verify, with the pepper named; list goes on', async () => {
    const { cli, pepper } = await peppered();
    const { keyString } = await cli.create('a');
    await cli.run('store', 'hash', 'hmac-sha256');
    const peppery = await cli.create('b');
    cli.env = { UNLOCKOS_KEYS_STORE: cli.store, UNLOCKOS_KEYS_PEPPER_FILE: path.join(cli.dir, 'lost') };
    const refused = await cli.run('create', 'c', '--live', '-s', 'plan:read', '-o', 'value');
    expect({ exitCode: refused.exitCode, stdout: refused.stdout }).toEqual({ exitCode: 4, stdout: '' });
    expect(refused.stderr).toContain(pepper);
    expect(await cli.names()).toEqual(['a', 'b']);
    cli.stdin = peppery.keyString;
    expect((await cli.run('verify', '--stdin')).exitCode).toBe(4);
    cli.stdin = keyString;
    expect((await cli.run('verify', '--stdin')).exitCode).toBe(0);
    const doctor = JSON.parse((await cli.run('doctor', '--json')).stdout) as Finding[];
    expect(doctor.find(({ check }) => check === 'hashes')).toMatchObject({ status: 'failed' });
    await cli.sql("delete from api_keys where name = 'b'");
    expect((await cli.json('store', 'hash'))[0]).toMatchObject({ keys: 0, readable: false, current: true });
  });

  test('is found in the environment, in a file, and in a profile; doctor says where, and how far keys have moved', async () => {
    const { cli, file, pepper } = await peppered();
    await cli.create('a');
    await cli.run('store', 'hash', 'hmac-sha256');
    const text = readFileSync(file, 'utf8');
    const finding = async (name: string) =>
      (JSON.parse((await cli.run('doctor', '--json')).stdout) as Finding[]).find(({ check }) => check === name);
    expect(await finding('peppers from')).toMatchObject({ detail: `${file} (UNLOCKOS_KEYS_PEPPER_FILE)` });
    expect(await finding('hashes')).toMatchObject({
      status: 'warning',
      detail: expect.stringMatching(/still 1 with bcrypt/),
    });
    cli.env = { UNLOCKOS_KEYS_STORE: cli.store, UNLOCKOS_KEYS_PEPPERS: text };
    await cli.create('b');
    expect(await finding('peppers from')).toMatchObject({ detail: 'UNLOCKOS_KEYS_PEPPERS' });
    cli.env = { UNLOCKOS_KEYS_CONFIG_DIR: cli.dir };
    await cli.run('profile', 'add', 'here', '--store', cli.store, '--pepper-file', 'peppers', '--use');
    await cli.create('c');
    expect(await finding('peppers from')).toMatchObject({ detail: `${file} (pepperFile of profile here)` });
    expect((await cli.json('profile', 'show', 'here')).pepperFile).toBe(file);
    expect((await cli.json('store', 'hash')).find((line: { current: boolean }) => line.current)).toEqual({
      scheme: `hmac-sha256:${pepper}`,
      keys: 2,
      readable: true,
      current: true,
    });
  });

  test('in a file that others can read is refused, and what it holds is repeated nowhere', async () => {
    const { cli, file } = await peppered();
    chmodSync(file, 0o644);
    const { exitCode, stderr } = await cli.run('create', 'a', '--live', '-s', 'plan:read', '-o', 'value', '--debug');
    expect(exitCode).toBe(6);
    expect(stderr).toMatch(/other users can read it/);
    expect(stderr).not.toContain(readFileSync(file, 'utf8').slice(9, 30));
  });
});
