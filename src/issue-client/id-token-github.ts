import { KeysError } from '../domain/errors.js';
import { faultWords } from '../http/fault-words.js';
import { isLoopback } from '../http/loopback.js';
import { type HttpResponse, type Server, Transport, TransportError } from '../http/transport.js';
import { type IdTokens, NO_TOKEN_HINT, readIdToken } from './id-token.js';
import { type Clock, isLost, isPassing, persist, StatusError } from './persist.js';

/** The variables that a GitHub job with `permissions: id-token: write` has. */
export const GITHUB_URL = 'ACTIONS_ID_TOKEN_REQUEST_URL';
export const GITHUB_TOKEN = 'ACTIONS_ID_TOKEN_REQUEST_TOKEN';

const SERVICE = "GitHub's service for ID tokens";
const MAX_BYTES = 65_536;
const ATTEMPTS = 4;
const PATIENCE_MS = 20_000;

export interface GithubJob {
  readonly url: string;
  /** What the service knows the job by. It goes to no other server. */
  readonly requestToken: string;
  readonly audience: string;
  readonly timeoutMs: number;
  readonly userAgent: string;
  readonly clock: Clock;
}

/** The ID tokens of a GitHub job: each request gives another (https://docs.github.com/en/actions/reference/security/oidc). */
export function githubIdTokens(job: GithubJob): IdTokens {
  const { server, path } = readRequestUrl(job);
  const headers = { accept: 'application/json', 'user-agent': job.userAgent };
  const ask = async (signal: AbortSignal | undefined) => {
    const transport = new Transport(server, job.timeoutMs);
    try {
      const request = { method: 'GET', path, token: job.requestToken, headers, signal } as const;
      const response = await transport.send(request, MAX_BYTES);
      if (response.status !== 200) throw new StatusError(response);
      return tokenIn(response);
    } finally {
      await transport.close();
    }
  };
  const mayPass = (error: unknown, attempt: number) => attempt < ATTEMPTS && (isPassing(error) || isLost(error));
  return {
    source: SERVICE,
    renewed: true,
    async next(signal) {
      try {
        return await persist(() => ask(signal), { clock: job.clock, patienceMs: PATIENCE_MS, signal, mayPass });
      } catch (error) {
        signal?.throwIfAborted();
        throw translated(error);
      }
    },
  };
}

/** Throws `unauthorized` for a URL that the token of the job must not be sent to. */
function readRequestUrl({ url: text, audience }: GithubJob): { server: Server; path: string } {
  const url = URL.canParse(text) ? new URL(text) : null;
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  const secure = url?.protocol === 'https:';
  if (!url || !(secure || (url.protocol === 'http:' && isLoopback(host))))
    throw new KeysError('unauthorized', `${GITHUB_URL} is not an https:// URL`, 'the runner of GitHub Actions sets it');
  url.searchParams.set('audience', audience);
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  return { server: { secure, host, port }, path: `${url.pathname}${url.search}` };
}

/** `{"value": "<the ID token>"}` */
function tokenIn({ text }: HttpResponse): string {
  let value: unknown;
  try {
    value = (JSON.parse(text) as { value?: unknown } | null)?.value;
  } catch {
    value = undefined;
  }
  if (typeof value !== 'string')
    throw new KeysError('unauthorized', `${SERVICE} answered without an ID token`, 'a proxy may have answered');
  return readIdToken(value, `the answer of ${SERVICE}`);
}

/** What the service said is not repeated: it would help nobody. */
function translated(error: unknown): unknown {
  if (error instanceof TransportError) {
    const { message, hint } = faultWords(error, SERVICE);
    return new KeysError('issue_unavailable', message, hint);
  }
  if (!(error instanceof StatusError)) return error;
  const { status } = error.response;
  return status === 429 || status >= 500
    ? new KeysError('issue_unavailable', `${SERVICE} failed (HTTP ${status})`, 'try again later')
    : new KeysError('unauthorized', `${SERVICE} gave no ID token (HTTP ${status})`, NO_TOKEN_HINT);
}
