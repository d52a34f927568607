import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/cli/settings/config-parse.js';
import { KeysError } from '../../src/domain/errors.js';
import { startSqld, TOKENS } from '../support/sqld.js';
import { type TestCli, testCli } from '../support/test-cli.js';

/** A person with this configuration; `store` and token file are in the same directory. */
function configured(yaml: string, mode = 0o600): TestCli & { config: string } {
  const cli = testCli({ env: { UNLOCKOS_KEYS_STORE: undefined } });
  const directory = path.join(cli.dir, 'config');
  mkdirSync(directory, { mode: 0o700 });
  const config = path.join(directory, 'config.yaml');
  if (yaml !== '') writeFileSync(config, yaml, { mode });
  cli.env = { ...cli.env, UNLOCKOS_KEYS_CONFIG_DIR: directory };
  return Object.assign(cli, { config });
}

const TWO = `# ours
default: here # at home
profiles:
  here:
    store: ../here.db
  there:
    store: ../there.db
    protected: true
    defaults: { output: json, expires: 90d, rateLimit: 5/s }
`;

describe('which store', () => {
  const shown = async (cli: TestCli, ...flags: string[]) => {
    const { stdout } = await cli.run('store', 'path', '--json', ...flags);
    const { path: file, source } = JSON.parse(stdout);
    return [path.basename(file), source];
  };

  test('explicit beats ambient: flag, profile by flag, environment, the file, the default', async () => {
    const cli = configured(TWO);
    expect(await shown(cli)).toEqual(['here.db', 'profile here, config.yaml']);
    cli.env = { ...cli.env, UNLOCKOS_KEYS_PROFILE: 'there' };
    expect(await shown(cli)).toEqual(['there.db', 'profile there, UNLOCKOS_KEYS_PROFILE']);
    cli.env = { ...cli.env, UNLOCKOS_KEYS_STORE: './env.db' };
    expect(await shown(cli)).toEqual(['env.db', 'UNLOCKOS_KEYS_STORE']);
    expect(await shown(cli, '-p', 'here')).toEqual(['here.db', 'profile here, --profile']);
    expect(await shown(cli, '-p', 'here', '--store', './flag.db')).toEqual(['flag.db', '--store']);
    const bare = configured('');
    expect(await shown(bare)).toEqual(['keys.db', 'default']);
  });

  test('doctor names who said each value', async () => {
    const cli = configured(TWO);
    const findings = JSON.parse((await cli.run('doctor', '--json', '-p', 'there')).stdout);
    const of = (check: string) => findings.find((each: { check: string }) => each.check === check)?.detail;
    expect(of('profile')).toBe('there (--profile), protected');
    expect(of('expiry')).toBe('90d (profile there)');
    expect(of('rate limit')).toBe('5/s (profile there)');
    expect(of('output')).toBe('json (--json)');
    expect(of('config')).toBe(`${cli.config} (2 profiles)`);
  });

  test('a profile that is not there is named, with those that are', async () => {
    const cli = configured(TWO);
    expect(await cli.run('list', '-p', 'ther')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/"ther" \(--profile\)\n.*here, there/),
    });
    cli.env = { ...cli.env, UNLOCKOS_KEYS_PROFILE: 'gone' };
    expect(await cli.run('list')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/"gone" \(UNLOCKOS_KEYS_PROFILE\)/),
    });
    expect((await cli.run('profile', 'add', 'gone', '--store', './g.db')).exitCode).toBe(0);
    expect((await cli.run('profile', 'list')).exitCode).toBe(0);
  });

  test('each write names its store', async () => {
    const cli = configured(TWO);
    const { stderr } = await cli.run('create', 'a', '--test', '-s', 'plan:read', '-o', 'value');
    expect(stderr).toContain(`Store: ${path.join(cli.dir, 'here.db')} (profile here, config.yaml)`);
  });
});

describe('defaults and guards of a profile', () => {
  const there = ['-p', 'there', '-o', 'table'];

  test('defaults hold where no flag says otherwise', async () => {
    const cli = configured(TWO);
    const made = await cli.json('create', 'a', '--test', '-s', 'plan:read', '-p', 'there');
    expect(made).toMatchObject({ expiresAt: '2027-02-21T10:00:00.000Z', rateLimit: { limit: 5, windowSeconds: 1 } });
    const plain = await cli.json(
      'create',
      'b',
      '--test',
      '-s',
      'plan:read',
      '-p',
      'there',
      '--expires',
      'never',
      '--rate-limit',
      '1/h',
    );
    expect(plain).toMatchObject({ expiresAt: null, rateLimit: { limit: 1, windowSeconds: 3600 } });
    expect(JSON.parse((await cli.run('list', '-p', 'there')).stdout)).toHaveLength(2);
    cli.env = { ...cli.env, UNLOCKOS_KEYS_OUTPUT: 'value' };
    expect((await cli.run('list', '-p', 'there', '--sort', 'name')).stdout).toMatch(/^[0-9a-z]{12}\n[0-9a-z]{12}\n$/);
  });

  test.each([
    ['delete', [], 6],
    ['delete', ['--yes'], 6],
    ['delete', ['--yes', '--confirm', 'b'], 6],
    ['delete', ['--confirm', 'a'], 0],
    ['disable', [], 6],
    ['disable', ['--yes'], 6],
    ['disable', ['--confirm', 'a'], 0],
  ])('protected: %s %j ends with %i', async (verb, flags, exitCode) => {
    const cli = configured(TWO);
    await cli.run('create', 'a', '--test', '-s', 'plan:read', '-p', 'there');
    const { stderr, ...result } = await cli.run(verb, 'a', ...flags, ...there);
    expect(result, stderr).toMatchObject({ exitCode });
    const statuses = (await cli.json('list', '-p', 'there')).map((key: { status: string }) => key.status);
    expect(statuses).toEqual(exitCode === 6 ? ['active'] : verb === 'delete' ? [] : ['inactive']);
    if (exitCode === 6) expect(stderr).toMatch(/--confirm a$/m);
  });

  test('protected: of several keys each is confirmed, and enabling is not asked about', async () => {
    const cli = configured(TWO);
    for (const name of ['a', 'b']) await cli.run('create', name, '--test', '-s', 'plan:read', '-p', 'there');
    const both = await cli.run('disable', 'a', 'b', ...there);
    expect(both.exitCode).toBe(6);
    expect(both.stderr).toContain('unlockos-keys disable a b -p there -o table --confirm a --confirm b\n');
    expect((await cli.run('disable', 'a', 'b', '--confirm', 'a', ...there)).exitCode).toBe(6);
    expect((await cli.run('disable', 'a', 'b', '--confirm', 'a', '--confirm', 'b', ...there)).exitCode).toBe(0);
    expect((await cli.run('enable', 'a', 'b', ...there)).exitCode).toBe(0);
    expect((await cli.run('disable', 'a', '--dry-run', ...there)).exitCode).toBe(0);
  });

  test('protected: a replaced key is confirmed like a deleted one', async () => {
    const cli = configured(TWO);
    await cli.run('create', 'a', '--test', '-s', 'plan:read', '-p', 'there');
    const rotate = ['create', 'a', '--test', '-s', 'plan:read', '-p', 'there', '--if-exists', 'replace', '-o', 'value'];
    const { exitCode, stderr } = await cli.run(...rotate, '--yes');
    expect(exitCode).toBe(6);
    expect(stderr).toContain(`: unlockos-keys ${rotate.join(' ')} --yes --confirm a\n`);
    expect(stderr).not.toContain('unlockos-keys delete');
    expect((await cli.run(...rotate, '--confirm', 'a')).exitCode).toBe(0);
  });

  test('protected: a key that an earlier run of the same operation made is finished without confirming anything', async () => {
    const cli = configured(TWO);
    const create = [
      'create',
      'a',
      '--test',
      '-s',
      'plan:read',
      '-p',
      'there',
      '-o',
      'value',
      '--operation-id',
      'nightly-4711',
    ];
    const [lost, made] = [await cli.run(...create), await cli.run(...create)];
    expect([lost.exitCode, made.exitCode]).toEqual([0, 0]);
    expect(await cli.json('list', '-p', 'there')).toMatchObject([{ name: 'a', id: made.stdout.slice(10, 22) }]);
  });

  test('protected: at a terminal the name is typed', async () => {
    const cli = configured(TWO);
    await cli.run('create', 'a', '--test', '-s', 'plan:read', '-p', 'there');
    expect((await cli.atTerminal('b').run('disable', 'a', ...there)).exitCode).toBe(6);
    expect((await cli.atTerminal('a').run('disable', 'a', ...there)).exitCode).toBe(0);
  });

  const CI = 'profiles:\n  ci: { store: ../ci.db, testOnly: true }\n  all: { store: ../ci.db }\n';

  test('testOnly: a key is a test key without saying so, and live keys are neither made nor changed', async () => {
    const cli = configured(CI);
    const made = await cli.json('create', 'a', '-s', 'plan:read', '-p', 'ci');
    expect(made.mode).toBe('test');
    await cli.run('create', 'live', '--live', '-s', 'plan:read', '-p', 'all', '-o', 'value');
    const before = await cli.json('list', '-p', 'all');
    for (const args of [
      ['create', 'b', '--live', '-s', 'plan:read', '-o', 'value'],
      ['create', 'b', '--like', 'live', '--live', '-o', 'value'],
      ['create', 'live', '--test', '-s', 'plan:read', '--if-exists', 'replace', '-o', 'value'],
      ['edit', 'live', '--name', 'x'],
      ['disable', 'live'],
      ['enable', 'live'],
      ['delete', 'live', '--yes'],
    ])
      expect(await cli.run(...args, '-p', 'ci'), args.join(' ')).toMatchObject({ exitCode: 6, stdout: '' });
    expect(await cli.json('list', '-p', 'all')).toEqual(before);
    expect((await cli.run('disable', 'a', '-p', 'ci')).exitCode).toBe(0);
    expect((await cli.run('store', 'copy', 'all', 'ci')).exitCode).toBe(2); // one store
    expect((await cli.run('store', 'copy', 'all', 'ci', '-p', 'all')).exitCode).toBe(2);
  });

  test('testOnly: no copy goes into it', async () => {
    const cli = configured('profiles:\n  ci: { store: ../ci.db, testOnly: true }\n  all: { store: ../all.db }\n');
    await cli.run('create', 'live', '--live', '-s', 'plan:read', '-p', 'all', '-o', 'value');
    expect((await cli.run('store', 'copy', 'all', 'ci')).exitCode).toBe(6);
    expect(existsSync(path.join(cli.dir, 'ci.db'))).toBe(false);
  });

  test('a copy between two servers never shows one the token of the other', async () => {
    const [a, b] = [await startSqld(), await startSqld()];
    const cli = configured(`profiles:\n  own: { store: ${b.url}, tokenFile: token }\n`);
    writeFileSync(path.join(path.dirname(cli.config), 'token'), TOKENS.full, { mode: 0o600 });
    cli.env = { ...cli.env, UNLOCKOS_KEYS_AUTH_TOKEN: TOKENS.full };
    await cli.run('create', 'a', '--test', '-s', 'plan:read', '-o', 'value', '--store', a.url);
    const elsewhere = b.url.replace('127.0.0.1', 'localhost');
    expect(await cli.run('store', 'copy', a.url, elsewhere)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/one token, and these are two servers/),
    });
    expect(await cli.run('store', 'copy', a.url, 'own')).toMatchObject({ exitCode: 0 });
  });

  test('a testOnly profile of the environment copies nothing, wherever it would go', async () => {
    const cli = configured('profiles:\n  ci: { store: ../ci.db, testOnly: true }\n  all: { store: ../all.db }\n');
    await cli.run('create', 'live', '--live', '-s', 'plan:read', '-p', 'all', '-o', 'value');
    cli.env = { ...cli.env, UNLOCKOS_KEYS_PROFILE: 'ci' };
    expect((await cli.run('store', 'copy', 'all', './copy.db')).exitCode).toBe(6);
    expect(existsSync(path.join(cli.dir, 'copy.db'))).toBe(false);
  });

  test('under CI a testOnly profile needs no mode', async () => {
    const cli = configured(CI);
    cli.ci = { name: 'Some CI' };
    expect((await cli.run('create', 'a', '-s', 'plan:read', '-p', 'ci', '-o', 'value')).exitCode).toBe(0);
  });
});

describe('tokens', () => {
  const remote = (url: string, token: string) => `profiles:\n  away:\n    store: ${url}\n    ${token}\n`;

  test('come from a file that only we can read, or from a command without a shell', async () => {
    const { url } = await startSqld();
    const cli = configured(remote(url, 'tokenFile: token'));
    const file = path.join(path.dirname(cli.config), 'token');
    const create = ['create', 'a', '--test', '-s', 'plan:read', '-p', 'away', '-o', 'value'];
    expect(await cli.run(...create)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringMatching(/there is no such file/),
    });
    writeFileSync(file, `\n${TOKENS.full}\n`, { mode: 0o644 });
    expect(await cli.run(...create)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringMatching(/other users can read it/),
    });
    chmodSync(file, 0o600);
    expect((await cli.run(...create)).exitCode).toBe(0);
    const command = (words: string) => configured(remote(url, `tokenCommand: ${words}`));
    expect((await command(`[cat, "${file}"]`).run('list', '-p', 'away')).exitCode).toBe(0);
    for (const words of [
      '[cat, "$HOME/x; true"]',
      '["false"]',
      '[no-such-program]',
      '["true"]',
      `[printf, "zzz yyy"]`,
    ]) {
      const { exitCode, stderr } = await command(words).run('list', '-p', 'away', '--debug');
      expect(exitCode, words).toBe(4);
      expect(stderr).not.toMatch(/zzz|yyy/);
    }
  });

  test('the environment beats a default profile, a profile that was named beats the environment', async () => {
    const { url } = await startSqld();
    const cli = configured(`default: away\n${remote(url, 'tokenFile: token')}`);
    writeFileSync(path.join(path.dirname(cli.config), 'token'), TOKENS.full, { mode: 0o600 });
    await cli.run('create', 'a', '--test', '-s', 'plan:read', '-o', 'value');
    cli.env = { ...cli.env, UNLOCKOS_KEYS_AUTH_TOKEN: TOKENS.expired };
    expect((await cli.run('list')).exitCode).toBe(4);
    expect((await cli.run('list', '-p', 'away')).exitCode).toBe(0);
  });

  test('the token of the environment goes only to the server that the environment names, if it names one', async () => {
    const [own, other] = [await startSqld(), await startSqld()];
    const cli = configured(remote(other.url, 'testOnly: false'));
    cli.env = { ...cli.env, UNLOCKOS_KEYS_AUTH_TOKEN: TOKENS.full };
    const create = (...more: string[]) => cli.run('create', '--test', '-s', 'plan:read', '-o', 'value', ...more);
    expect(await create('a', '--store', other.url)).toMatchObject({ exitCode: 0 });
    cli.env = { ...cli.env, UNLOCKOS_KEYS_STORE: own.url };
    expect(await create('a')).toMatchObject({ exitCode: 0 });
    expect(await create('b', '--store', `${own.url}/`)).toMatchObject({ exitCode: 0 });
    for (const flags of [
      ['--store', other.url],
      ['-p', 'away'],
    ]) {
      expect(await cli.run('list', ...flags)).toMatchObject({
        exitCode: 4,
        stderr: expect.stringMatching(
          /AUTH_TOKEN is not sent: it is for the server that UNLOCKOS_KEYS_STORE names\nerror: .*no token was sent/,
        ),
      });
    }
    expect(await cli.run('store', 'copy', own.url, other.url)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringMatching(/no token was sent/),
    });
    cli.env = { ...cli.env, UNLOCKOS_KEYS_STORE: 'http://not an address' };
    expect(await cli.run('list', '-p', 'away')).toMatchObject({ exitCode: 4 });
  });

  test("a profile's token goes to no other store", async () => {
    const [own, other] = [await startSqld(), await startSqld()];
    const cli = configured(remote(own.url, 'tokenFile: token'));
    writeFileSync(path.join(path.dirname(cli.config), 'token'), TOKENS.full, { mode: 0o600 });
    const result = await cli.run('list', '-p', 'away', '--store', other.url);
    expect(result).toMatchObject({ exitCode: 4, stderr: expect.stringMatching(/no token was sent/) });
  });
});

describe('a configuration that is refused, with its line', () => {
  test.each<[string, string, RegExp]>([
    ['no YAML', 'profiles: [', /config\.yaml:\d/],
    ['a key twice', 'default: a\ndefault: b\n', /:2:1: "default" is here twice/],
    ['a list', '- a\n', /the file is not a mapping/],
    ['an unknown setting', 'profile: {}\n', /:1:1: .*"profile", did you mean profiles\?/],
    ['a mistyped guard', 'profiles:\n  a:\n    store: x.db\n    protcted: true\n', /:4:5: .*did you mean protected\?/],
    ['a guard that is a text', 'profiles:\n  a: { store: x.db, protected: "yes" }\n', /neither true nor false/],
    ['no store', 'profiles:\n  a: {}\n', /"a" has no store/],
    ['a store that is a number', 'profiles:\n  a: { store: 7 }\n', /store of profile "a" is not a string/],
    ['a store without TLS', 'profiles:\n  a: { store: "http://db.example" }\n', /unencrypted/],
    [
      'a credential in a store',
      'profiles:\n  a: { store: "https://me:hunter2@db.example" }\n',
      /user name or password/,
    ],
    ['a token', 'profiles:\n  a: { store: x.db, authToken: hunter2 }\n', /a token does not belong/],
    [
      'both sources',
      'profiles:\n  a: { store: x.db, tokenFile: f, tokenCommand: [c] }\n',
      /both tokenFile and tokenCommand/,
    ],
    ['a shell line', 'profiles:\n  a: { store: x.db, tokenCommand: "op read x" }\n', /not a list of words/],
    ['an empty command', 'profiles:\n  a: { store: x.db, tokenCommand: [] }\n', /tokenCommand of profile "a" is empty/],
    [
      'a format that is none',
      'profiles:\n  a: { store: x.db, defaults: { output: xml } }\n',
      /"xml" is not an output format/,
    ],
    [
      'an expiry that is none',
      'profiles:\n  a: { store: x.db, defaults: { expires: 90 } }\n',
      /defaults\.expires of profile "a" is not a string/,
    ],
    [
      'a rate that is none',
      'profiles:\n  a: { store: x.db, defaults: { rateLimit: 5/y } }\n',
      /rateLimit of profile "a"/,
    ],
    [
      'a default that is not there',
      'default: b\nprofiles:\n  a: { store: x.db }\n',
      /:1:10: the default profile "b" does not exist/,
    ],
    ['a name that is none', 'profiles:\n  "../x": { store: x.db }\n', /not a name for a profile/],
    ['a name from elsewhere', 'profiles:\n  __proto__: { store: x.db }\n', /not a name for a profile/],
    ['an alias', 'profiles:\n  a: &a { store: x.db }\n  b: *a\n', /:3:6: aliases/],
    ['a tag', 'profiles:\n  a: { store: !!js/function x }\n', /config\.yaml:2/],
    ['an escape', 'profiles:\n  a: { store: x.db, "\\e[2J": true }\n', /\\u\{1b\}/],
  ])('%s', async (_, yaml, said) => {
    const { exitCode, stderr } = await configured(yaml).run('list');
    expect(stderr).toMatch(said);
    expect(exitCode).toBe(2);
    expect(stderr).not.toContain('hunter2');
    expect(stderr).not.toContain('\u001b');
  });

  test.each<[string, (config: string) => void]>([
    ['a file that others can write to', (config) => chmodSync(config, 0o622)],
    ['a directory that others can write to', (config) => chmodSync(path.dirname(config), 0o777)],
  ])('%s', async (_, spoil) => {
    const cli = configured(TWO);
    spoil(cli.config);
    expect(await cli.run('list')).toMatchObject({
      exitCode: 6,
      stderr: expect.stringMatching(/others can write to it/),
    });
  });

  test('whatever the file says, it is read or refused', () => {
    const source = { file: '/x/config.yaml', home: () => '/home/x', now: new Date('2026-11-23') };
    const word = fc.constantFrom(
      'profiles',
      'default',
      'store',
      'a',
      ':',
      '{',
      '}',
      '[',
      ']',
      '- ',
      '\n',
      '  ',
      '&a',
      '*a',
      '"',
      "'",
      '!!x',
      '<<',
      '|',
      '>',
      '? ',
      'true',
      '1',
      '~',
      '#',
      '%',
      '\u0000',
      '\u001b',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
        ),
        (text) => {
          try {
            parseConfig(text, source);
          } catch (error) {
            if (!(error instanceof KeysError)) throw error;
          }
        },
      ),
      { seed: 20261123, numRuns: 600 },
    );
  });
});

describe('profile', () => {
  test('add, list, show, use, remove: the file keeps its comments, and is private', async () => {
    const cli = configured(TWO);
    const add = [
      'profile',
      'add',
      'prod',
      '--store',
      'libsql://keys.example',
      '--protected',
      '--default-expires',
      '90d',
      '--',
      'op',
      'read',
      '--x',
      'op://a/b',
    ];
    expect(await cli.run(...add)).toMatchObject({ exitCode: 0, stdout: '' });
    expect(readFileSync(cli.config, 'utf8')).toMatch(/^# ours\ndefault: here # at home\nprofiles:\n {2}here:\n/);
    expect(statSync(cli.config).mode & 0o777).toBe(0o600);
    expect(existsSync(`${cli.config}.lock`)).toBe(false);
    expect(await cli.json('profile', 'show', 'prod')).toEqual({
      name: 'prod',
      default: false,
      store: 'libsql://keys.example',
      tokenFile: null,
      tokenCommand: ['op', 'read', '--x', 'op://a/b'],
      pepperFile: null,
      protected: true,
      testOnly: false,
      allowHttp: false,
      defaults: { output: null, expires: '90d', rateLimit: null },
    });
    expect((await cli.run('profile', 'show')).stdout).toMatch(/^name +here$/m);
    expect((await cli.run('profile', 'list', '-o', 'value')).stdout).toBe('here\nthere\nprod\n');
    expect((await cli.run('profile', 'use', 'there')).exitCode).toBe(0);
    expect((await cli.run('profile', 'list')).stdout).toMatch(/^there \*/m);
    expect((await cli.run('profile', 'remove', 'there')).exitCode).toBe(6);
    expect((await cli.run('profile', 'remove', 'there', '--yes')).exitCode).toBe(0);
    expect(readFileSync(cli.config, 'utf8')).not.toMatch(/there|default: /);
    expect((await cli.run('profile', 'show')).exitCode).toBe(2);
  });

  test('the first one makes the file, with words on what there is to set', async () => {
    const cli = testCli({ env: { UNLOCKOS_KEYS_STORE: undefined } });
    const added = await cli.run('profile', 'add', 'here', '--store', './mine.db', '--use');
    expect(added.exitCode).toBe(0);
    const file = path.join(cli.home, '.config/unlockos-keys/config.yaml');
    expect(added.stderr).toContain(file);
    expect(readFileSync(file, 'utf8')).toMatch(/^#.*\nprofiles:\n {2}here:\n {4}store: .*mine\.db\ndefault: here\n$/s);
    expect([statSync(file).mode & 0o777, statSync(path.dirname(file)).mode & 0o777]).toEqual([0o600, 0o700]);
    await cli.run('profile', 'remove', 'here', '--yes');
    await cli.run('profile', 'add', 'again', '--store', './mine.db');
    expect(readFileSync(file, 'utf8')).toMatch(/\nprofiles:\n {2}again:\n/);
  });

  test.each([
    [['add', 'here', '--store', './x.db'], 5],
    [['add', 'here', '--store', './x.db', '--force'], 0],
    [['add', 'x'], 2],
    [['add', 'x', '--store', 'https://a:b@c.example'], 2],
    [['add', 'x', '--store', 'http://db.example'], 2],
    [['add', 'x', '--store', 'http://db.example', '--allow-http'], 0],
    [['add', '../x', '--store', './x.db'], 2],
    [['add', 'x', '--store', './x.db', '--token-file', 'f', '--', 'cmd'], 2],
    [['add', 'x', '--store', './x.db', '--default-output', 'xml'], 2],
    [['add', 'x', '--store', './x.db', '--dry-run'], 0],
    [['use', 'nope'], 3],
    [['remove', 'nope', '--yes'], 3],
    [['show', 'nope'], 3],
    [['ad'], 2],
  ])('%j ends with %i, and a refusal changes nothing', async (args, exitCode) => {
    const cli = configured(TWO);
    expect(await cli.run('profile', ...args)).toMatchObject({ exitCode });
    if (exitCode !== 0 || args.includes('--dry-run')) expect(readFileSync(cli.config, 'utf8')).toBe(TWO);
    expect(existsSync(`${cli.config}.lock`)).toBe(false);
  });

  test('several at once all land', async () => {
    const cli = configured('');
    const names = Array.from({ length: 8 }, (_, i) => `p${i}`);
    const others = names.map(() => Object.assign(testCli(), { env: cli.env }));
    const runs = await Promise.all(names.map((name, i) => others[i]?.run('profile', 'add', name, '--store', './x.db')));
    expect(runs.map((run) => run?.exitCode)).toEqual(names.map(() => 0));
    expect((await cli.run('profile', 'list', '-o', 'value')).stdout.trim().split('\n').sort()).toEqual(names);
  });

  test('a lock that was left behind is named, with what to do', async () => {
    const cli = configured(TWO);
    writeFileSync(`${cli.config}.lock`, '');
    expect(await cli.run('profile', 'use', 'there')).toMatchObject({
      exitCode: 5,
      stderr: expect.stringMatching(/config\.yaml\.lock exists\n.*remove that file/),
    });
    expect(readFileSync(cli.config, 'utf8')).toBe(TWO);
  });

  test('a file that is a link stays one', async () => {
    const cli = configured('');
    const real = path.join(cli.dir, 'dotfiles.yaml');
    writeFileSync(real, TWO, { mode: 0o600 });
    symlinkSync(real, cli.config);
    expect((await cli.run('profile', 'use', 'there')).exitCode).toBe(0);
    expect(readFileSync(real, 'utf8')).toContain('default: there');
  });
});
