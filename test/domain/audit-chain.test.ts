import { describe, expect, test } from 'vitest';
import { type AuditRow, appendToChain, chainHash, GENESIS } from '../../src/domain/audit.js';
import { AuditChain, ownProblems } from '../../src/domain/audit-chain.js';
import { auditEvent } from '../support/audit-rows.js';

const event = auditEvent({ keyId: 'k', keyName: 'k' });
const ROWS = appendToChain(GENESIS, 'op', [event, event, event, event, event]) as [
  AuditRow,
  AuditRow,
  AuditRow,
  AuditRow,
  AuditRow,
];

function follow(rows: readonly AuditRow[], chain = new AuditChain()): string[] {
  return rows.flatMap((row) => chain.feed(row, row.op));
}

test('the further rows of one change have ids of their own', () => {
  expect(appendToChain(GENESIS, 'op', [event, event, event]).map(({ op }) => op)).toEqual(['op', 'op/1', 'op/2']);
});

describe('a chain', () => {
  test('goes on where it was checked before', () => {
    const chain = new AuditChain(ROWS[2]);
    expect(follow(ROWS.slice(3), chain)).toEqual([]);
    expect(chain.head).toEqual({ seq: 5, hash: ROWS[4].hash });
    expect(follow([ROWS[3]], new AuditChain(ROWS[1]))).toEqual(['audit row 3 is missing (found 4 in its place)']);
  });

  test('goes on after a gap, which is told once', () => {
    expect(follow([ROWS[0], ROWS[3], ROWS[4]])).toEqual(['audit rows 2 to 3 are missing (found 4 in their place)']);
  });

  test('is not led back by a row that comes again', () => {
    const chain = new AuditChain();
    expect(follow([...ROWS.slice(0, 3), ROWS[0]], chain)).toEqual([
      'audit row 1 is repeated or out of order: row 4 is expected',
    ]);
    expect(chain.head).toEqual({ seq: 3, hash: ROWS[2].hash });
    expect(follow(ROWS.slice(3), chain)).toEqual([]);
  });

  test('can be told to go on at a row, whatever was before it', () => {
    const chain = new AuditChain();
    chain.goOnAt(ROWS[3]);
    expect(chain.head).toEqual({ seq: 3, hash: ROWS[2].hash });
    expect(follow(ROWS.slice(3), chain)).toEqual([]);
  });

  test('of 0.1.0 has rows without operation ids, but never behind one that has it', () => {
    const [first, second] = appendToChain(GENESIS, 'op', [event, event], { bare: true }) as [AuditRow, AuditRow];
    const chain = new AuditChain();
    expect([...chain.feed(first, undefined), ...chain.feed(second, undefined)]).toEqual([]);
    const mixed = new AuditChain();
    expect(mixed.feed(first, 'op')).toEqual([]);
    expect(mixed.feed(second, undefined)).toEqual([
      expect.stringMatching(/^audit row 2 does not hold its operation id/),
    ]);
    const third = appendToChain(second, 'op2', [event], { bare: true })[0] as AuditRow;
    expect(mixed.feed(third, undefined)).toEqual([
      expect.stringMatching(/^audit row 3 does not hold its operation id/),
    ]);
  });
});

describe('a row by itself', () => {
  const [row] = ROWS;
  test.each<[string, AuditRow, unknown, RegExp[]]>([
    ['that is sound', row, 'op', []],
    ['of 0.1.0', row, undefined, []],
    ['with another text', { ...row, body: `${row.body} ` }, 'op', [/^audit row 1 was changed: its hash/]],
    ['with another operation id', row, 'other', [/^audit row 1 was changed: its operation id/]],
    ['with an operation id that is no text', row, null, [/its operation id/]],
    [
      'that is damaged',
      { ...row, damaged: ['op', 'body'] },
      'op',
      [/^audit row 1 is damaged: its op, body cannot be read$/],
    ],
    ['with all of that', { ...row, body: '', damaged: ['body'] }, 'x', [/is damaged/, /its hash/, /its operation id/]],
  ])('%s', (_what, given, written, expected) => {
    expect(ownProblems(given, written)).toEqual(expected.map((each) => expect.stringMatching(each)));
  });

  test('is under the hash with all that was before it', () => {
    expect(chainHash(row.prev, row.body)).toBe(row.hash);
    expect(chainHash(`${row.prev}x`, row.body)).not.toBe(row.hash);
  });
});
