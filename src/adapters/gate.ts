import { assertScopeForm } from '../domain/scopes.js';
import { answer, type Outcome } from './answer.js';
import { extractKey, type KeyPlaces } from './authorization.js';
import type { Admission, Answer, KeyVerifier, ProtectOptions } from './types.js';

/** `request` is the framework's own object for it, one for each request. */
export type Gate = (request: object, places: KeyPlaces) => Promise<Answer>;

interface Admitted {
  readonly verifier: KeyVerifier;
  readonly keyString: string;
  readonly admission: Admission;
}

/** Who was let in, for as long as the request lives. */
const admitted = new WeakMap<object, Admitted>();

/**
 * What all adapters share: find the key, have it verified, answer. It lets nobody in without a verdict, and rejects only when
 * `onUnavailable` throws.
 *
 * A request is verified once, however many gates of one verifier it passes: it counts once against its rate limit, and a later gate only
 * looks whether the key holds its scopes as well. Should its header have been changed in between, it is verified anew.
 *
 * Throws `usage` for a scope that no key could hold.
 */
export function gate(verifier: KeyVerifier, { scopes = [], onUnavailable }: ProtectOptions = {}): Gate {
  const needed = [...scopes];
  for (const scope of needed) assertScopeForm(scope);

  async function verdict(keyString: string): Promise<Outcome> {
    try {
      return await verifier.verify(keyString, { scopes: needed });
    } catch (error) {
      onUnavailable?.(error);
      return { verdict: 'unavailable' };
    }
  }

  return async (request, places) => {
    const found = extractKey(places);
    if (!found.ok) return answer({ verdict: found.problem });
    const { keyString } = found;
    const before = admitted.get(request);
    if (before?.verifier === verifier && before.keyString === keyString) return again(before.admission, needed);
    const answered = answer(await verdict(keyString), needed);
    if (answered.ok) admitted.set(request, { verifier, keyString, admission: answered });
    return answered;
  };
}

function again(admission: Admission, scopes: readonly string[]): Answer {
  const { key } = admission;
  const missingScopes = scopes.filter((scope) => !key.scopes.includes(scope));
  return missingScopes.length === 0 ? admission : answer({ verdict: 'missing_scope', key, missingScopes }, scopes);
}
