import { type ApiKey, mixedScripts, readName } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { parseExpiry } from '../../domain/expiry.js';
import { IF_EXISTS, type IfExists } from '../../domain/key-store.js';
import type { Mode } from '../../domain/key-string.js';
import { type Labels, parseLabels, withoutOwnLabels } from '../../domain/labels.js';
import { DEFAULT_RATE_LIMIT, describeRateLimit, parseRateLimit, type RateLimit } from '../../domain/rate-limit.js';
import { type CatalogueScope, splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { CreateInput, CreatePlan } from '../../keyring/creation.js';
import type { CreatedKey, Keyring } from '../../keyring/keyring.js';
import {
  collect,
  examples,
  nonEmptyLines,
  operationOption,
  type Register,
  readStdin,
  sinkOptions,
} from '../command.js';
import { offerCopy } from '../copy-offer.js';
import { Delivery, type DeliveryFlags } from '../delivery.js';
import type { ExitCode } from '../exit-code.js';
import { progressOf } from '../progress.js';
import type { Session } from '../session.js';

interface CreateFlags extends DeliveryFlags {
  readonly description?: string;
  readonly testMode?: boolean;
  readonly test?: boolean;
  readonly live?: boolean;
  readonly scope?: string[];
  readonly scopes?: string[];
  readonly rateLimit?: string;
  readonly expires?: string;
  readonly like?: string;
  readonly ifExists?: string;
  readonly confirm?: string[];
  readonly label?: string[];
}

/** What is settled so far; the rest is asked, or named as missing. */
interface Draft {
  names: string[];
  description: string | undefined;
  mode: Mode | undefined;
  scopes: readonly string[];
  readonly rateLimit: RateLimit;
  readonly expiresAt: Date | null;
  readonly labels: Labels;
}

export const registerCreate: Register = (program, run) => {
  sinkOptions(
    operationOption(program.command('create'))
      .summary('make a key; its key string is shown once')
      .description('Make a key. Its key string is shown once and cannot be shown again; scopes and mode never change.')
      .argument('[name...]', 'name of the key; several names make several keys alike, - reads names from stdin')
      .option('-d, --description <text>', 'what the key is for')
      .option('--test-mode', 'a test key (also --test): works in test environments only')
      .addOption(program.createOption('--test').hideHelp())
      .option('--live', 'a live key (the default; under CI one of the two must be given)')
      .option(
        '-s, --scope <scope>',
        'what the key may do (also --scopes); repeat or separate by commas; checkin:* takes the category',
        collect,
      )
      .addOption(program.createOption('--scopes <scope>').argParser(collect).hideHelp())
      .option('--rate-limit <n/unit>', 'requests per s, m, h or d (default: 600/m)')
      .option('--expires <when>', '90d, a date, an instant, or never (default: never)')
      .option('-l, --label <name=value>', 'a label to find it by, e.g. team=checkout; repeat for more', collect)
      .option('--like <key>', 'take scopes, mode, description, rate limit and labels from another key; flags override')
      .option('--if-exists <what>', 'when the name exists: fail (the default), skip it, or rotate (replace that key)')
      .option('--confirm <name>', 'in a protected profile: the name of the key that rotate replaces', collect),
    'create NAME',
  )
    .addHelpText(
      'after',
      examples(
        'create                                    # asks for everything',
        'create ci --test-mode --scope checkin:read,plan:read',
        'create partner --live -s "checkin:*" --rate-limit 100/m --expires 90d --key-file partner.key',
        'create ci --test -s plan:read -o value   # the key string alone: KEY=$(…)',
        'create partner-2 --like partner -s plan:read',
        'create ci --test -s plan:read --if-exists rotate -o value',
      ),
    )
    .action(run((session, flags: CreateFlags, names: string[]) => create(session, flags, names)));
};

async function create(session: Session, flags: CreateFlags, words: string[]): Promise<ExitCode | undefined> {
  const [args, command] = flags.pipe ? [words.slice(0, 1), words.slice(1)] : [words, []];
  const testMode = flags.testMode || flags.test;
  if (testMode && flags.live)
    throw new KeysError('usage', '--test-mode and --live contradict each other', 'pass one of them');
  const ifExists = readIfExists(flags.ifExists);
  const { profile, rateLimit, expires } = session.settings;
  const names = args.includes('-')
    ? args.flatMap((name) => (name === '-' ? nonEmptyLines(readStdin(session, 'names')) : [name]))
    : args;
  const delivery = new Delivery(session, { ...flags, command }, { asList: args.includes('-') || names.length > 1 });
  const draft: Draft = {
    names: names.map(readName),
    description: flags.description,
    mode: testMode || (profile?.value.testOnly && !flags.live) ? 'test' : flags.live ? 'live' : undefined,
    scopes: splitList([...(flags.scope ?? []), ...(flags.scopes ?? [])]),
    rateLimit: readRateLimit(flags.rateLimit ?? rateLimit?.value),
    expiresAt: readExpiry(flags.expires ?? expires?.value, session.now),
    labels: parseLabels(flags.label ?? []),
  };
  if (!session.interactive) refuseMissing(session, flags, draft, delivery);
  if (!session.dryRun) delivery.refuseNullDevice();
  const keyring = await session.keyring({ create: flags.like === undefined && !session.dryRun });
  const settled = flags.like === undefined ? draft : likeTemplate(draft, flags, await keyring.show(flags.like));
  const asked = session.interactive && (await askMissing(session, keyring, settled, ifExists));
  const plan = await keyring.plan(toInputs(settled), { ifExists, operationId: session.givenOperationId });
  const { inputs } = plan;
  warnOfLookalikes(session, inputs);
  if (asked || session.dryRun) summarise(session, plan);
  if (session.dryRun) {
    session.remark('Dry run: nothing was made.');
    return undefined;
  }
  if (asked && !(await (await session.prompts()).yesNo('Create this key?', true)))
    throw new KeysError('confirmation_required', 'not confirmed; nothing was made');
  await session.confirmProtected(plan.replaced, 'delete', flags.confirm);
  session.target();
  delivery.probe();
  const progress = progressOf(session, 20);
  let created: CreatedKey[];
  try {
    created = await keyring.make(plan, {
      operationId: session.operationId,
      progress: (done) => progress(done, inputs.length),
    });
  } catch (error) {
    delivery.abandon();
    throw error;
  }
  announce(session, created);
  await delivery.deliver(created, keyring);
  if (created.some(({ keyString }) => keyString !== null))
    session.note(['', 'Keep it safe: it cannot be shown again. If it is lost, make a new key and delete this one.']);
  const [only] = created;
  if (created.length !== 1 || !only?.keyString) return undefined;
  return offerCopy(session, delivery, { id: only.key.id, keyString: only.keyString });
}

function readIfExists(text: string | undefined): IfExists {
  const found = IF_EXISTS.find((each) => each === (text ?? 'fail'));
  if (!found)
    throw new KeysError('usage', `--if-exists ${quoted(text ?? '')} is unknown`, `one of: ${IF_EXISTS.join(', ')}`);
  return found;
}

function readRateLimit(text: string | undefined): RateLimit {
  return text === undefined ? DEFAULT_RATE_LIMIT : parseRateLimit(text);
}

function readExpiry(text: string | undefined, now: Date): Date | null {
  return text === undefined ? null : parseExpiry(text, now);
}

function toInputs(draft: Draft): CreateInput[] {
  const { description, mode = 'live', scopes, rateLimit, expiresAt, labels } = draft;
  return draft.names.map((name) => ({ name, description, mode, scopes, rateLimit, expiresAt, labels }));
}

/** Names everything that is missing at once, with the flags that would have given it. */
function refuseMissing(session: Session, flags: CreateFlags, draft: Draft, delivery: Delivery): void {
  const missing: string[] = [];
  if (draft.names.length === 0) missing.push('a name           unlockos-keys create NAME');
  if (draft.mode === undefined && session.ctx.ci && flags.like === undefined)
    missing.push('the mode         --test-mode or --live');
  if (draft.scopes.length === 0 && flags.like === undefined)
    missing.push('scopes           --scope checkin:read (unlockos-keys scopes list)');
  if (delivery.missing) missing.push(delivery.missing);
  if (missing.length === 0) return;
  const why = session.ctx.ci
    ? `this is a ${session.ctx.ci.name} run`
    : session.format === 'table'
      ? 'no terminal, or --no-input'
      : `-o ${session.format} never asks`;
  throw new KeysError(
    'missing_input',
    `${missing.length === 1 ? 'one thing is' : `${missing.length} things are`} missing, and I cannot ask here (${why})\n${missing.map((line) => `  ${line}`).join('\n')}`,
    'for example: unlockos-keys create ci --test-mode --scope checkin:read -o value',
  );
}

/** What was not said on the command line comes from the other key. */
function likeTemplate(draft: Draft, flags: CreateFlags, template: ApiKey): Draft {
  return {
    ...draft,
    description: draft.description ?? template.description ?? '',
    mode: draft.mode ?? template.mode,
    scopes: draft.scopes.length > 0 ? draft.scopes : template.scopes,
    rateLimit: flags.rateLimit === undefined ? template.rateLimit : draft.rateLimit,
    labels: { ...withoutOwnLabels(template.labels), ...draft.labels },
  };
}

/** Asks for what is missing; true when it asked anything. A description is asked for only along with something else. */
async function askMissing(session: Session, keyring: Keyring, draft: Draft, ifExists: IfExists): Promise<boolean> {
  if (draft.names.length > 0 && draft.mode !== undefined && draft.scopes.length > 0) return false;
  const prompts = await session.prompts();
  if (draft.names.length === 0) {
    draft.names.push(readName(await prompts.text('Name', { check: (text) => checkName(keyring, text) })));
  } else if (ifExists === 'fail') {
    for (const name of draft.names) await keyring.assertNameFree(name);
  }
  draft.description ??= await prompts.text('Description (optional)');
  draft.mode ??= await prompts.choose<Mode>('Mode', [
    { name: 'Test', value: 'test', description: 'works in test environments only, never touches production data' },
    { name: 'Live', value: 'live', description: 'works in production' },
  ]);
  if (draft.scopes.length === 0)
    draft.scopes = await prompts.pick('Scopes (they never change)', groupsOf(await keyring.scopes()));
  return true;
}

async function checkName(keyring: Keyring, text: string): Promise<string | true> {
  try {
    await keyring.assertNameFree(readName(text));
    return true;
  } catch (error) {
    if (error instanceof KeysError) return error.message;
    throw error;
  }
}

function groupsOf(catalogue: readonly CatalogueScope[]) {
  const open = catalogue.filter((entry) => !entry.retired);
  return [...new Set(open.map((entry) => entry.category))].map((category) => {
    const members = open.filter((entry) => entry.category === category);
    return {
      label: members[0]?.categoryLabel ?? category,
      choices: members.map(({ scope }) => ({ name: scope, value: scope })),
    };
  });
}

function warnOfLookalikes(session: Session, inputs: readonly CreateInput[]): void {
  for (const { name } of inputs) {
    const scripts = mixedScripts(name);
    if (scripts.length > 0)
      session.remark(
        `warning: the name ${quoted(name)} mixes ${scripts.join(' and ')} letters, some of which look alike`,
      );
  }
}

function details(input: Pick<CreateInput, 'scopes' | 'rateLimit' | 'expiresAt'>): string[] {
  return [
    `  Scopes      ${input.scopes.join(', ')}`,
    `  Rate limit  ${describeRateLimit(input.rateLimit ?? DEFAULT_RATE_LIMIT)}`,
    `  Expires     ${input.expiresAt?.toISOString() ?? 'never'}`,
  ];
}

function listed(names: readonly string[]): string {
  return names.length <= 5
    ? names.map(quoted).join(', ')
    : `${names.slice(0, 4).map(quoted).join(', ')} and ${names.length - 4} more`;
}

function summarise(session: Session, { inputs, replaced, unfinished, kept }: CreatePlan): void {
  const [first] = inputs;
  if (!first) return;
  const { value } = session.store;
  session.remark([
    `  Name        ${listed(inputs.map(({ name }) => name))}`,
    `  Description ${first.description ?? '—'}`,
    `  Mode        ${first.mode === 'live' ? 'LIVE' : 'TEST'}`,
    ...details(first),
    `  Store       ${value}`,
    ...[...replaced, ...unfinished].map(({ name, id }) => `  Replaces    ${quoted(name)} (${id})`),
    ...kept.map(({ name, id }) => `  Exists      ${quoted(name)} (${id}), which is kept`),
  ]);
}

function announce(session: Session, all: readonly CreatedKey[]): void {
  for (const { key, keyString } of all)
    if (keyString === null) session.note(`Kept key ${quoted(key.name)} (${key.id}), which exists: nothing was made`);
  for (const { replaced } of all)
    if (replaced) session.note(`Deleted key ${quoted(replaced.name)} (${replaced.id}), which this one replaces`);
  const created = all.filter(({ keyString }) => keyString !== null);
  const [first] = created;
  if (!first) return;
  const mode = first.key.mode === 'live' ? 'LIVE' : 'TEST';
  const what =
    created.length === 1
      ? `${mode} key ${quoted(first.key.name)} (${first.key.id})`
      : `${created.length} ${mode} keys: ${listed(created.map(({ key }) => key.name))}`;
  session.note([`Created ${what}`, ...details(first.key), '']);
}
