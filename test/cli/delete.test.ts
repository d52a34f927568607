import { describe, expect, test } from 'vitest';
import { CTRL_C, testCli } from '../support/test-cli.js';

describe('delete', () => {
  test.each(['--live', '--test'])('with nobody to ask and no --yes changes nothing and exits 6: %s', async (mode) => {
    const cli = testCli();
    await cli.create('ci', mode);
    const { exitCode, stderr } = await cli.run('delete', 'ci');
    expect(exitCode).toBe(6);
    expect(stderr).toContain('to confirm it: unlockos-keys delete ci --yes');
    expect(await cli.names()).toEqual(['ci']);
  });

  test('--yes deletes, and the audit log keeps what the key was', async () => {
    const cli = testCli();
    const { id, keyString } = await cli.create('ci');
    expect((await cli.run('delete', 'ci', '--yes')).stderr).toContain(`Deleted ci (${id})`);
    expect(await cli.names()).toEqual([]);
    const events = await cli.json('audit', 'list', '--key', id);
    expect(events.at(-1)).toMatchObject({
      action: 'key.delete',
      keyName: 'ci',
      after: { keptUntil: expect.any(String) },
    });
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
    expect(stderr).toContain('This will delete 2 TEST keys: "t1", "t2"');
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
    expect(stderr.includes(`To pause it instead: unlockos-keys disable ${id}`)).toBe(suggests);
    expect(stderr).toContain(
      used === null ? 'whether it is used is not known' : `last used ${used === 1 ? '1 day' : '1 month'} ago`,
    );
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
