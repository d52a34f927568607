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
  test('offers every key by name, masked key and status, and a way out', async () => {
    const cli = await withKeys();
    const keys = await cli.json('list');
    const { exitCode, stdout } = await browse(cli, 'Quit');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(cli.asked[0]?.choices).toEqual([
      `ci  unlk_test_${keys[0].id}_…  ● Active`,
      `partner  unlk_live_${keys[1].id}_…  ● Active`,
      'Quit',
    ]);
  });

  test('shows a key, then the list again', async () => {
    const cli = await withKeys();
    cli.env.NO_COLOR = '1';
    const { stdout } = await browse(cli, 'partner', 'Show', 'Quit');
    expect(stdout).toMatch(/^Name +partner$/m);
    expect(cli.asked.map(({ kind }) => kind)).toEqual(['find', 'choose', 'find']);
  });

  test('edits a key, each field prefilled with what it is', async () => {
    const cli = await withKeys();
    await cli.run('edit', 'partner', '-d', 'before');
    await browse(cli, 'partner', 'Edit', 'Partner 2', '', '5/s', 'Quit');
    expect(cli.asked.slice(2, 5).map(({ message, initial }) => [message, initial])).toEqual([
      ['Name', 'partner'],
      ['Description (optional)', 'before'],
      ['Rate limit', '600/m'],
    ]);
    cli.tty.stdin = false;
    expect(await cli.json('show', 'Partner 2')).toMatchObject({
      description: null,
      rateLimit: { limit: 5, windowSeconds: 1 },
    });
  });

  test('refuses bad values in the edit form and asks again', async () => {
    const cli = await withKeys();
    await browse(cli, 'partner', 'Edit', '~', 'partner', 'ok', '10', '10/m', 'Quit');
    expect(cli.refusals).toHaveLength(2);
    expect(cli.refusals[1]).toContain('not of the form 600/m');
  });

  test('offers Disable for an active key and Enable for an inactive one', async () => {
    const cli = await withKeys();
    const { stderr } = await browse(cli, 'ci', 'Disable', 'ci', 'Enable', 'Quit');
    expect(stderr).toMatch(/Disabled ci \(\w{12}\)\nEnabled ci \(\w{12}\)\n/);
    expect(cli.asked[1]?.choices).toContain('Disable');
    expect(cli.asked[1]?.choices).not.toContain('Enable');
    expect(cli.asked[3]?.choices).toContain('Enable');
    expect(cli.asked[3]?.choices).not.toContain('Disable');
  });

  test('deletes a live key only when its name is typed, and stays in the list otherwise', async () => {
    const cli = await withKeys();
    const { exitCode, stderr } = await browse(
      cli,
      'partner',
      'Delete',
      'Partner',
      'partner',
      'Delete',
      'partner',
      'Quit',
    );
    expect(exitCode).toBe(0);
    expect(stderr).toContain('error: not confirmed; nothing was changed');
    expect(stderr).toContain('Deleted partner (');
    expect(cli.asked.at(-1)?.choices).toHaveLength(2);
    expect(await cli.names()).toEqual(['ci']);
  });

  test('says what went wrong and goes on', async () => {
    const cli = await withKeys();
    const { exitCode, stderr } = await browse(cli, 'ci', 'Edit', 'partner', '', '600/m', 'Quit');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('error: ');
    expect(stderr).toContain('"partner" exists');
  });

  test('Back changes nothing', async () => {
    const cli = await withKeys();
    await browse(cli, 'ci', 'Back', 'Quit');
    expect(await cli.json('audit', 'list')).toHaveLength(3);
  });

  test.each([[[CTRL_C]], [['ci', CTRL_C]], [['partner', 'Delete', CTRL_C]], [['ci', 'Edit', 'new', CTRL_C]]] as [
    Answer[],
  ][])('Ctrl-C leaves with 130 and changes nothing: %j', async (answers) => {
    const cli = await withKeys();
    expect((await browse(cli, ...answers)).exitCode).toBe(130);
    expect(await cli.names()).toEqual(['partner', 'ci']);
    expect(await cli.json('audit', 'list')).toHaveLength(3);
  });

  test('with no keys, says so instead of asking', async () => {
    const cli = testCli();
    cli.env = {};
    const { exitCode, stderr } = await browse(cli);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('No keys yet.');
  });
});
