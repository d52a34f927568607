import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { keyStrings, Place, SOUND } from '../support/built-tool.js';
import { CASES, found, GITHUB, MANIFEST, NEW, startTool, whenSaid } from '../support/endings.js';
import { atPoint } from '../support/preloads.js';

// From the moment that a key exists until it was handed over, each kind of end of a real process. Whatever can be caught leaves no active key
// that nobody has, says so, and is never exit 0. What cannot be caught is found by the same command. Every command with every sink ends in
// test/cli/endings.test.ts, in the process of the test.

/** The other commands than `create`, each with another kind of sink: stdout, a file, a program, a directory. */
const OTHERS: Record<string, string> = {
  'create several': '-o value',
  rotate: '--key-file',
  'create --if-exists replace': '--pipe',
  apply: '--key-dir',
};

/** Every sink with `create`, and every other command with one sink. */
const EACH = CASES.filter(({ command, sink }) => command === 'create' || OTHERS[command] === sink);

/** Every sink with `create`, and every other command with each kind of sink: which run it repeats, a command tells from both. */
const EACH_KIND = CASES.filter(({ command, sink }) => command === 'create' || Object.values(OTHERS).includes(sink));

/** A machine with a key `old`, a manifest, the files of a runner, a clipboard, and a program that takes a key string. */
async function machine(program = 'cat >> taken'): Promise<{ place: Place; old: string; env: Record<string, string> }> {
  const place = new Place();
  place.clipboard();
  place.write('keys.yaml', MANIFEST);
  place.write('takes-it', `#!/bin/bash\n${program}\n`, 0o755);
  const env = { GITHUB_ENV: place.write('runner-env', 'A=1\n'), GITHUB_OUTPUT: place.write('runner-out', 'A=1\n') };
  return { place, old: await place.key('old'), env };
}

/** The keys that work, but whose key strings are nowhere. */
async function orphans(place: Place, known: readonly string[]): Promise<string[]> {
  const ids = known.map((keyString) => keyString.slice(10, 22));
  return (await place.keys())
    .filter(({ id, status }) => status === 'active' && !ids.includes(id))
    .map(({ name }) => name);
}

describe.each(EACH)('$command $sink', ({ args, names, env: ofSink, sink }) => {
  test('SIGTERM right after the keys are stored', async () => {
    const { place, old, env } = await machine();
    const node = atPoint(place, 'after-commit', 1, "process.kill(process.pid, 'SIGTERM');");
    const { ended } = startTool(place, args, { env: { ...env, ...ofSink }, node });
    const { exitCode, signal: by, stdout, stderr } = await ended;
    const have = exitCode === 0 ? found(place.dir, stdout) : [];
    if (exitCode === 0) {
      expect(have.length, stderr).toBeGreaterThanOrEqual(names.length); // the signal came when everybody had them
    } else {
      expect({ exitCode, by }).toEqual({ exitCode: 1, by: null });
      expect(stderr).toMatch(/could not be delivered \(interrupted by SIG\w+\), so the keys? (was|were) disabled/);
    }
    expect(await orphans(place, [old, ...have])).toEqual([]);
    expect(await place.health()).toEqual(SOUND);
  });

  test.each(
    args[0] === 'create' && sink === '-o value' ? ['2> /dev/full', '2> >(exec 0<&-)', '2>&-'] : ['2> /dev/full'],
  )('stderr with %s', async (streams) => {
    const { place, old, env } = await machine();
    const { ended } = startTool(place, args, { env: { ...env, ...ofSink }, streams });
    const { exitCode, stdout } = await ended;
    const have = exitCode === 0 ? found(place.dir, stdout) : [];
    if (exitCode === 0) expect(have.length).toBeGreaterThanOrEqual(names.length);
    expect(await orphans(place, [old, ...have])).toEqual([]);
  });
});

describe.each(EACH_KIND)('$command $sink', ({ args, env: ofSink, sink }) => {
  test('SIGKILL right after the keys are stored: the same command finds them, and says so', async () => {
    const { place, old, env } = await machine();
    const node = atPoint(place, 'after-commit', 1, "process.kill(process.pid, 'SIGKILL');");
    const all = { ...env, ...ofSink };
    const killed = await startTool(place, args, { env: all, node }).ended;
    expect(killed.signal).toBe('SIGKILL');
    expect(keyStrings(killed.stdout)).toEqual([]);
    rmSync(place.file('new.key'), { force: true }); // empty, and never overwritten
    const again = await startTool(place, args, { env: all }).ended;
    expect(again.exitCode, again.stderr).toBe(0);
    expect(await orphans(place, [old, ...found(place.dir, again.stdout)])).toEqual([]);
    if (sink !== '--json') expect(again.stderr).toMatch(/did not deliver|Created again/);
    expect(await place.health()).toEqual(SOUND);
  });
});

describe.each(EACH.filter(({ isStdout }) => isStdout))('$command $sink', ({ args }) => {
  test.each(['> /dev/full', '> >(exec 0<&-; cat /dev/null)'])('stdout with %s', async (streams) => {
    const { place, old } = await machine();
    const gone = streams.includes('full') ? streams : '';
    const { child, ended } = startTool(place, args, { streams: gone });
    if (gone === '') child.stdout?.destroy();
    const { exitCode, stderr } = await ended;
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/could not be delivered \((ENOSPC|EPIPE)\), so the keys? (was|were) disabled/);
    expect(await orphans(place, [old])).toEqual([]);
  });
});

const PIPES = CASES.filter(({ sink }) => sink === '--pipe');
const [PIPE, ...MORE_PIPES] = PIPES;

test.each([
  ...(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const).map((signal) => ({ ...PIPE, signal })),
  ...MORE_PIPES.map((each) => ({ ...each, signal: 'SIGTERM' as const })),
])('$command $sink: $signal while the program hangs', async ({ args = [], signal }) => {
  const { place, old, env } = await machine('echo up $$ >&2; exec sleep 600');
  const { child, ended } = startTool(place, args, { env });
  whenSaid(child, 'up', () => child.kill(signal));
  const { exitCode, stderr } = await ended;
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`(interrupted by ${signal}), so the key was disabled`);
  expect(await orphans(place, [old])).toEqual([]);
  const pid = Number(/up (\d+)/.exec(stderr)?.[1]);
  expect(() => process.kill(pid, 0)).toThrow(); // it is gone, too
});

test.each([
  ['trap "" INT TERM; echo up $$ >&2; while :; do sleep 0.1; done', 'SIGINT'],
  ['kill -9 $$', null],
] as const)('--pipe to a program that does %j', async (program, signal) => {
  const { place, old, env } = await machine(program);
  const { child, ended } = startTool(place, PIPE?.args ?? [], { env });
  if (signal) whenSaid(child, 'up', () => child.kill(signal));
  const { exitCode, stderr } = await ended;
  expect(exitCode).toBe(1);
  expect(stderr).toContain('so the key was disabled');
  expect(await orphans(place, [old])).toEqual([]);
});

describe('run', () => {
  const RUN = ['run', '-s', 'plan:read', '--name', 'job', '--', './takes-it'];

  test.each([
    ['2> /dev/full', {}],
    ['2> /dev/full', GITHUB],
    ['2>&-', GITHUB],
  ])('%s %j: the program runs with a key, or the key is gone and the exit code says so', async (streams, more) => {
    const { place, old, env } = await machine('echo ran > ran');
    const { exitCode } = await startTool(place, RUN, { env: { ...env, ...more }, streams }).ended;
    expect(exitCode === 0).toBe(existsSync(place.file('ran')));
    expect(await orphans(place, [old])).toEqual([]);
    expect(await place.names()).toEqual(['old']);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s before the program starts', async (signal) => {
    const { place, env } = await machine('echo ran > ran; exec sleep 600');
    const node = atPoint(place, 'before-commit', 1, `process.kill(process.pid, '${signal}');`);
    const { exitCode, stderr } = await startTool(place, RUN, { env, node }).ended;
    expect(exitCode, stderr).not.toBe(0);
    expect(await place.names()).toEqual(['old']);
  });

  test('a key that SIGKILL left before its program started gives way to the next', async () => {
    const { place, env } = await machine('true');
    const node = atPoint(place, 'after-commit', 1, "process.kill(process.pid, 'SIGKILL');");
    expect((await startTool(place, RUN, { env, node }).ended).signal).toBe('SIGKILL');
    expect((await startTool(place, RUN, { env }).ended).exitCode).toBe(0);
    expect(await place.names()).toEqual(['old']);
  });
});

test('a signal while a reader of stdout keeps the tool waiting', async () => {
  const { place, old } = await machine();
  mkdirSync(place.file('pipes'));
  await place.run('mkfifo', [place.file('pipes/out')]);
  // More than the 64 KiB that a pipe holds, from few keys.
  const names = Array.from({ length: 36 }, (_, i) => `new-${i}`);
  const { child, ended } = startTool(place, ['create', ...names, ...NEW, '-d', '\u{1f511}'.repeat(500), '--json'], {
    streams: '3<> pipes/out > pipes/out',
    node: atPoint(
      place,
      'after-commit',
      1,
      `const { prototype } = require('node:net').Socket; const { write } = prototype;
       prototype.write = function (...args) {
         setImmediate(() => process.kill(process.pid, 'SIGTERM'));
         return write.apply(this, args);
       };`,
    ),
  });
  const { exitCode, stderr } = await ended;
  expect(child.exitCode, stderr).toBe(1);
  expect(exitCode).toBe(1);
  expect(await orphans(place, [old])).toEqual([]);
});
