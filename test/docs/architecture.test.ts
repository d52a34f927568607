import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { read } from '../support/documents.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const page = read('docs/architecture.md');

test('docs/architecture.md names every folder of src/, and none that is not there', () => {
  const folders = readdirSync(path.join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${path.relative(ROOT, path.join(entry.parentPath, entry.name))}/`);
  const named = [...page.matchAll(/^(src\/[\w/-]+\/) +\S/gm)].map(([, folder]) => folder);
  expect(named.sort()).toEqual(folders.sort());
});

test('docs/architecture.md names every file at the root of src/', () => {
  const files = readdirSync(path.join(ROOT, 'src')).filter((name) => name.endsWith('.ts'));
  for (const name of files) expect(page).toMatch(new RegExp(`^src/${name} `, 'm'));
});

test('a command is followed to its exit code in ten steps, each in a file that is named', () => {
  const [, section = ''] = page.split('\n## From arguments to the exit code\n');
  const numbered = section.slice(0, section.indexOf('\n## ')).match(/^\d+\. .+$/gm) ?? [];
  expect(numbered).toHaveLength(10);
  for (const step of numbered) expect(step).toMatch(/`(?:src|bin)\/[\w./-]+\.[jt]s`/);
});
