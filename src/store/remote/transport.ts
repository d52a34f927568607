import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RemoteAddress } from './address.js';

// `node:http` and not `fetch`, which costs a short-lived process more than the whole of the rest (decision 9). It follows no redirects,
// so a token never goes to another host.

/** More than any page of ours holds; a server that sends more is not one of ours. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Why a request came to nothing. */
export type Fault =
  /** No connection was made: the server cannot have heard anything. */
  | 'unreachable'
  /** The connection is not to be trusted. */
  | 'untrusted'
  /** It broke off; the server may have done what was asked. */
  | 'broken'
  /** No answer in time; likewise. */
  | 'silent'
  /** An answer that is too large, or packed though nobody asked for it. */
  | 'garbled';

export class TransportError extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, message: string) {
    super(message);
    this.fault = fault;
  }
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly redirect: boolean;
}

/** Codes of Node's TLS layer for certificates that do not check out. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|EPROTO|ERR_SSL/;

/** Posts to one address, over connections that are kept for the next call. */
export class Transport {
  readonly #address: RemoteAddress;
  readonly #timeoutMs: number;
  readonly #standing = new WeakSet<Socket>();
  #client: Promise<{ request: typeof import('node:http').request; agent: Agent }> | undefined;

  constructor(address: RemoteAddress, timeoutMs: number) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
  }

  async #open() {
    const module = this.#address.secure ? await import('node:https') : await import('node:http');
    return { request: module.request, agent: new module.Agent({ keepAlive: true, maxSockets: 8 }) };
  }

  /** One request, one answer, whatever its status. Throws {@link TransportError}. */
  async post(body: string, token: string | undefined): Promise<Answer> {
    this.#client ??= this.#open();
    const { request, agent } = await this.#client;
    const { host, port, path, secure } = this.#address;
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(token !== undefined && token !== '' && { authorization: `Bearer ${token}` }),
      };
      const call = request({
        host,
        port,
        path,
        method: 'POST',
        agent,
        headers,
        ...(secure && { rejectUnauthorized: true }), // NODE_TLS_REJECT_UNAUTHORIZED has no say here
      });
      const reached = this.#watch(call);
      const timer = setTimeout(() => {
        settle(
          reject,
          new TransportError(reached() ? 'silent' : 'unreachable', `no answer within ${this.#timeoutMs} ms`),
        );
        call.destroy();
      }, this.#timeoutMs);
      const settle = <T>(how: (value: T) => void, value: T): void => {
        clearTimeout(timer);
        how(value);
      };
      call.on('error', (error) => settle(reject, faultOf(error, reached())));
      call.on('response', (answer) => {
        readAnswer(answer).then(
          (text) => {
            const status = answer.statusCode ?? 0;
            settle(resolve, { status, text, redirect: status >= 300 && status < 400 });
          },
          (error) => {
            settle(reject, faultOf(error, true));
            call.destroy();
          },
        );
      });
      call.end(body);
    });
  }

  /**
   * Tells whether a byte of the request can have been sent: not before its connection stands (with TLS: before it is trusted). Node's own
   * `reusedSocket` does not tell: a request that waited for a connection to become free goes without it.
   */
  #watch(call: ClientRequest): () => boolean {
    let reached = false;
    call.on('socket', (socket) => {
      reached = this.#standing.has(socket);
      if (reached) return;
      socket.once(this.#address.secure ? 'secureConnect' : 'connect', () => {
        this.#standing.add(socket);
        reached = true;
      });
    });
    return () => reached;
  }

  async close(): Promise<void> {
    (await this.#client)?.agent.destroy();
  }
}

function faultOf(error: Error & { code?: string }, reached: boolean): TransportError {
  if (error instanceof TransportError) return error;
  const code = error.code ?? '';
  if (code.startsWith('HPE_')) return new TransportError('garbled', code); // no HTTP at all
  if (UNTRUSTED.test(code)) return new TransportError('untrusted', code);
  return new TransportError(reached ? 'broken' : 'unreachable', code || 'connection lost');
}

/** The whole of an answer. Listening costs a short-lived process less than the iterator that a stream offers. */
function readAnswer(answer: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    if ((answer.headers['content-encoding'] ?? 'identity') !== 'identity')
      reject(new TransportError('garbled', 'packed although nobody asked for it'));
    const parts: Buffer[] = [];
    let size = 0;
    answer.on('data', (part: Buffer) => {
      size += part.length;
      if (size > MAX_ANSWER_BYTES) reject(new TransportError('garbled', `more than ${MAX_ANSWER_BYTES} bytes`));
      else parts.push(part);
    });
    answer.on('error', reject);
    answer.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
  });
}
