import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place, SOUND } from '../support/built-tool.js';
import { openRaw } from '../support/raw-database.js';
import { Served } from '../support/served.js';
import { DEFAULT_ENGINE } from '../support/stores.js';

/** A file system of its own, of `kilobytes`, with a store on it. Needs root; where mounting is refused the test fails, and says so. */
async function smallDisk(
  kilobytes: number,
): Promise<{ place: Place; disk: string; remount(how: string): Promise<void> }> {
  const outer = new Place();
  const disk = outer.file('disk');
  mkdirSync(disk);
  const mount = async (...args: string[]) => {
    const { exitCode, stderr } = await outer.run('mount', args);
    if (exitCode !== 0)
      throw new Error(`this test must be able to mount a tmpfs (run it as root, outside of a sandbox): ${stderr}`);
  };
  await mount('-t', 'tmpfs', '-o', `size=${kilobytes}k,mode=700`, 'tmpfs', disk);
  onTestFinished(async () => {
    expect((await outer.run('umount', ['-l', disk])).exitCode).toBe(0);
  });
  const place = new Place({ UNLOCKOS_KEYS_STORE: path.join(disk, 'keys.db') });
  return { place, disk, remount: (how) => mount('-o', `remount,${how}`, disk) };
}

/** Fills a disk up to so many free bytes. */
function fill(disk: string, free: number): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(bavail * bsize - free));
}

const MANY = [
  'create',
  ...Array.from({ length: 40 }, (_, i) => `many-${i}`),
  '-d',
  'x'.repeat(500),
  '--test-mode',
  '-s',
  'checkin:*',
  '-o',
  'value',
];

test.each([
  4096, 49_152,
])('on a disk with %i bytes left a create ends with 8 and prints no key, and all goes on once there is room', async (free) => {
  const { place, disk } = await smallDisk(1024);
  const keyString = await place.key('first');
  fill(disk, free);
  const { exitCode, stdout, stderr } = await place.tool(MANY);
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toMatch(/error: (no room to write to|writing to) the store .*\nhint: .*nothing was changed/);
  expect((await place.run('rm', [path.join(disk, 'ballast')])).exitCode).toBe(0);
  expect(await place.names()).toEqual(['first']);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
  expect((await place.tool(MANY)).exitCode).toBe(0);
});

test('on a disk that is too full for a change, old keys still verify', async () => {
  const { place, disk } = await smallDisk(1024);
  const keyString = await place.key('first');
  fill(disk, 49_152);
  expect((await place.tool(MANY)).exitCode).toBe(8);
  expect(await place.verdict(keyString)).toBe('valid');
});

test('on a disk without a free byte a store is read, served and backed up, and changed once there is room', async () => {
  const { place, disk } = await smallDisk(1024);
  const keyString = await place.key('first');
  fill(disk, 0);
  expect(await place.names()).toEqual(['first']);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
  expect((await place.tool(['store', 'backup', place.file('backup.db')])).exitCode).toBe(0);
  expect(await place.tool(['disable', 'first'])).toMatchObject({
    exitCode: 8,
    stderr: expect.stringContaining('it can be read, not changed\nhint: free some space on that disk'),
  });
  const served = new Served(place, ['--listen', '127.0.0.1:0', '--environment', 'test']);
  const url = await served.url();
  const headers = { authorization: `Bearer ${keyString}` };
  const status = async () => (await fetch(`${url}/auth`, { headers })).status;
  expect(await status()).toBe(200);
  rmSync(path.join(disk, 'ballast'));
  expect((await place.tool(['disable', 'first'])).exitCode).toBe(0);
  await expect.poll(status).toBe(401);
  expect(await served.ended('SIGTERM')).toEqual([0, null]);
  expect(await place.health()).toEqual(SOUND);
});

test('without room for the index of a log that holds changes, that is said', async () => {
  const { place, disk } = await smallDisk(1024);
  await place.key('first');
  const writer = openRaw(path.join(disk, 'keys.db'), DEFAULT_ENGINE);
  writer.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; UPDATE api_keys SET description = 'changed'");
  const log = readFileSync(path.join(disk, 'keys.db-wal'));
  writer.close();
  writeFileSync(path.join(disk, 'keys.db-wal'), log, { mode: 0o600 });
  fill(disk, 0);
  expect(await place.tool(['list'])).toMatchObject({
    exitCode: 8,
    stderr: expect.stringMatching(/no room beside the store .*which holds changes\nhint: free 32 KiB on that disk/),
  });
});

test('a disk too small for a new store ends with 8, and prints no key', async () => {
  const { place } = await smallDisk(48);
  const { exitCode, stdout, stderr } = await place.tool([
    'create',
    'first',
    '--test-mode',
    '-s',
    'plan:read',
    '-o',
    'value',
  ]);
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toMatch(/error: (no room to write to|writing to) the store/);
});

test('a key file on a full disk: the key is disabled, the file is gone, and the exit code is 1', async () => {
  const { place, disk } = await smallDisk(64);
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(bavail * bsize));
  const elsewhere = { UNLOCKOS_KEYS_STORE: place.file('keys.db') };
  const flags = ['--test-mode', '-s', 'plan:read', '--key-file', path.join(disk, 'first.key')];
  const { exitCode, stdout, stderr } = await place.tool(['create', 'first', ...flags], { env: elsewhere });
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toContain(
    `the key string of "first" could not be delivered (${disk}/first.key: the disk is full), so the key was disabled`,
  );
  const list = await place.tool(['list', '-o', 'value', '--fields', 'name,status'], { env: elsewhere });
  expect(list.stdout).toBe('first\tinactive\n');
  expect((await place.run('ls', [disk])).stdout).toBe('ballast\n');
});

test.each([
  ['--github-env', 'GITHUB_ENV'],
  ['--github-output', 'GITHUB_OUTPUT'],
])('%s on a disk with room for a part of the line: nothing of it stays', async (flag, variable) => {
  const { place, disk } = await smallDisk(64);
  const runner = path.join(disk, 'runner');
  const before = `A=${'x'.repeat(4096 - 2 - 21)}\n`;
  writeFileSync(runner, before);
  fill(disk, 0);
  const env = { UNLOCKOS_KEYS_STORE: place.file('keys.db'), GITHUB_ACTIONS: 'true', [variable]: runner };
  const { exitCode, stderr } = await place.tool(['create', 'first', '--test-mode', '-s', 'plan:read', flag, 'KEY'], {
    env,
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`could not be delivered (${variable} as KEY: the disk is full), so the key was disabled`);
  expect(readFileSync(runner, 'utf8')).toBe(before);
});

test('on a read-only file system a change ends with 8 and says what is wrong; nothing is lost', async () => {
  const { place, remount } = await smallDisk(1024);
  const keyString = await place.key('first');
  await remount('ro');
  for (const args of [
    ['create', 'second', '--test-mode', '-s', 'plan:read', '-o', 'value'],
    ['disable', 'first'],
  ]) {
    const { exitCode, stdout, stderr } = await place.tool(args);
    expect({ args, exitCode, stdout }).toEqual({ args, exitCode: 8, stdout: '' });
    expect(stderr).toMatch(/error: the store .*(read-only|cannot be (written|used))/);
  }
  expect(await place.names()).toEqual(['first']);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
  const backup = place.file('backup.db');
  expect(await place.tool(['store', 'backup', backup])).toMatchObject({ exitCode: 0 });
  expect(await place.tool(['show', 'first', '--store', backup])).toMatchObject({ exitCode: 0 });
  await remount('rw');
  expect(await place.names()).toEqual(['first']);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
});

test('on a read-only mount of a directory in use, what was changed is seen; a log that cannot be read is named', async () => {
  const { place, disk } = await smallDisk(4096);
  await place.key('first');
  const mounted = place.file('mounted');
  mkdirSync(mounted);
  expect((await place.run('mount', ['--bind', disk, mounted])).exitCode).toBe(0);
  onTestFinished(async () => void (await place.run('umount', ['-l', mounted])));
  expect((await place.run('mount', ['-o', 'remount,bind,ro', mounted])).exitCode).toBe(0);
  const there = ['--store', path.join(mounted, 'keys.db')];
  const writer = openRaw(path.join(disk, 'keys.db'), DEFAULT_ENGINE);
  writer.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; UPDATE api_keys SET description = 'changed'");
  expect((await place.tool(['list', '-o', 'value', '--fields', 'description', ...there])).stdout).toBe('changed\n');
  rmSync(path.join(disk, 'keys.db-shm'));
  for (const args of [['list'], ['doctor']]) {
    const { stdout, stderr } = await place.tool([...args, ...there]);
    expect(stdout + stderr).toContain('has changes in its write-ahead log');
    expect(stdout + stderr).not.toContain('doctor says more');
  }
  writer.close();
});

test('a home directory that cannot be written to is said to be, and another place works', async () => {
  const { place, disk, remount } = await smallDisk(4096);
  mkdirSync(path.join(disk, 'home'), { mode: 0o700 });
  await remount('ro');
  const env = { HOME: path.join(disk, 'home'), XDG_DATA_HOME: undefined, UNLOCKOS_KEYS_STORE: undefined };
  const made = ['create', 'a', '--test-mode', '-s', 'plan:read', '-o', 'value'];
  expect(await place.tool(['list'], { env })).toMatchObject({ exitCode: 0 });
  expect(await place.tool(made, { env })).toMatchObject({
    exitCode: 8,
    stdout: '',
    stderr: expect.stringMatching(
      /is on a read-only file system\nhint: name a place that you can write to: --store FILE/,
    ),
  });
  expect(await place.tool(['profile', 'add', 'x', '--store', '/x.db'], { env })).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('the file system is read-only'),
  });
  expect(await place.tool([...made, '--store', place.file('elsewhere.db')], { env })).toMatchObject({ exitCode: 0 });
});

test('a store that is mounted by itself, as into a container, is warned of: its log is not', async () => {
  const place = new Place();
  const [first, second] = [path.join(place.dir, 'a store.db'), path.join(place.dir, 'mounted store.db')];
  expect(
    (await place.tool(['create', 'a', '--test-mode', '-s', 'plan:read', '-o', 'value', '--store', first])).exitCode,
  ).toBe(0);
  writeFileSync(second, '');
  expect(await place.run('mount', ['--bind', first, second])).toMatchObject({ exitCode: 0 });
  onTestFinished(async () => void (await place.run('umount', [second])));
  const check = async (file: string) => (await place.tool(['store', 'check', '--store', file])).stdout;
  expect(await check(first)).not.toContain('mounted by itself');
  expect(await check(second)).toContain('is mounted by itself: its log stays on this side');
});
