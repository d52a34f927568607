import { whoText } from '../../domain/change.js';
import type { Deletion } from '../../domain/deletion.js';
import { KeysError } from '../../domain/errors.js';
import { readName } from '../../domain/key-name.js';
import { relativeTime } from '../../domain/relative-time.js';
import { safeText } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import { warnOfLookalikes } from '../asking/lookalikes.js';
import { examples, operationOption, type Register } from '../command.js';
import type { ExitCode } from '../exit-code.js';
import type { Session } from '../session.js';
import { nonEmptyLines, readStdin } from '../targets/stdin.js';
import { forEachTarget, refuseFlags, type Target } from '../targets/targets.js';

export const registerRestore: Register = (program, run) => {
  operationOption(program.command('restore'))
    .summary('bring deleted keys back, inactive')
    .description(
      'Bring deleted keys back as they were, but inactive: enable makes them work again, with the key string that their holder has. list --deleted shows which can be restored, and until when.',
    )
    .argument('<key...>', 'key id, former name, or the start of the id; - reads them from stdin')
    .option('--name <name>', 'another name, if its own has been taken since')
    .addHelpText('after', examples('restore partner-checkin', 'restore 7k2m9xw4q8rs --name partner-2'))
    .action(run((session, flags: { name?: string }, refs: string[]) => restore(session, flags, refs)));
};

interface DeletedTarget extends Target {
  readonly deletion?: Deletion;
}

async function restore(session: Session, { name }: { name?: string }, words: string[]): Promise<ExitCode> {
  refuseFlags(words);
  const refs = words.flatMap((word) => (word === '-' ? nonEmptyLines(readStdin(session, 'ids')) : [word]));
  if (name !== undefined && refs.length !== 1)
    throw new KeysError('usage', '--name is for one key', 'restore the others without it');
  const wanted = name === undefined ? undefined : readName(name);
  const keyring = await session.keyring();
  const targets: DeletedTarget[] = [];
  for (const ref of refs) targets.push(await deletedTarget(session, keyring, ref));
  session.noteStore();
  return forEachTarget(session, targets, async (key, operationId) => {
    const deletion = targets.find((target) => target.key?.id === key.id)?.deletion;
    if (session.dryRun) return { key, changed: false, said: `Dry run: would restore ${key.name} (${key.id})` };
    const restored = await keyring.restore(key.id, { name: wanted }, { operationId });
    if (deletion) await warn(session, keyring, deletion);
    await warnOfLookalikes(session, keyring, [restored.name], key.id);
    const enable = session.followUp('enable', key.id);
    return {
      key: restored,
      changed: true,
      said: `Restored ${restored.name} (${key.id}), inactive; to enable it: ${enable}`,
    };
  });
}

/** A key that this operation restored in an earlier run is no longer deleted. */
async function deletedTarget(session: Session, keyring: Keyring, ref: string): Promise<DeletedTarget> {
  try {
    const deletion = await keyring.deletion(ref);
    return { ref, key: deletion.key, error: null, deletion };
  } catch (error) {
    const { given } = session.operation;
    const done = given === undefined ? [] : await keyring.operation(given);
    const event = done.find(({ action, keyId, keyName }) => action === 'key.restore' && [keyId, keyName].includes(ref));
    return event?.keyId ? { ref, key: await keyring.show(event.keyId), error: null } : { ref, key: null, error };
  }
}

/** Somebody who restores a key must know why it was deleted. */
async function warn(
  session: Session,
  keyring: Keyring,
  { key, leaked, deletedAt, deletedBy, reason }: Deletion,
): Promise<void> {
  const why = reason === null ? '' : `: ${reason}`;
  session.out.note(`It was deleted ${relativeTime(deletedAt, session.now)} by ${whoText(deletedBy)}${safeText(why)}`);
  const [disabled] =
    key.status === 'inactive' ? await keyring.auditList({ keyId: key.id, action: 'key.disable', limit: 1 }) : [];
  if (leaked)
    session.out.remark(
      `warning: key ${key.id} was deleted because its key string leaked; do not enable it, create another: ${session.followUp('create', 'NEW-NAME', '--like', key.id)}`,
    );
  else if (disabled?.reason)
    session.out.remark(`warning: key ${key.id} was disabled before it was deleted: ${safeText(disabled.reason)}`);
}
