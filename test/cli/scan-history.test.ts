import { execFileSync } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { git, repository } from '../support/scan-scenes.js';

const output = (dir: string, ...args: string[]) => execFileSync('git', args, { cwd: dir, encoding: 'utf8' }).trim();
const head = (dir: string) => output(dir, 'rev-parse', 'HEAD');

type Scene = Awaited<ReturnType<typeof repository>>;

/** Every place of a repository that can hold a key string, and what is said of it. */
const PLACES: Record<string, [make: (scene: Scene) => void, file: RegExp]> = {
  'a commit message': [
    ({ write, commit, keyString }) => [write('a', 'x'), commit(`say\n\nsee ${keyString}`)],
    /^\(commit message\)$/,
  ],
  'a tag message': [
    ({ dir, keyString }) => git(dir, 'tag', '-a', 'v1', '-m', keyString, 'HEAD'),
    /^\(message of tag v1\)$/,
  ],
  'an author': [
    ({ dir, keyString }) =>
      git(dir, 'commit', '--allow-empty', '-qm', 'x', `--author=${keyString} <a@example.org>`, '--allow-empty'),
    /^\(commit author\)$/,
  ],
  'the address of a committer': [
    ({ dir, keyString }) =>
      git(dir, '-c', `user.email=${keyString}`, 'commit', '--allow-empty', '-qm', 'x', '--author=a <a>'),
    /^\(commit committer\)$/,
  ],
  'the name of a file': [
    ({ write, commit, keyString }) => [write(`d/${keyString}.txt`, 'x'), commit('x')],
    /^d\/unlk_/,
  ],
  'the name of a directory': [
    ({ write, commit, keyString }) => [write(`${keyString}/x`, 'x'), commit('x')],
    /^unlk_.*\/x$/,
  ],
  'the name of a branch': [({ dir, keyString }) => git(dir, 'branch', keyString), /^refs\/heads\/unlk_/],
  'a note': [({ dir, keyString }) => git(dir, 'notes', 'add', '-m', keyString), /^[0-9a-f]{40}$/],
  'a stash': [({ write, dir, keyString }) => [write('a', keyString), git(dir, 'stash', '-qu')], /^a$/],
  'a commit that only the log of refs names': [
    ({ write, commit, dir, keyString }) => [
      write('a', keyString),
      commit('x'),
      git(dir, 'reset', '-q', '--hard', 'HEAD~1'),
    ],
    /^a$/,
  ],
  'a commit that nothing names': [
    ({ write, commit, dir, keyString }) => {
      write('a', keyString);
      commit('x');
      git(dir, 'reset', '-q', '--hard', 'HEAD~1');
      git(dir, 'reflog', 'expire', '--expire=all', '--all');
    },
    /^a$/,
  ],
  'a file that was staged once': [
    ({ write, dir, keyString }) => [write('a', keyString), git(dir, 'add', 'a'), git(dir, 'reset', '-q', '--hard')],
    /^\(blob [0-9a-f]{40}\)$/,
  ],
  'a symbolic link': [
    ({ dir, commit, keyString }) => [execFileSync('ln', ['-s', keyString, 'link'], { cwd: dir }), commit('x')],
    /^link$/,
  ],
  'an archive': [
    ({ write, commit, keyString }) => [write('a.gz', gzipSync(keyString)), commit('x')],
    /^a\.gz!unpacked$/,
  ],
  'base64 over two lines': [
    ({ write, commit, keyString }) => {
      write('a', Buffer.from(keyString).toString('base64').replace(/.{50}/g, '$&\n'));
      commit('x');
    },
    /^a$/,
  ],
  'a log of refs': [
    ({ dir, keyString }) => {
      const zeros = `${'0'.repeat(40)} ${head(dir)} x <x> 1 +0000`;
      appendFileSync(path.join(dir, '.git/logs/HEAD'), `${zeros}\tcheckout: ${keyString}\n`);
    },
    /^\(log of refs\) logs\/HEAD$/,
  ],
  'the address of a remote': [
    ({ dir, keyString }) => git(dir, 'remote', 'add', 'origin', `https://x:${keyString}@git.example/r`),
    /^\(git directory\) config$/,
  ],
  'a hook': [
    ({ write, keyString }) => write('.git/hooks/pre-push', `#!/bin/sh\nexport KEY=${keyString}\n`),
    /^\(git directory\) hooks\/pre-push$/,
  ],
  'a message that was not committed': [
    ({ write, keyString }) => write('.git/MERGE_MSG', keyString),
    /^\(git directory\) MERGE_MSG$/,
  ],
  'a file of Git LFS': [
    ({ write, keyString }) => write('.git/lfs/objects/ab/cd/abcd', keyString),
    /^\(git directory\) lfs\/objects\/ab\/cd\/abcd$/,
  ],
};

test.each(Object.keys(PLACES))('finds a key string in %s', async (place) => {
  const made = await repository();
  made.write('first', 'x');
  made.commit('first');
  PLACES[place]?.[0](made);
  const { exitCode, found, stderr } = await made.work('--git-history');
  expect({ exitCode, stderr }).toEqual({ exitCode: 7, stderr: '' });
  for (const each of found) expect(each.id).toBe(made.id);
  expect(
    found.some(({ file }) => PLACES[place]?.[1].test(file)),
    JSON.stringify(found),
  ).toBe(true);
  expect(JSON.stringify(found)).not.toContain(made.keyString.slice(23, 31));
});

/** What somebody can leave in `.git` so that git no longer shows the commit `bad`, whose child takes the key string out again. */
const HIDING: Record<string, (dir: string, bad: string) => void> = {
  'a replacement': (dir, bad) => git(dir, 'replace', bad, `${bad}~1`),
  'a graft': (dir, bad) =>
    writeFileSync(path.join(dir, '.git/info/grafts'), `${head(dir)} ${output(dir, 'rev-parse', `${bad}~1`)}\n`),
  'a shallow file': (dir) => writeFileSync(path.join(dir, '.git/shallow'), `${head(dir)}\n`),
  attributes: (dir) => writeFileSync(path.join(dir, '.git/info/attributes'), '* -diff binary\n'),
  settings: (dir) => {
    for (const [name, value] of [
      ['log.excludeDecoration', '*'],
      ['diff.relative', 'true'],
      ['diff.orderFile', 'none'],
      ['log.showRoot', 'false'],
      ['diff.ignoreSubmodules', 'all'],
      ['core.quotePath', 'true'],
      ['diff.noprefix', 'true'],
      ['color.ui', 'always'],
      ['core.commitGraph', 'true'],
      ['transfer.hideRefs', 'refs'],
      ['log.follow', 'true'],
    ])
      git(dir, 'config', name as string, value as string);
  },
  'no refs at all': (dir) => {
    git(dir, 'pack-refs', '--all');
    rmSync(path.join(dir, '.git/packed-refs'));
    rmSync(path.join(dir, '.git/logs'), { recursive: true });
    writeFileSync(path.join(dir, '.git/HEAD'), 'ref: refs/heads/none\n');
  },
};

test.each(Object.keys(HIDING))('%s hides no commit', async (way) => {
  const { write, dir, commit, keyString, id, work } = await repository();
  write('a', 'x');
  commit('first');
  write('a', `x\n${keyString}`);
  commit('bad');
  const bad = head(dir);
  write('a', 'x\n');
  commit('good');
  HIDING[way]?.(dir, bad);
  const { exitCode, found } = await work('--git-history');
  expect({ exitCode, found }).toMatchObject({ exitCode: 7, found: [{ id, file: 'a', line: 2, commit: bad }] });
});

test('tells a key string once, by the commit that added it, however long it stays', async () => {
  const { write, dir, commit, keyString, work } = await repository();
  write('a', `${keyString}\n`);
  commit('first');
  const first = head(dir);
  for (let i = 0; i < 5; i++) {
    write('a', `${i}\n${keyString}\n`);
    commit('again');
  }
  expect((await work('--git-history')).found).toMatchObject([{ commit: first, line: 1 }]);
});

test('a damaged object is told, and hides none of the others', async () => {
  const { write, dir, commit, keyString, work } = await repository();
  for (let i = 0; i < 8; i++) {
    write(`f${i}`, `${i} ${i === 7 ? keyString : ''}`);
    commit('x');
  }
  const objects = path.join(dir, '.git/objects');
  const blob = output(dir, 'rev-parse', 'HEAD:f1');
  const file = path.join(objects, blob.slice(0, 2), blob.slice(2));
  rmSync(file);
  writeFileSync(file, 'not an object');
  const { exitCode, found, stderr } = await work('--git-history');
  expect({ exitCode, found }).toMatchObject({ exitCode: 7, found: [{ file: 'f7' }] });
  expect(stderr).toContain(`could not read object ${blob} (damaged`);
  expect(readdirSync(objects).length).toBeGreaterThan(5);
  expect(readFileSync(file, 'utf8')).toBe('not an object');
});

test('the history of a submodule is not looked at, and that is said', async () => {
  const { dir, write, commit, work } = await repository();
  write('a', 'x');
  commit('a');
  const said = async () => (await work('--git-history')).stderr;
  expect(await said()).not.toContain('submodule');
  for (const name of ['libs/\u001b[2Jone', 'two'])
    git(dir, 'update-index', '--add', '--cacheinfo', `160000,${head(dir)},${name}`);
  expect(await said()).toContain(
    'Not looked at: the history of 2 submodules (libs/\\u{1b}[2Jone, two); run scan --git-history in each',
  );
});

test('of a second working tree, the directory of the repository and its own are read once', async () => {
  const { dir, write, commit, work, keyString } = await repository();
  write('a', 'x');
  commit('a');
  git(dir, 'worktree', 'add', '-q', '../second');
  write('.git/worktrees/second/MERGE_MSG', keyString);
  write('.git/description', keyString);
  const places = async () => (await work('--git-history')).found.map(({ file }) => file).sort();
  const both = ['(git directory) description', '(git directory) worktrees/second/MERGE_MSG'];
  expect(await places()).toEqual(both);
  git(dir, 'config', 'core.bare', 'false');
  renameSync(path.join(dir, '../second'), path.join(dir, 'inside'));
  git(dir, 'worktree', 'repair', 'inside');
  expect(await places()).toEqual(both);
});

test('what is not looked into is said: files of Git LFS that are not here, and archives of other kinds', async () => {
  const { write, commit, work } = await repository();
  const pointer = (oid: string) =>
    `version https://git-lfs.github.com/spec/v1\nsomething new\noid sha256:${oid}\nsize 7\n`;
  const [one, two] = ['ab'.repeat(32), 'cd'.repeat(32)];
  write('one', pointer(one));
  write('two', pointer(two));
  write('no pointer', `version 1\n${pointer(one)}`);
  write('a.xz', Buffer.from('fd377a585a000004', 'hex'));
  commit('a');
  const said = async () => (await work('--git-history')).stderr;
  expect(await said()).toContain('Not looked into: 1 archive of another kind, 2 Git LFS files that are not here\n');
  write(`.git/lfs/objects/ab/ab/${one}`, 'here');
  expect(await said()).toContain('1 Git LFS file that is not here\n');
  write(`.git/lfs/objects/cd/cd/${two}`, 'here');
  expect(await said()).toContain('Not looked into: 1 archive of another kind\n');
});
