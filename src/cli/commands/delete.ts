import type { ApiKey } from '../../domain/api-key.js';
import type { Deletion } from '../../domain/deletion.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { nameKey, readDescription } from '../../domain/key-name.js';
import { maskKey } from '../../domain/key-string.js';
import { relativeTime } from '../../domain/relative-time.js';
import { quoted } from '../../domain/text.js';
import { isNeverUsed, NOTHING_RECORDED, type Recording } from '../../domain/use.js';
import type { Keyring } from '../../keyring/keyring.js';
import { confirm, confirmProtected } from '../asking/confirm.js';
import { CONFIRM, examples, KEYS, operationOption, REASON, type Register } from '../command.js';
import type { ExitCode } from '../exit-code.js';
import { comesFromServer, type FromFlags, fromOptions } from '../issued/from-flags.js';
import type { Session } from '../session.js';
import {
  forEachTarget,
  readTargets,
  refuseFlags,
  resolveAll,
  type Target,
  type TargetFlags,
  targetOptions,
} from '../targets/targets.js';

/** More live keys than this are confirmed by their number, not one by one by name. */
const MANY = 5;

/** A live key that was used this recently is probably still in use. */
const LATELY_MS = 7 * 86_400_000;

interface DeleteFlags extends TargetFlags, FromFlags {
  readonly purge?: boolean;
  readonly reason?: string;
  readonly confirm?: string[];
}

export const registerDelete: Register = (program, run) => {
  const command = targetOptions(operationOption(program.command('delete')))
    .alias('rm')
    .summary('delete keys; asks first; restore undoes it for 7 days')
    .description(
      'Delete keys: they stop working at once, and their names are free. For 7 days (store policy --keep-deleted) restore brings them back; --purge removes them for good, also those that were deleted before. The audit log keeps a record. Asks for confirmation: for a live key, type its name; scripts pass --yes. With --from, a CI job ends the key that an earlier step of it got from that server.',
    )
    .argument('[key...]', KEYS)
    .option('--purge', 'remove them for good: nobody can restore them')
    .option(...REASON)
    .option(...CONFIRM);
  fromOptions(command)
    .addHelpText(
      'after',
      examples(
        'delete old-importer',
        'delete 7k2m 9xw4 --yes',
        'delete --stdin --yes --purge < leaked.txt',
        'delete --stdin --yes --from https://keys.acme.example < ci.key',
      ),
    )
    .action(run((session, flags: DeleteFlags, refs: string[]) => deleteKeys(session, flags, refs)));
};

/** The flags of `delete` that go with `--from`, and why others do not. */
const WITH_FROM = ['stdin'];
const NOT_WITH_FROM = {
  purge: 'the server keeps nothing of the key; leave it out',
  reason: 'the server writes its own; leave it out',
  label: 'name the key by its id, or pipe its key string in with --stdin',
  operationId: 'to delete a key again does no harm; run the command again without it',
};

async function deleteKeys(session: Session, flags: DeleteFlags, refs: string[]): Promise<ExitCode> {
  if (comesFromServer(flags, WITH_FROM, NOT_WITH_FROM)) {
    const { deleteFrom } = await import('../issued/delete-from.js');
    await deleteFrom(session, flags, refs);
    return 0;
  }
  refuseFlags(refs);
  const { purge = false, stdin } = flags;
  const reason = readDescription(flags.reason ?? '');
  const byName = purge && refs.length > 0 && !refs.includes('-') && !stdin && !flags.label;
  const targets: PurgeTarget[] = byName ? await purgeTargets(session, refs) : await readTargets(session, refs, flags);
  session.noteStore();
  const keys = targets.flatMap(({ key }) => (key ? [key] : []));
  if (!session.dryRun) await confirmDeletion(session, keys, flags.confirm, purge);
  const keyring = await session.keyring();
  const act = async (key: ApiKey, operationId: string) => {
    if (session.dryRun) return { key, changed: false, said: `Dry run: would delete ${key.name} (${key.id})` };
    const record = `its record: ${session.followUp('audit', 'list', '--key', key.id)}`;
    if (targets.some((target) => target.key === key && target.isDeleted)) {
      await keyring.purge(key.id, { operationId });
      return { key, changed: true, isFinal: true, said: `Removed ${key.name} (${key.id}) for good; ${record}` };
    }
    const { keptUntil } = await keyring.delete(key, { operationId, reason, purge, leaked: stdin === true });
    const until = keptUntil === null ? ' for good' : '';
    const said = `Deleted ${key.name} (${key.id})${until}; ${record}`;
    return { key, changed: true, isFinal: keptUntil === null, said };
  };
  return forEachTarget(session, targets, act, 'restore');
}

interface PurgeTarget extends Target {
  /** The key was deleted before. */
  readonly isDeleted?: boolean;
}

/** Keys that exist or were deleted before. A name that an existing and a deleted key share is refused: the wrong one could be removed. */
async function purgeTargets(session: Session, refs: readonly string[]): Promise<PurgeTarget[]> {
  const keyring = await session.keyring();
  const targets: PurgeTarget[] = [];
  for (const [index, target] of (await resolveAll(keyring, refs)).entries()) {
    const ref = target.key ? target.ref : (refs[index] ?? target.ref);
    const deletion = await keyring.deletion(ref).catch((error: unknown) => {
      if (!isKeysError(error, 'conflict', 'not_found')) throw error;
      return null;
    });
    const deleted = deletion ?? (target.key && (await namesake(keyring, target.key)));
    if (!deleted) targets.push(target);
    else if (!target.key) targets.push({ ref, key: deleted.key, error: null, isDeleted: true });
    else if (target.key.id === ref.toLowerCase()) targets.push(target);
    else
      targets.push({
        ref,
        key: null,
        error: new KeysError(
          'ambiguous',
          `${quoted(ref)} could be key ${target.key.id}, which exists, or key ${deleted.key.id}, which was deleted`,
          'use the whole key id',
        ),
      });
  }
  return targets;
}

async function namesake(keyring: Keyring, key: ApiKey): Promise<Deletion | undefined> {
  return (await keyring.deletions()).find((each) => nameKey(each.key.name) === nameKey(key.name));
}

/**
 * Asks once for all test keys, and for each live key by its name; in a protected profile for every key by its name. Throws
 * `confirmation_required` unless everything is confirmed.
 */
export async function confirmDeletion(
  session: Session,
  keys: readonly ApiKey[],
  confirmed?: readonly string[],
  purge = false,
): Promise<void> {
  const verb = purge ? 'permanently delete' : 'delete';
  if (session.settings.profile?.value.protected) return confirmProtected(session, keys, verb, confirmed);
  const live = keys.filter(({ mode }) => mode === 'live');
  if (live.length > MANY)
    await confirm(session, {
      action: `${verb} ${live.length} LIVE keys: ${live.map(({ name }) => quoted(name)).join(', ')}`,
      typed: String(live.length),
    });
  const unused = live.length <= MANY && live.some(({ lastUsedAt }) => lastUsedAt === null);
  const recording = unused ? await (await session.keyring()).recording() : NOTHING_RECORDED;
  for (const key of live.length > MANY ? [] : live) {
    await confirm(session, {
      action: `${verb} LIVE key ${quoted(key.name)} (${maskKey(key.mode, key.id)})${usage(key, recording, session.now)}`,
      advice: wasUsedLately(key, session.now) ? `To pause it instead: unlockos-keys disable ${key.id}` : undefined,
      typed: key.name,
    });
  }
  const tests = keys.filter(({ mode }) => mode === 'test');
  const [first] = tests;
  if (!first) return;
  const what =
    tests.length === 1
      ? `TEST key ${quoted(first.name)} (${maskKey(first.mode, first.id)})`
      : `${tests.length} TEST keys: ${tests.map(({ name }) => quoted(name)).join(', ')}`;
  await confirm(session, { action: `${verb} ${what}` });
}

function usage(key: ApiKey, recording: Recording, now: Date): string {
  if (key.lastUsedAt === null)
    return isNeverUsed(key, recording, now) ? '; it was never used' : '; whether it is used is not known';
  return `; it was last used ${relativeTime(key.lastUsedAt, now)}`;
}

function wasUsedLately({ status, lastUsedAt }: ApiKey, now: Date): boolean {
  return status === 'active' && lastUsedAt !== null && now.getTime() - lastUsedAt.getTime() < LATELY_MS;
}
