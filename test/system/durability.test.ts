import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keyStrings, Place, ROOT } from '../support/built-tool.js';

interface Call {
  readonly name: string;
  /** The file or pipe behind the descriptor, as strace names it. */
  readonly target: string;
  readonly rest: string;
}

/** Runs the tool under strace and hands back its calls that write and that force to disk, in their order. */
async function traced(place: Place, args: readonly string[]): Promise<{ calls: Call[]; stdout: string }> {
  const log = place.file('strace');
  const words = ['-f', '-y', '-s', '200', '-e', 'trace=fsync,fdatasync,write,pwrite64', '-o', log];
  const { exitCode, stdout, stderr } = await place.run('strace', [
    ...words,
    process.execPath,
    `${ROOT}/bin/unlockos-keys.js`,
    ...args,
  ]);
  expect({ exitCode, stderr: stderr.includes('error') }).toEqual({ exitCode: 0, stderr: false });
  const lines = readFileSync(log, 'utf8').split('\n');
  const calls = lines.flatMap((line) => {
    const [, name, target, rest] = /^\d+ +(\w+)\(\d+<([^>]*)>(.*)$/.exec(line) ?? [];
    return name && target !== undefined ? [{ name, target, rest: rest ?? '' }] : [];
  });
  return { calls, stdout };
}

const forcesToDisk = ({ name }: Call) => name === 'fsync' || name === 'fdatasync';

test('a key string is written to stdout only after the write-ahead log that holds it was forced to disk', async () => {
  const place = new Place();
  await place.key('first');
  const { calls, stdout } = await traced(place, ['create', 'second', '--test-mode', '-s', 'plan:read', '-o', 'value']);
  const [keyString = ''] = keyStrings(stdout);
  const ofLog = ({ target }: Call) => target === `${place.store}-wal`;
  const printed = calls.findIndex(({ name, rest }) => name === 'write' && rest.includes(keyString));
  const lastWritten = calls.findLastIndex((call, i) => i < printed && call.name === 'pwrite64' && ofLog(call));
  const forced = calls.findLastIndex((call, i) => i < printed && forcesToDisk(call) && ofLog(call));
  expect(keyString).not.toBe('');
  expect(lastWritten).toBeGreaterThan(-1);
  expect(forced).toBeGreaterThan(lastWritten);
  expect(printed).toBeGreaterThan(forced);
});

test('the first key of a new store is forced to disk before it is printed, like every other', async () => {
  const place = new Place();
  const { calls, stdout } = await traced(place, ['create', 'first', '--test-mode', '-s', 'plan:read', '-o', 'value']);
  const [keyString = ''] = keyStrings(stdout);
  const printed = calls.findIndex(({ name, rest }) => name === 'write' && rest.includes(keyString));
  const before = calls.slice(0, printed).filter(({ target }) => target.startsWith(place.store));
  const lastWritten = before.findLastIndex(({ name, target }) => name === 'pwrite64' && !target.endsWith('-shm'));
  expect(lastWritten).toBeGreaterThan(-1);
  expect(before.slice(lastWritten).some(forcesToDisk)).toBe(true);
});

test.each([
  ['disable', ['disable', 'first']],
  ['delete', ['delete', 'first', '--yes']],
])('%s forces its change to disk before it says that it is done', async (verb, args) => {
  const place = new Place();
  await place.key('first');
  const { calls } = await traced(place, args);
  const said = calls.findIndex(
    ({ name, rest }) => name === 'write' && rest.includes(`${verb === 'delete' ? 'Deleted' : 'Disabled'} first`),
  );
  const forced = calls.findIndex((call) => forcesToDisk(call) && call.target === `${place.store}-wal`);
  expect(forced).toBeGreaterThan(-1);
  expect(said).toBeGreaterThan(forced);
});

test('a key file is forced to disk before the tool says that it was written', async () => {
  const place = new Place();
  const args = ['create', 'first', '--test-mode', '-s', 'plan:read', '--key-file', 'first.key'];
  const { calls } = await traced(place, args);
  const file = place.file('first.key');
  const written = calls.findIndex(({ name, target }) => name === 'write' && target === file);
  const forced = calls.findIndex((call) => forcesToDisk(call) && call.target === file);
  const said = calls.findIndex(({ rest }) => rest.includes('Written to'));
  expect(written).toBeGreaterThan(-1);
  expect(forced).toBeGreaterThan(written);
  expect(said).toBeGreaterThan(forced);
});
