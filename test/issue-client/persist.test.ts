import { expect, test } from 'vitest';
import { type HttpResponse, TransportError } from '../../src/http/transport.js';
import {
  type Clock,
  isLost,
  isPassing,
  persist,
  retryAfterMs,
  StatusError,
  waitAfter,
} from '../../src/issue-client/persist.js';

const response = (status: number, headers: HttpResponse['headers'] = {}): HttpResponse => ({
  status,
  headers,
  text: '',
  redirect: false,
});
const status = (code: number, headers: HttpResponse['headers'] = {}) => new StatusError(response(code, headers));

test.each<[unknown, boolean, boolean]>([
  [new TransportError('unreachable', 'x'), true, false],
  [new TransportError('broken', 'x'), false, true],
  [new TransportError('silent', 'x'), false, true],
  [new TransportError('untrusted', 'x'), false, false],
  [new TransportError('garbled', 'x'), false, false],
  [status(429), true, false],
  [status(503), true, false],
  [status(500), false, true],
  [status(502), false, true],
  [status(504), false, true],
  [status(599), false, true],
  [status(499), false, false],
  [status(401), false, false],
  [status(201), false, false],
  [new Error('x'), false, false],
  [undefined, false, false],
])('%s: whether it passes by itself, and whether the server may have done it', (error, passing, lost) => {
  expect([isPassing(error), isLost(error)]).toEqual([passing, lost]);
});

const DATE = 'Thu, 26 Nov 2026 01:00:00 GMT';

test.each([
  [{}, null],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': '999999999' }, 999_999_999_000],
  [{ 'retry-after': '9999999999' }, null],
  [{ 'retry-after': '-1' }, null],
  [{ 'retry-after': '1.5' }, null],
  [{ 'retry-after': 'soon' }, null],
  [{ 'retry-after': 'Thu, 26 Nov 2026 01:00:09 GMT', date: DATE }, 9000],
  [{ 'retry-after': 'Thu, 26 Nov 2026 00:59:00 GMT', date: DATE }, 0],
  [{ 'retry-after': 'Thu, 26 Nov 2026 01:00:09 GMT' }, null],
  [{ 'retry-after': 'Thu, 26 Nov 2026 01:00:09 GMT', date: 'today' }, null],
  [{ date: DATE }, null],
])('%j asks to wait %j ms', (headers, ms) => {
  expect(retryAfterMs(response(429, headers))).toBe(ms);
});

test('the wait is what the server asks for and at most 100 ms more, else longer each time up to 3.2 s, and not always the same', () => {
  const waits = (error: unknown, attempt: number) => Array.from({ length: 200 }, () => waitAfter(error, attempt));
  for (const ms of waits(status(503, { 'retry-after': '7' }), 1)) {
    expect(ms).toBeGreaterThanOrEqual(7000);
    expect(ms).toBeLessThan(7100);
  }
  for (const [attempt, longest] of [
    [1, 200],
    [2, 400],
    [5, 3200],
    [6, 3200],
    [50, 3200],
  ] as const) {
    const all = waits(new TransportError('unreachable', 'x'), attempt);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(longest / 2);
    expect(Math.max(...all)).toBeLessThan(longest);
    expect(Math.max(...all)).toBeGreaterThan(longest * 0.9);
    expect(new Set(all).size).toBeGreaterThan(20);
  }
  expect(new Set(waits(status(503, { 'retry-after': '7' }), 1)).size).toBeGreaterThan(20);
});

/** A clock that stands still but for its waits. */
function clock(): Clock & { waits: number[]; at: number } {
  const made = {
    waits: [] as number[],
    at: 0,
    now: () => made.at,
    async wait(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted();
      made.waits.push(ms);
      made.at += ms;
    },
  };
  return made;
}

/** Fails with each of these errors in turn, and then answers. */
function failing(...errors: unknown[]): () => Promise<string> {
  return async () => {
    if (errors.length === 0) return 'done';
    throw errors.shift();
  };
}

const wait = (seconds: number) => status(503, { 'retry-after': String(seconds) });

test('does it again as long as it may pass, and says each time how long it waits', async () => {
  const own = clock();
  const told: unknown[] = [];
  const tried: number[] = [];
  const errors = [wait(1), wait(2)];
  const found = await persist(failing(...errors), {
    clock: own,
    patienceMs: 60_000,
    mayPass: (_, attempt) => tried.push(attempt) > 0,
    waits: (error, ms) => told.push(error, ms),
  });
  expect([found, tried, own.waits.map((ms) => Math.floor(ms / 1000))]).toEqual(['done', [1, 2], [1, 2]]);
  expect(told).toEqual([errors[0], own.waits[0], errors[1], own.waits[1]]);
});

test('throws what does not pass, at once', async () => {
  const own = clock();
  const error = status(403);
  const how = { clock: own, patienceMs: 60_000, mayPass: isPassing, waits: () => expect.unreachable() };
  await expect(persist(failing(error), how)).rejects.toBe(error);
  expect(own.waits).toEqual([]);
});

test('waits and attempts have the patience together: a wait that ends after it is not begun', async () => {
  const own = clock();
  const how = { clock: own, patienceMs: 10_000, mayPass: isPassing };
  const last = wait(9);
  await expect(persist(failing(wait(2), last), how)).rejects.toBe(last);
  expect(own.waits).toHaveLength(1);
  const slow = clock();
  const late = wait(5);
  const work = failing(late);
  const slowly = async () => {
    slow.at += 6000;
    return work();
  };
  await expect(persist(slowly, { clock: slow, patienceMs: 10_000, mayPass: isPassing })).rejects.toBe(late);
  expect(slow.waits).toEqual([]);
  expect(await persist(failing(wait(9)), { clock: clock(), patienceMs: 10_000, mayPass: isPassing })).toBe('done');
});

test('after an interruption nothing is done again, and the wait ends with its reason', async () => {
  const before = new AbortController();
  const error = wait(1);
  const own = clock();
  const work = async () => {
    before.abort(new Error('interrupted'));
    throw error;
  };
  const how = { clock: own, patienceMs: 60_000, mayPass: isPassing };
  await expect(persist(work, { ...how, signal: before.signal })).rejects.toBe(error);
  expect(own.waits).toEqual([]);
  const during = new AbortController();
  const waits = () => during.abort(new Error('interrupted'));
  await expect(persist(failing(wait(1)), { ...how, signal: during.signal, waits })).rejects.toThrow('interrupted');
});
