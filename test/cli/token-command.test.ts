import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Context } from '../../src/cli/context.js';
import { runTokenCommand } from '../../src/cli/settings/token-command.js';
import { isRunning } from '../support/processes.js';

/** Runs commands, and collects what is said. `$DIR` is an empty directory. */
function world() {
  const dir = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'unlk-token-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const said: string[] = [];
  const ctx = {
    env: { ...process.env, DIR: dir },
    platform: process.platform,
    ci: null,
    stderr: { isTTY: true, write: (text: string) => said.push(text) },
    onSignals: () => () => {},
  } as unknown as Context;
  const sh = (script: string, timeoutMs: number, maxBytes = 65_536) =>
    runTokenCommand(['sh', '-c', script], ctx, { cwd: dir, timeoutMs, maxBytes });
  /** The processes that a script wrote the ids of. */
  const pids = () => readFileSync(path.join(dir, 'pids'), 'utf8').trim().split('\n').map(Number);
  return { dir, sh, said, pids };
}

const IGNORES = 'trap "" TERM; echo $$ >>"$DIR/pids"; while :; do sleep 1; done';

test.each([
  ['sleeps', 'echo $$ >>"$DIR/pids"; sleep 600'],
  ['ignores TERM', IGNORES],
  ['waits for a grandchild that ignores TERM', `sh -c '${IGNORES}' & echo $$ >>"$DIR/pids"; wait`],
  ['waits for a grandchild of a session of its own', `setsid sh -c '${IGNORES}' & wait`],
  ['ended its output', `exec >&-; ${IGNORES}`],
])('a command that %s is ended with all that it started', async (_, script) => {
  const { sh, pids, said } = world();
  await expect(sh(script, 1200)).rejects.toThrow('it took more than 1.2 s');
  expect(pids().length).toBeGreaterThan(0);
  expect(pids().filter(isRunning)).toEqual([]);
  expect(said).toEqual(['Waiting for the token command "sh" (up to 1.2 s)\n']);
});

test('a command that writes without end is ended', async () => {
  const { sh, pids } = world();
  await expect(sh('echo $$ >>"$DIR/pids"; yes', 60_000, 1000)).rejects.toThrow('it wrote too much');
  expect(pids().filter(isRunning)).toEqual([]);
});

test('its output is whole, and what keeps it open is not waited for', async () => {
  const { sh, said } = world();
  expect(await sh('echo token', 60_000)).toBe('token\n');
  expect(await sh('sleep 1 2>/dev/null & echo token', 60_000)).toBe('token\n');
  expect(await sh('cat; echo token', 60_000)).toBe('token\n');
  expect((await sh('head -c 60000 /dev/zero | tr "\\0" a', 60_000)).length).toBe(60_000);
  expect(said).toEqual([]);
});

test('it runs where the configuration is', async () => {
  const { dir, sh } = world();
  expect(await sh('pwd', 60_000)).toBe(`${dir}\n`);
});
