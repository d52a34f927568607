import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Answer, CTRL_C, testCli } from '../support/test-cli.js';

const ANSWERS: readonly Answer[] = ['ci', 'for the pipeline', 'Test', ['plan:read'], true, false];

describe('create on a terminal', () => {
  test('asks for name, description, mode and scopes in this order, sums up, and asks to go on', async () => {
    const cli = testCli().atTerminal(...ANSWERS);
    const { exitCode, stderr } = await cli.run('create');
    expect(exitCode).toBe(0);
    expect(cli.asked.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
      'text: Name',
      'text: Description (optional)',
      'choose: Mode',
      'pick: Scopes (they never change)',
      'yesNo: Create this key?',
      'yesNo: Copy it to the clipboard (cleared after 45 s)?',
    ]);
    for (const line of [
      'Name        "ci"',
      'Description for the pipeline',
      'Mode        TEST',
      'Scopes      plan:read',
      'Rate limit  600 requests per minute',
      'Expires     never',
      `Store       ${cli.store}`,
    ])
      expect(stderr).toContain(`  ${line}\n`);
    expect(await cli.json('show', 'ci')).toMatchObject({
      name: 'ci',
      description: 'for the pipeline',
      mode: 'test',
      scopes: ['plan:read'],
    });
  });

  test('shows the summary before it asks to go on', async () => {
    const cli = testCli().atTerminal(...ANSWERS);
    await cli.run('create');
    expect(cli.screen.indexOf('Mode        TEST')).toBeLessThan(cli.screen.indexOf('Create this key?'));
    expect(cli.screen.indexOf('Mode        TEST')).toBeGreaterThan(0);
  });

  test('prefills and preselects nothing, and offers every open scope', async () => {
    const cli = testCli();
    await cli.run('scopes', 'add', 'plan:old');
    await cli.run('scopes', 'retire', 'plan:old');
    await cli.atTerminal(...ANSWERS).run('create');
    expect(cli.asked.slice(0, 4).map(({ initial }) => initial)).toEqual([undefined, undefined, undefined, undefined]);
    expect(cli.asked[2]?.choices).toEqual(['Test', 'Live']);
    expect(cli.asked[3]?.choices).toEqual([
      'checkin:read',
      'checkin:create',
      'checkin:update',
      'plan:read',
      'plan:create',
      'plan:update',
      'facility:read',
    ]);
  });

  test.each([
    { given: ['ci'], asks: ['Description (optional)', 'Mode', 'Scopes (they never change)'] },
    { given: ['ci', '--live'], asks: ['Description (optional)', 'Scopes (they never change)'] },
    { given: ['ci', '--live', '-d', 'text'], asks: ['Scopes (they never change)'] },
    { given: ['ci', '-s', 'plan:read', '-d', 'text'], asks: ['Mode'] },
    { given: ['--live', '-s', 'plan:read', '-d', 'text'], asks: ['Name'] },
  ])('asks only for what $given leaves open', async ({ given, asks }) => {
    const all: Record<string, Answer> = {
      Name: 'ci',
      'Description (optional)': 'text',
      Mode: 'Live',
      'Scopes (they never change)': ['plan:read'],
    };
    const cli = testCli().atTerminal(...asks.map((message) => all[message] as Answer), true, false);
    expect((await cli.run('create', ...given)).exitCode).toBe(0);
    expect(cli.asked.slice(0, -2).map(({ message }) => message)).toEqual(asks);
  });

  test('refuses a bad or taken name at its prompt and asks again', async () => {
    const cli = testCli();
    await cli.create('partner');
    cli.atTerminal('', 'PARTNER', '-x', ...ANSWERS);
    expect((await cli.run('create')).exitCode).toBe(0);
    expect(cli.refusals).toHaveLength(3);
    expect(cli.refusals[0]).toContain('empty');
    expect(cli.refusals[1]).toContain('a key named "partner" exists');
    expect(cli.refusals[2]).toContain('does not begin with a letter');
    expect(await cli.names()).toEqual(['partner', 'ci']);
  });

  test('refuses a taken name that was given as an argument before it asks anything', async () => {
    const cli = testCli();
    await cli.create('partner');
    expect((await cli.atTerminal().run('create', 'Partner', '--live')).exitCode).toBe(5);
    expect(cli.asked).toEqual([]);
  });

  test('copies the key string when the offer is taken', async () => {
    const cli = testCli().atTerminal(...ANSWERS.slice(0, -1), true);
    const { stdout, stderr } = await cli.run('create');
    expect(cli.clipboard.copied).toEqual([stdout.trim()]);
    expect(stderr).toContain('Copied. The clipboard is cleared in 45 s');
  });

  test('over SSH the offer and the note say sent, not copied', async () => {
    const clipboard = { route: 'terminal' as const, works: true, copied: [] };
    const cli = testCli({ clipboard }).atTerminal(...ANSWERS.slice(0, -1), true);
    const { stderr } = await cli.run('create');
    expect(cli.asked.at(-1)?.message).toBe('Send it to your terminal for its clipboard?');
    expect(stderr).toContain('Sent to your terminal');
    expect(stderr).not.toContain('Copied');
  });

  test('a clipboard that fails after the key was shown is a warning, and the key stays active', async () => {
    const clipboard = { route: 'local' as const, works: false, copied: [] };
    const cli = testCli({ clipboard }).atTerminal(...ANSWERS.slice(0, -1), true);
    const { exitCode, stderr } = await cli.run('create');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('warning: nothing was copied');
    expect((await cli.json('show', 'ci')).status).toBe('active');
  });

  test('Ctrl-C at the offer to copy exits 130 and says that the key was made', async () => {
    const cli = testCli().atTerminal(...ANSWERS.slice(0, -1), CTRL_C);
    const { exitCode, stdout, stderr } = await cli.run('create');
    expect(exitCode).toBe(130);
    expect(stdout).toMatch(/^unlk_test_/);
    expect(stderr).toContain('was created, and its key string is shown above');
    expect((await cli.json('show', 'ci')).status).toBe('active');
  });

  test('makes nothing when the summary is declined', async () => {
    const cli = testCli();
    await cli.create('other');
    cli.atTerminal(...ANSWERS.slice(0, 4), false);
    const { exitCode, stdout, stderr } = await cli.run('create');
    expect({ exitCode, stdout }).toEqual({ exitCode: 6, stdout: '' });
    expect(stderr).toContain('no key was created');
    expect(await cli.names()).toEqual(['other']);
  });

  test.each([0, 1, 2, 3, 4])('makes nothing when it is cancelled at question %i', async (question) => {
    const cli = testCli();
    await cli.create('other');
    cli.atTerminal(...ANSWERS.slice(0, question), CTRL_C);
    const { exitCode, stdout, stderr } = await cli.run('create', '--key-file', 'new.key');
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
    expect(stderr).toContain('cancelled; nothing was changed');
    expect(existsSync(`${cli.dir}/new.key`)).toBe(false);
    expect(await cli.names()).toEqual(['other']);
  });
});

describe('create with nobody to ask', () => {
  const ci = { name: 'GitHub Actions' };
  test.each([
    { who: 'no terminal at all', tty: { stdin: false, stdout: false, stderr: false }, flags: [], env: {} },
    { who: 'stdin is a pipe', tty: { stdin: false, stdout: true, stderr: true }, flags: [], env: {} },
    { who: 'stderr is a pipe', tty: { stdin: true, stdout: true, stderr: false }, flags: [], env: {} },
    { who: '--no-input', tty: { stdin: true, stdout: true, stderr: true }, flags: ['--no-input'], env: {} },
    {
      who: 'UNLOCKOS_KEYS_NO_INPUT',
      tty: { stdin: true, stdout: true, stderr: true },
      flags: [],
      env: { UNLOCKOS_KEYS_NO_INPUT: '1' },
    },
    { who: '-o value', tty: { stdin: true, stdout: true, stderr: true }, flags: ['-o', 'value'], env: {} },
    { who: '-o json', tty: { stdin: true, stdout: true, stderr: true }, flags: ['--no-input', '--json'], env: {} },
  ])('names name, mode and scopes at once: $who', async ({ tty, flags, env }) => {
    const cli = testCli({ tty, env });
    const { exitCode, stdout, stderr } = await cli.run('create', ...flags);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('missing: a name, the mode, scopes (not asking: ');
    expect(stderr).toContain('unlockos-keys create NAME');
    expect(stderr).toContain('--scope checkin:read');
    expect(existsSync(cli.store)).toBe(false);
  });

  test('asks when only stdout is a pipe', async () => {
    const cli = testCli().atTerminal(...ANSWERS.slice(0, 5));
    cli.tty.stdout = false;
    const { exitCode, stdout } = await cli.run('create');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^unlk_test_\w{51}\n$/);
  });

  test('under CI names mode and sink as well, even on a terminal', async () => {
    const cli = testCli({ ci }).atTerminal();
    const { exitCode, stdout, stderr } = await cli.run('create');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(
      'missing: a name, the mode, scopes, a destination (not asking: this is a GitHub Actions run)',
    );
    for (const flag of ['create NAME', '--test-mode or --live', '--scope', '--key-file'])
      expect(stderr).toContain(flag);
    expect(existsSync(cli.store)).toBe(false);
  });

  test.each([
    { missing: 'the mode', flags: ['-o', 'value'] },
    { missing: 'a destination', flags: ['--live'] },
  ])('under CI refuses to guess $missing', async ({ missing, flags }) => {
    const cli = testCli({ ci });
    const { exitCode, stdout, stderr } = await cli.run('create', 'ci', '-s', 'plan:read', ...flags);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(`missing: ${missing} (not asking: `);
    expect(existsSync(cli.store)).toBe(false);
  });

  test.each([
    ['-o', 'value'],
    ['--json'],
    ['-o', 'jsonl'],
    ['--key-file', 'k'],
    ['--env-file', '.env'],
    ['--copy'],
  ])('under CI makes the key with mode and sink %s', async (...sink) => {
    const cli = testCli({ ci });
    expect((await cli.run('create', 'ci', '--live', '-s', 'plan:read', ...sink)).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['ci']);
  });
});
