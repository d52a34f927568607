import type { ApiKey } from '../../domain/api-key.js';
import { nameKey } from '../../domain/key-name.js';
import type { CreatePlan } from '../../keyring/creation.js';
import type { Keyring } from '../../keyring/keyring.js';
import { nameWarnings } from '../../keyring/lookalikes.js';
import type { Session } from '../session.js';

/** A quick check first: the tables of scripts take time to build. */
const BEYOND_LATIN_1 = /[^\x00-\xff]/;

/** A letter that may be drawn like one of A to Z. To look such names up takes time, which lists of other names do not spend. */
const otherLetter = () =>
  /(?![\x00-\xff])[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}\p{Script=Cherokee}\p{Script=Coptic}\p{Script=Lisu}]/u;

/** Warns of names that people could take for that of another key. `except` as for `nameWarnings`. */
export async function warnOfLookalikes(
  session: Session,
  keyring: Keyring,
  names: readonly string[],
  except?: string,
): Promise<void> {
  session.out.remark((await nameWarnings(keyring, names, except)).map((each) => `warning: ${each}`));
}

/** Warns of the names of keys that a plan creates. */
export async function warnOfNewNames(session: Session, keyring: Keyring, { inputs, kept }: CreatePlan): Promise<void> {
  const known = new Set(kept.map(({ name }) => nameKey(name)));
  const names = inputs.map(({ name }) => name).filter((name) => !known.has(nameKey(name)));
  await warnOfLookalikes(session, keyring, names);
}

/** Warns, beside a table, of keys whose names hold letters that look like those of other scripts. */
export async function warnOfShown(session: Session, keys: readonly ApiKey[]): Promise<void> {
  const named = keys.filter(({ name }) => BEYOND_LATIN_1.test(name) && otherLetter().test(name));
  if (named.length === 0) return;
  const lines = await nameWarnings(
    await session.keyring(),
    named.map(({ name }) => name),
  );
  session.out.note(lines.map((each) => `warning: ${each}`));
}
