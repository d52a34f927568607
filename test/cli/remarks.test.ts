import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { mintKeyString } from '../../src/domain/key-string.js';
import { testCli } from '../support/test-cli.js';

test.each(['json', 'jsonl'])('with -o %s the error is all that stands on stderr', async (format) => {
  const cli = testCli();
  await cli.create('a', '--test');
  for (const args of [
    ['delete', 'a'],
    ['disable', 'nope'],
    ['create', 'a', '--test', '-s', 'plan:read'],
    ['edit', 'a', '--name', '-x'],
  ]) {
    const { exitCode, stdout, stderr } = await cli.run(...args, '-o', format);
    expect([exitCode > 0, stdout]).toEqual([true, '']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: expect.any(String), message: expect.any(String) } });
  }
});

test('a line break in a name that was written behind our back forges no line of ours', async () => {
  const cli = testCli();
  const { id } = await cli.create('a', '--test');
  await cli.sql('update api_keys set name = ?, name_key = ?', 'a\nDeleted everything (000000000000)', 'x');
  for (const args of [
    ['disable', id],
    ['enable', id],
    ['delete', id, '-n'],
    ['delete', id],
    ['delete', id, '--yes'],
  ]) {
    const { stderr } = await cli.run(...args);
    expect(stderr).not.toMatch(/^Deleted everything/m);
  }
});

test.each([
  'show',
  'disable',
  'enable',
  'edit',
])('%s of a key string that lost its end repeats nothing of the secret', async (verb) => {
  const cli = testCli();
  await cli.create('a', '--test');
  const { keyString, secret, id } = mintKeyString('live');
  for (const cut of [keyString.slice(0, 60), keyString.slice(0, 45), `${keyString}x`]) {
    const { exitCode, stdout, stderr } = await cli.run(verb, cut);
    expect(exitCode).toBe(2);
    expect(stdout + stderr).not.toContain(secret.slice(0, 6));
    expect(stderr).toContain(id);
  }
});

test.each([
  ['create', '--description'],
  ['disable', '--reason'],
])('%s %s takes no key string, nor most of one', async (verb, flag) => {
  const cli = testCli();
  await cli.create('a', '--test');
  const { keyString, secret } = mintKeyString('live');
  const { exitCode, stderr } = await cli.run(
    verb,
    verb === 'create' ? 'b' : 'a',
    ...(verb === 'create' ? ['--test', '-s', 'plan:read'] : []),
    flag,
    `was ${keyString.slice(0, 58)}`,
  );
  expect(exitCode).toBe(2);
  expect(stderr).not.toContain(secret.slice(0, 6));
});

test.each([
  ['that was there', 'OLD=1\nUNLOCKOS_API_KEY=before\n'],
  ['that was not there', null],
])('a dotenv file %s is as it was when another sink fails', async (_, before) => {
  const cli = testCli();
  const file = path.join(cli.dir, '.env');
  if (before !== null) writeFileSync(file, before);
  cli.broken = { stdout: 'ENOSPC' };
  const { exitCode } = await cli.run('create', 'a', '--test', '-s', 'plan:read', '--dotenv', file, '-o', 'value');
  cli.broken = {};
  expect(exitCode).toBe(1);
  expect(existsSync(file) ? readFileSync(file, 'utf8') : null).toBe(before);
  expect(await cli.json('list')).toMatchObject([{ status: 'inactive' }]);
});

test.each([
  [['scopes', 'ad'], /scopes has no command "ad", did you mean add\?/],
  [['audit', 'verifi'], /audit has no command "verifi", did you mean verify\?/],
  [['store', 'zzzzzz'], /store has no command "zzzzzz"\nhint: it has: path, check, backup/],
])('%j is told what it may have meant', async (args, message) => {
  const cli = testCli();
  await cli.create('a', '--test');
  const { exitCode, stdout, stderr } = await cli.run(...args);
  expect([exitCode, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});

test('the catalogue of a store that was named and is not there makes no store', async () => {
  const cli = testCli();
  expect((await cli.run('scopes', 'list')).exitCode).toBe(8);
  expect(existsSync(cli.store)).toBe(false);
});
