import { describe, expect, test } from 'vitest';
import { type Answer, CTRL_C, type TestCli, testCli } from '../support/test-cli.js';

async function withKeys(): Promise<TestCli> {
  const cli = testCli();
  await cli.create('partner', '--live', '-s', 'checkin:read');
  await cli.create('ci', '--test', '-s', 'plan:read');
  return cli;
}

async function browse(cli: TestCli, ...answers: Answer[]) {
  return cli.atTerminal(...answers).run('list', '-i');
}

describe('list --interactive', () => {
  test('shows a table of every key, and a way out', async () => {
    const cli = await withKeys();
    const { exitCode, stdout } = await browse(cli, 'quit');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(cli.asked[0]?.choices).toEqual(['ci', 'partner']);
  });

  test('shows a key, then the table again', async () => {
    const cli = await withKeys();
    cli.env.NO_COLOR = '1';
    const { stdout } = await browse(cli, ['show', 'partner'], 'quit');
    expect(stdout).toMatch(/^Name +partner$/m);
    expect(cli.asked.map(({ kind }) => kind)).toEqual(['manage', 'manage']);
  });

  test('edits a key, each field filled in with what it is', async () => {
    const cli = await withKeys();
    await cli.run('edit', 'partner', '-d', 'before', '-l', 'team=checkout');
    await browse(
      cli,
      ['edit', 'partner'],
      'Partner 2',
      '',
      '5/s',
      'never',
      '10.0.0.0/8, 192.0.2.7',
      'team=ops, env=prod',
      'quit',
    );
    expect(cli.asked.slice(1, 7).map(({ message, initial }) => [message, initial])).toEqual([
      ['Name', 'partner'],
      ['Description (optional)', 'before'],
      ['Rate limit', '600/m'],
      ['Expires (an earlier time, or 30d)', 'never'],
      ['Works from (10.0.0.0/8,192.0.2.7, or any)', 'any'],
      ['Labels (name=value, separated by commas)', 'team=checkout'],
    ]);
    cli.tty.stdin = false;
    expect(await cli.json('show', 'Partner 2')).toMatchObject({
      description: null,
      rateLimit: { limit: 5, windowSeconds: 1 },
      allowFrom: ['10.0.0.0/8', '192.0.2.7/32'],
      labels: { env: 'prod', team: 'ops' },
    });
  });

  test('asks before an edit lets a live key work from more addresses', async () => {
    const cli = await withKeys();
    await cli.run('edit', 'partner', '--allow-from', '10.0.0.0/8');
    const form = ['partner', '', '600/m', 'never', 'any', ''];
    const { stderr } = await browse(
      cli,
      ['edit', 'partner'],
      ...form,
      false,
      ['edit', 'partner'],
      ...form,
      true,
      'quit',
    );
    expect(stderr).toContain('This will let LIVE key "partner"');
    expect(stderr.match(/Addresses .*10\.0\.0\.0\/8 → any/g)).toHaveLength(1);
    cli.tty.stdin = false;
    expect(await cli.json('show', 'partner')).toMatchObject({ allowFrom: [] });
  });

  test('refuses bad values in the edit form and asks again', async () => {
    const cli = await withKeys();
    await browse(
      cli,
      ['edit', 'partner'],
      '~',
      'partner',
      'ok',
      '10',
      '10/m',
      'never',
      '10.0.0.1/8',
      'any',
      'nonsense',
      '',
      'quit',
    );
    expect(cli.refusals).toHaveLength(4);
    expect(cli.refusals[1]).toContain('not of the form 600/m');
    expect(cli.refusals[2]).toContain('has bits set beyond its first 8');
    expect(cli.refusals[3]).toContain('not of the form name=value');
  });

  test('disables and enables a test key without a question, and says how to undo it', async () => {
    const cli = await withKeys();
    const { stderr } = await browse(cli, ['disable', 'ci'], ['enable', 'ci'], 'quit');
    expect(stderr).toMatch(
      /Disabled "ci" \((\w{12})\)\nUndo: unlockos-keys enable \1\nEnabled "ci" \(\1\)\nUndo: .* disable \1\n/,
    );
    expect(cli.asked.map(({ message }) => message)).toEqual([
      '',
      expect.stringMatching(/^Disabled "ci" .*; d undoes it$/),
      expect.stringMatching(/^Enabled "ci" /),
    ]);
  });

  test('asks before it disables a live key', async () => {
    const cli = await withKeys();
    const { stderr } = await browse(cli, ['disable', 'partner'], false, ['disable', 'partner'], true, 'quit');
    expect(stderr).toContain('This will disable LIVE key "partner"');
    expect(stderr.match(/Disabled "partner"/g)).toHaveLength(1);
  });

  test('acts on several keys after one question', async () => {
    const cli = await withKeys();
    await cli.create('ci-2', '--test');
    const { stderr } = await browse(cli, ['disable', 'ci', 'ci-2'], true, ['delete', 'ci', 'ci-2'], '2', 'quit');
    expect(cli.asked.map(({ kind }) => kind)).toEqual(['manage', 'yesNo', 'manage', 'text', 'manage']);
    expect(cli.asked[2]?.message).toBe('Disabled 2 keys: "ci-2", "ci"');
    expect(stderr).toContain('This will delete 2 keys (0 LIVE): "ci-2", "ci"');
    expect(await cli.names()).toEqual(['partner']);
  });

  test('deletes a live key only when its name is typed, and stays in the table otherwise', async () => {
    const cli = await withKeys();
    const answers = [['delete', 'partner'], 'Partner', ['delete', 'partner'], 'partner', 'quit'] as const;
    const { exitCode, stderr } = await browse(cli, ...answers);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('error: not confirmed; nothing was changed');
    expect(stderr).toContain('Deleted "partner" (');
    expect(cli.asked.at(-1)?.choices).toEqual(['ci']);
    expect(await cli.names()).toEqual(['ci']);
  });

  test('rotates twice and creates, each as a change of its own', async () => {
    const cli = await withKeys();
    const { stdout } = await browse(
      cli,
      ['rotate', 'ci'],
      'The same',
      true,
      false,
      ['create'],
      'new',
      '',
      'Test',
      ['plan:read'],
      true,
      false,
      ['rotate', 'partner'],
      'The same',
      true,
      false,
      'quit',
    );
    expect(stdout.match(/^unlk_\w{56}$/gm)).toHaveLength(3);
    expect(await cli.names()).toHaveLength(5);
  });

  test('a rotation can change the scopes; what is gained and lost is asked about', async () => {
    const cli = await withKeys();
    const { stderr } = await browse(cli, ['rotate', 'ci'], 'Add', ['facility:read'], true, false, 'quit');
    expect(stderr).toContain('+ facility:read');
    cli.tty.stdin = false;
    const { scopes } = await cli.json('show', 'ci');
    expect(scopes).toContain('facility:read');
    const dropped = await browse(cli, ['rotate', 'ci'], 'Drop', [scopes[0]], true, false, 'quit');
    expect(dropped.stderr).toContain(`\u2212 ${scopes[0]}`);
    cli.tty.stdin = false;
    expect((await cli.json('show', 'ci')).scopes).not.toContain(scopes[0]);
  });

  test('the edit form moves an expiry nearer, and refuses a later one', async () => {
    const cli = await withKeys();
    await cli.run('edit', 'ci', '--expires', '60d');
    await browse(cli, ['edit', 'ci'], 'ci', '', '600/m', 'never', '90d', '30d', 'any', '', 'quit');
    expect(cli.refusals).toHaveLength(2);
    cli.tty.stdin = false;
    const { expiresAt } = await cli.json('show', 'ci');
    expect(new Date(expiresAt).getTime()).toBe(cli.now.getTime() + 30 * 86_400_000);
  });

  test('says what went wrong and goes on', async () => {
    const cli = await withKeys();
    const { exitCode, stderr } = await browse(cli, ['edit', 'ci'], 'partner', '', '600/m', 'never', 'any', '', 'quit');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('"partner" exists');
    expect(cli.asked.at(-1)?.message).toContain('error: ');
  });

  test.each([[[CTRL_C]], [[['delete', 'partner'], CTRL_C]], [[['edit', 'ci'], 'new', CTRL_C]]] as [
    Answer[],
  ][])('Ctrl-C leaves with 130 and changes nothing: %j', async (answers) => {
    const cli = await withKeys();
    const before = await cli.json('audit', 'list');
    const { exitCode, stderr } = await browse(cli, ...answers);
    expect(exitCode).toBe(130);
    expect(stderr).toContain('cancelled; nothing was changed');
    expect(await cli.names()).toEqual(['partner', 'ci']);
    expect(await cli.json('audit', 'list')).toEqual(before);
  });

  test('after a change, Ctrl-C says what was changed', async () => {
    const cli = await withKeys();
    const { exitCode, stderr } = await browse(cli, ['disable', 'ci'], CTRL_C);
    expect(exitCode).toBe(130);
    expect(stderr).not.toContain('nothing was changed');
    expect(stderr).toMatch(/error: cancelled; done before that:\n {2}Disabled "ci" \(\w{12}\)/);
  });

  test('with no keys, says so instead of asking', async () => {
    const cli = testCli();
    cli.env = {};
    const { exitCode, stderr } = await browse(cli);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('No keys yet in');
  });
});
