import { KeysError } from '../../domain/errors.js';
import { parseKeyString } from '../../domain/key-parts.js';
import { isKeyId } from '../../domain/key-string.js';
import { quoted } from '../../domain/text.js';
import { confirm } from '../asking/confirm.js';
import { view } from '../output/view.js';
import type { Session } from '../session.js';
import { nonEmptyLines, readStdin } from '../targets/stdin.js';
import type { FromFlags } from './from-flags.js';
import { IssuedKeys } from './issued-keys.js';

interface DeleteFromFlags extends FromFlags {
  readonly from: string;
  readonly stdin?: boolean;
}

interface Deleted {
  readonly id: string;
  readonly server: string;
}

/** `delete --from`: a key that an earlier step of this job got from a server. No store is opened. */
export async function deleteFrom(session: Session, flags: DeleteFromFlags, refs: readonly string[]): Promise<void> {
  const id = flags.stdin ? idOnStdin(session, refs) : onlyId(refs);
  const keys = new IssuedKeys(session, flags);
  if (session.dryRun) {
    session.out.remark(`Dry run: would delete key ${id} at ${keys.location}`);
    return;
  }
  await confirm(session, { action: `delete TEST key ${id} at ${keys.location}` });
  await keys.remove({ id });
  session.out.note(`Deleted key ${id} at ${keys.location}`);
  if (session.format !== 'table')
    await session.out.print<Deleted>([{ id, server: keys.location }], view('id', { id: {}, server: {} }));
}

const ONE = 'a job deletes its keys one by one: run the command for each';

/** The id of a key whose key string is on stdin. The key string stays here: the server is told the id. */
function idOnStdin(session: Session, refs: readonly string[]): string {
  if (refs.length > 0)
    throw new KeysError(
      'usage',
      '--stdin and a KEY argument do not go together',
      'pass the id, or pipe in the key string',
    );
  const lines = nonEmptyLines(readStdin(session, 'key strings'));
  const [line] = lines;
  if (line === undefined)
    throw new KeysError(
      'missing_input',
      'no key string on stdin',
      `pipe it in: printf '%s' "$UNLOCKOS_API_KEY" | ${session.commandWith()}`,
    );
  if (lines.length > 1) throw new KeysError('usage', `${lines.length} lines on stdin`, ONE);
  const key = parseKeyString(line);
  if (!key.ok) throw new KeysError('usage', 'what is on stdin is not a key string', 'pipe in the whole key string');
  return key.id;
}

function onlyId(refs: readonly string[]): string {
  const [ref] = refs;
  if (ref === undefined)
    throw new KeysError(
      'missing_input',
      'no key was named',
      'pass the id of the key, or pipe its key string in with --stdin',
    );
  if (refs.length > 1) throw new KeysError('usage', `${refs.length} keys were named`, ONE);
  if (!isKeyId(ref))
    throw new KeysError(
      'usage',
      `${quoted(ref)} is not the id of a key`,
      'with --from a key is named by its whole id, or by its key string with --stdin',
    );
  return ref;
}
