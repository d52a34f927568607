import { KeysError } from '../../domain/errors.js';
import { parseDuration } from '../../domain/expiry.js';
import { MODES } from '../../domain/key-string.js';
import { parseLabels } from '../../domain/labels.js';
import type { PruneQuery } from '../../keyring/prune.js';
import { forEachTarget } from '../batch.js';
import { collect, examples, operationOption, type Register } from '../command.js';
import type { ExitCode } from '../exit-code.js';
import { oneOf } from '../flags.js';
import { keyView } from '../output/views.js';
import type { Session } from '../session.js';
import { confirmDeletion } from './delete.js';

interface PruneFlags {
  readonly expired?: boolean;
  readonly unusedFor?: string;
  readonly neverUsedFor?: string;
  readonly mode?: string;
  readonly label?: string[];
  readonly disable?: boolean;
  readonly confirm?: string[];
}

export const registerPrune: Register = (program, run) => {
  operationOption(program.command('prune'))
    .summary('remove keys that nobody needs any more; shows them first')
    .description(
      'Remove keys that have expired or that nobody uses: any of the signs that are given. It shows which, then asks; -n only shows. A key that is used or changed meanwhile stays, and so does one in the overlap of a rotation. Servers that write down no marks (--no-marks) make their keys look unused.',
    )
    .option('--expired', 'keys whose time is over')
    .option('--unused-for <time>', 'keys not used for so long, or never and made before, e.g. 90d')
    .option('--never-used-for <time>', 'keys that were made so long ago and never used, e.g. 7d')
    .option('--mode <mode>', 'only live or test keys')
    .option('-l, --label <name=value>', 'only keys with this label; repeat for several', collect)
    .option('--disable', 'disable them instead, which can be undone')
    .option('--confirm <name>', 'in a protected profile: the name of a key, typed ahead; repeat for several', collect)
    .addHelpText(
      'after',
      examples(
        'prune --expired -n                                 # what would go?',
        'prune --expired --never-used-for 7d --mode test --yes',
        'prune --unused-for 90d --disable --label team=checkout',
      ),
    )
    .action(run(prune));
};

async function prune(session: Session, flags: PruneFlags): Promise<ExitCode | undefined> {
  const query = readQuery(flags, session.now);
  const keyring = await session.keyring();
  const all = await keyring.prunable(query);
  const keys = flags.disable ? all.filter(({ status }) => status === 'active') : all;
  if (keys.length === 0) {
    session.note('No key matches: nothing to do.');
    if (session.format !== 'table') await session.print([], keyView(session.now));
    return undefined;
  }
  const verb = flags.disable ? 'disable' : 'delete';
  if (session.dryRun) {
    await session.print(keys, keyView(session.now));
    session.remark(`Dry run: would ${verb} ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`);
    return undefined;
  }
  session.target();
  session.remark([
    `${keys.length} ${keys.length === 1 ? 'key' : 'keys'} to ${verb}:`,
    ...keys.map(({ name, id }) => `  ${id}  ${name}`),
  ]);
  if (flags.disable) await session.confirmProtected(keys, 'disable', flags.confirm);
  else await confirmDeletion(session, keys, flags.confirm, `unlockos-keys prune ${wordsOf(flags)} --yes`);
  const targets = keys.map((key) => ({ ref: key.id, key, error: null }));
  return forEachTarget(session, targets, async (key, operationId) => {
    if (!flags.disable) {
      await keyring.delete(key, { operationId, asSeen: true });
      return { key, changed: true, said: `Deleted ${key.name} (${key.id})` };
    }
    const { key: now, changed } = await keyring.disable(key, { operationId, reason: `prune ${wordsOf(flags)}` });
    return { key: now, changed, said: `Disabled ${key.name} (${key.id})` };
  });
}

function readQuery(flags: PruneFlags, now: Date): PruneQuery {
  if (!flags.expired && flags.unusedFor === undefined && flags.neverUsedFor === undefined)
    throw new KeysError(
      'missing_input',
      'by which sign are keys no longer needed?',
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
  };
}

/** The signs as they were given, for the log and for the command to repeat. */
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
