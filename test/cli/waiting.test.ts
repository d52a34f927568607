import { expect, test } from 'vitest';
import type { Context } from '../../src/cli/context.js';
import { Waiting } from '../../src/cli/output/waiting.js';
import { faultyProxy } from '../support/faulty-proxy.js';
import { openRaw } from '../support/raw-database.js';
import { startSqld } from '../support/sqld.js';
import { DEFAULT_ENGINE } from '../support/stores.js';
import { testCli } from '../support/test-cli.js';

const WIPE = '\r\u001b[K';

/** A terminal, and a clock that `pass` moves on by a second. */
function terminal({
  isTTY = true,
  ci = null as Context['ci'],
  env = { TERM: 'xterm' },
  quiet = false,
  columns = 80,
} = {}) {
  const said: string[] = [];
  const due = new Set<() => void>();
  const ctx = {
    stderr: { isTTY, columns: () => columns, write: (text: string) => said.push(text) },
    ci,
    env,
    after: (_: number, act: () => void) => {
      due.add(act);
      return () => void due.delete(act);
    },
  } as unknown as Context;
  const pass = () => {
    for (const act of [...due]) act();
  };
  return { said, pass, waiting: new Waiting(ctx, quiet) };
}

test('after a second it says what it waits for, and takes that away when it goes on', () => {
  const { said, pass, waiting } = terminal();
  const end = waiting.begin('Waiting for a …');
  expect(said).toEqual([]);
  pass();
  expect(said).toEqual(['Waiting for a …']);
  end();
  end();
  expect(said).toEqual(['Waiting for a …', WIPE]);
});

test('what ends within a second is not spoken of', () => {
  const { said, pass, waiting } = terminal();
  waiting.begin('Waiting for a …')();
  pass();
  expect(said).toEqual([]);
});

test.each([
  ['off a terminal', { isTTY: false }],
  ['with --quiet', { quiet: true }],
  ['in CI', { ci: { name: 'CI' } }],
])('it says nothing %s', (_, where) => {
  const { said, pass, waiting } = terminal(where);
  const end = waiting.begin('Waiting for a …');
  pass();
  end();
  waiting.begin('Waiting for a lock …', { now: true })();
  expect(said).toEqual([]);
});

test('of several waits one is spoken of; those that are dismissed leave nothing behind', () => {
  const { said, pass, waiting } = terminal();
  const ends = [waiting.begin('Waiting for a …'), waiting.begin('Waiting for b …')];
  pass();
  waiting.dismiss();
  for (const end of ends) end();
  expect(said).toEqual(['Waiting for a …', WIPE]);
});

test('it stays on one line, without escapes; a terminal that cannot wipe keeps it', () => {
  const narrow = terminal({ columns: 20 });
  narrow.waiting.begin('Waiting for /tmp/名前\u001b[2J/keys.db …', { now: true });
  expect(narrow.said).toEqual(['Waiting for /tmp/…']);
  const dumb = terminal({ env: { TERM: 'dumb' } });
  dumb.waiting.begin('Waiting for a …', { now: true })();
  expect(dumb.said).toEqual(['Waiting for a …\n']);
});

test('a server that does not answer is named until it does', async () => {
  const server = await startSqld();
  const proxy = await faultyProxy(server.url);
  const cli = testCli().atTerminal();
  cli.env = { ...cli.env, UNLOCKOS_KEYS_STORE: proxy.url, UNLOCKOS_KEYS_AUTH_TOKEN: server.token };
  await cli.create('a', '--test');
  const held = new Promise<void>((said) => {
    cli.after = (_, act) => {
      act();
      said();
      return () => {};
    };
  });
  proxy.at(1, { holdUntil: held });
  const { stdout, stderr } = await cli.run('list');
  expect(stderr).toContain(`Waiting for ${new URL(proxy.url).host} (up to 10 s) …${WIPE}`);
  expect(stdout).toMatch(/^a +unlk_test_/m);
  cli.tty.stderr = false;
  expect((await cli.run('list')).stderr).not.toContain('Waiting');
});

test('another process that holds the lock of a local store is spoken of, and waited for', async () => {
  const cli = testCli().atTerminal();
  await cli.create('a', '--test');
  const other = openRaw(cli.store, DEFAULT_ENGINE);
  other.exec('BEGIN IMMEDIATE');
  cli.onStderr = (text) => text.startsWith('Waiting') && other.exec('ROLLBACK');
  const { exitCode, stderr } = await cli.run('disable', 'a', '--yes');
  other.close();
  expect(stderr).toContain(`Waiting for another process that uses the store (up to 5 s) …${WIPE}`);
  expect(exitCode).toBe(0);
});

test('a program that takes its time with a key string is spoken of, on a line of its own', async () => {
  const cli = testCli().atTerminal();
  cli.after = (_, act) => {
    act();
    return () => {};
  };
  const made = ['create', 'a', '--test', '-s', 'plan:read', '--pipe', '--', 'sh', '-c', 'cat >"$OUT"'];
  cli.env = { ...cli.env, OUT: `${cli.dir}/out`, PATH: process.env.PATH };
  const { exitCode, stderr } = await cli.run(...made);
  expect(stderr).toContain('Waiting for "sh", which got the key string of "a" …\n');
  expect(exitCode).toBe(0);
});
