/**
 * How a segment of a path was written. `plain`: without encoding. `encoded`: with an encoding that clients use, of a character that many of
 * them do not send as it is. `disguised`: with encoded letters, digits, `-`, `.`, `_` or `~`, which no client encodes (RFC 3986, section
 * 2.3). Some servers decode a path before they choose a handler, and others do not.
 */
export type Written = 'plain' | 'encoded' | 'disguised';

/** The request that a proxy asks about. */
export interface Target {
  readonly method: string;
  /** The decoded segments of the path. An empty last segment stands for a slash at the end. */
  readonly segments: readonly string[];
  /** How each of them was written. */
  readonly written: readonly Written[];
}

/** The methods that a rule can name. */
export const METHOD = /^[A-Z]{1,20}$/;
/** An encoded slash, dot, backslash, percent sign, `;`, `?`, `#` or control character: some programs decode these in a path, others do not. */
const DISGUISED = /%(?:2f|2e|5c|25|3b|3f|23|[01][0-9a-f]|7f)/i;
/** Printable ASCII from a slash to the query, without a backslash, `;` or `#`, which some programs take for the end of the path. */
const PATH = /^\/[\x21-\x22\x24-\x3a\x3c-\x3e\x40-\x5b\x5d-\x7e]*(?=\?|$)/;
/** What a URL may hold as it is (RFC 3986, section 3.3). */
const PLAIN = /^[\w.~!$&'()*+,=:@-]*$/;
/** A path of such segments, each of which begins with another character than a dot: most requests have one, and it needs no further look. */
const PLAIN_PATH = /^(?:\/(?!\.)[\w.~!$&'()*+,=:@-]*)+$/;
/** Encoded letters, digits, `-`, `.`, `_` and `~`. */
const NEEDLESS = /%(?:3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9ae]|2d|2e)/gi;
const MAX_LENGTH = 4096;

/**
 * Reads the method and target as a proxy forwards them (`X-Forwarded-Method`, `X-Forwarded-Uri`). Null for a target that two programs could
 * take for two paths: dot segments, empty segments, a backslash, `;`, `#`, encoded separators and control characters, broken or non-UTF-8
 * encoding, anything but printable ASCII, and what {@link isAmbiguous} names. The proxy or the server behind it may normalise such a path,
 * and then a rule would apply to another path than the one that is served.
 *
 * * The query is not read. The rules deal with other differences in reading (letter case, a slash at the end, …): `path-match.ts`.
 */
export function readTarget(method: string, uri: string): Target | null {
  if (!METHOD.test(method)) return null;
  const path = PATH.exec(uri)?.[0];
  if (path === undefined || path.length > MAX_LENGTH || DISGUISED.test(path)) return null;
  if (path.includes('//')) return null;
  const raw = path.slice(1).split('/');
  if (PLAIN_PATH.test(path)) return { method, segments: raw, written: raw.map(() => 'plain') };
  const written = raw.map(howWritten);
  try {
    const segments = raw.map((each, i) => (written[i] === 'plain' ? each : decodeURIComponent(each)));
    return segments.some(isAmbiguous) ? null : { method, segments, written };
  } catch {
    return null; // decodeURIComponent
  }
}

/**
 * Whether the query names another method as `_method`, which some frameworks take instead of the request's own. Rack also splits a query at
 * `;`, and PHP reads a dot or a space in a name as `_`.
 */
export function namesOtherMethod(method: string, uri: string): boolean {
  const start = uri.indexOf('?');
  if (start === -1 || !/method|%/i.test(uri.slice(start))) return false;
  const query = new URLSearchParams(uri.slice(start).replaceAll(';', '&'));
  return [...query].some(([name, value]) => /^\s*[_. ]method$/i.test(name) && value.toUpperCase() !== method);
}

function howWritten(raw: string): Written {
  if (PLAIN.test(raw)) return 'plain';
  return raw.search(NEEDLESS) === -1 ? 'encoded' : 'disguised';
}

/**
 * Whether programs could read a decoded segment in two ways: dots only, white space at an end (some programs remove it), control
 * characters, or characters that Unicode's compatibility forms turn into a separator or dots (`／`, `‥`).
 */
export function isAmbiguous(segment: string): boolean {
  if (/^\.+$|^\s|\s$|\p{Cc}/u.test(segment)) return true;
  if (/^[\x20-\x7e]*$/.test(segment)) return false;
  return /[/\\;?#%]|^\.+$|^\s|\s$/.test(segment.normalize('NFKC'));
}

/** The path for the log, without its query, which can contain anything. Decoded as far as needed for the log to recognise and mask a key string. */
export function loggedPath(uri: string): string {
  const decode = (text: string) => (text.toLowerCase() === '%2e' ? text : decodeURIComponent(text));
  return uri
    .replace(/[?#].*/s, '')
    .replace(NEEDLESS, decode)
    .slice(0, 200);
}
