import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';
import { git, scan, scene, zipOf } from '../support/scan-scenes.js';
import { testCli } from '../support/test-cli.js';

test('prints where a key string is and which key it belongs to, never its secret; exit 7', async () => {
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

test('exit 0 when there is nothing to find', async () => {
  const { cli, write, dir } = scene();
  write('a.txt', 'nothing');
  expect(await scan(cli, dir)).toMatchObject({ exitCode: 0, found: [] });
  const { stderr } = await cli.run('scan', dir);
  expect(stderr).toMatch(/Scanned 1 file\n[\s\S]*No key strings were found/);
});

test('follows .gitignore, nested and negated, unless --no-ignore; always reads a path that is named', async () => {
  const { cli, write, dir } = scene();
  const { keyString } = await cli.create('k');
  git(dir, 'init', '-q');
  write('.git/info/exclude', 'excluded\n');
  write('.git/x', keyString);
  write('.gitignore', '*.log\n/build/\n!keep.log\n');
  write('sub/.gitignore', 'own.txt\n!b.log\n');
  for (const file of ['a.log', 'keep.log', 'build/x', 'sub/b.log', 'sub/own.txt', 'sub/c.log', 'excluded', 'seen.txt'])
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

test('patterns are case-sensitive; a link, a pipe and an outer repository exclude nothing', async () => {
  const { cli, write, dir } = scene();
  const { keyString } = await cli.create('k');
  const files = async (...argv: string[]) =>
    (await scan(cli, ...argv)).found.map(({ file }) => file.replace(/^work\//, ''));
  git(dir, 'init', '-q');
  write('.gitignore', 'build\n*.log\n[z-a]\n[\n\\\n');
  for (const file of ['Build', 'build', 'inner/a.log', 'linked/x', 'piped/y']) write(file, keyString);
  git(path.join(dir, 'inner'), 'init', '-q');
  symlinkSync(write('../rules', 'x\n'), path.join(dir, 'linked/.gitignore'));
  execFileSync('mkfifo', [path.join(dir, 'piped/.gitignore')]);
  expect(await files(dir)).toEqual(['Build', 'inner/a.log', 'linked/x', 'piped/y']);
});

test('malformed patterns exclude nothing', async () => {
  const { cli, write, dir } = scene();
  write('.gitignore', '[z-a]\n[\n\\\n!\n[[:alpha:]\n**\\\n***x\n');
  write('k', mintKeyString('live').keyString);
  expect(await scan(cli, dir)).toMatchObject({ exitCode: 7, stderr: '', found: [{ file: 'work/k' }] });
});

test('reads a named directory even if it is ignored or a link, and follows its own rules', async () => {
  const { cli, write, dir } = scene();
  const { keyString } = await cli.create('k');
  git(dir, 'init', '-q');
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

test('reports each key string once, however often its file is named', async () => {
  const { cli, write, dir } = scene();
  const { keyString } = await cli.create('k');
  const file = write('a', `${keyString} ${keyString}`);
  expect((await scan(cli, dir, file, dir)).found.map(({ column }) => column)).toEqual([1, 63]);
});

test('reads files whose names are not UTF-8', async () => {
  const { cli, dir } = scene();
  const { keyString } = await cli.create('k');
  const odd = Buffer.concat([Buffer.from(`${dir}/caf`), Buffer.from([0xe9])]);
  mkdirSync(odd);
  writeFileSync(Buffer.concat([odd, Buffer.from([0x2f, 0xff])]), keyString);
  expect(await scan(cli, dir)).toMatchObject({ exitCode: 7, stderr: '', found: [{ line: 1 }] });
});

test('masks a key string in the name of a file, and still disables the key', async () => {
  const { cli, write, dir } = scene();
  const { keyString, id } = await cli.create('k');
  write(`${keyString}.d/${keyString}.txt`, keyString);
  const missing = path.join(dir, `${keyString}.gone`);
  for (const format of ['table', 'json', 'jsonl', 'csv', 'tsv', 'yaml', 'value']) {
    for (const more of [['--debug'], ['--fields', 'file,id']]) {
      const { exitCode, stdout, stderr } = await cli.run('scan', dir, missing, '-o', format, ...more);
      expect(exitCode).toBe(7);
      expect(stdout).toContain(id);
      expect(stdout + stderr, format).not.toContain(keyString.slice(23, 31));
    }
  }
  const { found } = await scan(cli, dir, '--disable');
  expect(found.map(({ line }) => line)).toEqual([0, 0, 1]);
  for (const each of found) expect(each).toMatchObject({ status: 'inactive', disabled: true });
  const { stdout } = await cli.run('audit', 'list', '--json');
  expect(stdout).toContain('found by scan: work/unlk_');
  expect(stdout).not.toContain(keyString.slice(23, 31));
});

test('reads binary files and UTF-16; passes over links, pipes and .git, and counts them', async () => {
  const { cli, write, dir } = scene();
  git(dir, 'init', '-q');
  const { keyString } = await cli.create('k');
  write('binary', Buffer.concat([Buffer.from([1, 0, 2]), Buffer.from(keyString)]));
  write('utf16le', Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`x\n${keyString}`, 'utf16le')]));
  write('utf16be', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(keyString, 'utf16le').swap16()]));
  write('utf16 without a mark', Buffer.from(`x\n${keyString}`, 'utf16le'));
  write('.git/x', keyString);
  write('.gitignore', 'left out\n');
  write('left out/a', keyString);
  symlinkSync(write('../outside', keyString), path.join(dir, 'link'));
  symlinkSync('.', path.join(dir, 'loop'));
  symlinkSync(keyString, path.join(dir, 'tells'));
  execFileSync('mkfifo', [path.join(dir, 'pipe')]);
  const { exitCode, found } = await scan(cli, dir);
  expect(exitCode).toBe(7);
  expect(found.map(({ file, line }) => [file, line])).toEqual([
    ['work/binary', 1],
    ['work/tells', 1],
    ['work/utf16 without a mark', 2],
    ['work/utf16be', 1],
    ['work/utf16le', 2],
  ]);
  expect((await cli.run('scan', dir, path.join(dir, 'none'))).stderr).toContain(
    'Scanned 5 files; skipped: 1 ignored by git, 3 links, 1 pipe or device, 1 unreadable\n',
  );
  expect((await scan(cli, path.join(dir, 'link'))).found).toHaveLength(1);
  expect((await scan(cli, path.join(dir, 'pipe'))).exitCode).toBe(9);
});

test('reads what is tracked though it is ignored, and without a repository everything', async () => {
  const { cli, write, dir } = scene();
  const { keyString } = await cli.create('k');
  write('.gitignore', '*.env\nlogs/\n');
  for (const file of ['kept.env', 'new.env', 'logs/kept/a', 'logs/new', 'sub/kept.env']) write(file, keyString);
  const files = async (...argv: string[]) =>
    (await scan(cli, ...argv)).found.map(({ file }) => file.replace(/^work\//, ''));
  const all = ['kept.env', 'logs/kept/a', 'logs/new', 'new.env', 'sub/kept.env'];
  expect(await files(dir)).toEqual(all);
  mkdirSync(path.join(dir, '.git'));
  expect(await files(dir), 'a directory that is called .git').toEqual(all);
  git(dir, 'init', '-q');
  git(dir, 'add', '-f', 'kept.env', 'logs/kept/a', 'sub/kept.env');
  git(dir, 'config', 'core.worktree', '/');
  expect(await files(dir)).toEqual(['kept.env', 'logs/kept/a', 'sub/kept.env']);
  expect(await files(path.join(dir, 'sub'))).toEqual(['sub/kept.env']);
  expect(await files(path.join(dir, 'logs')), 'named').toEqual(['logs/kept/a', 'logs/new']);
});

test('reads archives, and archives in them, within bounds', async () => {
  const { cli, write, dir } = scene();
  const { keyString } = await cli.create('k');
  const at = (name: string) => path.join(dir, name);
  const shell = (command: string) => execFileSync('bash', ['-c', command], { cwd: dir });
  write('in/a.txt', `${'x'.repeat(100)}\n${keyString}\n`);
  write('b.gz', gzipSync(readFileSync(at('in/a.txt'))));
  shell('tar czf c.tgz in; cp c.tgz in/d.tgz; tar cf e.tar in');
  write(
    'f.zip',
    zipOf([
      ['deep/c.tgz', readFileSync(at('c.tgz'))],
      ['a', readFileSync(at('in/a.txt'))],
    ]),
  );
  shell('rm -r in');
  const { exitCode, found } = await scan(cli, dir);
  expect(exitCode).toBe(7);
  expect(found.map(({ file }) => file.replace(/^work\//, ''))).toEqual([
    'b.gz!unpacked',
    'c.tgz!unpacked',
    'e.tar',
    'e.tar!in/d.tgz!unpacked',
    'f.zip!deep/c.tgz!unpacked',
    'f.zip!a',
  ]);
  const zip = readFileSync(at('f.zip'));
  const ends = Buffer.concat([zip, Buffer.from('PK\x05\x06'), Buffer.alloc(18)]);
  write('program.pyz', Buffer.concat([Buffer.from('#!/usr/bin/env python3\n'), ends]));
  write('installer', Buffer.concat([Buffer.alloc(3 << 20, 'MZ'), ends]));
  for (const name of ['program.pyz', 'installer'])
    expect((await scan(cli, at(name))).found).toMatchObject([
      { file: `work/${name}!deep/c.tgz!unpacked` },
      { file: `work/${name}!a` },
    ]);
  write('no zip', Buffer.concat([Buffer.from('a program that knows PK\x03\x04'), Buffer.alloc(99, 'x')]));
  expect((await scan(cli, at('no zip'))).exitCode).toBe(0);
  cli.stdin = readFileSync(at('b.gz')) as never;
  expect((await scan(cli, '--stdin')).found).toMatchObject([{ file: '-!unpacked', line: 2 }]);
  shell('rm *');
  write('bomb.gz', gzipSync(Buffer.alloc(40 << 20)));
  write('cut.gz', gzipSync(Buffer.from(mintKeyString('live').keyString.repeat(99))).subarray(0, -20));
  const said = await scan(cli, dir);
  expect(said.stderr).toMatch(/bomb.gz!unpacked \(too large when unpacked\)/);
  expect(said.stderr).toMatch(/cut.gz!unpacked \(damaged archive\)/);
  shell('rm cut.gz');
  expect((await scan(cli, dir)).exitCode).toBe(9);
});

test('says how many tracked files are not checked out, as in a sparse checkout', async () => {
  const { cli, write, dir } = scene();
  git(dir, 'init', '-q');
  const { keyString } = await cli.create('k');
  for (const file of ['in/a', 'out/b', 'out/é/c']) write(file, file === 'in/a' ? 'x' : keyString);
  git(dir, 'add', '.');
  git(dir, 'commit', '-qm', 'a');
  git(dir, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
  git(dir, 'sparse-checkout', 'set', 'in');
  const said = async (...argv: string[]) => (await cli.run('scan', ...argv)).stderr;
  const told = 'Scanned 1 file; skipped: 3 tracked files that are not checked out\n';
  expect(await said(dir)).toContain(told);
  expect(await said(dir, '--no-ignore')).toContain(told);
  expect(await said(path.join(dir, 'in'))).toContain('Scanned 1 file\n');
  git(dir, 'sparse-checkout', 'set', '--sparse-index', 'in', 'out/é');
  mkdirSync(path.join(dir, 'sub'));
  expect(await said(dir)).toContain('Scanned 3 files; skipped: 1 tracked file that is not checked out\n');
  write('sub/.git', 'gitdir: elsewhere\n');
  rmSync(path.join(dir, 'out/é/c'));
  expect(await said(path.join(dir, 'out/é'))).toContain(
    'Scanned 0 files; skipped: 1 tracked file that is not checked out\n',
  );
});

test('counts what it does not look into: archives of other kinds, pointers of Git LFS, bare repositories', async () => {
  const { cli, write, dir } = scene();
  git(dir, 'init', '-q', '--bare', 'b.git');
  rmSync(path.join(dir, 'b.git/hooks'), { recursive: true });
  write('l', `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12\n`);
  for (const [name, start] of [
    ['bz2', '425a68'],
    ['zst', '28b52ffd'],
    ['7z', '377abcaf271c'],
  ] as const)
    write(`a.${name}`, Buffer.from(`${start}00`, 'hex'));
  expect((await cli.run('scan', dir)).stderr).toContain(
    'Scanned 8 files; skipped: 3 archives of other kinds, 1 Git LFS file that is not here, 1 bare repository\n',
  );
});

test('a key string that was not looked up is not said to be of no store', async () => {
  const { cli, write, dir } = scene();
  write('a', mintKeyString('live').keyString);
  expect((await cli.run('scan', dir)).stdout).toContain('(not looked up)');
  await cli.create('k');
  expect((await cli.run('scan', dir)).stdout).toContain('(not in this store)');
  expect((await cli.run('scan', dir, '--offline')).stdout).toContain('(not looked up)');
});

test('finds key strings across the chunks of a large file', async () => {
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

test('reports what cannot be read; exit 9 if nothing was found', async () => {
  const { cli, write, dir } = scene();
  const missing = await scan(cli, dir, path.join(dir, 'none'));
  expect(missing).toMatchObject({ exitCode: 9, stderr: expect.stringMatching(/none \(ENOENT\)/) });
  write('k', (await cli.create('k')).keyString);
  expect((await scan(cli, dir, path.join(dir, 'none'))).exitCode).toBe(7);
});

test('prints no control characters of file names', async () => {
  const { cli, write, dir } = scene();
  const { keyString } = await cli.create('k');
  write('a\u001b]0;x\u0007\nb\u202e.txt', keyString);
  const { stdout, stderr } = await cli.run('scan', dir);
  expect(stdout + stderr).not.toMatch(/\u001b|\u0007|\u202e/);
});

test('reports a key string with a wrong checksum only with --all', async () => {
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

test('reports what it found when the store fails', async () => {
  const { cli, write, dir } = scene();
  write('a', mintKeyString('live').keyString);
  cli.env = { UNLOCKOS_KEYS_STORE: 'http://127.0.0.1:9' };
  const { exitCode, stdout, stderr } = await cli.run('scan', dir);
  expect({ exitCode, stdout, stderr }).toMatchObject({
    exitCode: 7,
    stdout: expect.stringContaining('work/a:1:1'),
    stderr: expect.stringMatching(/Not looked up/),
  });
  expect(await scan(cli, dir)).toMatchObject({ exitCode: 7, found: [{ file: 'work/a' }], stderr: '' });
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

test.each([
  [['--stdin', '--staged'], /do not go together/],
  [['a', '--git-history'], /do not go together/],
  [['--disable', '--offline'], /needs a store/],
  [['--rules', 'grep'], /one of: gitleaks, trufflehog, secretlint, github, pre-commit/],
  [['--rules', 'constructor'], /one of/],
  [[''], /PATH is empty/],
])('refuses %j', async (argv, says) => {
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
])('--rules prints a rule for %s', async (tool) => {
  const { exitCode, stdout } = await testCli().run('scan', '--rules', tool);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(tool === 'pre-commit' ? 'scan --staged' : 'unlk');
});
