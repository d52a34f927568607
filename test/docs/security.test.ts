import { expect, test } from 'vitest';
import { read, table } from '../support/documents.js';

const PAGE = 'docs/security.md';
const ROWS = ['promise', 'threat', 'fault'].flatMap((head) => table(PAGE, head));

/** The tests that a row names: a file, and the title of a test in it if there is one. */
const named = (row: readonly string[]) =>
  [...(row.at(-1) ?? '').matchAll(/`([^`]+\.test\.ts)`(?: \("([^"]+)"\))?/g)].map(([, file = '', title]) => ({
    file: `test/${file}`,
    title,
  }));

test('each promise, threat and fault names a test that makes it happen', () => {
  expect(ROWS.length).toBeGreaterThanOrEqual(60);
  for (const row of ROWS) expect(named(row).length, row[0]).toBeGreaterThan(0);
});

test('every test that is named is there, by its file and its title', () => {
  const titles = ROWS.flatMap(named).filter(({ title }) => title !== undefined);
  expect(titles.length).toBeGreaterThan(20);
  for (const { file, title = '' } of titles) {
    const starts = ["'", '"', '`'].map((quote) => `(${quote}${title}`);
    const text = read(file).replace(/\(\s+/g, '(');
    expect(
      starts.some((start) => text.includes(start)),
      `${file}: ${title}`,
    ).toBe(true);
  }
});
