import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { onTestFinished } from 'vitest';

/** What a wrong response can contain. */
interface Call {
  readonly authorization: string;
  /** The target of a redirect. */
  readonly elsewhere: string;
  /** As many steps as the request's batch has. */
  readonly steps: number;
}

type Answer = (reply: ServerResponse, call: Call) => void;

const json = (value: unknown): Answer => text(JSON.stringify(value));

function text(body: string, status = 200, type = 'application/json'): Answer {
  return (reply) => void reply.writeHead(status, { 'content-type': type }).end(body);
}

function redirect(status: number): Answer {
  return (reply, { elsewhere }) => void reply.writeHead(status, { location: `${elsewhere}/v2/pipeline` }).end();
}

/** Raw bytes instead of an HTTP response. */
function bytes(what: string): Answer {
  return ({ socket }) => socket?.end(what);
}

const HTML = '<!doctype html><html><title>Sign in</title><body><h1>Welcome to Hotel Wi-Fi</h1></body></html>';
const OK = JSON.stringify({ baton: null, base_url: null, results: [] });
const MEGABYTE = Buffer.alloc(1 << 20, ' ');

const failed = (message: string, code = 'SQLITE_ERROR') => ({ type: 'error', error: { message, code } });

/** A batch whose steps all end in the same way. */
function steps(result: unknown, error: unknown): Answer {
  return (reply, call) => {
    const all = (value: unknown) => Array.from({ length: call.steps }, () => value);
    const batch = { step_results: all(result), step_errors: all(error) };
    json({ results: [{ type: 'ok', response: { type: 'batch', result: batch } }] })(reply, call);
  };
}

const ANSWERS = {
  'status 204': text('', 204),
  'status 400': text('bad request', 400, 'text/plain'),
  'status 401': text('', 401),
  'status 403': text('', 403),
  'status 404': text(HTML, 404, 'text/html'),
  'status 429': text('slow down', 429, 'text/plain'),
  'status 500': text('internal error', 500, 'text/plain'),
  'status 502': text(HTML, 502, 'text/html'),
  'status 503': text('', 503),
  'status 500 in JSON': text('{"error":"internal error"}', 500),
  'redirect 301': redirect(301),
  'redirect 302': redirect(302),
  'redirect 307': redirect(307),
  'redirect 308': redirect(308),
  'no body': text(''),
  'cut JSON': text(OK.slice(0, -3)),
  'not JSON': text('hello', 200, 'text/plain'),
  HTML: text(HTML, 200, 'text/html'),
  'JSON null': text('null'),
  'a JSON list': text('[]'),
  'an empty object': text('{}'),
  'no results': json({ results: [] }),
  'results that are none': json({ results: 'x' }),
  'a null result': json({ results: [null] }),
  'a result of an unknown type': json({ results: [{ type: 'later' }] }),
  'a result without a response': json({ results: [{ type: 'ok' }] }),
  'an error without words': json({ results: [{ type: 'error' }] }),
  'an error that is none': json({ results: [failed(7 as unknown as string, null as unknown as string)] }),
  'a batch of nothing': json({ results: [{ type: 'ok', response: { type: 'batch', result: {} } }] }),
  'steps that neither ran nor failed': steps(null, null),
  'steps without rows': steps({ cols: [] }, null),
  'steps that ran and failed': steps({ cols: [], rows: [] }, { message: 'x', code: 'SQLITE_ERROR' }),
  'steps that failed without words': steps(null, {}),
  'nesting without an end': text('['.repeat(200_000)),
  'a hundred megabytes': (reply: ServerResponse) => {
    reply.writeHead(200, { 'content-type': 'application/json' });
    let left = 100;
    const more = (): void => {
      while (left-- > 0) if (!reply.write(MEGABYTE)) return void reply.once('drain', more);
      reply.end(OK);
    };
    more();
  },
  'an endless drip': (reply: ServerResponse) => {
    reply.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => reply.write(' '), 20);
    reply.on('close', () => clearInterval(drip));
  },
  silence: () => {},
  'headers, and then silence': (reply: ServerResponse) => {
    reply.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
  },
  'a body shorter than announced': (reply: ServerResponse) => {
    reply.writeHead(200, { 'content-length': OK.length + 10 });
    reply.write(OK, () => reply.socket?.end());
  },
  'gzip that nobody asked for': (reply: ServerResponse) => {
    reply.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync(OK));
  },
  'another protocol': bytes('SSH-2.0-OpenSSH_9.2p1\r\n'),
  'headers too large': bytes(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1 << 20)}\r\n\r\n`),
  'a hung-up connection': bytes(''),
  'the token in a failure': (reply: ServerResponse, call: Call) =>
    text(`cannot serve ${call.authorization}`, 500, 'text/plain')(reply, call),
  'the token in a refusal': (reply: ServerResponse, call: Call) =>
    text(`{"error":"bad token ${call.authorization}"}`, 401)(reply, call),
  'the token in a complaint': (reply: ServerResponse, call: Call) =>
    text(`no such header: ${call.authorization}`, 400, 'text/plain')(reply, call),
  'the token in an error': (reply: ServerResponse, call: Call) =>
    json({ results: [failed(`denied to ${call.authorization}`, call.authorization)] })(reply, call),
  'the token in a step': (reply: ServerResponse, call: Call) =>
    steps(null, { message: `denied to ${call.authorization}`, code: call.authorization })(reply, call),
  'terminal escapes in a failure': text('\u001b[2J\u001b]0;owned\u0007 gone', 500, 'text/plain'),
  'terminal escapes in a step': steps(null, { message: '\u001b[2J owned', code: '\u001b[2J\u202e' }),
} satisfies Record<string, Answer>;

export type Hostile = keyof typeof ANSWERS;

/** Every way in which {@link hostile} can answer. */
export const HOSTILE = Object.keys(ANSWERS) as Hostile[];

export interface HostileServer {
  readonly url: string;
  /** The number of requests received. */
  readonly requests: number;
  /** The Authorization headers that the target of a redirect received. */
  readonly strayed: readonly string[];
}

async function serve(listener: RequestListener): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer(listener).on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function stepsOf(body: string): number {
  try {
    return (JSON.parse(body) as { requests: [{ batch: { steps: unknown[] } }] }).requests[0].batch.steps.length;
  } catch {
    return 0;
  }
}

/** A server that answers every request in this wrong way, until the test ends. */
export async function hostile(kind: Hostile): Promise<HostileServer> {
  const seen = { requests: 0, strayed: [] as string[] };
  const elsewhere = await serve((call, reply) => {
    seen.strayed.push(call.headers.authorization ?? '');
    reply.end(OK);
  });
  const respond = async (call: IncomingMessage, reply: ServerResponse): Promise<void> => {
    seen.requests += 1;
    const body = (await buffer(call)).toString();
    const answer: Answer = ANSWERS[kind];
    answer(reply, { authorization: call.headers.authorization ?? '', elsewhere, steps: stepsOf(body) });
  };
  const url = await serve((call, reply) => void respond(call, reply).catch(() => reply.destroy()));
  return {
    url,
    get requests() {
      return seen.requests;
    },
    strayed: seen.strayed,
  };
}
