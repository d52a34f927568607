import { KeysError } from '../../domain/errors.js';
import { quoted, withoutCredentials } from '../../domain/text.js';
import { isLoopback } from '../../http/loopback.js';

/** The address of a remote store. It cannot hold credentials. */
export interface RemoteAddress {
  /** The URL, as it may be printed and stored. */
  readonly location: string;
  /** True: TLS. */
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** Of the statement endpoint (Hrana over HTTP, https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_3_SPEC.md). */
  readonly path: string;
}

const SECURE: Record<string, boolean> = { 'libsql:': true, 'https:': true, 'wss:': true, 'http:': false, 'ws:': false };

/** True for text that is meant as a URL, well-formed or not; anything else is a path. One letter and a colon is a drive on Windows. */
export function isStoreUrl(text: string): boolean {
  return text.includes('://') && /^[a-z][a-z0-9+.-]+:\/\//i.test(text.trim());
}

/**
 * Reads the URL of a remote store: `libsql`, `https` or `wss`, and unencrypted `http` or `ws` (or `?tls=0`) only to this machine or
 * with `allowHttp`. Throws `usage` for anything else, and for a URL that contains a credential, without repeating the credential.
 */
export function parseStoreUrl(text: string, options: { allowHttp: boolean }): RemoteAddress {
  const shown = quoted(withoutCredentials(text));
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
      'has an unknown scheme',
      'the URL of a remote store begins with libsql://, https:// or wss://; a local store is a plain path',
    );
  if (url.username !== '' || url.password !== '')
    throw refuse(
      'contains a user name or password',
      'remove it; pass the token in UNLOCKOS_KEYS_AUTH_TOKEN or in a profile',
    );
  if (url.searchParams.has('authToken'))
    throw refuse('contains a token', 'remove it; pass the token in UNLOCKOS_KEYS_AUTH_TOKEN or in a profile');
  const tls = url.searchParams.get('tls');
  url.searchParams.delete('tls');
  if (url.search !== '' || url.hash !== '' || (tls !== null && tls !== '0' && tls !== '1'))
    throw refuse('has unknown parameters', 'pass only the scheme, the host and the port');
  const secure = tls === null ? encrypts : tls === '1';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!secure && !options.allowHttp && !isLoopback(host))
    throw refuse(
      'would be accessed unencrypted',
      'use https:// or libsql://; on a network that you trust, pass --allow-http (allowHttp: true in a profile)',
    );
  if (scheme === 'libsql:' && !secure && url.port === '')
    throw refuse('needs a port when it is not encrypted', 'for example: libsql://localhost:8080?tls=0');
  const base = url.pathname.replace(/\/+$/, '');
  return {
    location: `${scheme}//${url.host}${base}${tls === null ? '' : `?tls=${tls}`}`,
    secure,
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${base}/v2/pipeline`,
  };
}
