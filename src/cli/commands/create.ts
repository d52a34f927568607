import { type ApiKey, isUndelivered } from '../../domain/api-key.js';
import { isKeysError, KeysError } from '../../domain/errors.js';
import { lastExpiry } from '../../domain/policy.js';
import { quoted } from '../../domain/text.js';
import type { CreatedKey, CreateInput, CreatePlan } from '../../keyring/creation.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { LikeInput } from '../../keyring/like.js';
import { warnOfLookalikes, warnOfNewNames } from '../asking/lookalikes.js';
import { refuseMissing } from '../asking/missing.js';
import { askForNewKey, confirmNewKeys } from '../asking/new-key.js';
import { confirmScopes } from '../asking/scopes.js';
import { collect, examples, operationOption, type Register } from '../command.js';
import { offerCopy } from '../delivery/copy.js';
import { Delivery } from '../delivery/delivery.js';
import { Interruption } from '../delivery/interruption.js';
import { carryOutRotation, readOverlap } from '../delivery/rotation.js';
import { SINKS, sinkOptions } from '../delivery/sinks.js';
import type { ExitCode } from '../exit-code.js';
import { comesFromServer, fromOptions } from '../issued/from-flags.js';
import { createdLines, planLines, scopeChangeLines } from '../output/new-key-lines.js';
import { progressOf } from '../output/progress.js';
import type { Session } from '../session.js';
import { scopeOptions } from '../targets/scope-flags.js';
import { nonEmptyLines, readStdin } from '../targets/stdin.js';
import { type CreateFlags, inputsFrom, missingFrom, readDraft, readIfExists } from './create-draft.js';

const EXAMPLE = 'unlockos-keys create ci --test-mode --scope checkin:read -o value';

export const registerCreate: Register = (program, run) => {
  const command = operationOption(program.command('create'))
    .summary('create a key; its key string is shown once')
    .description('Create a key. Its key string is shown once. Scopes and mode never change.')
    .argument('[name...]', 'its name; several: one key each; - reads from stdin')
    .option('-d, --description <text>', 'what the key is for')
    .option('--test-mode', 'a test key (also --test): for test environments only')
    .addOption(program.createOption('--test').hideHelp())
    .option('--live', 'a live key; one of the two is needed in CI and pipes');
  const help = 'a scope or a category (checkin:*); repeat, or commas';
  scopeOptions(command, help, 'with --like: the scopes of that key');
  sinkOptions(
    command
      .option('--rate-limit <n/unit>', 'requests per s, m, h or d (default: 600/m)')
      .option('--expires <when>', "90d, a date, a time or never (default: the store's)")
      .option('--allow-from <networks>', 'addresses it works from, 10.0.0.0/8,… (default: any)')
      .option('-l, --label <name=value>', 'a label, e.g. team=checkout; repeat for more', collect)
      .option('--like <key>', 'copy all but the name of this key; flags override it')
      .option('--if-exists <what>', 'fail (the default), skip, rotate, replace (delete)')
      .option('--overlap <time>', 'how long a rotated key keeps working (default: 24h)')
      .option('--confirm <name>', 'in a protected profile: the key rotated or replaced', collect),
  );
  fromOptions(command)
    .addHelpText(
      'after',
      examples(
        'create  # asks for everything',
        'create partner --live -s "checkin:*" --key-file p.key',
        'create ci --test -s plan:read -o value  # the key string alone',
        'create partner-2 --like partner --add-scope plan:read',
      ),
    )
    .action(run((session, flags: CreateFlags, names: string[]) => create(session, flags, names)));
};

/** The flags of `create` that go with `--from`. */
const WITH_FROM = ['testMode', 'test', 'expires', 'envFile', ...Object.keys(SINKS)];

/** Asks for whatever the flags leave out. */
export async function create(session: Session, flags: CreateFlags, words: string[]): Promise<ExitCode | undefined> {
  if (comesFromServer(flags, WITH_FROM)) {
    const { createFrom } = await import('../issued/create-from.js');
    return createFrom(session, flags, words);
  }
  const { args, program: command } = session.splitAtDashes(words, flags.pipe === true);
  const ifExists = readIfExists(flags);
  const names = args.flatMap((name) => (name === '-' ? nonEmptyLines(readStdin(session, 'names')) : [name]));
  const delivery = new Delivery(session, { ...flags, command }, { asList: args.includes('-') || names.length > 1 });
  const draft = readDraft(session, flags, names);
  if (!session.interactive) refuseMissing(session, missingFrom(flags, draft, delivery), EXAMPLE);
  if (!session.dryRun) delivery.refuseNullDevice();
  const keyring = await session.keyring({ create: flags.like === undefined && !session.dryRun });
  const like = flags.like === undefined ? null : await keyring.show(flags.like);
  const asked = session.interactive && (await askForNewKey(session, keyring, draft, { ifExists, like }));
  const inputs = inputsFrom(draft, flags, like);
  if (ifExists === 'rotate') {
    const rotation = await rotationInto(session, keyring, { inputs, like });
    if (rotation) return rotateInto(session, keyring, { ...rotation, flags, delivery });
  }
  const plan = await keyring.plan(inputs, {
    ifExists: ifExists === 'rotate' ? 'fail' : ifExists,
    operationId: session.operation.given,
  });
  await warnOfNewNames(session, keyring, plan);
  if (asked || session.dryRun) session.out.remark(planLines(plan, session.store.value));
  if (session.dryRun) {
    session.out.remark('Dry run: no key was created.');
    return undefined;
  }
  await confirmNewKeys(session, plan, { asked, confirmed: flags.confirm });
  session.noteStore();
  const made = await make(session, keyring, { plan, delivery }).catch((error: unknown) => {
    throw ifExists === 'rotate' && isKeysError(error, 'name_taken') ? madeMeanwhile(session, error) : error;
  });
  return handOut(session, delivery, made);
}

/** `--if-exists rotate` found no key to rotate, and then somebody made one. */
function madeMeanwhile(session: Session, error: KeysError): KeysError {
  const hint = `it was made meanwhile; to rotate it, run this again: ${session.commandWith()}`;
  return new KeysError('name_taken', error.message, hint, { cause: error });
}

interface Making {
  readonly plan: CreatePlan;
  readonly delivery: Delivery;
}

function make(session: Session, keyring: Keyring, { plan, delivery }: Making): Promise<CreatedKey[]> {
  const all = plan.inputs.length;
  const progress = progressOf(session, { worthwhile: 20, what: 'keys prepared' });
  const create = (signal: AbortSignal) =>
    keyring.make(plan, {
      operationId: session.operation.id,
      toDeliver: true,
      progress: (done) => {
        if (signal.aborted) throw nothingCreated(session, signal.reason, `${done} of ${all}`);
        progress(done, all);
      },
    });
  return delivery.make(keyring, create, (created) => session.out.note(createdLines(created)));
}

/** Several keys are stored together once all are prepared, so an interruption before that leaves none. */
function nothingCreated(session: Session, reason: unknown, prepared: string): unknown {
  if (!(reason instanceof Interruption)) return reason;
  return new KeysError(
    'cancelled',
    `interrupted by ${reason.signal} when ${prepared} keys were prepared: none was created, and none handed out`,
    `to begin again: ${session.commandWith()}`,
    { cause: reason },
  );
}

/** What is said once the keys exist and their key strings were delivered. */
async function handOut(
  session: Session,
  delivery: Delivery,
  created: readonly CreatedKey[],
): Promise<ExitCode | undefined> {
  if (created.some(({ keyString }) => keyString !== null))
    session.out.note([
      '',
      'Keep it safe: it cannot be shown again. If it is lost, create a new key and delete this one.',
    ]);
  const [only] = created;
  if (delivery.feedsProgram && only && created.every(({ keyString }) => keyString === null))
    throw new KeysError(
      'conflict',
      'nothing was created, so there is no key string to print: every key exists already',
      'pass --if-exists rotate for a new key string, or -o json, where keyString is null',
    );
  if (created.length !== 1 || !only?.keyString || !delivery.offersCopy) return undefined;
  session.out.note([
    'To use it:   curl -H "Authorization: Bearer $KEY" …',
    `To check it: ${session.followUp('verify', '--stdin')}`,
    '',
  ]);
  return offerCopy(session, { key: only.key, keyString: only.keyString });
}

interface RotationInto {
  readonly old: ApiKey;
  readonly wanted: CreateInput;
}

/** The key that `--if-exists rotate` rotates, and what into; null where a new key can take the name as it is. */
async function rotationInto(
  session: Session,
  keyring: Keyring,
  { inputs, like }: { inputs: readonly (CreateInput | LikeInput)[]; like: ApiKey | null },
): Promise<RotationInto | null> {
  const [first, another] = inputs;
  if (another) throw new KeysError('usage', '--if-exists rotate takes one name', 'run it once for each name');
  if (!first) return null;
  const { inputLike } = await import('../../keyring/like.js');
  const wanted =
    'like' in first && like
      ? inputLike(like, first, { catalogue: await keyring.scopes(), policy: await keyring.storePolicy() }, session.now)
      : (first as CreateInput);
  const old = await keyToRotate(session, keyring, wanted);
  return old && { old, wanted };
}

/** The key of this name that is rotated; null where a new key can take the name as it is. */
async function keyToRotate(session: Session, keyring: Keyring, wanted: CreateInput): Promise<ApiKey | null> {
  const [existing] = await keyring.named([wanted.name]);
  if (!existing || (isUndelivered(existing) && existing.rotatedFrom === null)) return null;
  const done = session.operation.given === undefined ? [] : await keyring.operation(session.operation.given);
  if (done.length > 0 && !done.some(({ action }) => action === 'key.rotate')) return null;
  if (existing.mode === wanted.mode) return existing;
  throw new KeysError(
    'name_taken',
    `a key named ${quoted(existing.name)} exists (${existing.id}) and differs: its mode is ${existing.mode}`,
    'choose another name, or delete that key for the new one: --if-exists replace',
  );
}

/** Rotates a key into one as `create` was asked for. */
async function rotateInto(
  session: Session,
  keyring: Keyring,
  into: RotationInto & { readonly flags: CreateFlags; readonly delivery: Delivery },
): Promise<ExitCode | undefined> {
  const { old, wanted, flags, delivery } = into;
  const { description, scopes, rateLimit, labels, allowFrom } = wanted;
  const longest = async () => lastExpiry(await keyring.storePolicy(), old.mode, session.now);
  const expiresAt = wanted.expiresAt === undefined ? await longest() : wanted.expiresAt;
  const overlapMs = readOverlap(flags.overlap);
  const input = { description, scopes, rateLimit, expiresAt, labels, allowFrom, overlapMs };
  const { now: started } = session;
  const plan = await keyring.planRotation(old, input, { operationId: session.operation.given });
  const end = plan.retired.expiresAt?.toISOString();
  if (session.interactive || session.dryRun)
    session.out.remark(`  Rotates     ${quoted(old.name)} (${old.id}), which works until ${end}`);
  if (session.dryRun) {
    session.out.remark([...scopeChangeLines(plan.successor.scopeChange), 'Dry run: no key was created or changed.']);
    return undefined;
  }
  await warnOfLookalikes(session, keyring, [wanted.name], old.id);
  await confirmScopes(session, plan.successor, 'Rotate this key?');
  return carryOutRotation(session, keyring, { plan, delivery, started, confirmed: flags.confirm });
}
