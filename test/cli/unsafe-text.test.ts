import { describe, expect, test } from 'vitest';
import { type TestCli, testCli } from '../support/test-cli.js';

/** What safeText must have taken out of anything that reaches a terminal. */
const RAW = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const HOSTILE: readonly (readonly [what: string, text: string])[] = [
  ['an escape sequence', 'a\u001b[2J\u001b[1;1Hb'],
  ['OSC 52', 'a\u001b]52;c;ZXZpbA==\u0007b'],
  ['a bidi override', 'a\u202egnp.exe\u202c'],
  ['a bidi isolate', 'a\u2066b\u2069'],
  ['a carriage return', 'good\rEVIL'],
  ['a C1 control', 'a\u009b31mb'],
  ['a zero-width space', 'a\u200bb'],
  ['a line separator', 'a\u2028b'],
  ['a tag character', 'a\u{e0041}b'],
  ['backspaces', 'abc\b\b\bxyz'],
  ['a NUL', 'a\u0001\u007fb'],
];

function expectSafe(text: string): void {
  expect(text.replaceAll('\n', '').replaceAll('\t', '')).not.toMatch(RAW);
}

/** A key, its event and a scope label with hostile text that only a raw write can have put there. */
async function poisoned(text: string): Promise<TestCli & { id: string }> {
  const cli = testCli();
  const { id } = await cli.create('victim', '--test', '-d', 'x');
  await cli.create('other', '--test');
  await cli.sql('update api_keys set name = ?, name_key = ?, description = ? where id = ?', text, text, text, id);
  await cli.sql('drop trigger audit_events_update');
  for (const field of ['keyName', 'reason', 'actor', 'osUser', 'action'])
    await cli.sql(`update audit_events set body = json_set(body, '$.${field}', ?) where seq > 1`, text);
  await cli.sql('update scopes set category_label = ?', text);
  return Object.assign(cli, { id });
}

describe.each(HOSTILE)('%s in the store', (_what, text) => {
  test('never reaches a stream as it is, whatever command prints it', async () => {
    const cli = await poisoned(text);
    const lines = [
      'list',
      'show ID',
      'scopes',
      'audit',
      'audit verify',
      'store check',
      'doctor',
      'disable ID',
      'enable ID',
    ];
    for (const line of [
      ...lines,
      'edit ID -d y -n',
      'create victim -s plan:read',
      'edit other --name',
      'delete ID',
      'delete ID --yes',
    ]) {
      for (const format of ['table', 'json', 'jsonl', 'csv', 'tsv', 'value']) {
        const words = line.replace('ID', cli.id).split(' ');
        const { stdout, stderr } = await cli.run(...words, ...(line.endsWith('--name') ? [text] : []), '-o', format);
        expectSafe(stdout);
        expectSafe(stderr);
      }
    }
  });

  test('comes out of JSON as it was', async () => {
    const cli = await poisoned(text);
    const { name, description, events } = await cli.json('show', cli.id);
    expect([name, description, events[0].keyName, events[0].action]).toEqual([text, text, text, text]);
    expect((await cli.json('list')).map((key: { name: string }) => key.name)).toEqual(['other', text]);
  });

  test('never reaches a question', async () => {
    const cli = await poisoned(text);
    cli.env.NO_COLOR = '1';
    const names = (await cli.json('list')).map((key: { name: string }) => key.name);
    await cli
      .atTerminal(['delete', text], false, ['disable', text], ['delete', ...names], 'no', 'quit')
      .run('list', '-i');
    const { screen, asked } = cli;
    for (const { message } of asked) expectSafe(message);
    expect(asked).toHaveLength(6);
    expect(screen).toContain('This will delete TEST key');
  });

  test('given as an argument is refused or told back in safe form', async () => {
    const cli = testCli();
    await cli.create('other');
    for (const argv of [
      ['create', text, '-s', 'plan:read'],
      ['create', 'x', '--live', '-s', text],
      ['create', 'x', '--live', '-s', 'plan:read', '-d', text],
      ['create', 'x', '--live', '-s', 'plan:read', '--key-file', `none/${text}`],
      ['show', text],
      ['list', '--sort', text],
      ['disable', 'other', '--actor', text],
      ['disable', 'other', '--reason', text],
      ['scopes', 'add', text],
      ['audit', '--action', text],
      ['list', '--store', `none/${text}/keys.db`],
      [text],
      ['list', `--${text}`],
    ]) {
      for (const flags of [[], ['--json'], ['--debug']]) {
        const { exitCode, stdout, stderr } = await cli.run(...argv, ...flags);
        expect(exitCode, argv.join(' ')).toBeGreaterThan(0);
        expect(stdout).toBe('');
        expectSafe(stderr);
      }
    }
    expect(await cli.json('list', '--status', 'active')).toHaveLength(1);
  });
});

test('a line break in a name that was written behind our back forges no line of ours', async () => {
  const cli = testCli();
  const { id } = await cli.create('a', '--test');
  await cli.sql('update api_keys set name = ?, name_key = ?', 'a\nDeleted everything (000000000000)', 'x');
  for (const args of [
    ['disable', id],
    ['enable', id],
    ['delete', id, '-n'],
    ['delete', id],
    ['delete', id, '--yes'],
  ]) {
    const { stderr } = await cli.run(...args);
    expect(stderr).not.toMatch(/^Deleted everything/m);
  }
});
