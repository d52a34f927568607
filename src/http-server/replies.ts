import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Headers, Refusal } from '../http/types.js';

/** Sends responses. While the server stops, each one closes its connection, because `stop` waits for all connections. */
export class Replies {
  closeConnections = false;

  empty(reply: ServerResponse, status: number, headers: string[]): void {
    this.#head(reply, status, headers).end();
  }

  text(reply: ServerResponse, status: number, headers: Headers, text: string): void {
    this.#head(reply, status, { ...headers, 'Content-Length': Buffer.byteLength(text) }).end(text);
  }

  json(reply: ServerResponse, status: number, body: unknown, headers: Headers = {}): void {
    this.text(reply, status, { 'Content-Type': 'application/json', ...headers }, JSON.stringify(body));
  }

  refusal(reply: ServerResponse, { status, headers, body }: Refusal): void {
    this.json(reply, status, body, headers);
  }

  /** nginx's `auth_request` takes any refusal but 401 and 403 for a failure, so the real status goes into `X-Auth-Status`. */
  refusalForNginx(reply: ServerResponse, { status, headers, body }: Refusal): void {
    this.json(reply, status === 401 ? 401 : 403, body, { ...headers, 'X-Auth-Status': String(status) });
  }

  #head(reply: ServerResponse, status: number, headers: OutgoingHttpHeaders | string[]): ServerResponse {
    if (this.closeConnections) reply.setHeader('Connection', 'close');
    return reply.writeHead(status, headers);
  }
}
