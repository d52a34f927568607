import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { rulerFor, truncate } from '../../src/cli/output/table.js';
import { relativeTime } from '../../src/domain/relative-time.js';
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
    { columns: 40, has: [], lacks: ['DESCRIPTION', 'EXPIRES', 'SCOPES'] },
    { columns: 60, has: [], lacks: ['DESCRIPTION', 'EXPIRES'] },
    { columns: 80, has: ['SCOPES'], lacks: ['DESCRIPTION', 'EXPIRES'] },
    { columns: 97, has: ['SCOPES', 'LAST USED'], lacks: ['DESCRIPTION'] },
    { columns: 200, has: ['MODE', 'SCOPES', 'LAST USED', 'EXPIRES', 'DESCRIPTION'], lacks: [] },
  ])('fits $columns columns', async ({ columns, has, lacks }) => {
    const cli = (await withKeys()).atTerminal();
    cli.columns = columns;
    const { stdout } = await cli.run('list');
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(NAMES.length + 1);
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
    for (const header of ['NAME', 'ID', 'MODE', 'STATUS', ...has]) expect(lines[0]).toContain(header);
    for (const header of lacks) expect(lines[0]).not.toContain(header);
    for (const { id, mode } of await cli.json('list')) expect(stdout).toMatch(new RegExp(`${id} +${mode} `));
    expect(stdout.match(/● Active/g)).toHaveLength(NAMES.length);
  });

  test('columns line up, whatever the width of the characters', async () => {
    const cli = (await withKeys()).atTerminal();
    cli.env.NO_COLOR = '1';
    cli.columns = 97;
    const lines = (await cli.run('list')).stdout.trimEnd().split('\n');
    const ids = ['ID', ...(await cli.json('list')).map(({ id }: { id: string }) => id)];
    const starts = lines.map((line, i) => stringWidth(line.slice(0, line.indexOf(ids[i] ?? ''))));
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

describe('at 80 columns', () => {
  const PARTNER = 'partner-checkin-eu-2';
  async function given() {
    const cli = testCli();
    const scopes = 'checkin:*,plan:*,facility:read';
    await cli.create(PARTNER, '-s', scopes, '-d', 'a description of some length', '--expires', '5d');
    await cli.create('ci', '-s', 'plan:read', '-d', 'short');
    return cli.atTerminal();
  }

  test.each([
    { flags: [], has: [] },
    { flags: ['--expiring-within', '14d'], has: ['EXPIRES', 'in 5 days'] },
    { flags: ['--sort', '-expires'], has: ['EXPIRES'] },
    { flags: ['--sort', 'last-used'], has: ['LAST USED'] },
    { flags: ['--scope', 'checkin:read'], has: ['SCOPES'] },
    { flags: ['--fields', 'name,maskedKey,expiresAt,lastUsedAt'], has: ['EXPIRES', 'LAST USED'] },
  ])('list $flags keeps the name and what was asked for, and says what it left out', async ({ flags, has }) => {
    const cli = await given();
    const { stdout, stderr } = await cli.run('list', ...flags);
    for (const text of [PARTNER, ...has]) expect(stdout).toContain(text);
    for (const line of stdout.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(80);
    const all = ['MODE', 'SCOPES', 'LAST USED', 'EXPIRES', 'DESCRIPTION'];
    const left = all.filter((header) => !stdout.includes(header));
    if (!flags.includes('--fields')) for (const header of left) expect(stderr).toContain(header);
    expect(stderr.includes('Not shown')).toBe(!flags.includes('--fields'));
  });

  test.each([
    [],
    ['--expiring-within', '14d'],
    ['--sort', 'last-used'],
    ['--scope', 'checkin:read'],
  ])('a live key is seen as live at any width, and every key has its id: list %s %s', async (...flags) => {
    const cli = await given();
    const { id } = await cli.json('show', PARTNER);
    for (const columns of [30, 40, 60, 79, 80, 100, 120]) {
      cli.columns = columns;
      const { stdout } = await cli.run('list', ...flags.filter((flag) => flag !== undefined));
      expect(
        stdout.split('\n').find((line) => line.includes(id)),
        `${columns}`,
      ).toMatch(/ live |unlk_live_/);
    }
  });

  test('the id stands in for the masked key only where more fits then', async () => {
    const cli = testCli().atTerminal();
    await cli.create('a');
    cli.columns = 100;
    expect((await cli.run('list')).stdout).toContain('unlk_live_');
    cli.columns = 60;
    expect((await cli.run('list')).stdout).toMatch(/^NAME +ID +MODE/);
  });

  test('DESCRIPTION is shown only where the rest has its full width', async () => {
    const cli = await given();
    for (let columns = 80; columns < 200; columns += 3) {
      cli.columns = columns;
      const { stdout } = await cli.run('list');
      if (stdout.includes('DESCRIPTION'))
        expect(stdout).toContain('checkin:read,create,update plan:read,create,update facility:read');
    }
  });

  test('audit list shows name and id', async () => {
    const cli = await given();
    const { stdout } = await cli.run('audit', 'list');
    for (const { id, name } of await cli.json('list')) expect(stdout).toMatch(new RegExp(`${name} +${id}`));
    for (const line of stdout.split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(80);
  });
});
