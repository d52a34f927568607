import { isKeysError } from '../domain/errors.js';
import { redactKeyStrings } from '../domain/key-string.js';
import { safeText } from '../domain/text.js';

/** One warning in this time, so that a store that is down for an hour does not fill a log. */
const EVERY_MS = 60_000;

/** What went wrong, on one line. No message of this package contains a secret; one of a verifier of your own might. */
function described(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = isKeysError(error) ? `${error.code}: ` : '';
  return safeText(redactKeyStrings(`${code}${message}`.replaceAll('\n', ' ')));
}

const warners = new WeakMap<object, (error: unknown) => void>();

/** One for each verifier, however many routes it protects. */
export function warnerOf(verifier: object): (error: unknown) => void {
  const known = warners.get(verifier);
  if (known) return known;
  const made = warnerOfFailures();
  warners.set(verifier, made);
  return made;
}

/**
 * The default of `onUnavailable`: a warning of the process (`process.on('warning')`; Node prints it to stderr) for the first failure, and then at
 * most one a minute.
 */
export function warnerOfFailures(now: () => number = () => performance.now()): (error: unknown) => void {
  let last = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (error) => {
    const at = now();
    if (at - last < EVERY_MS) {
      unsaid += 1;
      return;
    }
    const others = unsaid === 0 ? '' : ` (and ${unsaid} more since the last warning)`;
    process.emitWarning(
      `a request was answered with 503, because its key could not be verified: ${described(error)}${others}`,
      {
        type: 'UnlockosKeysWarning',
        code: 'KEY_NOT_VERIFIED',
        detail: 'Pass onUnavailable to protect() to log this yourself.',
      },
    );
    last = at;
    unsaid = 0;
  };
}
