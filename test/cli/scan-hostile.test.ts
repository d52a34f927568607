import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { git, repository } from '../support/scan-scenes.js';

const WAYS = [['--git-history'], ['--staged'], ['.'], []];

/** A repository whose settings all name a program that leaves a mark. */
async function hostile() {
  const scene = await repository();
  const { dir, write, commit, keyString } = scene;
  const mark = path.join(dir, '../sprung');
  const trap = write('../trap', `#!/bin/sh\ntouch '${mark}'\ncat\n`);
  chmodSync(trap, 0o755);
  write('a', `first\n${keyString}`);
  write('gone', 'a blob that the clone will not have');
  commit('one');
  write('a', `second\n${keyString}`);
  commit('two');
  write('staged', keyString);
  git(dir, 'add', 'staged');
  return { ...scene, mark, trap };
}

const SETTINGS = [
  'core.fsmonitor',
  'core.pager',
  'core.editor',
  'core.sshCommand',
  'core.gitProxy',
  'core.askPass',
  'core.alternateRefsCommand',
  'credential.helper',
  'diff.external',
  'diff.x.textconv',
  'diff.x.command',
  'filter.x.clean',
  'filter.x.smudge',
  'filter.x.process',
  'gpg.program',
  'gpg.x509.program',
  'gpg.ssh.program',
  'pager.log',
  'pager.cat-file',
  'pager.diff',
  'pager.rev-list',
  'alias.log',
  'alias.cat-file',
  'uploadpack.packObjectsHook',
  'sequence.editor',
  'interactive.diffFilter',
  'merge.x.driver',
  'remote.origin.vcs',
  'trailer.x.command',
];

test('no setting of a repository runs a program, wherever it stands', async () => {
  const { dir, trap, mark, work, write } = await hostile();
  write('.gitattributes', '* diff=x filter=x merge=x\n');
  write('.git/included', SETTINGS.map((name) => line(name, trap)).join(''));
  for (const name of SETTINGS) execFileSync('git', ['config', name, trap], { cwd: dir });
  execFileSync('git', ['config', 'include.path', 'included'], { cwd: dir });
  execFileSync('git', ['config', 'extensions.worktreeConfig', 'true'], { cwd: dir });
  write('.git/config.worktree', SETTINGS.map((name) => line(name, trap)).join(''));
  execFileSync('git', ['config', 'log.showSignature', 'true'], { cwd: dir });
  mkdirSync(path.join(dir, '.git/hooks'), { recursive: true });
  for (const hook of [
    'fsmonitor-watchman',
    'post-index-change',
    'reference-transaction',
    'pre-auto-gc',
    'post-checkout',
  ]) {
    execFileSync('cp', [trap, path.join(dir, '.git/hooks', hook)]);
  }
  rmSync(mark, { force: true });
  for (const way of WAYS) expect((await work(...way)).exitCode, way.join()).toBe(7);
  expect(existsSync(mark)).toBe(false);
});

const line = (name: string, value: string) => {
  const [, section, , sub, key] = /^([^.]+)(\.(.+))?\.([^.]+)$/.exec(name) ?? [];
  return `[${section}${sub === undefined ? '' : ` "${sub}"`}]\n\t${key ?? /[^.]+$/.exec(name)?.[0]} = ${value}\n`;
};

test('a partial clone fetches nothing; what is missing is said; exit 9', async () => {
  const { dir, trap, mark, cli, work, commit, write } = await repository().then(async (scene) => {
    const at = path.join(scene.dir, '../trap');
    const sprung = path.join(scene.dir, '../sprung');
    writeFileSync(at, `#!/bin/sh\ntouch '${sprung}'\nexit 1\n`, { mode: 0o755 });
    return { ...scene, trap: at, mark: sprung };
  });
  write('a', 'one');
  write('b', 'stays');
  commit('one');
  write('a', 'two');
  commit('two');
  const blob = execFileSync('git', ['rev-parse', 'HEAD:a'], { cwd: dir, encoding: 'utf8' }).trim();
  const old = execFileSync('git', ['rev-parse', 'HEAD~1:a'], { cwd: dir, encoding: 'utf8' }).trim();
  for (const url of ['ssh://example.invalid/x', 'ext::sh -c "touch ../sprung"', `file://${dir}`, 'other://x']) {
    for (const [name, value] of [
      ['core.repositoryFormatVersion', '1'],
      ['extensions.partialClone', 'origin'],
      ['remote.origin.url', url],
      ['remote.origin.promisor', 'true'],
      ['remote.origin.partialCloneFilter', 'blob:none'],
      ['remote.origin.uploadpack', trap],
      ['remote.origin.vcs', url.startsWith('other') ? 'ext' : ''],
      ['core.sshCommand', trap],
      ['protocol.allow', 'always'],
      ['protocol.ext.allow', 'always'],
      ['protocol.file.allow', 'always'],
    ])
      if (value !== '') execFileSync('git', ['config', name as string, value as string], { cwd: dir });
    for (const oid of [blob, old])
      rmSync(path.join(dir, '.git/objects', oid.slice(0, 2), oid.slice(2)), { force: true });
    write('a', `three ${url}`);
    execFileSync('git', ['add', 'a'], { cwd: dir });
    rmSync(mark, { force: true });
    const history = await work('--git-history');
    expect(history, url).toMatchObject({
      exitCode: 9,
      found: [],
      stderr: expect.stringMatching(/2 missing objects .*nothing was fetched/),
    });
    expect((await work('--staged')).exitCode, url).toBe(0);
    expect((await work('.')).exitCode, url).toBe(0);
    expect(existsSync(mark), url).toBe(false);
  }
  expect(cli.dir).not.toBe(dir);
});

test('variables of git in the environment run nothing, change nothing and write nothing', async () => {
  const { dir, trap, mark, work } = await hostile();
  const trace = path.join(dir, '../trace');
  const variables = {
    GIT_EXTERNAL_DIFF: trap,
    GIT_SSH_COMMAND: trap,
    GIT_SSH: trap,
    GIT_PAGER: trap,
    GIT_ASKPASS: trap,
    GIT_EDITOR: trap,
    GIT_TRACE: trace,
    GIT_TRACE2: trace,
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'core.fsmonitor',
    GIT_CONFIG_VALUE_0: trap,
    GIT_CONFIG_PARAMETERS: `'core.fsmonitor=${trap}'`,
    GIT_CONFIG_GLOBAL: path.join(dir, '../none'),
    GIT_DIFF_OPTS: '--unified=9',
    GIT_GRAFT_FILE: trap,
    GIT_LITERAL_PATHSPECS: '1',
    GIT_EXEC_PATH: path.join(dir, '..'),
    GIT_TEMPLATE_DIR: dir,
  };
  const before = { ...process.env };
  try {
    Object.assign(process.env, variables);
    for (const way of WAYS) expect((await work(...way)).exitCode, way.join()).toBe(7);
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
    Object.assign(process.env, before);
  }
  expect([existsSync(mark), existsSync(trace)]).toEqual([false, false]);
});

test('an index of somebody else, a .git that is none and a core.worktree hide no file', async () => {
  const { dir, work, write, keyString } = await hostile();
  write('.gitignore', '*\n');
  git(dir, 'config', 'core.worktree', path.join(dir, '..'));
  expect((await work('.')).found.map(({ file }) => file)).toEqual(['a', 'staged']);
  renameSync(path.join(dir, '.git/HEAD'), path.join(dir, '.git/NO'));
  write('.git/hidden', keyString);
  expect((await work('.')).found.map(({ file }) => file)).toEqual(['.git/hidden', 'a', 'staged']);
});

test.each([
  '',
  '.',
  'bin',
  './bin',
])('a git in the repository is not run, although PATH begins with %j', async (entry) => {
  const { dir, work, write, commit, keyString } = await repository();
  const mark = path.join(dir, '../sprung');
  write('a', keyString);
  commit('one');
  for (const file of ['git', 'bin/git'])
    chmodSync(write(file, `#!/bin/sh\ntouch '${mark}'\nexec /usr/bin/git "$@"\n`), 0o755);
  const { PATH } = process.env;
  process.env.PATH = `${entry}:${PATH}`;
  onTestFinished(() => {
    process.env.PATH = PATH;
  });
  for (const way of WAYS) await work(...way);
  expect((await work('--git-history')).found).toHaveLength(1);
  expect(existsSync(mark)).toBe(false);
});
