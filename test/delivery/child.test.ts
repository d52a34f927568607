import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../src/cli/context.js';
import {
  childEnv,
  feedChild,
  NOT_EXECUTABLE,
  NOT_FOUND,
  programStatus,
  startChild,
} from '../../src/cli/delivery/child.js';
import { OUR_SECRETS } from '../../src/cli/settings/our-secrets.js';
import { scratch } from '../support/stores.js';

const SH = '/bin/sh';

/** What a program is given of a run, in a folder of its own. `foreground`: whether a terminal sends signals to us and to it. */
function context(foreground = false) {
  const dir = scratch();
  const heard: { signals: readonly NodeJS.Signals[]; hear: (signal: NodeJS.Signals) => void }[] = [];
  const at = { foreground };
  const ctx = {
    env: { PATH: '/usr/bin:/bin', MINE: 'x' } as Record<string, string | undefined>,
    cwd: dir,
    platform: 'linux',
    foreground: () => at.foreground,
    onSignals(signals: readonly NodeJS.Signals[], hear: (signal: NodeJS.Signals) => void) {
      const own = { signals, hear };
      heard.push(own);
      return () => void heard.splice(heard.indexOf(own), 1);
    },
  };
  const put = (name: string, text: string, mode = 0o755) => {
    writeFileSync(path.join(dir, name), text);
    chmodSync(path.join(dir, name), mode);
  };
  return { dir, ctx: ctx as unknown as Context, env: ctx.env, heard, put, at };
}

test('a child inherits all but our secrets, and gets what is meant for it', () => {
  const { ctx, env } = context();
  for (const name of OUR_SECRETS) env[name] = 'hunter2';
  env.GONE = undefined;
  const given = childEnv(ctx, { KEY: 'k', MINE: 'y' });
  expect(given).toEqual({ PATH: '/usr/bin:/bin', MINE: 'y', GONE: undefined, KEY: 'k' });
  expect(OUR_SECRETS.length).toBeGreaterThan(3);
});

describe('a program is looked for as a shell does', () => {
  const scene = () => {
    const all = context();
    const { dir, put } = all;
    put('run', '#!/bin/sh\n');
    put('text', 'x', 0o644);
    mkdirSync(path.join(dir, 'bin'));
    mkdirSync(path.join(dir, 'other'));
    mkdirSync(path.join(dir, 'bin/folder'));
    put('bin/tool', '#!/bin/sh\n');
    put('bin/plain', 'x', 0o644);
    put('other/plain', '#!/bin/sh\n');
    put('bin/tool.exe', '#!/bin/sh\n');
    symlinkSync('nowhere', path.join(dir, 'bin/link'));
    return all;
  };

  test.each([
    ['', NOT_FOUND, 'bin'],
    ['./run', 0, 'bin'],
    ['bin/tool', 0, ''],
    ['./text', NOT_EXECUTABLE, 'bin'],
    ['./bin', NOT_EXECUTABLE, 'bin'],
    ['./none', NOT_FOUND, 'bin'],
    ['./text/none', NOT_FOUND, 'bin'],
    ['tool', 0, 'bin'],
    ['tool', 0, 'none:bin'],
    ['tool', NOT_FOUND, 'none'],
    ['run', NOT_FOUND, 'bin'],
    ['folder', NOT_EXECUTABLE, 'bin'],
    ['link', NOT_FOUND, 'bin'],
    ['plain', NOT_EXECUTABLE, 'bin'],
    ['plain', 0, 'bin:other'],
    ['plain', NOT_EXECUTABLE, 'none:bin'],
  ])('%j is %i where PATH is %j', (program, status, places) => {
    const { ctx, env } = scene();
    expect(programStatus(program, { ...ctx, env: { ...env, PATH: places } })).toBe(status);
  });

  test('without PATH, only a path finds one', () => {
    const { ctx, dir } = scene();
    const bare = { ...ctx, cwd: path.join(dir, 'bin/folder'), env: {} };
    expect([programStatus('tool', bare), programStatus('../tool', bare)]).toEqual([NOT_FOUND, 0]);
  });

  test('on Windows, also by its name without the ending', () => {
    const { ctx, put } = scene();
    put('bin/only.exe', '#!/bin/sh\n');
    const at = (platform: NodeJS.Platform) => programStatus('only', { ...ctx, platform, env: { PATH: 'bin' } });
    expect([at('win32'), at('linux')]).toEqual([0, NOT_FOUND]);
  });
});

describe('a program that is fed', () => {
  const feed = (script: string, text = 'the text', foreground = false) => {
    const all = context(foreground);
    return { ...all, fed: feedChild([SH, '-c', script, 'sh', 'a b'], all.ctx, childEnv(all.ctx, { OWN: 'y' }), text) };
  };

  test('gets exactly the text, its words, its variables and its folder', async () => {
    const { dir, fed } = feed('cat > got; echo "$1|$OWN|$MINE" > words');
    expect(await fed.failure).toBeNull();
    await fed.end();
    const read = (name: string) => readFileSync(path.join(dir, name), 'utf8');
    expect([read('got'), read('words')]).toEqual(['the text', 'a b|y|x\n']);
  });

  test.each([
    ['exit 3', 'ended with exit 3'],
    ['kill -TERM $$', 'ended with SIGTERM'],
    ['exec <&-; exit 0', null],
  ])('and does: %s', async (script, failure) => {
    expect(await feed(script, 'x'.repeat(1_000_000)).fed.failure).toBe(failure);
  });

  test('and cannot be started says why', async () => {
    const { ctx, put } = context();
    put('broken', '#!/nowhere/interpreter\n');
    put('empty', '');
    const failure = (program: string) => feedChild([program], ctx, {}, 'x').failure;
    expect(await failure('./broken')).toBe(
      'could not be started: the interpreter that its first line names does not exist',
    );
    put('closed', '#!/bin/sh\n', 0o644);
    expect(await failure('./closed')).toBe('could not be started: EACCES');
  });

  test.each<[NodeJS.Signals, boolean, boolean]>([
    ['SIGINT', false, true],
    ['SIGTERM', false, true],
    ['SIGTERM', true, true],
    ['SIGINT', true, false],
    ['SIGQUIT', true, false],
  ])('is sent %s, unless a terminal sends it by itself (%j): %j', async (signal, foreground, isSent) => {
    const { fed } = feed('read line; kill -USR1 $$', 'no line', foreground);
    fed.pass(signal);
    expect(await fed.failure).toBe(`ended with ${isSent ? signal : 'SIGUSR1'}`);
  });

  test('is sent SIGHUP unless its terminal hung up, which tells it by itself', async () => {
    for (const [before, after, isSent] of [
      [true, false, false],
      [true, true, true],
      [false, false, true],
    ] as const) {
      const { fed, at } = feed('read line; kill -USR1 $$', 'no line', before);
      at.foreground = after;
      fed.pass('SIGHUP');
      expect(await fed.failure).toBe(`ended with ${isSent ? 'SIGHUP' : 'SIGUSR1'}`);
    }
  });
});

describe('a program that is started', () => {
  const start = (script: string) => {
    const all = context();
    return { ...all, child: startChild([SH, '-c', script], all.ctx, childEnv(all.ctx, {})) };
  };

  test.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
  ])('and does %s ends with %i', async (script, code) => {
    const { child, heard } = start(script);
    expect([await child.exitCode, child.failure()]).toEqual([code, null]);
    expect(heard).toEqual([]);
  });

  test('gets the signals that we get, until it ends', async () => {
    const { child, heard, dir } = start('trap "exit 9" TERM; : > ready; while :; do sleep 0.01; done');
    await expect.poll(() => readdirSync(dir)).toContain('ready');
    expect(heard).toHaveLength(1);
    expect(heard[0]?.signals.toSorted()).toEqual(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2']);
    heard[0]?.hear('SIGTERM');
    expect(await child.exitCode).toBe(9);
    expect(heard).toEqual([]);
  });

  test('and cannot be has the exit code of a shell, and the reason', async () => {
    const { ctx, put } = context();
    put('broken', '#!/nowhere/interpreter\n');
    put('closed', '#!/bin/sh\n', 0o644);
    const broken = startChild(['./broken'], ctx, {});
    expect([await broken.exitCode, broken.failure()]).toEqual([NOT_FOUND, expect.stringContaining('the interpreter')]);
    const closed = startChild(['./closed'], ctx, {});
    expect([await closed.exitCode, closed.failure()]).toEqual([NOT_EXECUTABLE, 'EACCES']);
  });
});
