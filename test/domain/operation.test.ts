import { describe, expect, test } from 'vitest';
import { assertChangeId, belongsToOperation, endOfOperation, readOperationId } from '../../src/domain/operation.js';
import { usage } from '../support/refusal.js';

const OP = '3f0c1b9e-5a86-4b7e-9d0e-2c5d6f7a8b90';

describe('operation ids', () => {
  test.each([OP, 'run_12345', 'x'.repeat(64), '12345678'])('%s is one', (text) => {
    expect(readOperationId(text)).toBe(text);
    expect(assertChangeId(text)).toBe(text);
  });

  test.each([
    '',
    'short',
    'x'.repeat(65),
    `${OP}.2`,
    `${OP}:abc`,
    'with blank',
    'line\nbreak',
    'a/b/c/d/e/f',
    'émigré-1',
  ])('%j is none', (text) => {
    expect(() => readOperationId(text)).toThrow(usage);
  });

  test.each([`${OP}.2`, `${OP}:0123456789ab`, `${OP}:0123456789ab.2`])('%s is derived from one', (text) => {
    expect(assertChangeId(text)).toBe(text);
  });

  test.each([`${OP}.`, `${OP}:a b`, `${OP}/1`, `.${OP}`, `${OP};x`])('%s is not', (text) => {
    expect(() => assertChangeId(text)).toThrow(usage);
  });

  test('an operation is told from one whose id begins alike, in JavaScript and in the order of an index', () => {
    const own = [OP, `${OP}/1`, `${OP}.2`, `${OP}.2/1`, `${OP}:0123456789ab`];
    for (const op of own) {
      expect(belongsToOperation(op, OP), op).toBe(true);
      expect(op >= OP && op < endOfOperation(OP), op).toBe(true);
    }
    for (const op of [`${OP}0`, `${OP}-x`, `${OP}_`, 'other-operation', `x${OP}`])
      expect(belongsToOperation(op, OP), op).toBe(false);
  });
});
