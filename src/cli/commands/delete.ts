import type { ApiKey } from '../../domain/api-key.js';
import { maskKey } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import { forEachTarget, readTargets, type TargetFlags, targetOptions } from '../batch.js';
import { collect, examples, operationOption, type Register } from '../command.js';
import { relativeTime } from '../output/time.js';
import type { Session } from '../session.js';

/** More live keys than these are confirmed by their number, not each by its name. */
const MANY = 5;

/** A live key used this lately is probably still in somebody's program. */
const LATELY_MS = 7 * 86_400_000;

export const registerDelete: Register = (program, run) => {
  targetOptions(operationOption(program.command('delete')))
    .alias('rm')
    .summary('remove keys for good; asks first')
    .description(
      'Remove keys for good; the audit log keeps what they were. Asks first: a live key wants its name typed, scripts pass --yes.',
    )
    .argument('[key...]', 'key id, exact name, or the beginning of the id; - reads them from stdin')
    .option('--confirm <name>', 'in a protected profile: the name of the key, typed ahead; repeat for several', collect)
    .addHelpText(
      'after',
      examples('delete old-importer', 'delete 7k2m 9xw4 --yes', 'delete --stdin --yes < leaked.txt'),
    )
    .action(
      run(async (session, flags: TargetFlags & { confirm?: string[] }, refs: string[]) => {
        const targets = await readTargets(session, refs, flags);
        session.target();
        const keys = targets.flatMap(({ key }) => (key ? [key] : []));
        if (!session.dryRun) await confirmDeletion(session, keys, flags.confirm);
        return forEachTarget(session, targets, async (key, operationId) => {
          if (session.dryRun) return { key, changed: false, said: `Dry run: would delete ${key.name} (${key.id})` };
          await (await session.keyring()).delete(key, { operationId });
          return { key, changed: true, said: `Deleted ${key.name} (${key.id})` };
        });
      }),
    );
};

/**
 * Asks once for all test keys, and for each live key by its name; in a protected profile for every key by its name. Throws
 * `confirmation_required` unless all is confirmed.
 */
export async function confirmDeletion(
  session: Session,
  keys: readonly ApiKey[],
  confirmed?: readonly string[],
  command = `unlockos-keys delete ${keys.map((key) => key.id).join(' ')} --yes`,
): Promise<void> {
  if (keys.length === 0) return;
  if (session.settings.profile?.value.protected) return session.confirmProtected(keys, 'delete', confirmed);
  const live = keys.filter(({ mode }) => mode === 'live');
  if (live.length > MANY)
    await session.confirm(
      `This deletes ${live.length} LIVE keys for good: ${live.map(({ name }) => quoted(name)).join(', ')}`,
      {
        name: String(live.length),
        command,
      },
    );
  for (const key of live.length > MANY ? [] : live) {
    await session.confirm(
      `This deletes LIVE key ${quoted(key.name)} (${maskKey(key.mode, key.id)}) for good${usage(key, session.now)}`,
      { name: key.name, command },
    );
  }
  const tests = keys.filter(({ mode }) => mode === 'test');
  const [first] = tests;
  if (!first) return;
  const what =
    tests.length === 1
      ? `TEST key ${quoted(first.name)} (${maskKey(first.mode, first.id)})`
      : `${tests.length} TEST keys: ${tests.map(({ name }) => quoted(name)).join(', ')}`;
  await session.confirm(`This deletes ${what} for good`, { command });
}

function usage(key: ApiKey, now: Date): string {
  if (key.lastUsedAt === null) return '; it was never used';
  const lately = key.status === 'active' && now.getTime() - key.lastUsedAt.getTime() < LATELY_MS;
  const used = `; it was last used ${relativeTime(key.lastUsedAt, now)}`;
  return lately ? `${used}\nDisabling it can be undone: unlockos-keys disable ${key.id}` : used;
}
