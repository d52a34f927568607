import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { git, repository, scan, scene } from '../support/scan-scenes.js';

test('finds what any commit on any branch added, with commit, file and line', async () => {
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
  expect(found.map(({ file, line, column, id: found, name }) => [file, line, column, found, name]).sort()).toEqual([
    ['a.env', 3, 5, id, 'k'],
    ['dir with "quotes"\t\u00e9/b\\c', 1, 1, id, 'k'],
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

test('--staged searches what is staged, and nothing else', async () => {
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

test.each(['--git-history', '--staged'])('%s outside of a repository; exit 2', async (flag) => {
  const { cli } = scene();
  expect(await scan(cli, flag)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/cannot read the repository: fatal: not a git repository/),
  });
});

test('reads files that .gitattributes calls binary, and UTF-16', async () => {
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

test('diff.relative, diff.orderFile and replaced commits hide nothing', async () => {
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

test('finds a key string once, in lines of any length', async () => {
  const { write, dir, keyString, work } = await repository();
  const filler = (length: number) => 'min.'.repeat(length / 4);
  write('bundle.js', `short\n${filler(200_000)} ${keyString} ${filler(65_536)}\n${filler(70_000)}\n"${keyString}"\n`);
  git(dir, 'add', '-A');
  expect((await work('--staged')).found.map(({ line, column }) => [line, column])).toEqual([
    [2, 200_002],
    [4, 2],
  ]);
});

test('masks a key string in the name of a file', async () => {
  const { write, dir, keyString, id, work } = await repository();
  write(keyString, keyString);
  git(dir, 'add', '-A');
  const { found } = await work('--staged');
  expect(found).toMatchObject([
    { id, line: 1 },
    { id, line: 0 },
  ]);
  expect(JSON.stringify(found)).not.toContain(keyString.slice(23, 31));
});

test('reports that a shallow clone has no complete history; exit 9', async () => {
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
  expect(answer).toMatchObject({
    exitCode: 9,
    found: [],
    stderr: expect.stringMatching(/shallow: run git fetch --unshallow/),
  });
});

test('reports what it found in a damaged repository', async () => {
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
    stderr: expect.stringMatching(/could not read 1 missing object \(such as [0-9a-f]{40}; nothing was fetched/),
  });
});
