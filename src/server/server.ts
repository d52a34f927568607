import type { IncomingMessage, ServerResponse } from 'node:http';
import type { KeyCensus } from '../domain/key-query.js';
import { problem } from '../http/problem.js';
import { unavailable } from '../http/response.js';
import type { Refusal } from '../http/types.js';
import { HttpServer, type Limits } from '../http-server/http-server.js';
import type { Listen } from '../http-server/listen.js';
import type { Log } from '../http-server/log.js';
import type { Metrics } from '../http-server/metrics.js';
import type { Verifier } from '../verifier/verifier.js';
import { type Decision, type Described, decide, neededToVerify, type Requirements } from './auth.js';
import { CachedCensus } from './census.js';
import { keyHeaders } from './key-headers.js';
import { type Endpoint, verifierMetrics } from './metrics.js';
import { type Logged, RequestLog } from './request-log.js';
import { readVerifyRequest, verdictJson } from './verify-request.js';

export interface ServerOptions {
  readonly verifier: Verifier;
  readonly requirements: Requirements;
  readonly log: Log;
  readonly logged: Logged;
  /** The place of the client's address in X-Forwarded-For, from the right. Default: no header is trusted, and no address known. */
  readonly hops?: number | undefined;
  /** Rejects when the store does not answer. */
  readonly ping: () => Promise<void>;
  /** Counts the keys of the store, for `/metrics`. */
  readonly census?: (() => Promise<KeyCensus>) | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

const ENVOY = '/auth/envoy';

/** The verifier over HTTP, for proxies and for programs in any language. No request changes a key. */
export class AuthServer {
  readonly #verifier: Verifier;
  readonly #metrics: Metrics<Endpoint>;
  readonly #requests: RequestLog;
  readonly #hops: number | undefined;
  readonly #server: HttpServer;
  #requirements: Requirements;

  constructor({ verifier, requirements, log, logged, hops, ping, census, limits }: ServerOptions) {
    this.#hops = hops;
    this.#verifier = verifier;
    this.#requirements = requirements;
    const cached = census && new CachedCensus(census);
    this.#metrics = verifierMetrics(
      () => verifier.counters,
      () => this.#server.connections,
      cached && (() => cached.latest()),
    );
    const requests = new RequestLog(log, logged, this.#metrics);
    this.#requests = requests;
    const service = {
      serve: (request: IncomingMessage, reply: ServerResponse) =>
        request.url === '/auth' ? this.#auth(request, reply) : this.#route(request, reply),
      refused: (verdict: string, status: number) => requests.answered('other', { verdict }, status, 0),
      failed: (error: unknown) => requests.failed(error),
    };
    this.#server = new HttpServer({ service, ping, limits });
  }

  /** Resolves to the address, as text, once the server accepts requests. Throws `listen_failed` when the address is not available. */
  listen(where: Listen): Promise<string> {
    return this.#server.listen(where);
  }

  /** Applies to the requests that come after this call. */
  require(requirements: Requirements): void {
    this.#requirements = requirements;
  }

  /**
   * Accepts no more connections (a Unix socket is removed at once), answers the requests in progress, and closes the verifier, which writes
   * when keys were last used.
   */
  async stop(): Promise<void> {
    if (await this.#server.stop()) await this.#verifier.close();
  }

  async #route(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const { url = '', method } = request;
    if (url.startsWith(`${ENVOY}/`)) return this.#auth(request, reply, { method, uri: url.slice(ENVOY.length) });
    switch (url.split('?', 1)[0]) {
      case '/auth':
        return this.#auth(request, reply);
      case '/auth/nginx':
        return this.#auth(request, reply, 'nginx');
      case '/verify':
        return this.#server.only(request, reply, ['POST'], () => this.#verify(request, reply));
      case '/healthz':
        return this.#server.healthz(request, reply);
      case '/metrics':
        return this.#server.metrics(request, reply, this.#metrics);
      default:
        this.#server.refuse(
          reply,
          problem(404, 'not_found', 'the paths are /auth, /auth/nginx, /auth/envoy/…, /verify, /healthz and /metrics'),
        );
    }
  }

  /** `style`: how the proxy asks, if not as Caddy and Traefik do. */
  #auth(request: IncomingMessage, reply: ServerResponse, style?: 'nginx' | Described): Promise<void> | undefined {
    const start = performance.now();
    const described = style === 'nginx' ? undefined : style;
    const decided = decide(request, this.#requirements, this.#verifier, { described, hops: this.#hops });
    const answer = (decision: Decision) => {
      this.#answer(reply, decision.response, style);
      const status = decision.response.ok ? 200 : decision.response.status;
      this.#requests.answered('auth', decision, status, performance.now() - start);
    };
    if (decided instanceof Promise) return decided.then(answer);
    answer(decided);
    return undefined;
  }

  #answer(reply: ServerResponse, response: Decision['response'], style?: 'nginx' | Described): void {
    if (response.ok) {
      const headers = keyHeaders(response.key).slice();
      for (const name in response.headers) headers.push(name, response.headers[name] as string);
      this.#server.replies.empty(reply, 200, headers);
    } else if (style === 'nginx') this.#server.replies.refusalForNginx(reply, response);
    else this.#server.replies.refusal(reply, response);
  }

  async #verify(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const start = performance.now();
    const elapsed = () => performance.now() - start;
    const asked = await readVerifyRequest(request);
    const scopes = 'ok' in asked ? asked : neededToVerify(this.#requirements, asked);
    if ('ok' in asked || 'ok' in scopes) {
      const refusal = scopes as Refusal;
      this.#server.replies.refusal(reply, refusal);
      this.#requests.answered('verify', { verdict: refusal.body.code }, refusal.status, elapsed());
      return;
    }
    try {
      const verdict = await this.#verifier.verify(asked.key, { scopes, address: asked.address });
      this.#server.replies.json(reply, 200, verdictJson(verdict), { 'Cache-Control': 'no-store' });
      const keyId = verdict.verdict === 'invalid' ? undefined : verdict.key.id;
      const address = verdict.verdict === 'wrong_address' ? verdict.address : undefined;
      this.#requests.answered('verify', { verdict: verdict.verdict, keyId, address }, 200, elapsed());
    } catch (error) {
      this.#server.replies.refusal(reply, unavailable());
      this.#requests.answered('verify', { verdict: 'unavailable', error }, 503, elapsed());
    }
  }
}
