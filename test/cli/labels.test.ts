import { describe, expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

const labelsOf = async (cli: ReturnType<typeof testCli>, ref: string) => (await cli.json('show', ref)).labels;

describe('labels', () => {
  test('are given at creation, copied by --like but for those of a manifest, set and taken off by edit', async () => {
    const cli = testCli();
    await cli.create('a', '-l', 'team=core', '--label', 'env/stage=dev', '-l', 'team=core');
    expect(await labelsOf(cli, 'a')).toEqual({ 'env/stage': 'dev', team: 'core' });
    await cli.sql(`update api_keys set labels = '{"env/stage":"dev","manifest":"m","team":"core"}'`);
    await cli.create('b', '--like', 'a', '-l', 'team=ops');
    expect(await labelsOf(cli, 'b')).toEqual({ 'env/stage': 'dev', team: 'ops' });
    await cli.run('edit', 'b', '--label', 'x=', '--unlabel', 'team');
    expect(await labelsOf(cli, 'b')).toEqual({ 'env/stage': 'dev', x: '' });
    expect((await cli.run('show', 'b')).stdout).toMatch(/^Labels +env\/stage=dev, x=$/m);
    const event = (await cli.json('audit', 'list', '--action', 'key.edit')).at(-1);
    expect(event).toMatchObject({ before: { labels: { team: 'ops' } }, after: { labels: { x: '' } } });
    expect((await cli.run('edit', 'b', '--label', 'x=')).stderr).toMatch(/is unchanged/);
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
    [['create', 'x', '--live', '-s', 'plan:read', '-o', 'value', '-l', 'team'], /not of the form name=value/],
    [['create', 'x', '--live', '-s', 'plan:read', '-o', 'value', '-l', 'Team=x'], /not allowed/],
    [['create', 'x', '--live', '-s', 'plan:read', '-o', 'value', '-l', 'team=a b'], /not allowed/],
    [['create', 'x', '--live', '-s', 'plan:read', '-o', 'value', '-l', '=x'], /not allowed/],
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

  test.each([
    [
      ['create', 'b', '--test', '-s', 'plan:read', '-o', 'value', '--overlap', '1h'],
      '--overlap goes with --if-exists rotate',
    ],
    [['edit', 'a', '-l', 'x=1', '--unlabel', 'x'], 'label "x" is set and removed'],
    [['edit', 'a', '-l', 'x=1', '-l', 'x=2'], 'label x is given twice, as "1" and as "2"'],
    [['create', 'b', '--test', '-s', 'plan:read', '-l', 'x=1', '-l', 'x=2'], 'label x is given twice'],
    [['list', '-l', 'x=1', '-l', 'x=0'], 'label x is given twice'],
    [['disable', '-l', 'x=1', '-l', 'x=0', '--yes'], 'label x is given twice'],
    [['delete', '-l', 'x=1', '-l', 'x=0', '--yes'], 'label x is given twice'],
  ])('%j says two things, and does neither', async (words, why) => {
    const cli = testCli();
    await cli.create('a', '-l', 'x=0');
    const { exitCode, stderr } = await cli.run(...words);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(why);
    expect((await cli.json('list')).map(({ labels }: { labels: object }) => labels)).toEqual([{ x: '0' }]);
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
