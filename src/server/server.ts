import { chmodSync, lstatSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Refusal } from '../adapters/types.js';
import type { ApiKey } from '../domain/api-key.js';
import { isKeysError, KeysError } from '../domain/errors.js';
import { safeText } from '../domain/text.js';
import type { Verifier } from '../verifier/verifier.js';
import { type Decision, decide, type Requirements } from './auth.js';
import type { Log } from './log.js';
import { type Endpoint, Metrics } from './metrics.js';
import { problem } from './problem.js';
import { loggedPath } from './target.js';
import { readQuestion, verdictJson } from './verify-request.js';

/** Where to listen: an address and a port (0: any that is free), or the path of a Unix socket. */
export type Listen = { readonly host: string; readonly port: number } | { readonly path: string };

export interface ServerOptions {
  readonly verifier: Verifier;
  readonly requirements: Requirements;
  readonly log: Log;
  /** Which requests are logged: `refused` is every one that was not let in. */
  readonly logged: 'all' | 'refused' | 'none';
  /** Rejects when the store cannot answer. */
  readonly ping: () => Promise<void>;
  readonly limits?: Partial<Limits> | undefined;
}

/** Milliseconds, and numbers of connections. */
export interface Limits {
  /** In which a request's header must have come, */
  readonly headers: number;
  /** and all of it. */
  readonly request: number;
  /** How often that is looked at. */
  readonly check: number;
  readonly keepAlive: number;
  readonly connections: number;
  /** How long a stopping server waits for answers under way. */
  readonly stop: number;
}

const LIMITS: Limits = {
  headers: 5000,
  request: 10_000,
  check: 1000,
  keepAlive: 65_000,
  connections: 10_000,
  stop: 10_000,
};
const MAX_HEADER_BYTES = 8192;
const HEALTH_FOR_MS = 1000;
const SOCKET_MODE = 0o660;

/** The verifier over HTTP, for proxies that ask about requests and for programs in any language. No request changes a key. */
export class AuthServer {
  readonly #options: ServerOptions;
  readonly #limits: Limits;
  readonly #metrics: Metrics;
  readonly #http: http.Server;
  #requirements: Requirements;
  #connections = 0;
  #stopping = false;
  #health: { readonly at: number; readonly answer: Promise<boolean> } | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#requirements = options.requirements;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#metrics = new Metrics(
      () => options.verifier.counters,
      () => this.#connections,
      {
        rssBytes: () => process.memoryUsage.rss(),
        cpuSeconds: () => {
          const { user, system } = process.cpuUsage();
          return (user + system) / 1e6;
        },
      },
    );
    this.#http = http.createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: this.#limits.headers,
        requestTimeout: this.#limits.request,
        connectionsCheckingInterval: this.#limits.check,
        keepAliveTimeout: this.#limits.keepAlive,
        noDelay: true,
      },
      (request, reply) => {
        const serving = request.url === '/auth' ? this.#auth(request, reply, false) : this.#serve(request, reply);
        serving.catch((error) => this.#failed(request, reply, error));
      },
    );
    this.#http.maxConnections = this.#limits.connections;
    this.#http.on('connection', (socket) => {
      this.#connections += 1;
      socket.once('close', () => {
        this.#connections -= 1;
      });
    });
  }

  /** Resolves to the address once requests are taken. Throws `listen_failed` for one that cannot be had. */
  async listen(where: Listen): Promise<string> {
    try {
      await this.#listenAt(where);
    } catch (error) {
      if (!('path' in where) || !(await isStale(where.path, error))) throw cannotListen(where, error as Error);
      rmSync(where.path);
      await this.#listenAt(where);
    }
    if ('path' in where) {
      chmodSync(where.path, SOCKET_MODE);
      return `unix:${where.path}`;
    }
    const { address, family, port } = this.#http.address() as AddressInfo;
    return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
  }

  #listenAt(where: Listen): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', reject);
      this.#http.listen('path' in where ? { path: where.path } : { host: where.host, port: where.port }, () => {
        this.#http.removeListener('error', reject);
        resolve();
      });
    });
  }

  /** From the next request on. */
  require(requirements: Requirements): void {
    this.#requirements = requirements;
  }

  /** Takes nothing more (a Unix socket goes at once), answers what is under way, and closes the verifier, which writes its last marks. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeIdleConnections();
    const cut = setTimeout(() => this.#http.closeAllConnections(), this.#limits.stop);
    await closed;
    clearTimeout(cut);
    await this.#options.verifier.close();
  }

  async #serve(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0];
    switch (path) {
      case '/auth':
        return this.#auth(request, reply, false);
      case '/auth/nginx':
        return this.#auth(request, reply, true);
      case '/verify':
        return this.#only(request, reply, ['POST'], () => this.#verify(request, reply));
      case '/healthz':
        return this.#only(request, reply, ['GET', 'HEAD'], () => this.#healthz(reply));
      case '/metrics':
        return this.#only(request, reply, ['GET', 'HEAD'], async () => {
          const text = await this.#metrics.text();
          const headers = { 'Content-Type': this.#metrics.contentType, 'Cache-Control': 'no-store' };
          this.#head(reply, 200, headers).end(text);
        });
      default:
        this.#refuse(reply, problem(404, 'not_found', 'there are /auth, /auth/nginx, /verify, /healthz and /metrics'));
    }
  }

  async #only(
    request: IncomingMessage,
    reply: ServerResponse,
    methods: readonly string[],
    serve: () => Promise<void>,
  ): Promise<void> {
    if (methods.includes(request.method ?? '')) return serve();
    this.#refuse(
      reply,
      problem(405, 'method_not_allowed', `it takes ${methods.join(' and ')}`, { Allow: methods.join(', ') }),
    );
  }

  async #auth(request: IncomingMessage, reply: ServerResponse, forNginx: boolean): Promise<void> {
    const start = performance.now();
    const decision = await decide(request, this.#requirements, this.#options.verifier);
    const { answer } = decision;
    if (answer.ok) {
      const headers = aboutKey(answer.key).slice();
      for (const name in answer.headers) headers.push(name, answer.headers[name] as string);
      this.#head(reply, 200, headers).end();
    } else this.#refuse(reply, answer, forNginx);
    this.#done('auth', decision, answer.ok ? 200 : answer.status, performance.now() - start);
  }

  async #verify(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const start = performance.now();
    const question = await readQuestion(request);
    if ('ok' in question) {
      this.#refuse(reply, question);
      this.#done('verify', { verdict: question.body.code }, question.status, performance.now() - start);
      return;
    }
    const { verifier } = this.#options;
    try {
      const verdict = await verifier.verify(question.key, { scopes: question.scopes });
      this.#send(reply, 200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }, verdictJson(verdict));
      const keyId = verdict.verdict === 'invalid' ? undefined : verdict.key.id;
      const decision = { verdict: verdict.verdict, keyId };
      this.#done('verify', decision, 200, performance.now() - start);
    } catch (error) {
      const unavailable = problem(503, 'unavailable', 'API keys cannot be checked at the moment', {
        'Retry-After': '1',
      });
      this.#refuse(reply, unavailable);
      this.#done('verify', { verdict: 'unavailable', trouble: error }, 503, performance.now() - start);
    }
  }

  async #healthz(reply: ServerResponse): Promise<void> {
    if (this.#stopping) return this.#refuse(reply, problem(503, 'stopping', 'the server is stopping'));
    const now = performance.now();
    if (this.#health === undefined || now - this.#health.at > HEALTH_FOR_MS) {
      const answer = this.#options.ping().then(
        () => true,
        () => false,
      );
      this.#health = { at: now, answer };
    }
    if (await this.#health.answer) this.#send(reply, 200, { 'Content-Type': 'application/json' }, { status: 'ok' });
    else this.#refuse(reply, problem(503, 'unavailable', 'the store does not answer'));
  }

  /** While the server stops, an answer is the last of its connection: `stop` waits for all of them. */
  #head(reply: ServerResponse, status: number, headers: http.OutgoingHttpHeaders | string[]): ServerResponse {
    if (this.#stopping) reply.setHeader('Connection', 'close');
    return reply.writeHead(status, headers);
  }

  #send(reply: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body: unknown): void {
    const text = JSON.stringify(body);
    this.#head(reply, status, { ...headers, 'Content-Length': Buffer.byteLength(text) }).end(text);
  }

  /** nginx's `auth_request` knows 401 and 403 only, and takes anything else for a failure: the true status goes beside. */
  #refuse(reply: ServerResponse, { status, headers, body }: Refusal, forNginx = false): void {
    if (forNginx) this.#send(reply, status === 401 ? 401 : 403, { ...headers, 'X-Auth-Status': String(status) }, body);
    else this.#send(reply, status, headers, body);
  }

  #done(
    endpoint: Endpoint,
    { verdict, keyId, method, uri, trouble }: Omit<Decision, 'answer'>,
    status: number,
    ms: number,
  ): void {
    this.#metrics.answered(endpoint, verdict, ms / 1000);
    const { log, logged } = this.#options;
    if (trouble !== undefined) log.line('error', 'no verdict', { endpoint, ...describe(trouble) });
    if (logged === 'none' || (logged === 'refused' && verdict === 'valid')) return;
    const rounded = Math.round(ms * 1000) / 1000;
    const path = uri === undefined ? undefined : loggedPath(uri);
    log.line('info', 'request', { endpoint, method: method?.slice(0, 20), path, status, verdict, keyId, ms: rounded });
  }

  #failed(request: IncomingMessage, reply: ServerResponse, error: unknown): void {
    if (request.destroyed && !request.complete) return; // whoever asked went away in the middle
    this.#options.log.line('error', 'a request failed', describe(error));
    if (reply.headersSent) reply.destroy();
    else this.#refuse(reply, problem(500, 'internal', 'something went wrong'));
  }
}

/** What the server behind a proxy is told of a key; worked out once for a key as it is. */
const known = new WeakMap<ApiKey, readonly string[]>();

function aboutKey(key: ApiKey): readonly string[] {
  const before = known.get(key);
  if (before) return before;
  const { id, mode, scopes, name } = key;
  const headers = [
    ...['X-Api-Key-Id', id, 'X-Api-Key-Mode', mode, 'X-Api-Key-Scopes', scopes.join(' ')],
    ...['X-Api-Key-Name', encodeURIComponent(name), 'Cache-Control', 'no-store', 'Content-Length', '0'],
  ];
  known.set(key, headers);
  return headers;
}

/** What may be logged of an error: ours say what is wrong, and others their kind. */
function describe(error: unknown): { readonly error: string; readonly code?: string } {
  if (isKeysError(error)) return { error: safeText(error.message), code: error.code };
  return { error: error instanceof Error ? error.name : 'unknown' };
}

/** A socket that a killed server left behind: nobody listens on it any more. */
async function isStale(path: string, error: unknown): Promise<boolean> {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !lstatSync(path).isSocket()) return false;
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'));
  });
}

function cannotListen(where: Listen, error: Error): KeysError {
  const { code } = error as NodeJS.ErrnoException;
  const place = 'path' in where ? where.path : `${where.host}:${where.port}`;
  const hints: Readonly<Record<string, string>> = {
    EADDRINUSE: 'another program listens there: choose another port, or stop it',
    EACCES: 'it takes more rights: choose a port above 1023, or a directory of your own',
    EADDRNOTAVAIL: 'this machine has no such address',
  };
  return new KeysError(
    'listen_failed',
    `cannot listen on ${safeText(place)} (${code ?? 'unknown error'})`,
    hints[code ?? ''],
  );
}
