import type { ApiKey } from '../../domain/api-key.js';
import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';
import type { Session } from '../session.js';

const NOT_CONFIRMED = 'not confirmed; nothing was changed';

/** What is about to happen, and how it is confirmed. */
interface Confirmation {
  /** Completes "This will …" and "this would …": `permanently delete TEST key "x"`. */
  readonly action: string;
  /** A milder command, suggested along with the question. */
  readonly advice?: string | undefined;
  /** The text that must be typed; without it, a yes is enough. */
  readonly typed?: string;
}

/**
 * Asks before something that cannot be undone. `--yes` answers for scripts. Throws `confirmation_required` when the answer is no, and
 * when there is nobody to ask: then the hint is the command that was run, with `--yes`.
 */
export async function confirm(session: Session, { action, advice, typed }: Confirmation): Promise<void> {
  if (session.flags.yes) return;
  if (!session.interactive)
    throw new KeysError(
      'confirmation_required',
      `not confirmed: this would ${action}`,
      [`to confirm it: ${session.commandWith('--yes')}`, ...(advice === undefined ? [] : [advice])].join('\n'),
    );
  session.out.remark([`This will ${action}`, ...(advice === undefined ? [] : [advice])]);
  const agreed =
    typed === undefined ? await (await session.prompts()).yesNo('Continue?', false) : await retyped(session, typed);
  if (!agreed) throw new KeysError('confirmation_required', NOT_CONFIRMED);
}

/** What a command would do to one key. */
interface KeyChange {
  readonly verb: string;
  readonly key: ApiKey;
}

/**
 * In a protected profile, the name of each key must be typed, or passed as `--confirm NAME`; `--yes` is not enough. Throws
 * `confirmation_required`: then the hint is the command that was run, with a `--confirm` for each name that is missing.
 */
export async function confirmEachProtected(
  session: Session,
  changes: readonly KeyChange[],
  confirmed: readonly string[] = [],
): Promise<void> {
  const { profile } = session.settings;
  if (!profile?.value.protected) return;
  const missing = changes.filter(({ key }) => !confirmed.some((each) => each.normalize('NFC') === key.name));
  const where = `in the protected profile ${profile.value.name}`;
  if (missing.length === 0) return;
  if (!session.interactive || confirmed.length > 0) {
    const verbs = [...new Set(missing.map(({ verb }) => verb))];
    const all = verbs.map((verb) => described(verb, missing)).join(', ');
    const flags = missing.flatMap(({ key }) => ['--confirm', key.name]);
    throw new KeysError(
      'confirmation_required',
      `not confirmed: this would ${all} ${where}`,
      `to confirm it by name (--yes is not enough here): ${session.commandWith(...flags)}`,
    );
  }
  for (const change of missing) {
    session.out.remark(`This will ${described(change.verb, [change])} ${where}`);
    if (!(await retyped(session, change.key.name))) throw new KeysError('confirmation_required', NOT_CONFIRMED);
  }
}

/** {@link confirmEachProtected} where the same is done to every key. */
export function confirmProtected(
  session: Session,
  keys: readonly ApiKey[],
  verb: string,
  confirmed?: readonly string[],
): Promise<void> {
  return confirmEachProtected(
    session,
    keys.map((key) => ({ verb, key })),
    confirmed,
  );
}

function described(verb: string, changes: readonly KeyChange[]): string {
  const keys = changes.filter((each) => each.verb === verb).map(({ key }) => `${quoted(key.name)} (${key.id})`);
  return `${verb} ${keys.join(', ')}`;
}

async function retyped(session: Session, text: string): Promise<boolean> {
  const typed = await (await session.prompts()).text(`Type ${safeText(text)} to continue`);
  return typed.normalize('NFC') === text;
}
