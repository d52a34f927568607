import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { problem } from '../http/problem.js';
import type { Refusal } from '../http/types.js';
import { type Connection, refusalOfConnection, refuseConnection } from './client-error.js';
import { HealthCheck } from './health.js';
import { type Listen, listen } from './listen.js';
import { Replies } from './replies.js';

/** Times in milliseconds. */
export interface Limits {
  /** Time allowed for the header of a request. */
  readonly headers: number;
  /** Time allowed for the whole request. */
  readonly request: number;
  /** How often both are checked. */
  readonly check: number;
  /** How long a connection stays open without a request. */
  readonly keepAlive: number;
  /** Number of open connections. */
  readonly connections: number;
  /** How long `stop` waits for requests in progress. */
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
/** What nginx takes by default (four buffers of 8 KiB), with another copy of the request line, and what a proxy adds. */
const MAX_HEADER_BYTES = 42 * 1024;

/** What a server does with its requests. */
export interface Service {
  /** Answers a request, at once if it returns nothing. What it throws or rejects with is a bug, and is answered with 500. */
  serve(request: IncomingMessage, reply: ServerResponse): Promise<void> | undefined;
  /** Told of a request that reached no endpoint, or was none. */
  refused(code: string, status: number): void;
  failed(error: unknown): void;
}

export interface HttpServerOptions {
  readonly service: Service;
  /** Rejects when the store does not answer. */
  readonly ping: () => Promise<void>;
  readonly limits?: Partial<Limits> | undefined;
}

/** A server with bounds for everything that a client decides, with health checks, and with an orderly end. */
export class HttpServer {
  readonly replies = new Replies();
  readonly #service: Service;
  readonly #limits: Limits;
  readonly #health: HealthCheck;
  readonly #http: http.Server;
  #connections = 0;
  #stopping = false;

  constructor({ service, ping, limits }: HttpServerOptions) {
    this.#service = service;
    this.#limits = { ...LIMITS, ...limits };
    this.#health = new HealthCheck(ping);
    this.#http = this.#createServer();
  }

  #createServer(): http.Server {
    const service = this.#service;
    const server = http.createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: this.#limits.headers,
        requestTimeout: this.#limits.request,
        connectionsCheckingInterval: this.#limits.check,
        keepAliveTimeout: this.#limits.keepAlive,
        noDelay: true,
      },
      (request, reply) => {
        try {
          service.serve(request, reply)?.catch((error) => this.#failed(request, reply, error));
        } catch (error) {
          this.#failed(request, reply, error);
        }
      },
    );
    server.maxConnections = this.#limits.connections;
    server.maxHeadersCount = 0; // no limit but the size: Node would drop those beyond it in silence
    server.on('clientError', (error, socket) => this.#refuseConnection(refusalOfConnection(error), socket));
    server.on('connect', (_, socket) =>
      this.#refuseConnection(problem(405, 'method_not_allowed', 'this server is not a proxy'), socket),
    );
    server.on('checkExpectation', (_, reply) =>
      this.refuse(reply, problem(417, 'expectation_failed', 'only Expect: 100-continue is known')),
    );
    server.on('drop', () => service.refused('too_many_connections', 0));
    server.on('connection', (socket) => {
      this.#connections += 1;
      socket.once('close', () => {
        this.#connections -= 1;
      });
    });
    return server;
  }

  /** How many are open. */
  get connections(): number {
    return this.#connections;
  }

  /** Resolves to the address, as text, once the server accepts requests. Throws `listen_failed` when the address is not available. */
  listen(where: Listen): Promise<string> {
    return listen(this.#http, where);
  }

  /** Accepts no more connections (a Unix socket is removed at once) and answers the requests in progress. False when it was called before. */
  async stop(): Promise<boolean> {
    if (this.#stopping) return false;
    this.#stopping = true;
    this.replies.closeConnections = true;
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeIdleConnections();
    const cut = setTimeout(() => this.#http.closeAllConnections(), this.#limits.stop);
    await closed;
    clearTimeout(cut);
    return true;
  }

  /** Refuses a request that reaches no endpoint. */
  refuse(reply: ServerResponse, refusal: Refusal): void {
    this.replies.refusal(reply, refusal);
    this.#service.refused(refusal.body.code, refusal.status);
  }

  /** Serves a request that has one of these methods. */
  async only(
    { method }: IncomingMessage,
    reply: ServerResponse,
    methods: readonly string[],
    serve: () => Promise<void>,
  ): Promise<void> {
    if (methods.includes(method ?? '')) return serve();
    const detail = `use ${methods.join(' or ')}`;
    this.refuse(reply, problem(405, 'method_not_allowed', detail, { Allow: methods.join(', ') }));
  }

  /** Serves `/healthz`: whether the store answers. */
  healthz(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    return this.only(request, reply, ['GET', 'HEAD'], async () => {
      if (this.#stopping) this.replies.refusal(reply, problem(503, 'stopping', 'the server is stopping'));
      else if (await this.#health.storeAnswers()) this.replies.json(reply, 200, { status: 'ok' });
      else this.replies.refusal(reply, problem(503, 'unavailable', 'the store does not answer'));
    });
  }

  /** Serves `/metrics`. */
  metrics(
    request: IncomingMessage,
    reply: ServerResponse,
    metrics: { readonly contentType: string; text(): Promise<string> },
  ): Promise<void> {
    return this.only(request, reply, ['GET', 'HEAD'], async () => {
      const headers = { 'Content-Type': metrics.contentType, 'Cache-Control': 'no-store' };
      this.replies.text(reply, 200, headers, await metrics.text());
    });
  }

  #refuseConnection(refusal: Refusal | null, socket: Connection): void {
    if (refusal === null) return void socket.destroy();
    refuseConnection(socket, refusal);
    this.#service.refused(refusal.body.code, refusal.status);
  }

  #failed(request: IncomingMessage, reply: ServerResponse, error: unknown): void {
    if (request.destroyed && !request.complete) return; // the client disconnected
    this.#service.failed(error);
    if (reply.headersSent) reply.destroy();
    else this.refuse(reply, problem(500, 'internal', 'internal error'));
  }
}
