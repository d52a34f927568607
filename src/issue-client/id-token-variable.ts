import { type IdTokens, readIdToken } from './id-token.js';

/** The ID token that a variable held. Throws `unauthorized` when that was none. */
export function idTokenOfVariable(name: string, value: string): IdTokens {
  const source = `the variable ${name}`;
  const token = readIdToken(value, source);
  return { source, renewed: false, next: async () => token };
}
