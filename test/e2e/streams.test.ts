import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { KEY_STRING_IN_TEXT } from '../../src/domain/key-string.js';
import { listKeys, makeKey, Place, root } from '../support/tool.js';

const CREATE = 'create a --test-mode -s checkin:read';

describe('stdout is the answer alone', () => {
  test('$(…) takes the key string, and the remarks go past it', async () => {
    const place = new Place();
    const { stdout, stderr, exitCode } = await place.shell(`KEY=$($TOOL ${CREATE}) && printf '[%s]' "$KEY"`);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^\[unlk_test_[0-9a-z]{12}_[0-9A-Za-z]{38}\]$/);
    expect(stderr).toMatch(/Rate limit +600 requests per minute/);
    expect(stderr.match(KEY_STRING_IN_TEXT)).toBeNull();
  });

  test('a long answer arrives whole at a reader that is slow, and one that leaves early is no failure', async () => {
    const place = new Place();
    const names = Array.from({ length: 60 }, (_, i) => `key-${i}`).join('\n');
    await place.run(['create', '-', '--test-mode', '-s', 'checkin:read', '-d', 'x'.repeat(500), '-o', 'jsonl'], {
      input: names,
    });
    const long = await place.shell(
      'for i in 1 2 3; do $TOOL list --json; done | (read -r first; sleep 0.2; cat) | wc -c',
    );
    expect(Number(long.stdout)).toBeGreaterThan(3 * 40_000);
    const many = Array.from({ length: 40 }, () => '$TOOL list --json').join('; ');
    const early = await place.shell(
      `set -o pipefail; { ${many.slice(0, many.indexOf(';'))}; echo "left $?" >&2; } | head -c 10`,
    );
    expect(early.stdout).toBe('[\n  {\n    ');
    expect(early.stderr).toBe('left 0\n');
  });

  test.each([
    ['a full disk', '> /dev/full', /ENOSPC/],
    ['a reader that is gone', '| true', /EPIPE/],
  ])('into %s, the key is disabled and the exit code says so', async (_, where, why) => {
    const place = new Place();
    const line =
      where === '| true'
        ? `set -o pipefail; mkfifo gone; (exec 3< gone; true) & exec 4> gone; wait; $TOOL ${CREATE} >&4`
        : `$TOOL ${CREATE} ${where}`;
    const { exitCode, stderr } = await place.shell(line);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(why);
    expect(stderr).toMatch(/could not be delivered[\s\S]*so it was disabled/);
    expect(await listKeys(place)).toMatchObject([{ name: 'a', status: 'inactive' }]);
  });

  test.each([
    ['closed', '>&-'],
    ['the null device', '> /dev/null'],
  ])('with stdout %s nobody would get the key, so none is made', async (_, where) => {
    const place = new Place();
    const { exitCode, stderr } = await place.shell(`$TOOL ${CREATE} ${where}`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('nobody would get the key string');
    expect(await listKeys(place)).toEqual([]);
    expect((await place.shell(`$TOOL ${CREATE} --key-file k ${where}`)).exitCode).toBe(0);
  });

  test('with stdin, stdout and stderr closed it still ends by itself', async () => {
    const place = new Place();
    expect((await place.shell('$TOOL list <&- >&- 2>&-; echo "ended $?"')).stdout).toMatch(/^ended \d+\n$/);
  });
});

describe('under CI', () => {
  const env = { CI: 'true' };

  test('without a mode and a sink nothing is made, and both are named', async () => {
    const place = new Place();
    const { exitCode, stdout, stderr } = await place.run(['create', 'a', '-s', 'plan:read'], { env });
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/2 things are missing[\s\S]*--test-mode or --live[\s\S]*-o value \| -o json \| --key-file/);
  });

  test('in GitHub Actions the key is masked before it can be seen, and the step files get it', async () => {
    const place = new Place();
    const [variables, output] = [place.file('env'), place.file('output')];
    writeFileSync(variables, 'BEFORE=1\n');
    writeFileSync(output, '');
    const { exitCode, stdout, stderr } = await place.run(
      [...CREATE.split(' '), '--github-env', 'UNLOCKOS_API_KEY', '--github-output', 'key'],
      {
        env: { ...env, GITHUB_ACTIONS: 'true', GITHUB_ENV: variables, GITHUB_OUTPUT: output, GITHUB_ACTOR: 'octocat' },
      },
    );
    expect([exitCode, stdout]).toEqual([0, '']);
    const [keyString] = stderr.match(KEY_STRING_IN_TEXT) ?? [];
    expect(stderr).toContain(`::add-mask::${keyString}\n`);
    expect(stderr.match(KEY_STRING_IN_TEXT)).toHaveLength(1);
    expect(readFileSync(variables, 'utf8')).toBe(`BEFORE=1\nUNLOCKOS_API_KEY=${keyString}\n`);
    expect(readFileSync(output, 'utf8')).toBe(`key=${keyString}\n`);
    expect((await place.run(['audit', 'list', '--action', 'key.create', '--json'])).stdout).toContain(
      '"actor": "octocat"',
    );
  });

  test('-o value is a sink', async () => {
    const { exitCode, stdout } = await new Place().run([...CREATE.split(' '), '-o', 'value'], { env });
    expect([exitCode, stdout.length]).toEqual([0, 62]);
  });
});

describe('files', () => {
  test.each(['022', '000'])('under umask %s all that is made is for the owner alone', async (umask) => {
    const place = new Place();
    delete place.env.UNLOCKOS_KEYS_STORE;
    const { exitCode } = await place.shell(
      `umask ${umask}; $TOOL ${CREATE} --key-file k && $TOOL create b --test -s plan:read --dotenv .env:KEY && $TOOL store backup copy.db`,
    );
    expect(exitCode).toBe(0);
    const data = path.join(place.env.HOME ?? '', '.local/share/unlockos-keys');
    const modes = [data, path.join(data, 'keys.db'), place.file('k'), place.file('.env'), place.file('copy.db')].map(
      (file) => (statSync(file).mode & 0o777).toString(8),
    );
    expect(modes).toEqual(['700', '600', '600', '600', '600']);
  });

  test('XDG_DATA_HOME says where the default store is, unless it is relative', async () => {
    const place = new Place();
    delete place.env.UNLOCKOS_KEYS_STORE;
    expect((await place.run(['store', 'path'], { env: { XDG_DATA_HOME: place.file('xdg') } })).stdout).toBe(
      `${place.file('xdg/unlockos-keys/keys.db')}\n`,
    );
    expect((await place.run(['store', 'path'], { env: { XDG_DATA_HOME: 'xdg' } })).stdout).toBe(
      `${place.env.HOME}/.local/share/unlockos-keys/keys.db\n`,
    );
  });

  test('a secret is nowhere but in the sink that was asked for', async () => {
    const place = new Place();
    await place.run([...CREATE.split(' '), '--key-file', 'sink', '--debug']);
    const secret = readFileSync(place.file('sink'), 'utf8').slice(23, 55);
    await place.run(['verify', '--key-file', 'sink', '--debug']);
    await place.shell('$TOOL disable --stdin --debug < sink; $TOOL store backup copy.db');
    const files = readdirSync(place.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const holding = files
      .filter((entry) => readFileSync(path.join(entry.parentPath, entry.name)).includes(secret))
      .map(({ name }) => name);
    expect(files.map(({ name }) => name)).toContain('copy.db');
    expect(holding).toEqual(['sink']);
  });
});

describe('what is loaded', () => {
  /** A preload that notes every file that is read or loaded, and says so at the end on descriptor 3. */
  function watched(place: Place): void {
    const preload = place.file('watch.cjs');
    writeFileSync(
      preload,
      `const fs = require('node:fs'); const Module = require('node:module'); const seen = new Set();
      const read = fs.readFileSync; fs.readFileSync = (file, ...rest) => { seen.add(String(file)); return read(file, ...rest); };
      const load = Module._load; Module._load = function (name, ...rest) { seen.add(name); return load.call(this, name, ...rest); };
      const dlopen = process.dlopen; process.dlopen = (module, file, ...rest) => { seen.add(file); return dlopen.call(process, module, file, ...rest); };
      process.on('exit', () => fs.writeFileSync(process.env.SEEN, [...seen].join('\\n')));`,
    );
    place.node = ['-r', preload, ...place.node];
    place.env.SEEN = place.file('seen');
  }
  const HEAVY = /drizzle|better[-_]sqlite3|libsql|prompts|inquirer|clipboard|table\.cjs|cli-table3|bcrypt|csv|engine/;

  test.each([
    ['--help'],
    ['--version'],
    ['create --help'],
    ['help audit'],
    ['-V'],
    [''],
  ])('`%s` loads nothing heavy', async (line) => {
    const place = new Place();
    watched(place);
    const { exitCode, stdout } = await place.run(line.split(' ').filter(Boolean));
    expect([exitCode, stdout.length > 4]).toEqual([0, true]);
    const seen = readFileSync(place.file('seen'), 'utf8').split('\n');
    expect(seen.some((file) => file.endsWith('cli.cjs'))).toBe(true);
    expect(seen.filter((file) => HEAVY.test(path.basename(file)) || /node_modules/.test(file))).toEqual([]);
  });

  test('list loads the store, and no prompts, clipboard, table or bcrypt for JSON', async () => {
    const place = new Place();
    await makeKey(place, 'a');
    watched(place);
    await place.run(['list', '--json']);
    const seen = readFileSync(place.file('seen'), 'utf8');
    expect(seen).toMatch(/better_sqlite3\.node/);
    expect(seen).not.toMatch(/prompts\.cjs|table\.cjs|bcrypt\.cjs|clipboard-helper/);
  });
});

describe('the package, as it is installed elsewhere', () => {
  /** A copy of the built package, with only some of what is installed here. */
  function installed(place: Place, options: { without?: string } = {}): string {
    const home = place.file('package');
    for (const part of ['bin', 'dist', 'drizzle', 'package.json'])
      cpSync(path.join(root, part), path.join(home, part), { recursive: true });
    const modules = path.join(home, 'node_modules');
    mkdirSync(modules);
    for (const name of readdirSync(path.join(root, 'node_modules')))
      if (name !== options.without && !name.startsWith('.'))
        symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name));
    place.node = [path.join(home, 'bin/unlockos-keys.js')];
    return home;
  }

  test('without better-sqlite3 the same file is opened with libsql, and back', async () => {
    const place = new Place();
    const keyString = await makeKey(place, 'a');
    const usual = place.node;
    installed(place, { without: 'better-sqlite3' });
    expect((await place.run(['doctor'])).stdout).toContain('(libsql)');
    expect((await place.run(['verify', '--stdin'], { input: `${keyString}\n` })).stdout).toMatch(/^valid/);
    await makeKey(place, 'b');
    place.node = usual;
    expect((await place.run(['doctor'])).stdout).toContain('(better-sqlite3)');
    expect((await listKeys(place)).map(({ name }) => name)).toEqual(['b', 'a']);
    expect((await place.run(['audit', 'verify'])).exitCode).toBe(0);
  });

  test.each<[string, (file: string) => void]>([
    ['missing', (file) => rmSync(file)],
    ['cut short', (file) => writeFileSync(file, readFileSync(file).subarray(0, 1000))],
    ['not of this V8', (file) => writeFileSync(file, Buffer.alloc(statSync(file).size, 7))],
  ])("where V8's compiled form is %s, the tool runs all the same", async (_, spoil) => {
    const place = new Place();
    const bundle = path.join(installed(place), 'dist/bundle');
    const compiled = readdirSync(bundle).filter((name) => name.endsWith('.v8'));
    expect(compiled.length).toBeGreaterThan(4);
    expect(compiled.every((name) => name.includes(`.${process.version}-`))).toBe(true); // V8 itself would take another Node's, and crash
    for (const name of compiled) spoil(path.join(bundle, name));
    await makeKey(place, 'a');
    expect(await listKeys(place)).toMatchObject([{ name: 'a' }]);
  });

  test('nothing but the answer is printed: no warning of Node, no path of ours', async () => {
    const place = new Place();
    await makeKey(place, 'a');
    const listed = await place.run(['list']);
    expect(listed.stderr).toBe('');
    const failed = await place.run(['list', '--store', '/nonexistent/x.db']);
    expect(failed.stderr).not.toMatch(/\.c?js|node_modules|^ +at /m);
  });
});
