import { type Check, text } from './checks.js';
import { KeysError } from './errors.js';
import { redactKeyStrings } from './key-string.js';
import { hasUnsafeText, quoted } from './text.js';

/** The name of who asks for a change. Throws `usage` for one that the audit log cannot keep or should not hold; `at` is what messages call it. */
export const actorName: Check = (value, at) => {
  text(value, at);
  const actor = value as string;
  if (redactKeyStrings(actor) !== actor)
    throw new KeysError('usage', `${at} contains a key string`, 'the audit log cannot be erased: pass a name');
  if (actor.trim() === '' || actor.length > 128 || hasUnsafeText(actor))
    throw new KeysError(
      'usage',
      `${at} ${quoted(actor)} is empty, too long, or contains control characters`,
      'up to 128 visible characters, e.g. an e-mail address',
    );
};
