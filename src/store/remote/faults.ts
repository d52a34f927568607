import { type ErrorCode, KeysError } from '../../domain/errors.js';
import { safeText } from '../../domain/text.js';
import { refusalIn } from '../errors.js';
import { BatchFailure, GarbledAnswer, type StepError } from './hrana.js';
import { type Answer, TransportError } from './transport.js';

/** An answer that is no answer to the batch: its status says why. */
export class StatusError extends Error {
  readonly answer: Answer;
  constructor(answer: Answer) {
    super(`HTTP ${answer.status}`);
    this.answer = answer;
  }
}

const WRITE_REFUSED = /write permission|writes? (operations? )?(is|are) (forbidden|blocked|not allowed)|blocked/i;

/** The server knows the caller and lets it read only. A replica wraps its primary's refusal into a 400. */
export function isReadOnlyRefusal(error: unknown): boolean {
  if (error instanceof StatusError)
    return error.answer.status === 403 || (error.answer.status === 400 && WRITE_REFUSED.test(error.answer.text));
  return error instanceof BatchFailure && WRITE_REFUSED.test(`${error.code} ${error.message}`);
}

/** True when asking again may help, and the question is one that may be asked again. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TransportError) return error.fault === 'unreachable' || error.fault === 'broken';
  if (error instanceof StatusError) return error.answer.status === 429 || error.answer.status >= 500;
  return error instanceof BatchFailure && error.code !== 'RESPONSE_TOO_LARGE';
}

/** True when the server may have carried out what it was asked, although it did not say so. */
export function isUncertain(error: unknown): boolean {
  if (isReadOnlyRefusal(error)) return false;
  if (error instanceof TransportError) return error.fault !== 'unreachable' && error.fault !== 'untrusted';
  if (error instanceof StatusError) return ![401, 403, 404, 429].includes(error.answer.status);
  return error instanceof BatchFailure || error instanceof GarbledAnswer;
}

const JWT = /eyJ[\w-]{5,}\.[\w-]+(\.[\w-]*)?/g;

/** What a server said, for `--debug`: without tokens, and short. */
function said(text: string, token: string | undefined): string {
  const bare = token === undefined || token === '' ? text : text.replaceAll(token, '\u2026');
  return safeText(bare.replace(JWT, '\u2026').slice(0, 500));
}

function statusError({ status, text, redirect }: Answer, store: string): [ErrorCode, string, string] {
  if (status === 401) {
    const why = /expired/i.test(text)
      ? 'it has expired'
      : /none given|missing/i.test(text)
        ? 'none was given'
        : 'it is not valid there';
    return [
      'unauthorized',
      `the store ${store} does not take the token: ${why}`,
      'set UNLOCKOS_KEYS_AUTH_TOKEN, or tokenFile or tokenCommand in a profile; doctor shows where it came from',
    ];
  }
  if (status === 403 || (status === 400 && WRITE_REFUSED.test(text)))
    return [
      'unauthorized',
      `the token may not do this on the store ${store}`,
      'use a token with full access: this one may only read',
    ];
  if (status === 404)
    return ['store_missing', `there is no database at ${store}`, 'make it on the server first, or correct the address'];
  if (status === 429) return ['store_busy', `the store ${store} has too much to do (HTTP 429)`, 'try again later'];
  if (redirect)
    return [
      'store_unavailable',
      `the store ${store} answers with a redirect (HTTP ${status}), which is not followed: a token goes to no other host`,
      'name the store by its final address',
    ];
  return [
    'store_unavailable',
    `the store ${store} failed (HTTP ${status})`,
    'try again; unlockos-keys doctor says more',
  ];
}

function transportError({ fault, message }: TransportError, store: string): [ErrorCode, string, string] {
  switch (fault) {
    case 'unreachable':
      return [
        'store_unavailable',
        `the store ${store} cannot be reached (${message})`,
        'is the server up, and its address right? nothing was changed',
      ];
    case 'untrusted':
      return [
        'store_unavailable',
        `the store ${store} has no TLS certificate that this machine trusts (${message})`,
        'a private authority is named to Node by NODE_EXTRA_CA_CERTS; checks are never switched off',
      ];
    case 'broken':
      return ['store_unavailable', `the connection to the store ${store} broke off (${message})`, 'try again'];
    case 'silent':
      return ['store_unavailable', `the store ${store} gave ${message}`, 'try again, or wait longer: --timeout 30s'];
    case 'garbled':
      return garbled(store, message);
  }
}

function garbled(store: string, why: string): [ErrorCode, string, string] {
  return [
    'store_unavailable',
    `what answers at ${store} is no libSQL server (${why})`,
    'check the address; a proxy in between may answer in its place',
  ];
}

/** A step of ours that the server's SQLite refused. */
export function stepRefusal({ message, code }: StepError, store: string, token: string | undefined): KeysError {
  const known = refusalIn(message);
  if (known) return known;
  const cause = new Error(said(`${code} ${message}`, token));
  const fail = (kind: ErrorCode, text: string, hint: string) => new KeysError(kind, text, hint, { cause });
  if (WRITE_REFUSED.test(`${code} ${message}`) || /^SQLITE_(AUTH|READONLY|PERM)/.test(code))
    return fail('unauthorized', `the token may not do this on the store ${store}`, 'use a token with full access');
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return fail('store_busy', `the store ${store} is busy`, 'try again');
  if (/^SQLITE_FULL/.test(code))
    return fail('store_full', `the store ${store} has no room left`, 'nothing was changed');
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code))
    return fail('store_corrupt', `the store ${store} is damaged`, 'restore it on the server');
  if (/^SQLITE_CONSTRAINT/.test(code)) return fail('conflict', 'the store refused the change', 'run the command again');
  return fail(
    'store_unavailable',
    `the store ${store} could not run a statement (${/^[A-Z][A-Z0-9_]{0,39}$/.test(code) ? code : 'no code'})`,
    'unlockos-keys doctor says more; --debug shows what the server said',
  );
}

/** Turns whatever a call ended in into a `KeysError` that names the store, and no token. */
export function translateFault(error: unknown, store: string, token: string | undefined): unknown {
  const build = ([code, message, hint]: [ErrorCode, string, string], detail = '') =>
    new KeysError(code, message, hint, detail === '' ? undefined : { cause: new Error(said(detail, token)) });
  if (error instanceof StatusError) return build(statusError(error.answer, store), error.answer.text);
  if (error instanceof TransportError) return build(transportError(error, store));
  if (error instanceof GarbledAnswer) return build(garbled(store, error.message));
  if (error instanceof BatchFailure) return stepRefusal(error, store, token);
  return error;
}
