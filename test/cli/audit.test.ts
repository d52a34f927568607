import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

async function withEvents(): Promise<TestCli> {
  const cli = testCli();
  await cli.create('one', '--actor', 'alice');
  cli.now = new Date('2026-11-25T10:00:00Z');
  await cli.create('two', '--actor', 'bob');
  await cli.run('disable', 'one', '--actor', 'bob', '--reason', 'leaked');
  return cli;
}

describe('audit', () => {
  test('list is every change, oldest first, with exactly these fields', async () => {
    const events = await (await withEvents()).json('audit', 'list');
    expect(events.map(({ action }: { action: string }) => action)).toEqual([
      'store.create',
      'key.create',
      'key.edit', // its key string was delivered
      'key.create',
      'key.edit',
      'key.disable',
    ]);
    expect(Object.keys(events[0])).toEqual(
      'seq at action keyId keyName actor osUser host reason before after tool op prev hash body'.split(' '),
    );
    expect(events[5]).toMatchObject({ seq: 6, at: '2026-11-25T10:00:00.000Z', host: 'testhost', tool: '9.8.7' });
  });

  test.each([
    { flags: ['--key', 'one'], seqs: '2 3 6' },
    { flags: ['--actor', 'bob'], seqs: '4 5 6' },
    { flags: ['--actor', 'tester'], seqs: '1 2 3 4 5 6' },
    { flags: ['--action', 'key.create'], seqs: '2 4' },
    { flags: ['--since', '1d'], seqs: '4 5 6' },
    { flags: ['--since', '2026-11-24'], seqs: '4 5 6' },
    { flags: ['--limit', '2'], seqs: '5 6' },
    { flags: ['--actor', 'bob', '--action', 'key.disable'], seqs: '6' },
    { flags: ['--actor', 'nobody'], seqs: '' },
  ])('list $flags gives $seqs', async ({ flags, seqs }) => {
    const { stdout } = await (await withEvents()).run('audit', 'list', ...flags, '-o', 'value');
    expect(stdout.trim().replaceAll('\n', ' ')).toBe(seqs);
  });

  test.each([
    { flags: ['--action', 'key.shake'], exit: 2, says: 'one of: store.create' },
    { flags: ['--since', 'yesterday'], exit: 2, says: '--since' },
    { flags: ['--limit', '-1'], exit: 2, says: 'not a whole number' },
    { flags: ['--key', 'nobody'], exit: 3, says: 'no key "nobody"' },
  ])('list $flags exits $exit', async ({ flags, exit, says }) => {
    const { exitCode, stderr } = await (await withEvents()).run('audit', 'list', ...flags);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
  });

  test('list -o jsonl is one event a line', async () => {
    const { stdout } = await (await withEvents()).run('audit', '-o', 'jsonl');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('verify finds an untouched log sound, with the head that audit head prints', async () => {
    const cli = await withEvents();
    const head = (await cli.run('audit', 'head')).stdout.trim();
    expect(head).toMatch(/^6:[0-9a-f]{64}$/);
    expect(await cli.json('audit', 'head')).toEqual({ seq: 6, hash: head.slice(2), head });
    expect((await cli.run('audit', 'verify')).stdout).toBe(`sound: 6 events, head ${head}\n`);
    expect(await cli.json('audit', 'verify')).toEqual({ sound: true, events: 6, head, problems: [] });
  });

  test('verify --anchor accepts an earlier head and refuses one that the log does not contain', async () => {
    const cli = await withEvents();
    const head = (await cli.run('audit', 'head')).stdout.trim();
    await cli.run('enable', 'one');
    expect((await cli.run('audit', 'verify', '--anchor', head)).exitCode).toBe(0);
    const other = `4:${'0'.repeat(64)}`;
    const { exitCode, stdout } = await cli.run('audit', 'verify', '--anchor', other);
    expect(exitCode).toBe(7);
    expect(stdout).toContain(`the log does not contain ${other}`);
    expect((await cli.run('audit', 'verify', '--anchor', 'rubbish')).exitCode).toBe(2);
  });

  test.each([
    ['a key enabled behind its back', "update api_keys set status = 'active'", []],
    ['a name changed behind its back', "update api_keys set name = 'eve' where name = 'one'", []],
    ['an event rewritten', "update audit_events set body = replace(body, 'leaked', 'sold')", ['audit_events_update']],
    ['an event cut out', 'delete from audit_events where seq = 3', ['audit_events_delete']],
    ['the end cut off', 'delete from audit_events where seq = 4', ['audit_events_delete']],
    ['scopes widened', `update api_keys set scopes = '["plan:update"]'`, ['api_keys_immutable']],
  ])('verify answers 7 after %s', async (_what, statement, dropped) => {
    const cli = await withEvents();
    for (const trigger of dropped) await cli.sql(`drop trigger ${trigger}`);
    await cli.sql(statement);
    const { exitCode, stdout } = await cli.run('audit', 'verify');
    expect(exitCode).toBe(7);
    expect(stdout).toMatch(/^NOT sound:\n {2}\S/);
    const check = await cli.run('store', 'check', '--json');
    expect(check.exitCode).toBe(7);
    const failed = JSON.parse(check.stdout).filter(({ status }: { status: string }) => status === 'failed');
    expect(failed.map((each: { check: string }) => each.check)).toEqual(
      dropped.length > 0 ? ['triggers', 'audit log'] : ['audit log'],
    );
  });

  test('list --after goes on behind a row, in every format, and verify --file takes its lines', async () => {
    const cli = await withEvents();
    const lines = (await cli.run('audit', '-o', 'jsonl')).stdout.split(/(?<=\n)/);
    const at = (seq: number) => {
      const { hash } = JSON.parse(lines[seq - 1] ?? '');
      return `${seq}:${hash}`;
    };
    expect((await cli.run('audit', 'list', '--after', at(4), '-o', 'jsonl')).stdout).toBe(lines.slice(4).join(''));
    expect((await cli.run('audit', 'list', '--after', '4', '-o', 'value')).stdout).toBe('5\n6\n');
    expect((await cli.run('audit', 'list', '--after', `${lines[4]}`, '-o', 'value')).stdout).toBe('6\n');
    expect((await cli.run('audit', 'list', '--after', '1', '--limit', '2', '-o', 'value')).stdout).toBe('2\n3\n');
    const filtered = ['--actor', 'bob', '--action', 'key.edit', '--since', '1d', '--key', 'two'];
    expect(
      (await cli.json('audit', 'list', '--after', at(1), ...filtered)).map(({ seq }: { seq: number }) => seq),
    ).toEqual([5]);
    expect((await cli.run('audit', 'list', '--after', at(6), '-o', 'jsonl')).stdout).toBe('');

    writeFileSync(path.join(cli.dir, 'a.jsonl'), lines.slice(0, 3).join(''));
    writeFileSync(path.join(cli.dir, 'b.jsonl'), lines.slice(3).join('').replaceAll('\n', '\r\n'));
    cli.env = {}; // no store is needed
    const verify = (...flags: string[]) => cli.run('audit', 'verify', ...flags);
    const both = ['--file', 'a.jsonl', '--file', 'b.jsonl'];
    expect((await verify(...both)).stdout).toBe(`sound: 6 events, head ${at(6)}\n`);
    expect((await verify(...both, '--anchor', at(2))).exitCode).toBe(0);
    expect((await verify(...both, '--anchor', `2:${'0'.repeat(64)}`)).exitCode).toBe(7);
    for (const after of [at(3), lines[2] ?? ''])
      expect(await verify('--file', 'b.jsonl', '--after', after)).toMatchObject({ exitCode: 0 });
    const whole = await verify('--file', 'b.jsonl', '--json');
    expect(whole.exitCode).toBe(7);
    expect(JSON.parse(whole.stdout)).toMatchObject({
      sound: false,
      events: 3,
      head: at(6),
      problems: ['b.jsonl:1: audit rows 1 to 3 are missing (found 4 in their place)'],
    });
    cli.stdin = lines.join('');
    expect(await verify('--file', '-')).toMatchObject({ exitCode: 0 });
    cli.stdin = lines.join('').slice(0, -9);
    const { stdout, exitCode } = await verify('--file', '-');
    expect(exitCode).toBe(7);
    expect(stdout).toBe('NOT sound:\n  stdin:6: the last line is cut off\n');
  });

  test.each([
    [['list', '--after', '1:abc'], 2, 'is not a row of a log'],
    [['list', '--after', '{"seq":1,"actor'], 2, 'is not a row of a log'],
    [['list', '--after', '7'], 7, 'the audit log does not contain row 7: it ends in row 6:'],
    [['list', '--after', `3:${'0'.repeat(64)}`], 7, `does not contain row 3:${'0'.repeat(64)}: its row 3 is 3:`],
    [['list', '--follow', '-o', 'csv'], 2, '--follow cannot print csv, which has an end'],
    [['list', '--follow', '--after', '1', '--limit', '2'], 2, '--follow, --after and --limit do not go together'],
    [['list', '--interval', '1s'], 2, '--interval works with --follow only'],
    [['list', '--follow', '--interval', '10ms'], 2, '--interval "10ms" is shorter than 100ms'],
    [['list', '--follow', '--interval', 'often'], 2, '--interval "often" is not a time up to 10m'],
    [['list', '--follow', '--after', `3:${'0'.repeat(64)}`], 7, 'does not contain row 3:'],
    [['verify', '--after', `3:${'0'.repeat(64)}`], 2, '--after works with --file only'],
    [['verify', '--file', 'a', '--forget'], 2, '--forget and --file do not go together'],
    [['verify', '--file', 'none.jsonl'], 2, 'cannot read "none.jsonl": there is no such file'],
    [['verify', '--file', '.'], 2, 'cannot read ".": it is a directory'],
  ])('%s exits %i', async (args, exit, says) => {
    const { exitCode, stderr } = await (await withEvents()).run('audit', ...args);
    expect(exitCode).toBe(exit);
    expect(stderr).toContain(says);
  });

  test.each([
    [['--limit', '2', '-o', 'value'], '5\n6\n7\n'],
    [['--after', '5', '-o', 'value'], '6\n7\n'],
    [['--after', '5', '--action', 'key.enable', '-o', 'value', '--fields', 'action,keyName'], 'key.enable\tone\n'],
    [['--after', '6'], /^7 {2}2026-11-25T10:00:00.000Z {2}key.enable {2}one {2}[0-9a-z]{12} {2}alice \(tester\)\n$/],
  ])('list --follow %j goes on until a signal', async (flags, expected) => {
    const cli = await withEvents();
    let reached = (_: string) => {};
    cli.onStdout = (text) => reached(text);
    const shows = (row: RegExp) =>
      new Promise<void>((resolve) => {
        reached = (text) => row.test(text) && resolve();
      });
    const begun = shows(/^6\b/m);
    const following = cli.run('audit', 'list', '--follow', '--interval', '100ms', ...flags);
    if (flags.includes('--limit')) await begun; // its rows are those before the next one
    const printed = shows(/^(?:7|key\.enable)\b/m);
    await cli.run('enable', 'one', '--actor', 'alice', '-o', 'value', '--fields', 'status');
    await printed;
    cli.signals.emit('SIGTERM', 'SIGTERM');
    const { exitCode, stdout, stderr } = await following;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(expected);
  });
});
