import { mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Place, SOUND } from '../support/built-tool.js';

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
  expect(stderr).toContain('the key string could not be delivered (ENOSPC), so it was disabled');
  const list = await place.tool(['list', '-o', 'value', '--fields', 'name,status'], { env: elsewhere });
  expect(list.stdout).toBe('first\tinactive\n');
  expect((await place.run('ls', [disk])).stdout).toBe('ballast\n');
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
  await remount('rw');
  expect(await place.names()).toEqual(['first']);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
});
