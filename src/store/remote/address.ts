import { KeysError } from '../../domain/errors.js';
import { quoted, safeText } from '../../domain/text.js';

/** Where a remote store answers, taken apart. Holds no credentials: there is no way to put any into it. */
export interface RemoteAddress {
  /** As it may be shown and written down. */
  readonly location: string;
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** Of the statement endpoint (Hrana over HTTP, https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md). */
  readonly path: string;
}

const SECURE: Record<string, boolean> = { 'libsql:': true, 'https:': true, 'wss:': true, 'http:': false, 'ws:': false };

/** True for what is meant as a URL, well-formed or not; anything else is a path. One letter and a colon is a drive of Windows. */
export function isStoreUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(text.trim());
}

/** True for this machine. A name other than localhost may mean anything, so it does not count. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** The text without what somebody may have put there as a credential. */
function redacted(text: string): string {
  return safeText(text.replace(/\/\/[^/?#]*@/, '//…@').replace(/[?#].*$/s, '?…'));
}

/**
 * Reads the URL of a remote store: `libsql`, `https` or `wss`, and unencrypted `http` or `ws` (or `?tls=0`) only to this machine or
 * with `allowHttp`. Throws `usage` for anything else, and for a URL that carries a credential, without repeating that.
 */
export function parseStoreUrl(text: string, options: { allowHttp: boolean }): RemoteAddress {
  const shown = quoted(redacted(text));
  const refuse = (why: string, hint: string) => new KeysError('usage', `the store ${shown} ${why}`, hint);
  let url: URL;
  try {
    if (text !== text.trim() || /\s/.test(text)) throw new TypeError('blank');
    url = new URL(text.replace(/^libsql:/i, 'https:')); // URL knows hosts and default ports of the web's own schemes only
  } catch {
    throw refuse('is not a URL', 'for example: libsql://keys-acme.turso.io');
  }
  const scheme = /^libsql:/i.test(text) ? 'libsql:' : url.protocol;
  const encrypts = Object.hasOwn(SECURE, scheme) ? SECURE[scheme] : undefined;
  if (encrypts === undefined)
    throw refuse(
      'has a scheme that no store has',
      'a remote store is libsql://, https:// or wss://; a local one is a plain path',
    );
  if (url.username !== '' || url.password !== '')
    throw refuse(
      'holds a user name or password',
      'leave it out; the token goes into UNLOCKOS_KEYS_AUTH_TOKEN or a profile',
    );
  if (url.searchParams.has('authToken'))
    throw refuse('holds a token', 'leave it out; the token goes into UNLOCKOS_KEYS_AUTH_TOKEN or a profile');
  const tls = url.searchParams.get('tls');
  url.searchParams.delete('tls');
  if (url.search !== '' || url.hash !== '' || (tls !== null && tls !== '0' && tls !== '1'))
    throw refuse('has parameters that no store has', 'pass scheme, host and port alone');
  const secure = tls === null ? encrypts : tls === '1';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!secure && !options.allowHttp && !isLoopback(host))
    throw refuse(
      'would be spoken to unencrypted',
      'use https:// or libsql://; on a network that you trust, pass --allow-http (allowHttp: true in a profile)',
    );
  if (scheme === 'libsql:' && !secure && url.port === '')
    throw refuse('needs a port when it is unencrypted', 'for example: libsql://localhost:8080?tls=0');
  const base = url.pathname.replace(/\/+$/, '');
  return {
    location: `${scheme}//${url.host}${base}${tls === null ? '' : `?tls=${tls}`}`,
    secure,
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${base}/v2/pipeline`,
  };
}
