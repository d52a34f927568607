import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createVitest } from 'vitest/node';
import { projectOf } from './support/projects.js';

const root = fileURLToPath(new URL('../', import.meta.url));

test('every test file is in exactly one project, whatever folder it is in', async () => {
  const vitest = await createVitest('test', { root, watch: false, run: false });
  try {
    const specifications = await vitest.globTestSpecifications();
    const taken = specifications.map(({ moduleId }) => moduleId.slice(root.length)).sort();
    const files = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' });
    const tests = files.filter((file) => file.endsWith('.test.ts')).map((file) => `test/${file}`);
    expect(taken).toEqual(tests.sort());
  } finally {
    await vitest.close();
  }
});

test.each([
  ['domain/scopes.test.ts', 'unit'], // imports no store
  ['adapters/web.test.ts', 'unit'],
  ['adapters/time-limits.test.ts', 'store'], // node:http
  ['keyring/creation.test.ts', 'store'], // through support/keyrings.ts
  ['store/errors.test.ts', 'unit'],
  ['cli/list.test.ts', 'cli'],
  ['e2e/process.test.ts', 'e2e'],
  ['system/man.test.ts', 'system'],
])('%s is in the project %s', (file, project) => {
  expect(projectOf(file)).toBe(project);
});
