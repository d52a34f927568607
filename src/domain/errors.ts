/**
 * Every failure that the tool foresees carries one of these codes. Scripts may rely on a code; the message is for people.
 * `cli/exit-code.ts` maps each code to an exit status.
 */
export const ERROR_CODES = [
  'usage',
  'missing_input',
  'not_found',
  'ambiguous',
  'unauthorized',
  'pepper_missing',
  'name_taken',
  'scopes_fixed',
  'conflict',
  'confirmation_required',
  'guarded',
  'unsafe_path',
  'store_missing',
  'store_busy',
  'store_full',
  'store_read_only',
  'store_corrupt',
  'store_foreign',
  'store_newer',
  'store_incomplete',
  'store_unavailable',
  'outcome_unknown',
  'delivery_failed',
  'listen_failed',
  'partial',
  'cancelled',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * A foreseen failure: what went wrong (`message`, naming the thing) and what to do next (`hint`).
 * Neither ever holds a secret, a token or unescaped user input.
 */
export class KeysError extends Error {
  override readonly name = 'KeysError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

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
