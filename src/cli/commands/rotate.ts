import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { parseDuration, parseExpiry } from '../../domain/expiry.js';
import { maskKey } from '../../domain/key-string.js';
import { type Labels, PENDING_LABEL } from '../../domain/labels.js';
import { describeRateLimit } from '../../domain/rate-limit.js';
import { splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { FinishOptions, RotatedKey, RotateInput, RotationPlan } from '../../keyring/rotation.js';
import { collect, examples, operationOption, type Register, sinkOptions } from '../command.js';
import { offerCopy } from '../copy-offer.js';
import { Delivery, type DeliveryFlags } from '../delivery.js';
import type { ExitCode } from '../exit-code.js';
import type { Session } from '../session.js';

interface RotateFlags extends DeliveryFlags {
  readonly overlap?: string;
  readonly scope?: string[];
  readonly scopes?: string[];
  readonly expires?: string;
  readonly status?: boolean;
  readonly finish?: boolean;
  readonly quietFor?: string;
  readonly force?: boolean;
  readonly confirm?: string[];
}

const DEFAULT_OVERLAP = '24h';

export const registerRotate: Register = (program, run) => {
  sinkOptions(
    operationOption(program.command('rotate'))
      .summary('replace a key by a new one; the old one works on for a while')
      .description(
        'Make a new key in the place of another: same name, description, mode, scopes, rate limit, labels and lifetime. The old key is renamed, and expires at the end of the overlap, which is printed. Scopes never change: --scope makes a new key with others.',
      )
      .argument('[key]', 'key id, exact name, or the beginning of the id')
      .argument('[command...]', 'with --pipe, after --: a program and its arguments')
      .option('--overlap <time>', `how long the old key goes on working: 24h (the default), 7d; 0 ends it at once`)
      .option(
        '-s, --scope <scope>',
        'what the new key may do, instead of what the old one may; repeat or separate by commas',
        collect,
      )
      .addOption(program.createOption('--scopes <scope>').argParser(collect).hideHelp())
      .option(
        '--expires <when>',
        'when the new key expires: 90d, a date, an instant, or never (default: same lifetime)',
      )
      .option('--confirm <name>', 'in a protected profile: the name of the key, typed ahead', collect)
      .optionsGroup('The overlap (KEY is the old key or the new one):')
      .option('--status', 'say whether old keys are still in use; without a KEY, of every overlap')
      .option('--finish', 'end the overlap now; refused with exit 6 while the old key is in use')
      .option('--quiet-for <time>', 'with --finish: how long the old key must not have been used (default: 1h)')
      .option('--force', 'with --finish: end it although the old key is in use'),
    'rotate KEY',
  )
    .addHelpText(
      'after',
      examples(
        'rotate partner-checkin',
        'rotate partner-checkin --overlap 7d --dotenv .env',
        'rotate 7k2m --overlap 0                      # it leaked: the old key stops now',
        'rotate partner-checkin --scope plan:read     # other scopes',
        'rotate --status                              # is an old key still in use?',
        'rotate --finish partner-checkin --quiet-for 2h',
      ),
    )
    .action(
      run(async (session, ownFlags: RotateFlags, ref: string | undefined, command: string[]) => {
        const flags = { ...ownFlags, command };
        refuseMixed(flags);
        if (flags.status) return status(session, ref);
        if (flags.finish) return finish(session, flags, ref);
        return rotate(session, flags, ref);
      }),
    );
};

/** One of three things is done at a time. */
function refuseMixed(flags: RotateFlags): void {
  const { overlap, scope, scopes, expires, keyFile, dotenv, envFile, githubEnv, githubOutput, copy, pipe } = flags;
  const word = flags.command?.[0];
  const making = [overlap, scope, scopes, expires, keyFile, dotenv, envFile, githubEnv, githubOutput, copy, pipe, word];
  const chosen = flags.status ? '--status' : flags.finish ? '--finish' : null;
  if (flags.status && flags.finish)
    throw new KeysError('usage', '--status and --finish do not go together', 'pass one of them');
  if (chosen && making.some((each) => each !== undefined))
    throw new KeysError(
      'usage',
      `${chosen} makes no key, and takes nothing that is for one`,
      `pass ${chosen} and one KEY`,
    );
  if (!flags.finish && (flags.quietFor !== undefined || flags.force))
    throw new KeysError('usage', '--quiet-for and --force belong to --finish', 'rotate --finish KEY --quiet-for 2h');
}

function readOverlap(text: string | undefined): number {
  return text === '0' ? 0 : parseDuration(text ?? DEFAULT_OVERLAP, '--overlap');
}

function readInput(flags: RotateFlags, now: Date): RotateInput {
  const scopes = flags.scope || flags.scopes ? splitList([...(flags.scope ?? []), ...(flags.scopes ?? [])]) : undefined;
  return {
    scopes,
    expiresAt: flags.expires === undefined ? undefined : parseExpiry(flags.expires, now),
    overlapMs: readOverlap(flags.overlap),
  };
}

/** The new key is handed out here, so it must not say that `apply` still has to. */
function labelsFor({ labels }: ApiKey): Labels | undefined {
  if (labels[PENDING_LABEL] === undefined) return undefined;
  const { [PENDING_LABEL]: _, ...others } = labels;
  return others;
}

function refuseMissing(session: Session, ref: string | undefined, delivery: Delivery): void {
  const missing = [
    ...(ref === undefined ? ['a key            unlockos-keys rotate KEY'] : []),
    ...(delivery.missing ? [delivery.missing] : []),
  ];
  if (missing.length === 0) return;
  const { ci } = session.ctx;
  throw new KeysError(
    'missing_input',
    `missing, and I cannot ask here (${ci ? `this is a ${ci.name} run` : 'no terminal, or --no-input'}):\n${missing.map((line) => `  ${line}`).join('\n')}`,
    'for example: unlockos-keys rotate partner-checkin --overlap 24h -o value',
  );
}

async function rotate(session: Session, flags: RotateFlags, ref: string | undefined): Promise<ExitCode | undefined> {
  const { now: started } = session;
  const input = readInput(flags, started);
  const delivery = new Delivery(session, flags, { asList: false });
  if (!session.interactive) refuseMissing(session, ref, delivery);
  if (!session.dryRun) delivery.refuseNullDevice();
  const keyring = await session.keyring();
  const key = ref === undefined ? await pickActive(session, keyring) : await keyring.show(ref);
  const { givenOperationId: operationId } = session;
  const plan = await keyring.planRotation(key, { ...input, labels: labelsFor(key) }, { operationId });
  const { endText } = await import('../output/rotation-view.js');
  const oldKey = ({ retired }: RotationPlan | RotatedKey) =>
    `${quoted(retired.name)} ${endText(retired, session.now, started)}`;
  if (ref === undefined || session.dryRun) session.remark(planLines(session, plan, oldKey(plan)));
  if (session.dryRun) {
    session.remark('Dry run: nothing was made, and nothing was changed.');
    return undefined;
  }
  if (ref === undefined && !(await (await session.prompts()).yesNo('Rotate this key?', true)))
    throw new KeysError('confirmation_required', 'not confirmed; nothing was changed');
  await session.confirmProtected([plan.retirement.seen], 'rotate', flags.confirm);
  session.target();
  delivery.probe();
  let rotated: RotatedKey;
  try {
    rotated = await keyring.makeRotation(plan, { operationId: session.operationId });
  } catch (error) {
    delivery.abandon();
    throw error;
  }
  announce(session, rotated, oldKey(rotated));
  const { key: made, keyString } = rotated;
  try {
    await delivery.deliver([{ key: made, keyString, replaced: null }], keyring);
  } catch (error) {
    throw undelivered(session, error, rotated, oldKey(rotated));
  }
  session.note([
    '',
    'Keep it safe: it cannot be shown again.',
    ...(statusAt(rotated.retired, session.now) === 'active'
      ? [`Once every program has it: unlockos-keys rotate --finish ${made.id}`]
      : []),
  ]);
  return offerCopy(session, delivery, { id: made.id, keyString });
}

async function pickActive(session: Session, keyring: Keyring): Promise<ApiKey> {
  const { keys } = await keyring.list();
  const rotatable = keys.filter(({ status, rotatedTo }) => status === 'active' && rotatedTo === null);
  return pick(session, rotatable, 'Key to rotate (type to search)');
}

async function pick(session: Session, keys: readonly ApiKey[], question: string): Promise<ApiKey> {
  if (keys.length === 0)
    throw new KeysError('not_found', 'there is no such key', 'unlockos-keys list shows the keys there are');
  return (await session.prompts()).find(
    question,
    keys.map((key) => ({ name: `${key.name}  ${maskKey(key.mode, key.id)}`, value: key })),
  );
}

function planLines(session: Session, { successor, retirement, undelivered }: RotationPlan, oldKey: string): string[] {
  const { seen } = retirement;
  return [
    `  Name        ${quoted(successor.name)}`,
    `  Replaces    ${seen.id}${undelivered ? ', which nobody was given' : ''}`,
    `  Mode        ${successor.mode === 'live' ? 'LIVE' : 'TEST'}`,
    ...details(successor),
    `  Old key     ${oldKey}`,
    `  Store       ${session.store.value}`,
  ];
}

function details({ scopes, rateLimit, expiresAt }: RotationPlan['successor'] | ApiKey): string[] {
  return [
    `  Scopes      ${scopes.join(', ')}`,
    `  Rate limit  ${describeRateLimit(rateLimit)}`,
    `  Expires     ${expiresAt?.toISOString() ?? 'never'}`,
  ];
}

function announce(session: Session, { key, retired, undelivered }: RotatedKey, oldKey: string): void {
  const mode = key.mode === 'live' ? 'LIVE' : 'TEST';
  if (undelivered)
    session.note(`Replaced key ${undelivered.id}, which an earlier run made and did not hand out: it works no more`);
  session.note([
    `Rotated ${mode} key ${quoted(key.name)}: ${retired.id} is replaced by ${key.id}`,
    ...details(key),
    `  Old key     ${oldKey}`,
    '',
  ]);
}

/** The new key is of no use to anybody, and the end of the old one stands: the error must say so, and how to go on. */
function undelivered(session: Session, error: unknown, { key, retired }: RotatedKey, oldKey: string): unknown {
  if (!isKeysError(error, 'delivery_failed')) return error;
  return new KeysError(
    'delivery_failed',
    `${error.message}\nThe rotation stands: old key ${retired.id}, ${oldKey}, and NOTHING replaces it yet`,
    `run the same command again with --operation-id ${session.operationId}: it makes another key in place of ${key.id}`,
    { cause: error },
  );
}

async function status(session: Session, ref: string | undefined): Promise<void> {
  const { rotationView } = await import('../output/rotation-view.js');
  const view = rotationView(session.now);
  if (ref === undefined && session.storeIsUnborn()) return session.print([], view, { empty: 'No key was rotated.' });
  const keyring = await session.keyring();
  if (ref !== undefined)
    return session.print(await keyring.rotations(ref), view, { empty: `Nothing was rotated to or from this key.` });
  const rotations = [];
  for (const old of (await keyring.list({ rotating: true })).keys) rotations.push(await keyring.rotationOf(old));
  await session.print(rotations, view, { empty: 'No old key is in an overlap.' });
}

async function finish(session: Session, flags: RotateFlags, ref: string | undefined): Promise<void> {
  const options: FinishOptions = {
    quietForMs: flags.quietFor === undefined ? undefined : parseDuration(flags.quietFor, '--quiet-for'),
    force: flags.force,
  };
  if (ref === undefined && !session.interactive)
    throw new KeysError('missing_input', 'which key?', 'name the old key or the new one: rotate --finish KEY');
  const keyring = await session.keyring();
  const key =
    ref ?? (await pick(session, (await keyring.list({ rotating: true })).keys, 'Overlap to end (type to search)'));
  const { rotation, over } = await keyring.planFinish(key, options);
  const { old, successor } = rotation;
  session.target();
  if (!over && (!successor || statusAt(successor, session.now) !== 'active'))
    session.remark(`warning: what replaced ${old.id} does not work${successor ? `: ${successor.id}` : ''}`);
  if (session.dryRun) {
    session.remark(over ? `${quoted(old.name)} has expired already` : `Dry run: would end the overlap of ${old.id}`);
    return;
  }
  if (!over) await confirmFinish(session, old, flags.confirm);
  const { operationId } = session;
  const { key: ended, changed } = await keyring.finishRotation(old.id, { ...options, operationId });
  const said = changed ? 'Ended the overlap' : 'The overlap had ended';
  session.note(`${said}: ${quoted(ended.name)} (${ended.id}) works no more`);
  if (session.format === 'table') return;
  const { rotationView } = await import('../output/rotation-view.js');
  await session.print([{ ...rotation, old: ended }], rotationView(session.now), { single: true });
}

async function confirmFinish(session: Session, old: ApiKey, confirmed: readonly string[] | undefined): Promise<void> {
  try {
    await session.confirmProtected([old], 'expire', confirmed);
  } catch (error) {
    if (!isKeysError(error, 'confirmation_required') || error.hint === undefined) throw error;
    const hint = `scripts pass it: unlockos-keys rotate --finish ${old.id} --confirm ${quoted(old.name)}; --yes is not enough here`;
    throw new KeysError(error.code, error.message, hint);
  }
}
