import type { Command } from 'commander';
import type { ApiKey } from '../domain/api-key.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import type { AuditEvent } from '../domain/key-store.js';
import { parseKeyString, redactKeyStrings } from '../domain/key-string.js';
import { parseLabels } from '../domain/labels.js';
import { quoted } from '../domain/text.js';
import type { Keyring } from '../keyring/keyring.js';
import { collect, nonEmptyLines, readStdin } from './command.js';
import { type ExitCode, exitCodeOf, reportOf } from './exit-code.js';
import { type Outcome, outcomeView } from './output/views.js';
import { progressOf } from './progress.js';
import type { Session } from './session.js';

/** For fewer keys the lines about each are enough. */
const WORTH_A_BAR = 20;

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

/** How keys are named for a command on many of them. */
export interface TargetFlags {
  /** Whole key strings on stdin. */
  readonly stdin?: boolean;
  /** All keys with these labels. */
  readonly label?: string[];
}

/** For commands on many keys. */
export function targetOptions(command: Command): Command {
  return command
    .option('-l, --label <name=value>', 'all keys with this label; repeat for those that have several', collect)
    .option('--stdin', 'read whole leaked key strings from stdin, one a line');
}

/** Throws `not_found` where no key has these labels: one of them may have been mistyped. */
async function selected(session: Session, labels: readonly string[]): Promise<Target[]> {
  const { keys } = await (await session.keyring()).list({ labels: parseLabels(labels), sort: 'created' });
  if (keys.length > 0) return keys.map((key) => ({ ref: key.id, key, error: null }));
  throw new KeysError(
    'not_found',
    `no key has ${labels.map(quoted).join(' and ')}`,
    'unlockos-keys list --fields name,labels --json',
  );
}

/**
 * The arguments (`-`: ids or names on stdin, one a line), the keys that labels select, or with `--stdin` those of leaked key strings;
 * throws `missing_input` when there is none of these.
 */
export async function readTargets(
  session: Session,
  words: readonly string[],
  { stdin: fromStdin, label }: TargetFlags,
): Promise<Target[]> {
  if (label && (words.length > 0 || fromStdin))
    throw new KeysError(
      'usage',
      '--label goes with no other way to name keys',
      'name them, or select them by their labels',
    );
  if (label) return selected(session, label);
  const refs = words.includes('-')
    ? words.flatMap((word) => (word === '-' ? nonEmptyLines(readStdin(session, 'ids')) : [word]))
    : words;
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
      'name it by id or name, select it with --label, or pipe a leaked key string in with --stdin',
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
  const progress = progressOf(session, WORTH_A_BAR);
  const failures: unknown[] = [];
  for (const [index, target] of targets.entries()) {
    progress(index, targets.length);
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
  progress(targets.length, targets.length);
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
