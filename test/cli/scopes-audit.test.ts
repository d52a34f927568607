import { describe, expect, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

async function withEvents(): Promise<TestCli> {
  const cli = testCli();
  await cli.create('one', '--actor', 'alice');
  cli.now = new Date('2026-11-25T10:00:00Z');
  await cli.create('two', '--actor', 'bob');
  await cli.run('disable', 'one', '--actor', 'bob', '--reason', 'leaked');
  return cli;
}

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
    expect((await cli.run('scopes', 'retire', 'plan:read')).stderr).toContain('plan:read already was retired');
    const refused = await cli.run('create', 'new', '-s', 'plan:read');
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

describe('audit', () => {
  test('list is every change, oldest first, with exactly these fields', async () => {
    const events = await (await withEvents()).json('audit', 'list');
    expect(events.map(({ action }: { action: string }) => action)).toEqual([
      'store.create',
      'key.create',
      'key.create',
      'key.disable',
    ]);
    expect(Object.keys(events[0])).toEqual(
      'seq at action keyId keyName actor osUser host reason before after tool op'.split(' '),
    );
    expect(events[3]).toMatchObject({ seq: 4, at: '2026-11-25T10:00:00.000Z', host: 'testhost', tool: '9.8.7' });
  });

  test.each([
    { flags: ['--key', 'one'], seqs: '2 4' },
    { flags: ['--actor', 'bob'], seqs: '3 4' },
    { flags: ['--actor', 'tester'], seqs: '1 2 3 4' },
    { flags: ['--action', 'key.create'], seqs: '2 3' },
    { flags: ['--since', '1d'], seqs: '3 4' },
    { flags: ['--since', '2026-11-24'], seqs: '3 4' },
    { flags: ['--limit', '2'], seqs: '3 4' },
    { flags: ['--actor', 'bob', '--action', 'key.disable'], seqs: '4' },
    { flags: ['--actor', 'nobody'], seqs: '' },
  ])('list $flags gives $seqs', async ({ flags, seqs }) => {
    const { stdout } = await (await withEvents()).run('audit', 'list', ...flags, '-o', 'value');
    expect(stdout.trim().replaceAll('\n', ' ')).toBe(seqs);
  });

  test.each([
    { flags: ['--action', 'key.shake'], exit: 2, says: 'one of: store.create' },
    { flags: ['--since', 'yesterday'], exit: 2, says: '--since' },
    { flags: ['--limit', '-1'], exit: 2, says: 'not a whole number' },
    { flags: ['--key', 'nobody'], exit: 3, says: 'no key "nobody"' },
  ])('list $flags exits $exit', async ({ flags, exit, says }) => {
    const { exitCode, stderr } = await (await withEvents()).run('audit', 'list', ...flags);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
  });

  test('list -o jsonl is one event a line', async () => {
    const { stdout } = await (await withEvents()).run('audit', '-o', 'jsonl');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).seq)).toEqual([1, 2, 3, 4]);
  });

  test('verify finds an untouched log sound, with the head that audit head prints', async () => {
    const cli = await withEvents();
    const head = (await cli.run('audit', 'head')).stdout.trim();
    expect(head).toMatch(/^4:[0-9a-f]{64}$/);
    expect(await cli.json('audit', 'head')).toEqual({ seq: 4, hash: head.slice(2), head });
    expect((await cli.run('audit', 'verify')).stdout).toBe(`sound: 4 events, head ${head}\n`);
    expect(await cli.json('audit', 'verify')).toEqual({ sound: true, events: 4, head, problems: [] });
  });

  test('verify --anchor accepts an earlier head and refuses one that the log does not contain', async () => {
    const cli = await withEvents();
    const head = (await cli.run('audit', 'head')).stdout.trim();
    await cli.run('enable', 'one');
    expect((await cli.run('audit', 'verify', '--anchor', head)).exitCode).toBe(0);
    const other = `4:${'0'.repeat(64)}`;
    const { exitCode, stdout } = await cli.run('audit', 'verify', '--anchor', other);
    expect(exitCode).toBe(7);
    expect(stdout).toContain(`the log does not contain ${other}`);
    expect((await cli.run('audit', 'verify', '--anchor', 'rubbish')).exitCode).toBe(2);
  });

  test.each([
    ['a key enabled behind its back', "update api_keys set status = 'active'", []],
    ['a name changed behind its back', "update api_keys set name = 'eve' where name = 'one'", []],
    ['an event rewritten', "update audit_events set body = replace(body, 'leaked', 'sold')", ['audit_events_update']],
    ['an event cut out', 'delete from audit_events where seq = 3', ['audit_events_delete']],
    ['the end cut off', 'delete from audit_events where seq = 4', ['audit_events_delete']],
    ['scopes widened', `update api_keys set scopes = '["plan:update"]'`, ['api_keys_immutable']],
  ])('verify answers 7 after %s', async (_what, statement, dropped) => {
    const cli = await withEvents();
    for (const trigger of dropped) await cli.sql(`drop trigger ${trigger}`);
    await cli.sql(statement);
    const { exitCode, stdout } = await cli.run('audit', 'verify');
    expect(exitCode).toBe(7);
    expect(stdout).toMatch(/^NOT sound:\n {2}\S/);
    const check = await cli.run('store', 'check', '--json');
    expect(check.exitCode).toBe(7);
    const failed = JSON.parse(check.stdout).filter(({ status }: { status: string }) => status === 'failed');
    expect(failed.map((each: { check: string }) => each.check)).toEqual(
      dropped.length > 0 ? ['triggers', 'audit log'] : ['audit log'],
    );
  });
});
