import { describe, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { testCli } from '../support/test-cli.js';

describe('what other programs read', () => {
  const MISREAD = [
    'yes',
    'No',
    'on',
    'OFF',
    'y',
    'null',
    '~',
    '12:30',
    '1:20:30',
    '0o7',
    '010',
    '0x1F',
    '0b11',
    '1e3',
    '1_000',
    '+1',
    '.5',
    '.inf',
    '2026-11-23',
    'true',
    '<<',
  ];

  test('-o yaml quotes what a reader of YAML 1.1 would take for something else', async () => {
    const cli = testCli();
    for (const [i, text] of MISREAD.entries())
      await cli.create(`k${i}`, '-d', text, '-l', `team=${text.replace(/[^\w.-]/g, '')}x`);
    const { stdout } = await cli.run('list', '--sort', 'created', '-o', 'yaml');
    const read = (version: '1.1' | '1.2') =>
      parseYaml(stdout, { version }).map((key: { description: unknown }) => key.description);
    expect(read('1.1')).toEqual(MISREAD);
    expect(read('1.2')).toEqual(MISREAD);
    for (const text of MISREAD) expect(stdout).toContain(`description: "${text}"`);
  });

  test.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    [' =1+1', "' =1+1"],
    ['x;=1+1', "x;'=1+1"],
    ['x,=1+1', "x,'=1+1"],
    ['x|-1;\u00a0+2', "x|'-1;'\u00a0+2"],
    ['x "=1"', 'x "\'=1"'],
    ['＝1+1', "'＝1+1"],
    ['a-b, c@d; e=f', 'a-b, c@d; e=f'],
  ])('no spreadsheet runs %j', async (text, shown) => {
    const cli = testCli();
    await cli.create('ci', `--description=x${text}`);
    await cli.sql('update api_keys set description = ?', text);
    const { stdout } = await cli.run('list', '-o', 'csv', '--fields', 'description');
    expect(
      stdout
        .split('\n')[1]
        ?.replace(/^"(.*)"$/, '$1')
        .replaceAll('""', '"'),
    ).toBe(shown);
  });

  test('store path escapes what would move the cursor', async () => {
    const cli = testCli();
    const { stdout } = await cli.run('store', 'path', '--store', '/tmp/a\u001b[2Jb.db');
    expect(stdout).toBe('/tmp/a\\u{1b}[2Jb.db\n');
    expect((await cli.json('store', 'path', '--store', '/tmp/a\u001b[2Jb.db')).path).toBe('/tmp/a\u001b[2Jb.db');
  });
});

test.each(['--scope', '-s', '--require-scope'])('verify %s asks for a scope', async (flag) => {
  const cli = testCli();
  const { keyString } = await cli.create('ci', '-s', 'plan:read');
  cli.stdin = keyString;
  expect((await cli.run('verify', '--stdin', flag, 'plan:read')).exitCode).toBe(0);
  expect((await cli.run('verify', '--stdin', flag, 'checkin:read')).exitCode).toBe(7);
});

describe('a key string on the command line', () => {
  test.each([
    ['show', 'KEY'],
    ['verify', 'KEY'],
    ['verify', '--stdin', 'KEY'],
    ['identify', 'KEY'],
    ['disable', 'KEY'],
    ['enable', 'ci', 'KEY'],
    ['delete', 'KEY', '-y'],
    ['edit', 'KEY', '--name', 'x'],
    ['rotate', 'KEY'],
    ['create', 'KEY', '--test', '-s', 'plan:read'],
    ['list', '--search', 'KEY'],
    ['list', '--search=KEY'],
    ['disable', 'ci', '--reason', 'found KEY'],
    ['audit', 'list', '--key', 'KEY'],
    ['verify', '--key-file', 'KEY'],
    ['KEY'],
    ['--json', 'verify', 'KEY'],
  ])('%s %s %s is refused in the same words, and not repeated', async (...words) => {
    const cli = testCli();
    const { id, keyString } = await cli.create('ci');
    const { exitCode, stdout, stderr } = await cli.run(...words.map((word) => word.replace('KEY', keyString)));
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain('that is a whole key string: it is now in your shell history');
    expect(stderr).toContain(`unlockos-keys disable ${id}`);
    expect(stderr).toContain('--stdin');
    expect(stderr).not.toContain(keyString.slice(23));
    expect((await cli.json('show', id)).status).toBe('active');
  });
});
