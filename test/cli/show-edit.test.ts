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
      /^Last used +never$/m,
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
    ['', 3, 'no key ""'],
  ])('says that there is no key %j', async (ref, exit, says) => {
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

describe('edit', () => {
  test('changes name, description and rate limit, and nothing else', async () => {
    const cli = testCli();
    const { id } = await cli.create('partner', '-d', 'old');
    const { events: _, ...before } = await cli.json('show', id);
    cli.now = new Date('2026-11-24T10:00:00Z');
    const after = await cli.json('edit', 'partner', '--name', 'Partner 2', '-d', '', '--rate-limit', '5/s');
    expect(after).toEqual({
      ...before,
      name: 'Partner 2',
      description: null,
      rateLimit: { limit: 5, windowSeconds: 1 },
      updatedAt: '2026-11-24T10:00:00.000Z',
    });
    expect((await cli.json('audit', 'list', '--action', 'key.edit'))[0]).toMatchObject({
      before: { name: 'partner', description: 'old' },
      after: { name: 'Partner 2', description: null },
    });
  });

  test('says already when nothing changes, and writes no event', async () => {
    const cli = testCli();
    await cli.create('partner', '-d', 'same');
    const { exitCode, stderr } = await cli.run('edit', 'partner', '-d', 'same');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/partner \(\w{12}\) already was so/);
    expect(await cli.json('audit', 'list', '--action', 'key.edit')).toEqual([]);
  });

  test('a name may change its case', async () => {
    const cli = testCli();
    await cli.create('partner');
    expect((await cli.run('edit', 'partner', '--name', 'PARTNER')).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['PARTNER']);
  });

  test.each([
    { flags: ['-s', 'plan:read'], what: 'scopes never change', like: '--scope plan:read' },
    { flags: ['--scopes', 'plan:read,checkin:*'], what: 'scopes never change', like: "--scope plan:read,'checkin:*'" },
    { flags: ['--test-mode'], what: 'the mode never changes', like: '--test-mode' },
    { flags: ['--live', '--name', 'x'], what: 'the mode never changes', like: '--live' },
    {
      flags: ['--test', '-s', 'plan:read'],
      what: 'scopes and mode never change',
      like: '--scope plan:read --test-mode',
    },
  ])('refuses $flags and says how to make another', async ({ flags, what, like }) => {
    const cli = testCli();
    const { id } = await cli.create('partner');
    const { exitCode, stderr } = await cli.run('edit', 'partner', ...flags);
    expect(exitCode).toBe(5);
    expect(stderr).toContain(what);
    expect(stderr).toContain(`unlockos-keys create NEW-NAME --like ${id} ${like}`);
    expect(await cli.json('show', 'partner')).toMatchObject({ mode: 'live', scopes: ['checkin:read'] });
  });

  test.each([
    { flags: [], exit: 2, says: 'nothing to change was given' },
    { flags: ['--name', 'OTHER'], exit: 5, says: '"other" exists' },
    { flags: ['--name', 'OTHER', '--dry-run'], exit: 5, says: '"other" exists' },
    { flags: ['--name', ''], exit: 2, says: 'the name is empty' },
    { flags: ['--rate-limit', '0/m'], exit: 2, says: 'not of the form' },
    { flags: ['-d', 'a\nb'], exit: 2, says: 'on one line' },
  ])('refuses $flags', async ({ flags, exit, says }) => {
    const cli = testCli();
    await cli.create('partner');
    await cli.create('other');
    const { exitCode, stderr } = await cli.run('edit', 'partner', ...flags);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
    expect(await cli.json('audit', 'list', '--action', 'key.edit')).toEqual([]);
  });

  test('--dry-run prints what would be and changes nothing', async () => {
    const cli = testCli();
    await cli.create('partner');
    const { stdout, stderr } = await cli.run('edit', 'partner', '--name', 'new', '--dry-run', '--json');
    expect(JSON.parse(stdout).name).toBe('new');
    expect(stderr).toContain('Dry run: nothing was changed.');
    expect(await cli.names()).toEqual(['partner']);
  });

  test('on a terminal without flags asks, and Ctrl-C changes nothing', async () => {
    const cli = testCli();
    await cli.create('partner');
    expect((await cli.atTerminal('new', 'text', '1/s').run('edit', 'partner')).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['new']);
  });

  test('a value may begin with a dash', async () => {
    const cli = testCli();
    await cli.create('partner');
    await cli.run('edit', 'partner', '-d', '-note to self');
    await cli.run('disable', 'partner', '--reason', '-nasty');
    const { description, status, events } = await cli.json('show', 'partner');
    expect({ description, status }).toEqual({ description: '-note to self', status: 'inactive' });
    expect(events.map(({ reason }: { reason: string }) => reason)).toContain('-nasty');
  });
});
