import { type ApiKey, statusAt } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { parseDuration, parseExpiry } from '../../domain/expiry.js';
import { maskKey } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { RotatedKey, RotateInput, RotationPlan } from '../../keyring/rotation.js';
import type { FinishOptions } from '../../keyring/rotation-status.js';
import { confirmProtected } from '../asking/confirm.js';
import { type Missing, refuseMissing } from '../asking/missing.js';
import { confirmScopes } from '../asking/scopes.js';
import { collect, examples, KEY, operationOption, type Register } from '../command.js';
import { Delivery, type DeliveryFlags } from '../delivery/delivery.js';
import { carryOutRotation, readOverlap } from '../delivery/rotation.js';
import { hasSink, sinkOptions } from '../delivery/sinks.js';
import type { ExitCode } from '../exit-code.js';
import { details } from '../output/new-key-lines.js';
import type { Session } from '../session.js';
import { readScopeFlags, type ScopeFlags, scopeOptions } from '../targets/scope-flags.js';

interface RotateFlags extends DeliveryFlags, ScopeFlags {
  readonly overlap?: string;
  readonly expires?: string;
  readonly status?: boolean;
  readonly finish?: boolean;
  readonly quietFor?: string;
  readonly force?: boolean;
  readonly confirm?: string[];
}

const EXAMPLE = 'unlockos-keys rotate partner-checkin --overlap 24h -o value';

export const registerRotate: Register = (program, run) => {
  const command = operationOption(program.command('rotate'))
    .summary('replace a key; the old one keeps working for a while')
    .description(
      'Create a key in place of another, with its name, scopes, lifetime and everything else. The old key is renamed, and expires when the overlap ends. Scopes never change, but the new key can have others: what it gains and loses is shown.',
    )
    .argument('[key]', KEY)
    .argument('[command...]', 'after --: the program of --pipe and its arguments')
    .option('--overlap <time>', 'how long the old key works: 7d, 0 (default: 24h)');
  scopeOptions(command, 'all scopes of the new key: those of the old one end', 'the scopes of the old key');
  sinkOptions(
    command
      .option('--expires <when>', '90d, a date, a time or never (default: same lifetime)')
      .option('--confirm <name>', 'in a protected profile: the name of the key', collect)
      .optionsGroup('The overlap (KEY is the old or the new key):')
      .option('--status', 'is the old key still in use? without KEY: all overlaps')
      .option('--finish', 'end it now; exit 6 unless only the new key is in use')
      .option('--quiet-for <time>', 'with --finish: unused for this long (default: 1h)')
      .option('--force', 'with --finish: even if the old key may be in use'),
  )
    .addHelpText(
      'after',
      examples(
        'rotate partner-checkin --overlap 7d --dotenv .env',
        'rotate 7k2m --overlap 0                     # it leaked',
        'rotate partner-checkin --add-scope plan:read',
        'rotate --finish partner-checkin --quiet-for 2h',
      ),
    )
    .action(
      run(async (session, ownFlags: RotateFlags, first: string | undefined, more: string[]) => {
        const operands = first === undefined ? [] : [first, ...more];
        const { args, program: command } = session.splitAtDashes(operands, ownFlags.pipe === true);
        const [ref, stray] = args;
        if (stray !== undefined)
          throw new KeysError('usage', `too many arguments: ${quoted(stray)}`, 'rotate one key at a time');
        const flags = { ...ownFlags, command };
        refuseMixed(flags);
        if (flags.status) return status(session, ref);
        if (flags.finish) return finish(session, flags, ref);
        return rotate(session, flags, ref);
      }),
    );
};

/** Throws `usage` for flags of two of the three things that this command does. */
function refuseMixed(flags: RotateFlags): void {
  const { overlap, scope, scopes, addScope, dropScope, expires, command = [] } = flags;
  const making = [overlap, scope, scopes, addScope, dropScope, expires, command[0]];
  const isMaking = making.some((each) => each !== undefined) || hasSink(flags);
  const chosen = flags.status ? '--status' : flags.finish ? '--finish' : null;
  if (flags.status && flags.finish)
    throw new KeysError('usage', '--status and --finish do not go together', 'pass one of them');
  if (chosen && isMaking)
    throw new KeysError(
      'usage',
      `${chosen} creates no key, so flags about a new key do not go with it`,
      `pass ${chosen} and one KEY`,
    );
  if (!flags.finish && (flags.quietFor !== undefined || flags.force))
    throw new KeysError('usage', '--quiet-for and --force belong to --finish', 'rotate --finish KEY --quiet-for 2h');
}

function readInput(flags: RotateFlags, now: Date): RotateInput {
  return {
    ...readScopeFlags(flags),
    expiresAt: flags.expires === undefined ? undefined : parseExpiry(flags.expires, now),
    overlapMs: readOverlap(flags.overlap),
  };
}

function missingFrom(ref: string | undefined, delivery: Delivery): Missing[] {
  return [
    ...(ref === undefined ? [{ what: 'a key', how: 'unlockos-keys rotate KEY' }] : []),
    ...(delivery.missing ? [{ what: 'a destination', how: delivery.missing }] : []),
  ];
}

/** Asks for whatever the flags leave out. */
export async function rotate(
  session: Session,
  flags: RotateFlags,
  ref: string | undefined,
): Promise<ExitCode | undefined> {
  const { now: started } = session;
  const input = readInput(flags, started);
  const delivery = new Delivery(session, flags, { asList: false });
  if (!session.interactive) refuseMissing(session, missingFrom(ref, delivery), EXAMPLE);
  if (!session.dryRun) delivery.refuseNullDevice();
  const keyring = await session.keyring();
  const key = ref === undefined ? await pickActive(session, keyring) : await keyring.show(ref);
  const plan = await keyring.planRotation(key, input, { operationId: session.operation.given });
  const { endText } = await import('../output/rotation-view.js');
  const oldKey = ({ retired }: RotationPlan | RotatedKey) =>
    `${quoted(retired.name)} ${endText(retired, session.now, started)}`;
  if (ref === undefined || session.dryRun) session.out.remark(planLines(session, plan, oldKey(plan)));
  if (session.dryRun) {
    session.out.remark('Dry run: no key was created or changed.');
    return undefined;
  }
  if (ref === undefined && !(await (await session.prompts()).yesNo('Rotate this key?', true)))
    throw new KeysError('confirmation_required', 'not confirmed; nothing was changed');
  if (ref !== undefined) await confirmScopes(session, plan.successor, 'Rotate this key?');
  return carryOutRotation(session, keyring, { plan, delivery, started, confirmed: flags.confirm });
}

async function pickActive(session: Session, keyring: Keyring): Promise<ApiKey> {
  const { keys } = await keyring.list();
  const rotatable = keys.filter(({ status, rotatedTo }) => status === 'active' && rotatedTo === null);
  return pick(session, rotatable, 'Key to rotate (type to search)');
}

async function pick(session: Session, keys: readonly ApiKey[], question: string): Promise<ApiKey> {
  if (keys.length === 0) throw new KeysError('not_found', 'no key matches', 'to see all keys: unlockos-keys list');
  return (await session.prompts()).find(
    question,
    keys.map((key) => ({ name: `${key.name}  ${maskKey(key.mode, key.id)}`, value: key })),
  );
}

function planLines(session: Session, { successor, retirement, undelivered }: RotationPlan, oldKey: string): string[] {
  const { seen } = retirement;
  return [
    `  Name        ${quoted(successor.name)}`,
    `  Replaces    ${seen.id}${undelivered ? ', which was never delivered' : ''}`,
    `  Mode        ${successor.mode === 'live' ? 'LIVE' : 'TEST'}`,
    ...details(successor),
    `  Old key     ${oldKey}`,
    `  Store       ${session.store.value}`,
  ];
}

async function status(session: Session, ref: string | undefined): Promise<void> {
  const { rotationView } = await import('../output/rotation-view.js');
  const view = rotationView(session.now);
  if (ref === undefined && session.storeIsUnborn())
    return session.out.print([], view, { empty: 'No key was rotated.' });
  const keyring = await session.keyring();
  if (ref !== undefined)
    return session.out.print(await keyring.rotations(ref), view, { empty: `This key is not part of a rotation.` });
  const rotations = [];
  for (const old of (await keyring.list({ rotating: true })).keys) rotations.push(await keyring.rotationOf(old));
  await session.out.print(rotations, view, { empty: 'No old key is in an overlap.' });
}

async function finish(session: Session, flags: RotateFlags, ref: string | undefined): Promise<void> {
  const options: FinishOptions = {
    quietForMs: flags.quietFor === undefined ? undefined : parseDuration(flags.quietFor, '--quiet-for'),
    force: flags.force,
  };
  if (ref === undefined && !session.interactive)
    throw new KeysError(
      'missing_input',
      'missing: a key',
      'name the old or the new key: unlockos-keys rotate --finish KEY',
    );
  const keyring = await session.keyring();
  const key =
    ref ?? (await pick(session, (await keyring.list({ rotating: true })).keys, 'Overlap to end (type to search)'));
  const { rotation, over } = await keyring.planFinish(key, options);
  const { old, successor } = rotation;
  session.noteStore();
  if (!over && (!successor || statusAt(successor, session.now) !== 'active'))
    session.out.remark(`warning: the key that replaced ${old.id} does not work${successor ? `: ${successor.id}` : ''}`);
  if (session.dryRun) {
    session.out.remark(
      over ? `${quoted(old.name)} has already expired` : `Dry run: would end the overlap of ${old.id}`,
    );
    return;
  }
  if (!over) await confirmProtected(session, [old], 'end the overlap of', flags.confirm);
  const { key: ended, changed } = await keyring.finishRotation(old.id, {
    ...options,
    operationId: session.operation.id,
  });
  const said = changed ? 'Ended the overlap' : 'The overlap has already ended';
  session.out.note(`${said}: ${quoted(ended.name)} (${ended.id}) no longer works`);
  if (session.format === 'table') return;
  const { rotationView } = await import('../output/rotation-view.js');
  await session.out.print([{ ...rotation, old: ended }], rotationView(session.now), { single: true });
}
