import { expect, test } from 'vitest';
import { compiledStatements } from '../../scripts/compiled-statements.mjs';
import type { ListQuery } from '../../src/domain/key-query.js';
import { plainPage } from '../../src/store/key-pages.js';
import { listStatements } from '../../src/store/list-query.js';
import * as plainPages from '../../src/store/plain-pages.js';
import { compiled } from '../../src/store/query.js';
import * as rateStatements from '../../src/store/rate-statements.js';
import * as statements from '../../src/store/statements.js';

// In the command line, the build puts texts in the place of what drizzle compiles.

const MODULES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'src/store/statements.ts': statements,
  'src/store/rate-statements.ts': rateStatements,
  'src/store/plain-pages.ts': plainPages,
};
/** A value for every placeholder. */
const values = new Proxy({}, { get: (_, name) => String(name).length, has: () => true });
const result = (each: unknown) => (typeof each === 'function' ? each(values) : each);

test('what the build compiles is what drizzle compiles, for each statement and constant', async () => {
  const texts = await compiledStatements();
  expect([...texts.keys()]).toEqual(Object.keys(MODULES));
  for (const [file, text] of texts) {
    const made: Record<string, unknown> = {};
    const body = text.replace(/^import .*$/m, '').replace(/^export const (\w+) =/gm, 'made.$1 =');
    new Function('made', 'compiled', body)(made, compiled);
    const source = MODULES[file] ?? {};
    expect(Object.keys(source).length).toBeGreaterThan(1);
    expect(Object.keys(made).sort()).toEqual(Object.keys(source).sort());
    for (const [name, each] of Object.entries(source)) expect(result(made[name]), name).toEqual(result(each));
  }
});

const now = new Date();

test.each<Omit<ListQuery, 'now'>>([
  {},
  { limit: 20, scopes: [], labels: {}, search: undefined },
  { sort: 'created' },
  { sort: 'created', descending: true, limit: 1 },
])('the page %j that is compiled before is the one that would be built', (query) => {
  expect(plainPage({ ...query, now })).toEqual(listStatements({ ...query, now }));
});

test.each<Omit<ListQuery, 'now'>>([
  { status: 'active' },
  { search: '' },
  { scopes: ['plan:read'] },
  { labels: { team: 'a' } },
  { cursor: 'x' },
  { rotating: false },
  { sort: 'name' },
  { createdBefore: now },
])('a list %j is built', (query) => {
  expect(plainPage({ ...query, now })).toBeNull();
});
