import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { atEnd } from './lifetime.js';

/** What happens to one request instead of a normal response. */
export type Fault =
  /** The connection is cut, and the server gets nothing. */
  | 'drop'
  /** The server executes it; the connection is cut before the first byte of the response. */
  | 'cut-before-reply'
  /** The same, in the middle of the response. */
  | 'cut-reply'
  /** Neither the server nor the client gets anything. */
  | 'swallow'
  /** The server executes it; the client never gets a response. */
  | 'swallow-reply'
  /** The response of a load balancer whose server is down: nothing was executed. */
  | 'unavailable'
  /** The response of a load balancer that timed out: the request was executed. */
  | 'gateway-timeout'
  /** A normal response, and from then on connections are refused. */
  | 'last-answer'
  /** The server gets it after a delay. */
  | { readonly holdUntil: Promise<unknown> }
  /** The server executes it at once; the client gets the response after a delay. */
  | { readonly replyAfter: Promise<unknown> }
  /** The server executes it; the client gets a changed response. */
  | { readonly spoil: (reply: string) => string };

interface Reply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Hop-by-hop headers. */
const OF_ONE_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

/**
 * A proxy in front of a real server, made by {@link faultyProxy}: it forwards everything, and fails where a test tells it to. Faults are set by
 * the number of a request; the first is 1.
 */
export class FaultyProxy {
  /** The bodies of all requests so far, faulty ones included. */
  readonly bodies: string[] = [];
  /** The number of connections that clients opened. */
  connections = 0;
  readonly #target: URL;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #agent = new Agent({ keepAlive: false });
  readonly #faults = new Map<number, Fault>();
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  #always: Fault | null = null;
  #resetting = false;
  #port = 0;

  constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((call, reply) => void this.#handle(call, reply).catch(() => call.socket.destroy()));
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      if (this.#resetting) return socket.resetAndDestroy();
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The number of requests received. */
  get requests(): number {
    return this.bodies.length;
  }

  /** Makes the `nth` request from now on fail like this; 1 is the next one. */
  at(nth: number, fault: Fault): this {
    this.#faults.set(this.requests + nth, fault);
    return this;
  }

  /** Makes every request without its own fault fail like this, until this is called again; null: none fails. */
  always(fault: Fault | null): this {
    this.#always = fault;
    return this;
  }

  /** Resolves when this many requests have arrived in all. */
  arrived(count: number): Promise<void> {
    if (this.requests >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Cuts the open connections, as a restarted server does: the client notices at its next request. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Cuts the open connections, and resets each new one as soon as it opens. */
  reset(on = true): void {
    this.#resetting = on;
    this.cutConnections();
  }

  /** Stops listening until {@link listen}: connections are refused. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutConnections();
    await closed;
  }

  /** Listens again, on the same port. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async end(): Promise<void> {
    if (this.#server.listening) await this.refuse();
    this.#agent.destroy();
  }

  async #handle(call: IncomingMessage, reply: ServerResponse): Promise<void> {
    const body = await buffer(call);
    this.bodies.push(body.toString());
    const fault = this.#faults.get(this.requests) ?? this.#always;
    for (const { count, resolve } of this.#waiting) if (this.requests >= count) resolve();
    const cut = () => call.socket.destroy();
    if (fault === 'drop') return void cut();
    if (fault === 'swallow') return;
    if (fault === 'unavailable') return answer(reply, plain(503, 'upstream connect error'));
    if (typeof fault === 'object' && fault && 'holdUntil' in fault) await fault.holdUntil;
    const given = await this.#forward(call, body);
    if (fault === 'cut-before-reply') return void cut();
    if (fault === 'swallow-reply') return;
    if (fault === 'gateway-timeout') return answer(reply, plain(504, 'upstream request timeout'));
    if (fault === 'last-answer') {
      this.#server.close();
      reply.setHeader('connection', 'close');
    }
    if (fault === 'cut-reply') {
      reply.writeHead(given.status, { ...given.headers, 'content-length': given.body.length });
      reply.write(given.body.subarray(0, given.body.length >> 1), cut);
      return;
    }
    if (typeof fault === 'object' && fault && 'replyAfter' in fault) await fault.replyAfter;
    if (typeof fault === 'object' && fault && 'spoil' in fault)
      return answer(reply, { ...given, body: Buffer.from(fault.spoil(given.body.toString())) });
    answer(reply, given);
  }

  async #forward({ method = 'POST', url: path = '/', headers }: IncomingMessage, body: Buffer): Promise<Reply> {
    const { hostname, port, host } = this.#target;
    const own = Object.entries(headers).filter(([name]) => !OF_ONE_HOP.has(name));
    const onwards = { ...Object.fromEntries(own), host, 'content-length': body.length };
    const call = request({ hostname, port, path, method, agent: this.#agent, headers: onwards }).end(body);
    const [given] = (await once(call, 'response')) as [IncomingMessage];
    const kept = Object.entries(given.headers).filter(([name]) => !OF_ONE_HOP.has(name));
    return { status: given.statusCode ?? 0, headers: Object.fromEntries(kept), body: await buffer(given) };
  }
}

function plain(status: number, text: string): Reply {
  return { status, headers: { 'content-type': 'text/plain' }, body: Buffer.from(text) };
}

function answer(reply: ServerResponse, { status, headers, body }: Reply): void {
  reply.writeHead(status, { ...headers, 'content-length': body.length }).end(body);
}

/** A proxy in front of the server at `target`; it ends with the test, or with the block that shares it. */
export async function faultyProxy(target: string): Promise<FaultyProxy> {
  const proxy = new FaultyProxy(target);
  await proxy.listen();
  atEnd(() => proxy.end());
  return proxy;
}
