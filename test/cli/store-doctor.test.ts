import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

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
    expect(stderr).toBe(`(${source}; not made yet)\n`);
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
    for (const argv of [['list'], ['create', 'x', '-s', 'plan:read']]) {
      const { exitCode, stdout, stderr } = await cli.run(...argv, '--store', at);
      expect({ exitCode, stdout }).toEqual({ exitCode: exit, stdout: '' });
      expect(stderr).toMatch(/^error: /);
    }
    const doctor = await cli.run('doctor', '--store', at, '--json');
    expect(doctor.exitCode).toBe(7);
    expect(JSON.parse(doctor.stdout).some(({ status }: Finding) => status === 'failed')).toBe(true);
  });
});

describe('store check and doctor', () => {
  test('find a new store in order', async () => {
    const cli = testCli();
    await cli.create('one');
    const findings: Finding[] = await cli.json('doctor');
    expect(findings.map(({ check, status }) => `${check}: ${status}`)).toEqual([
      'tool: ok',
      'config: ok',
      'profile: ok',
      'store: ok',
      'token from: ok',
      'peppers from: ok',
      'output: ok',
      'timeout: ok',
      'expiry: ok',
      'rate limit: ok',
      'actor: ok',
      'engine: ok',
      'schema: ok',
      'file mode: ok',
      'writable: ok',
      'directory mode: ok',
      'integrity: ok',
      'references: ok',
      'triggers: ok',
      'hashes: ok',
      'audit log: ok',
      'clipboard: ok',
    ]);
    expect(findings[0]?.detail).toBe('unlockos-keys 9.8.7 on Node v20.0.0, linux');
    const checked = await cli.json('store', 'check');
    expect(checked.map(({ check }: Finding) => check)).toEqual(findings.slice(11, -1).map(({ check }) => check));
  });

  test('warn of a store that others can read, and say what to do', async () => {
    const cli = testCli();
    await cli.create('one');
    chmodSync(cli.store, 0o644);
    const { exitCode, stdout, stderr } = await cli.run('store', 'check');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/file mode +! warning/);
    expect(stderr).toContain(`file mode: chmod 600 ${cli.store}`);
  });

  test('answer 7 when a guard is gone', async () => {
    const cli = testCli();
    await cli.create('one');
    await cli.sql('drop trigger api_keys_immutable');
    for (const argv of [['doctor'], ['store', 'check']]) {
      const { exitCode, stdout } = await cli.run(...argv);
      expect(exitCode).toBe(7);
      expect(stdout).toMatch(/triggers +× failed +missing or altered: api_keys_immutable/);
    }
  });

  test('doctor of a store that was never made warns and makes none', async () => {
    const cli = testCli();
    cli.env = {};
    const findings: Finding[] = await cli.json('doctor');
    expect(findings.find(({ check }) => check === 'schema')).toMatchObject({ status: 'warning' });
    expect(existsSync(`${cli.home}/.local`)).toBe(false);
  });

  test('doctor answers 7 for a named store that is missing, with what to do', async () => {
    const { exitCode, stdout } = await testCli().run('doctor', '--json');
    expect(exitCode).toBe(7);
    expect(JSON.parse(stdout)).toContainEqual(
      expect.objectContaining({ check: 'store_missing', status: 'failed', hint: expect.any(String) }),
    );
  });

  test('doctor says where copies go over SSH', async () => {
    const cli = testCli({ clipboard: { route: 'terminal', works: true, copied: [] } });
    expect((await cli.run('doctor')).stdout).toContain('sent to the terminal (OSC 52)');
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
    { file: ' ', exit: 2, says: 'the name of the copy is empty' },
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
