import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { startTimer, stopTimer } from '../domain/real-time.js';

// `node:http` and not `fetch`: loading `fetch` costs a short-lived process more than everything else here (decision 9). It does not
// follow redirects, so a token never goes to another host.

/** Why a request failed. */
export type Fault =
  /** No connection was made: the server cannot have received anything. */
  | 'unreachable'
  /** The certificate of the server is not trusted. */
  | 'untrusted'
  /** The connection was lost; the server may have carried out the request. */
  | 'broken'
  /** No response in time; the server may have carried out the request. */
  | 'silent'
  /** A response that is too large, is compressed, or is not HTTP. */
  | 'garbled';

/** A request without a response. */
export class TransportError extends Error {
  readonly fault: Fault;
  /** Of a response that began, and could not be read. */
  readonly status: number | undefined;
  constructor(fault: Fault, message: string, status?: number) {
    super(message);
    this.fault = fault;
    this.status = status;
  }
}

/** A server to which requests are sent. */
export interface Server {
  /** True: TLS. */
  readonly secure: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
}

/** What is sent. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** JSON. */
  readonly body?: string;
  /** Sent as a bearer token; an empty one is not sent. */
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Less time for the response than usual, in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** Gives the request up, as if the time had run out. */
  readonly signal?: AbortSignal | undefined;
  /** Called when all of it has been sent: there is time now to load what comes after the answer. */
  readonly sent?: (() => void) | undefined;
}

/** A response, whatever its status. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly redirect: boolean;
}

/** Codes of Node's TLS layer for certificates that do not check out, as long as nothing was sent; after that, of a connection that broke. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|EPROTO|ERR_SSL/;

/** Sends requests to one server, over connections that are kept open between calls. */
export class Transport {
  readonly #server: Server;
  readonly #timeoutMs: number;
  readonly #established = new WeakSet<Socket>();
  #client: Promise<{ request: typeof import('node:http').request; agent: Agent }> | undefined;

  /** `timeoutMs`: how long to wait for one response. */
  constructor(server: Server, timeoutMs: number) {
    this.#server = server;
    this.#timeoutMs = timeoutMs;
  }

  async #open() {
    const module = this.#server.secure ? await import('node:https') : await import('node:http');
    return { request: module.request, agent: new module.Agent({ keepAlive: true, maxSockets: 8 }) };
  }

  /**
   * Sends one request and resolves to its response, whatever the status. Rejects with {@link TransportError}, also for a response of more
   * than `maxBytes`.
   */
  async send(
    { method, path, body, token, signal, sent, ...more }: HttpRequest,
    maxBytes: number,
  ): Promise<HttpResponse> {
    this.#client ??= this.#open();
    const { request, agent } = await this.#client;
    const { host, port, secure } = this.#server;
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = {
        ...more.headers,
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        ...(token !== undefined && token !== '' && { authorization: `Bearer ${token}` }),
      };
      const call = request({
        host,
        port,
        path,
        method,
        agent,
        headers,
        ...(secure && { rejectUnauthorized: true }), // NODE_TLS_REJECT_UNAUTHORIZED cannot turn this off
      });
      const reached = this.#watch(call);
      if (sent) call.once('finish', sent);
      const giveUp = (why: string) => {
        settle(reject, new TransportError(reached() ? 'silent' : 'unreachable', why));
        call.destroy();
      };
      const limit = Math.max(1, Math.min(this.#timeoutMs, more.timeoutMs ?? this.#timeoutMs));
      const timer = startTimer(() => giveUp(`did not answer within ${Math.ceil(limit / 100) / 10} s`), limit);
      const stop = () => giveUp('was not waited for any longer');
      const settle = <T>(how: (value: T) => void, value: T): void => {
        stopTimer(timer);
        signal?.removeEventListener('abort', stop);
        how(value);
      };
      let status: number | undefined;
      call.on('error', (error) => settle(reject, faultOf(error, reached(), status)));
      call.on('response', (response) => {
        const { statusCode = 0 } = response;
        status = statusCode;
        readBody(response, maxBytes).then(
          (text) => {
            const redirect = statusCode >= 300 && statusCode < 400;
            settle(resolve, { status: statusCode, headers: response.headers, text, redirect });
          },
          (error) => {
            settle(reject, faultOf(error, true, statusCode));
            call.destroy();
          },
        );
      });
      if (signal?.aborted) return stop();
      signal?.addEventListener('abort', stop, { once: true });
      call.end(body);
    });
  }

  /**
   * Answers whether a byte of the request can have been sent: not before its connection is established (with TLS: and trusted). Node's
   * `reusedSocket` cannot tell: it is false for a request that waited for a connection to become free.
   */
  #watch(call: ClientRequest): () => boolean {
    let reached = false;
    call.on('socket', (socket) => {
      reached = this.#established.has(socket);
      if (reached) return;
      socket.once(this.#server.secure ? 'secureConnect' : 'connect', () => {
        this.#established.add(socket);
        reached = true;
      });
    });
    return () => reached;
  }

  async close(): Promise<void> {
    (await this.#client)?.agent.destroy();
  }
}

function faultOf(error: Error & { code?: string }, reached: boolean, status?: number): TransportError {
  if (error instanceof TransportError) return new TransportError(error.fault, error.message, status);
  const code = error.code ?? '';
  if (code.startsWith('HPE_')) return new TransportError('garbled', code, status); // the response is not HTTP
  if (!reached && UNTRUSTED.test(code)) return new TransportError('untrusted', code);
  return new TransportError(reached ? 'broken' : 'unreachable', code || 'connection lost');
}

/** The whole body of a response. Events cost a short-lived process less than the stream's iterator. */
function readBody(response: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    if ((response.headers['content-encoding'] ?? 'identity') !== 'identity')
      reject(new TransportError('garbled', 'a compressed response'));
    const parts: Buffer[] = [];
    let size = 0;
    response.on('data', (part: Buffer) => {
      size += part.length;
      if (size > maxBytes) reject(new TransportError('garbled', `more than ${maxBytes} bytes`));
      else parts.push(part);
    });
    response.on('error', reject);
    response.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
  });
}
