import { KeysError } from './errors.js';
import { quoted } from './text.js';

// One operation id stands for one run of a command. Its changes carry it in the audit log, where the store lets each id in only once:
// `ID` for a change, `ID/1` for the further rows of that change, `ID.2` for finishing it in a later run, `ID:KEY` for each of many keys.

const FORM = /^[A-Za-z0-9_-]{8,64}$/;
const DERIVED = /^[A-Za-z0-9_-]{8,64}([.:][A-Za-z0-9_-]{1,64})*$/;

/** Reads an operation id as given by `--operation-id`. Throws `usage`. */
export function readOperationId(text: string): string {
  if (!FORM.test(text))
    throw new KeysError(
      'usage',
      `--operation-id ${quoted(text)} is not an operation id`,
      'pass 8 to 64 letters, digits, - or _, the same again when a run is repeated, and a new one for each new change',
    );
  return text;
}

/** An id that a change is written under: an operation's own, or one derived from it. Throws `usage`. */
export function assertChangeId(text: string): string {
  return DERIVED.test(text) ? text : readOperationId(text);
}

/** Every id of an operation sorts before this text, and from the operation's own id on. */
export function endOfOperation(op: string): string {
  return `${op};`;
}

/** True for the ids that {@link endOfOperation} bounds and that are this operation's, not those of one whose id begins alike. */
export function belongsToOperation(op: string, operation: string): boolean {
  return op === operation || (op.startsWith(operation) && './:'.includes(op.charAt(operation.length)));
}
