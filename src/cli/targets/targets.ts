import type { ApiKey } from '../../domain/api-key.js';
import type { AuditEvent } from '../../domain/audit-side.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { parseKeyString } from '../../domain/key-parts.js';
import { redactKeyStrings } from '../../domain/key-string.js';
import { parseLabels } from '../../domain/labels.js';
import { quoted } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import { ALL_LABEL, type CommandBuilder } from '../command.js';
import { type ExitCode, exitCodeOf, reportOf } from '../exit-code.js';
import { type TargetResult, targetResultView } from '../output/key-view.js';
import { progressOf } from '../output/progress.js';
import type { Session } from '../session.js';
import { nonEmptyLines, readStdin } from './stdin.js';

/** A progress bar is shown from this many keys on. */
const WORTH_A_BAR = 20;

/** One argument of a command on several keys: the key that it names, or the error of looking it up. */
export interface Target {
  readonly ref: string;
  readonly key: ApiKey | null;
  readonly error: unknown;
  /** Set when an earlier run of this operation deleted the key: nothing is left to do. */
  readonly deleted?: AuditEvent | undefined;
}

/**
 * Resolves every argument before anything is changed. A key that is named twice is one target. `done` holds the changes of an earlier
 * run of this operation: a key that it deleted can no longer be found.
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

/** The keys of the leaked key strings on stdin, one on each line. */
export async function readLeakedKeys(session: Session, keyring: Keyring): Promise<Target[]> {
  const lines = nonEmptyLines(readStdin(session, 'key strings', { lenient: true }));
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
    try {
      targets.push({ ref, key: await keyring.proveLeaked(line), error: null });
    } catch (error) {
      if (!isKeysError(error, 'usage', 'not_found', 'pepper_missing')) throw error;
      targets.push({ ref, key: null, error });
    }
  }
  return targets;
}

/** The flags that name keys for a command on several of them. */
export interface TargetFlags {
  /** Read complete key strings from stdin. */
  readonly stdin?: boolean;
  /** Select all keys with these labels. */
  readonly label?: string[];
}

/** Adds the flags of {@link TargetFlags}. */
export function targetOptions(command: CommandBuilder): CommandBuilder {
  return command.option(...ALL_LABEL).option('--stdin', 'read complete leaked key strings from stdin, one per line');
}

/** Throws `not_found` where no key has these labels: one of them may have been mistyped. */
async function selected(session: Session, labels: readonly string[]): Promise<Target[]> {
  const { keys } = await (await session.keyring()).list({ labels: parseLabels(labels), sort: 'created' });
  if (keys.length > 0) return keys.map((key) => ({ ref: key.id, key, error: null }));
  throw new KeysError(
    'not_found',
    `no key has ${labels.map(quoted).join(' and ')}`,
    'to see the labels: unlockos-keys list --fields name,labels --json',
  );
}

/**
 * Throws `usage` for a flag behind `--`, which is read as the name of a key: `disable a -- b --dry-run` would disable both. No name and no id
 * begins with a dash.
 */
export function refuseFlags(words: readonly string[]): void {
  const flag = words.find((word) => word.startsWith('-') && word !== '-');
  if (flag !== undefined)
    throw new KeysError('usage', `${quoted(flag)} stands behind --, so it is read as a key`, 'flags go before --');
}

/**
 * The keys that the arguments name (`-` reads ids or names from stdin, one per line), that the labels select, or whose leaked key
 * strings are on stdin. Throws `missing_input` when none of these is given.
 */
export async function readTargets(
  session: Session,
  words: readonly string[],
  { stdin: fromStdin, label }: TargetFlags,
): Promise<Target[]> {
  refuseFlags(words);
  if (label && (words.length > 0 || fromStdin))
    throw new KeysError(
      'usage',
      '--label does not go together with names, ids or --stdin',
      'name the keys, or select them by label',
    );
  if (label) return selected(session, label);
  const refs = words.includes('-')
    ? words.flatMap((word) => (word === '-' ? nonEmptyLines(readStdin(session, 'ids')) : [word]))
    : words;
  if (fromStdin && refs.length > 0)
    throw new KeysError(
      'usage',
      '--stdin and a KEY argument do not go together',
      'name the keys, or pipe their key strings in',
    );
  if (!fromStdin && refs.length === 0)
    throw new KeysError(
      'missing_input',
      'no key was named',
      'pass an id or a name, select keys with --label, or pipe leaked key strings in with --stdin',
    );
  const keyring = await session.keyring();
  if (fromStdin) return readLeakedKeys(session, keyring);
  const repeated = session.operation.given;
  return resolveAll(keyring, refs, repeated === undefined ? [] : await keyring.operation(repeated));
}

/** A line to paste repeats at most this many ids. */
const UNDO_AT_MOST = 20;

/** How a change of status is undone, with the ids of the keys that were changed. */
function undoLine(session: Session, verb: 'enable' | 'disable' | 'restore', ids: readonly string[]): string {
  if (ids.length > UNDO_AT_MOST) return `Undo: put the ${ids.length} ids above into ${session.followUp(verb, '-')}`;
  return `Undo: ${session.followUp(verb, ...ids)}`;
}

/**
 * Applies one action to each target and reports each result. `undo` is the command that undoes it, for the line that says so; `isFinal` marks what it cannot undo. Returns 0 when all succeeded, the error's own exit code when all failed
 * with the same one, and 9 when some failed. Throws the error when the only target failed.
 */
export async function forEachTarget(
  session: Session,
  targets: readonly Target[],
  act: (
    key: ApiKey,
    operationId: string,
  ) => Promise<{ key: ApiKey; changed: boolean; said: string; isFinal?: boolean }>,
  undo?: 'enable' | 'disable' | 'restore',
): Promise<ExitCode> {
  const results: TargetResult[] = [];
  const progress = progressOf(session, { worthwhile: WORTH_A_BAR, what: 'keys' });
  const failures: unknown[] = [];
  const undoable: string[] = [];
  for (const [index, target] of targets.entries()) {
    progress(index, targets.length);
    const ref = redactKeyStrings(target.ref); // someone may have pasted a key string as the argument
    try {
      if (target.deleted) {
        results.push({ ref, key: null, changed: false, error: null });
        session.out.note(`Already deleted by this operation: ${target.deleted.keyName} (${target.deleted.keyId})`);
        continue;
      }
      if (!target.key) throw target.error;
      // Several changes need an id each, derived from the id of the run so that a repeated run has the same ids.
      const operationId = session.operation.id;
      const own = targets.length === 1 ? operationId : `${operationId}:${target.key.id}`;
      const { key, changed, said, isFinal } = await act(target.key, own);
      if (changed && !isFinal) undoable.push(key.id);
      results.push({ ref, key, changed, error: null });
      session.out.note(said);
    } catch (error) {
      failures.push(error);
      const { code, message } = reportOf(error);
      results.push({ ref, key: target.key, changed: false, error: { code, message } });
    }
  }
  progress(targets.length, targets.length);
  if (undo && undoable.length > 0) session.out.note(undoLine(session, undo, undoable));
  const codes = new Set(failures.map(exitCodeOf));
  const [only] = failures;
  if (failures.length > 0 && targets.length === 1) throw only;
  if (session.format !== 'table') await session.out.print(results, targetResultView(session.now));
  if (failures.length === 0) return 0;
  for (const error of failures) {
    const { message, hint } = reportOf(error);
    session.out.remark([...`error: ${message}`.split('\n'), ...(hint === null ? [] : [`hint: ${hint}`])]);
  }
  const [code] = codes;
  return failures.length === targets.length && codes.size === 1 && code !== undefined ? code : 9;
}
