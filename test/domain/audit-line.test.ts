import { describe, expect, test } from 'vitest';
import {
  type AuditBody,
  type AuditRow,
  appendToChain,
  canonicalJson,
  chainHash,
  GENESIS,
} from '../../src/domain/audit.js';
import { chainedEvent, eventOf, readLine } from '../../src/domain/audit-line.js';
import { auditEvent } from '../support/audit-rows.js';

const EVENT = auditEvent({
  keyId: 'k',
  keyName: 'a: "b" \\',
  after: { n: 5, deep: [{ 'x:y': -0.5 }, null, 'text'] },
});
const PROVEN = { issuer: 'https://ci.example', subject: 's', job: { run: '1' } };
const rowOf = (body: AuditBody, bare = false) => appendToChain(GENESIS, 'op', [body], { bare })[0] as AuditRow;
const lineOf = (row: AuditRow) => JSON.parse(JSON.stringify(chainedEvent(row))) as Record<string, unknown>;
const read = (line: unknown) => readLine(typeof line === 'string' ? line : JSON.stringify(line));

describe('the text of a row', () => {
  const { before: _, after: __, actor: ___, reason: ____, keyId: _____, keyName: ______, ...least } = EVENT;

  test.each<[string, unknown]>([
    ['as it is written', EVENT],
    ['with a proof', { ...EVENT, proven: PROVEN }],
    ['with what may be left out', least],
    ['with fields that this version does not know', { ...EVENT, more: 1 }],
    ['with an action that this version does not know', { ...EVENT, action: 'key.steal' }],
  ])('%s is read', (_what, body) => {
    expect(eventOf(JSON.stringify(body))).toEqual(body);
  });

  test.each<[string, unknown]>([
    ['no text', 5],
    ['nothing', undefined],
    ['no JSON', '{'],
    ['null', 'null'],
    ['a number', '7'],
    ['a list', '[]'],
    ...['at', 'action', 'osUser', 'host', 'tool'].flatMap((name): [string, unknown][] => [
      [`no ${name}`, JSON.stringify({ ...EVENT, [name]: undefined })],
      [`${name} null`, JSON.stringify({ ...EVENT, [name]: null })],
    ]),
    ...['actor', 'keyId', 'keyName', 'reason'].map((name): [string, unknown] => [
      `${name} as a number`,
      JSON.stringify({ ...EVENT, [name]: 5 }),
    ]),
    ...['before', 'after', 'proven'].flatMap((name): [string, unknown][] => [
      [`${name} as a list`, JSON.stringify({ ...EVENT, [name]: [] })],
      [`${name} as a text`, JSON.stringify({ ...EVENT, [name]: 'x' })],
    ]),
  ])('with %s is damaged', (_what, text) => {
    expect(eventOf(text)).toMatchObject({ action: 'damaged', at: '', osUser: '', keyId: null, after: null });
  });
});

describe('a row and its line', () => {
  test.each<[string, AuditRow]>([
    ['of this version', rowOf(EVENT)],
    ['of 0.1.0', rowOf(EVENT, true)],
    ['with a proof', rowOf({ ...EVENT, proven: PROVEN })],
  ])('%s: the line does not repeat the text, and gives the row back', (_what, row) => {
    const line = lineOf(row);
    expect(line.body).toBeNull();
    expect(read(line)).toMatchObject({ row, known: true });
  });

  test('a line tells whether its text holds the operation id, and whether its action is known', () => {
    expect(read(lineOf(rowOf(EVENT)))).toMatchObject({ written: 'op' });
    expect(read(lineOf(rowOf(EVENT, true)))).toMatchObject({ written: undefined });
    expect(read(lineOf(rowOf({ ...EVENT, action: 'key.steal' as 'key.edit' })))).toMatchObject({ known: false });
  });

  test('only a line with a proof names one', () => {
    expect(lineOf(rowOf(EVENT))).not.toHaveProperty('proven');
    expect(lineOf(rowOf({ ...EVENT, proven: PROVEN })).proven).toEqual(PROVEN);
  });

  test('a text in another order is passed on as it is', () => {
    const body = JSON.stringify({ ...EVENT, op: 'op' });
    expect(body).not.toBe(canonicalJson({ ...EVENT, op: 'op' }));
    const row: AuditRow = { seq: 1, op: 'op', body, prev: GENESIS.hash, hash: chainHash(GENESIS.hash, body) };
    const line = lineOf(row);
    expect(line.body).toBe(body);
    expect(read(line)).toEqual({ row, written: 'op', known: true });
    expect(read({ ...line, host: 'other' })).toEqual({ why: 'its fields are not those in its body' });
    expect(read({ ...line, body: 'rubbish' })).toEqual({ why: 'its fields are not those in its body' });
  });

  test('a line whose hash fits neither form is taken for one of this version', () => {
    expect(read({ ...lineOf(rowOf(EVENT, true)), hash: 'f'.repeat(64) })).toMatchObject({ written: 'op' });
  });
});

describe('what is no line', () => {
  const line = lineOf(rowOf(EVENT));

  test.each<[string, unknown, string]>([
    ['a list', [], 'it is not a JSON object'],
    ['null', null, 'it is not a JSON object'],
    ['a text', '"x"', 'it is not a JSON object'],
    ...[0, -1, 1.5, '1', undefined, 1e17].map((seq): [string, unknown, string] => [
      `the number ${seq}`,
      { ...line, seq },
      'it has no seq of a row',
    ]),
    ...['prev', 'hash'].flatMap((name) =>
      ['', 'F'.repeat(64), 'f'.repeat(63), `${'f'.repeat(64)}0`, 5, undefined].map(
        (value): [string, unknown, string] => [
          `the ${name} ${value}`,
          { ...line, [name]: value },
          `it has no ${name} of a row`,
        ],
      ),
    ),
    ['no operation id', { ...line, op: undefined }, 'it has no op of a row'],
    ['an operation id that is a number', { ...line, op: 5 }, 'it has no op of a row'],
    ['a body that is a number', { ...line, body: 5 }, 'its body is not a string'],
  ])('%s', (_what, given, why) => {
    expect(read(given)).toEqual({ why });
  });

  test('a line that was cut may be the beginning of one', () => {
    const text = JSON.stringify(line);
    for (const at of [0, 1, 20, text.length - 1])
      expect(read(text.slice(0, at))).toEqual({ why: 'it is not JSON', cut: true });
  });
});

describe('a line that two readers could read in two ways is refused', () => {
  const text = JSON.stringify(lineOf(rowOf(EVENT)));
  const twice = { why: 'it has a name twice, or a number in another form' };

  test.each(['"n":5', '"x:y":-0.5', '"seq":1', '"osUser":"ops"'])('with %s twice', (member) => {
    expect(text).toContain(member);
    expect(read(text.replace(member, `${member},${member}`))).toEqual(twice);
  });

  test.each(['5.0', '5e0', '5E0', '0.5e1', '50e-1', '5.00'])('with %s for 5', (number) => {
    expect(read(text.replace('"n":5', `"n":${number}`))).toEqual(twice);
  });

  test.each(['1e400', '9.0', '-0', '0.1000', '1E+2', '100000000000000000000000'])('with the number %s', (number) => {
    expect(read(text.replace('"n":5', `"n":${number}`))).toEqual(twice);
  });

  test.each([
    '0',
    '9',
    '-7',
    '0.25',
    '1e+21',
    '1.5e-7',
    '"5.0"',
    '"a:b:c"',
    '"\\":\\"5.0"',
    '[5,"5.0",[]]',
    '{}',
  ])('but not with %s', (value) => {
    expect(read(text.replace('"n":5', `"n":${value}`))).toHaveProperty('row');
  });
});
