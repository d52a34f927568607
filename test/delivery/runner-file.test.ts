import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { githubEnv, githubOutput } from '../../src/cli/delivery/github-file.js';
import { refusal } from '../support/refusal.js';
import { keyString, MADE, sinkWorld } from '../support/sink-world.js';

describe.each([
  ['GITHUB_ENV', githubEnv],
  ['GITHUB_OUTPUT', githubOutput],
])('the file of the runner in %s', (variable, kind) => {
  const runner = (before: string) => {
    const env: Record<string, string> = { GITHUB_ACTIONS: 'true' };
    const made = sinkWorld(env);
    env[variable] = made.at('runner');
    writeFileSync(made.at('runner'), before);
    return { ...made, env, sink: kind.open('KEY', made.world), whole: () => made.text('runner') };
  };

  test.each([
    ['nothing', '', ''],
    ['a line', 'A=1\n', ''],
    ['a line without its end', 'A=1', '\n'],
    ['a value of several lines', 'A<<END\nx=<<y\nEND\n', ''],
    ['a value of several lines, as on Windows', 'A<<END\r\nx\r\nEND\r\n', ''],
    ['an equals sign before two less-than signs', 'A=b<<c\n', ''],
    ['two less-than signs that name no end', 'A<<\n', ''],
  ])('that holds %s gets a line of its own, and loses it again', async (_, before, between) => {
    const { sink, whole } = runner(before);
    await sink.probe();
    expect(whole()).toBe(before);
    await sink.abandon();
    expect(whole()).toBe(before);
    await sink.deliver(MADE);
    expect(whole()).toBe(`${before}${between}KEY=${keyString}\n`);
    await sink.abandon();
    await sink.abandon();
    expect(whole()).toBe(before);
  });

  test.each([
    ['A<<END\n', 'END'],
    ['A<<END\nEND \n', 'END'],
    ['A<<END\nEND\nB<<X Y\nEND\n', 'X Y'],
    ['A<<b<<c\nc\n', 'b<<c'],
  ])('that ends inside a value is refused, now and later: %j', async (before, end) => {
    const { sink, whole } = runner(before);
    const says = { code: 'usage', hint: expect.stringContaining(`has to end it with "${end}"`) };
    expect(refusal(() => sink.probe())).toMatchObject(says);
    expect(refusal(() => sink.deliver(MADE))).toMatchObject(says);
    await sink.abandon();
    expect(whole()).toBe(before);
  });

  test('that another program has written to since is left alone', async () => {
    const { sink, whole, at } = runner('A=1\n');
    await sink.deliver(MADE);
    appendFileSync(at('runner'), 'B=2\n');
    await sink.abandon();
    expect(whole()).toBe(`A=1\nKEY=${keyString}\nB=2\n`);
    const other = runner('A=1\n');
    await other.sink.deliver(MADE);
    writeFileSync(other.at('runner'), 'B=2\n');
    await other.sink.abandon();
    expect(other.whole()).toBe('B=2\n');
  });

  test('of which the disk took only a part loses that part', async () => {
    const { sink, whole, at } = runner('A=1\n');
    await sink.deliver(MADE);
    truncateSync(at('runner'), 'A=1\nKEY=unlk'.length);
    await sink.abandon();
    expect(whole()).toBe('A=1\n');
  });

  test.each<[string, (file: string) => void, RegExp]>([
    ['gone', () => {}, /there is no such file/],
    ['a link', (file) => symlinkSync('/dev/null', file), /it is a symbolic link/],
    ['a folder', (file) => mkdirSync(file), /it is a directory/],
    ['a pipe', (file) => execFileSync('mkfifo', [file]), /cannot be written/],
  ])('that is %s is refused before a key is made', (_, spoil, says) => {
    const { sink, at } = runner('A=1\n');
    rmSync(at('runner'));
    spoil(at('runner'));
    const error = refusal(() => sink.probe());
    expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(says) });
    expect(error.hint).toContain(at('runner'));
  });

  test.each([
    [{ GITHUB_ACTIONS: 'false' }, 'GITHUB_ACTIONS is not true'],
    [{ GITHUB_ACTIONS: 'true' }, `${variable} is not set`],
  ])('outside of a job is refused: %j', (env, why) => {
    const error = refusal(() => kind.open('KEY', sinkWorld(env).world).probe());
    expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(`(${why})`) });
  });
});

test('an output of a step may be called as it likes; a variable of the job may not change how programs run', () => {
  const { world: own } = sinkWorld();
  expect(githubOutput.open('PATH', own).label).toBe('GITHUB_OUTPUT as PATH');
  expect(refusal(() => githubEnv.open('PATH', own))).toMatchObject({ code: 'usage' });
  for (const kind of [githubEnv, githubOutput])
    expect(refusal(() => kind.open('A\nB', own))).toMatchObject({ code: 'usage' });
});
