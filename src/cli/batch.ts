import type { ApiKey } from '../domain/api-key.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import type { AuditEvent } from '../domain/key-store.js';
import { parseKeyString, redactKeyStrings } from '../domain/key-string.js';
import type { Keyring } from '../keyring/keyring.js';
import { nonEmptyLines, readStdin } from './command.js';
import { type ExitCode, exitCodeOf, reportOf } from './exit-code.js';
import { type Outcome, outcomeView } from './output/views.js';
import type { Session } from './session.js';

/** One argument of a command on many keys: the key that it means, or why it means none. */
export interface Target {
  readonly ref: string;
  readonly key: ApiKey | null;
  readonly error: unknown;
  /** An earlier run of this operation deleted it: there is nothing left to do. */
  readonly deleted?: AuditEvent | undefined;
}

/**
 * Resolves every argument before anything is done; the same key named twice is one target. `done`: what an earlier run of this
 * operation did, for a key that it deleted is not found any more.
 */
export async function resolveAll(
  keyring: Keyring,
  refs: readonly string[],
  done: readonly AuditEvent[] = [],
): Promise<Target[]> {
  const targets: Target[] = [];
  for (const ref of refs) {
    try {
      const key = await keyring.show(ref);
      if (!targets.some((target) => target.key?.id === key.id)) targets.push({ ref, key, error: null });
    } catch (error) {
      const deleted = done.find(
        ({ action, keyId, keyName }) => action === 'key.delete' && (keyId === ref || keyName === ref),
      );
      targets.push({ ref, key: null, error, deleted: isKeysError(error, 'not_found') ? deleted : undefined });
    }
  }
  return targets;
}

/**
 * Whole key strings from stdin, one a line: for a key that leaked. The secret must be the right one, for anybody can write a
 * key string that carries somebody else's id.
 */
export async function readLeakedKeys(session: Session, keyring: Keyring): Promise<Target[]> {
  const lines = nonEmptyLines(readStdin(session, 'key strings'));
  if (lines.length === 0)
    throw new KeysError(
      'missing_input',
      'no key string on stdin',
      'pipe it in: pbpaste | unlockos-keys disable --stdin',
    );
  const targets: Target[] = [];
  for (const line of lines) {
    const parsed = parseKeyString(line);
    const ref = parsed.ok || parsed.problem === 'checksum' ? parsed.id : 'line on stdin';
    const verdict = await keyring.verify(line);
    if (verdict.verdict !== 'invalid') targets.push({ ref, key: verdict.key, error: null });
    else targets.push({ ref, key: null, error: notGenuine(parsed) });
  }
  return targets;
}

function notGenuine(parsed: ReturnType<typeof parseKeyString>): KeysError {
  if (!parsed.ok && parsed.problem === 'shape')
    return new KeysError(
      'usage',
      'a line on stdin is not a key string',
      'a key string has 61 characters and begins with unlk_',
    );
  if (!parsed.ok)
    return new KeysError(
      'usage',
      `the key string of ${parsed.id} has a wrong checksum: it was mistyped or cut`,
      `if you mean that key anyway, name it by its id: ${parsed.id}`,
    );
  return new KeysError(
    'not_found',
    `the key string of ${parsed.id} is not genuine: no such key, or another secret`,
    `if you mean that key anyway, name it by its id: ${parsed.id}`,
  );
}

/** The arguments, or stdin with `--stdin`; throws `missing_input` when there is neither. */
export async function readTargets(
  session: Session,
  refs: readonly string[],
  fromStdin: boolean | undefined,
): Promise<Target[]> {
  if (fromStdin && refs.length > 0)
    throw new KeysError(
      'usage',
      '--stdin and a KEY argument do not go together',
      'name keys by id, or pipe key strings in',
    );
  if (!fromStdin && refs.length === 0)
    throw new KeysError(
      'missing_input',
      'which key?',
      'name it by id or name, or pipe a leaked key string in with --stdin',
    );
  const keyring = await session.keyring();
  if (fromStdin) return readLeakedKeys(session, keyring);
  const repeated = session.givenOperationId;
  return resolveAll(keyring, refs, repeated === undefined ? [] : await keyring.operation(repeated));
}

/**
 * Does one thing to each target, reports each, and sums up: 0 when all went well, the error's own code when the only one failed or
 * all failed alike, 9 when some failed.
 */
export async function forEachTarget(
  session: Session,
  targets: readonly Target[],
  act: (key: ApiKey, operationId: string) => Promise<{ key: ApiKey; changed: boolean; said: string }>,
): Promise<ExitCode> {
  const outcomes: Outcome[] = [];
  const failures: unknown[] = [];
  for (const target of targets) {
    const ref = redactKeyStrings(target.ref); // it may be a key string that was pasted as an argument
    try {
      if (target.deleted) {
        outcomes.push({ ref, key: null, changed: false, error: null });
        session.note(`Deleted before, by this operation: ${target.deleted.keyName} (${target.deleted.keyId})`);
        continue;
      }
      if (!target.key) throw target.error;
      // One id for the run; where it makes several changes, one for each, which is the same again when the run is repeated.
      const { operationId } = session;
      const own = targets.length === 1 ? operationId : `${operationId}:${target.key.id}`;
      const { key, changed, said } = await act(target.key, own);
      outcomes.push({ ref, key, changed, error: null });
      session.note(said);
    } catch (error) {
      failures.push(error);
      const { code, message } = reportOf(error);
      outcomes.push({ ref, key: target.key, changed: false, error: { code, message } });
    }
  }
  const codes = new Set(failures.map(exitCodeOf));
  const [only] = failures;
  if (failures.length > 0 && targets.length === 1) throw only;
  if (session.format !== 'table') await session.print(outcomes, outcomeView(session.now));
  if (failures.length === 0) return 0;
  for (const error of failures) {
    const { message, hint } = reportOf(error);
    session.remark([...`error: ${message}`.split('\n'), ...(hint === null ? [] : [`hint: ${hint}`])]);
  }
  const [code] = codes;
  return failures.length === targets.length && codes.size === 1 && code !== undefined ? code : 9;
}
