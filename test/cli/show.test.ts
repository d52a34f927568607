import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

describe('show', () => {
  test('prints every field, both forms of times, and the latest events', async () => {
    const cli = testCli();
    const { id } = await cli.create('partner', '-d', 'who', '--expires', '2d', '--actor', 'alice@example.com');
    cli.now = new Date('2026-11-23T13:00:00Z');
    const { stdout } = await cli.run('show', 'partner');
    for (const line of [
      /^Name +partner$/m,
      new RegExp(`^Key +unlk_live_${id}_…$`, 'm'),
      new RegExp(`^Id +${id}$`, 'm'),
      /^Description +who$/m,
      /^Mode +LIVE$/m,
      /^Status +● Active$/m,
      /^Scopes +checkin:read$/m,
      /^Rate limit +600 requests per minute$/m,
      /^Expires +2026-11-25T10:00:00\.000Z \(in 1 day\)$/m,
      /^Last used +not known: no server has recorded use$/m,
      /^Created +2026-11-23T10:00:00\.000Z \(3 hours ago\)$/m,
      /^ {2}key\.create +3 hours ago by alice@example\.com \(tester\)$/m,
    ])
      expect(stdout).toMatch(line);
  });

  test.each([
    ['the id', (id: string) => id],
    ['the name', () => 'partner'],
    ['the name in another case', () => 'PARTNER'],
    ['the beginning of the id', (id: string) => id.slice(0, 4)],
    ['the id in upper case', (id: string) => id.toUpperCase()],
    ['the masked form', (id: string) => `unlk_live_${id}_…`],
  ])('finds a key by %s', async (_what, ref) => {
    const cli = testCli();
    const { id } = await cli.create('partner');
    expect((await cli.json('show', ref(id))).id).toBe(id);
  });

  test.each([
    ['partnr', 3, 'did you mean "partner"?'],
    ['zzz', 3, 'no key "zzz"'],
    ['', 2, 'the argument KEY is empty'],
  ])('finds no key %j', async (ref, exit, says) => {
    const cli = testCli();
    await cli.create('partner');
    const { exitCode, stdout, stderr } = await cli.run('show', ref);
    expect({ exitCode, stdout }).toEqual({ exitCode: exit, stdout: '' });
    expect(stderr).toContain(says);
  });

  test('lists the candidates of an ambiguous beginning of an id, and acts on none', async () => {
    const cli = testCli();
    let made = 0;
    cli.random = (size) =>
      size === 12 ? Uint8Array.from({ length: 12 }, (_, i) => (i < 11 ? 10 : made++)) : randomBytes(size);
    const one = await cli.create('one');
    const two = await cli.create('two', '--test');
    const { exitCode, stderr } = await cli.run('disable', 'aaaa');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('"aaaa" could be 2 keys');
    expect(stderr).toContain(`  unlk_live_${one.id}_…  one\n`);
    expect(stderr).toContain(`  unlk_test_${two.id}_…  two\n`);
    expect(await cli.json('list', '--status', 'inactive')).toEqual([]);
  });

  test('an exact name comes before the beginning of an id', async () => {
    const cli = testCli();
    const { id } = await cli.create('partner');
    await cli.create(id.slice(0, 6));
    expect((await cli.json('show', id.slice(0, 6))).name).toBe(id.slice(0, 6));
  });

  test.each([
    'show',
    'edit',
    'enable',
    'disable',
    'delete',
  ])('%s refuses a whole key string and never repeats it', async (verb) => {
    const cli = testCli();
    const { keyString, id } = await cli.create('partner');
    const { exitCode, stdout, stderr } = await cli.run(verb, keyString, '--yes', '--debug');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('that is a whole key string');
    expect(stderr).toContain(id);
    expect(stdout + stderr).not.toContain(keyString.slice(23, 40));
    expect((await cli.json('show', 'partner')).status).toBe('active');
  });
});

test('who made a key is in show, in JSON and in --fields: from the log, whatever happens to the key later', async () => {
  const cli = testCli();
  const { id } = await cli.create('mine', '--actor', 'alice@example.com');
  const { id: theirs } = await cli.create('theirs');
  await cli.run('edit', 'mine', '-d', 'x', '--actor', 'bob@example.com');
  const createdBy = { actor: 'alice@example.com', osUser: 'tester' };
  expect(await cli.json('show', 'mine')).toMatchObject({ id, createdBy });
  expect((await cli.run('show', 'mine')).stdout).toMatch(/Created by +alice@example.com \(tester\)/);
  expect(await cli.json('list', '--sort', 'name')).toMatchObject([
    { id, createdBy },
    { id: theirs, createdBy: { actor: null, osUser: 'tester' } },
  ]);
  expect((await cli.run('list', '--fields', 'name,createdBy', '--sort', 'name')).stdout).toContain('alice@example.com');
  expect((await cli.run('list', '-o', 'csv', '--fields', 'createdBy')).stdout).toContain('alice@example.com');
  await cli.run('delete', 'mine', '--yes');
  await cli.run('restore', 'mine');
  expect(await cli.json('show', 'mine')).toMatchObject({ createdBy });
});
