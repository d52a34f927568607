import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { keyStrings } from '../support/built-tool.js';
import { CASES, found, MANIFEST } from '../support/endings.js';
import { type TestCli, testCli } from '../support/test-cli.js';

// Every command that makes keys, with every sink, cut short between the moment that the keys are stored and their delivery: no active key
// is left that nobody has. How real processes end: test/e2e/endings.test.ts.

/** A machine with a key `old`, a manifest, the files of a runner, and a program that takes a key string or does something else. */
async function machine(
  more: Record<string, string> = {},
  program = 'cat >> taken',
): Promise<{ cli: TestCli; old: string }> {
  const cli = testCli();
  const write = (name: string, text: string, mode = 0o644) => {
    const file = path.join(cli.dir, name);
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  };
  write('keys.yaml', MANIFEST);
  write('takes-it', `#!/bin/bash\n${program}\n`, 0o755);
  Object.assign(cli.env, {
    PATH: process.env.PATH,
    GITHUB_ENV: write('runner-env', 'A=1\n'),
    GITHUB_OUTPUT: write('runner-out', 'A=1\n'),
    ...more,
  });
  const { keyString } = await cli.create('old', '--test');
  return { cli, old: keyString };
}

/** The keys that work, but that none of these key strings belongs to. */
async function orphans(cli: TestCli, have: readonly string[]): Promise<string[]> {
  cli.broken = {};
  const ids = have.map((keyString) => keyString.slice(10, 22));
  const keys: { id: string; name: string; status: string }[] = await cli.json('list');
  return keys.filter(({ id, status }) => status === 'active' && !ids.includes(id)).map(({ name }) => name);
}

const taken = (cli: TestCli, stdout: string) => [...found(cli.dir, stdout), ...keyStrings(cli.clipboard.copied.join())];

/** What is said of these keys when nobody got them. */
const disabled = (names: readonly string[]) =>
  names.length > 1 ? 'so the keys were disabled' : 'so the key was disabled';

describe.each(CASES)('$command $sink', ({ args, names, env }) => {
  test('a signal right after the keys are stored', async () => {
    const { cli, old } = await machine(env);
    const atCommit = (point: unknown) => void (point === 'after-commit' && cli.signals.emit('SIGTERM', 'SIGTERM'));
    subscribe('unlockos-keys:write', atCommit);
    onTestFinished(() => void unsubscribe('unlockos-keys:write', atCommit));
    const { exitCode, stderr } = await cli.run(...args);
    expect(exitCode, stderr).toBe(1);
    expect(stderr).toContain('could not be delivered (interrupted by SIGTERM), ');
    expect(stderr).toContain(disabled(names));
    expect(await orphans(cli, [old])).toEqual([]);
  });

  test('stderr is gone', async () => {
    const { cli, old } = await machine(env);
    cli.broken = { stderr: 'ENOSPC' };
    const { exitCode, stdout } = await cli.run(...args);
    const have = exitCode === 0 ? taken(cli, stdout) : [];
    if (exitCode === 0) expect(have.length).toBeGreaterThanOrEqual(names.length);
    expect(await orphans(cli, [old, ...have])).toEqual([]);
  });
});

describe.each(CASES.filter(({ isStdout }) => isStdout))('$command $sink', ({ args, names }) => {
  test.each(['ENOSPC', 'EPIPE'])('stdout is gone: %s', async (code) => {
    const { cli, old } = await machine();
    cli.broken = { stdout: code };
    const { exitCode, stderr } = await cli.run(...args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`could not be delivered (${code}), ${disabled(names)}`);
    expect(await orphans(cli, [old])).toEqual([]);
  });
});

test.each(CASES.filter(({ sink }) => sink === '--pipe'))('$command $sink: the program fails', async ({
  args,
  names,
}) => {
  const { cli, old } = await machine({}, 'exit 3');
  const { exitCode, stderr } = await cli.run(...args);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(disabled(names));
  expect(await orphans(cli, [old])).toEqual([]);
});
