import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAX_ID_TOKEN, readIdToken } from '../../src/issue-client/id-token.js';
import { idTokenInFile } from '../../src/issue-client/id-token-file.js';
import { findIdTokens, ID_TOKEN_VARIABLE } from '../../src/issue-client/index.js';
import { faultyIssuer, idToken } from '../support/faulty-issuer.js';
import { refused } from '../support/manifests.js';
import { refusal } from '../support/refusal.js';
import { scratch } from '../support/stores.js';

const ORIGIN = 'https://keys.acme.example';
const [ONE, TWO] = [idToken(ORIGIN), idToken(ORIGIN)];

describe('what is taken for an ID token', () => {
  const longest = `aa.bb.${'c'.repeat(MAX_ID_TOKEN - 6)}`;

  test.each([ONE, 'aa.bb.cc', 'a-.b_.c0', longest])('%.40s is, with or without a line end', (token) => {
    for (const end of ['', '\n', '\r\n']) expect(readIdToken(`${token}${end}`, 'x')).toBe(token);
  });

  test.each([
    'hunter2',
    'aa.bb',
    'aa.bb.',
    '.bb.cc',
    'aa..cc',
    'a.bb.cc',
    'aa.b.cc',
    'aa.bb.c',
    'aa.bb.cc.dd',
    ' aa.bb.cc',
    'aa.bb.cc ',
    'aa.bb.cc\n\n',
    'aa.bb.cc\r',
    'aa.bb.cc\nx',
    'x\naa.bb.cc',
    'aa.bb.c=',
    'aa.bb.c+/',
    'áá.bb.cc',
    `${longest}c`,
  ])('%.40j is not, and is not repeated', (text) => {
    const error = refusal(() => readIdToken(text, 'the variable X'));
    expect(error).toMatchObject({
      code: 'unauthorized',
      message: 'the variable X does not hold an ID token, so nothing was sent',
      hint: expect.stringMatching(/signed JWT/),
    });
  });

  test.each(['', '\n', '\r\n'])('%j is nothing', (text) => {
    expect(refusal(() => readIdToken(text, 'the variable X'))).toMatchObject({
      code: 'unauthorized',
      message: 'the variable X is empty: there is no ID token',
      hint: expect.stringMatching(/help ci/),
    });
  });
});

describe('an ID token in a file', () => {
  const inFile = (text: string) => {
    const file = path.join(scratch(), 'token');
    writeFileSync(file, text);
    return file;
  };

  test('is read again each time: Kubernetes writes another before it expires', async () => {
    const file = inFile(`${ONE}\n`);
    const tokens = idTokenInFile(file, './token');
    expect(tokens).toMatchObject({ source: 'the file "./token"', renewed: false });
    writeFileSync(file, TWO);
    expect([await tokens.next(), await tokens.next()]).toEqual([ONE, TWO]);
    writeFileSync(file, 'hunter2');
    const error = await refused(tokens.next());
    expect(error.message).toBe('the file "./token" does not hold an ID token, so nothing was sent');
    rmSync(file);
    expect((await refused(tokens.next())).message).toBe('cannot read the ID token "./token": there is no such file');
  });

  test('in a pipe is read once, and kept', async () => {
    const pipe = path.join(scratch(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    const writer = spawn('sh', ['-c', 'printf %s "$1" > "$2"', 'sh', ONE, pipe]);
    const ended = once(writer, 'exit');
    const tokens = idTokenInFile(pipe, pipe);
    await ended;
    rmSync(pipe); // to open it once more would wait for another writer
    expect([await tokens.next(), await tokens.next(), await tokens.next()]).toEqual([ONE, ONE, ONE]);
  });

  test.each<[string, (file: string) => void, RegExp]>([
    ['is not there', () => {}, /"token": there is no such file/],
    ['is a directory', (file) => mkdirSync(file), /"token": it is not a regular file/],
    [
      'is too large',
      (file) => writeFileSync(file, 'x'.repeat(2 * MAX_ID_TOKEN + 1)),
      /"token": it is larger than 24 KiB/,
    ],
    ['is empty', (file) => writeFileSync(file, ''), /^the file "token" is empty/],
  ])('that %s is refused at once', (_, spoil, says) => {
    const file = path.join(scratch(), 'token');
    spoil(file);
    const error = refusal(() => idTokenInFile(file, 'token'));
    expect(error.code).toBe('unauthorized');
    expect(error.message).toMatch(says);
    expect(error.message).not.toContain(path.dirname(file));
    expect(error.hint).toMatch(/help ci/);
  });

  test('of twice the length that a token may have is read, and refused as none', () => {
    expect(refusal(() => idTokenInFile(inFile('x'.repeat(2 * MAX_ID_TOKEN)), 'token')).message).toMatch(
      /does not hold/,
    );
  });
});

describe('the ID token of a job', () => {
  const search = (env: Record<string, string>, flags: { variable?: string; file?: string; audience?: string } = {}) => {
    const left = { ...env };
    const { variable, file, audience } = flags;
    const find = () =>
      findIdTokens({
        variable,
        file: file === undefined ? undefined : { shown: path.basename(file), path: file },
        audience,
        origin: ORIGIN,
        env,
        take(name) {
          const value = left[name];
          delete left[name];
          return value || undefined;
        },
        timeoutMs: 2000,
        userAgent: 'test',
        clock: { now: () => 0, wait: async () => {} },
      });
    return { find, left };
  };
  const github = async () => {
    const server = await faultyIssuer();
    const { ACTIONS_ID_TOKEN_REQUEST_URL: url = '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: token = '' } = server.github;
    return { server, env: { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } };
  };

  test('is the one that a flag names, before that of its variable, before that of GitHub', async () => {
    const { env } = await github();
    const file = path.join(scratch(), 'token');
    writeFileSync(file, TWO);
    const all = { ...env, [ID_TOKEN_VARIABLE]: ONE, MINE: TWO };
    expect(search(all, { variable: 'MINE' }).find().source).toBe('the variable MINE');
    expect(search(all, { file }).find().source).toBe('the file "token"');
    expect(search(all).find()).toMatchObject({ source: `the variable ${ID_TOKEN_VARIABLE}`, renewed: false });
    expect(search(env).find()).toMatchObject({ source: expect.stringContaining('GitHub'), renewed: true });
    expect(await search(all, { variable: 'MINE' }).find().next()).toBe(TWO);
    expect(await search(all, { variable: ID_TOKEN_VARIABLE }).find().next()).toBe(ONE);
  });

  test('and all that gives one is taken from the program that gets the key, wherever the token comes from', async () => {
    const { env } = await github();
    const all = { ...env, [ID_TOKEN_VARIABLE]: ONE, MINE: TWO, OTHER: 'x' };
    const file = path.join(scratch(), 'token');
    writeFileSync(file, TWO);
    for (const [flags, kept] of [
      [{}, ['MINE', 'OTHER']],
      [{ variable: 'MINE' }, ['OTHER']],
      [{ file }, ['MINE', 'OTHER']],
    ] as const) {
      const { find, left } = search(all, flags);
      find();
      expect(Object.keys(left)).toEqual(kept);
    }
  });

  test('GitHub is asked for the audience that is given, by default for the server', async () => {
    for (const [audience, asked] of [
      [undefined, ORIGIN],
      ['keys', 'keys'],
    ] as const) {
      const { server, env } = await github();
      await search(env, audience === undefined ? {} : { audience })
        .find()
        .next();
      expect(new URL(server.calls[0]?.path ?? '', ORIGIN).searchParams.get('audience')).toBe(asked);
    }
  });

  test('has its audience already where it is not GitHub that gives it', () => {
    const file = path.join(scratch(), 'token');
    writeFileSync(file, TWO);
    for (const [env, flags, source] of [
      [{ [ID_TOKEN_VARIABLE]: ONE }, {}, ID_TOKEN_VARIABLE],
      [{ MINE: ONE }, { variable: 'MINE' }, 'MINE'],
      [{}, { file }, '--id-token-file'],
    ] as const) {
      const error = refusal(search(env, { ...flags, audience: 'x' }).find);
      expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(`ID token of ${source} has its`) });
    }
  });

  const NOTHING: [string, Record<string, string>, RegExp, RegExp][] = [
    ['anywhere', {}, /^there is no ID token for this job$/, /--id-token-env NAME.*UNLOCKOS_KEYS_ID_TOKEN.*help ci/],
    [
      'in GitHub without the permission',
      { GITHUB_ACTIONS: 'true', GITHUB_EVENT_NAME: 'push' },
      /permissions: id-token: write/,
      /contents: read/,
    ],
    [
      'in GitHub, for a pull request',
      { GITHUB_ACTIONS: 'true', GITHUB_EVENT_NAME: 'pull_request' },
      /permissions: id-token: write/,
      /from a fork/,
    ],
    [
      'in GitHub, with half of what its service needs',
      { GITHUB_ACTIONS: 'true', ACTIONS_ID_TOKEN_REQUEST_URL: 'http://127.0.0.1:1/' },
      /permissions: id-token: write/,
      /contents: read/,
    ],
    [
      'in GitHub, with the other half',
      { GITHUB_ACTIONS: 'true', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x' },
      /permissions: id-token: write/,
      /contents: read/,
    ],
    [
      'in GitLab',
      { GITLAB_CI: 'true', [ID_TOKEN_VARIABLE]: '' },
      /UNLOCKOS_KEYS_ID_TOKEN is not set/,
      /id_tokens: \{ UNLOCKOS_KEYS_ID_TOKEN: \{ aud: https:\/\/keys.acme.example \} \}/,
    ],
    ['in GitLab that says it is not', { GITLAB_CI: 'false', GITHUB_ACTIONS: 'false' }, /for this job/, /help ci/],
  ];
  test.each(NOTHING)('that is not there: %s', (_, env, message, hint) => {
    const error = refusal(search(env).find);
    expect(error.code).toBe('unauthorized');
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  test('a variable that is named and not set is not replaced by another source', async () => {
    const { env } = await github();
    const error = refusal(search({ ...env, [ID_TOKEN_VARIABLE]: ONE }, { variable: 'MINE' }).find);
    expect(error).toMatchObject({
      code: 'unauthorized',
      message: 'the variable MINE is not set: there is no ID token',
      hint: expect.stringMatching(/help ci/),
    });
    expect(refusal(search({ [ID_TOKEN_VARIABLE]: 'hunter2' }).find).message).toBe(
      `the variable ${ID_TOKEN_VARIABLE} does not hold an ID token, so nothing was sent`,
    );
  });
});
