import { describe, expect, test } from 'vitest';
import { USE_FIELDS } from '../support/key-fields.js';
import { type TestCli, testCli } from '../support/test-cli.js';

/** The edits that somebody asked for: not the note that a new key was delivered. */
async function edits(cli: TestCli): Promise<{ reason: string | null }[]> {
  const all: { reason: string | null }[] = await cli.json('audit', 'list', '--action', 'key.edit');
  return all.filter(({ reason }) => reason !== 'the key string was delivered');
}

describe('edit', () => {
  test('changes name, description and rate limit, and nothing else', async () => {
    const cli = testCli();
    const { id } = await cli.create('partner', '-d', 'old');
    const shown = await cli.json('show', id);
    const looked = ['events', 'createdBy', ...USE_FIELDS]; // what only show and list look up
    expect(Object.keys(shown)).toEqual(expect.arrayContaining(looked));
    const before = Object.fromEntries(Object.entries(shown).filter(([field]) => !looked.includes(field)));
    cli.now = new Date('2026-11-24T10:00:00Z');
    const after = await cli.json('edit', 'partner', '--name', 'Partner 2', '-d', '', '--rate-limit', '5/s');
    expect(after).toEqual({
      ...before,
      name: 'Partner 2',
      description: null,
      rateLimit: { limit: 5, windowSeconds: 1 },
      updatedAt: '2026-11-24T10:00:00.000Z',
    });
    expect((await edits(cli))[0]).toMatchObject({
      before: { name: 'partner', description: 'old' },
      after: { name: 'Partner 2', description: null },
    });
  });

  test('--expires moves the end nearer, says what cannot be undone, and leads to rotate for a later one', async () => {
    const cli = testCli();
    const { id } = await cli.create('partner', '--expires', '90d');
    const { stderr } = await cli.run('edit', 'partner', '--expires', '2026-12-01');
    expect(stderr).toMatch(/Expires +2027-02-\S+ → 2026-12-01T00:00:00.000Z/);
    expect(stderr).toContain('cannot be moved back');
    expect(stderr).not.toContain('Undo');
    for (const more of [[], ['-n']]) {
      const later = await cli.run('edit', 'partner', '--expires', 'never', ...more);
      expect(later.exitCode).toBe(5);
      expect(later.stderr).toContain(
        `hint: for a later one, replace the key: unlockos-keys rotate ${id} --expires never`,
      );
    }
    expect((await cli.run('edit', 'partner', '--expires', '2020-01-01')).exitCode).toBe(2);
    const both = await cli.run('edit', 'partner', '--expires', '2026-11-30', '-d', 'leaving');
    expect(both.stderr).toMatch(/Undo: unlockos-keys edit \w+ --description=\n/);
  });

  test('says already when nothing changes, and writes no event', async () => {
    const cli = testCli();
    await cli.create('partner', '-d', 'same');
    const { exitCode, stderr } = await cli.run('edit', 'partner', '-d', 'same');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/partner \(\w{12}\) is unchanged: it already has these values/);
    expect(await edits(cli)).toEqual([]);
  });

  test('a name may change its case', async () => {
    const cli = testCli();
    await cli.create('partner');
    expect((await cli.run('edit', 'partner', '--name', 'PARTNER')).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['PARTNER']);
  });

  test.each([
    { flags: ['-s', 'plan:read'], what: 'scopes never change', like: '--scope plan:read' },
    { flags: ['--scopes', 'plan:read,checkin:*'], what: 'scopes never change', like: "--scope 'plan:read,checkin:*'" },
    { flags: ['--add-scope', 'plan:read'], what: 'scopes never change', like: '--add-scope plan:read' },
    {
      flags: ['--drop-scope', 'checkin:read', '--live'],
      what: 'scopes and mode',
      like: '--drop-scope checkin:read --live',
    },
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
    expect(stderr.includes(`in its place: unlockos-keys rotate ${id} ${like}`)).toBe(what === 'scopes never change');
    expect(await cli.json('show', 'partner')).toMatchObject({ mode: 'live', scopes: ['checkin:read'] });
  });

  test.each([
    { flags: [], exit: 2, says: 'missing: something to change' },
    { flags: ['--name', 'OTHER'], exit: 5, says: '"other" exists' },
    { flags: ['--name', 'OTHER', '--dry-run'], exit: 5, says: '"other" exists' },
    { flags: ['--name', ''], exit: 2, says: '--name needs a value, and got an empty one' },
    { flags: ['--rate-limit', '0/m'], exit: 2, says: 'not of the form' },
    { flags: ['-d', 'a\nb'], exit: 2, says: 'on one line' },
  ])('refuses $flags', async ({ flags, exit, says }) => {
    const cli = testCli();
    await cli.create('partner');
    await cli.create('other');
    const { exitCode, stderr } = await cli.run('edit', 'partner', ...flags);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
    expect(await edits(cli)).toEqual([]);
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
    expect((await cli.atTerminal('new', 'text', '1/s', 'never', 'any', '').run('edit', 'partner')).exitCode).toBe(0);
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

describe('where a key works from', () => {
  test('create and edit take networks; show and list give them; any removes them', async () => {
    const cli = testCli();
    const { id } = await cli.create('kiosk', '--test', '--allow-from', '192.0.2.7,10.0.0.0/8');
    expect(await cli.json('show', id)).toMatchObject({ allowFrom: ['10.0.0.0/8', '192.0.2.7/32'] });
    expect((await cli.run('show', id)).stdout).toMatch(/Addresses +10\.0\.0\.0\/8, 192\.0\.2\.7\/32/);
    expect((await cli.run('list', '--fields', 'name,allowFrom', '-o', 'csv')).stdout).toContain('192.0.2.7/32');
    const { stderr } = await cli.run('edit', id, '--allow-from', '192.0.2.7');
    expect(stderr).toMatch(/Addresses +10\.0\.0\.0\/8,192\.0\.2\.7\/32 → 192\.0\.2\.7\/32/);
    expect(stderr).toContain(`Undo: unlockos-keys edit ${id} --allow-from 10.0.0.0/8,192.0.2.7/32`);
    expect((await cli.run('edit', id, '--allow-from', 'any')).stderr).toMatch(/Addresses +192\.0\.2\.7\/32 → any/);
    expect((await cli.run('show', id)).stdout).not.toContain('Addresses');
    for (const wrong of ['', '10.1.2.3/8', '0.0.0.0/0', 'fe80::1%eth0', '10.0.0.0/8,any'])
      expect((await cli.run('edit', id, '--allow-from', wrong)).exitCode).toBe(2);
  });

  test('a live key gets more addresses only after a yes; fewer at once, and in a dry run nothing changes', async () => {
    const cli = testCli();
    const { id } = await cli.create('kiosk', '--live', '--allow-from', '10.0.0.0/8');
    const from = async () => (await cli.json('show', id)).allowFrom;
    for (const wider of ['any', '10.0.0.0/8,192.0.2.7', '10.0.0.0/7']) {
      const { exitCode, stderr } = await cli.run('edit', id, '--allow-from', wider);
      expect([exitCode, await from()]).toEqual([6, ['10.0.0.0/8']]);
      expect(stderr).toContain('let LIVE key "kiosk"');
      expect((await cli.run('edit', id, '--allow-from', wider, '-n')).exitCode).toBe(0);
    }
    expect((await cli.run('edit', id, '--allow-from', '10.1.0.0/16')).exitCode).toBe(0);
    expect((await cli.run('edit', id, '--allow-from', 'any', '--yes')).exitCode).toBe(0);
    expect(await from()).toEqual([]);
  });

  test('rotate, create --like and --if-exists rotate carry the networks on; --if-exists skip wants them', async () => {
    const cli = testCli();
    await cli.create('kiosk', '--test', '--allow-from', '10.0.0.0/8');
    const from = async (key: string) => (await cli.json('show', key)).allowFrom;
    await cli.run('rotate', 'kiosk', '-o', 'value');
    await cli.run('create', 'other', '--like', 'kiosk', '-o', 'value');
    await cli.run('create', 'open', '--like', 'kiosk', '--allow-from', 'any', '-o', 'value');
    expect([await from('kiosk'), await from('other'), await from('open')]).toEqual([
      ['10.0.0.0/8'],
      ['10.0.0.0/8'],
      [],
    ]);
    const again = ['create', 'other', '--test', '-s', 'checkin:read', '-o', 'json'];
    expect((await cli.run(...again, '--if-exists', 'rotate')).exitCode).toBe(0);
    expect(await from('other')).toEqual(['10.0.0.0/8']);
    const skip = [...again, '--if-exists', 'skip', '--allow-from'];
    expect((await cli.run(...skip, '10.0.0.0/8')).exitCode).toBe(0);
    const { exitCode, stderr } = await cli.run(...skip, '10.1.0.0/16');
    expect(exitCode).toBe(5);
    expect(stderr).toContain('it works from 10.0.0.0/8');
  });
});
