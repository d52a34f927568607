import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { rulerFor, truncate } from '../../src/cli/output/table.js';
import { relativeTime } from '../../src/cli/output/time.js';
import { testCli } from '../support/test-cli.js';

const NAMES = [
  'ci',
  'チェックイン連携パートナー',
  'x 👩‍👩‍👧‍👦 family',
  'Zoë’s very long name that goes on and on until it is at its end',
  '施設🏨予約システム本番環境用のとても長い名前です',
];

async function withKeys() {
  const cli = testCli();
  for (const [i, name] of NAMES.entries()) {
    const scopes = i % 2 ? 'checkin:*,plan:*,facility:read' : 'plan:read';
    await cli.create(
      name,
      '-s',
      scopes,
      '-d',
      `${name} の説明 🎉`.repeat(3),
      '--expires',
      '90d',
      i % 2 ? '--test' : '--live',
    );
  }
  await cli.sql('update key_usage set last_used_at = ?', cli.now.getTime() - 3_600_000);
  return cli;
}

describe('the table of keys', () => {
  test.each([
    { columns: 60, has: ['SCOPES'], lacks: ['DESCRIPTION', 'EXPIRES'] },
    { columns: 80, has: ['MODE', 'SCOPES'], lacks: ['DESCRIPTION', 'EXPIRES'] },
    { columns: 97, has: ['MODE', 'SCOPES', 'LAST USED'], lacks: ['DESCRIPTION'] },
    { columns: 200, has: ['MODE', 'SCOPES', 'LAST USED', 'EXPIRES', 'DESCRIPTION'], lacks: [] },
  ])('fits $columns columns', async ({ columns, has, lacks }) => {
    const cli = (await withKeys()).atTerminal();
    cli.columns = columns;
    const { stdout } = await cli.run('list');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(NAMES.length + 1);
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
    for (const header of ['NAME', 'KEY', 'STATUS', ...has]) expect(lines[0]).toContain(header);
    for (const header of lacks) expect(lines[0]).not.toContain(header);
    for (const { maskedKey } of await cli.json('list')) expect(stdout).toContain(maskedKey);
    expect(stdout.match(/● Active/g)).toHaveLength(NAMES.length);
  });

  test('columns line up, whatever the width of the characters', async () => {
    const cli = (await withKeys()).atTerminal();
    cli.env.NO_COLOR = '1';
    cli.columns = 97;
    const lines = (await cli.run('list')).stdout.trimEnd().split('\n');
    const starts = lines.map((line, i) => stringWidth(line.slice(0, line.indexOf(i === 0 ? 'KEY' : 'unlk_'))));
    expect(new Set(starts).size).toBe(1);
  });

  test('off a terminal nothing is cut, coloured or relative', async () => {
    const { stdout } = await (await withKeys()).run('list');
    for (const name of NAMES) expect(stdout).toContain(name);
    expect(stdout).toContain('2026-11-23T09:00:00.000Z');
    expect(stdout).not.toContain('\u001b');
    expect(stdout).not.toContain('ago');
  });

  test('COLUMNS counts off a terminal too', async () => {
    const cli = await withKeys();
    cli.env.COLUMNS = '60';
    for (const line of (await cli.run('list')).stdout.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(60);
  });

  test('--fields chooses the columns and their order', async () => {
    const cli = testCli();
    const { id } = await cli.create('ci');
    expect((await cli.run('list', '--fields', 'id,name')).stdout).toBe(`id            NAME\n${id}  ci\n`);
  });
});

test.each([
  ['abc', 3, 'abc'],
  ['abcd', 3, 'ab…'],
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日…'],
  ['日本語', 6, '日本語'],
  ['👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 3, '👩‍👩‍👧‍👦…'],
  ['e\u0301e\u0301e\u0301', 2, 'e\u0301…'],
  ['abc', 1, '…'],
])('%j in %i columns is %j', async (text, width, cut) => {
  const shown = truncate(text, width, await rulerFor([text]));
  expect(shown).toBe(cut);
  expect(stringWidth(shown)).toBeLessThanOrEqual(width);
});

test.each([
  [0, 'just now'],
  [-59, 'just now'],
  [-60, '1 minute ago'],
  [-3 * 3600, '3 hours ago'],
  [-86_400, '1 day ago'],
  [-400 * 86_400, '1 year ago'],
  [30, 'in less than a minute'],
  [74 * 86_400, 'in 2 months'],
  [3600, 'in 1 hour'],
])('%i seconds from now is %j', (seconds, words) => {
  const now = new Date('2026-11-23T10:00:00Z');
  expect(relativeTime(new Date(now.getTime() + seconds * 1000), now)).toBe(words);
});
