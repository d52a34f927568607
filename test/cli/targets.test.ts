import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

/** The same key string with its last character changed: the checksum is wrong. */
function mistyped(keyString: string): string {
  return keyString.slice(0, -1) + (keyString.endsWith('a') ? 'b' : 'a');
}

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
    [[], 'no key was named'],
  ])('refuses %j', async (args, says) => {
    const cli = testCli();
    await cli.create('one');
    const { exitCode, stderr } = await cli.run(verb, ...args, '--yes');
    expect(exitCode).toBe(2);
    expect(stderr).toContain(says);
  });
});

describe('several keys at once', () => {
  async function three() {
    const cli = testCli();
    for (const name of ['a', 'b', 'c'])
      await cli.create(name, '-l', `own=${name}`, ...(name === 'c' ? [] : ['-l', 'team=x']));
    return cli;
  }
  const statuses = async (cli: ReturnType<typeof testCli>) =>
    (await cli.json('list', '--sort', 'name')).map(({ status }: { status: string }) => status);

  test('are selected by their labels', async () => {
    const cli = await three();
    expect((await cli.run('disable', '-l', 'team=x')).exitCode).toBe(0);
    expect(await statuses(cli)).toEqual(['inactive', 'inactive', 'active']);
    expect((await cli.run('enable', '-l', 'team=x', '-l', 'own=b')).exitCode).toBe(0);
    expect(await statuses(cli)).toEqual(['inactive', 'active', 'active']);
    expect((await cli.run('delete', '-l', 'team=x')).exitCode).toBe(6);
    expect((await cli.run('delete', '-l', 'team=x', '-n')).stderr).toMatch(/would delete a[\s\S]*would delete b/);
    expect((await cli.run('delete', '-l', 'team=x', '--yes')).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['c']);
  });

  test('come from stdin, one a line', async () => {
    const cli = await three();
    cli.stdin = 'a\r\n\nc\n';
    const result = await cli.run('disable', '-', '--json');
    expect(result.exitCode).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject([
      { name: 'a', changed: true },
      { name: 'c', changed: true },
    ]);
    cli.stdin = 'a\nnobody\n';
    const partly = await cli.run('enable', '-', 'b');
    expect(partly.exitCode).toBe(9);
    expect(partly.stderr).toMatch(/nobody/);
    expect(await statuses(cli)).toEqual(['active', 'active', 'inactive']);
  });

  test('more than five live ones are confirmed by their number', async () => {
    const cli = testCli();
    for (let i = 0; i < 6; i++) await cli.create(`live${i}`, '--live', '-l', 'all=yes');
    cli.atTerminal('6');
    expect((await cli.run('delete', '-l', 'all=yes')).exitCode).toBe(0);
    expect(cli.asked).toHaveLength(1);
    cli.tty = { stdin: false, stdout: false, stderr: false };
    expect(await cli.names()).toEqual([]);
  });

  test.each([
    [['disable', '-l', 'team=none'], 3, /no key has/],
    [['disable', '-l', 'team=x', 'a'], 2, /does not go together with names/],
    [['disable', '-l', 'team=x', '--stdin'], 2, /does not go together with names/],
    [['disable'], 2, /no key was named/],
    [['enable'], 2, /no key was named/],
  ])('%j ends with %i', async (argv, exit, says) => {
    const cli = await three();
    const { exitCode, stderr } = await cli.run(...argv);
    expect(exitCode).toBe(exit);
    expect(stderr).toMatch(says);
    expect(await statuses(cli)).toEqual(['active', 'active', 'active']);
  });
});

test.each([
  ['disable', 'one', '--', 'two', '--dry-run'],
  ['enable', '--', '-n'],
  ['delete', '--yes', '--', 'one', '--dry-run'],
  ['delete', '--purge', '--yes', '--', 'one', '-n'],
  ['restore', '--', 'one', '--dry-run'],
])('a flag behind -- is refused before anything is done: %s %s %s', async (...argv) => {
  const cli = testCli();
  await cli.create('one', '--test');
  await cli.create('two', '--test');
  const { exitCode, stderr } = await cli.run(...argv);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(
    /^error: "(--dry-run|-n)" stands behind --, so it is read as a key\nhint: flags go before --\n$/,
  );
  expect(await cli.json('list', '--status', 'active')).toHaveLength(2);
});
