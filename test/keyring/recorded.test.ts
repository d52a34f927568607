import { describe, expect, test } from 'vitest';
import type { Recorder, Recording } from '../../src/domain/use.js';
import { assertRecorded, knownFrom } from '../../src/keyring/recorded.js';
import { refusal } from '../support/refusal.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');
const DAY = 86_400_000;
const ago = (days: number) => new Date(NOW.getTime() - days * DAY);
const span = (from: number, to: number) => ({ since: ago(from), until: ago(to) });
const blind = (...hosts: string[]): Recorder[] =>
  hosts.map((host) => ({ host, records: false, since: ago(9), seen: NOW }));
const recording = (more: Partial<Recording>): Recording => ({ recorded: [], unrecorded: [], recorders: [], ...more });
const asked = (known: Recording) =>
  refusal(() => assertRecorded(known, ago(10), NOW, 'whether keys were used', 'wait')).message;

describe('what is not known, and why', () => {
  test.each<[Recording, string]>([
    [recording({}), 'no server has recorded any use yet'],
    [
      recording({ recorded: [span(30, 20)] }),
      'no server has recorded use since 2026-11-03T10:00:00.000Z, or for a time before',
    ],
    [
      recording({ recorded: [span(3, 0)] }),
      'use has been recorded since 2026-11-20T10:00:00.000Z only, and not from 2026-11-13T10:00:00.000Z on',
    ],
    [
      recording({ recorded: [span(30, 0)], unrecorded: [span(8, 5), span(8, 6)] }),
      'a server checked keys without recording their use (--no-marks), last at 2026-11-18T10:00:00.000Z',
    ],
    [
      recording({ recorded: [span(3, 0)], unrecorded: [span(30, 20)] }),
      'use has been recorded since 2026-11-20T10:00:00.000Z only, and not from 2026-11-13T10:00:00.000Z on',
    ],
    [
      recording({ recorded: [span(3, 0)], recorders: blind('a', 'b', 'a') }),
      'a, b checks keys without recording their use (--no-marks)',
    ],
    [
      recording({ recorded: [span(3, 0)], recorders: blind('a', 'b', 'c', 'd', 'e\u001b', 'f', 'g') }),
      'a, b, c, d, e\\u{1b} and 2 more checks keys without recording their use (--no-marks)',
    ],
    [recording({ recorded: [span(3, 0)], recorders: blind('a', 'b', 'c', 'd', 'e') }), 'a, b, c, d, e checks'],
  ])('%#', (known, why) => {
    expect(asked(known)).toContain(`whether keys were used is not known: ${why}`);
  });

  test('is told with the way to go on', () => {
    const error = refusal(() => assertRecorded(recording({}), ago(10), NOW, 'x', 'pass --force'));
    expect(error).toMatchObject({ code: 'guarded', hint: 'pass --force' });
  });
});

test('what was recorded all the time is known', () => {
  expect(() => assertRecorded(recording({ recorded: [span(10, 0)] }), ago(10), NOW, 'x', 'y')).not.toThrow();
});

test('a time will be known from the first day on that begins after all of it was recorded', () => {
  const of = (days: number) => knownFrom(recording({ recorded: [span(days, 0)] }), 10 * DAY, NOW)?.toISOString();
  expect(of(3.25)).toBe('2026-12-01T00:00:00.000Z'); // since 04:00
  expect(of(3 + 10 / 24)).toBe('2026-11-30T00:00:00.000Z'); // since midnight
  expect(knownFrom(recording({}), 10 * DAY, NOW)).toBeNull();
});
