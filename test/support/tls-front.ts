import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, connect, createServer as createRelay, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { certificate } from './certificate.js';

/** A server over TLS in front of another, with a certificate of its own. */
export interface TlsFront {
  readonly url: string;
  readonly cert: string;
  /** The requests that it heard. */
  readonly heard: IncomingMessage[];
  /**
   * Whether the connection breaks where the answer to a request would be: the server behind has answered, and what comes is no record of
   * TLS. Default: never.
   */
  breaks(body: string, call: IncomingMessage): boolean;
}

export async function tlsFront(target: string): Promise<TlsFront> {
  const clients: Socket[] = [];
  const front = {
    url: '',
    cert: '',
    heard: [] as IncomingMessage[],
    breaks: (_body: string, _call: IncomingMessage) => false,
  };
  const { key, cert } = certificate('localhost');
  const server = createServer({ key, cert }, async (call, reply) => {
    front.heard.push(call);
    const body = await buffer(call);
    const { method, url: path, headers } = call;
    const onward = request(target, { method, path, headers }, async (answer) => {
      const text = await buffer(answer);
      if (front.breaks(body.toString(), call)) return void clients.at(-1)?.write('no record of TLS');
      reply.writeHead(answer.statusCode ?? 0, answer.headers).end(text);
    });
    onward.on('error', () => reply.destroy());
    onward.end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const relay = createRelay((client) => {
    clients.push(client);
    const behind = connect({ host: '127.0.0.1', port });
    for (const socket of [client, behind]) socket.on('error', () => {});
    client.pipe(behind).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  onTestFinished(() => {
    for (const each of clients) each.destroy();
    relay.close();
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(front, { url: `https://localhost:${(relay.address() as AddressInfo).port}`, cert });
}
