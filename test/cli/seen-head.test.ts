import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { HeadMemory } from '../../src/cli/settings/head-memory.js';
import { remoteDatabase } from '../support/raw-database.js';
import { startSqld } from '../support/sqld.js';
import { type TestCli, testCli } from '../support/test-cli.js';
import { unguarded } from '../support/unguarded.js';

const MAKE = ['--test-mode', '--scope', 'checkin:read', '-q'];
const heads = (cli: TestCli) => path.join(cli.home, '.local/state/unlockos-keys/audit-heads');
const sides = (file: string) => ['-wal', '-shm', '-journal'].map((suffix) => file + suffix);

/** A store with a backup, after which a key was disabled; nobody has verified or noted anything. */
async function withBackup() {
  const cli = testCli();
  const backup = path.join(cli.dir, 'backup.db');
  await cli.run('create', 'a', ...MAKE);
  await cli.run('store', 'backup', backup);
  await cli.run('disable', 'a', '--yes');
  const goBack = () => {
    for (const file of [cli.store, ...sides(cli.store)]) rmSync(file, { force: true });
    copyFileSync(backup, cli.store);
  };
  return { cli, backup, goBack };
}

test('a store that went back in time is found by every check, until that is accepted', async () => {
  const { cli, goBack } = await withBackup();
  expect(await cli.run('audit', 'verify')).toMatchObject({ exitCode: 0 });
  goBack();
  const verified = await cli.run('audit', 'verify');
  expect(verified.exitCode).toBe(7);
  expect(verified.stdout).toMatch(
    /the log ends in row 3, but on .* it ended in row 4 .*went back to an earlier state/s,
  );
  expect(verified.stdout).toContain('audit verify --forget');
  for (const command of [['store', 'check'], ['doctor']]) {
    const { exitCode: code, stdout } = await cli.run(...command, '--json');
    expect([code, stdout]).toEqual([7, expect.stringContaining('went back to an earlier state')]);
  }
  const changed = await cli.run('create', 'b', ...MAKE);
  expect([changed.exitCode, changed.stderr]).toEqual([0, expect.stringContaining('warning: the log ends in row 3')]);
  expect((await cli.run('create', 'c', ...MAKE)).stderr).toContain('was rewritten'); // it is longer than before by now
  expect((await cli.run('audit', 'verify')).exitCode).toBe(7);
  expect((await cli.run('audit', 'verify', '--forget')).exitCode).toBe(0);
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
});

test('of a server it is remembered as well, by its URL', async () => {
  const cli = testCli();
  const server = await startSqld();
  cli.env = { UNLOCKOS_KEYS_STORE: server.url, UNLOCKOS_KEYS_AUTH_TOKEN: server.token };
  const { id } = await cli.create('a', '--test-mode');
  await cli.run('disable', 'a', '--yes');
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
  await unguarded(
    remoteDatabase(server.url),
    'sqld',
    `delete from audit_events where action = 'key.disable'`,
    `update api_keys set status = 'active' where id = '${id}'`,
  );
  const verified = await cli.run('audit', 'verify');
  expect([verified.exitCode, verified.stdout]).toEqual([7, expect.stringContaining('went back to an earlier state')]);
  expect((await cli.run('create', 'b', ...MAKE)).stderr).toContain('warning: the log ends in row');
});

test('store restore says that the log goes back, and its end counts from then on', async () => {
  const { cli, backup } = await withBackup();
  const { exitCode: code, stderr } = await cli.run('store', 'restore', backup, '--yes');
  expect([code, stderr]).toEqual([0, expect.stringMatching(/The log goes back: .* row 4, .* up to row 3/)]);
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
});

test('a moved store is known again; another store in its place is not taken for it', async () => {
  const { cli, backup } = await withBackup();
  const moved = path.join(cli.dir, 'moved.db');
  for (const file of [cli.store, ...sides(cli.store)]) rmSync(file, { force: true });
  copyFileSync(backup, moved);
  expect((await cli.run('audit', 'verify', '--store', moved)).stdout).toContain('went back');
  const other = testCli();
  await other.run('create', 'x', ...MAKE);
  await other.run('store', 'backup', path.join(other.dir, 'b.db'));
  renameSync(path.join(other.dir, 'b.db'), cli.store);
  expect((await cli.run('audit', 'verify')).stdout).toContain('another store was seen here');
});

test('a new store that this tool made in the place of a deleted one is no alarm afterwards, but said', async () => {
  const { cli } = await withBackup();
  for (const file of [cli.store, ...sides(cli.store)]) rmSync(file, { force: true });
  expect((await cli.run('create', 'n', ...MAKE)).stderr).toContain('another store was seen here');
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
});

test('what others could have written is not believed, and no state of the directory stops a command', async () => {
  const { cli, goBack } = await withBackup();
  goBack();
  for (const name of readdirSync(heads(cli))) chmodSync(path.join(heads(cli), name), 0o666);
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
  for (const name of readdirSync(heads(cli))) writeFileSync(path.join(heads(cli), name), '{"seq":');
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
  rmSync(heads(cli), { recursive: true });
  writeFileSync(heads(cli), 'a file');
  expect((await cli.run('create', 'd', ...MAKE)).exitCode).toBe(0);
  expect((await cli.run('doctor')).stdout).toContain('not remembered');
  rmSync(heads(cli));
  mkdirSync(heads(cli), { mode: 0o700 });
  chmodSync(heads(cli), 0o777);
  expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
  expect(readdirSync(heads(cli))).toEqual([]);
});

test('of two processes, the one with the earlier end cannot set the memory back', () => {
  const cli = testCli();
  const ctx = { env: {}, platform: 'linux', home: cli.home, now: () => cli.now } as never;
  const [one, other] = [new HeadMemory(ctx), new HeadMemory(ctx)];
  const head = (seq: number) => ({ seq, hash: 'a'.repeat(64) });
  one.note('/s.db', 'b'.repeat(64), head(12));
  other.note('/s.db', 'b'.repeat(64), head(11));
  expect([one.at('/s.db')?.head.seq, readdirSync(heads(cli)).length]).toEqual([12, 1]);
  other.note('/s.db', 'b'.repeat(64), head(5), { instead: true });
  expect([one.at('/s.db')?.head.seq, readdirSync(heads(cli)).length]).toEqual([5, 1]);
});

test('what a killed process had begun to write is removed, not what another writes now', async () => {
  const cli = testCli();
  await cli.run('create', 'a', ...MAKE);
  expect(readdirSync(heads(cli))).toHaveLength(1);
  for (const name of ['.new-old', '.new-now', 'other']) writeFileSync(path.join(heads(cli), name), '{');
  for (const name of ['.new-old', 'other']) utimesSync(path.join(heads(cli), name), 0, 0);
  await cli.run('disable', 'a', '--yes');
  expect(
    readdirSync(heads(cli))
      .filter((name) => !/^[0-9a-f]/.test(name))
      .sort(),
  ).toEqual(['.new-now', 'other']);
});

test('what only reads makes no file: with no store none at all, with one nothing to remember', async () => {
  const READS = [
    'list',
    'show a',
    'usage',
    'review',
    'identify --stdin',
    'verify --stdin',
    'scan --stdin',
    'audit',
    'audit head',
    'export',
    'prune --expired -n',
    'rotate --status',
    'store path',
    'profile list',
    'help',
  ];
  const files = (cli: TestCli) => readdirSync(cli.home, { recursive: true }).sort();
  const none = testCli();
  none.env = {}; // the default store, in the home directory
  // not `scopes`, whose catalogue is in the store: it makes the default one, and says so
  for (const line of [...READS, 'audit verify', 'store check', 'doctor']) {
    none.stdin = 'unlk_live_0123456789ab_00000000000000000000000000000000000000';
    await none.run(...line.split(' '));
    expect(files(none), line).toEqual([]);
  }
  const { cli } = await withBackup();
  rmSync(path.join(cli.home, '.local'), { recursive: true });
  for (const line of [...READS, 'scopes']) {
    cli.stdin = 'unlk_live_0123456789ab_00000000000000000000000000000000000000';
    await cli.run(...line.split(' '));
    expect(files(cli), line).toEqual([]);
  }
});
