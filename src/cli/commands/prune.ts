import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { counted } from '../../domain/counted.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { parseDuration } from '../../domain/expiry.js';
import { MODES } from '../../domain/key-string.js';
import { parseLabels } from '../../domain/labels.js';
import type { Recording } from '../../domain/use.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { PruneQuery } from '../../keyring/prune.js';
import { confirmProtected } from '../asking/confirm.js';
import { CONFIRM, examples, ONLY_LABEL, ONLY_MODE, operationOption, type Register } from '../command.js';
import type { ExitCode } from '../exit-code.js';
import { lastUsed, time } from '../output/key-columns.js';
import { keyView } from '../output/key-view.js';
import type { Session } from '../session.js';
import { oneOf } from '../settings/global-flags.js';
import { forEachTarget } from '../targets/targets.js';
import { confirmDeletion } from './delete.js';

interface PruneFlags {
  readonly expired?: boolean;
  readonly unusedFor?: string;
  readonly neverUsedFor?: string;
  readonly mode?: string;
  readonly label?: string[];
  readonly disable?: boolean;
  readonly force?: boolean;
  readonly confirm?: string[];
}

export const registerPrune: Register = (program, run) => {
  operationOption(program.command('prune'))
    .summary('delete or disable keys that are no longer needed; asks first')
    .description(
      'Delete keys that have expired or are not used: those that meet any of the conditions. It lists them, then asks for confirmation; -n only lists them. A key that is used or changed in the meantime stays, and so does one in the overlap of a rotation. Last use counts only where servers have recorded it for the whole time; of the keys that were never used, only those created since then count.',
    )
    .option('--expired', 'keys that have expired')
    .option(
      '--unused-for <time>',
      'keys that were not used for this long, e.g. 90d; keys that were never used count from their creation',
    )
    .option('--never-used-for <time>', 'keys that were never used and are older than this, e.g. 7d')
    .option(...ONLY_MODE)
    .option(...ONLY_LABEL)
    .option('--force', 'go by last use even if not all use was recorded')
    .option('--disable', 'disable the keys instead, which can be undone')
    .option(...CONFIRM)
    .addHelpText(
      'after',
      examples(
        'prune --expired -n                                 # list them only',
        'prune --expired --never-used-for 7d --mode test --yes',
        'prune --unused-for 90d --disable --label team=checkout',
      ),
    )
    .action(run(prune));
};

async function prune(session: Session, flags: PruneFlags): Promise<ExitCode | undefined> {
  const query = readQuery(flags, session.now);
  const keyring = await session.keyring();
  if (!session.dryRun) {
    await keyring.dropPast();
    await keyring.trimUsage();
  }
  const all = await findPrunable(session, keyring, query);
  const keys = flags.disable ? all.filter(({ status }) => status === 'active') : all;
  if (keys.length === 0) {
    session.out.note('No keys match: nothing to do.');
    if (session.format !== 'table') await session.out.print([], keyView(session.now));
    return undefined;
  }
  const verb = flags.disable ? 'disable' : 'delete';
  if (session.dryRun) {
    await session.out.print(keys, keyView(session.now, await keyring.recording()));
    session.out.remark(`Dry run: would ${verb} ${counted(keys.length, 'key')}`);
    return undefined;
  }
  session.noteStore();
  session.out.remark([
    `${counted(keys.length, 'key')} to ${verb}:`,
    ...pruneLines(keys, await keyring.recording(), session.now),
  ]);
  if (flags.disable) await confirmProtected(session, keys, 'disable', flags.confirm);
  else await confirmDeletion(session, keys, flags.confirm);
  const targets = keys.map((key) => ({ ref: key.id, key, error: null }));
  return forEachTarget(
    session,
    targets,
    async (key, operationId) => {
      if (!flags.disable) {
        const reason = `prune ${wordsOf(flags)}`;
        const { keptUntil } = await keyring.delete(key, { operationId, asSeen: true, reason });
        return { key, changed: true, isFinal: keptUntil === null, said: `Deleted ${key.name} (${key.id})` };
      }
      const reason = `prune ${wordsOf(flags)}`;
      const { key: now, changed } = await keyring.disable(key, { operationId, asSeen: true, reason });
      return { key: now, changed, said: `Disabled ${key.name} (${key.id})` };
    },
    flags.disable ? 'enable' : 'restore',
  );
}

/** What is about to be pruned, a line for each key: what it is, and why it is among them. */
function pruneLines(keys: readonly ApiKey[], recording: Recording, now: Date): string[] {
  const style = { times: 'relative', now } as const;
  return keys.map((key) => {
    const end =
      key.expiresAt === null
        ? 'never expires'
        : statusAt(key, now) === 'expired'
          ? `expired ${time(key.expiresAt, style)}`
          : `expires ${time(key.expiresAt, style)}`;
    return `  ${key.id}  ${key.mode}  ${key.name}: ${end}, last used: ${lastUsed(key, recording, style)}`;
  });
}

/** The keys to prune. A dry run shows them also where they would not be pruned, and says so. */
async function findPrunable(session: Session, keyring: Keyring, query: PruneQuery): Promise<ApiKey[]> {
  const forced = () => keyring.prunable({ ...query, force: true });
  try {
    const keys = await keyring.prunable(query);
    const left = query.neverUsedBefore && !query.force ? (await forced()).length - keys.length : 0;
    if (left > 0)
      session.out.remark(
        `${left} more ${left === 1 ? 'key looks' : 'keys look'} unused, but ${left === 1 ? 'was' : 'were'} created before use was recorded; --force includes ${left === 1 ? 'it' : 'them'}`,
      );
    return keys;
  } catch (error) {
    if (!session.dryRun || !isKeysError(error, 'guarded')) throw error;
    session.out.remark([`warning: without --force this would be refused: ${error.message}`]);
    return forced();
  }
}

function readQuery(flags: PruneFlags, now: Date): PruneQuery {
  if (!flags.expired && flags.unusedFor === undefined && flags.neverUsedFor === undefined)
    throw new KeysError(
      'missing_input',
      'prune needs at least one condition',
      'pass --expired, --unused-for 90d, --never-used-for 7d, or several of them',
    );
  const mode = oneOf('--mode', flags.mode, MODES);
  const ago = (text: string | undefined, flag: string) =>
    text === undefined ? undefined : new Date(now.getTime() - parseDuration(text, flag));
  return {
    expired: flags.expired,
    unusedSince: ago(flags.unusedFor, '--unused-for'),
    neverUsedBefore: ago(flags.neverUsedFor, '--never-used-for'),
    mode,
    labels: parseLabels(flags.label ?? []),
    force: flags.force,
  };
}

/** The conditions as they were given, for the audit log. */
function wordsOf({ expired, unusedFor, neverUsedFor, mode, label = [] }: PruneFlags): string {
  return [
    expired ? '--expired' : '',
    unusedFor === undefined ? '' : `--unused-for ${unusedFor}`,
    neverUsedFor === undefined ? '' : `--never-used-for ${neverUsedFor}`,
    mode === undefined ? '' : `--mode ${mode}`,
    ...label.map((each) => `--label ${each}`),
  ]
    .filter(Boolean)
    .join(' ');
}
