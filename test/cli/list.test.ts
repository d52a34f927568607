import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { KEY_FIELDS, USE_FIELDS } from '../support/key-fields.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const DAY = 86_400_000;

/** Four keys, made a day apart: old (live, used lately), soon (test, expires in 5 days), gone (expired), off (inactive). */
async function withKeys(): Promise<TestCli> {
  const cli = testCli();
  const end = cli.now.getTime();
  const at = (days: number) => {
    cli.now = new Date(end - days * DAY);
  };
  at(200);
  const { id } = await cli.create('old', '--live', '-s', 'checkin:*', '-d', 'Partner Müller');
  at(100);
  await cli.create('soon', '--test', '-s', 'plan:read,checkin:read', '--expires', '105d');
  at(20);
  await cli.create('gone', '--live', '-s', 'plan:read', '--expires', '10d');
  at(10);
  await cli.create('off', '--test', '-s', 'facility:read');
  await cli.run('disable', 'off');
  at(0);
  await cli.sql(
    'update key_usage set last_used_at = ? where key_seq = (select seq from api_keys where id = ?)',
    end - DAY,
    id,
  );
  return cli;
}

describe('list', () => {
  test('JSON is a bare array of records with exactly the public fields, null where there is nothing', async () => {
    const cli = testCli();
    const { id } = await cli.create('ci', '-s', 'plan:read');
    const [key, ...others] = await cli.json('list');
    expect(others).toEqual([]);
    const fields = KEY_FIELDS.flatMap((name) => (name === 'createdAt' ? [name, 'createdBy'] : [name]));
    expect(Object.keys(key)).toEqual([...fields, ...USE_FIELDS]);
    expect(key).toEqual({
      id,
      name: 'ci',
      description: null,
      maskedKey: `unlk_live_${id}_…`,
      mode: 'live',
      scopes: ['plan:read'],
      status: 'active',
      rateLimit: { limit: 600, windowSeconds: 60 },
      expiresAt: null,
      lastUsedAt: null,
      createdAt: '2026-11-23T10:00:00.000Z',
      createdBy: { actor: null, osUser: 'tester' },
      updatedAt: '2026-11-23T10:00:00.000Z',
      labels: {},
      allowFrom: [],
      rotatedFrom: null,
      rotatedTo: null,
      usedLast30d: null,
      refusedLast30d: null,
      lastRefusedAt: null,
      lastRefusal: null,
      useRecordedSince: null,
    });
  });

  test('times are ISO 8601 in UTC, and status follows the clock', async () => {
    const keys = await (await withKeys()).json('list', '--sort', 'created');
    expect(keys.map((key: Record<string, unknown>) => [key.name, key.status, key.expiresAt, key.lastUsedAt])).toEqual([
      ['old', 'active', null, '2026-11-22T10:00:00.000Z'],
      ['soon', 'active', '2026-11-28T10:00:00.000Z', null],
      ['gone', 'expired', '2026-11-13T10:00:00.000Z', null],
      ['off', 'inactive', null, null],
    ]);
  });

  test.each([
    { flags: [], names: ['off', 'gone', 'soon', 'old'] },
    { flags: ['--status', 'active'], names: ['soon', 'old'] },
    { flags: ['--status', 'inactive'], names: ['off'] },
    { flags: ['--status', 'expired'], names: ['gone'] },
    { flags: ['--mode', 'live'], names: ['gone', 'old'] },
    { flags: ['--mode', 'test'], names: ['off', 'soon'] },
    { flags: ['--scope', 'plan:read'], names: ['gone', 'soon'] },
    { flags: ['-s', 'plan:read', '-s', 'checkin:read'], names: ['soon'] },
    { flags: ['-s', 'plan:read,checkin:read'], names: ['soon'] },
    { flags: ['--search', 'MÜLLER'], names: ['old'] },
    { flags: ['--search', '100%'], names: [] },
    { flags: ['--unused-for', '90d'], names: ['soon'] },
    { flags: ['--expiring-within', '14d'], names: ['soon'] },
    { flags: ['--expiring-within', '4d'], names: [] },
    { flags: ['--mode', 'live', '--status', 'active'], names: ['old'] },
    { flags: ['--sort', 'name'], names: ['gone', 'off', 'old', 'soon'] },
    { flags: ['--sort', '-name'], names: ['soon', 'old', 'off', 'gone'] },
    { flags: ['--sort', 'expires'], names: ['gone', 'soon', 'old', 'off'] },
    { flags: ['--sort', '-last-used', '--limit', '1'], names: ['old'] },
    { flags: ['--sort', 'created'], names: ['old', 'soon', 'gone', 'off'] },
  ])('list $flags gives $names', async ({ flags, names }) => {
    const { stdout, stderr } = await (await withKeys()).run('list', ...flags, '-o', 'value', '--fields', 'name');
    expect(stderr).not.toContain('error:');
    expect(stdout).toBe(names.map((name) => `${name}\n`).join(''));
  });

  test.each([
    [['--status', 'aktive'], 'one of: active, inactive, expired'],
    [['--mode', 'LIVE'], 'one of: live, test'],
    [['--sort', 'id'], 'one of: created, name, last-used, expires'],
    [['--limit', '0'], 'not a whole number'],
    [['--limit', '1.5'], 'not a whole number'],
    [['--unused-for', '90'], '--unused-for "90" is not a duration'],
    [['--expiring-within', 'soon'], '--expiring-within "soon" is not a duration'],
    [['--cursor', 'nonsense'], '--cursor cannot be read'],
    [['--fields', 'hash', '--json'], '--fields takes: id, name'],
    [['--fields', 'help'], '--fields takes: id, name'],
    [['-o', 'xml'], 'one of: table, json, jsonl, yaml, csv, tsv, value'],
    [['--scope', 'plan:reed', '--exit-code'], 'the catalogue has no scope "plan:reed"'],
    [['--scope', 'plan:*'], 'the catalogue has no scope "plan:*"'],
    [['-i'], '--interactive needs a terminal'],
    [['--timeout', '5'], 'is not a time up to 10m'],
  ])('refuses %j with exit 2', async (flags, says) => {
    const cli = testCli();
    await cli.create('ci');
    const { exitCode, stdout, stderr } = await cli.run('list', ...flags);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(says);
  });

  test.each([
    'created',
    '-created',
    'name',
    '-name',
    'last-used',
    '-expires',
  ])('pages by --sort=%s are the whole list, each key once', async (sort) => {
    const cli = await withKeys();
    const all = (await cli.run('list', '--sort', sort, '-o', 'value')).stdout;
    let pages = '';
    let cursor: string | undefined;
    for (let page = 0; page < 10; page++) {
      const from = cursor === undefined ? [] : ['--cursor', cursor];
      const { stdout, stderr } = await cli.run('list', '--sort', sort, '--limit', '1', '-q', '-o', 'value', ...from);
      pages += stdout;
      cursor = /--cursor (\S+)/.exec(stderr)?.[1];
      if (cursor === undefined) break;
    }
    expect(pages).toBe(all);
    expect(all.split('\n')).toHaveLength(5);
  });

  test('a cursor of another order is refused', async () => {
    const cli = await withKeys();
    const { stderr } = await cli.run('list', '--limit', '1');
    const cursor = /--cursor (\S+)/.exec(stderr)?.[1] ?? '';
    const { exitCode, stderr: says } = await cli.run('list', '--sort', 'name', '--cursor', cursor);
    expect(exitCode).toBe(2);
    expect(says).toContain('another order');
  });

  test('--exit-code answers 7 when a key matches and 0 when none does', async () => {
    const cli = await withKeys();
    expect((await cli.run('list', '--expiring-within', '14d', '--exit-code')).exitCode).toBe(7);
    expect((await cli.run('list', '--expiring-within', '1d', '--exit-code')).exitCode).toBe(0);
  });

  test('ls is list', async () => {
    const cli = await withKeys();
    expect((await cli.run('ls', '--json')).stdout).toBe((await cli.run('list', '--json')).stdout);
  });

  test('on a terminal says how many keys of which mode', async () => {
    const cli = (await withKeys()).atTerminal();
    expect((await cli.run('list')).stderr).toContain('\n4 keys (2 live, 2 test)\n');
    expect((await cli.run('list', '-q')).stderr).toBe('');
  });
});

describe('list of nothing', () => {
  test('on a default store that was never made, hints at create and makes no file', async () => {
    const cli = testCli();
    cli.env = {};
    const { exitCode, stdout, stderr } = await cli.run('list');
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: `No keys yet in ${cli.home}/.local/share/unlockos-keys/keys.db. Create one: unlockos-keys create\n`,
    });
    expect((await cli.run('list', '--json')).stdout).toBe('[]\n');
    expect(existsSync(`${cli.home}/.local`)).toBe(false);
  });

  test('a default store that is gone, but not its log, is no answer', async () => {
    const cli = testCli();
    cli.env = {};
    const folder = path.join(cli.home, '.local/share/unlockos-keys');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path.join(folder, 'keys.db-wal'), 'changes', { mode: 0o600 });
    const { exitCode, stderr } = await cli.run('list');
    expect({ exitCode, stderr }).toEqual({
      exitCode: 8,
      stderr: expect.stringContaining('keys.db-wal is still there'),
    });
  });

  test('a store that was named must exist', async () => {
    const cli = testCli();
    expect((await cli.run('list')).exitCode).toBe(8);
    expect(existsSync(cli.store)).toBe(false);
  });

  test('says whether there are no keys or none matches', async () => {
    const cli = testCli();
    await cli.create('ci');
    expect((await cli.run('list', '--mode', 'test')).stderr).toBe('No keys match (0 of 1 key).\n');
    await cli.run('delete', 'ci', '--yes');
    expect((await cli.run('list')).stderr).toContain('No keys yet in ');
  });
});

describe('list in the machine formats', () => {
  test.each([
    '=1+1',
    '@x',
    '+1',
    '-1',
    '\tx',
    '=cmd|calc',
  ])('CSV cell %j is no formula to a spreadsheet', async (text) => {
    const cli = testCli();
    await cli.create('ci');
    await cli.sql('update api_keys set description = ?', text);
    const { stdout } = await cli.run('list', '-o', 'csv', '--fields', 'name,description');
    const [header, row] = stdout.split('\n');
    expect(header).toBe('name,description');
    expect(row).not.toMatch(/^ci,"?[=@+\-\t\r]/);
    expect(row).toContain(text === '\tx' ? '\\u{9}x' : text);
  });

  test.each([
    ['value', 'ci\tplan:read plan:create\n'],
    ['csv', 'name,scopes\nci,plan:read plan:create\n'],
    ['tsv', 'name\tscopes\nci\tplan:read plan:create\n'],
    ['jsonl', '{"name":"ci","scopes":["plan:read","plan:create"]}\n'],
  ])('-o %s --fields name,scopes', async (format, text) => {
    const cli = testCli();
    await cli.create('ci', '-s', 'plan:read,plan:create');
    expect((await cli.run('list', '-o', format, '--fields', 'name,scopes')).stdout).toBe(text);
  });

  test('CSV quotes what needs it, and -o value prints ids', async () => {
    const cli = testCli();
    const { id } = await cli.create('a, "b"');
    expect((await cli.run('list', '-o', 'csv', '--fields', 'name')).stdout).toBe('name\n"a, ""b"""\n');
    expect((await cli.run('list', '-o', 'value')).stdout).toBe(`${id}\n`);
  });
});
