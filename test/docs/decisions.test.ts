import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { read, table } from '../support/documents.js';

const names = readdirSync(new URL('../../docs/decisions/', import.meta.url)).filter((file) => /^\d/.test(file));

function headOf(file: string): { title: string; date: string; status: string } {
  const [, title = '', date = '', status = ''] =
    /^# \d+\. (.+)\n\n(\d{4}-\d\d-\d\d) · (.+)\n/.exec(read(`docs/decisions/${file}`)) ?? [];
  return { title, date, status };
}

test('every decision note says context, choice, consequence, and what would change it', () => {
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const note = read(`docs/decisions/${name}`);
    for (const part of ['**Context.**', '**Choice.**', '**Consequence.**', '**What would change it.**'])
      expect(note, name).toContain(part);
    expect(note.split('\n').length, name).toBeLessThan(40);
  }
});

test('the index lists every note with its title, date and status', () => {
  expect(table('docs/decisions/README.md', 'note').map((row) => row.slice(0, 3))).toEqual(
    names.sort().map((file) => {
      const { title, date, status } = headOf(file);
      return [`[${Number(file.slice(0, 4))}. ${title.replaceAll('`', '')}](${file})`, date, status];
    }),
  );
});

test.each(names)('%s carries a date and a status', (file) => {
  const { title, date, status } = headOf(file);
  expect(title).toBeTruthy();
  expect(date).toMatch(/^20\d\d-/);
  expect(status).toMatch(/^(accepted|superseded by \d+|accepted; amended by \d+)$/);
});
