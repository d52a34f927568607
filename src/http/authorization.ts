/** A header as a framework provides it; a list when the request has it more than once. */
export type HeaderValue = string | readonly string[] | null | undefined;

/** The parts of a request in which a client can send a key. */
export interface KeySources {
  readonly authorization: HeaderValue;
  readonly xApiKey: HeaderValue;
  /** The request target with its query: a path or a whole URL. */
  readonly url: string | undefined;
}

export type Extraction =
  | { readonly ok: true; readonly keyString: string }
  | { readonly ok: false; readonly problem: 'missing' | 'invalid_request' };

const MISSING: Extraction = { ok: false, problem: 'missing' };
const INVALID_REQUEST: Extraction = { ok: false, problem: 'invalid_request' };

/** RFC 6750 section 2.1: `"Bearer" 1*SP b64token`; the scheme name in any case (RFC 9110 section 11.1). */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;
/** RFC 9110 section 11.4: a token, then printable characters whose form depends on the scheme. */
const SOME_SCHEME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [\t\x20-\x7e]*)?$/;
/** `Bearer` as the scheme, or as the scheme of a second field that was joined to the first (RFC 9110 section 5.3). */
const NAMES_BEARER = /(?:^|,[ \t]*)bearer(?:[ ,]|$)/i;

/**
 * Reads the key from `Authorization: Bearer <key>`, the only accepted place. The token is returned as it came, untrimmed; the verifier checks
 * whether it is a key string.
 *
 * `missing`: the request has no bearer token; it may use another scheme (RFC 6750 section 3.1: such a request gets no error code).
 * `invalid_request`: the token is malformed, repeated, or also sent in another place (RFC 6750 section 2: "MUST NOT use more than one
 * method"). Two programs that read such a request could see two different keys.
 */
export function extractKey({ authorization, xApiKey, url }: KeySources): Extraction {
  const values = typeof authorization === 'string' ? [authorization] : (authorization ?? []);
  if (values.length > 1) return INVALID_REQUEST;
  const value = values[0] ?? '';
  const token = BEARER.exec(value)?.[1];
  if (token === undefined) {
    const otherScheme = value === '' || (SOME_SCHEME.test(value) && !NAMES_BEARER.test(value));
    return otherScheme ? MISSING : INVALID_REQUEST;
  }
  if ((xApiKey !== undefined && xApiKey !== null) || hasAccessToken(url)) return INVALID_REQUEST;
  return { ok: true, keyString: token };
}

/** Whether the query has the parameter `access_token` (RFC 6750 section 2.3). */
function hasAccessToken(url = ''): boolean {
  const start = url.indexOf('?');
  return start !== -1 && new URLSearchParams(url.slice(start).replace(/#.*$/s, '')).has('access_token');
}
