import { redactKeyStrings } from '../domain/key-string.js';
import { safeText } from '../domain/text.js';
import { withoutTokens } from '../domain/tokens.js';

const MAX_LENGTH = 500;

/** The words of another server, for a message: shortened, safe for a terminal, and without tokens (these, and all that look like one) and key strings. */
export function foreignText(text: string, tokens: readonly (string | undefined)[]): string {
  let bare = text;
  for (const token of tokens) if (token !== undefined && token !== '') bare = bare.replaceAll(token, '\u2026');
  return safeText(redactKeyStrings(withoutTokens(bare)).slice(0, MAX_LENGTH));
}
