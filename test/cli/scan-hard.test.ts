import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KEY_STRING_IN_TEXT, mintKeyString } from '../../src/domain/key-string.js';
import { Finder } from '../../src/scan/finder.js';
import { testCli } from '../support/test-cli.js';

function scene() {
  const cli = testCli();
  const dir = path.join(cli.dir, 'work');
  mkdirSync(dir);
  const write = (file: string, text: string | Buffer) => {
    const at = path.join(dir, file);
    mkdirSync(path.dirname(at), { recursive: true });
    writeFileSync(at, text);
    return at;
  };
  const scan = async (...argv: string[]) => {
    const r = await cli.run('scan', ...argv, '--json');
    return { ...r, found: r.stdout === '' ? [] : (JSON.parse(r.stdout) as { file: string }[]) };
  };
  const work = (...argv: string[]) => {
    const b = cli.dir;
    Object.assign(cli, { dir });
    return scan(...argv).finally(() => Object.assign(cli, { dir: b }));
  };
  return { cli, dir, write, scan, work };
}
const git = (dir: string, ...a: string[]) =>
  execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@e.org', '-c', 'init.defaultBranch=main', ...a], {
    cwd: dir,
    stdio: 'pipe',
    env: { PATH: process.env.PATH, HOME: dir, GIT_CONFIG_NOSYSTEM: '1' },
  });
const KEY = mintKeyString('live').keyString;

test('the finder finds what the pattern does, wherever the pieces are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('x', '_', ' ', '\n', 'é', KEY, KEY.slice(0, 60), 'unlk_', 'unlk_live_'), {
        maxLength: 8,
      }),
      fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }),
      (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''));
        const want = [...bytes.toString('latin1').matchAll(KEY_STRING_IN_TEXT)].length;
        const f = new Finder();
        let n = 0;
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const s = cuts[i % cuts.length] ?? 1;
          n += f.feed(Buffer.from(bytes.subarray(at, at + s))).length;
          at += s;
        }
        n += f.end().length;
        expect(n).toBe(want);
      },
    ),
    { numRuns: 3000 },
  );
});
test('names in .gitignore are told apart by case', async () => {
  const { dir, write, scan } = scene();
  write('.gitignore', 'build\n');
  write('Build', KEY);
  expect((await scan(dir)).found).toHaveLength(1);
});
test('odd patterns in .gitignore stop nothing', async () => {
  const { dir, write, scan } = scene();
  write('.gitignore', '[z-a]\n[\n\\\n!\n[[:alpha:]\n**\\\n***x\n');
  write('k', KEY);
  const r = await scan(dir);
  expect([r.exitCode, r.stderr]).toEqual([7, '']);
});
test('an ignored directory that is named is read', async () => {
  const { dir, write, scan } = scene();
  mkdirSync(path.join(dir, '.git'));
  write('.gitignore', 'build/\n');
  write('build/a/k', KEY);
  expect((await scan(path.join(dir, 'build'))).found).toHaveLength(1);
});
test('a link to a directory that is named is followed', async () => {
  const { dir, write, scan } = scene();
  write('real/k', KEY);
  symlinkSync('real', path.join(dir, 'l'));
  expect((await scan(path.join(dir, 'l'))).found).toHaveLength(1);
});
test('a key string in the name of a file is not shown, in any format', async () => {
  const { cli, dir, write } = scene();
  const { keyString } = await cli.create('k');
  write(`${keyString}.txt`, keyString);
  write(`${keyString}.d/k`, keyString);
  for (const f of ['table', 'json', 'jsonl', 'csv', 'tsv', 'value', 'yaml']) {
    const r = await cli.run('scan', dir, '-o', f, '--debug');
    expect(r.stdout + r.stderr, f).not.toContain(keyString.slice(23, 50));
  }
});
test('nor written into the audit log', async () => {
  const { cli, dir, write } = scene();
  const { keyString } = await cli.create('k');
  write(`${keyString}.txt`, keyString);
  await cli.run('scan', dir, '--disable');
  const r = await cli.run('audit', 'list', '--json');
  expect(r.stdout).toContain('found by scan');
  expect(r.stdout).not.toContain(keyString.slice(23, 50));
});
test('a store that does not answer leaves what was found', async () => {
  const { cli, dir, write, scan } = scene();
  write('k', KEY);
  cli.env = { UNLOCKOS_KEYS_STORE: 'http://127.0.0.1:9' };
  const r = await scan(dir);
  expect([r.exitCode, r.found.length, r.stderr]).toEqual([7, 1, '']);
});
test('and with --disable is told after it', async () => {
  const { cli, dir, write, scan } = scene();
  write('k', KEY);
  cli.env = { UNLOCKOS_KEYS_STORE: 'http://127.0.0.1:9' };
  const r = await scan(dir, '--disable');
  expect([r.exitCode, r.found.length]).toEqual([8, 1]);
});
test('paths that overlap are searched once', async () => {
  const { dir, write, scan } = scene();
  write('k', KEY);
  expect((await scan(dir, path.join(dir, 'k'), dir)).found).toHaveLength(1);
});
test('what .gitattributes call binary is read', async () => {
  const { dir, write, work } = scene();
  git(dir, 'init', '-q');
  write('.gitattributes', '*.js -diff\n*.map binary\n');
  write('a.js', KEY);
  write('a.map', KEY);
  git(dir, 'add', '-A');
  expect((await work('--staged')).found).toHaveLength(2);
  git(dir, 'commit', '-qm', 'x');
  expect((await work('--git-history')).found).toHaveLength(2);
});
test('a setting of the repository hides nothing', async () => {
  const { dir, write, cli, scan } = scene();
  git(dir, 'init', '-q');
  git(dir, 'config', 'diff.relative', 'true');
  write('a.js', KEY);
  write('sub/x', 'x');
  git(dir, 'add', '-A');
  Object.assign(cli, { dir: path.join(dir, 'sub') });
  const r = await scan('--staged');
  Object.assign(cli, { dir: path.dirname(dir) });
  expect(r.found).toHaveLength(1);
});
test('nor do replaced commits', async () => {
  const { dir, write, work } = scene();
  git(dir, 'init', '-q');
  write('a', KEY);
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', 'bad');
  const bad = git(dir, 'rev-parse', 'HEAD').toString().trim();
  git(dir, 'checkout', '-q', '--orphan', 'o');
  write('a', 'clean');
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', 'ok');
  const ok = git(dir, 'rev-parse', 'HEAD').toString().trim();
  git(dir, 'replace', bad, ok);
  expect((await work('--git-history')).found).toHaveLength(1);
});
test('UTF-16 is read in git as well', async () => {
  const { dir, write, work } = scene();
  git(dir, 'init', '-q');
  write('a', Buffer.concat([Buffer.from([255, 254]), Buffer.from(`K=${KEY}\r\n`, 'utf16le')]));
  git(dir, 'add', '-A');
  expect((await work('--staged')).found).toHaveLength(1);
});
test('a key string in a name in git is not shown', async () => {
  const { dir, write, work } = scene();
  git(dir, 'init', '-q');
  write(`${KEY}`, KEY);
  git(dir, 'add', '-A');
  const r = await work('--staged');
  expect(r.found).toHaveLength(1);
  expect(r.stdout).not.toContain(KEY.slice(23, 50));
});
test('outside of a repository nothing is staged', async () => {
  const { work } = scene();
  const r = await work('--staged');
  expect(r.exitCode).toBe(2);
});
test('of a damaged repository, what can be read is searched', async () => {
  const { dir, write, work } = scene();
  git(dir, 'init', '-q');
  write('a', 'one\n');
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', '1');
  const blob = git(dir, 'rev-parse', 'HEAD:a').toString().trim();
  write('a', `two\n${KEY}\n`);
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', '2');
  write('b', KEY);
  git(dir, 'add', '-A');
  git(dir, 'commit', '-qm', '3');
  execFileSync('rm', ['-f', path.join(dir, '.git/objects', blob.slice(0, 2), blob.slice(2))]);
  const r = await work('--git-history');
  expect(r.found.length).toBeGreaterThan(0);
});
test('a shallow clone does not pass for a whole history', async () => {
  const { dir, work } = scene();
  const up = path.join(dir, '../up');
  mkdirSync(up);
  git(up, 'init', '-q');
  writeFileSync(path.join(up, 'a'), KEY);
  git(up, 'add', '-A');
  git(up, 'commit', '-qm', '1');
  writeFileSync(path.join(up, 'a'), 'x');
  git(up, 'commit', '-qam', '2');
  git(dir, 'clone', '-q', '--depth', '1', `file://${up}`, '.');
  const r = await work('--git-history');
  expect(r.exitCode).not.toBe(0);
});
test('a name that is no UTF-8 is read', async () => {
  const { dir, scan } = scene();
  writeFileSync(Buffer.concat([Buffer.from(`${dir}/caf`), Buffer.from([0xe9])]), KEY);
  const r = await scan(dir);
  expect(r.found).toHaveLength(1);
});
test('a repository within has rules of its own', async () => {
  const { dir, write, scan } = scene();
  mkdirSync(path.join(dir, '.git'));
  write('.gitignore', '*.log\n');
  mkdirSync(path.join(dir, 'sub/.git'), { recursive: true });
  write('sub/a.log', KEY);
  expect((await scan(dir)).found).toHaveLength(1);
});
