import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

const KEY_STRING = /^unlk_(live|test)_[0-9a-hjkmnp-tv-z]{12}_[0-9A-Za-z]{38}$/;

describe('create with everything on the command line', () => {
  test('asks nothing and makes the key', async () => {
    const cli = testCli().atTerminal(false); // the one question is the offer to copy
    const { exitCode, stdout, stderr } = await cli.run('create', 'ci', '--test-mode', '-s', 'checkin:read');
    expect(exitCode).toBe(0);
    expect(stdout.trim()).toMatch(/^unlk_test_/);
    expect(cli.asked.map(({ message }) => message)).toEqual(['Copy it to the clipboard (cleared after 45 s)?']);
    expect(stderr).toContain('Created TEST key "ci"');
    expect(await cli.json('show', 'ci')).toMatchObject({ name: 'ci', mode: 'test', scopes: ['checkin:read'] });
  });

  test('piped, prints the key string and one newline, and nothing else', async () => {
    const { stdout } = await testCli().run('create', 'ci', '--live', '-s', 'checkin:read');
    expect(stdout).toMatch(new RegExp(`${KEY_STRING.source.slice(0, -1)}\n$`));
  });

  test('makes a live key when no mode is said', async () => {
    expect((await testCli().create('ci')).keyString).toMatch(/^unlk_live_/);
  });

  test('stores checkin:* as the scopes that it stands for, in catalogue order', async () => {
    const cli = testCli();
    await cli.create('ci', '-s', 'plan:read,checkin:*');
    expect((await cli.json('show', 'ci')).scopes).toEqual([
      'checkin:read',
      'checkin:create',
      'checkin:update',
      'plan:read',
    ]);
  });

  test.each([
    { flags: ['-s', 'checkin:read', '-s', 'plan:read'], what: '-s repeated' },
    { flags: ['--scope', 'checkin:read,plan:read'], what: '--scope with commas' },
    { flags: ['--scopes', 'checkin:read, plan:read'], what: '--scopes' },
  ])('takes scopes by $what', async ({ flags }) => {
    const cli = testCli();
    expect((await cli.run('create', 'ci', '--live', ...flags)).exitCode).toBe(0);
    expect((await cli.json('show', 'ci')).scopes).toEqual(['checkin:read', 'plan:read']);
  });

  test.each([
    ['90d', '2027-02-21T10:00:00.000Z'],
    ['2027-01-31', '2027-01-31T00:00:00.000Z'],
    ['2027-01-31T09:00:00+01:00', '2027-01-31T08:00:00.000Z'],
    ['never', null],
  ])('takes --expires %s', async (expires, expiresAt) => {
    const cli = testCli();
    const { stderr } = await cli.run('create', 'ci', '--live', '-s', 'plan:read', '--expires', expires);
    expect((await cli.json('show', 'ci')).expiresAt).toBe(expiresAt);
    expect(stderr).toContain(`Expires     ${expiresAt ?? 'never'}`);
  });

  test.each([
    [[], '600 requests per minute', { limit: 600, windowSeconds: 60 }],
    [['--rate-limit', '10/s'], '10 requests per second', { limit: 10, windowSeconds: 1 }],
    [['--rate-limit', '1/d'], '1 request per day', { limit: 1, windowSeconds: 86_400 }],
  ])('shows and stores the rate limit of %j', async (flags, words, rateLimit) => {
    const cli = testCli();
    const { stderr } = await cli.run('create', 'ci', '--live', '-s', 'plan:read', ...flags);
    expect(stderr).toContain(`Rate limit  ${words}`);
    expect((await cli.json('show', 'ci')).rateLimit).toEqual(rateLimit);
  });

  test('says where the store was made', async () => {
    const cli = testCli();
    const { stderr } = await cli.run('create', 'ci', '--live', '-s', 'plan:read');
    expect(stderr).toContain(`Created a new store: ${cli.store} (UNLOCKOS_KEYS_STORE)`);
    expect(stderr).toContain(`Store: ${cli.store} (UNLOCKOS_KEYS_STORE)`);
  });

  test('warns of a name that mixes letters that look alike, and makes the key', async () => {
    const { exitCode, stderr } = await testCli().run('create', 'p\u0430rtner', '--live', '-s', 'plan:read');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('mixes Latin and Cyrillic letters');
  });

  test('every command that names a key warns of a name that looks like that of another; list and show, too', async () => {
    const cli = testCli();
    await cli.create('partner');
    const [, id] = /"id": "(\w+)"/.exec((await cli.run('show', 'partner', '--json')).stdout) ?? [];
    const whose = `looks like that of key "partner" (${id}): "\u0430" is U+0430 (Cyrillic)`;
    const name = 'p\u0430rtner';
    const flags = ['--test', '-s', 'plan:read'];
    expect((await cli.run('create', name, ...flags, '--dry-run')).stderr).toContain(whose);
    expect((await cli.run('create', name, ...flags)).stderr).toContain(`warning: the name "${name}" ${whose}`);
    for (const args of [['list'], ['show', name], ['create', name, ...flags, '--if-exists', 'rotate', '-o', 'json']])
      expect((await cli.run(...args)).stderr, args[0]).toContain(whose);
    expect((await cli.run('create', name, ...flags, '--if-exists', 'skip')).stderr).not.toContain(whose);
    await cli.run('edit', name, '--name', 'other');
    expect((await cli.run('edit', 'other', '--description', 'x')).stderr).not.toContain('looks like');
    expect((await cli.run('edit', 'other', '--name', name)).stderr).toContain(whose);
    expect((await cli.run('list', '--json')).stderr).toBe('');
    await cli.run('delete', name, '--yes');
    expect((await cli.run('restore', name)).stderr).toContain(whose);
  });

  test('makes the default store, and its directory, on first use', async () => {
    const cli = testCli({ env: { UNLOCKOS_KEYS_STORE: undefined } as never });
    expect((await cli.run('create', 'ci', '--live', '-s', 'plan:read')).exitCode).toBe(0);
    expect(existsSync(path.join(cli.home, '.local/share/unlockos-keys/keys.db'))).toBe(true);
  });
});

describe('create refuses, and makes nothing,', () => {
  test.each([
    { why: 'an unknown scope', flags: ['-s', 'chekin:read'], says: 'did you mean checkin:read?' },
    { why: 'an unknown category', flags: ['-s', 'chekin:*'], says: 'did you mean checkin:*?' },
    { why: 'a bare wildcard', flags: ['-s', '*'], says: 'unknown scope "*"' },
    { why: 'both modes', flags: ['-s', 'plan:read', '--test', '--live'], says: 'do not go together' },
    { why: 'a bad rate limit', flags: ['-s', 'plan:read', '--rate-limit', '600'], says: 'not of the form 600/m' },
    { why: 'an expiry in the past', flags: ['-s', 'plan:read', '--expires', '2020-01-01'], says: 'has already passed' },
    { why: 'an impossible date', flags: ['-s', 'plan:read', '--expires', '2027-02-31'], says: 'is not a time' },
    { why: '-o csv', flags: ['-s', 'plan:read', '-o', 'csv'], says: '-o csv is for lists' },
    { why: '-o tsv', flags: ['-s', 'plan:read', '-o', 'tsv'], says: '-o tsv is for lists' },
    { why: 'an unknown field', flags: ['-s', 'plan:read', '--json', '--fields', 'hash'], says: 'no field' },
    { why: 'a long description', flags: ['-s', 'plan:read', '-d', 'x'.repeat(501)], says: 'more than 500' },
    { why: 'a bad --actor', flags: ['-s', 'plan:read', '--actor', 'a\u001bb'], says: '--actor' },
  ])('$why', async ({ flags, says }) => {
    const cli = testCli();
    await cli.create('other');
    const mode = flags.includes('--live') ? [] : ['--live'];
    const { exitCode, stdout, stderr } = await cli.run('create', 'ci', ...mode, ...flags);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(says);
    expect(await cli.names()).toEqual(['other']);
  });

  test.each([
    ['', 'the argument NAME is empty'],
    [' ci', 'does not begin with a letter or a digit'],
    ['ci ', 'ends with a space'],
    ['x'.repeat(65), 'more than 64 characters'],
    ['a\u202eb', 'invisible or control characters'],
    ['a\u0007b', 'invisible or control characters'],
  ])('the name %j', async (name, says) => {
    const { exitCode, stderr } = await testCli().run('create', '--live', '-s', 'plan:read', name);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(says);
    expect(stderr.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Cf}/u);
  });

  test.each(['partner', 'Partner', 'PARTNER'])('a name that exists as partner: %s', async (name) => {
    const cli = testCli();
    const { id } = await cli.create('partner');
    const { exitCode, stderr } = await cli.run('create', name, '--live', '-s', 'plan:read');
    expect(exitCode).toBe(5);
    expect(stderr).toContain(`a key named "partner" exists (${id})`);
    expect(await cli.names()).toEqual(['partner']);
  });

  test('a named store in a directory that does not exist', async () => {
    const cli = testCli();
    const store = path.join(cli.dir, 'none', 'keys.db');
    const { exitCode } = await cli.run('create', 'ci', '--live', '-s', 'plan:read', '--store', store);
    expect(exitCode).toBe(8);
    expect(existsSync(path.dirname(store))).toBe(false);
  });
});

describe('create --like', () => {
  test('takes scopes, mode, description, rate limit and lifetime, and flags override', async () => {
    const cli = testCli();
    await cli.create('one', '--test', '-s', 'plan:read', '-d', 'first', '--rate-limit', '5/h', '--expires', '1d');
    await cli.create('two', '--like', 'one');
    await cli.create('three', '--like', 'one', '--live', '-s', 'facility:read', '-d', 'third', '--rate-limit', '9/d');
    expect(await cli.json('show', 'two')).toMatchObject({
      mode: 'test',
      scopes: ['plan:read'],
      description: 'first',
      rateLimit: { limit: 5, windowSeconds: 3600 },
      expiresAt: '2026-11-24T10:00:00.000Z',
    });
    expect(await cli.json('show', 'three')).toMatchObject({
      mode: 'live',
      scopes: ['facility:read'],
      description: 'third',
      rateLimit: { limit: 9, windowSeconds: 86_400 },
    });
  });

  test('refuses a template that is not there', async () => {
    const cli = testCli();
    await cli.create('one');
    expect((await cli.run('create', 'two', '--like', 'nobody')).exitCode).toBe(3);
    expect(await cli.names()).toEqual(['one']);
  });
});

describe('create --dry-run', () => {
  test('says what it would make, and writes nothing', async () => {
    const cli = testCli();
    await cli.create('one');
    const before = await cli.json('audit', 'head');
    const { exitCode, stdout, stderr } = await cli.run(
      'create',
      'two',
      '--live',
      '-s',
      'plan:*',
      '-n',
      '--key-file',
      'two.key',
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toContain('plan:read, plan:create, plan:update');
    expect(stderr).toContain('Dry run: no key was created.');
    expect(existsSync(path.join(cli.dir, 'two.key'))).toBe(false);
    expect(await cli.json('audit', 'head')).toEqual(before);
  });

  test('finds what would be refused', async () => {
    const cli = testCli();
    await cli.create('one');
    expect((await cli.run('create', 'ONE', '--live', '-s', 'plan:read', '-n')).exitCode).toBe(5);
    expect((await cli.run('create', 'two', '--live', '-s', 'plan:none', '-n')).exitCode).toBe(2);
  });
});
