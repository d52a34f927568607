import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-string.js';
import { Finder, type Hit, scanStaged } from '../../src/scan/index.js';
import { type TestCli, testCli } from '../support/test-cli.js';

interface Finding {
  file: string;
  line: number;
  column: number;
  commit: string | null;
  id: string;
  checksum: string;
  name: string | null;
  status: string | null;
  disabled: boolean | null;
}

/** A place to search, beside the store and not around it. */
function scene(): { cli: TestCli; write: (file: string, text: string | Buffer) => string; dir: string } {
  const cli = testCli();
  const dir = path.join(cli.dir, 'work');
  mkdirSync(dir);
  const write = (file: string, text: string | Buffer) => {
    const at = path.join(dir, file);
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, text);
    return at;
  };
  return { cli, write, dir };
}

async function scan(cli: TestCli, ...argv: string[]): Promise<{ exitCode: number; found: Finding[]; stderr: string }> {
  const { exitCode, stdout, stderr } = await cli.run('scan', ...argv, '--json');
  return { exitCode, found: stdout === '' ? [] : JSON.parse(stdout), stderr };
}

function git(dir: string, ...args: string[]): void {
  const settings = [
    '-c',
    'user.name=x',
    '-c',
    'user.email=x@example.org',
    '-c',
    'commit.gpgsign=false',
    '-c',
    'init.defaultBranch=main',
  ];
  const env = { PATH: process.env.PATH, HOME: dir, GIT_CONFIG_NOSYSTEM: '1' };
  execFileSync('git', [...settings, ...args], { cwd: dir, env, stdio: 'pipe' });
}

describe('scan of files', () => {
  test('says where a key string is and whose, never its secret, and ends with 7', async () => {
    const { cli, write, dir } = scene();
    const { keyString, id } = await cli.create('leaked');
    const unknown = mintKeyString('live');
    write('a/config.env', `# secrets\nKEY=${keyString}\n`);
    write('b.txt', `x ${unknown.keyString}`);
    write('clean.txt', 'nothing here: unlk_live_example');
    const { exitCode, found } = await scan(cli, dir);
    expect(exitCode).toBe(7);
    expect(found).toMatchObject([
      {
        file: 'work/a/config.env',
        line: 2,
        column: 5,
        commit: null,
        id,
        checksum: 'good',
        name: 'leaked',
        status: 'active',
        disabled: null,
      },
      { file: 'work/b.txt', line: 1, column: 3, id: unknown.id, name: null, status: null },
    ]);
    for (const format of ['table', 'json', 'jsonl', 'csv', 'tsv', 'value']) {
      const { stdout, stderr } = await cli.run('scan', dir, '-o', format, '--debug');
      expect(stdout).toContain(id);
      for (const each of [keyString, unknown.keyString]) expect(stdout + stderr).not.toContain(each.slice(23));
    }
  });

  test('finds nothing where there is nothing, and ends with 0', async () => {
    const { cli, write, dir } = scene();
    write('a.txt', 'nothing');
    expect(await scan(cli, dir)).toMatchObject({ exitCode: 0, found: [] });
    const { stderr } = await cli.run('scan', dir);
    expect(stderr).toMatch(/Read 1 files; passed over 0 binary ones[\s\S]*No key string was found/);
  });

  test('honours .gitignore, nested and negated, unless told not to; what is named is read', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    mkdirSync(path.join(dir, '.git/info'), { recursive: true });
    write('.git/info/exclude', 'excluded\n');
    write('.git/config', keyString);
    write('.gitignore', '*.log\n/build/\n!keep.log\n');
    write('sub/.gitignore', 'own.txt\n!b.log\n');
    for (const file of [
      'a.log',
      'keep.log',
      'build/x',
      'sub/b.log',
      'sub/own.txt',
      'sub/c.log',
      'excluded',
      'seen.txt',
    ])
      write(file, keyString);
    const files = async (...argv: string[]) =>
      (await scan(cli, ...argv)).found.map(({ file }) => file.replace(/^work\//, ''));
    expect(await files(dir)).toEqual(['keep.log', 'seen.txt', 'sub/b.log']);
    expect(await files(path.join(dir, 'sub'))).toEqual(['sub/b.log']);
    expect(await files(path.join(dir, 'a.log'))).toEqual(['a.log']);
    expect(await files(dir, '--no-ignore')).toEqual([
      'a.log',
      'build/x',
      'excluded',
      'keep.log',
      'seen.txt',
      'sub/b.log',
      'sub/c.log',
      'sub/own.txt',
    ]);
  });

  test('heeds the case of a pattern, no rules of a link or a pipe, and none of another repository', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    const files = async (...argv: string[]) =>
      (await scan(cli, ...argv)).found.map(({ file }) => file.replace(/^work\//, ''));
    mkdirSync(path.join(dir, '.git'));
    write('.gitignore', 'build\n*.log\n[z-a]\n[\n\\\n');
    for (const file of ['Build', 'build', 'inner/a.log', 'linked/x', 'piped/y']) write(file, keyString);
    mkdirSync(path.join(dir, 'inner/.git'));
    symlinkSync(write('../rules', 'x\n'), path.join(dir, 'linked/.gitignore'));
    execFileSync('mkfifo', [path.join(dir, 'piped/.gitignore')]);
    expect(await files(dir)).toEqual(['Build', 'inner/a.log', 'linked/x', 'piped/y']);
  });

  test('reads a directory that is named, if it is ignored or a link; its own rules hold', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    mkdirSync(path.join(dir, '.git'));
    write('.gitignore', 'dist/\n');
    write('dist/.gitignore', 'own\n');
    write('dist/own', keyString);
    write('dist/deep/bundle.js', keyString);
    symlinkSync('dist', path.join(dir, 'link'));
    const files = async (name: string) => (await scan(cli, path.join(dir, name))).found.map(({ file }) => file);
    expect(await files('.')).toEqual([]);
    expect(await files('dist')).toEqual(['work/dist/deep/bundle.js']);
    expect(await files('link')).toEqual(['work/link/deep/bundle.js']);
  });

  test('tells of each place once, however often it is named', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    const file = write('a', `${keyString} ${keyString}`);
    expect((await scan(cli, dir, file, dir)).found.map(({ column }) => column)).toEqual([1, 63]);
  });

  test('reads files whose names are no UTF-8', async () => {
    const { cli, dir } = scene();
    const { keyString } = await cli.create('k');
    const odd = Buffer.concat([Buffer.from(`${dir}/caf`), Buffer.from([0xe9])]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from([0x2f, 0xff])]), keyString);
    expect(await scan(cli, dir)).toMatchObject({ exitCode: 7, stderr: '', found: [{ line: 1 }] });
  });

  test('masks a key string that stands in the name of a file, and disables the key all the same', async () => {
    const { cli, write, dir } = scene();
    const { keyString, id } = await cli.create('k');
    write(`${keyString}.d/${keyString}.txt`, keyString);
    const missing = path.join(dir, `${keyString}.gone`);
    for (const format of ['table', 'json', 'jsonl', 'csv', 'tsv', 'yaml', 'value']) {
      const { exitCode, stdout, stderr } = await cli.run('scan', dir, missing, '-o', format, '--fields', 'file,id');
      expect(exitCode).toBe(7);
      expect(stdout).toContain(id);
      expect(stdout + stderr, format).not.toContain(keyString.slice(23, 31));
    }
    expect((await scan(cli, dir, '--disable')).found).toMatchObject([{ status: 'inactive', disabled: true }]);
    const { stdout } = await cli.run('audit', 'list', '--json');
    expect(stdout).toContain('found by scan: work/unlk_');
    expect(stdout).not.toContain(keyString.slice(23, 31));
  });

  test('passes over binaries, links, pipes and what is in .git; reads UTF-16', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    write('binary', Buffer.concat([Buffer.from([1, 0, 2]), Buffer.from(keyString)]));
    write('utf16le', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`x\n${keyString}`, 'utf16le')]));
    write('utf16be', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(keyString, 'utf16le').swap16()]));
    write('.git/x', keyString);
    symlinkSync(write('../outside', keyString), path.join(dir, 'link'));
    symlinkSync('.', path.join(dir, 'loop'));
    execFileSync('mkfifo', [path.join(dir, 'pipe')]);
    const { exitCode, found } = await scan(cli, dir);
    expect(exitCode).toBe(7);
    expect(found.map(({ file, line }) => [file, line])).toEqual([
      ['work/utf16be', 1],
      ['work/utf16le', 2],
    ]);
    expect((await scan(cli, path.join(dir, 'link'))).found).toHaveLength(1);
    expect((await scan(cli, path.join(dir, 'pipe'))).exitCode).toBe(9);
  });

  test('finds a key string wherever the pieces of a large file are cut', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    const text = Buffer.alloc(3 * 1_048_576, 'x\n');
    for (const at of [1_048_576 - 30, 2 * 1_048_576 - 61, 2 * 1_048_576 + 61 * 3, text.length - 61])
      text.write(`${at === text.length - 61 ? '' : ''}${keyString}`, at);
    for (const at of [1_048_576 - 31, 2 * 1_048_576 - 62, 2 * 1_048_576 + 61 * 3 - 1, text.length - 62]) text[at] = 10;
    for (const at of [1_048_576 + 31, 2 * 1_048_576, 2 * 1_048_576 + 61 * 4]) text[at] = 10;
    write('large', text);
    expect((await scan(cli, dir)).found).toHaveLength(4);
  });

  test('tells what cannot be read, and ends with 9 when nothing else was found', async () => {
    const { cli, write, dir } = scene();
    const missing = await scan(cli, dir, path.join(dir, 'none'));
    expect(missing).toMatchObject({ exitCode: 9, stderr: expect.stringMatching(/none \(ENOENT\)/) });
    write('k', (await cli.create('k')).keyString);
    expect((await scan(cli, dir, path.join(dir, 'none'))).exitCode).toBe(7);
  });

  test('shows names as they are safe to show', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    write('a\u001b]0;x\u0007\nb\u202e.txt', keyString);
    const { stdout, stderr } = await cli.run('scan', dir);
    expect(stdout + stderr).not.toMatch(/\u001b|\u0007|\u202e/);
  });

  test('a wrong checksum counts for nothing, and is shown when asked for', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    write('a', `${keyString.slice(0, -1)}${keyString.endsWith('a') ? 'b' : 'a'}`);
    expect(await scan(cli, dir)).toMatchObject({ exitCode: 0, found: [] });
    expect(await scan(cli, dir, '--all')).toMatchObject({ exitCode: 0, found: [{ checksum: 'bad' }] });
  });

  test('works without a store', async () => {
    const { cli, write, dir } = scene();
    const { keyString } = await cli.create('k');
    write('a', keyString);
    expect((await scan(cli, dir, '--offline')).found).toMatchObject([{ name: null }]);
    cli.env = {};
    expect((await scan(cli, dir)).found).toMatchObject([{ name: null }]);
    cli.env = { UNLOCKOS_KEYS_STORE: path.join(cli.dir, 'no.db') };
    expect((await scan(cli, dir)).found).toMatchObject([{ name: null }]);
    expect((await scan(cli, dir, '--disable')).exitCode).toBe(8);
  });

  test('tells what it found when the store fails, whenever that is', async () => {
    const { cli, write, dir } = scene();
    write('a', mintKeyString('live').keyString);
    cli.env = { UNLOCKOS_KEYS_STORE: 'http://127.0.0.1:9' };
    const { exitCode, stdout, stderr } = await cli.run('scan', dir);
    expect({ exitCode, stdout, stderr }).toMatchObject({
      exitCode: 7,
      stdout: expect.stringContaining('work/a:1:1'),
      stderr: expect.stringMatching(/Not looked up/),
    });
    expect(await scan(cli, dir, '--disable')).toMatchObject({
      exitCode: 8,
      found: [{ file: 'work/a', disabled: false }],
      stderr: expect.stringMatching(/store_unavailable/),
    });
  });

  test('reads stdin', async () => {
    const { cli } = scene();
    const { keyString, id } = await cli.create('k');
    cli.stdin = `one\ntwo ${keyString}`;
    expect((await scan(cli, '--stdin')).found).toMatchObject([{ file: '-', line: 2, column: 5, id, name: 'k' }]);
  });
});

describe('scan --disable', () => {
  test('disables the keys whose secret is genuine, says why in the log, and ends with 7 still', async () => {
    const { cli, write, dir } = scene();
    const [leaked, bystander, off] = [
      await cli.create('leaked', '--live'),
      await cli.create('bystander'),
      await cli.create('off'),
    ];
    await cli.run('disable', 'off');
    const forged = mintKeyString('test');
    write('a', `${leaked.keyString}\n${leaked.keyString}\n${off.keyString}\n${forged.keyString}`);
    const { exitCode, found } = await scan(cli, dir, '--disable');
    expect(exitCode).toBe(7);
    expect(found.map(({ name, status, disabled }) => [name, status, disabled])).toEqual([
      ['leaked', 'inactive', true],
      ['leaked', 'inactive', true],
      ['off', 'inactive', true],
      [null, null, false],
    ]);
    expect((await cli.json('show', bystander.id)).status).toBe('active');
    const [event] = await cli.json('audit', 'list', '--key', leaked.id, '--action', 'key.disable');
    expect(event.reason).toBe('found by scan: work/a:1');
    expect(await cli.json('audit', 'list', '--action', 'key.disable')).toHaveLength(2);
  });

  test("leaves a key alone whose id was written into somebody else's key string", async () => {
    const { cli, write, dir } = scene();
    const { keyString, id } = await cli.create('victim');
    const { checksum } = await import('../../src/domain/key-string.js');
    const body = `${keyString.slice(0, 23)}${mintKeyString('test').secret}`;
    write('a', body + checksum(body));
    const { exitCode, found } = await scan(cli, dir, '--disable');
    expect({ exitCode, found }).toMatchObject({
      exitCode: 7,
      found: [{ id, name: 'victim', status: 'active', disabled: false }],
    });
  });

  test('disables what it can, and ends with 9, where the pepper of one key is missing', async () => {
    const { cli, write, dir } = scene();
    await cli.run('store', 'pepper', 'peppers');
    const bcrypt = await cli.create('bcrypt');
    const before = cli.env;
    cli.env = { ...before, UNLOCKOS_KEYS_PEPPER_FILE: path.join(cli.dir, 'peppers') };
    await cli.run('store', 'hash', 'hmac-sha256');
    const peppered = await cli.create('peppered');
    cli.env = before;
    write('a', `${peppered.keyString}\n${bcrypt.keyString}`);
    const { exitCode, found, stderr } = await scan(cli, dir, '--disable');
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 9,
      stderr: expect.stringMatching(/peppered.*not be disabled/),
    });
    expect(found.map(({ name, status, disabled }) => [name, status, disabled])).toEqual([
      ['peppered', 'active', false],
      ['bcrypt', 'inactive', true],
    ]);
  });

  test('says in the log where, by the end of a long path, in whole characters', async () => {
    const { cli, write, dir } = scene();
    const { keyString, id } = await cli.create('k');
    write(
      `${'\u{1f511}'.repeat(60)}/${'\u{1f511}'.repeat(60)}/${'\u{1f511}'.repeat(60)}/x${'\u{1f511}'.repeat(60)}`,
      keyString,
    );
    write(`long/${'y'.repeat(250)}/${'z'.repeat(250)}/\u{1f468}\u200d\u{1f469}`, keyString);
    expect((await scan(cli, dir, '--disable')).found).toMatchObject([{ disabled: true }, { disabled: true }]);
    const [event] = await cli.json('audit', 'list', '--key', id, '--action', 'key.disable');
    expect(event.reason).toMatch(/:1$/);
  });

  test('dry, and in a protected profile without the name, disables nothing', async () => {
    const { cli, write, dir } = scene();
    write('a', (await cli.create('k')).keyString);
    expect((await cli.run('scan', dir, '--disable', '-n')).stderr).toMatch(/Dry run: would disable k/);
    cli.env = { UNLOCKOS_KEYS_CONFIG_DIR: cli.dir };
    await cli.run('profile', 'add', 'p', '--store', cli.store, '--protected', '--use');
    expect(await scan(cli, dir, '--disable')).toMatchObject({
      exitCode: 6,
      found: [{ name: 'k', status: 'active', disabled: false }],
    });
    expect((await cli.json('show', 'k')).status).toBe('active');
    expect((await scan(cli, dir, '--disable', '--confirm', 'k')).exitCode).toBe(7);
    expect((await cli.json('show', 'k')).status).toBe('inactive');
  });
});

describe('scan of a git repository', () => {
  async function repository() {
    const { cli, write, dir } = scene();
    git(dir, 'init', '-q');
    const { keyString, id } = await cli.create('k');
    const work = (...argv: string[]) => {
      const before = cli.dir;
      Object.assign(cli, { dir });
      return scan(cli, ...argv).finally(() => Object.assign(cli, { dir: before }));
    };
    const commit = (message: string) => {
      git(dir, 'add', '-A');
      git(dir, 'commit', '-qm', message);
    };
    return { cli, write, dir, keyString, id, work, commit };
  }

  test('finds what any commit ever added, on any branch, with its commit, file and line', async () => {
    const { write, dir, keyString, id, work, commit } = await repository();
    write('a.env', `one\ntwo\nKEY=${keyString}\n`);
    commit('first');
    write('a.env', 'one\ntwo\n');
    commit('gone');
    git(dir, 'checkout', '-qb', 'side');
    write('dir with "quotes"\t\u00e9/b\\c', `${keyString}`);
    commit('side');
    git(dir, 'checkout', '-q', 'main');
    write('c', 'c');
    commit('main goes on');
    git(dir, 'merge', '-q', '--no-edit', 'side');
    const { exitCode, found } = await work('--git-history');
    expect(exitCode).toBe(7);
    expect(found.map(({ file, line, column, id: found, name }) => [file, line, column, found, name])).toEqual([
      ['dir with "quotes"\t\u00e9/b\\c', 1, 1, id, 'k'],
      ['a.env', 3, 5, id, 'k'],
    ]);
    expect(found.every(({ commit: each }) => /^[0-9a-f]{40}$/.test(each ?? ''))).toBe(true);
  });

  test('finds what a merge itself added', async () => {
    const { write, dir, keyString, work, commit } = await repository();
    write('f', 'base\n');
    commit('base');
    git(dir, 'checkout', '-qb', 'side');
    write('f', 'side\n');
    commit('side');
    git(dir, 'checkout', '-q', 'main');
    write('f', 'main\n');
    commit('main');
    expect(() => git(dir, 'merge', '-q', 'side')).toThrow();
    write('f', `first\n${keyString}\n`);
    commit('an evil merge');
    expect((await work('--git-history')).found).toMatchObject([{ file: 'f', line: 2, column: 1 }]);
  });

  test('of what is staged, and nothing else', async () => {
    const { cli, write, dir, keyString, work, commit } = await repository();
    write('old', keyString);
    commit('old');
    expect((await work('--staged')).exitCode).toBe(0);
    write('new', `x\n--- y\n+++ b/z\n@@ -1 +1 @@\n${keyString}\n`);
    expect((await work('--staged')).exitCode).toBe(0);
    git(dir, 'add', 'new');
    const { exitCode, found } = await work('--staged', '--offline');
    expect({ exitCode, found }).toMatchObject({ exitCode: 7, found: [{ file: 'new', line: 5, commit: null }] });
    expect(readFileSync(path.join(dir, 'new'), 'utf8')).toContain(keyString);
    expect((await cli.json('show', 'k')).status).toBe('active');
  });

  test('runs no program that the repository names', async () => {
    const { write, dir, keyString, work, commit } = await repository();
    const trap = write('../trap', `#!/bin/sh\ntouch '${dir}/../sprung'\ncat "$@"\n`);
    chmodSync(trap, 0o755);
    for (const setting of ['diff.external', 'diff.x.textconv', 'core.fsmonitor', 'core.pager'])
      git(dir, 'config', setting, trap);
    write('.gitattributes', '* diff=x\n');
    write('a', keyString);
    commit('one');
    execFileSync('rm', ['-f', path.join(dir, '../sprung')]);
    expect((await work('--git-history')).found).toHaveLength(1);
    expect(() => readFileSync(path.join(dir, '../sprung'))).toThrow();
  });

  test.each(['--git-history', '--staged'])('%s says when there is none', async (flag) => {
    const { cli } = scene();
    expect(await scan(cli, flag)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/git cannot tell: fatal: not a git repository/),
    });
  });

  test('reads what attributes call no text, and UTF-16', async () => {
    const { write, dir, keyString, work, commit } = await repository();
    write('.gitattributes', '*.js -diff\n*.map binary\n');
    write('a.js', keyString);
    write('b.map', keyString);
    for (const [name, bytes] of [
      ['le', Buffer.from(`\ufeffx\r\nK=${keyString}\r\n`, 'utf16le')],
      ['be', Buffer.from(`\ufeffx\nK=${keyString}`, 'utf16le').swap16()],
    ] as const)
      write(name, bytes);
    git(dir, 'add', '-A');
    const expected = [
      ['a.js', 1],
      ['b.map', 1],
      ['be', 2],
      ['le', 2],
    ];
    expect((await work('--staged')).found.map(({ file, line }) => [file, line])).toEqual(expected);
    commit('one');
    expect((await work('--git-history')).found.map(({ file, line }) => [file, line])).toEqual(expected);
  });

  test('no setting hides a part: relative, an order file, a replaced commit', async () => {
    const { cli, write, dir, keyString, commit } = await repository();
    write('a', keyString);
    commit('bad');
    const bad = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: dir }).toString().trim();
    git(dir, 'checkout', '-q', '--orphan', 'clean');
    write('a', 'clean');
    write('sub/x', 'x');
    commit('good');
    git(dir, 'replace', bad, 'HEAD');
    git(dir, 'config', 'diff.relative', 'true');
    git(dir, 'config', 'diff.orderFile', 'none');
    Object.assign(cli, { dir: path.join(dir, 'sub') });
    const { exitCode, found } = await scan(cli, '--git-history');
    Object.assign(cli, { dir: path.dirname(dir) });
    expect({ exitCode, found }).toMatchObject({ exitCode: 7, found: [{ file: 'a', commit: bad }] });
  });

  test('finds in lines of any length, and once', async () => {
    const { write, dir, keyString, work } = await repository();
    const filler = (length: number) => 'min.'.repeat(length / 4);
    write('bundle.js', `short\n${filler(200_000)} ${keyString} ${filler(65_536)}\n${filler(70_000)}\n"${keyString}"\n`);
    git(dir, 'add', '-A');
    expect((await work('--staged')).found.map(({ line, column }) => [line, column])).toEqual([
      [2, 200_002],
      [4, 2],
    ]);
  });

  test('reads the same in a diff as in the file', async () => {
    const { dir } = await repository();
    const key = mintKeyString('test').keyString;
    const part = fc.constantFrom(
      key,
      `${key}x`,
      '\n',
      '\r\n',
      ' ',
      '+',
      '-',
      '\\',
      '@@ -1 +1 @@\n',
      '+++ b/x\n',
      '\u00e9',
      'a\0',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 12 }), async (parts) => {
        const bytes = Buffer.from(parts.join(''));
        writeFileSync(path.join(dir, 'f'), bytes);
        git(dir, 'add', 'f');
        const finder = new Finder();
        const inFile = [...finder.feed(bytes), ...finder.end()];
        const inDiff: Hit[] = [];
        for await (const each of scanStaged(dir)) if (each.kind === 'hit') inDiff.push(each.hit);
        expect(inDiff).toEqual(inFile);
      }),
      { numRuns: 40 },
    );
  });

  test('masks a key string that stands in the name of a file', async () => {
    const { write, dir, keyString, id, work } = await repository();
    write(keyString, keyString);
    git(dir, 'add', '-A');
    const { found } = await work('--staged');
    expect(found).toMatchObject([{ id }]);
    expect(JSON.stringify(found)).not.toContain(keyString.slice(23, 31));
  });

  test('says that the history of a shallow clone is not whole, and ends with 9', async () => {
    const { cli, write, dir, keyString, commit } = await repository();
    write('a', keyString);
    commit('leaked');
    write('a', 'gone');
    commit('gone');
    git(cli.dir, 'clone', '-q', '--depth', '1', `file://${dir}`, 'clone');
    const before = cli.dir;
    Object.assign(cli, { dir: path.join(before, 'clone') });
    const answer = await scan(cli, '--git-history');
    Object.assign(cli, { dir: before });
    expect(answer).toMatchObject({ exitCode: 9, found: [], stderr: expect.stringMatching(/shallow: git fetch/) });
  });

  test('tells what it found before the repository turned out to be damaged', async () => {
    const { write, dir, keyString, work, commit } = await repository();
    write('a', 'one\n');
    commit('one');
    const blob = execFileSync('git', ['rev-parse', 'HEAD:a'], { cwd: dir }).toString().trim();
    write('a', 'two\n');
    commit('two');
    write('b', keyString);
    commit('three');
    execFileSync('rm', ['-f', path.join(dir, '.git/objects', blob.slice(0, 2), blob.slice(2))]);
    expect(await work('--git-history')).toMatchObject({
      exitCode: 7,
      found: [{ file: 'b' }],
      stderr: expect.stringMatching(/could not read the rest of the repository \(fatal: /),
    });
  });
});

describe('scan refuses', () => {
  test.each([
    [['--stdin', '--staged'], /do not go together/],
    [['a', '--git-history'], /do not go together/],
    [['--disable', '--offline'], /needs a store/],
    [['--rules', 'grep'], /one of: gitleaks, trufflehog, secretlint, github, pre-commit/],
    [['--rules', 'constructor'], /one of/],
    [[''], /path is empty/],
  ])('%j', async (argv, says) => {
    const { exitCode, stdout, stderr } = await testCli().run('scan', ...argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(says);
  });

  test.each([
    'gitleaks',
    'trufflehog',
    'secretlint',
    'github',
    'pre-commit',
  ])('not to print a rule for %s', async (tool) => {
    const { exitCode, stdout } = await testCli().run('scan', '--rules', tool);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(tool === 'pre-commit' ? 'scan --staged' : 'unlk_');
  });
});
