import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../src/cli/context.js';
import { editConfig } from '../../src/cli/settings/config-edit.js';
import { configFile, readConfig } from '../../src/cli/settings/config-file.js';
import { KeysError } from '../../src/domain/errors.js';
import { anyText } from '../support/any-text.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const TOKEN = 'eyJhbGciOiJFZERTQSJ9.eyJhIjoicncifQ.c2lnbmF0dXJl';

const NOTED = `# of the file

# of the default
default: here # at home
# of all
profiles:
  here: # first
    store: ../here.db # a path
  # of there
  there: { store: "../there.db", protected: true }
  # last
`;

/** What reading and editing see of the world: a home, and a configuration directory in it. */
function world(yaml?: string | Uint8Array): { ctx: Context; file: string; directory: string; cli: TestCli } {
  const cli = testCli({ env: { UNLOCKOS_KEYS_STORE: undefined } });
  const directory = path.join(cli.home, 'config');
  mkdirSync(directory, { mode: 0o700 });
  const file = path.join(directory, 'config.yaml');
  if (yaml !== undefined) writeFileSync(file, yaml, { mode: 0o600 });
  cli.env = { ...cli.env, UNLOCKOS_KEYS_CONFIG_DIR: directory };
  return { ctx: contextOf(cli), file, directory, cli };
}

function contextOf(cli: TestCli, platform: NodeJS.Platform = 'linux'): Context {
  return { env: cli.env, cwd: cli.dir, home: cli.home, platform, now: () => cli.now } as unknown as Context;
}

async function refusal(promise: Promise<unknown>): Promise<KeysError> {
  const error = await promise.then(
    () => expect.fail('nothing was refused'),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeysError);
  return error as KeysError;
}

describe('where it is', () => {
  test.each<[NodeJS.Platform, Record<string, string>, string]>([
    ['linux', {}, '/h/.config/unlockos-keys/config.yaml'],
    ['darwin', {}, '/h/.config/unlockos-keys/config.yaml'],
    ['linux', { XDG_CONFIG_HOME: '/x' }, '/x/unlockos-keys/config.yaml'],
    ['linux', { XDG_CONFIG_HOME: 'x' }, '/h/.config/unlockos-keys/config.yaml'],
    ['linux', { XDG_CONFIG_HOME: '/x', UNLOCKOS_KEYS_CONFIG_DIR: '/own' }, '/own/config.yaml'],
    ['win32', { APPDATA: 'roaming' }, '/h/AppData/Roaming/unlockos-keys/config.yaml'],
    ['linux', { UNLOCKOS_KEYS_CONFIG_DIR: '' }, '/h/.config/unlockos-keys/config.yaml'],
    ['win32', { APPDATA: '/roaming', XDG_CONFIG_HOME: '/x' }, '/roaming/unlockos-keys/config.yaml'],
  ])('%s, %j: %s', (platform, env, file) => {
    expect(configFile({ env, platform, cwd: '/here', home: '/h' } as unknown as Context)).toBe(file);
  });

  test('no file is an empty configuration, also below a home that is no directory', async () => {
    const { ctx, file } = world();
    expect(await readConfig(ctx)).toEqual({ file, defaultProfile: null, profiles: new Map() });
    expect((await readConfig({ ...ctx, env: {}, home: '/dev/null' })).profiles.size).toBe(0);
  });

  test('paths are meant from its directory, and ~/ from home', async () => {
    const yaml = 'profiles:\n  a: { store: ~/a.db, tokenFile: t }\n  b: { store: ../b.db }\n  c: { store: /c.db }\n';
    const { ctx, directory, cli } = world(yaml);
    const { profiles } = await readConfig(ctx);
    expect([...profiles.values()].map(({ store }) => store)).toEqual([`${cli.home}/a.db`, `${cli.home}/b.db`, '/c.db']);
    expect(profiles.get('a')?.tokenFile).toBe(path.join(directory, 't'));
  });
});

describe('a file that is not ours alone is refused', () => {
  test.each<[string, (file: string) => void]>([
    ['a file that its group can write to', (file) => chmodSync(file, 0o620)],
    ['a file that others can write to', (file) => chmodSync(file, 0o602)],
    ['a directory that its group can write to', (file) => chmodSync(path.dirname(file), 0o770)],
    ['a directory that others can write to', (file) => chmodSync(path.dirname(file), 0o707)],
  ])('%s', async (_, spoil) => {
    const { ctx, file } = world(NOTED);
    spoil(file);
    expect(await refusal(readConfig(ctx))).toMatchObject({
      code: 'unsafe_path',
      hint: expect.stringMatching(/^chmod go-w /),
    });
    expect((await readConfig({ ...ctx, platform: 'win32' })).profiles.size).toBe(2); // modes mean nothing there
  });

  test('a file that others may read, and a directory with the sticky bit, are not', async () => {
    const { ctx, file, directory } = world(NOTED);
    chmodSync(file, 0o644);
    chmodSync(directory, 0o1777);
    expect((await readConfig(ctx)).profiles.size).toBe(2);
  });

  test('neither the link to it nor what it links to may be in a directory that others can write to', async () => {
    for (const open of ['directory', 'elsewhere'] as const) {
      const { ctx, file, directory, cli } = world();
      const elsewhere = path.join(cli.dir, 'elsewhere');
      mkdirSync(elsewhere, { mode: 0o700 });
      writeFileSync(path.join(elsewhere, 'mine.yaml'), NOTED, { mode: 0o600 });
      symlinkSync(path.join(elsewhere, 'mine.yaml'), file);
      expect((await readConfig(ctx)).profiles.size).toBe(2);
      chmodSync(open === 'directory' ? directory : elsewhere, 0o777);
      expect((await refusal(readConfig(ctx))).code, open).toBe('unsafe_path');
    }
  });

  test('no new file is put into a directory that others can write to', async () => {
    const { directory, cli } = world();
    chmodSync(directory, 0o777);
    expect((await cli.run('profile', 'add', 'a', '--store', './a.db')).exitCode).toBe(6);
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('what is no configuration is not taken for none', () => {
  test.each<[string, (file: string) => void, RegExp]>([
    ['a directory', (file) => mkdirSync(file), /not a regular file/],
    ['a link to nothing', (file) => symlinkSync('/nowhere/x.yaml', file), /there is no such file/],
    ['a loop of links', (file) => symlinkSync(file, file), /a loop of them/],
    [
      'too large a file',
      (file) => writeFileSync(file, '#'.repeat(256 * 1024 + 1), { mode: 0o600 }),
      /larger than 256 KiB/,
    ],
    ['no text', (file) => writeFileSync(file, Uint8Array.of(0x23, 0xff, 0x0a), { mode: 0o600 }), /not UTF-8/],
  ])('%s', async (_, make, said) => {
    const { ctx, file } = world();
    make(file);
    expect(await refusal(readConfig(ctx))).toMatchObject({ code: 'usage', message: expect.stringMatching(said) });
  });

  test('a configuration directory that is a file', async () => {
    const { ctx, file } = world(NOTED);
    const env = { UNLOCKOS_KEYS_CONFIG_DIR: file };
    expect((await refusal(readConfig({ ...ctx, env }))).message).toMatch(/is not a directory/);
  });

  test.each<[string, string, RegExp]>([
    ['five thousand brackets', `${'['.repeat(5000)}${']'.repeat(5000)}`, /nested too deeply/],
    ['brackets without end', '{a: '.repeat(60_000), /nested too deeply/],
    ['dashes without end', '- '.repeat(130_000), /nested too deeply/],
    ['a staircase', Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), /nested too deeply/],
    ['two documents', 'profiles: {}\n---\nprofiles: {}\n', /:2:1: a second document/],
    ['a tag', 'profiles: !mine {}\n', /:1:11: tags are not supported/],
    ['an alias to nothing', 'default: *a\n', /:1:10: aliases are not supported/],
    [
      'a merge',
      'profiles:\n  a: { store: x }\n  b: { <<: { protected: true }, store: x }\n',
      /:3:8: profile "b" has no property "<<"/,
    ],
    ['a number for a name', 'profiles:\n  7: { store: x }\n', /:2:3: this property has a name that is not a string/],
    ['a name twice', 'profiles:\n  a: { store: x }\n  "a": { store: y }\n', /:3:3: "a" is here twice/],
    [
      'a guard twice',
      'profiles:\n  a: { store: x, protected: true, protected: false }\n',
      /:2:35: "protected" is here twice/,
    ],
    ['a guard without a value', 'profiles:\n  a: { store: x, protected }\n', /:2:18: protected of .* neither true nor/],
    ['a guard of YAML 1.1', 'profiles:\n  a: { store: x, testOnly: yes }\n', /neither true nor false/],
    [
      'a bad name, with its line',
      'profiles:\n  a: { store: x }\n  "b c": { store: x }\n',
      /:3:3: profiles: "b c" is not a name/,
    ],
    ['a name of every object', 'profiles:\n  constructor: { store: x }\n', /not a name for a profile/],
    ['an empty store', 'profiles:\n  a: { store: "" }\n', /store of profile "a" is empty/],
    ['an empty program', 'profiles:\n  a: { store: x, tokenCommand: ["", b] }\n', /the program in .* is empty/],
    [
      'a command with a number',
      'profiles:\n  a: { store: x, tokenCommand: [op, 7] }\n',
      /a word of .* is not a string/,
    ],
    ['a command as a mapping', 'profiles:\n  a: { store: x, tokenCommand: { op: read } }\n', /not a list of words/],
    ['defaults that are a list', 'profiles:\n  a: { store: x, defaults: [json] }\n', /defaults of .* not a mapping/],
    ['an unknown default', 'profiles:\n  a: { store: x, defaults: { expire: 9d } }\n', /did you mean expires\?/],
    ['a profile that is nothing', 'profiles:\n  a:\n', /:2:5: profile "a" is not a mapping/],
    ['a memory store', 'profiles:\n  a: { store: ":memory:" }\n', /:2:15: store of profile "a"/],
  ])('%s', async (_, yaml, said) => {
    expect(await refusal(readConfig(world(yaml).ctx))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(said),
    });
  });

  test('a token is refused wherever it stands, and never repeated', async () => {
    for (const line of [
      `token: ${TOKEN}`,
      `auth_token: ${TOKEN}`,
      `authToken: |${TOKEN}`,
      `authToken: !${TOKEN}`,
      `authToken: *${TOKEN}`,
      `authToken: "\\q${TOKEN}"`,
      `authToken: "${TOKEN}`,
      `authToken: %${TOKEN}`,
      `tokenFile: ${TOKEN}`,
      `tokenCommand: [echo, ${TOKEN}]`,
    ]) {
      const { message, hint } = await refusal(readConfig(world(`profiles:\n  a:\n    store: x\n    ${line}\n`).ctx));
      expect(`${message}\n${hint}`, line).not.toContain(TOKEN.slice(0, 12));
    }
  });
});

test('an expiry that is over stops create, and nothing else', async () => {
  const { cli } = world('default: a\nprofiles:\n  a: { store: ../../a.db, defaults: { expires: 2026-11-23 } }\n');
  expect((await cli.run('profile', 'list')).exitCode).toBe(0);
  expect((await cli.run('create', 'k', '--test', '-s', 'plan:read', '-o', 'value')).exitCode).toBe(2);
  expect((await cli.run('create', 'k', '--test', '-s', 'plan:read', '-o', 'value', '--expires', '9d')).exitCode).toBe(
    0,
  );
  expect((await cli.run('disable', 'k')).exitCode).toBe(0);
});

test('whatever the file holds, it is read, or refused as a KeysError', async () => {
  const { ctx, file } = world();
  const piece = fc.constantFrom(
    ...['profiles:', 'default: a', 'a:', 'store: x', 'protected: true', 'tokenCommand:', 'defaults:', 'output: json'],
    ...[
      '{',
      '}',
      '[',
      ']',
      ',',
      ': ',
      '- ',
      '? ',
      '&a ',
      '*a',
      '!!set ',
      '!!omap ',
      '!!binary ',
      '! ',
      '<<: ',
      '|',
      '>',
    ],
    ...['%YAML 1.1', '%TAG ! x', '---', '...', '~', '"', "'", '"\\x', '\t', '\r', '\ufeff', '\u0000', '\u0085', '# c'],
  );
  const gap = fc.constantFrom('\n', '\n  ', '\n    ', ' ', '');
  const soup = fc.array(fc.tuple(piece, gap), { maxLength: 25 }).map((parts) => parts.flat().join(''));
  await fc.assert(
    fc.asyncProperty(fc.oneof(soup, anyText, fc.uint8Array()), async (content) => {
      writeFileSync(file, content, { mode: 0o600 });
      await readConfig(ctx).catch((error: unknown) => {
        if (!(error instanceof KeysError)) throw error;
      });
    }),
    { seed: 20261123, numRuns: 400 },
  );
});

describe('edits', () => {
  const add = (name: string) => (document: Parameters<Parameters<typeof editConfig>[1]>[0]) =>
    document.setIn(['profiles', name], document.createNode({ store: '/x.db' }));

  test('keep the comments and the order, and the quotes', async () => {
    const { ctx, file } = world(NOTED);
    await editConfig(ctx, add('new'));
    const text = readFileSync(file, 'utf8');
    const kept = ['# of the file', '# of the default', 'default: here # at home', '# of all', '# first', '# a path'];
    const places = [...kept, '# of there', '"../there.db"', 'new:', '# last'].map((each) => text.indexOf(each));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBe(0);
  });

  test('keep what stands above the first line when that line goes', async () => {
    const { ctx, file } = world(NOTED);
    await editConfig(ctx, (document) => document.delete('default'));
    expect(readFileSync(file, 'utf8')).toMatch(/^# of the file\n\n# of the default\n# of all\nprofiles:\n/);
  });

  test.each([
    ['', /^profiles:\n {2}new:\n/],
    ['# mine\n', /^# mine\n\nprofiles:\n {2}new:\n/],
    ['~\n', /^profiles:\n {2}new:\n/],
    ['profiles:\n', /^profiles:\n {2}new:\n/],
    ['# a\nprofiles: # b\n  # c\n  {}\n', /^# a\nprofiles:\n {2}# b\n {2}# c\n {2}new:\n/],
    ['{ profiles: { a: { store: x } } }\n', /new: /],
  ])('take %j for a beginning', async (yaml, expected) => {
    const { ctx, file } = world(yaml);
    const { profiles } = await editConfig(ctx, add('new'));
    expect([...profiles.keys()]).toContain('new');
    expect(readFileSync(file, 'utf8')).toMatch(expected);
    expect(await readConfig(ctx)).toMatchObject({ profiles });
  });

  test('of several at once all land, in one file that is private', async () => {
    const { ctx, file, directory } = world();
    const names = Array.from({ length: 12 }, (_, i) => `p${i}`);
    await Promise.all(names.map((name) => editConfig(ctx, add(name))));
    expect([...(await readConfig(ctx)).profiles.keys()].sort()).toEqual([...names].sort());
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['config.yaml']);
  });

  test('make the directory, for us alone', async () => {
    const { ctx, cli } = world();
    const env = { XDG_CONFIG_HOME: path.join(cli.dir, 'xdg') };
    const { file } = await editConfig({ ...ctx, env }, add('new'));
    expect(file).toBe(path.join(cli.dir, 'xdg/unlockos-keys/config.yaml'));
    expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700);
  });

  test('narrow a file that others could read', async () => {
    const { ctx, file } = world(NOTED);
    chmodSync(file, 0o644);
    await editConfig(ctx, add('new'));
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('that end in nonsense, or fail, change nothing and leave no lock', async () => {
    const { ctx, file, directory } = world(NOTED);
    const fails = [
      (document: { set(key: string, value: unknown): void }) => document.set('default', 'nobody'),
      (document: { set(key: string, value: unknown): void }) => document.set('junk', 1),
      () => {
        throw new KeysError('conflict', 'no');
      },
    ];
    for (const change of fails) await refusal(editConfig(ctx, change));
    await refusal(editConfig(ctx, (document) => document.set('default', 'x'.repeat(300_000))));
    expect(readFileSync(file, 'utf8')).toBe(NOTED);
    expect(readdirSync(directory)).toEqual(['config.yaml']);
  });

  test('wait for another one, and see what it wrote', async () => {
    const { ctx, file } = world(NOTED);
    writeFileSync(`${file}.lock`, '');
    const waiting = editConfig(ctx, add('late'));
    writeFileSync(file, NOTED.replace('default: here', 'default: there'), { mode: 0o600 });
    rmSync(`${file}.lock`);
    expect(await waiting).toMatchObject({ defaultProfile: 'there' });
  });

  test('in a dry run are checked, and written nowhere', async () => {
    const { ctx, file, directory } = world();
    const { profiles } = await editConfig(ctx, add('new'), { dryRun: true });
    expect([...profiles.keys()]).toEqual(['new']);
    await refusal(editConfig(ctx, (document) => document.set('default', 'nobody'), { dryRun: true }));
    expect([existsSync(file), readdirSync(directory)]).toEqual([false, []]);
  });
});

describe('profile add, use and remove', () => {
  test.each([
    [['add', 'x', '--store', './x.db', 'cat', 'f'], 2, /one name/],
    [['add', 'x', '--store', './x.db', TOKEN], 2, /an argument holds a token/],
    [['add', 'x', '--store', './x.db', 'stray', '--', 'cat'], 2, /one name/],
    [['add', 'x', '--store', './x.db', '--', 'echo', TOKEN], 2, /token itself/],
    [['add', 'x', '--store', './x.db', '--token-file', TOKEN], 2, /an argument holds a token/],
    [['add', '../x', '--store', './x.db', '-n'], 2, /not a name for a profile/],
    [['add', 'a\u001b[31m', '--store', './x.db'], 2, /\\u\{1b\}/],
    [['add', '__proto__', '--store', './x.db'], 2, /not a name for a profile/],
    [['add', 'x', '--store', './x.db', '--default-output', 'xml', '-n'], 2, /not an output format/],
    [['add', 'x', '--store', './x.db', '--default-expires', '2020-01-01'], 2, /already passed/],
    [['add', 'x', '--store', './x.db', '--default-rate-limit', '5/y'], 2, /rateLimit/],
    [['add', 'here', '--store', './x.db', '-n'], 5, /exists/],
    [['use', 'ther'], 3, /did you mean there\?/],
    [['use', 'nobody', '-n'], 3, /no profile "nobody"/],
  ])('%j ends with %i, and changes and repeats nothing', async (argv, exitCode, said) => {
    const { cli, file } = world(NOTED);
    const result = await cli.run('profile', ...argv);
    expect(result).toMatchObject({ exitCode, stdout: '', stderr: expect.stringMatching(said) });
    expect(result.stderr).not.toContain(TOKEN.slice(0, 12));
    expect(result.stderr).not.toMatch(/yaml:\d+/); // no line of a file that was not written
    expect(result.stderr).not.toContain('\u001b');
    expect(readFileSync(file, 'utf8')).toBe(NOTED);
  });

  test('what stands behind -- is the command, to the letter', async () => {
    const { cli, file } = world(NOTED);
    const words = ['op', '-n', '--json', '--store', 'z', '', 'two\nlines', '--', '-p', '~', 'true', '7', '# x', "'"];
    expect((await cli.run('profile', 'add', 'x', '--protected', '--store', './x.db', '--', ...words)).exitCode).toBe(0);
    expect((await cli.json('profile', 'show', 'x')).tokenCommand).toEqual(words);
    await cli.run('profile', 'add', 'y', '--store', './y.db', '--', 'op', 'read', 'op://a/b');
    expect(readFileSync(file, 'utf8')).toMatch(/^ {4}tokenCommand: \[ op, read, op:\/\/a\/b \]$/m);
  });

  test('of two that add one name, one is told', async () => {
    const { cli } = world(NOTED);
    const runs = ['a', 'b'].map((file) => {
      const other = Object.assign(testCli(), { env: cli.env });
      return other.run('profile', 'add', 'same', '--store', `./${file}.db`);
    });
    expect((await Promise.all(runs)).map(({ exitCode }) => exitCode).sort()).toEqual([0, 5]);
  });

  test('the first is not the default unless asked; it says how to make it so', async () => {
    const { cli } = world();
    const { stderr } = await cli.run('profile', 'add', 'one', '--store', './one.db');
    expect(stderr).toMatch(/unlockos-keys profile use one$/m);
    expect(await cli.json('profile', 'show', 'one')).toMatchObject({ default: false });
    expect((await cli.run('profile', 'add', 'two', '--store', './two.db', '--use')).stderr).toMatch(/is the default/);
    expect(await cli.json('profile', 'show')).toMatchObject({ name: 'two', default: true });
  });

  test('machine formats get the profile', async () => {
    const { cli } = world(NOTED);
    const added = await cli.json('profile', 'add', 'x', '--store', './x.db', '--default-expires', '9d');
    expect(added).toEqual(await cli.json('profile', 'show', 'x'));
    expect((await cli.run('profile', 'use', 'x', '-o', 'value')).stdout).toBe('x\n');
    expect(await cli.json('profile', 'remove', 'x', '--yes')).toMatchObject({ name: 'x', default: false });
    expect((await cli.run('profile', 'list', '-o', 'value', '--fields', 'name,default')).stdout).toBe(
      'here\tfalse\nthere\tfalse\n',
    );
  });

  test('removing asks, and a no changes nothing; the store stays', async () => {
    const { cli, file } = world(NOTED);
    const store = path.join(cli.home, 'here.db');
    await cli.run('create', 'k', '--test', '-s', 'plan:read', '-o', 'value');
    expect((await cli.atTerminal(false).run('profile', 'remove', 'here')).exitCode).toBe(6);
    expect(readFileSync(file, 'utf8')).toBe(NOTED);
    expect((await cli.atTerminal(true).run('profile', 'remove', 'here')).exitCode).toBe(0);
    expect(readFileSync(file, 'utf8')).not.toMatch(/default:|here\.db #/);
    expect(existsSync(store)).toBe(true);
  });

  test('paths with escapes are shown escaped', async () => {
    const { cli } = world('profiles:\n  a: { store: "x\\e[2Jy", tokenCommand: ["c\\e]0;t", "\\u202e"] }\n');
    for (const argv of [['list'], ['show', 'a'], ['list', '--json'], ['list', '-o', 'csv'], ['remove', 'a']]) {
      const { stdout, stderr } = await cli.run('profile', ...argv);
      expect(stdout + stderr, argv.join(' ')).not.toMatch(/[\u001b\u202e]/);
    }
  });
});
