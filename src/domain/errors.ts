import type { ErrorCode } from './error-codes.js';

/**
 * A foreseen failure. Neither the message nor the hint ever contains a secret, a token or unescaped user input.
 *
 * @example
 * ```ts
 * import { KeysError, openKeyring } from 'unlockos-keys';
 *
 * try {
 *   await openKeyring({ store: './none/keys.db' });
 * } catch (error) {
 *   if (!(error instanceof KeysError)) throw error;
 *   console.log(error.code, error.message, error.hint);
 * }
 * ```
 */
export class KeysError extends Error {
  override readonly name = 'KeysError';
  /** What went wrong, for programs. */
  readonly code: ErrorCode;
  /** What to do next, for people. */
  readonly hint: string | undefined;

  /** `message` names the thing that failed, in lower case and without a full stop. */
  constructor(code: ErrorCode, message: string, hint?: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** True when `error` is a {@link KeysError} with one of `codes` (with any code when none is given). */
export function isKeysError(error: unknown, ...codes: ErrorCode[]): error is KeysError {
  return error instanceof KeysError && (codes.length === 0 || codes.includes(error.code));
}
