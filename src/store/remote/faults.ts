import type { ErrorCode } from '../../domain/error-codes.js';
import { KeysError } from '../../domain/errors.js';
import { faultWords } from '../../http/fault-words.js';
import { foreignText } from '../../http/foreign-text.js';
import { type HttpResponse, TransportError } from '../../http/transport.js';
import { refusalIn } from '../errors.js';
import { BatchFailure, GarbledAnswer, type StepError } from './hrana.js';

/** A response with a status other than 200. */
export class StatusError extends Error {
  readonly response: HttpResponse;
  constructor(response: HttpResponse) {
    super(`HTTP ${response.status}`);
    this.response = response;
  }
}

const WRITE_REFUSED = /write permission|writes? (operations? )?(is|are) (forbidden|blocked|not allowed)|blocked/i;
const UNREADABLE_TEXT = /invalid utf-?8|incomplete utf-?8/i;

/** True when the server accepts the token for reading only. A replica wraps its primary's refusal in a 400. */
export function isReadOnlyRefusal(error: unknown): boolean {
  if (error instanceof StatusError)
    return error.response.status === 403 || (error.response.status === 400 && WRITE_REFUSED.test(error.response.text));
  return error instanceof BatchFailure && WRITE_REFUSED.test(`${error.code} ${error.message}`);
}

/** True when sending the request again may help. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TransportError) return error.fault === 'unreachable' || error.fault === 'broken';
  if (error instanceof StatusError) return error.response.status === 429 || error.response.status >= 500;
  return error instanceof BatchFailure && error.code !== 'RESPONSE_TOO_LARGE';
}

/** True when the server cannot send a row because its text is not UTF-8. */
export function isUnreadableText(error: unknown): boolean {
  if (error instanceof StatusError) return error.response.status === 500 && UNREADABLE_TEXT.test(error.response.text);
  return error instanceof BatchFailure && UNREADABLE_TEXT.test(error.message);
}

/** True when the server may have carried out the request, although it did not confirm it. */
export function isUncertain(error: unknown): boolean {
  if (isReadOnlyRefusal(error)) return false;
  if (error instanceof TransportError) return error.fault !== 'unreachable' && error.fault !== 'untrusted';
  if (error instanceof StatusError) return ![401, 403, 404, 429].includes(error.response.status);
  return error instanceof BatchFailure || error instanceof GarbledAnswer;
}

function statusError({ status, text, redirect }: HttpResponse, store: string): [ErrorCode, string, string] {
  if (status === 401) {
    const why = /expired/i.test(text)
      ? 'it has expired'
      : /none given|missing/i.test(text)
        ? 'no token was sent'
        : 'it is not valid there';
    return [
      'unauthorized',
      `the store ${store} rejected the token: ${why}`,
      'set UNLOCKOS_KEYS_AUTH_TOKEN, or tokenFile or tokenCommand in a profile; unlockos-keys doctor shows where it came from',
    ];
  }
  if (status === 403 || (status === 400 && WRITE_REFUSED.test(text)))
    return [
      'unauthorized',
      `the token does not permit this on the store ${store}`,
      'use a token with full access: this one is read-only',
    ];
  if (status === 404)
    return [
      'store_missing',
      `there is no database at ${store}`,
      'create it on the server first, or correct the address',
    ];
  if (status === 429) return ['store_busy', `the store ${store} is overloaded (HTTP 429)`, 'try again later'];
  if (redirect)
    return [
      'store_unavailable',
      `the store ${store} answered with a redirect (HTTP ${status}), which is not followed: a token is never sent to another host`,
      'pass the final address of the store',
    ];
  return [
    'store_unavailable',
    `the store ${store} failed (HTTP ${status})`,
    'try again; unlockos-keys doctor tells more',
  ];
}

function transportError(error: TransportError, store: string): [ErrorCode, string, string] {
  if (error.fault === 'garbled') return garbled(store, error.message);
  const { message, hint } = faultWords(error, `the store ${store}`);
  return ['store_unavailable', message, hint];
}

function garbled(store: string, why: string): [ErrorCode, string, string] {
  return [
    'store_unavailable',
    `the server at ${store} is not a libSQL server (${why})`,
    'check the address; a proxy in between may have answered',
  ];
}

/** The error for a statement that the server's SQLite refused. `store`: its URL; `token`: removed from all texts. */
export function stepRefusal({ message, code }: StepError, store: string, token: string | undefined): KeysError {
  const known = refusalIn(message);
  if (known) return known;
  const cause = new Error(foreignText(`${code} ${message}`, [token]));
  const fail = (kind: ErrorCode, text: string, hint: string) => new KeysError(kind, text, hint, { cause });
  if (WRITE_REFUSED.test(`${code} ${message}`) || /^SQLITE_(AUTH|READONLY|PERM)/.test(code))
    return fail('unauthorized', `the token does not permit this on the store ${store}`, 'use a token with full access');
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return fail('store_busy', `the store ${store} is busy`, 'try again');
  if (/^SQLITE_FULL/.test(code)) return fail('store_full', `the store ${store} is full`, 'nothing was changed');
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code))
    return fail('store_corrupt', `the store ${store} is damaged`, 'restore it on the server');
  if (/^SQLITE_CONSTRAINT/.test(code)) return fail('conflict', 'the store refused the change', 'run the command again');
  return fail(
    'store_unavailable',
    `the store ${store} failed to run a statement (${/^[A-Z][A-Z0-9_]{0,39}$/.test(code) ? code : 'no code'})`,
    'unlockos-keys doctor tells more; --debug shows what the server said',
  );
}

/** Turns an error of a request into a `KeysError` that names the store and contains no token. Other errors are returned as they are. */
export function translateFault(error: unknown, store: string, token: string | undefined): unknown {
  const build = ([code, message, hint]: [ErrorCode, string, string], detail = '') =>
    new KeysError(code, message, hint, detail === '' ? undefined : { cause: new Error(foreignText(detail, [token])) });
  if (error instanceof StatusError) return build(statusError(error.response, store), error.response.text);
  if (error instanceof TransportError) return build(transportError(error, store));
  if (error instanceof GarbledAnswer) return build(garbled(store, error.message));
  if (error instanceof BatchFailure) return stepRefusal(error, store, token);
  return error;
}
