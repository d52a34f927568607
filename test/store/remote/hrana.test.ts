import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BatchFailure, chained, decodeBatch, encodeBatch, GarbledAnswer } from '../../../src/store/remote/hrana.js';

const answer = (result: unknown) => JSON.stringify({ results: [{ type: 'ok', response: { type: 'batch', result } }] });
const rows = (...values: unknown[]) => ({ cols: values.map(() => ({ name: 'c' })), rows: [values] });

describe('Hrana', () => {
  test('a batch carries its statements, each after the one before it, and closes its connection', () => {
    const statements = [
      { sql: 'a', params: ['x', 1, 1.5, null, true, undefined] },
      { sql: 'b', params: [] },
    ];
    expect(JSON.parse(encodeBatch(chained(statements)))).toEqual({
      requests: [
        {
          type: 'batch',
          batch: {
            steps: [
              {
                stmt: {
                  sql: 'a',
                  args: [
                    { type: 'text', value: 'x' },
                    { type: 'integer', value: '1' },
                    { type: 'float', value: 1.5 },
                    { type: 'null' },
                    { type: 'integer', value: '1' },
                    { type: 'null' },
                  ],
                },
              },
              { stmt: { sql: 'b', args: [] }, condition: { type: 'ok', step: 0 } },
            ],
          },
        },
        { type: 'close' },
      ],
    });
    expect(() => encodeBatch([{ sql: 'a', params: [{}] }])).toThrow(TypeError);
  });

  test('rows, errors and steps left out', () => {
    const integer = { type: 'integer', value: '-9007199254740991' };
    const text = answer({
      step_results: [
        rows(integer, { type: 'text', value: 'x' }, { type: 'float', value: 0.5 }, { type: 'null' }),
        null,
        null,
      ],
      step_errors: [null, { message: 'no', code: 'SQLITE_BUSY' }, null],
    });
    expect(decodeBatch(text, 3)).toEqual({
      steps: [[[Number.MIN_SAFE_INTEGER, 'x', 0.5, null]], null, null],
      errors: [null, { message: 'no', code: 'SQLITE_BUSY' }, null],
    });
  });

  test('a batch that could not be run as a whole', () => {
    const text = JSON.stringify({
      results: [{ type: 'error', error: { message: 'too large', code: 'RESPONSE_TOO_LARGE' } }],
    });
    expect(() => decodeBatch(text, 1)).toThrow(BatchFailure);
  });

  test.each<[string, string]>([
    ['nothing', ''],
    ['cut off', answer({ step_results: [null], step_errors: [null] }).slice(0, -3)],
    ['HTML', '<html><body>502</body></html>'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no results', '{}'],
    ['another type', JSON.stringify({ results: [{ type: 'maybe' }] })],
    ['too few steps', answer({ step_results: [], step_errors: [] })],
    ['too many steps', answer({ step_results: [null, null], step_errors: [null, null] })],
    ['a row too short', answer({ step_results: [{ cols: [1, 2], rows: [[{ type: 'null' }]] }], step_errors: [null] })],
    ['a row too long', answer({ step_results: [{ cols: [], rows: [[{ type: 'null' }]] }], step_errors: [null] })],
    ['a blob without text', answer({ step_results: [rows({ type: 'blob' })], step_errors: [null] })],
    [
      'an integer that is none',
      answer({ step_results: [rows({ type: 'integer', value: '1e3' })], step_errors: [null] }),
    ],
    ['a text that is none', answer({ step_results: [rows({ type: 'text', value: 7 })], step_errors: [null] })],
    ['a bare value', answer({ step_results: [rows(7)], step_errors: [null] })],
  ])('%s is no answer', (_, text) => {
    expect(() => decodeBatch(text, 1)).toThrow(GarbledAnswer);
  });

  test('whatever arrives is an answer or is refused, and nothing else is thrown', () => {
    const step = fc.oneof(
      fc.constant(null),
      fc.record({ cols: fc.array(fc.anything()), rows: fc.array(fc.array(fc.anything())) }),
    );
    const result = fc.record({ step_results: fc.array(step), step_errors: fc.array(fc.anything()) });
    const anything = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.jsonValue().map((value) => JSON.stringify({ results: [value] })),
      result.map((value) =>
        JSON.stringify({ results: [{ type: 'ok', response: { result: value } }] }, (_k, v) =>
          typeof v === 'bigint' ? 0 : v,
        ),
      ),
    );
    fc.assert(
      fc.property(anything, fc.nat(3), (text, length) => {
        try {
          decodeBatch(text, length);
        } catch (error) {
          if (!(error instanceof GarbledAnswer) && !(error instanceof BatchFailure)) throw error;
        }
      }),
      { seed: 20261123, numRuns: 400 },
    );
  });

  test.each<[string, unknown, unknown]>([
    ['an integer beyond 2^53', { type: 'integer', value: '9007199254740993' }, 9007199254740992],
    ['an infinite number, which JSON does not have', { type: 'float', value: null }, Number.NaN],
    ['a blob', { type: 'blob', base64: 'AP8=' }, Buffer.from([0, 255])],
  ])('%s is read as a local engine reads it: whose cell it is, decides', (_, cell, read) => {
    const text = answer({ step_results: [rows(cell)], step_errors: [null] });
    expect(decodeBatch(text, 1).steps[0]?.[0]?.[0]).toEqual(read);
  });
});
