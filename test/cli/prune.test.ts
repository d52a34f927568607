import { describe, expect, test } from 'vitest';
import { RECORDED_ALWAYS } from '../support/stores.js';
import { type TestCli, testCli } from '../support/test-cli.js';

const DAY = 86_400_000;

/** Keys of every kind, 100 days later: who was used when is written behind the tool's back, as servers do it. */
async function scene(): Promise<TestCli> {
  const cli = testCli();
  const start = cli.now.getTime();
  await cli.create('expired', '--expires', '10d', '--test');
  await cli.create('off', '--expires', '10d', '--test');
  await cli.run('disable', 'off');
  await cli.create('idle', '--test');
  await cli.create('busy', '--test');
  await cli.create('never', '--test');
  await cli.create('live-never', '--live', '-l', 'team=x');
  const use = (name: string, day: number) =>
    cli.sql(
      'update key_usage set last_used_at = ? where key_seq = (select seq from api_keys where name = ?)',
      start + day * DAY,
      name,
    );
  await use('idle', 5);
  await use('busy', 99);
  await cli.sql(RECORDED_ALWAYS);
  cli.now = new Date(start + 100 * DAY);
  await cli.create('new', '--test');
  return cli;
}

describe('prune', () => {
  test.each([
    { flags: ['--expired'], names: ['expired'] },
    { flags: ['--unused-for', '90d'], names: ['expired', 'off', 'idle', 'never', 'live-never'] },
    { flags: ['--unused-for', '90d', '--mode', 'test'], names: ['expired', 'off', 'idle', 'never'] },
    { flags: ['--never-used-for', '7d', '--label', 'team=x'], names: ['live-never'] },
    { flags: ['--never-used-for', '7d'], names: ['expired', 'off', 'never', 'live-never'] },
    { flags: ['--never-used-for', '101d'], names: [] },
    { flags: ['--expired', '--never-used-for', '7d', '--mode', 'live'], names: ['live-never'] },
  ])('$flags means $names: shown by -n, and then gone', async ({ flags, names }) => {
    const cli = await scene();
    const before = await cli.names();
    const dry = await cli.json('prune', ...flags, '-n');
    expect(dry.map(({ name }: { name: string }) => name)).toEqual(names);
    expect(await cli.names()).toEqual(before);
    const { exitCode, stderr } = await cli.run('prune', ...flags, '--yes');
    expect(exitCode).toBe(0);
    for (const name of names) expect(stderr).toContain(name);
    expect(await cli.names()).toEqual(before.filter((name) => !names.includes(name)));
    expect((await cli.run('audit', 'verify')).exitCode).toBe(0);
    expect((await cli.run('prune', ...flags, '--yes')).stderr).toMatch(/nothing to do/);
  });

  test('asks, shows count and names, and does nothing without a yes', async () => {
    const cli = await scene();
    const before = await cli.names();
    const { exitCode, stderr } = await cli.run('prune', '--expired');
    expect(exitCode).toBe(6);
    expect(stderr).toMatch(
      /1 key to delete:\n {2}\w{12} {2}test {2}expired: expired 3 months ago, last used: never\n[\s\S]*prune --expired --yes/,
    );
    cli.atTerminal(false);
    expect((await cli.run('prune', '--expired')).exitCode).toBe(6);
    cli.atTerminal('live-never', true);
    expect((await cli.run('prune', '--never-used-for', '7d')).exitCode).toBe(0);
    cli.tty = { stdin: false, stdout: false, stderr: false };
    expect((await cli.names()).length).toBe(before.length - 4);
  });

  test('leaves a key that is used while it asks', async () => {
    const cli = await scene();
    const before = await cli.names();
    cli.atTerminal(true);
    const answer = cli.answers;
    cli.answers = new Proxy(answer, {
      get: (target, name) => {
        if (name === 'shift')
          return () => {
            const given = target.shift();
            void cli.sql(
              "update key_usage set last_used_at = last_used_at + 9000000000 where key_seq = (select seq from api_keys where name = 'idle')",
            );
            return given;
          };
        return Reflect.get(target, name);
      },
    });
    const { exitCode, stderr } = await cli.run('prune', '--unused-for', '90d', '--mode', 'test');
    cli.tty = { stdin: false, stdout: false, stderr: false };
    expect(stderr).toMatch(/was changed or used meanwhile and\s+was\s+not\s+deleted/);
    expect(exitCode).toBe(9);
    expect(await cli.names()).toEqual(before.filter((name) => !['expired', 'off', 'never'].includes(name)));
  });

  test('disables instead where that is asked for, with the reason', async () => {
    const cli = await scene();
    expect((await cli.run('prune', '--unused-for', '90d', '--disable')).exitCode).toBe(0);
    const statuses = Object.fromEntries(
      (await cli.json('list')).map(({ name, status }: { name: string; status: string }) => [name, status]),
    );
    expect(statuses).toMatchObject({ idle: 'inactive', never: 'inactive', busy: 'active', new: 'active' });
    const [event] = await cli.json('audit', 'list', '--key', 'idle', '--action', 'key.disable');
    expect(event.reason).toBe('prune --unused-for 90d');
  });

  test('--disable leaves a key that is changed while it asks', async () => {
    const cli = await scene();
    await cli.run('profile', 'add', 'prod', '--store', cli.store, '--protected');
    cli.atTerminal('expired', 'idle', 'never');
    const given = cli.answers;
    cli.answers = new Proxy(given, {
      get: (target, name) => {
        if (name !== 'shift') return Reflect.get(target, name);
        return () => {
          void cli.sql("update api_keys set description = 'needed' where name = 'idle'");
          return target.shift();
        };
      },
    });
    const { exitCode, stderr } = await cli.run(
      'prune',
      '--unused-for',
      '90d',
      '--mode',
      'test',
      '--disable',
      '-p',
      'prod',
    );
    cli.tty = { stdin: false, stdout: false, stderr: false };
    expect(stderr).toMatch(/"idle" \(\w{12}\) was changed meanwhile; nothing was done to it/);
    expect(exitCode).toBe(9);
    expect(await cli.json('show', 'idle')).toMatchObject({ status: 'active' });
    expect(await cli.json('show', 'never')).toMatchObject({ status: 'inactive' });
  });

  test('goes by last use only where that is known; -n shows the keys and says so', async () => {
    const cli = await scene();
    const before = await cli.names();
    await cli.sql('delete from recorder_spans');
    const args = ['prune', '--unused-for', '90d', '--mode', 'test'];
    const refused = await cli.run(...args, '--yes');
    expect(refused.exitCode).toBe(6);
    expect(refused.stderr).toMatch(/is not known: no server has recorded any use yet[\s\S]*--force/);
    const dry = await cli.run(...args, '-n', '-o', 'value', '--fields', 'name');
    expect(dry.stdout.split('\n')).toContain('never');
    expect(dry.stderr).toMatch(/warning: without --force this would be refused/);
    expect((await cli.run('list', '--unused-for', '90d')).stderr).toMatch(/Use is not recorded now/);
    expect((await cli.run('list', '--search', 'never')).stdout).toMatch(/not known/);
    expect(await cli.names()).toEqual(before);
    const since = Math.min(cli.now.getTime() - 50 * DAY, Date.now()); // recording that begins in the future counts for nothing
    await cli.sql('insert into recorder_spans values (1, ?, ?)', since, cli.now.getTime());
    const { stderr } = await cli.run('prune', '--never-used-for', '7d', '--yes');
    expect(stderr).toMatch(/4 more keys look unused, but were created before use was recorded; --force includes them/);
    expect(await cli.names()).toEqual(before);
    expect((await cli.run(...args, '--yes', '--force')).exitCode).toBe(0);
    expect(await cli.names()).toEqual(['busy', 'live-never', 'new']);
  });

  test('leaves a key in the overlap of a rotation', async () => {
    const cli = await scene();
    await cli.run('rotate', 'never', '--overlap', '7d', '-o', 'value');
    const names = (await cli.json('prune', '--unused-for', '90d', '-n')).map(({ name }: { name: string }) => name);
    expect(names).not.toContainEqual(expect.stringMatching(/never \(old/));
    expect(names).toContain('idle');
  });

  test.each([
    { argv: [], exit: 2, says: /needs at least one condition/ },
    { argv: ['--mode', 'test'], exit: 2, says: /needs at least one condition/ },
    { argv: ['--expired', '--mode', 'prod'], exit: 2, says: /--mode/ },
    { argv: ['--unused-for', '90'], exit: 2, says: /duration/ },
  ])('$argv ends with $exit', async ({ argv, exit, says }) => {
    const cli = await scene();
    const before = await cli.names();
    const { exitCode, stderr } = await cli.run('prune', ...argv, '--yes');
    expect(exitCode).toBe(exit);
    expect(stderr).toMatch(says);
    expect(await cli.names()).toEqual(before);
  });
});

describe('export', () => {
  test('is a manifest that apply reads, and changes nothing but whose the keys are', async () => {
    const cli = testCli();
    await cli.create('a', '-d', 'for: "quotes" #1', '-l', 'team=x', '--rate-limit', '5/s', '--expires', '90d');
    await cli.create('b', '--live', '-s', 'plan:read');
    await cli.run('disable', 'b');
    await cli.create('old');
    await cli.run('rotate', 'old', '-o', 'value');
    const { stdout, stderr, exitCode } = await cli.run('export', '--name', 'mine');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/1 rotated key is left out/);
    expect(stdout).not.toMatch(/hash|guard|\$2b/);
    expect((await cli.run('export', '--name', 'mine', '-o', 'yaml')).stdout).toBe(stdout);
    cli.stdin = stdout;
    expect((await cli.run('apply', '-f', '-', '--adopt', '--yes')).exitCode).toBe(0);
    cli.stdin = stdout;
    expect((await cli.run('diff', '-f', '-', '--exit-code')).exitCode).toBe(0);
    cli.stdin = (await cli.run('export', '--name', 'mine', '-o', 'json')).stdout;
    expect((await cli.run('diff', '-f', '-', '--exit-code')).exitCode).toBe(0);
  });

  test('is a table for a spreadsheet, in which no cell runs', async () => {
    const cli = testCli();
    await cli.create('a', '-d', '=1+1');
    const { stdout } = await cli.run('export', '-o', 'csv');
    const [header, row] = stdout.split('\n');
    expect(header).toMatch(/^id,name,description,/);
    expect(row).toContain("'=1+1");
    expect(stdout).not.toMatch(/\$2b|hash/);
  });

  test('of some keys', async () => {
    const cli = testCli();
    await cli.create('a', '--test', '-l', 'team=x');
    await cli.create('b', '--live');
    expect((await cli.json('export', '-l', 'team=x')).keys).toMatchObject([{ name: 'a' }]);
    expect((await cli.json('export', '--mode', 'live')).keys).toMatchObject([{ name: 'b' }]);
    expect((await cli.run('export', '--mode', 'x')).exitCode).toBe(2);
    expect((await cli.run('export', '--fields', 'id')).exitCode).toBe(2);
  });
});
