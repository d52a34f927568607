import path from 'node:path';
import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { parseDuration } from '../../domain/expiry.js';
import { parseRateLimit } from '../../domain/rate-limit.js';
import { splitList } from '../../domain/scopes.js';
import { quoted } from '../../domain/text.js';
import type { NewKey } from '../../keyring/delivery.js';
import type { Keyring } from '../../keyring/keyring.js';
import { collect, examples, type Register } from '../command.js';
import type { StartedChild } from '../delivery/child.js';
import { interruptible } from '../delivery/interruption.js';
import type { ChildExit } from '../exit-code.js';
import { comesFromServer, type FromFlags, fromOptions, jobTtl, scopesToAsk } from '../issued/from-flags.js';
import type { Session } from '../session.js';
import type { ScopeFlags } from '../targets/scope-flags.js';

interface RunFlags extends ScopeFlags, FromFlags {
  readonly name?: string;
  readonly ttl?: string;
  readonly expires?: string;
  readonly envName: string;
  readonly rateLimit?: string;
}

/** The flags of `run` that go with `--from`. */
const WITH_FROM = ['ttl', 'expires', 'envName'];

export const registerRun: Register = (program, run) => {
  const command = program
    .command('run')
    .summary('run a program with a temporary test key in its environment')
    .description(
      'Create a test key, run a program with the key string in UNLOCKOS_API_KEY, and delete the key when the program ends. The key string is in the environment of that program and nowhere else. Signals and the exit code are passed on. If this tool is killed, the key expires. Live keys cannot be used this way.',
    )
    .argument('<command...>', 'after --: a program and its arguments; no shell')
    .option('-s, --scope <scope>', 'what the key may do; repeat, or separate with commas', collect)
    .addOption(program.createOption('--scopes <scope>').argParser(collect).hideHelp())
    .option('--ttl <time>', 'when the key expires if it could not be deleted, up to 24h (default: 1h)')
    .addOption(program.createOption('--expires <time>').hideHelp()) // as create calls it
    .option('--env-name <name>', 'the variable that holds the key string', 'UNLOCKOS_API_KEY')
    .option('--name <name>', 'the name of the key (default: derived from the program)')
    .option('--rate-limit <limit>', 'requests per s, m, h or d (default: 600/m)');
  fromOptions(command)
    .addHelpText(
      'after',
      examples(
        'run --scope checkin:read,plan:read --ttl 10m -- npm test',
        'run --from https://keys.acme.example --scope checkin:read -- npm test',
      ),
    )
    .action(run((session, flags: RunFlags, words: string[]) => runWithKey(session, flags, words)));
};

/** Where the key of a run comes from, and where it goes at the end. */
interface KeySource extends Pick<Keyring, 'deliver'> {
  /** What is done, for a dry run. */
  readonly intent: string;
  make(signal: AbortSignal): Promise<NewKey>;
  remove(key: ApiKey): Promise<unknown>;
  /** What a person can do about a key that could not be deleted: the rest of a sentence. */
  byHand(key: ApiKey): string;
}

async function runWithKey(session: Session, flags: RunFlags, words: string[]): Promise<ChildExit | undefined> {
  const { ctx } = session;
  session.requireDashes(words, 'run');
  const [program = ''] = words;
  const { childEnv, NOT_EXECUTABLE, programStatus, startChild } = await import('../delivery/child.js');
  const { maskInCi } = await import('../delivery/mask.js');
  const { variableForKey } = await import('../delivery/variable.js');
  const variable = variableForKey(flags.envName, '--env-name');
  const fromServer = comesFromServer(flags, WITH_FROM);
  if (flags.ttl !== undefined && flags.expires !== undefined)
    throw new KeysError('usage', '--ttl and --expires mean the same', 'pass one of them');
  const ttl = jobTtl(flags.ttl ?? flags.expires, flags.ttl === undefined ? '--expires' : '--ttl');
  const scopes = fromServer ? scopesToAsk(flags) : splitList([...(flags.scope ?? []), ...(flags.scopes ?? [])]);
  if (scopes.length === 0)
    throw new KeysError(
      'missing_input',
      'missing: scopes',
      'for example: unlockos-keys run --scope checkin:read -- npm test; to see all scopes: unlockos-keys scopes list',
    );
  const missing = programStatus(program, ctx);
  if (missing !== 0) {
    session.out.remark(
      `error: cannot run ${quoted(program)}: ${missing === 127 ? 'it does not exist' : 'it is not executable'}; no key was created`,
    );
    return { ofChild: missing };
  }
  const source = fromServer
    ? await ofServer(session, flags, { scopes, ttl })
    : await ofStore(session, flags, { scopes, ttl, program });
  if (session.dryRun) {
    session.out.remark(`Dry run: would ${source.intent}, run ${quoted(program)}, and delete the key`);
    return undefined;
  }
  return interruptible(ctx, async (signal) => {
    let made: NewKey | undefined;
    let child: StartedChild | undefined;
    const make = async () => {
      made = await source.make(signal);
      return made;
    };
    const command = {
      probe() {},
      deliver({ key, keyString }: NewKey) {
        session.out.note(
          `Created TEST key ${quoted(key.name)} (${key.id}) for this run; it expires at ${key.expiresAt?.toISOString()} at the latest`,
        );
        maskInCi(ctx, keyString ?? '');
        child = startChild(words, ctx, childEnv(ctx, { [variable]: keyString ?? '' }));
      },
      abandon() {},
    };
    try {
      await source.deliver(command, make, { signal }).catch((error: unknown) => {
        if (child === undefined || !(error instanceof KeysError)) throw error;
        session.out.remark(`warning: ${error.message}`); // the program has its key by now
      });
      const exitCode = (await child?.exitCode) ?? NOT_EXECUTABLE;
      const failure = child?.failure() ?? null;
      if (failure !== null) session.out.remark(`error: cannot run ${quoted(program)}: ${failure}`);
      return { ofChild: exitCode };
    } finally {
      if (made) await deleteAfterRun(session, source, made.key);
    }
  });
}

interface Wanted {
  readonly scopes: readonly string[];
  /** As it was typed. */
  readonly ttl: string | undefined;
}

/** A key of the store. */
async function ofStore(session: Session, flags: RunFlags, wanted: Wanted & { program: string }): Promise<KeySource> {
  const { scopes, ttl = '1h', program } = wanted;
  const keyring = await session.keyring({ create: !session.dryRun });
  const name = flags.name ?? `run ${nameOf(program)} ${session.operation.id.slice(0, 8)}`;
  const expiresAt = new Date(session.now.getTime() + parseDuration(ttl, '--ttl'));
  const rateLimit = flags.rateLimit === undefined ? undefined : parseRateLimit(flags.rateLimit);
  const description = `for one run of ${nameOf(program)}`;
  const plan = await keyring.plan([{ name, description, mode: 'test', scopes, expiresAt, rateLimit }]);
  if (flags.name !== undefined)
    await (await import('../asking/lookalikes.js')).warnOfLookalikes(session, keyring, [name]);
  if (!session.dryRun) session.noteStore();
  return {
    intent: `create TEST key ${quoted(name)}`,
    async make() {
      const options = { operationId: session.operation.id, toDeliver: flags.name !== undefined };
      const [made] = await keyring.make(plan, options);
      if (!made) throw new KeysError('internal', 'no key was created');
      return made;
    },
    deliver: (destination, make, options) => keyring.deliver(destination, make, options),
    remove: (key) => keyring.delete(key, { operationId: `${session.operation.id}:end`, purge: true }),
    byHand: ({ id }) => `. To delete it: unlockos-keys delete ${id}`,
  };
}

/** A key of a server. No store is opened. */
async function ofServer(session: Session, flags: FromFlags & { from: string }, wanted: Wanted): Promise<KeySource> {
  const { IssuedKeys } = await import('../issued/issued-keys.js');
  const { prepareToStart } = await import('../delivery/child.js');
  const keys = new IssuedKeys(session, flags, prepareToStart);
  return {
    intent: `ask ${keys.location} for a TEST key with ${wanted.scopes.join(', ')}`,
    make: (signal) => keys.make(wanted, signal),
    deliver: keys.deliver,
    remove: (key) => keys.remove(key),
    byHand: () => '',
  };
}

/** A key that cannot be deleted is left to its expiry. */
async function deleteAfterRun(session: Session, source: KeySource, key: ApiKey): Promise<void> {
  const { id, name, expiresAt } = key;
  try {
    await source.remove(key);
    session.out.note(`Deleted ${quoted(name)} (${id})`);
  } catch (error) {
    const why = error instanceof KeysError ? error.message : 'unknown error';
    session.out.remark(
      `warning: could not delete key ${id} (${why}); it expires at ${expiresAt?.toISOString()}${source.byHand(key)}`,
    );
  }
}

/** A part of a key's name that is valid whatever the path of the program is. */
function nameOf(command: string): string {
  return (
    path
      .basename(command)
      .normalize('NFC')
      .replace(/[^\p{L}\p{N}._-]/gu, '')
      .slice(0, 30) || 'command'
  );
}
