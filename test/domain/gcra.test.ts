import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit } from '../../src/domain/gcra.js';
import { MAX_PER_SECOND } from '../../src/domain/rate-limit.js';

const LIMIT = { limit: 10, windowSeconds: 60 };
const EACH_MS = 6000;

/** So many of these requests, in milliseconds, are let through. */
function admitted(times: readonly number[], limit = LIMIT): boolean[] {
  let tat: number | undefined;
  return times.map((now) => {
    const answer = admit(tat, limit, now);
    tat = answer.tat;
    return answer.decision.admitted;
  });
}

describe('a rate limit', () => {
  test('lets the whole limit through at once, and then one at a time', () => {
    const times = [...Array(12).fill(0), EACH_MS - 1, EACH_MS, EACH_MS, 2 * EACH_MS];
    expect(admitted(times)).toEqual([...Array(10).fill(true), false, false, false, true, false, true]);
  });

  test('lets no more through at the edge of a window than anywhere', () => {
    const before = Array<number>(10).fill(59_999);
    const after = Array<number>(10).fill(60_000);
    expect(admitted([0, ...before, ...after]).filter(Boolean).length).toBeLessThanOrEqual(11);
  });

  test('says what is left, when all of it is back, and when the next one may come', () => {
    const first = admit(undefined, LIMIT, 1000);
    expect(first.decision).toEqual({ admitted: true, rate: { ...LIMIT, remaining: 9, resetMs: EACH_MS } });
    let tat: number | undefined;
    for (let i = 0; i < 10; i++) tat = admit(tat, LIMIT, 1000).tat;
    const refused = admit(tat, LIMIT, 3000);
    expect(refused.decision).toEqual({
      admitted: false,
      rate: { ...LIMIT, remaining: 0, resetMs: 58_000 },
      retryAfterMs: 4000,
    });
    expect(refused.tat).toBe(tat); // a refused request costs nothing
    expect(admit(tat, LIMIT, 7000).decision.admitted).toBe(true);
  });

  test('a clock that is set back locks nobody out, one that jumps forward gives no more than the limit', () => {
    let tat: number | undefined;
    for (let i = 0; i < 10; i++) tat = admit(tat, LIMIT, 3_600_000).tat;
    expect(admit(tat, LIMIT, 0).decision).toMatchObject({ admitted: true, rate: { remaining: 9 } });
    const jumped = Array<number>(11).fill(1e12);
    expect(admitted([0, ...jumped]).filter(Boolean)).toHaveLength(11);
  });

  test('over any stretch of any history at most the limit, and what time gave back', () => {
    const history = fc.record({
      limit: fc.integer({ min: 1, max: 50 }),
      windowSeconds: fc.constantFrom(1, 60, 3600),
      steps: fc.array(fc.nat(5000), { maxLength: 200 }),
    });
    fc.assert(
      fc.property(history, ({ limit, windowSeconds, steps }) => {
        let now = 0;
        const times = steps.map((step) => (now += step));
        const passed = times.filter((_, i) => admitted(times, { limit, windowSeconds })[i]);
        const each = (windowSeconds * 1000) / limit;
        for (const [i, from] of passed.entries())
          for (const [j, to] of passed.slice(i).entries())
            expect(j + 1).toBeLessThanOrEqual(limit + (to - from) / each + 1e-3);
      }),
      { seed: 20261123, numRuns: 60 },
    );
  });

  test.each([1, 3, 7, 600, 99_991])('of %i a second is exact, whatever the fractions', (limit) => {
    const shown = Math.min(limit, 2000);
    let tat: number | undefined;
    for (let i = 1; i <= shown; i++) {
      const { decision, tat: next } = admit(tat, { limit, windowSeconds: 1 }, 0);
      expect(decision).toMatchObject({ admitted: true, rate: { remaining: limit - i } });
      tat = next;
    }
  });

  test.each([
    1000, 33_333, 70_000, 100_000, 250_000, 10_000_000, 999_999_937,
  ])('of %i a second lets hardly more through than it says, in this century', (limit) => {
    const start = Date.UTC(2026, 10, 25);
    const seconds = 2;
    let tat: number | undefined;
    let passed = 0;
    for (let ms = 0; ms < seconds * 1000; ms++)
      for (;;) {
        const { decision, tat: next } = admit(tat, { limit, windowSeconds: 1 }, start + ms);
        tat = next;
        if (!decision.admitted) break;
        passed += 1;
      }
    const promised = Math.min(limit, MAX_PER_SECOND);
    expect(passed).toBeGreaterThan(promised * seconds * 0.98);
    expect(passed).toBeLessThan(promised * (seconds + 1) * 1.02); // the whole limit at once, and then its rate
  });
});
