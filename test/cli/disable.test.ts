import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

describe.each([
  { verb: 'disable', done: 'Disabled', already: 'Already disabled:', status: 'inactive' },
  { verb: 'enable', done: 'Enabled', already: 'Already enabled:', status: 'active' },
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
