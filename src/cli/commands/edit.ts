import type { ApiKey } from '../../domain/api-key.js';
import { readDescription, readName } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { type Labels, parseLabels, settleLabels } from '../../domain/labels.js';
import { formatRateLimit, parseRateLimit } from '../../domain/rate-limit.js';
import { splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { ChangeOptions, EditInput } from '../../keyring/keyring.js';
import { collect, examples, operationOption, type Register } from '../command.js';
import { keyView } from '../output/views.js';
import type { Session } from '../session.js';

interface EditFlags {
  readonly name?: string;
  readonly description?: string;
  readonly rateLimit?: string;
  readonly label?: string[];
  readonly unlabel?: string[];
  readonly scope?: string[];
  readonly scopes?: string[];
  readonly testMode?: boolean;
  readonly test?: boolean;
  readonly live?: boolean;
}

export const registerEdit: Register = (program, run) => {
  const fixed = (flags: string) => program.createOption(flags).hideHelp();
  operationOption(program.command('edit'))
    .summary('change name, description, rate limit or labels')
    .description(
      'Change the name, the description, the rate limit or the labels of a key. Its scopes and mode never change: make another with create --like.',
    )
    .argument('<key>', 'key id, exact name, or the beginning of the id')
    .option('--name <name>', 'the new name')
    .option('-d, --description <text>', 'the new description; an empty one removes it')
    .option('--rate-limit <n/unit>', 'requests per s, m, h or d, e.g. 600/m')
    .option('-l, --label <name=value>', 'set a label; repeat for more', collect)
    .option('--unlabel <name>', 'take a label off; repeat for more', collect)
    .addOption(fixed('-s, --scope <scope>').argParser(collect))
    .addOption(fixed('--scopes <scope>').argParser(collect))
    .addOption(fixed('--test-mode'))
    .addOption(fixed('--test'))
    .addOption(fixed('--live'))
    .addHelpText(
      'after',
      examples(
        'edit partner --name partner-checkin',
        'edit 7k2m --rate-limit 100/m',
        'create partner-2 --like partner --scope plan:read   # other scopes',
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
    ...((flags.label ?? flags.unlabel) && { labels: relabelled(key, flags) }),
  };
  if (Object.keys(input).length === 0) {
    if (session.interactive) return editByPrompt(session, key, { operationId: session.operationId });
    throw new KeysError(
      'missing_input',
      'nothing to change was given',
      'pass --name, --description, --rate-limit, --label or --unlabel',
    );
  }
  await apply(session, key, input, { operationId: session.operationId });
}

/** Throws `not_found` for a label to be taken off that is not there: it may have been mistyped. */
function relabelled(key: ApiKey, { label = [], unlabel = [] }: EditFlags): Labels {
  const labels: Record<string, string> = { ...key.labels };
  for (const name of unlabel) {
    if (!Object.hasOwn(labels, name))
      throw new KeysError(
        'not_found',
        `${quoted(key.name)} (${key.id}) has no label ${quoted(name)}`,
        `it has: ${Object.keys(key.labels).join(', ') || 'none'}`,
      );
    delete labels[name];
  }
  return settleLabels({ ...labels, ...parseLabels(label) });
}

/** Scopes and mode are part of what a key is; the way to other ones is another key. */
function refuseFixed(flags: EditFlags, key: ApiKey): void {
  const scopes = splitList([...(flags.scope ?? []), ...(flags.scopes ?? [])]);
  const mode = flags.testMode || flags.test ? 'test' : flags.live ? 'live' : null;
  if (scopes.length === 0 && mode === null && !flags.scope && !flags.scopes) return;
  const wanted = [
    scopes.length > 0
      ? ` --scope ${scopes.map((scope) => (/^[\w:,-]+$/.test(scope) ? scope : `'${scope.replaceAll("'", '')}'`)).join(',')}`
      : '',
    mode === 'test' ? ' --test-mode' : mode === 'live' ? ' --live' : '',
  ].join('');
  const what =
    mode === null
      ? 'scopes never change'
      : scopes.length > 0
        ? 'scopes and mode never change'
        : 'the mode never changes';
  throw new KeysError(
    'scopes_fixed',
    `${what} after creation: whoever was given key ${key.id} was given exactly what it can do`,
    `make another: unlockos-keys create NEW-NAME --like ${key.id}${wanted}`,
  );
}

async function apply(session: Session, key: ApiKey, input: EditInput, options: ChangeOptions): Promise<void> {
  const keyring = await session.keyring();
  session.target();
  if (session.dryRun) {
    if (input.name !== undefined && input.name.toLowerCase() !== key.name.toLowerCase())
      await keyring.assertNameFree(input.name);
    session.remark('Dry run: nothing was changed.');
    return session.print([{ ...key, ...input }], keyView(session.now), { single: true });
  }
  const { key: edited, changed } = await keyring.edit(key, input, options);
  session.note(changed ? `Changed ${edited.name} (${edited.id})` : `${edited.name} (${edited.id}) already was so`);
  if (session.format !== 'table') await session.print([edited], keyView(session.now), { single: true });
}

/** Asks for each field with its present value filled in. */
export async function editByPrompt(session: Session, key: ApiKey, options: ChangeOptions = {}): Promise<void> {
  const prompts = await session.prompts();
  const checked = (read: (text: string) => unknown) => (text: string) => {
    try {
      read(text);
      return true as const;
    } catch (error) {
      if (error instanceof KeysError) return error.message;
      throw error;
    }
  };
  const name = readName(await prompts.text('Name', { initial: key.name, check: checked(readName) }));
  const description = readDescription(
    await prompts.text('Description (optional)', { initial: key.description ?? '', check: checked(readDescription) }),
  );
  const rateLimit = parseRateLimit(
    await prompts.text('Rate limit', { initial: formatRateLimit(key.rateLimit), check: checked(parseRateLimit) }),
  );
  await apply(session, key, { name, description, rateLimit }, options);
}
