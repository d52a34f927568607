import { KeysError } from '../domain/errors.js';
import { quoted, withoutCredentials } from '../domain/text.js';
import { isLoopback } from '../http/loopback.js';
import type { Server } from '../http/transport.js';

/** Where keys are asked for. It cannot hold credentials. */
export interface IssueAddress extends Server {
  /** The URL, as it may be printed. */
  readonly location: string;
  /** The audience of ID tokens for this server, unless another is wanted. */
  readonly origin: string;
  /** Of the collection of keys. */
  readonly path: string;
}

const FORM = 'for example: --from https://keys.acme.example';

/** Reads the value of `--from`: `https`, or `http` on this machine. Throws `usage`, without repeating a credential. */
export function readIssueAddress(text: string): IssueAddress {
  const refuse = (why: string, hint = FORM) =>
    new KeysError('usage', `--from ${quoted(withoutCredentials(text))} ${why}`, hint);
  if (/\s/.test(text) || !URL.canParse(text)) throw refuse('is not a URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw refuse('contains a user name or password', 'remove it: the ID token of the job is what identifies it');
  if (!['https:', 'http:'].includes(url.protocol)) throw refuse('is not an https:// URL');
  if (url.search !== '' || url.hash !== '') throw refuse('has parameters', 'pass the URL without ? and #');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  if (!secure && !isLoopback(host))
    throw refuse('would be accessed unencrypted', 'use https://: the ID token and the key string are sent to it');
  const base = url.pathname.replace(/\/+$/, '');
  return {
    location: `${url.origin}${base}`,
    origin: url.origin,
    secure,
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    path: `${base}/keys`,
  };
}
