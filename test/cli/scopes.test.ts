import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

describe('scopes', () => {
  test('list is the catalogue by category', async () => {
    const cli = testCli();
    await cli.run('scopes', 'add', 'checkin:delete');
    expect((await cli.run('scopes', '-o', 'value')).stdout.trim().split('\n')).toEqual([
      'checkin:read',
      'checkin:create',
      'checkin:update',
      'checkin:delete',
      'plan:read',
      'plan:create',
      'plan:update',
      'facility:read',
    ]);
    expect((await cli.json('scopes', 'list'))[0]).toEqual({
      scope: 'checkin:read',
      category: 'checkin',
      categoryLabel: 'Check-in',
      action: 'read',
      retired: false,
    });
  });

  test('add makes a scope that new keys can take, and old checkin:* keys do not get it', async () => {
    const cli = testCli();
    await cli.create('old', '-s', 'plan:*');
    const { stderr } = await cli.run('scopes', 'add', 'plan:delete');
    expect(stderr).toContain('Added plan:delete to Plan');
    await cli.create('new', '-s', 'plan:delete');
    expect((await cli.json('show', 'old')).scopes).not.toContain('plan:delete');
    expect(await cli.json('scopes', 'add', 'report:read', '--category-label', 'Reports')).toMatchObject({
      category: 'report',
      categoryLabel: 'Reports',
    });
  });

  test('retire is idempotent, closes the scope to new keys, and leaves it on old ones', async () => {
    const cli = testCli();
    const { keyString } = await cli.create('old', '-s', 'plan:read');
    expect((await cli.run('scopes', 'retire', 'plan:read')).stderr).toContain('Retired plan:read');
    expect((await cli.run('scopes', 'retire', 'plan:read')).stderr).toContain('plan:read is already retired');
    const refused = await cli.run('create', 'new', '--live', '-s', 'plan:read');
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('scope "plan:read" is retired');
    await cli.create('category', '-s', 'plan:*');
    expect((await cli.json('show', 'category')).scopes).toEqual(['plan:create', 'plan:update']);
    cli.stdin = keyString;
    expect((await cli.run('verify', '--stdin', '--require-scope', 'plan:read')).exitCode).toBe(0);
  });

  test.each([
    { args: ['add', 'Plan:read'], exit: 2, says: 'is not a scope' },
    { args: ['add', 'plan:*'], exit: 2, says: 'is not a scope' },
    { args: ['add', 'plan:read'], exit: 5, says: 'plan:read' },
    { args: ['retire', 'plan:none'], exit: 3, says: 'plan:none' },
    { args: ['add'], exit: 2, says: 'missing required argument' },
  ])('scopes $args exits $exit', async ({ args, exit, says }) => {
    const cli = testCli();
    await cli.create('one');
    const { exitCode, stderr } = await cli.run('scopes', ...args);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
  });

  test.each(['add report:read', 'retire plan:read'])('scopes %s --dry-run changes nothing', async (args) => {
    const cli = testCli();
    await cli.create('one');
    const before = await cli.json('scopes');
    expect((await cli.run('scopes', ...args.split(' '), '-n')).stderr).toContain('Dry run: would');
    expect(await cli.json('scopes')).toEqual(before);
  });
});

test('scopes list of a named store that does not exist makes no store', async () => {
  const cli = testCli();
  expect((await cli.run('scopes', 'list')).exitCode).toBe(8);
  expect(existsSync(cli.store)).toBe(false);
});
