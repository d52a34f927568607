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
import { onTestFinished } from 'vitest';

/** What becomes of one request that would otherwise be carried out and answered. */
export type Fault =
  /** The connection is cut; the server hears nothing. */
  | 'drop'
  /** The server carries it out; the connection is cut before a byte of the reply. */
  | 'cut-before-reply'
  /** Likewise, in the middle of the reply. */
  | 'cut-reply'
  /** The server hears nothing, and the client neither. */
  | 'swallow'
  /** The server carries it out; the client never hears of it. */
  | 'swallow-reply'
  /** As a load balancer answers whose server does not: nothing was carried out. */
  | 'unavailable'
  /** As a load balancer answers that lost patience: it was carried out. */
  | 'gateway-timeout'
  /** The server hears of it only then. */
  | { readonly holdUntil: Promise<unknown> }
  /** The server carries it out at once, and the client hears of it only then. */
  | { readonly replyAfter: Promise<unknown> }
  /** The server carries it out, and the client is told something else. */
  | { readonly spoil: (reply: string) => string };

interface Reply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Headers that belong to one of the two connections, not to the message. */
const OF_ONE_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

/**
 * A proxy before a real server, made by {@link faultyProxy}: it hands everything on, and fails where it is told to. Requests are
 * counted from 1 as they arrive, faults are told by that count.
 */
export class FaultyProxy {
  /** The bodies of all requests so far, faulty ones included. */
  readonly bodies: string[] = [];
  /** Connections that clients made. */
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

  /** How many requests came. */
  get requests(): number {
    return this.bodies.length;
  }

  /** The `nth` request to come from now on fails like this: 1 is the next one. */
  at(nth: number, fault: Fault): this {
    this.#faults.set(this.requests + nth, fault);
    return this;
  }

  /** Every request that has no fault of its own fails like this, until told otherwise; null: none does. */
  always(fault: Fault | null): this {
    this.#always = fault;
    return this;
  }

  /** Settled when so many requests have come altogether. */
  arrived(count: number): Promise<void> {
    if (this.requests >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Cuts the connections that stand, as a server does that was restarted: the client hears of it at its next request. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** New connections are reset as soon as they stand, those that stand are cut. */
  reset(on = true): void {
    this.#resetting = on;
    this.cutConnections();
  }

  /** Nobody listens any more, until {@link listen}: connections are refused. */
  async refuse(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutConnections();
    await closed;
  }

  /** Listens, again at the same port. */
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

/** A proxy before the server at `target`, which ends with the test. */
export async function faultyProxy(target: string): Promise<FaultyProxy> {
  const proxy = new FaultyProxy(target);
  await proxy.listen();
  onTestFinished(() => proxy.end());
  return proxy;
}
