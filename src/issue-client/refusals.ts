import type { ErrorCode } from '../domain/error-codes.js';
import { KeysError } from '../domain/errors.js';
import { faultWords } from '../http/fault-words.js';
import { foreignText } from '../http/foreign-text.js';
import { type HttpResponse, TransportError } from '../http/transport.js';
import { readProblem } from './answers.js';
import { retryAfterMs, StatusError } from './persist.js';

/** What an error says of the server and of the token. */
export interface Asked {
  readonly location: string;
  readonly audience: string;
  /** Where the ID token came from. */
  readonly source: string;
  /** What no message repeats. */
  readonly secrets: readonly string[];
  /** What was asked for. */
  readonly action: 'create' | 'delete';
}

type Words = readonly [code: ErrorCode, message: string, hint: string];

/** What the codes of the problem details mean for a job. */
const KNOWN: Readonly<Record<string, (asked: Asked, retry: string) => Words>> = {
  token_missing: ({ location, source }) => [
    'unauthorized',
    `${location} got no ID token`,
    `a proxy may have removed the Authorization header; the token came from ${source}`,
  ],
  token_invalid: ({ location, audience, source }) => [
    'unauthorized',
    `${location} does not accept the ID token`,
    `it came from ${source}; its audience must be that of the rule, e.g. ${audience}`,
  ],
  token_expired: ({ location, source }) => [
    'unauthorized',
    `the ID token has expired for ${location}`,
    `it came from ${source}: request it immediately before this command`,
  ],
  token_replayed: ({ location, source }) => [
    'unauthorized',
    `the ID token was used before at ${location}`,
    `each gives one key, and it came from ${source}: get another for each run`,
  ],
  not_allowed: ({ location }) => [
    'unauthorized',
    `no rule of ${location} allows this job a key`,
    'the operator of the server can compare its rules with what the ID token says; see: unlockos-keys help ci',
  ],
  scope_not_allowed: ({ location }) => [
    'guarded',
    `the rule of ${location} does not allow a scope`,
    'ask for fewer scopes, or have the operator add them to the rule',
  ],
  ttl_too_long: ({ location }) => [
    'guarded',
    `the rule of ${location} does not allow a key to live that long`,
    'ask for less time, or leave it out: the rule has a limit of its own',
  ],
  bad_request: ({ location }) => [
    'usage',
    `${location} does not understand the request`,
    'compare the versions: unlockos-keys --version, here and on the server',
  ],
  not_found: ({ location, action }) =>
    action === 'create'
      ? ['issue_unavailable', `${location} is not where that server issues keys`, 'check the path of the address']
      : [
          'not_found',
          `${location} did not give this job such a key`,
          'it may be the key of another job, or the path of the address is wrong',
        ],
  too_many_keys: ({ location }, retry) => [
    'issue_unavailable',
    `${location} has given this job as many keys as its rule allows`,
    `try again ${retry}, when some have ended`,
  ],
  provider_unavailable: ({ location }, retry) => [
    'issue_unavailable',
    `${location} cannot check ID tokens now: their issuer does not answer`,
    `try again ${retry}`,
  ],
  store_unavailable: ({ location, action }, retry) => [
    'issue_unavailable',
    `${location} cannot ${action} a key now: its store does not answer`,
    `try again ${retry}`,
  ],
};

/** The word of a refusal that programs rely on; null where the answer is not a refusal that we know. */
export function problemCode(error: unknown): string | null {
  if (!(error instanceof StatusError)) return null;
  const { code } = readProblem(error.response);
  return code !== null && Object.hasOwn(KNOWN, code) ? code : null;
}

function unknown({ status, redirect }: HttpResponse, { location }: Asked): Words {
  if (redirect)
    return [
      'issue_unavailable',
      `${location} answered with a redirect (HTTP ${status}), which is not followed: an ID token is never sent to another host`,
      'pass the final address to --from',
    ];
  if (status === 401 || status === 403)
    return ['unauthorized', `${location} refused the request (HTTP ${status})`, 'a proxy in between may have answered'];
  if (status === 429 || status >= 500)
    return ['issue_unavailable', `${location} failed (HTTP ${status})`, 'try again later'];
  return [
    'issue_unavailable',
    `${location} is not a server that issues keys (HTTP ${status})`,
    'check the address; a proxy in between may have answered',
  ];
}

function ofStatus(response: HttpResponse, asked: Asked): KeysError {
  const { code, detail } = readProblem(response);
  const ms = retryAfterMs(response);
  const retry = ms === null ? 'later' : `in ${Math.max(1, Math.ceil(ms / 1000))} s`;
  const known = code !== null && Object.hasOwn(KNOWN, code) ? KNOWN[code] : undefined;
  const [kind, message, hint] = known ? known(asked, retry) : unknown(response, asked);
  const why = known && detail !== null ? `: ${foreignText(detail, asked.secrets)}` : '';
  const cause = new Error(foreignText(response.text, asked.secrets)); // shown with --debug
  return new KeysError(kind, `${message}${why}`, hint, { cause });
}

/** An error of a request as a `KeysError` that names the server and repeats no secret. Other errors are returned as they are. */
export function translated(error: unknown, asked: Asked): unknown {
  if (error instanceof StatusError) return ofStatus(error.response, asked);
  if (!(error instanceof TransportError)) return error;
  const { message, hint } = faultWords(error, asked.location);
  return new KeysError('issue_unavailable', message, hint);
}
