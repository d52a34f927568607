import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AuditBody,
  type AuditHead,
  type AuditRow,
  appendToChain,
  chainHash,
  GENESIS,
} from '../../src/domain/audit.js';
import { chainedEvent } from '../../src/domain/audit-line.js';
import { safeJson } from '../../src/domain/text.js';
import { AuditLineCheck } from '../../src/keyring/line-check.js';
import { auditEvent } from '../support/audit-rows.js';

const event = (keyName: string, after: AuditBody['after'] = null) => auditEvent({ keyId: 'k1', keyName, after });
/** Two rows of 0.1.0, whose text does not hold the operation id, and rows of this version. */
const OLD = appendToChain(GENESIS, 'old', [event('a'), event('b')], { bare: true });
const ROWS = [
  ...OLD,
  ...appendToChain(OLD[1] as AuditRow, 'op', [
    event('späte\u202e\ud800"\\', { labels: { 10: 'x', 9: 'y', __proto__x: '' }, n: 5, list: ['1', null] }),
    event('d'),
    event('e', { limit: -1, rate: 0.5 }),
  ]),
];
const lineOf = (row: AuditRow) => safeJson(chainedEvent(row));
const LINES = ROWS.map(lineOf);
const headOf = (at: number) => ROWS[at] as AuditHead;

function check(lines: readonly string[], after: AuditHead | null = null, anchor: AuditHead | null = null) {
  const lineCheck = new AuditLineCheck(after, anchor);
  for (const [i, line] of lines.entries()) lineCheck.line(line, `f:${i + 1}`);
  return lineCheck.finish();
}
const problems = (lines: readonly string[], after: AuditHead | null = null) => check(lines, after).problems;

test('lines give the texts of all rows, old and new, and so their hashes', () => {
  const { seq, hash } = headOf(4);
  expect(check(LINES)).toEqual({ sound: true, head: { seq, hash }, events: 5, problems: [] });
  for (let from = 1; from <= 5; from++) expect(problems(LINES.slice(from), headOf(from - 1))).toEqual([]);
  expect(ROWS.map(chainedEvent).map(({ body }) => body)).toEqual([null, null, null, null, null]);
});

test('whoever passed the lines on may write the JSON anew', () => {
  const anew = LINES.map((line) =>
    JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(line)).reverse()), null, 1),
  );
  expect(problems(anew)).toEqual([]);
});

test('a change of any character of any line is found, unless the JSON means the same, or it is the operation id of an old row', () => {
  fc.assert(
    fc.property(
      fc.nat(4),
      fc.nat(),
      fc.constantFrom('0', 'f', 'x', '"', ',', ':', '{', ' ', '\\'),
      (at, place, char) => {
        const line = LINES[at] as string;
        const cut = place % line.length;
        const other = line.slice(0, cut) + char + line.slice(cut + 1);
        let same = false;
        try {
          const [read, was] = [JSON.parse(other), JSON.parse(line)];
          if (at < 2) read.op = was.op;
          same = JSON.stringify(read) === JSON.stringify(was);
        } catch {}
        if (!same) expect(problems(LINES.map((each, i) => (i === at ? other : each)))).not.toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});

describe('a check says which line is wrong', () => {
  const [one, two, three, four, five] = LINES as [string, string, string, string, string];
  const without = (line: string, name: string) => JSON.stringify({ ...JSON.parse(line), [name]: undefined });
  test.each<[string, readonly string[], readonly (string | RegExp)[]]>([
    [
      'an edited value',
      [one, two, three, four.replace('ops', 'eve'), five],
      ['f:4: audit row 4 was changed: its hash does not match its text'],
    ],
    ['a field put in', [one, two.replace('{', '{"note":"x",'), three, four, five], [/^f:2: audit row 2 was changed/]],
    ['a row taken out', [one, two, four, five], ['f:3: audit row 3 is missing (found 4 in its place)']],
    ['the first rows taken out', [three, four, five], ['f:1: audit rows 1 to 2 are missing (found 3 in their place)']],
    [
      'a line twice',
      [one, two, two, three, four, five],
      ['f:3: audit row 2 is repeated or out of order: row 3 is expected'],
    ],
    [
      'lines twice',
      [one, two, three, one, two, three, four, five],
      ['f:4: audit rows 1 to 3 are repeated or out of order: row 4 is expected'],
    ],
    [
      'files in the wrong order',
      [four, five, one, two, three],
      [/^f:1: audit rows 1 to 3 are missing/, 'f:3: audit rows 1 to 3 are repeated or out of order: row 6 is expected'],
    ],
    ['no JSON', [one, two, 'rubbish', four, five], ['f:3: this is not a row of an audit log: it is not JSON']],
    ['another kind of JSON', [one, two, '[]', four, five], [/^f:3: this is not a row.*not a JSON object$/]],
    ['a row of something else', ['{"level":"info"}'], [/^f:1: .*no seq/, 'the lines: there is no row of an audit log']],
    ['a field taken out', [one, two, without(three, 'hash'), four, five], [/^f:3: .*it has no hash of a row$/]],
    ['a name twice', [one, two, three.replace('{', '{"osUser":"eve",'), four, five], [/^f:3: .*a name twice/]],
    [
      'a name twice further in',
      [one, two, three.replace('"n":5', '"n":6,"n":5'), four, five],
      [/^f:3: .*a name twice/],
    ],
    [
      'a number in another form',
      [one, two, three.replace('"n":5', '"n":5.0'), four, five],
      [/^f:3: .*a number in another form/],
    ],
    [
      'nothing but nesting',
      [one, two, '['.repeat(1_000_000), `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`],
      [/^f:3: .*not JSON/, /^f:4: .*nested too deeply/],
    ],
    ['no line', [], ['the lines: there is no row of an audit log']],
  ])('%s', (_what, lines, expected) => {
    const found = problems(lines);
    expect(found).toHaveLength(expected.length);
    for (const [i, each] of expected.entries())
      expect(found[i]).toEqual(typeof each === 'string' ? each : expect.stringMatching(each));
  });

  test('rows of another log', () => {
    const other = appendToChain(GENESIS, 'other', [event('a'), event('b'), event('c')]).map(lineOf);
    expect(problems([...LINES.slice(0, 2), other[2] as string])).toEqual([
      'f:3: audit row 3 does not follow the row before it',
    ]);
    expect(problems(other.slice(1), headOf(0))).toEqual(['f:1: audit row 2 does not follow the row before it']);
  });

  test('a row without its operation id behind one with it', () => {
    const bare = appendToChain(headOf(4), 'late', [event('f')], { bare: true }).map(lineOf);
    expect(problems([...LINES, ...bare])).toEqual([
      expect.stringContaining('f:6: audit row 6 does not hold its operation id'),
    ]);
  });

  test('a log that does not contain an anchor', () => {
    expect(check(LINES, null, headOf(3)).sound).toBe(true);
    expect(check(LINES.slice(3), headOf(2), headOf(2)).sound).toBe(true);
    expect(check(LINES.slice(0, 3), null, headOf(3)).problems).toEqual([
      expect.stringMatching(/^the lines: they do not contain 4:/),
    ]);
    expect(check(LINES.slice(3), headOf(2), headOf(1)).problems).toEqual([
      expect.stringMatching(/^the lines: they begin after row 3/),
    ]);
    const rebuilt = { seq: 4, hash: 'f'.repeat(64) };
    expect(check(LINES, null, rebuilt)).toMatchObject({
      sound: false,
      problems: [expect.stringMatching(/^the lines: they do not contain 4:ffff/)],
    });
    expect(check(LINES.slice(4), headOf(3), { ...rebuilt, seq: 4 }).problems).toEqual([
      expect.stringMatching(/^the lines: they do not contain 4:ffff/),
    ]);
    expect(check(LINES, null, GENESIS).sound).toBe(true);
  });

  test('a last line that was cut off is told from one that is no row', () => {
    const last = (text: string, ended: boolean) => {
      const lineCheck = new AuditLineCheck(null);
      lineCheck.line(one, 'f:1');
      lineCheck.line(text, 'f:2', ended);
      return lineCheck.finish().problems;
    };
    expect(last(two.slice(0, 20), false)).toEqual(['f:2: the last line is cut off']);
    expect(last(two.slice(0, 20), true)).toEqual([expect.stringContaining('it is not JSON')]);
    expect(last('[]', false)).toEqual([expect.stringContaining('not a JSON object')]);
  });

  test('an event that this version does not know', () => {
    const strange = auditEvent({ action: 'key.steal' as 'key.edit' });
    expect(problems(appendToChain(GENESIS, 'op', [strange]).map(lineOf))).toEqual([
      'f:1: audit row 1 is not an event that this version knows',
    ]);
  });

  test('rows that come again one by one, in no order', () => {
    expect(problems([one, two, three, two, one, four, five])).toEqual([
      'f:4: audit row 2 is repeated or out of order: row 4 is expected',
      'f:5: audit row 1 is repeated or out of order: row 4 is expected',
    ]);
  });

  test('more than a hundred problems are counted', () => {
    const found = problems(Array.from({ length: 1000 }, () => 'rubbish'));
    expect(found).toHaveLength(100);
    expect(found[99]).toBe('and 902 more');
  });
});

describe('a row of another form', () => {
  const odd = (body: string): AuditRow => ({
    seq: 1,
    op: 'o',
    body,
    prev: GENESIS.hash,
    hash: chainHash(GENESIS.hash, body),
  });
  test.each([
    '',
    'rubbish',
    '[]',
    '{"action":"key.edit","at":5}',
    JSON.stringify({ ...event('a'), op: 'o', more: 1 }),
  ])('%j is passed on with its text', (body) => {
    const line = chainedEvent(odd(body));
    expect(line.body).toBe(body);
    const found = problems([safeJson(line)]);
    expect(found.filter((each) => !each.includes('is not an event that this version knows'))).toEqual([]);
    expect(problems([safeJson({ ...line, osUser: 'eve' })])[0]).toContain('its fields are not those in its body');
    expect(problems([safeJson({ ...line, body: `${body} ` })])[0]).toMatch(/was changed|fields are not/);
  });
});
