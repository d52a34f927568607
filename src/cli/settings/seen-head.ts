import { formatHead } from '../../domain/audit.js';
import { safeText } from '../../domain/text.js';
import type { Keyring } from '../../keyring/keyring.js';
import type { Context } from '../context.js';
import { HeadMemory, type SeenHead } from './head-memory.js';

// A log that was cut or rebuilt is whole in itself. This compares it with the end that this user saw last.

export const TO_ACCEPT =
  'if you put a backup or another store here yourself: unlockos-keys audit verify --forget; otherwise somebody put an earlier state in place: compare with a backup, and disable the keys that should not work';

/** What the comparison found. */
export interface SeenCheck {
  /** What happened; null when the log goes on from the end that was seen. */
  readonly problem: string | null;
  /** For people. */
  readonly detail: string;
}

function whatHappened(seen: SeenHead, birth: string, seq: number): string {
  const { head, at } = seen;
  const when = safeText(at);
  if (seen.birth !== birth)
    return `another store was seen here on ${when}, with a log up to row ${head.seq}: this one took its place, or its log was rebuilt from the first row`;
  return seq < head.seq
    ? `the log ends in row ${seq}, but on ${when} it ended in row ${head.seq} (${formatHead(head)}): the store went back to an earlier state, and keys that were disabled or deleted since then work again`
    : `row ${head.seq} of the log is not the one that was seen here on ${when} (${formatHead(head)}): the log was rewritten, or went on from an earlier state`;
}

/**
 * Compares the log with the end that was remembered, and remembers its end if it goes on from there. Throws the `store_…` codes; what
 * concerns the memory stops nothing.
 */
export async function checkSeenHead(ctx: Context, keyring: Keyring): Promise<SeenCheck> {
  const memory = new HeadMemory(ctx);
  if (memory.why !== '')
    return { problem: null, detail: `the end of the log is not remembered: ${safeText(memory.why)}` };
  const birth = await keyring.auditBirth();
  if (birth === null) return { problem: null, detail: 'the log is empty' };
  const head = await keyring.auditHead();
  const seen = memory.at(keyring.location) ?? memory.movedFrom(birth);
  if (seen && (seen.birth !== birth || !(await keyring.auditContains(seen.head)))) {
    const problem = whatHappened(seen, birth, head.seq);
    return { problem, detail: problem };
  }
  const noted = memory.note(keyring.location, birth, head);
  if (seen) return { problem: null, detail: `the log contains row ${seen.head.seq}, seen on ${safeText(seen.at)}` };
  const fate = noted ? 'remembered from now on' : 'it cannot be remembered in the state directory';
  return { problem: null, detail: `seen for the first time; ${fate}` };
}

/** Remembers the end of the log as it is, whatever was remembered before; answers that. */
export async function acceptHead(
  ctx: Context,
  keyring: Keyring,
  location = keyring.location,
): Promise<SeenHead | null> {
  const memory = new HeadMemory(ctx);
  const birth = await keyring.auditBirth();
  const seen = memory.at(location);
  if (birth !== null) memory.note(location, birth, await keyring.auditHead(), { instead: true });
  return seen;
}

/**
 * After a change: remembers where the log ends now. Answers what happened to the log if it does not contain what was remembered. Never
 * throws: the change is made.
 */
export async function noteChange(ctx: Context, keyring: Keyring): Promise<string | null> {
  const change = keyring.lastChange;
  if (!change) return null;
  try {
    const memory = new HeadMemory(ctx);
    const { birth, before, head } = change;
    const seen = memory.at(keyring.location);
    const goesOn =
      seen === null ||
      (seen.birth === birth &&
        ((seen.head.seq === before.seq && seen.head.hash === before.hash) || (await keyring.auditContains(seen.head))));
    if (goesOn || keyring.created) memory.note(keyring.location, birth, head, { instead: !goesOn });
    return goesOn ? null : whatHappened(seen, birth, before.seq);
  } catch {
    return null;
  }
}
