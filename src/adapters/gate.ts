import { callback, shape, texts } from '../domain/checks.js';
import { assertScopeForm } from '../domain/scopes.js';
import type { Verdict } from '../domain/verdict.js';
import { extractKey, type KeySources } from '../http/authorization.js';
import { responseFor } from '../http/response.js';
import type { AddressOption, Admission, KeyVerifier, ProtectOptions, Refusal } from '../http/types.js';
import { warnerOf } from './warning.js';

/** Asked at most once by each gate. */
export type FindAddress = () => string | null | undefined;

/** `request` is the framework's own object: one per request, the same in every middleware. */
export type Gate = (request: object, sources: KeySources, address?: FindAddress) => Promise<Admission | Refusal>;

interface AdmittedRequest {
  readonly verifier: KeyVerifier;
  readonly keyString: string;
  readonly address: string | undefined;
  readonly admission: Admission;
}

const NOWHERE = () => undefined;

/** Takes the getter of the client's address out of the options of an adapter; the others are for {@link gate}. Throws `usage`. */
export function takeAddress<R>(options: (ProtectOptions & AddressOption<R>) | undefined): {
  readonly addressOf: (request: R) => string | null | undefined;
  readonly others: ProtectOptions | undefined;
} {
  if (typeof options !== 'object' || options === null || !Object.hasOwn(options, 'address'))
    return { addressOf: NOWHERE, others: options };
  const { address = NOWHERE, ...others } = options;
  callback(address, 'protect: options.address');
  return { addressOf: address, others };
}

const optionsCheck = shape<ProtectOptions>({ scopes: texts, onUnavailable: callback, onRefused: callback });

const UNAVAILABLE = { verdict: 'unavailable' } as const;

/** Entries disappear with their request. */
const admitted = new WeakMap<object, AdmittedRequest>();

/**
 * The common part of all adapters: find the key, verify it, choose the response. No request passes without a verdict. It rejects only when
 * `onUnavailable` or `onRefused` throws.
 *
 * A request is verified once, however many gates of one verifier it passes, so it counts once against its rate limit. Later gates only check
 * their own scopes. If the header changed in between, or a gate knows of another address, the request is verified again.
 *
 * Throws `usage` for invalid options, and for a scope that is not well-formed.
 */
export function gate(verifier: KeyVerifier, options: ProtectOptions = {}): Gate {
  callback(verifier?.verify, 'protect: verifier.verify');
  optionsCheck(options, 'protect: options');
  const { scopes = [], onUnavailable = warnerOf(verifier), onRefused } = options;
  const needed = [...scopes];
  for (const scope of needed) assertScopeForm(scope);

  async function verify(keyString: string, address: string | undefined): Promise<Verdict | typeof UNAVAILABLE> {
    try {
      return await verifier.verify(keyString, { scopes: needed, address });
    } catch (error) {
      onUnavailable(error);
      return UNAVAILABLE;
    }
  }

  function checkScopes(admission: Admission): Admission | Refusal {
    const { key } = admission;
    const missingScopes = needed.filter((scope) => !key.scopes.includes(scope));
    if (missingScopes.length === 0) return admission;
    const verdict = { verdict: 'missing_scope', key, missingScopes } as const;
    verifier.noteRefusal?.(verdict);
    onRefused?.(verdict);
    return responseFor(verdict, needed);
  }

  return async (request, sources, find = NOWHERE) => {
    const found = extractKey(sources);
    if (!found.ok) {
      onRefused?.({ verdict: found.problem });
      return responseFor({ verdict: found.problem });
    }
    const { keyString } = found;
    let address: string | undefined;
    try {
      address = find() ?? undefined;
    } catch (error) {
      onUnavailable(error);
      return responseFor(UNAVAILABLE);
    }
    const earlier = admitted.get(request);
    if (earlier?.verifier === verifier && earlier.keyString === keyString && earlier.address === address)
      return checkScopes(earlier.admission);
    const verdict = await verify(keyString, address);
    if (verdict.verdict !== 'valid' && verdict.verdict !== 'unavailable') onRefused?.(verdict);
    const response = responseFor(verdict, needed);
    if (response.ok) admitted.set(request, { verifier, keyString, address, admission: response });
    return response;
  };
}
