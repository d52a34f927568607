import { describe, expect, test } from 'vitest';
import { CTRL_C, testCli } from '../support/test-cli.js';

/** The same key string with its last character changed: the checksum is wrong. */
function mistyped(keyString: string): string {
  return keyString.slice(0, -1) + (keyString.endsWith('a') ? 'b' : 'a');
}

describe.each([
  { verb: 'disable', done: 'Disabled', already: 'Already inactive:', status: 'inactive' },
  { verb: 'enable', done: 'Enabled', already: 'Already active:', status: 'active' },
])('$verb', ({ verb, done, already, status }) => {
  test('changes the status, says so, and a second time says already', async () => {
    const cli = testCli();
    await cli.create('ci');
    if (verb === 'enable') await cli.run('disable', 'ci');
    expect((await cli.run(verb, 'ci')).stderr).toMatch(new RegExp(`^${done} ci \\(\\w{12}\\)$`, 'm'));
    const again = await cli.run(verb, 'ci');
    expect(again.exitCode).toBe(0);
    expect(again.stderr).toMatch(new RegExp(`^${already} ci \\(\\w{12}\\)$`, 'm'));
    expect((await cli.json('show', 'ci')).status).toBe(status);
    expect(await cli.json('audit', 'list', '--action', `key.${verb}`)).toHaveLength(1);
  });

  test('does what it can of several and exits 9', async () => {
    const cli = testCli();
    await cli.create('a1');
    await cli.create('c3');
    if (verb === 'enable') await cli.run('disable', 'a1', 'c3');
    const { exitCode, stdout, stderr } = await cli.run(verb, 'a1', 'nobody', 'c3', '--json');
    expect(exitCode).toBe(9);
    expect(
      JSON.parse(stdout).map((each: Record<string, unknown>) => [each.ref, each.status, each.changed, each.error]),
    ).toEqual([
      ['a1', status, true, null],
      ['nobody', null, false, { code: 'not_found', message: 'no key "nobody"' }],
      ['c3', status, true, null],
    ]);
    expect(stderr).toContain('error: no key "nobody"');
  });

  test('exits 3 when none of several is there', async () => {
    const cli = testCli();
    await cli.create('a1');
    expect((await cli.run(verb, 'x1', 'x2')).exitCode).toBe(3);
  });

  test('takes the same key named twice as one', async () => {
    const cli = testCli();
    const { id } = await cli.create('a1');
    expect(await cli.json(verb, 'a1', id)).toHaveLength(1);
  });

  test('--dry-run says what it would do and does not', async () => {
    const cli = testCli();
    await cli.create('a1');
    if (verb === 'enable') await cli.run('disable', 'a1');
    expect((await cli.run(verb, 'a1', '-n')).stderr).toContain(`Dry run: would ${verb} a1`);
    expect((await cli.json('show', 'a1')).status).not.toBe(status);
  });
});

test('enable says when a key has expired all the same', async () => {
  const cli = testCli();
  await cli.create('ci', '--expires', '1d');
  await cli.run('disable', 'ci');
  cli.now = new Date('2026-12-01T00:00:00Z');
  expect((await cli.run('enable', 'ci')).stderr).toMatch(/^Enabled ci \(\w{12}\), but it has expired$/m);
});

test('disable --reason is in the audit log and on the key', async () => {
  const cli = testCli();
  await cli.create('ci');
  await cli.run('disable', 'ci', '--reason', 'left the programme', '--actor', 'alice');
  expect((await cli.json('audit', 'list', '--action', 'key.disable'))[0]).toMatchObject({
    reason: 'left the programme',
    actor: 'alice',
    osUser: 'tester',
    keyName: 'ci',
    before: { status: 'active' },
    after: { status: 'inactive' },
  });
  expect((await cli.run('show', 'ci')).stdout).toContain('key.disable  just now by alice (tester): left the programme');
});

describe.each(['disable', 'delete'])('%s --stdin', (verb) => {
  test('takes genuine key strings, one a line', async () => {
    const cli = testCli();
    const one = await cli.create('one');
    const two = await cli.create('two', '--test');
    cli.stdin = `${one.keyString}\r\n\n${two.keyString}\n`;
    const { exitCode, stdout, stderr } = await cli.run(verb, '--stdin', '--yes');
    expect(exitCode).toBe(0);
    expect(stdout + stderr).not.toContain(one.keyString.slice(23, 55));
    cli.stdin = '';
    const left = await cli.json('list');
    expect(left.map(({ status }: { status: string }) => status)).toEqual(
      verb === 'disable' ? ['inactive', 'inactive'] : [],
    );
  });

  test.each([
    {
      what: 'forged',
      make: (real: string, other: string) => real.slice(0, 23) + other.slice(23),
      exit: 2,
      says: 'wrong checksum',
    },
    { what: 'mistyped', make: (real: string) => mistyped(real), exit: 2, says: 'mistyped or cut' },
    { what: 'cut', make: (real: string) => real.slice(0, 60), exit: 2, says: 'is not a key string' },
    { what: 'padded', make: (real: string) => ` ${real}`, exit: 2, says: 'is not a key string' },
    { what: 'empty', make: () => '', exit: 2, says: 'no key string on stdin' },
  ])('refuses a $what one and changes nothing', async ({ make, exit, says }) => {
    const cli = testCli();
    const one = await cli.create('one');
    const two = await cli.create('two');
    cli.stdin = make(one.keyString, two.keyString);
    const { exitCode, stderr } = await cli.run(verb, '--stdin', '--yes');
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
    expect(stderr).not.toContain(one.keyString.slice(23, 55));
    expect(await cli.json('list', '--status', 'active')).toHaveLength(2);
  });

  test('refuses a well-formed key string with another secret', async () => {
    const cli = testCli();
    const fixed = { UNLOCKOS_KEYS_STORE: `${cli.dir}/other.db` };
    cli.random = (size) => new Uint8Array(size).fill(size === 12 ? 10 : 1);
    await cli.create('one');
    cli.random = (size) => new Uint8Array(size).fill(size === 12 ? 10 : 2);
    const mine = cli.env;
    cli.env = { ...cli.env, ...fixed };
    const forged = await cli.create('forged');
    cli.env = mine;
    cli.stdin = forged.keyString;
    const { exitCode, stderr } = await cli.run(verb, '--stdin', '--yes');
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`the key string of ${forged.id} is not genuine`);
    expect(await cli.json('list', '--status', 'active')).toHaveLength(1);
  });

  test.each([
    [['--stdin', 'one'], 'do not go together'],
    [[], 'which key?'],
  ])('refuses %j', async (args, says) => {
    const cli = testCli();
    await cli.create('one');
    const { exitCode, stderr } = await cli.run(verb, ...args, '--yes');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(says);
  });
});

describe('delete', () => {
  test.each(['--live', '--test'])('with nobody to ask and no --yes changes nothing and exits 6: %s', async (mode) => {
    const cli = testCli();
    const { id } = await cli.create('ci', mode);
    const { exitCode, stderr } = await cli.run('delete', 'ci');
    expect(exitCode).toBe(6);
    expect(stderr).toContain(`pass --yes to confirm it: unlockos-keys delete ${id} --yes`);
    expect(await cli.names()).toEqual(['ci']);
  });

  test('--yes deletes, and the audit log keeps what the key was', async () => {
    const cli = testCli();
    const { id, keyString } = await cli.create('ci');
    expect((await cli.run('delete', 'ci', '--yes')).stderr).toContain(`Deleted ci (${id})`);
    expect(await cli.names()).toEqual([]);
    const events = await cli.json('audit', 'list', '--key', id);
    expect(events.at(-1)).toMatchObject({ action: 'key.delete', keyName: 'ci', after: null });
    cli.stdin = keyString;
    expect((await cli.run('verify', '--stdin')).exitCode).toBe(7);
  });

  test.each([
    { mode: '--live', answer: 'partner', exit: 0 },
    { mode: '--live', answer: 'Partner', exit: 6 },
    { mode: '--live', answer: '', exit: 6 },
    { mode: '--live', answer: 'y', exit: 6 },
    { mode: '--live', answer: CTRL_C, exit: 130 },
    { mode: '--test', answer: true, exit: 0 },
    { mode: '--test', answer: false, exit: 6 },
    { mode: '--test', answer: CTRL_C, exit: 130 },
  ] as const)('of a $mode key answered $answer exits $exit', async ({ mode, answer, exit }) => {
    const cli = testCli();
    await cli.create('partner', mode);
    expect((await cli.atTerminal(answer).run('delete', 'partner')).exitCode).toBe(exit);
    expect(cli.asked[0]?.kind).toBe(mode === '--live' ? 'text' : 'yesNo');
    expect(cli.asked[0]?.initial).toBe(mode === '--live' ? undefined : false);
    expect(await cli.names()).toEqual(exit === 0 ? [] : ['partner']);
  });

  test('of several asks for each live name and once for all test keys; one refusal changes nothing', async () => {
    const cli = testCli();
    for (const name of ['l1', 'l2']) await cli.create(name, '--live');
    for (const name of ['t1', 't2']) await cli.create(name, '--test');
    const all = ['l1', 't1', 'l2', 't2'];
    expect((await cli.atTerminal('l1', 'l2', false).run('delete', ...all)).exitCode).toBe(6);
    expect(await cli.names()).toHaveLength(4);
    const { exitCode, stderr } = await cli.atTerminal('l1', 'l2', true).run('delete', ...all);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('This deletes 2 TEST keys: "t1", "t2" for good');
    expect(await cli.names()).toEqual([]);
  });

  test.each([
    { used: 1, status: 'active', suggests: true },
    { used: 30, status: 'active', suggests: false },
    { used: 1, status: 'inactive', suggests: false },
    { used: null, status: 'active', suggests: false },
  ])('of a live key used $used days ago and $status suggests disable: $suggests', async ({
    used,
    status,
    suggests,
  }) => {
    const cli = testCli();
    const { id } = await cli.create('partner');
    if (status === 'inactive') await cli.run('disable', 'partner');
    if (used !== null) await cli.sql('update key_usage set last_used_at = ?', cli.now.getTime() - used * 86_400_000);
    const { stderr } = await cli.run('delete', 'partner');
    expect(stderr.includes(`Disabling it can be undone: unlockos-keys disable ${id}`)).toBe(suggests);
    expect(stderr).toContain(used === null ? 'it was never used' : `last used ${used === 1 ? '1 day' : '1 month'} ago`);
  });

  test('rm is delete, and --dry-run asks and deletes nothing', async () => {
    const cli = testCli();
    await cli.create('ci');
    const { exitCode, stderr } = await cli.run('rm', 'ci', '-n');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('Dry run: would delete ci');
    expect(await cli.names()).toEqual(['ci']);
  });

  test('of several with one unknown deletes the others and exits 9', async () => {
    const cli = testCli();
    await cli.create('a1');
    await cli.create('c3');
    expect((await cli.run('delete', 'a1', 'nobody', 'c3', '--yes')).exitCode).toBe(9);
    expect(await cli.names()).toEqual([]);
  });
});
