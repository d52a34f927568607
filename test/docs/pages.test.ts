import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { pages, read } from '../support/documents.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The links of a page to files of the repository, as paths in it, with their fragments. */
function links(page: string): { file: string; fragment: string }[] {
  const text = read(page).replace(/^```.*?^```$/gms, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file = '', fragment = ''] = target.split('#');
      return { file: file === '' ? page : path.join(path.dirname(page), file), fragment };
    });
}

/** The fragments that GitHub gives to the headings of a page. */
function fragments(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test.each(['README.md', 'docs/architecture.md'])('%s has at most 150 lines', (page) => {
  expect(read(page).trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

test('every link within the repository leads to a file and a heading that exist', () => {
  for (const page of pages())
    for (const { file, fragment } of links(page)) {
      expect(existsSync(path.join(ROOT, file)), `${page} links to ${file}`).toBe(true);
      if (fragment !== '') expect(fragments(file), `${page} links to ${file}#${fragment}`).toContain(fragment);
    }
});

test('every page can be reached from README', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) for (const { file } of links(page)) if (file.endsWith('.md')) reached.add(file);
  expect(pages().filter((page) => !reached.has(page))).toEqual([]);
});

/** Paths that a page names in prose; docs/security.md names tests from `test/` on. */
function namedFiles(page: string): string[] {
  const prose = read(page).replace(/^```.*?^```$/gms, '');
  const paths = prose.match(/(?<![\w/.-])(?:src|test|scripts|drizzle|schema|bench|bin|\.ci)\/[\w./-]*[\w/]/g) ?? [];
  const tests = [...prose.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, file = '']) => file);
  return [...paths, ...tests.filter((file) => !file.startsWith('test/')).map((file) => `test/${file}`)];
}

test('every file of the repository that a page names exists', () => {
  const missing = pages()
    .filter((page) => page !== 'CHANGELOG.md')
    .flatMap((page) => namedFiles(page).map((file) => ({ page, file })))
    .filter(({ file }) => !existsSync(path.join(ROOT, file)));
  expect(missing).toEqual([]);
});

test('CI runs the test line of README', () => {
  const line = /runs all the tests[^`]*```sh\n(.+)\n```/.exec(read('README.md'))?.[1];
  expect(line).toBeTruthy();
  expect(read('.ci/run').split('\n')).toContain(line);
});
