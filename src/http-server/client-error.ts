import { problem } from '../http/problem.js';
import type { Refusal } from '../http/types.js';

/**
 * The response to bytes that are not a request, and to a request that took too long. Null when the client is gone: nobody is left to
 * answer.
 */
export function refusalOfConnection(error: NodeJS.ErrnoException): Refusal | null {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'HPE_INVALID_EOF_STATE': // it left in the middle of a request
      return null;
    case 'HPE_HEADER_OVERFLOW':
      return problem(431, 'headers_too_large', 'the headers are too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problem(408, 'timeout', 'the request took too long');
    default:
      return problem(400, 'malformed', 'this is not an HTTP request');
  }
}

/** The part of a socket that is used here. */
export interface Connection {
  readonly writable: boolean;
  end(text: string, done: () => void): unknown;
  destroy(): unknown;
}

/** Answers on a connection that has no response object, and ends it. */
export function refuseConnection(socket: Connection, { status, headers, body }: Refusal): void {
  if (!socket.writable) return void socket.destroy();
  const text = JSON.stringify(body);
  const fields = { ...headers, 'Content-Length': Buffer.byteLength(text), Connection: 'close' };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${body.title}\r\n${head.join('')}\r\n${text}`, () => socket.destroy());
}
