import { type ErrorCode, KeysError } from '../domain/errors.js';
import { redactKeyStrings } from '../domain/key-string.js';
import { safeJson, safeText } from '../domain/text.js';

/** What each exit status means; `unlockos-keys --help` and README print this table. */
export const EXIT_CODES = {
  0: 'done',
  1: 'unexpected failure',
  2: 'usage or missing input',
  3: 'not found or ambiguous',
  4: 'refused by the store (credentials)',
  5: 'conflict',
  6: 'confirmation or guard refused',
  7: 'the answer is no',
  8: 'store unreachable, busy or unusable',
  9: 'some items of a batch failed',
  10: 'outcome unknown: run again with the printed operation id',
  130: 'cancelled',
} as const;

export type ExitCode = keyof typeof EXIT_CODES;

/** The exit code of a command that `run` waited for, passed on as it is. */
export interface ChildExit {
  readonly ofChild: number;
}

/** The answer is no: `verify` refused the key, a check found a fault. */
export const ANSWER_NO: ExitCode = 7;

const BY_CODE: Record<ErrorCode, ExitCode> = {
  usage: 2,
  missing_input: 2,
  not_found: 3,
  ambiguous: 3,
  unauthorized: 4,
  pepper_missing: 4,
  name_taken: 5,
  scopes_fixed: 5,
  conflict: 5,
  confirmation_required: 6,
  guarded: 6,
  unsafe_path: 6,
  store_missing: 8,
  store_busy: 8,
  store_full: 8,
  store_read_only: 8,
  store_corrupt: 8,
  store_foreign: 8,
  store_newer: 8,
  store_incomplete: 8,
  store_unavailable: 8,
  outcome_unknown: 10,
  delivery_failed: 1,
  listen_failed: 1,
  partial: 9,
  cancelled: 130,
  internal: 1,
};

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof KeysError ? BY_CODE[error.code] : 1;
}

/** Whoever read us is gone. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

/** Line by line, because a message may list candidates, and no line may carry a control character or a key string. */
export function printable(text: string): string {
  return redactKeyStrings(text).split('\n').map(safeText).join('\n');
}

export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

/** An error as it may be shown: ours as it is, anything else as `internal`, and never with a key string in it. */
export function reportOf(error: unknown): ErrorReport {
  if (error instanceof KeysError)
    return {
      code: error.code,
      message: printable(error.message),
      hint: error.hint === undefined ? null : printable(error.hint),
    };
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message: printable(message) || 'unexpected failure',
    hint: 'run it again with --debug for the details',
  };
}

export function renderError(error: unknown, options: { json: boolean; debug: boolean }): string {
  const report = reportOf(error);
  if (options.json) return `${safeJson({ error: report })}\n`;
  const hint = report.hint === null ? '' : `hint: ${report.hint}\n`;
  const stack = options.debug && error instanceof Error ? `${printable(stackOf(error))}\n` : '';
  return `error: ${report.message}\n${hint}${stack}`;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
