import { spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { keyStrings, Place, SOUND, TOOL } from '../support/built-tool.js';
import { type KillPoint, killAt } from '../support/preloads.js';

const CREATE = ['create', 'second', '--test-mode', '--scope', 'plan:read', '-o', 'value'];
const KILLED = { exitCode: null, signal: 'SIGKILL', stdout: '' };

test.each<[KillPoint, string[]]>([
  ['before-begin', ['first']],
  ['before-commit', ['first']],
  ['after-commit', ['first', 'second']],
])('a create that is killed %s prints no key and leaves %j, whole', async (point, names) => {
  const place = new Place();
  const keyString = await place.key('first');
  expect(await place.tool(CREATE, { node: killAt(place, point) })).toMatchObject(KILLED);
  expect(await place.names()).toEqual(names);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
  await place.key('third');
  expect(await place.names()).toEqual([...names, 'third']);
  expect(await place.health()).toEqual(SOUND);
});

test('a key that was stored and never shown is listed as one that was never used', async () => {
  const place = new Place();
  await place.key('first');
  await place.tool(CREATE, { node: killAt(place, 'after-commit') });
  const list = await place.look(['list', '-o', 'value', '--fields', 'name,lastUsedAt', '--search', 'second']);
  expect(list).toEqual({ exitCode: 0, signal: null, stdout: 'second\t\n', stderr: '' });
});

test('a first run that is killed at any point of the migration or the write leaves what the next run completes', async () => {
  const outcomes: string[] = [];
  for (let nth = 1; ; nth++) {
    const place = new Place();
    const run = await place.tool(CREATE, { node: killAt(place, 'any', nth) });
    if (run.signal === null) {
      expect(run.exitCode).toBe(0);
      break;
    }
    expect(run).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
    const [printed] = keyStrings(run.stdout);
    const list = await place.look(['list', '-o', 'value', '--fields', 'name']);
    outcomes.push(list.exitCode === 8 ? 'not yet a store' : list.stdout.trimEnd() || 'no key');
    if (printed) expect(await place.verdict(printed)).toBe('valid'); // killed while the delivery was noted
    await place.key('third');
    expect(await place.names()).toEqual(outcomes.at(-1) === 'second' ? ['second', 'third'] : ['third']);
    expect(await place.health()).toEqual(SOUND);
  }
  expect(outcomes.filter((each, i) => each !== outcomes[i - 1])).toEqual(['not yet a store', 'no key', 'second']);
});

test.each<[string[], Record<string, unknown> | null]>([
  [['disable', 'first'], { name: 'first', status: 'inactive' }],
  [['edit', 'first', '--name', 'other'], { name: 'other', status: 'active' }],
  [['delete', 'first', '--yes'], null],
])('%j that is killed has happened with its audit event, or not at all', async (args, after) => {
  for (const point of ['before-begin', 'before-commit', 'after-commit'] as const) {
    const place = new Place();
    await place.key('first');
    const before = await place.keys();
    expect((await place.tool(args, { node: killAt(place, point) })).signal).toBe('SIGKILL');
    const keys = await place.keys();
    if (point !== 'after-commit') expect(keys).toEqual(before);
    else if (after === null) expect(keys).toEqual([]);
    else expect(keys).toEqual([expect.objectContaining(after)]);
    const events = JSON.parse((await place.look(['audit', 'list', '--json'])).stdout);
    expect(events).toHaveLength(point === 'after-commit' ? 4 : 3);
    expect(await place.health()).toEqual(SOUND);
  }
});

/** Writes a byte to descriptor 3 at every call into the file system and every point of a write, so that the test can count them. */
const TICKS = `
  const fs = require('node:fs');
  const { writeSync } = fs;
  const tick = () => { try { writeSync(3, '.'); } catch {} };
  for (const name of Object.keys(fs).filter((name) => name.endsWith('Sync'))) {
    const real = fs[name];
    fs[name] = Object.assign(function (...args) { tick(); return real.apply(this, args); }, real);
  }
  require('node:diagnostics_channel').subscribe('unlockos-keys:write', tick);`;

/** Runs the tool and sends it SIGKILL when it has given so many ticks; how far it gets beyond that is chance. */
function killAfter(place: Place, args: readonly string[], ticks: number) {
  const words = ['-r', place.file('ticks.cjs'), TOOL, ...args];
  const child = spawn(process.execPath, words, { env: place.env(), stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  let stdout = '';
  let seen = 0;
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  child.stdio[3]?.on('data', (chunk: Buffer) => {
    seen += chunk.length;
    if (seen >= ticks) child.kill('SIGKILL');
  });
  return new Promise<{ stdout: string; seen: number; signal: string | null }>((resolve) =>
    child.on('close', (_, signal) => resolve({ stdout, seen, signal })),
  );
}

test('of a batch that is killed at a random moment, every key that was printed is stored, and all are or none is', async () => {
  const place = new Place();
  writeFileSync(place.file('ticks.cjs'), TICKS);
  const batch = (round: string) => ['create', ...[1, 2, 3].map((n) => `${round}-${n}`), ...CREATE.slice(2)];
  const whole = await killAfter(place, batch('whole'), Number.POSITIVE_INFINITY);
  expect({ signal: whole.signal, keys: keyStrings(whole.stdout).length }).toEqual({ signal: null, keys: 3 });
  const printed = keyStrings(whole.stdout);
  const rounds = Array.from({ length: 10 }, (_, i) => `round-${i}`);
  let kills = 0;
  for (const round of rounds) {
    const ticks = 1 + Math.floor(Math.random() * whole.seen);
    const { stdout, signal } = await killAfter(place, batch(round), ticks);
    if (signal) kills += 1;
    printed.push(...keyStrings(stdout));
  }
  expect(kills).toBeGreaterThan(0);
  const keys = await place.keys();
  const ids = new Set(keys.map(({ id }) => id));
  expect(printed.filter((keyString) => !ids.has(keyString.slice(10, 22)))).toEqual([]);
  for (const round of rounds) expect([0, 3]).toContain(keys.filter(({ name }) => name.startsWith(`${round}-`)).length);
  expect(await place.health()).toEqual(SOUND);
});

test.each<[string, (place: Place) => void, string[]]>([
  ['-shm lost', (place) => rmSync(`${place.store}-shm`), ['first', 'second']],
  ['-shm scrambled', (place) => writeFileSync(`${place.store}-shm`, Buffer.alloc(32_768, 0x5a)), ['first', 'second']],
  ['-wal lost', (place) => rmSync(`${place.store}-wal`), ['first']],
  ['-wal scrambled', (place) => writeFileSync(`${place.store}-wal`, Buffer.alloc(32_768, 0x5a)), ['first']],
])('with its %s after a kill, the store holds whole changes only', async (_, spoil, names) => {
  const place = new Place();
  const keyString = await place.key('first');
  await place.tool(CREATE, { node: killAt(place, 'after-commit') });
  expect(existsSync(`${place.store}-wal`)).toBe(true);
  spoil(place);
  expect(await place.names()).toEqual(names);
  expect(await place.verdict(keyString)).toBe('valid');
  expect(await place.health()).toEqual(SOUND);
  await place.key('third');
  expect(await place.names()).toEqual([...names, 'third']);
});

test('a copy that is killed at any point of its writes is completed by the same command, and the source goes on', async () => {
  let unfinished = 0;
  for (let nth = 1; ; nth++) {
    const place = new Place();
    await place.key('first');
    await place.look(['disable', 'first']);
    const copy = ['store', 'copy', place.store, 'copy.db'];
    const run = await place.tool(copy, { node: killAt(place, 'any', nth) });
    if (run.signal === null) break;
    const list = ['list', '--store', 'copy.db', '-o', 'value', '--fields', 'name'];
    const cut = await place.look(list);
    if (cut.exitCode !== 0) {
      expect(cut).toMatchObject({ exitCode: 8, stdout: '' });
      if (cut.stderr.includes('store finish')) unfinished += 1;
    }
    expect(await place.names()).toEqual(['first']);
    expect((await place.look(copy)).exitCode).toBe(0);
    expect((await place.look(list)).stdout).toBe('first\n');
    expect((await place.look(['audit', 'verify', '--store', 'copy.db'])).exitCode).toBe(0);
    expect(await place.health()).toEqual(SOUND);
  }
  expect(unfinished).toBeGreaterThan(2);
});

test('a restore that is killed leaves the store that was there, or the backup in its place', async () => {
  const outcomes = new Set<string>();
  const calls = ['linkSync', 'renameSync', 'fsyncSync'];
  for (const [call, when] of calls.flatMap((name) => [[name, 'before'] as const, [name, 'after'] as const])) {
    const place = new Place();
    await place.key('first');
    await place.look(['store', 'backup', 'backup.db']);
    await place.key('second');
    const preload = place.write(
      'preload.cjs',
      `const fs = require('node:fs'); const real = fs.${call}; const kill = () => process.kill(process.pid, 'SIGKILL');
       fs.${call} = (...args) => { if ('${when}' === 'before') kill(); const done = real(...args); kill(); return done; };
       require('node:module').syncBuiltinESMExports();`,
    );
    const run = await place.tool(['store', 'restore', 'backup.db', '--yes'], { node: ['-r', preload] });
    expect(run.signal, `${when} ${call}`).toBe('SIGKILL');
    expect((await place.look(['store', 'restore', 'backup.db', '--yes'])).exitCode, `${when} ${call}`).toBe(0);
    expect(await place.names()).toEqual(['first']);
    expect(await place.health()).toEqual(SOUND);
    outcomes.add(`${when} ${call}`);
  }
  expect(outcomes.size).toBe(6);
});
