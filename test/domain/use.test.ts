import { describe, expect, test } from 'vitest';
import {
  dayOf,
  dayText,
  isNeverUsed,
  isRecordedFrom,
  presentRecorders,
  type Recorder,
  type Recording,
  recordedSince,
  useKnownSince,
} from '../../src/domain/use.js';

const NOW = new Date('2026-11-23T10:00:00.000Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ago = (ms: number) => new Date(NOW.getTime() - ms);
const span = (from: number, to: number) => ({ since: ago(from), until: ago(to) });
const recording = (recorded: Recording['recorded'], unrecorded: Recording['unrecorded'] = []): Recording => ({
  recorded,
  unrecorded,
  recorders: [],
});

describe('since when use has been recorded', () => {
  test.each<[string, Recording, number | null]>([
    ['never', recording([]), null],
    ['by one server up to now', recording([span(5 * DAY, 0)]), 5 * DAY],
    ['by one that reported a day ago', recording([span(5 * DAY, DAY)]), 5 * DAY],
    ['by one that was gone for longer', recording([span(5 * DAY, DAY + 1)]), null],
    ['by two after one another', recording([span(9 * DAY, 4 * DAY), span(3 * DAY, 0)]), 9 * DAY],
    ['by two, in the other order', recording([span(3 * DAY, 0), span(9 * DAY, 4 * DAY)]), 9 * DAY],
    ['with a gap that is too long', recording([span(9 * DAY, 4 * DAY + 1), span(3 * DAY, 0)]), 3 * DAY],
    ['by one within the time of another', recording([span(9 * DAY, 0), span(3 * DAY, 2 * DAY)]), 9 * DAY],
    ['by one that went on past the start of a later one', recording([span(2 * DAY, 0), span(9 * DAY, HOUR)]), 9 * DAY],
    ['while another server did not', recording([span(9 * DAY, 0)], [span(5 * DAY, 2 * DAY)]), 2 * DAY],
    ['after one that did not', recording([span(2 * DAY, 0)], [span(9 * DAY, 5 * DAY)]), 2 * DAY],
    ['while several did not', recording([span(9 * DAY, 0)], [span(8 * DAY, DAY), span(5 * DAY, 3 * DAY)]), DAY],
    ['while another one does not now', recording([span(9 * DAY, 0)], [span(5 * DAY, 15 * MINUTE)]), null],
    [
      'since just after another one did not',
      recording([span(9 * DAY, 0)], [span(5 * DAY, 15 * MINUTE + 1)]),
      15 * MINUTE + 1,
    ],
  ])('%s', (_what, known, since) => {
    const found = recordedSince(known, NOW);
    expect(found && NOW.getTime() - found.getTime()).toBe(since);
  });
});

describe('a gap makes no difference where it is a tenth of the time that is asked about', () => {
  test.each([
    ['a quarter of an hour at least', HOUR, 15 * MINUTE],
    ['a tenth', 100 * HOUR, 10 * HOUR],
    ['a day at most', 100 * DAY, DAY],
  ])('%s', (_what, time, gap) => {
    // At the end of the time, at its beginning, and in the middle.
    const asked = (spans: Recording['recorded']) => isRecordedFrom(ago(time), recording(spans), NOW);
    expect(asked([span(time, 0)])).toBe(true);
    expect(asked([span(time, gap)])).toBe(true);
    expect(asked([span(time, gap + 1)])).toBe(false);
    expect(asked([span(time - gap, 0)])).toBe(true);
    expect(asked([span(time - gap - 1, 0)])).toBe(false);
    const middle = time / 4;
    expect(asked([span(middle, 0), span(time, middle + gap)])).toBe(true);
    expect(asked([span(middle, 0), span(time, middle + gap + 1)])).toBe(false);
    expect(asked([])).toBe(false);
  });
});

describe('what is known of a key', () => {
  const key = { createdAt: ago(10 * DAY), lastUsedAt: null };

  test('begins with its creation where all since then was recorded, and else with the recording', () => {
    expect(useKnownSince(key, recording([span(30 * DAY, 0)]), NOW)).toBe(key.createdAt);
    expect(useKnownSince(key, recording([span(9.5 * DAY, 0)]), NOW)).toBe(key.createdAt);
    expect(useKnownSince(key, recording([span(3 * DAY, 0)]), NOW)).toEqual(ago(3 * DAY));
    expect(useKnownSince(key, recording([]), NOW)).toBeNull();
  });

  test('is that it was never used, only where all its life was recorded', () => {
    expect(isNeverUsed(key, recording([span(30 * DAY, 0)]), NOW)).toBe(true);
    expect(isNeverUsed(key, recording([span(3 * DAY, 0)]), NOW)).toBe(false);
    expect(isNeverUsed({ ...key, lastUsedAt: ago(DAY) }, recording([span(30 * DAY, 0)]), NOW)).toBe(false);
  });
});

test('a server is there for five minutes after its last report', () => {
  const recorder = (host: string, seen: number, records: boolean): Recorder => ({
    host,
    records,
    since: ago(DAY),
    seen: ago(seen),
  });
  const recorders = [
    recorder('now', 0, true),
    recorder('just', 5 * MINUTE, true),
    recorder('gone', 5 * MINUTE + 1, true),
    recorder('blind', MINUTE, false),
    recorder('blind and gone', HOUR, false),
  ];
  const { recording: there, blind } = presentRecorders({ recorded: [], unrecorded: [], recorders }, NOW);
  expect(there.map(({ host }) => host)).toEqual(['now', 'just']);
  expect(blind.map(({ host }) => host)).toEqual(['blind']);
});

test('a day is one of UTC', () => {
  for (const [time, day] of [
    ['1970-01-01T00:00:00.000Z', 0],
    ['2026-11-23T00:00:00.000Z', 20_780],
    ['2026-11-23T23:59:59.999Z', 20_780],
    ['2026-11-24T00:00:00.000Z', 20_781],
  ] as const) {
    expect(dayOf(new Date(time))).toBe(day);
    expect(dayText(day)).toBe(time.slice(0, 10));
  }
});
