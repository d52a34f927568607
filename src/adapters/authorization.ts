/** A header as some framework hands it out; a list when it came more than once. */
export type HeaderValue = string | readonly string[] | null | undefined;

/** Every place of a request in which somebody might send a key. */
export interface KeyPlaces {
  readonly authorization: HeaderValue;
  readonly xApiKey: HeaderValue;
  /** The target of the request, with its query: a path or a whole URL. */
  readonly url: string | undefined;
}

export type Extraction =
  | { readonly ok: true; readonly keyString: string }
  | { readonly ok: false; readonly problem: 'missing' | 'invalid_request' };

const MISSING: Extraction = { ok: false, problem: 'missing' };
const INVALID_REQUEST: Extraction = { ok: false, problem: 'invalid_request' };

/** RFC 6750 section 2.1: `"Bearer" 1*SP b64token`; the name of the scheme in any case (RFC 9110 section 11.1, before it RFC 7235). */
const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;
/** RFC 9110 section 11.4: a token, then whatever its scheme makes of printable characters. */
const SOME_SCHEME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: [\t\x20-\x7e]*)?$/;
/** `Bearer` as the scheme, or as the scheme of a second field that was joined to the first (RFC 9110 section 5.3). */
const NAMES_BEARER = /(?:^|,[ \t]*)bearer(?:[ ,]|$)/i;

/**
 * The one way in which a request hands over its key: `Authorization: Bearer <key>`, once, and in no other place besides. The token is
 * handed on as it came, untrimmed; whether it is a key string is for the verifier to say.
 *
 * `missing`: no attempt at it was made, be it that another scheme was used (RFC 6750 section 3.1: then no error code is told).
 * `invalid_request`: an attempt that is malformed, repeated, or made in two places at once (RFC 6750 section 2: "MUST NOT use more than
 * one method"). Two readers of one such request could see two different keys.
 */
export function extractKey({ authorization, xApiKey, url }: KeyPlaces): Extraction {
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

/** Whether the query has the parameter of RFC 6750 section 2.3. */
function hasAccessToken(url = ''): boolean {
  const start = url.indexOf('?');
  return start !== -1 && new URLSearchParams(url.slice(start).replace(/#.*$/s, '')).has('access_token');
}
