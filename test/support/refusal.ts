import { expect } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';

/** The KeysError that `read` throws; anything else fails the test. */
export function refusal(read: () => unknown): KeysError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(KeysError);
    return error as KeysError;
  }
  throw new Error('nothing was refused');
}

export const usage = expect.objectContaining({ code: 'usage' });
