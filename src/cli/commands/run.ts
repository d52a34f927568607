import path from 'node:path';
import { KeysError } from '../../domain/errors.js';
import { parseDuration } from '../../domain/expiry.js';
import { parseRateLimit } from '../../domain/rate-limit.js';
import { quoted } from '../../domain/text.js';
import { collect, examples, type Register } from '../command.js';
import type { ChildExit } from '../exit-code.js';
import type { Session } from '../session.js';

interface RunFlags {
  readonly name?: string;
  readonly scope?: string[];
  readonly ttl: string;
  readonly envName: string;
  readonly rateLimit?: string;
}

const MAX_TTL_MS = 86_400_000;

export const registerRun: Register = (program, run) => {
  program
    .command('run')
    .summary('a test key for one command, in its environment; deleted at the end')
    .description(
      'Run a command with a test key of its own in UNLOCKOS_API_KEY, and delete the key when it ends. The key string is in the environment of that command and nowhere else; a variable of that name is overwritten. Signals and the exit code pass through. Should this tool be killed, the key expires by itself. There are no live keys of this kind.',
    )
    .argument('<command...>', 'after --: a program and its arguments; no shell')
    .option('-s, --scope <scope>', 'a scope; repeat for more, or separate by commas', collect)
    .option('--ttl <time>', 'when the key expires in any case, up to 24h', '1h')
    .option('--env-name <name>', 'the variable that the command finds it in', 'UNLOCKOS_API_KEY')
    .option('--name <name>', 'the name of the key (default: made up from the command)')
    .option('--rate-limit <limit>', 'requests per time: 10/s, 600/m, 5000/h')
    .addHelpText(
      'after',
      examples(
        'run --scope checkin:read -- npm test',
        'run --scope checkin:read,plan:read --ttl 10m -- ./smoke.sh staging',
      ),
    )
    .action(run((session, flags: RunFlags, words: string[]) => runWithKey(session, flags, words)));
};

async function runWithKey(session: Session, flags: RunFlags, words: string[]): Promise<ChildExit | undefined> {
  const { ctx } = session;
  const [command = ''] = words;
  const { childEnv, programStatus, runChild } = await import('../child.js');
  const { checkedVariable, maskInCi } = await import('../sinks.js');
  const variable = checkedVariable(flags.envName, '--env-name');
  const ttl = parseDuration(flags.ttl, '--ttl');
  if (ttl > MAX_TTL_MS)
    throw new KeysError(
      'usage',
      `--ttl ${quoted(flags.ttl)} is more than a day`,
      'up to 24h; for longer: unlockos-keys create',
    );
  const scopes = flags.scope?.flatMap((each) => each.split(',')) ?? [];
  if (scopes.length === 0)
    throw new KeysError(
      'missing_input',
      'which scopes does the command need?',
      'unlockos-keys run --scope checkin:read -- npm test; unlockos-keys scopes list shows what there is',
    );
  const missing = programStatus(command, ctx);
  if (missing !== 0) {
    session.remark(
      `error: cannot run ${quoted(command)}: ${missing === 127 ? 'it is not there' : 'it is no program'}; no key was made`,
    );
    return { ofChild: missing };
  }
  const keyring = await session.keyring({ create: !session.dryRun });
  const name = flags.name ?? `run ${nameOf(command)} ${session.operationId.slice(0, 8)}`;
  const expiresAt = new Date(session.now.getTime() + ttl);
  const rateLimit = flags.rateLimit === undefined ? undefined : parseRateLimit(flags.rateLimit);
  const description = `for one run of ${nameOf(command)}`;
  const plan = await keyring.plan([{ name, description, mode: 'test', scopes, expiresAt, rateLimit }]);
  if (session.dryRun) {
    session.remark(`Dry run: would make the TEST key ${quoted(name)}, run ${quoted(command)}, and delete the key`);
    return undefined;
  }
  session.target();
  const [made] = await keyring.make(plan, { operationId: session.operationId });
  if (!made?.keyString) throw new KeysError('internal', 'no key was made');
  const { key, keyString } = made;
  session.note(
    `Made TEST key ${quoted(key.name)} (${key.id}) for this run; it expires ${expiresAt.toISOString()} at the latest`,
  );
  maskInCi(ctx, keyString);
  const end = ctx.onSignals(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'], () => {}); // until the key is gone
  try {
    return { ofChild: await runChild(words, ctx, childEnv(ctx, { [variable]: keyString })) };
  } finally {
    await keyring.delete(key, { operationId: `${session.operationId}:end` }).then(
      () => session.note(`Deleted ${quoted(key.name)} (${key.id})`),
      (error) =>
        session.remark(
          `warning: key ${key.id} could not be deleted (${error instanceof KeysError ? error.message : 'unknown error'}); it expires ${expiresAt.toISOString()}: unlockos-keys delete ${key.id}`,
        ),
    );
    end();
  }
}

/** A piece of a key's name, whatever the path of the program is. */
function nameOf(command: string): string {
  return (
    path
      .basename(command)
      .normalize('NFC')
      .replace(/[^\p{L}\p{N}._-]/gu, '')
      .slice(0, 30) || 'command'
  );
}
