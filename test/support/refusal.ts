import { expect } from 'vitest';
import { KeysError } from '../../src/domain/errors.js';

const SOMETHING = expect.stringMatching(/\S/);
/** Some refusals have no hint; none has an empty one. */
const NOT_EMPTY = expect.not.stringMatching(/^\s*$/);

/** The KeysError that `read` throws; anything else fails the test, and so does one that says nothing. */
export function refusal(read: () => unknown): KeysError {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(KeysError);
    expect(error).toMatchObject({ message: SOMETHING, hint: NOT_EMPTY });
    return error as KeysError;
  }
  throw new Error('nothing was refused');
}

export const usage = expect.objectContaining({ code: 'usage', message: SOMETHING, hint: NOT_EMPTY });
