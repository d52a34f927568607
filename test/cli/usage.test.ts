import { describe, expect, test } from 'vitest';
import { bar, grouped, sparkline } from '../../src/cli/output/usage-view.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const TODAY = Math.floor(Date.parse('2026-11-23') / 86_400_000);

/** Two keys with use on some days, as servers write it. */
async function scene(): Promise<TestCli> {
  const cli = testCli();
  await cli.create('partner');
  await cli.create('other');
  await cli.create('idle');
  const at = cli.now.getTime();
  const count = (name: string, ago: number, verdict: string, times: number, detail: string | null = null) =>
    cli.sql(
      'insert into key_days select seq, ?, ?, ?, ?, ? from api_keys where name = ?',
      TODAY - ago,
      verdict,
      times,
      at - 180_000,
      detail,
      name,
    );
  await count('partner', 0, 'valid', 212);
  await count('partner', 3, 'valid', 12_219);
  await count('partner', 40, 'valid', 9);
  await count('partner', 0, 'missing_scope', 17, 'plan:read');
  await count('other', 1, 'valid', 5);
  await cli.sql('insert into recorder_spans values (1, ?, ?)', at - 200 * 86_400_000, at);
  return cli;
}

test('numbers, bars and lines of them', () => {
  expect([0, 999, 1000, 1234567].map(grouped)).toEqual(['0', '999', '1,000', '1,234,567']);
  expect(sparkline([0, 1, 8, null, 4])).toBe('▁▁█ ▄');
  expect(sparkline([0, 0])).toBe('▁▁');
  expect([0, 1, 500, 1000].map((count) => bar(count, 1000, 4))).toEqual(['', '▏', '██', '████']);
});

describe('usage', () => {
  test('of a key is a line a day; of all keys, those with the most use first', async () => {
    const cli = await scene();
    const days = await cli.json('usage', 'partner');
    expect(days).toHaveLength(30);
    expect(days.at(-1)).toMatchObject({
      name: 'partner',
      day: '2026-11-23',
      used: 212,
      refused: 17,
      refusals: { missing_scope: 17 },
      lastRefusal: { verdict: 'missing_scope', detail: 'plan:read' },
    });
    expect(days.at(-2)).toMatchObject({ used: null, refused: null }); // before the key was made
    expect(days.at(-4)).toMatchObject({ used: 12_219 });
    expect(await cli.json('usage', 'partner', '--since', '90d')).toHaveLength(90);
    expect((await cli.json('usage')).map(({ name, used }: { name: string; used: number }) => [name, used])).toEqual([
      ['partner', 12_431],
      ['other', 5],
    ]);
    const csv = (await cli.run('usage', 'partner', 'other', '-o', 'csv')).stdout.split('\n');
    expect(csv[0]).toBe('id,name,day,used,refused,refusals,lastRefusedAt,lastRefusal');
    expect(csv).toHaveLength(62);
    expect((await cli.run('usage', 'nobody')).exitCode).toBe(3);
    expect((await cli.run('usage', '--since', 'soon')).exitCode).toBe(2);
  });

  test('is drawn at a terminal, and as plain numbers elsewhere', async () => {
    const cli = await scene();
    expect((await cli.run('usage', 'partner')).stdout).not.toMatch(/█/);
    cli.tty = { stdin: false, stdout: true, stderr: false };
    cli.columns = 100;
    const { stdout } = await cli.run('usage', 'partner', '--no-color');
    expect(stdout).toMatch(/^2026-11-20 +12,219 +█{38} /m);
    expect(stdout).toMatch(/^2026-11-23 +212 +▋ +17 +missing_scope \(plan:read\)$/m);
    expect(stdout).toMatch(/^2026-11-22 +— +— +not recorded$/m);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('show says it in a line, and list has fields of it', async () => {
    const cli = await scene();
    const { stdout } = await cli.run('show', 'partner');
    expect(stdout).toMatch(
      /^Used +12,431 times in 2 days, 212 today · refused 17 times, last 3 minutes ago: missing_scope \(plan:read\)$/m,
    );
    expect(stdout).toMatch(/^Last 30 days +█ {2}▁$/m);
    expect((await cli.run('show', 'idle')).stdout).toMatch(/^Last used +never$/m);
    const fields = 'name,usedLast30d,refusedLast30d,lastRefusal';
    expect((await cli.run('list', '--fields', fields, '-o', 'value', '--sort', 'name')).stdout).toBe(
      'idle\t0\t0\t\nother\t5\t0\t\npartner\t12431\t17\t{"verdict":"missing_scope","detail":"plan:read"}\n',
    );
  });

  test('of a store without servers says that nothing is known', async () => {
    const cli = testCli();
    await cli.create('a');
    expect((await cli.run('usage')).stderr).toMatch(/No key was used or refused[\s\S]*Not all use is recorded/);
    expect((await cli.run('show', 'a')).stdout).toMatch(/^Used +not known/m);
  });
});
