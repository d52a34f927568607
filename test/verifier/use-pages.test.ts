import { describe, expect, test } from 'vitest';
import type { ApiKey } from '../../src/domain/api-key.js';
import { DAY_MS } from '../../src/domain/use.js';
import { type RefusalVerdict, UsePages } from '../../src/verifier/use-pages.js';

const NOON = Date.UTC(2026, 10, 23, 12);
const key = (id: string) => ({ id }) as ApiKey;
const inactive = (id: string): RefusalVerdict => ({ verdict: 'inactive', key: key(id) });
const detailOf = (verdict: RefusalVerdict) => {
  const pages = new UsePages();
  pages.refused(verdict, NOON);
  return pages.take()[0]?.detail;
};

test('a key, a day and a verdict take one place, with the last time of them', () => {
  const pages = new UsePages();
  expect([pages.used('a', NOON), pages.used('a', NOON + 5), pages.used('b', NOON + 1)]).toEqual([false, true, false]);
  expect([pages.refused(inactive('a'), NOON), pages.refused(inactive('a'), NOON + 7)]).toEqual([false, true]);
  expect(pages.refused({ verdict: 'expired', key: key('a') }, NOON + 8)).toBe(false);
  expect(pages.refused(inactive('b'), NOON + 9)).toBe(false);
  expect(pages.size).toBe(5);
  expect(pages.take()).toEqual([
    { id: 'a', verdict: 'valid', times: 2, at: new Date(NOON + 5), detail: null },
    { id: 'b', verdict: 'valid', times: 1, at: new Date(NOON + 1), detail: null },
    { id: 'a', verdict: 'inactive', times: 2, at: new Date(NOON + 7), detail: null },
    { id: 'a', verdict: 'expired', times: 1, at: new Date(NOON + 8), detail: null },
    { id: 'b', verdict: 'inactive', times: 1, at: new Date(NOON + 9), detail: null },
  ]);
  expect([pages.size, pages.take()]).toEqual([0, []]);
  expect(pages.used('a', NOON)).toBe(false);
});

describe('a day of UTC has a page of its own', () => {
  const midnight = Date.UTC(2026, 10, 24);

  test.each<[string, (pages: UsePages, at: number) => boolean, string]>([
    ['uses', (pages, at) => pages.used('a', at), 'valid'],
    ['refusals', (pages, at) => pages.refused(inactive('a'), at), 'inactive'],
  ])('for %s, from its first millisecond to its last', (_what, note, verdict) => {
    const pages = new UsePages();
    const times = [midnight - DAY_MS, midnight - 1, midnight, midnight + DAY_MS - 1, midnight + DAY_MS];
    expect(times.map((at) => note(pages, at))).toEqual([false, true, false, true, false]);
    expect(pages.size).toBe(3);
    const taken = [
      [times[1], 2],
      [times[3], 2],
      [times[4], 1],
    ].map(([at, count]) => ({ id: 'a', verdict, times: count, at: new Date(at as number), detail: null }));
    expect(pages.take()).toEqual(taken);
    // A clock that is set back begins a page as well: the times of one count are of one day.
    expect([midnight, midnight, midnight - 1].map((at) => note(pages, at))).toEqual([false, true, false]);
    expect(pages.take().map(({ times }) => times)).toEqual([2, 1]);
  });
});

describe('what a refusal was about', () => {
  const missing = (...missingScopes: string[]): RefusalVerdict => ({
    verdict: 'missing_scope',
    key: key('a'),
    missingScopes,
  });
  const long = `a${'b'.repeat(30)}:c${'d'.repeat(30)}`;

  test.each<[RefusalVerdict, string | null]>([
    [inactive('a'), null],
    [{ verdict: 'wrong_environment', key: key('a'), environment: 'live' }, 'live'],
    [{ verdict: 'wrong_address', key: key('a'), address: '192.0.2.1' }, null],
    [{ verdict: 'wrong_address', key: key('a'), address: null }, 'address not known'],
    [missing('a:b'), 'a:b'],
    [missing('a:b', 'c:d', 'e:f'), 'a:b, c:d, e:f'],
    [missing('a:b', 'c:d', 'e:f', 'g:h', 'i:j'), 'a:b, c:d, e:f and 2 more'],
    [missing('/etc/passwd', 'a:b', 5 as never), 'a:b'],
    [missing('/etc/passwd'), null],
    [missing(), null],
    [missing(long, long, long, long), `${long}, ${long}, ${long} and 1 more`.slice(0, 200)],
  ])('%j: %j', (verdict, detail) => {
    expect(detailOf(verdict)).toBe(detail);
  });

  test('is that of the last one', () => {
    const pages = new UsePages();
    for (const scope of ['a:b', 'c:d']) pages.refused(missing(scope), NOON);
    expect(pages.take()).toMatchObject([{ times: 2, detail: 'c:d' }]);
  });
});
