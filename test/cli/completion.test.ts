import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { Command, Option } from 'commander';
import { describe, expect, onTestFinished, test } from 'vitest';
import { typedWords } from '../../src/cli/completion/line.js';
import { SHELLS } from '../../src/cli/completion/shells.js';
import { CHOICES, sourceOfArgument, sourceOfOption } from '../../src/cli/completion/sources.js';
import { programForDocs } from '../../src/cli/program.js';
import { readMigrations } from '../../src/store/migrations.js';
import { openStore } from '../../src/store/open.js';
import { startSqld, TOKENS } from '../support/sqld.js';
import { type TestCli, testCli } from '../support/test-cli.js';

/** What the zsh script would be told at the end of these words, as values and descriptions. */
async function complete(cli: TestCli, ...words: string[]): Promise<Record<string, string>> {
  const lines = (await answer(cli, 'fish', `unlockos-keys ${words.map(quotedForFish).join(' ')}`)).split('\n');
  if (lines[0] !== 'words') return {};
  return Object.fromEntries(lines.slice(1, -1).map((line) => line.split('\t') as [string, string]));
}

function quotedForFish(word: string): string {
  return word === '' ? '' : `'${word.replace(/['\\]/g, '\\$&')}'`;
}

async function answer(cli: TestCli, shell: string, stdin: string): Promise<string> {
  cli.stdin = stdin;
  const { exitCode, stdout, stderr } = await cli.run('__complete', shell);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

const values = async (cli: TestCli, ...words: string[]) => Object.keys(await complete(cli, ...words));

describe('what may stand where the cursor is', () => {
  test('commands, with what they do, and not the other names that they have', async () => {
    const all = await complete(testCli(), '');
    expect(all).toMatchObject({ create: 'create a key; its key string is shown once', scopes: expect.any(String) });
    expect(Object.keys(all)).not.toContain('ls');
    const names = (await programForDocs()).commands.map((command) => command.name());
    expect(Object.keys(all)).toEqual(names);
  });

  test.each([
    [['di'], ['disable', 'diff']],
    [['--profile', 'x', '--json', 'dis'], ['disable']],
    [['--actor', 'list', 'disa'], ['disable']],
    [['-qp', 'x', 'disa'], ['disable']],
    [
      ['scopes', ''],
      ['list', 'add', 'retire', 'help'],
    ],
    [['profile', 'u'], ['use']],
    [['nothing', ''], []],
    [['list', ''], []],
    [['help', 'exi'], ['exit-codes']],
    [['help', 'audit', 'v'], ['verify']],
    [['completion', ''], [...SHELLS]],
    [['completion', 'zsh', ''], []],
    [['store', 'hash', 'h'], ['hmac-sha256']],
  ])('%j: %j', async (words, expected) => {
    expect((await values(testCli(), ...words)).sort()).toEqual([...expected].sort());
  });

  test('flags: of the command, of every command, of what a group stands for; none that are hidden', async () => {
    const cli = testCli();
    expect(await complete(cli, 'list', '--s')).toEqual({
      '--scope': 'only keys with this scope; repeat to require several scopes',
      '--search': 'only keys with this text in name, description or id',
      '--sort': 'created, name, last-used, expires; a leading - reverses it',
      '--status': 'only active, inactive, expired',
      '--store': 'the store to use (default: in your data directory)',
    });
    expect(await values(cli, 'ls', '--exi')).toEqual(['--exit-code']);
    expect(await values(cli, 'audit', '--ke')).toEqual(['--key']);
    expect(await values(cli, 'create', '--env')).toEqual([]);
    expect(await values(cli, 'list', '--no-')).toEqual(['--no-input']);
    expect(await values(cli, 'list', '--', '--s')).toEqual([]);
    expect(await values(cli, '--st')).toEqual(['--store']);
  });

  test.each([
    [
      ['list', '-o', 'js'],
      ['json', 'jsonl'],
    ],
    [
      ['list', '--output=js'],
      ['--output=json', '--output=jsonl'],
    ],
    [
      ['list', '-qo', 'js'],
      ['json', 'jsonl'],
    ],
    [['list', '--sort', '-n'], ['-name']],
    [
      ['create', '--if-exists', ''],
      ['fail', 'skip', 'replace', 'rotate'],
    ],
    [['list', '--mode', 't'], ['test']],
    [
      ['list', '--status', ''],
      ['active', 'inactive', 'expired'],
    ],
    [
      ['--color', 'a'],
      ['auto', 'always'],
    ],
    [['create', '--description', 'js'], []],
    [['list', '--json=t'], []],
  ])('%j: %j', async (words, expected) => {
    expect(await values(testCli(), ...words)).toEqual(expected);
  });

  test.each([
    [['verify', '--key-file', 'x'], 'files\n'],
    [['verify', '--key-file=x'], 'files\n'],
    [['--store', ''], 'files\n'],
    [['store', 'backup', ''], 'files\n'],
    [['apply', '--key-dir', ''], 'directories\n'],
    [['profile', 'add', 'x', '--', 'op', ''], 'files\n'],
    [['profile', 'add', ''], ''],
  ])('%j is for the shell: %j', async (words, expected) => {
    const line = `unlockos-keys ${words.map(quotedForFish).join(' ')}`;
    expect(await answer(testCli(), 'fish', line)).toBe(expected);
  });

  test('every flag that takes a word of a few is known, and so is every argument', async () => {
    const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
    const commands = all(await programForDocs());
    const spoken = (option: Option) => /^(only )?[a-z-]+(, [a-z-]+){2,}(;|$)/.test(option.description);
    const few = commands.flatMap((command) =>
      command.options.filter((option) => option.required && spoken(option)).map((option) => ({ option, command })),
    );
    expect(few.map(({ option }) => option.long)).toEqual(
      expect.arrayContaining(['--output', '--color', '--status', '--sort']),
    );
    for (const { option, command } of few) expect(sourceOfOption(option, command), option.flags).toBeInstanceOf(Array);
    const open = commands.flatMap((command) =>
      command.registeredArguments
        .filter((each) => sourceOfArgument(each, command) === 'nothing')
        .map((each) => `${command.name()} ${each.name()}`),
    );
    expect(open).toEqual(['create name', 'add name', 'help words']);
  });
});

const TRIED: [string, string[]][] = [
  ['--output', ['list']],
  ['--default-output', ['profile', 'add', 'x', '--store', 'x']],
  ['--color', ['list']],
  ['--status', ['list']],
  ['--mode', ['list']],
  ['--environment', ['verify', '--stdin']],
  ['--sort', ['list']],
  ['--if-exists', ['create', 'x', '--live']],
  ['--action', ['audit', 'list']],
  ['--limits', ['serve', '--environment', 'live']],
  ['--log', ['serve', '--environment', 'live']],
  ['--rules', ['scan']],
];

test('every flag with a list of words is tried below', () => {
  expect(TRIED.map(([flag]) => flag).sort()).toEqual(Object.keys(CHOICES).sort());
});

test.each(TRIED)('the words offered for %s are those that the command takes', async (flag, command) => {
  const cli = testCli();
  await cli.create('ci');
  const { exitCode, stderr } = await cli.run(...command, flag, 'nonsense');
  expect(exitCode).toBe(2);
  const [, taken = ''] = /one of: (.*)/.exec(stderr) ?? [];
  const offered = (CHOICES[flag] ?? []).filter((word) => !word.startsWith('-'));
  expect([...offered].sort()).toEqual(taken.split(', ').sort());
});

describe('from the store', () => {
  test('names of keys, with what they are; ids by their beginning', async () => {
    const cli = testCli();
    const { id } = await cli.create('partner', '--live', '-d', 'the  partner shop');
    await cli.create('partial', '--test');
    await cli.create('other', '-s', 'plan:read', '-d', 'no partner');
    await cli.run('disable', 'partial');
    expect(await complete(cli, 'show', 'part')).toEqual({
      partial: 'test, inactive',
      partner: 'live, active: the partner shop',
    });
    expect(await complete(cli, 'show', id.slice(0, 6))).toEqual({ [id]: 'live, active: partner' });
    expect(await values(cli, 'enable', 'partner', 'part')).toEqual(['partial']);
    expect(await values(cli, 'show', 'partial', '')).toEqual([]);
    expect(await values(cli, 'create', '--like', 'o')).toEqual(['other']);
    expect(await values(cli, 'audit', '--key=o')).toEqual(['--key=other']);
    expect(await values(cli, 'show', '')).toEqual(['other', 'partial', 'partner']);
  });

  test('at most a hundred names, and of all that there are those that begin with the word', async () => {
    const cli = testCli();
    cli.stdin = Array.from({ length: 230 }, (_, i) => `a-${i}-zebra\n`).join('');
    await cli.run('create', '-', '--test', '-s', 'plan:read', '-o', 'value');
    await cli.create('zebra');
    expect(await values(cli, 'show', '')).toHaveLength(100);
    expect(await values(cli, 'show', 'zebra')).toEqual(['zebra']);
  });

  test('scopes, also several; none that is retired or was said', async () => {
    const cli = testCli();
    await cli.create('ci');
    await cli.run('scopes', 'retire', 'plan:create');
    expect(await complete(cli, 'create', '-s', 'plan:')).toEqual({ 'plan:read': 'Plan', 'plan:update': 'Plan' });
    expect(await values(cli, 'create', '-s', 'plan:read,plan:')).toEqual(['plan:read,plan:update']);
    expect(await values(cli, 'create', '--scope=checkin:r')).toEqual(['--scope=checkin:read']);
    expect(await values(cli, 'scopes', 'retire', 'f')).toEqual(['facility:read']);
  });

  test('of the store that the line names: by flag, profile, or environment', async () => {
    const cli = testCli({ env: { UNLOCKOS_KEYS_CONFIG_DIR: undefined } });
    const other = path.join(cli.dir, 'the other.db');
    await cli.create('here');
    await cli.create('there', '--store', other);
    await cli.run('profile', 'add', 'away', '--store', other);
    expect(await values(cli, 'show', '')).toEqual(['here']);
    expect(await values(cli, '--store', other, 'show', '')).toEqual(['there']);
    expect(await values(cli, 'show', `--store=${other}`, '')).toEqual(['there']);
    expect(await values(cli, '-paway', 'show', '')).toEqual(['there']);
    expect(await complete(cli, '-p', 'a')).toEqual({ away: other });
    expect(await values(cli, 'profile', 'use', '')).toEqual(['away']);
    cli.env = { ...cli.env, UNLOCKOS_KEYS_STORE: undefined, UNLOCKOS_KEYS_PROFILE: 'away', DIR: cli.dir };
    expect(await values(cli, 'show', '')).toEqual(['there']);
    expect(await values(cli, '--store', '$DIR/keys.db', 'show', '')).toEqual(['here']);
    expect(await values(cli, '--store', '~/../keys.db', 'show', '')).toEqual(['here']);
  });

  test('makes no store, changes none, and says nothing of what is wrong', async () => {
    const cli = testCli();
    for (const store of [cli.store, path.join(cli.dir, 'no', 'keys.db'), 'libsql://user:pw@x', 'http://[', cli.dir]) {
      expect(await values(cli, '--store', store, 'show', '')).toEqual([]);
      expect(await values(cli, '--store', store, 'create', '-s', '')).toEqual([]);
    }
    cli.env.UNLOCKOS_KEYS_STORE = undefined;
    expect(await values(cli, 'create', '-s', '')).toEqual([]);
    expect(readdirSync(cli.dir)).toEqual(['home']);
    expect(readdirSync(cli.home)).toEqual([]);
    cli.env.UNLOCKOS_KEYS_STORE = cli.store;
    writeFileSync(cli.store, 'this is no database, but some text that is long enough to look like one', {
      mode: 0o600,
    });
    expect(await values(cli, 'show', '')).toEqual([]);
    expect(await values(cli, '-p', 'none', 'show', '')).toEqual([]);
    cli.broken.stdout = 'EPIPE';
    expect(await values(cli, 'li')).toEqual([]);
  });

  test('leaves no trace in a store that is there', async () => {
    const cli = testCli();
    await cli.create('ci');
    const [head] = await cli.sql('SELECT max(seq) AS seq FROM audit_events');
    const before = statSync(cli.store).mtimeMs;
    expect(await values(cli, 'show', '')).toEqual(['ci']);
    expect(await cli.sql('SELECT max(seq) AS seq FROM audit_events')).toEqual([head]);
    expect(statSync(cli.store).mtimeMs).toBe(before);
    expect(existsSync(`${cli.store}-wal`)).toBe(false);
  });

  test('a store of an older version stays one', async () => {
    const cli = testCli();
    const by = () => ({ actor: null, osUser: 'tester', host: 'testhost', tool: '1' });
    const older = { create: true, makeParent: false, timeoutMs: 1000, by, now: () => cli.now };
    await (await openStore(cli.store, { ...older, migrations: readMigrations().slice(0, 3) })).close();
    await values(cli, 'show', '');
    await values(cli, 'create', '-s', '');
    expect(await cli.sql('SELECT version FROM schema_migrations')).toHaveLength(3);
    expect(readdirSync(cli.dir).sort()).toEqual(['home', 'keys.db']);
  });

  test('a name that somebody put into the file with a line break or an escape is not offered', async () => {
    const cli = testCli();
    await cli.create('good');
    await cli.create('gone');
    await cli.sql("UPDATE api_keys SET name = 'go' || char(10) || char(27) || '[31m' WHERE name = 'gone'");
    expect(await values(cli, 'show', 'go')).toEqual(['good']);
  });

  test('from a server; nothing when it is silent, or when a command would have to fetch the token', async () => {
    const sqld = await startSqld();
    const cli = testCli({ env: {} });
    cli.env = { UNLOCKOS_KEYS_STORE: sqld.url, UNLOCKOS_KEYS_AUTH_TOKEN: TOKENS.full };
    await cli.create('distant');
    expect(await values(cli, 'show', 'd')).toEqual(['distant']);
    expect(await values(cli, 'create', '-s', 'facility')).toEqual(['facility:read']);
    cli.env.UNLOCKOS_KEYS_AUTH_TOKEN = TOKENS.readOnly;
    expect(await values(cli, 'show', 'd')).toEqual(['distant']);
    expect(await values(cli, 'create', '-s', 'facility')).toEqual(['facility:read']);
    cli.env.UNLOCKOS_KEYS_AUTH_TOKEN = TOKENS.expired;
    expect(await values(cli, 'show', 'd')).toEqual([]);
    cli.env = {};
    const asked = path.join(cli.dir, 'asked');
    await cli.run('profile', 'add', 'op', '--store', sqld.url, '--', 'touch', asked);
    expect(await values(cli, '-p', 'op', 'show', '')).toEqual([]);
    expect(existsSync(asked)).toBe(false);
    cli.env = { UNLOCKOS_KEYS_STORE: sqld.url, UNLOCKOS_KEYS_AUTH_TOKEN: TOKENS.full };
    sqld.freeze();
    const start = performance.now();
    expect(await values(cli, 'show', 'd')).toEqual([]);
    expect(performance.now() - start).toBeLessThan(3000);
    sqld.resume();
  });
});

describe('the token of the environment', () => {
  /** A server that somebody named on the line, and what it was sent. */
  async function stranger(): Promise<{ url: string; tokens: (string | undefined)[] }> {
    const tokens: (string | undefined)[] = [];
    const server = createServer((request, reply) => {
      tokens.push(request.headers.authorization);
      reply.writeHead(401).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, tokens };
  }

  test('goes to no server that only the line names', async () => {
    const { url, tokens } = await stranger();
    const cli = testCli();
    cli.env = { UNLOCKOS_KEYS_STORE: 'http://127.0.0.1:1', UNLOCKOS_KEYS_AUTH_TOKEN: 'secret-token' };
    for (const words of [
      ['show', 'a'],
      ['create', '-s', 'p'],
      ['audit', 'list', '--key', 'a'],
    ]) {
      expect(await values(cli, '--store', url, ...words)).toEqual([]);
      expect(await values(cli, `--store=${url}`, ...words)).toEqual([]);
    }
    expect(tokens).toEqual([]);
  });

  test('goes to the server that the environment names, also when the line names it again', async () => {
    const { url, tokens } = await stranger();
    const cli = testCli();
    cli.env = { UNLOCKOS_KEYS_STORE: url, UNLOCKOS_KEYS_AUTH_TOKEN: 'secret-token' };
    await values(cli, '--store', url, 'show', 'a');
    expect(new Set(tokens)).toEqual(new Set(['Bearer secret-token']));
  });
});

describe('the line, as each shell sends it', () => {
  test('zsh and PowerShell send words, each ended by NUL', async () => {
    const cli = testCli();
    expect(await answer(cli, 'zsh', 'unlockos-keys\0list\0--status\0\0\n')).toBe('words\nactive\ninactive\nexpired\n');
    expect(await answer(cli, 'powershell', 'unlockos-keys\0list\0--mode\0t\0\r\n')).toBe('words\ntest\ttest\ttest\n');
  });

  test('bash says what it will replace, and gets the rest, quoted for where it goes', async () => {
    const cli = testCli();
    await cli.create("it's a $name!");
    await cli.create('it is "so"');
    const inBash = (line: string, replaced: string) => answer(cli, 'bash', `unlockos-keys show ${line}\0${replaced}\0`);
    expect(await inBash('it', 'it')).toBe(`words\nit\\ is\\ \\"so\\"\nit\\'s\\ a\\ \\$name\\!\n`);
    expect(await inBash('"it', 'it')).toBe('words\nit is \\"so\\""\n'); // readline adds none behind one
    expect(await inBash("'it", 'it')).toBe(`words\nit is "so"\nit'\\''s a $name!\n`);
    expect(await inBash('it\\ i', 'it\\ i')).toBe('words\nit\\ is\\ \\"so\\"\n');
    expect(await answer(cli, 'bash', 'unlockos-keys create -s plan:r\0r\0')).toBe('words\nread\n');
    expect(await answer(cli, 'bash', 'unlockos-keys create --scope=plan:r\0r\0')).toBe('words\nread\n');
    expect(await answer(cli, 'bash', 'unlockos-keys create --scope=pl\0pl\0')).toMatch(/^words\nplan:read\n/);
    expect(await answer(cli, 'bash', 'unlockos-keys list\0other\0')).toBe('');
  });

  test('fish sends the line, with whatever stands before the name of the tool', async () => {
    const cli = testCli();
    for (const before of ['', 'command ', 'sudo -u ops ', 'env A=1 /usr/bin/'])
      expect(await answer(cli, 'fish', `${before}unlockos-keys list --mode t\n`)).toBe('words\ntest\t\n');
  });

  test('PowerShell gets what it takes for one argument', async () => {
    const cli = testCli();
    await cli.create("it's ‘so’ $x");
    const [, line] = (await answer(cli, 'powershell', 'unlockos-keys\0show\0i\0')).split('\n');
    expect(line).toBe("'it''s ‘‘so’’ $x'\tit's ‘so’ $x\tlive, active");
  });

  test.each([
    ['', ['']],
    ['a b ', ['a', 'b', '']],
    ['a\tb\nc', ['a', 'b', 'c']],
    [`a 'b c' "d \\" e" f\\ g`, ['a', 'b c', 'd " e', 'f g']],
    [`'' ""x`, ['', 'x']],
    ['$(touch x) `y`', ['$(touch', 'x)', '`y`']],
    [`"$(touch x)" '`, ['$(touch x)', '']],
    ['a\\\nb \\', ['ab', '\\']],
    ['"a\\b"', ['a\\b']],
    ["'a\\'b", ['a\\b']],
  ])('bash: %j is %j', (line, words) => {
    expect(typedWords(line, 'bash').map(({ value }) => value)).toEqual(words);
  });

  test("fish: a backslash counts within ' too", () => {
    expect(typedWords("'a\\'b' x", 'fish')).toEqual([
      { value: "a'b", quote: '' },
      { value: 'x', quote: '' },
    ]);
  });

  test.each([
    ['bash', ''],
    ['bash', 'unlockos-keys'],
    ['zsh', 'unlockos-keys\0'],
    ['zsh', 'x'],
    ['fish', ''],
    ['tcsh', 'unlockos-keys \0\0'],
    ['fish', `unlockos-keys ${'x'.repeat(70_000)}`],
  ])('%s: nothing comes of %j', async (shell, stdin) => {
    expect(await answer(testCli(), shell, stdin)).toBe('');
  });

  test('called by hand it does not wait for a line', async () => {
    const cli = testCli({ tty: { stdin: true, stdout: true, stderr: true } });
    expect(await answer(cli, 'bash', 'unlockos-keys list --st\0--st\0')).toBe('');
  });
});

describe('completion SHELL', () => {
  test.each(
    SHELLS,
  )('%s: the script, with how to install it on top, and nothing that evaluates a word', async (shell) => {
    const { exitCode, stdout, stderr } = await testCli().run('completion', shell);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [, ...lines] = stdout.split('\n');
    expect(lines.slice(0, 4).join('\n')).toContain(`unlockos-keys completion ${shell}`);
    const code = lines.filter((line) => !line.startsWith('#')).join('\n');
    expect(code).toContain(`unlockos-keys __complete ${shell}`);
    expect(code).not.toMatch(/\beval\b|compgen|Invoke-Expression|\biex\b|ExpandString/);
    expect(stdout).toMatch(/^[\x20-\x7e\n]+$/);
  });

  test('bash says that bash-completion is not needed', async () => {
    expect((await testCli().run('completion', 'bash')).stdout).toContain('That package is not required');
  });

  test('the PowerShell script closes what it opens', async () => {
    const { stdout } = await testCli().run('completion', 'powershell');
    const open: string[] = [];
    const code = stdout.replace(/^#.*$/gm, '').replace(/'(?:[^']|'')*'/g, '');
    for (const char of code.match(/[(){}[\]]/g) ?? []) {
      if ('({['.includes(char)) open.push(char);
      else expect(`${open.pop()}${char}`).toMatch(/^(\(\)|\{\}|\[\])$/);
    }
    expect(open).toEqual([]);
  });

  test('another shell is refused, with the nearest', async () => {
    const { exitCode, stderr } = await testCli().run('completion', 'basch');
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      'error: no completion for "basch", did you mean bash?\nhint: available: bash, zsh, fish, powershell\n',
    );
  });
});

test('--drop-scope offers the scopes that the key has; restore, the keys that are deleted', async () => {
  const cli = testCli();
  await cli.create('a-key', '-s', 'checkin:read,plan:read');
  await cli.create('another-key', '-s', 'facility:read');
  expect((await values(cli, 'rotate', 'a-key', '--drop-scope', '')).sort()).toEqual(['checkin:read', 'plan:read']);
  expect(await values(cli, 'create', 'b', '--like', 'another-key', '--drop-scope', '')).toEqual(['facility:read']);
  expect(await values(cli, 'rotate', 'no-such-key', '--drop-scope', '')).toEqual([]);
  await cli.run('delete', 'another-key', '--yes');
  expect(await values(cli, 'restore', '')).toEqual(['another-key']);
  expect(await values(cli, 'restore', 'a-')).toEqual([]);
});
