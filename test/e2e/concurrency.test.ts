import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect, test } from 'vitest';
import { keyStrings, Place, SOUND } from '../support/built-tool.js';

const require = createRequire(import.meta.url);
const CREATE = ['--test-mode', '--scope', 'plan:read', '-o', 'value'];

/** Another program that keeps the store's write lock, until `release` or the end of the test. */
async function holdLock(place: Place): Promise<{ release(): Promise<void> }> {
  const program = `
    const Database = require(${JSON.stringify(require.resolve('libsql'))});
    const db = new Database(process.argv[1]);
    db.exec('BEGIN IMMEDIATE');
    process.stdout.write('held');
    process.stdin.on('end', () => db.close()).resume();
  `;
  const child = spawn(process.execPath, ['-e', program, place.store], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', () => reject(new Error('the lock could not be taken')));
  });
  return {
    release: () => {
      child.stdin.end();
      return ended;
    },
  };
}

test('eight first runs at once: one migration, and every one makes its key or says that the store is busy', async () => {
  const place = new Place();
  const names = Array.from({ length: 8 }, (_, i) => `key-${i}`);
  const results = await Promise.all(names.map((name) => place.tool(['create', name, ...CREATE])));
  for (const { exitCode, stdout, stderr } of results) {
    if (exitCode === 8)
      expect({ stdout, busy: stderr.includes('in use by another process') }).toEqual({ stdout: '', busy: true });
    else expect({ exitCode, printed: keyStrings(stdout).length }).toEqual({ exitCode: 0, printed: 1 });
  }
  const made = names.filter((_, i) => results[i]?.exitCode === 0);
  expect(made.length).toBeGreaterThan(0);
  expect(await place.names()).toEqual(made);
  for (const { stdout } of results.filter(({ exitCode }) => exitCode === 0))
    expect(await place.verdict(stdout.trimEnd())).toBe('valid');
  const events = JSON.parse((await place.look(['audit', 'list', '--json'])).stdout) as { action: string }[];
  const written = [...made.map(() => 'key.create'), ...made.map(() => 'key.edit')]; // created, then delivered
  expect(events.map(({ action }) => action).sort()).toEqual([...written, 'store.create'].sort());
  expect(await place.health()).toEqual(SOUND);
});

test('of changes and checks at once, the last end of the log is remembered', async () => {
  const place = new Place();
  await place.tool(['create', 'first', ...CREATE]);
  const changes = Array.from({ length: 4 }, (_, i) => place.tool(['create', `key-${i}`, ...CREATE]));
  const results = await Promise.all([...changes, place.tool(['audit', 'verify']), place.tool(['audit', 'verify'])]);
  for (const { exitCode, stderr } of results) expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  const state = path.join(place.env().HOME ?? '', '.local/state/unlockos-keys/audit-heads');
  const head = (await place.tool(['audit', 'head'])).stdout.split(':')[0] ?? '';
  expect(readdirSync(state).map((name) => Number(name.split('-')[1]))).toEqual([Number(head)]);
  expect((await place.tool(['audit', 'verify'])).exitCode).toBe(0);
});

test.each([
  1, 2, 3, 4,
])('a first run that is overtaken by another before its read number %i makes its key all the same', async (nth) => {
  const place = new Place();
  const preload = place.write(
    'overtake.cjs',
    `const { dlopen } = process;
    process.dlopen = function (module, ...rest) {
      dlopen.call(this, module, ...rest);
      const { prototype } = module.exports.Database ?? {};
      if (!prototype) return;
      const { prepare } = prototype;
      let left = ${nth};
      prototype.prepare = function (...args) {
        if (--left === 0) {
          const words = [process.argv[1], 'create', 'other', ...process.argv.slice(4)];
          require('node:child_process').execFileSync(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
        }
        return prepare.apply(this, args);
      };
    };`,
  );
  const { exitCode, stdout } = await place.tool(['create', 'ci', ...CREATE], { node: ['-r', preload] });
  expect({ exitCode, printed: keyStrings(stdout).length }).toEqual({ exitCode: 0, printed: 1 });
  expect(await place.names()).toEqual(['ci', 'other']);
  expect(await place.health()).toEqual(SOUND);
});

test('eight first runs at once at the default place make its directory once, for the owner only', async () => {
  const place = new Place();
  const env = { UNLOCKOS_KEYS_STORE: undefined };
  const names = Array.from({ length: 8 }, (_, i) => `key-${i}`);
  const results = await Promise.all(names.map((name) => place.tool(['create', name, ...CREATE], { env })));
  expect(results.map(({ exitCode }) => exitCode).filter((code) => code !== 0 && code !== 8)).toEqual([]);
  const directory = path.join(place.data, 'unlockos-keys');
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(path.join(directory, 'keys.db')).mode & 0o777).toBe(0o600);
  const list = await place.look(['list', '-o', 'value'], { env });
  expect(list.stdout.trimEnd().split('\n')).toHaveLength(results.filter(({ exitCode }) => exitCode === 0).length);
});

test('two tools that make a key of the same name: one wins, the other ends with 5 and prints no key', async () => {
  const place = new Place();
  await place.key('first');
  const results = await Promise.all(['partner', 'PARTNER'].map((name) => place.tool(['create', name, ...CREATE])));
  expect(results.map(({ exitCode }) => exitCode).sort()).toEqual([0, 5]);
  const loser = results.find(({ exitCode }) => exitCode === 5);
  expect(loser?.stdout).toBe('');
  expect(loser?.stderr).toMatch(/error: a key (named "partner"|with this name) exists/i);
  expect(await place.keys()).toHaveLength(2);
});

test('many changes of one key at once leave a sound store with one event a change', async () => {
  const place = new Place();
  await place.key('partner');
  const verbs = ['disable', 'enable', 'disable', 'enable', 'disable', 'enable'];
  const results = await Promise.all(verbs.map((verb) => place.tool([verb, 'partner'])));
  expect(results.map(({ exitCode }) => exitCode)).toEqual(verbs.map(() => 0));
  const events = JSON.parse((await place.look(['audit', 'list', '--json'])).stdout) as { action: string }[];
  const changes = events.map(({ action }) => action).filter((action) => action !== 'store.create');
  changes.reduce((before, action) => {
    expect(action).not.toBe(before); // a change that changes nothing has no event
    return action;
  }, '');
  expect(await place.health()).toEqual(SOUND);
});

test('a key disabled by one process is refused by the next, and one deleted is unknown to it', async () => {
  const place = new Place();
  const keyString = await place.key('partner');
  expect((await place.tool(['verify', '--stdin'], { input: keyString })).exitCode).toBe(0);
  expect((await place.tool(['disable', 'partner'])).exitCode).toBe(0);
  const refused = await place.tool(['verify', '--stdin'], { input: keyString });
  expect({ exitCode: refused.exitCode, inactive: refused.stdout.startsWith('inactive:') }).toEqual({
    exitCode: 7,
    inactive: true,
  });
  expect((await place.tool(['delete', 'partner', '--yes'])).exitCode).toBe(0);
  expect(await place.verdict(keyString)).toBe('invalid');
});

test.each<[string, string[]]>([
  ['create', ['create', 'second', ...CREATE]],
  ['disable', ['disable', 'partner']],
  ['edit', ['edit', 'partner', '--name', 'other']],
  ['delete', ['delete', 'partner', '--yes']],
])('while another program holds the lock, %s gives up after --timeout with 8, and nothing is changed', async (_, args) => {
  const place = new Place();
  const keyString = await place.key('partner');
  const before = await place.keys();
  const lock = await holdLock(place);
  const { exitCode, stdout, stderr } = await place.tool([...args, '--timeout', '200ms']);
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toContain(`error: the store ${place.store} is in use by another process`);
  expect(await place.verdict(keyString)).toBe('valid'); // readers do not wait for writers
  await lock.release();
  expect(await place.keys()).toEqual(before);
  expect(await place.health()).toEqual(SOUND);
});

test('a lock that is let go in time only delays', async () => {
  const place = new Place();
  await place.key('partner');
  const lock = await holdLock(place);
  const disabled = place.tool(['disable', 'partner']);
  await lock.release();
  expect((await disabled).exitCode).toBe(0);
  expect((await place.keys())[0]?.status).toBe('inactive');
});
