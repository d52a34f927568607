import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

const labelsOf = async (cli: ReturnType<typeof testCli>, ref: string) => (await cli.json('show', ref)).labels;

describe('labels', () => {
  test('are given at creation, copied by --like but for those of a manifest, set and taken off by edit', async () => {
    const cli = testCli();
    await cli.create('a', '-l', 'team=checkout', '--label', 'env/stage=dev', '-l', 'team=core');
    expect(await labelsOf(cli, 'a')).toEqual({ 'env/stage': 'dev', team: 'core' });
    await cli.sql(`update api_keys set labels = '{"env/stage":"dev","manifest":"m","team":"core"}'`);
    await cli.create('b', '--like', 'a', '-l', 'team=ops');
    expect(await labelsOf(cli, 'b')).toEqual({ 'env/stage': 'dev', team: 'ops' });
    await cli.run('edit', 'b', '--label', 'x=', '--unlabel', 'team');
    expect(await labelsOf(cli, 'b')).toEqual({ 'env/stage': 'dev', x: '' });
    expect((await cli.run('show', 'b')).stdout).toMatch(/^Labels +env\/stage=dev, x=$/m);
    const [event] = await cli.json('audit', 'list', '--action', 'key.edit');
    expect(event).toMatchObject({ before: { labels: { team: 'ops' } }, after: { labels: { x: '' } } });
    expect((await cli.run('edit', 'b', '--label', 'x=')).stderr).toMatch(/already was so/);
  });

  test('narrow a list: all of those that are given, alone and with other filters, page by page', async () => {
    const cli = testCli();
    for (let i = 0; i < 6; i++) await cli.create(`k${i}`, '-l', `n=${i % 2}`, ...(i < 3 ? ['-l', 'low=yes'] : []));
    const names = async (...argv: string[]) =>
      (await cli.json('list', ...argv)).map(({ name }: { name: string }) => name);
    expect(await names('-l', 'n=0')).toEqual(['k4', 'k2', 'k0']);
    expect(await names('-l', 'n=0', '-l', 'low=yes')).toEqual(['k2', 'k0']);
    expect(await names('-l', 'n=0', '--search', 'k4')).toEqual(['k4']);
    expect(await names('-l', 'n=0', '--sort', 'name')).toEqual(['k0', 'k2', 'k4']);
    expect(await names('-l', 'n=0', '-s', 'checkin:read', '--sort', 'last-used')).toEqual(['k0', 'k2', 'k4']);
    expect(await names('-l', 'n=7')).toEqual([]);
    const first = await cli.run('list', '-l', 'n=1', '--limit', '2', '-o', 'value', '--fields', 'name');
    const cursor = /--cursor (\S+)/.exec(first.stderr)?.[1] ?? '';
    expect(first.stdout).toBe('k5\nk3\n');
    expect(await names('-l', 'n=1', '--limit', '2', '--cursor', cursor)).toEqual(['k1']);
    expect((await cli.run('list', '-l', 'n=1', '--exit-code')).exitCode).toBe(7);
  });

  test.each([
    [['create', 'x', '-s', 'plan:read', '-o', 'value', '-l', 'team'], /not of the form name=value/],
    [['create', 'x', '-s', 'plan:read', '-o', 'value', '-l', 'Team=x'], /not allowed/],
    [['create', 'x', '-s', 'plan:read', '-o', 'value', '-l', 'team=a b'], /not allowed/],
    [['create', 'x', '-s', 'plan:read', '-o', 'value', '-l', '=x'], /not allowed/],
    [
      [
        'create',
        'x',
        '-s',
        'plan:read',
        '-o',
        'value',
        ...Array.from({ length: 33 }, (_, i) => ['-l', `n${i}=x`]).flat(),
      ],
      /at most 32/,
    ],
    [['list', '-l', "team='; drop table api_keys"], /not allowed/],
  ])('%j is refused', async (argv, says) => {
    const cli = testCli();
    await cli.create('a');
    const { exitCode, stdout, stderr } = await cli.run(...argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(says);
    expect(await cli.names()).toEqual(['a']);
  });

  test('one that is not there cannot be taken off', async () => {
    const cli = testCli();
    await cli.create('a', '-l', 'team=x');
    expect(await cli.run('edit', 'a', '--unlabel', 'tame')).toMatchObject({
      exitCode: 3,
      stderr: expect.stringMatching(/it has: team/),
    });
  });
});

describe('many keys at once', () => {
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
    [['disable', '-l', 'team=x', 'a'], 2, /no other way/],
    [['disable', '-l', 'team=x', '--stdin'], 2, /no other way/],
    [['disable'], 2, /which key/],
    [['enable'], 2, /which key/],
  ])('%j ends with %i', async (argv, exit, says) => {
    const cli = await three();
    const { exitCode, stderr } = await cli.run(...argv);
    expect(exitCode).toBe(exit);
    expect(stderr).toMatch(says);
    expect(await statuses(cli)).toEqual(['active', 'active', 'active']);
  });
});
