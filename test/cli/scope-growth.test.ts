import { describe, expect, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

const DIFFERENCE = '  Difference  + plan:read − checkin:create (compared with ';
const GROW = ['--add-scope', 'plan:read', '--drop-scope', 'checkin:create'];

async function scene(options?: Parameters<typeof testCli>[0]) {
  const cli = testCli(options);
  const { id } = await cli.create('p', '--live', '-s', 'checkin:read,checkin:create', '--expires', '90d');
  return { cli, id };
}

const REFUSED: readonly (readonly [flags: string[], exit: number, says: string])[] = [
  [['--drop-scope', 'facility:read'], 3, 'has no scope "facility:read" to drop'],
  [['--add-scope', 'checkin:read'], 5, 'has checkin:read already'],
  [['--add-scope', 'plan:raed'], 2, 'did you mean plan:read?'],
  [['--add-scope', 'plan:update'], 2, 'is retired'],
  [['--drop-scope', 'checkin:*'], 2, 'would be left without a scope'],
  [['--add-scope', 'checkin:*', '--drop-scope', 'checkin:read'], 2, 'both added and dropped'],
  [['-s', 'plan:read', '--add-scope', 'plan:create'], 2, '--scope and --add-scope do not go together'],
  [['--scopes', 'plan:read', '--drop-scope', 'checkin:read'], 2, '--scope and --drop-scope do not go together'],
  [['--add-scope', ','], 2, 'no scope to add or to drop'],
  [['--add-scope', '--drop-scope', 'checkin:read'], 2, '--add-scope needs a value'],
];

const scopesOf = async (cli: TestCli, ref: string) => (await cli.json('show', ref)).scopes;

describe.each([
  ['rotate', ['rotate', 'p'], 'p', 'Rotate this key?'],
  ['create --like', ['create', 'q', '--like', 'p'], 'q', 'Create this key?'],
  [
    'create --like --if-exists rotate',
    ['create', 'p', '--like', 'p', '--if-exists', 'rotate'],
    'p',
    'Rotate this key?',
  ],
])('%s --add-scope --drop-scope', (_, words, made, question) => {
  test('shows what is gained and lost before it asks, and the old key keeps its scopes', async () => {
    const { cli, id } = await scene();
    cli.atTerminal(true, false); // yes, and no to the offer to copy
    const { exitCode } = await cli.run(...words, ...GROW);
    expect(exitCode).toBe(0);
    expect(cli.screen.indexOf(DIFFERENCE)).toBeGreaterThanOrEqual(0);
    expect(cli.screen.indexOf(DIFFERENCE)).toBeLessThan(cli.screen.indexOf(question));
    expect(await scopesOf(cli, made)).toEqual(['checkin:read', 'plan:read']);
    expect(await scopesOf(cli, id)).toEqual(['checkin:read', 'checkin:create']);
  });

  test('a no changes nothing', async () => {
    const { cli } = await scene();
    const head = (await cli.run('audit', 'head')).stdout;
    cli.atTerminal(false);
    expect((await cli.run(...words, ...GROW)).exitCode).toBe(6);
    expect((await cli.run('audit', 'head')).stdout).toBe(head);
  });

  test.each([
    ['--yes at a terminal', true, ['--yes', '--key-file', 'k']],
    ['a pipe', false, ['-o', 'value']],
    ['a file', false, ['--key-file', 'k']],
  ])('%s is not asked, and prints it before the key is made', async (_, terminal, flags) => {
    const { cli, id } = await scene();
    if (terminal) cli.atTerminal();
    const { exitCode, stdout, stderr } = await cli.run(...words, ...GROW, ...flags);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).not.toContain('plan:read');
    expect(stderr).toContain(`${DIFFERENCE}${id})`);
    expect(stderr.indexOf(DIFFERENCE)).toBeLessThan(stderr.search(/Store: |Created|Rotated/));
  });

  test('JSON has it, and so has the audit log', async () => {
    const { cli, id } = await scene();
    const document = await cli.json(...words, ...GROW);
    expect(document.scopeChange).toEqual({ from: id, added: ['plan:read'], dropped: ['checkin:create'] });
    const reason = `compared with ${id}: + plan:read − checkin:create`;
    expect((await cli.json('audit', 'list', '--key', document.id))[0]).toMatchObject({ action: 'key.create', reason });
    expect((await cli.run('audit', 'list')).stdout).toContain(reason);
  });

  test('--dry-run shows it and changes nothing', async () => {
    const { cli, id } = await scene();
    const head = (await cli.run('audit', 'head')).stdout;
    expect((await cli.run(...words, ...GROW, '-n')).stderr).toContain(`${DIFFERENCE}${id})`);
    expect((await cli.run('audit', 'head')).stdout).toBe(head);
  });

  test('refuses what cannot be meant, and changes nothing', async () => {
    const { cli } = await scene();
    await cli.run('scopes', 'retire', 'plan:update', '--yes');
    const head = (await cli.run('audit', 'head')).stdout;
    for (const [flags, exit, says] of REFUSED) {
      const { exitCode, stdout, stderr } = await cli.run(...words, ...flags);
      expect({ flags, exitCode, stdout }).toEqual({ flags, exitCode: exit, stdout: '' });
      expect(stderr).toContain(says);
    }
    expect((await cli.run('audit', 'head')).stdout).toBe(head);
  });

  test('goes through the guards of its profile', async () => {
    const { cli } = await scene();
    cli.env = { ...cli.env, UNLOCKOS_KEYS_STORE: undefined };
    await cli.run('profile', 'add', 'only-test', '--store', cli.store, '--test-only');
    const live = words[0] === 'create' ? ['--live'] : [];
    const { exitCode, stderr } = await cli.run(...words, ...GROW, ...live, '-p', 'only-test');
    expect(exitCode).toBe(6);
    expect(stderr).toContain('for test keys only');
  });
});

test('--scope shows what is lost, too, and asks', async () => {
  const { cli, id } = await scene();
  cli.atTerminal(true, false);
  await cli.run('rotate', 'p', '-s', 'plan:read');
  expect(cli.screen).toContain(`  Difference  + plan:read − checkin:read − checkin:create (compared with ${id})`);
  expect(cli.asked[0]?.message).toBe('Rotate this key?');
});

test('a rotation that keeps the scopes asks nothing', async () => {
  const { cli } = await scene();
  cli.atTerminal(false);
  const { exitCode, stderr } = await cli.run('rotate', 'p');
  expect([exitCode, cli.asked.length, stderr.includes('Difference')]).toEqual([0, 1, false]);
  expect((await cli.json('create', 'q', '--like', 'p')).scopeChange).toBeNull();
});

test.each([['--add-scope'], ['--drop-scope']])('%s without --like compares with nothing', async (flag) => {
  const { cli } = await scene();
  const { exitCode, stderr } = await cli.run('create', 'q', '--live', '-s', 'plan:read', flag, 'plan:read');
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`${flag} compares with another key, and --like names none`);
});

test('several names like one key are made in one go, each with the difference', async () => {
  const { cli, id } = await scene();
  const made = await cli.json('create', 'a', 'b', '--like', 'p', ...GROW);
  const change = { from: id, added: ['plan:read'], dropped: ['checkin:create'] };
  expect(made.map((each: { scopeChange: unknown }) => each.scopeChange)).toEqual([change, change]);
});

test('in a protected profile a rotation that grows wants the name as any other', async () => {
  const { cli } = await scene();
  cli.env = { ...cli.env, UNLOCKOS_KEYS_STORE: undefined };
  await cli.run('profile', 'add', 'prod', '--store', cli.store, '--protected');
  expect((await cli.run('rotate', 'p', ...GROW, '--yes', '-p', 'prod')).exitCode).toBe(6);
  expect((await cli.run('rotate', 'p', ...GROW, '--confirm', 'p', '-p', 'prod')).exitCode).toBe(0);
});

test('create --like: --status and --finish of rotate take no scopes', async () => {
  const { cli } = await scene();
  for (const flag of ['--add-scope', '--drop-scope'])
    expect((await cli.run('rotate', 'p', '--finish', flag, 'plan:read')).stderr).toContain('--finish creates no key');
});
