/** What a proxy says of the request that it asks about. */
export interface Target {
  readonly method: string;
  /** The segments of the path, decoded; one empty segment stands for a slash at the end. */
  readonly segments: readonly string[];
}

const METHOD = /^[A-Z]{1,20}$/;
/** A slash, a dot, a backslash, a NUL or a percent sign that was encoded: what one reader decodes and another does not. */
const DISGUISED = /%(?:2f|2e|5c|00|25)/i;
/** Printable ASCII from a slash to the query, without a backslash, `;` or `#`: at a `#` some readers end the path, and others do not. */
const PATH = /^\/[\x21-\x22\x24-\x3a\x3c-\x3e\x40-\x5b\x5d-\x7e]*(?=\?|$)/;
const MAX_LENGTH = 4096;

/**
 * Reads the method and target as a proxy forwards them (`X-Forwarded-Method`, `X-Forwarded-Uri`). Null for a target that two readers could
 * take for two paths: dot segments, empty segments, a backslash, `;`, `#`, encoded separators, broken or non-UTF-8 encoding, anything but
 * printable ASCII. The proxy or the server behind it may clean such a path up; a rule must not be about another path than they serve.
 */
export function readTarget(method: string, uri: string): Target | null {
  if (!METHOD.test(method) || uri.length > MAX_LENGTH) return null;
  const path = PATH.exec(uri)?.[0];
  if (path === undefined || DISGUISED.test(path)) return null;
  const raw = path.slice(1).split('/');
  if (raw.slice(0, -1).includes('') || raw.includes('.') || raw.includes('..')) return null;
  try {
    return { method, segments: path.includes('%') ? raw.map(decodeURIComponent) : raw };
  } catch {
    return null;
  }
}

/** Letters, digits and `_`, which nobody has to encode (RFC 3986, section 2.3). */
const NEEDLESS = /%(?:3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a])/gi;

/** A path for a log: without its query, which may hold anything. A key string in it shows as one, so that the log can mask it. */
export function loggedPath(uri: string): string {
  return (/^[^?#]*/.exec(uri)?.[0] ?? '').replace(NEEDLESS, decodeURIComponent).slice(0, 200);
}
