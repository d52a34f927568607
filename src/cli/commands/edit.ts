import { networksText, parseNetworks, widens } from '../../domain/addresses.js';
import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { assertNearer, parseExpiry } from '../../domain/expiry.js';
import { readDescription, readName } from '../../domain/key-name.js';
import { type Labels, normalizeLabels, parseLabels } from '../../domain/labels.js';
import { parseRateLimit } from '../../domain/rate-limit.js';
import { splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { ChangeOptions, EditInput } from '../../keyring/keyring.js';
import { confirm, confirmProtected } from '../asking/confirm.js';
import { askForEdit } from '../asking/edit-fields.js';
import { warnOfLookalikes } from '../asking/lookalikes.js';
import { CONFIRM, collect, examples, KEY, operationOption, type Register } from '../command.js';
import { commandLine } from '../command-line.js';
import { editLines, undoOfEdit } from '../output/edit-lines.js';
import { keyView } from '../output/key-view.js';
import type { Session } from '../session.js';

interface EditFlags {
  readonly name?: string;
  readonly description?: string;
  readonly rateLimit?: string;
  readonly expires?: string;
  readonly allowFrom?: string;
  readonly confirm?: string[];
  readonly label?: string[];
  readonly unlabel?: string[];
  readonly scope?: string[];
  readonly scopes?: string[];
  readonly addScope?: string[];
  readonly dropScope?: string[];
  readonly testMode?: boolean;
  readonly test?: boolean;
  readonly live?: boolean;
}

export const registerEdit: Register = (program, run) => {
  const fixed = (flags: string) => program.createOption(flags).hideHelp();
  operationOption(program.command('edit'))
    .summary('change name, description, rate limit, labels, networks or expiry')
    .description(
      'Change the name, description, rate limit, labels or networks of a key, or let it expire earlier. Scopes and mode never change, and the expiry never moves later: rotate --add-scope or --expires puts another key in its place, create --like creates another key.',
    )
    .argument('<key>', KEY)
    .option('--name <name>', 'the new name')
    .option('-d, --description <text>', 'the new description; empty removes it')
    .option('--rate-limit <n/unit>', 'requests per s, m, h or d, e.g. 600/m')
    .option('--expires <when>', 'an earlier expiry: 90d, a date or a time (2027-01-31T09:00:00Z)')
    .option('--allow-from <networks>', 'all addresses it works from, e.g. 10.0.0.0/8,192.0.2.7; or any')
    .option('-l, --label <name=value>', 'set a label; repeat for more', collect)
    .option('--unlabel <name>', 'remove a label; repeat for more', collect)
    .option(...CONFIRM)
    .addOption(fixed('-s, --scope <scope>').argParser(collect))
    .addOption(fixed('--scopes <scope>').argParser(collect))
    .addOption(fixed('--add-scope <scope>').argParser(collect))
    .addOption(fixed('--drop-scope <scope>').argParser(collect))
    .addOption(fixed('--test-mode'))
    .addOption(fixed('--test'))
    .addOption(fixed('--live'))
    .addHelpText(
      'after',
      examples(
        'edit partner --name partner-checkin',
        'edit 7k2m --rate-limit 100/m --expires 30d',
        'rotate partner --add-scope plan:read                  # another scope',
      ),
    )
    .action(run((session, flags: EditFlags, ref: string) => edit(session, flags, ref)));
};

async function edit(session: Session, flags: EditFlags, ref: string): Promise<void> {
  const keyring = await session.keyring();
  const key = await keyring.show(ref);
  refuseFixed(flags, key);
  const input: EditInput = {
    ...(flags.name !== undefined && { name: readName(flags.name) }),
    ...(flags.description !== undefined && { description: readDescription(flags.description) }),
    ...(flags.rateLimit !== undefined && { rateLimit: parseRateLimit(flags.rateLimit) }),
    ...(flags.expires !== undefined && { expiresAt: parseExpiry(flags.expires, session.now) }),
    ...(flags.allowFrom !== undefined && { allowFrom: parseNetworks(flags.allowFrom) }),
    ...((flags.label ?? flags.unlabel) && { labels: relabelled(key, flags) }),
  };
  if (Object.keys(input).length === 0) {
    if (session.interactive) {
      await editByPrompt(session, key, { operationId: session.operation.id });
      return;
    }
    throw new KeysError(
      'missing_input',
      'missing: something to change',
      'pass --name, --description, --rate-limit, --expires, --allow-from, --label or --unlabel',
    );
  }
  if (!session.dryRun) await confirmWider(session, key, input, flags.confirm);
  await apply(session, key, input, { operationId: session.operation.id });
}

/** Letting a live key work from more addresses needs a yes or `--yes`; in a protected profile, the name of any key. */
async function confirmWider(
  session: Session,
  key: ApiKey,
  { allowFrom }: EditInput,
  confirmed: readonly string[] | undefined,
): Promise<void> {
  if (allowFrom === undefined || !widens(key.allowFrom, allowFrom)) return;
  await confirmProtected(session, [key], 'widen the addresses of', confirmed);
  if (key.mode !== 'live' || session.settings.profile?.value.protected) return;
  const from = allowFrom.length === 0 ? 'everywhere' : networksText(allowFrom);
  await confirm(session, {
    action: `let LIVE key ${quoted(key.name)} (${key.id}) work from ${from}, and no longer only from ${networksText(key.allowFrom)}`,
  });
}

/** Throws `not_found` when a label to remove does not exist: it may be mistyped. */
function relabelled(key: ApiKey, { label = [], unlabel = [] }: EditFlags): Labels {
  const labels: Record<string, string> = { ...key.labels };
  const added = parseLabels(label);
  const both = unlabel.find((name) => Object.hasOwn(added, name));
  if (both !== undefined)
    throw new KeysError(
      'usage',
      `label ${quoted(both)} is set and removed`,
      'pass --label or --unlabel for it, not both',
    );
  for (const name of new Set(unlabel)) {
    if (!Object.hasOwn(labels, name))
      throw new KeysError(
        'not_found',
        `${quoted(key.name)} (${key.id}) has no label ${quoted(name)}`,
        `it has: ${Object.keys(key.labels).join(', ') || 'none'}`,
      );
    delete labels[name];
  }
  return normalizeLabels({ ...labels, ...added });
}

/** Throws `scopes_fixed` for flags that would change scopes or mode, with the command that creates another key instead. */
function refuseFixed(flags: EditFlags, key: ApiKey): void {
  const given = [
    ['--scope', flags.scope || flags.scopes ? [...(flags.scope ?? []), ...(flags.scopes ?? [])] : undefined],
    ['--add-scope', flags.addScope],
    ['--drop-scope', flags.dropScope],
  ] as const;
  const mode = flags.testMode || flags.test ? '--test-mode' : flags.live ? '--live' : null;
  const aboutScopes = given.some(([, values]) => values !== undefined);
  if (!aboutScopes && mode === null) return;
  const wanted = given.flatMap(([flag, values]) => {
    const scopes = splitList(values ?? []);
    return scopes.length === 0 ? [] : [flag, scopes.join(',')];
  });
  const what =
    mode === null ? 'scopes never change' : aboutScopes ? 'scopes and mode never change' : 'the mode never changes';
  const another = commandLine(['create', 'NEW-NAME', '--like', key.id, ...wanted], mode === null ? [] : [mode]);
  const hints = [
    ...(mode === null
      ? [`to put a key with other scopes in its place: ${commandLine(['rotate', key.id], wanted)}`]
      : []),
    `to create another key: ${another}`,
  ];
  throw new KeysError('scopes_fixed', `${what} after creation (key ${key.id})`, hints.join('\n'));
}

/** The key as it was edited; null when nothing was changed. */
async function apply(session: Session, key: ApiKey, input: EditInput, options: ChangeOptions): Promise<ApiKey | null> {
  const keyring = await session.keyring();
  session.noteStore();
  if (input.name !== undefined && input.name !== key.name)
    await warnOfLookalikes(session, keyring, [input.name], key.id);
  if (session.dryRun) {
    if (input.name !== undefined && input.name.toLowerCase() !== key.name.toLowerCase())
      await keyring.assertNameFree(input.name);
    if (input.expiresAt !== undefined) assertNearer(key, input.expiresAt);
    session.out.remark('Dry run: nothing was changed.');
    await session.out.print([{ ...key, ...input } as ApiKey], keyView(session.now), { single: true });
    return null;
  }
  const { key: edited, changed } = await keyring.edit(key, input, options);
  const undo = undoOfEdit(key, edited);
  session.out.note(
    changed
      ? [
          `Changed ${edited.name} (${edited.id})`,
          ...editLines(key, edited),
          ...(undo === null ? [] : [`Undo: ${session.followUp(...undo)}`]),
          ...(input.expiresAt === undefined ? [] : ['An expiry that was moved nearer cannot be moved back.']),
        ]
      : `${edited.name} (${edited.id}) is unchanged: it already has these values`,
  );
  if (session.format !== 'table') await session.out.print([edited], keyView(session.now), { single: true });
  return changed ? edited : null;
}

/** Prompts for each field. Returns the edited key; null when nothing was changed. */
export async function editByPrompt(session: Session, key: ApiKey, options: ChangeOptions = {}): Promise<ApiKey | null> {
  const input = await askForEdit(session, key);
  if (!session.dryRun) await confirmWider(session, key, input, undefined);
  return apply(session, key, input, options);
}
