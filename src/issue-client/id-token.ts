import { KeysError } from '../domain/errors.js';

/** Where the ID token of a job comes from. */
export interface IdTokens {
  /** As messages name it: `the variable BUILD_TOKEN`. */
  readonly source: string;
  /** Each call gives another token, so that the job can ask twice. */
  readonly renewed: boolean;
  /** The next ID token. Throws `unauthorized` when the job gets no token, and `issue_unavailable` when the provider does not answer. */
  next(signal?: AbortSignal): Promise<string>;
}

/** Header, claims and signature, each in base64url (RFC 7515, 7.1). */
const SIGNED = /^[\w-]{2,}\.[\w-]{2,}\.[\w-]{2,}$/;
/** Most servers read 16 KiB of headers. */
export const MAX_ID_TOKEN = 12_288;

/** An ID token without the line end that a program left behind it. Throws `unauthorized` for anything else: another secret must not be sent. */
export function readIdToken(text: string, source: string): string {
  const token = text.replace(/\r?\n$/, '');
  if (token === '') throw new KeysError('unauthorized', `${source} is empty: there is no ID token`, NO_TOKEN_HINT);
  if (token.length > MAX_ID_TOKEN || !SIGNED.test(token))
    throw new KeysError(
      'unauthorized',
      `${source} does not hold an ID token, so nothing was sent`,
      'an ID token is a signed JWT: three parts with dots between them, and nothing else',
    );
  return token;
}

export const NO_TOKEN_HINT = 'unlockos-keys help ci says how a job gets one';
