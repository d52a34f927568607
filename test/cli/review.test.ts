import { expect, test } from 'vitest';
import { testCli } from '../support/test-cli.js';

const DAY = 86_400_000;

test('review counts what to look at, names the worst, and each line lists as many keys as it says', async () => {
  const cli = testCli();
  const end = cli.now.getTime();
  cli.now = new Date(end - 400 * DAY);
  await cli.create('ancient', '--live');
  await cli.create('tested', '--test');
  cli.now = new Date(end);
  for (const name of ['a', 'b', 'c', 'd']) await cli.create(name, '--live');
  await cli.create('soon', '--live', '--expires', '5d');
  await cli.create('turned', '--test', '--expires', '90d');
  const { id } = await cli.json('show', 'turned');
  await cli.run('rotate', 'turned', '-o', 'value');
  await cli.sql(
    'update key_usage set last_used_at = ? where key_seq = (select seq from api_keys where id = ?)',
    end + 1,
    id,
  );

  const day = Math.floor(end / DAY);
  for (const [name, times] of [
    ['c', 99],
    ['d', 100],
    ['a', 300],
  ])
    await cli.sql(
      "insert into key_days select seq, ?, 'wrong_address', ?, ?, null from api_keys where name = ?",
      ...[day, times, end, name],
    );

  const findings = await cli.json('review');
  const counts = Object.fromEntries(
    findings.map(({ check, count }: { check: string; count: number }) => [check, count]),
  );
  expect(counts).toEqual({
    'never-expires': 5,
    unused: 2,
    expiring: 2,
    'overlap-in-use': 1,
    old: 2,
    undelivered: 0,
    refused: 2,
  });
  for (const { list, count } of findings) {
    const [, ...words] = list.split(' ');
    expect(await cli.json(...words), list).toHaveLength(count);
  }
  const { stdout, exitCode } = await cli.run('review', '--exit-code');
  expect(exitCode).toBe(7);
  expect(stdout).toContain('5 live keys that never expire: "ancient", "a", "b", …\n');
  expect(stdout).toContain('  unlockos-keys list --status active --mode live --never-expires --sort created\n');
  expect(stdout).not.toContain('never handed out');
  expect(stdout).toContain('2 keys that were refused 100 times or more in 30 days: "a", "d"\n');
  expect((await cli.run('list', '--refused', '100')).stderr).toContain('Refusals are not counted now');
  expect((await cli.run('list', '--refused', 'often')).exitCode).toBe(2);
  expect((await cli.run('list', '--older-than', 'old')).exitCode).toBe(2);
});

test('one key is spoken of as one, in every check', async () => {
  const cli = testCli();
  await cli.create('only', '--expires', '5d');
  const findings: { what: string; count: number }[] = await cli.json('review');
  for (const { what, count } of findings) expect(/\bkeys?\b/.exec(what)?.[0], what).toBe(count === 1 ? 'key' : 'keys');
  expect(findings.filter(({ count }) => count === 1).length).toBeGreaterThan(0);
  const screen = cli.atTerminal();
  screen.columns = 60;
  for (const line of (await screen.run('review')).stdout.split('\n').filter((each) => !each.includes('unlockos-keys')))
    expect(line.length, line).toBeLessThanOrEqual(60);
});
