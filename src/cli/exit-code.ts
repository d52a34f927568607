import { ERRORS, type ErrorCode } from '../domain/error-codes.js';
import { KeysError } from '../domain/errors.js';
import { redactKeyStrings } from '../domain/key-string.js';
import { safeJson, safeText } from '../domain/text.js';
import { errnoOf } from '../files/errno.js';

/** What each exit status means; `unlockos-keys --help` and docs/scripting.md print this table. */
export const EXIT_CODES = {
  0: 'done',
  1: 'unexpected failure',
  2: 'usage or missing input',
  3: 'not found or ambiguous',
  4: 'refused by the store or server (credentials)',
  5: 'conflict',
  6: 'not confirmed, or refused by a guard',
  7: 'the answer is no',
  8: 'store or server unreachable, busy or unusable',
  9: 'some of several items failed',
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

/** The exit code of a command whose answer is yes or no. */
export function answerCode(yes: boolean): ExitCode {
  return yes ? 0 : ANSWER_NO;
}

export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof KeysError ? ERRORS[error.code].exit : 1;
}

/** The reader of stdout or stderr has closed it. */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}

/** A message without control characters and key strings. It may have several lines, such as a list of candidates. */
export function printable(text: string): string {
  return redactKeyStrings(text).split('\n').map(safeText).join('\n');
}

export interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
}

/** What may be shown of an error: a KeysError as it is, anything else as `internal`. Never contains a key string. */
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
    hint:
      errnoOf(error) === 'ERR_ACCESS_DENIED'
        ? "Node's permission model (--permission, perhaps in NODE_OPTIONS) refuses it: run unlockos-keys without it"
        : 'run it again with --debug for the details',
  };
}

interface Rendering {
  readonly json: boolean;
  readonly debug: boolean;
  /** Breaks and colours the lines for the stream that they go to. */
  readonly look?: (text: string) => string;
}

export function renderError(error: unknown, options: Rendering): string {
  const report = reportOf(error);
  if (options.json) return `${safeJson({ error: report })}\n`;
  const hint = report.hint === null ? '' : `hint: ${report.hint}\n`;
  const stack = options.debug && error instanceof Error ? `${printable(stackOf(error))}\n` : '';
  const text = `error: ${report.message}\n${hint}`;
  return `${options.look?.(text) ?? text}${stack}`;
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
