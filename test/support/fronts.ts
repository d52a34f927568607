import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from 'node:http';
import { connect } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Place } from './built-tool.js';
import { Served } from './served.js';
import { freePorts } from './sqld.js';

/** A proxy that asks `serve`, and a server behind it. */
export interface Front {
  readonly place: Place;
  readonly served: Served;
  /** What reached the server behind the proxy. */
  readonly reached: { url: string; headers: IncomingHttpHeaders }[];
  get(
    target: string,
    keyString?: string,
    method?: string,
    more?: Record<string, string>,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>;
}

const PROXIES = {
  nginx(place: Place, site: string) {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    place.write(
      'nginx.conf',
      `daemon off; pid nginx.pid; error_log stderr warn; worker_processes 1; events { worker_connections 64; }
     http { access_log off; ${temporary.map((each) => `${each}_temp_path ${each};`).join(' ')}\n${site}}`,
    );
    return spawn('nginx', ['-p', place.dir, '-c', place.file('nginx.conf')], { stdio: 'ignore' });
  },
  caddy(place: Place, site: string) {
    const config = place.write('Caddyfile', `{\n\tadmin off\n\tauto_https off\n}\n${site}`);
    const env = { PATH: process.env.PATH, HOME: place.home };
    return spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', config], { stdio: 'ignore', env });
  },
};
export type ProxyName = keyof typeof PROXIES;

async function listening(port: number, proxy: ChildProcess): Promise<void> {
  while (proxy.exitCode === null) {
    const socket = connect({ host: '127.0.0.1', port });
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
  }
  throw new Error(`the proxy ended with ${proxy.exitCode}`);
}

const answer: RequestListener = (call, reply) => {
  reply.writeHead(call.url === '/plans/403' ? 403 : 200).end('from upstream');
};

export interface Setup {
  /** The proxy's configuration, with the addresses that docs/serve.md uses. */
  readonly site: string;
  /** The text of a file. */
  readonly rules: string;
  /** More flags for `serve`. */
  readonly flags?: readonly string[];
  /** What is behind the proxy. Default: a server that answers everything. */
  readonly upstream?: Server;
}

export async function behind(
  proxy: ProxyName,
  place: Place,
  { site, rules, flags = [], upstream = createServer(answer) }: Setup,
): Promise<Front> {
  await place.key('first'); // a store
  place.write('rules.yaml', rules);
  const listen = ['--listen', '127.0.0.1:0', '--environment', 'test', '--require', 'rules.yaml'];
  const served = new Served(place, [...listen, ...flags]);
  const keys = new URL(await served.url()).host;
  const reached: Front['reached'] = [];
  upstream.prependListener('request', ({ url = '', headers }) => void reached.push({ url, headers }));
  const [front = 0, port = 0] = await freePorts(2);
  upstream.listen(port, '127.0.0.1');
  await once(upstream, 'listening');
  onTestFinished(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const text = site
    .replaceAll('127.0.0.1:8787', keys)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${front}`)
    .replaceAll('127.0.0.1:3000', `127.0.0.1:${port}`);
  const child = PROXIES[proxy](place, text);
  onTestFinished(() => void child.kill('SIGTERM'));
  await listening(front, child);
  const get: Front['get'] = async (target, keyString, method = 'GET', more = {}) => {
    const headers = keyString === undefined ? more : { ...more, authorization: `Bearer ${keyString}` };
    const call = request({ host: '127.0.0.1', port: front, path: target, method, headers });
    // A proxy may refuse a HEAD with a body, which the client reports after the response.
    call.on('error', () => {});
    call.end();
    const upgraded = once(call, 'upgrade').then(([reply, socket]) => {
      socket.destroy();
      return { status: reply.statusCode, headers: reply.headers, body: '' };
    });
    const answered = once(call, 'response').then(([reply]) => reply as IncomingMessage);
    const reply = await Promise.race([answered, upgraded]);
    if ('body' in reply) return reply;
    let body = '';
    for await (const part of reply) body += part;
    return { status: reply.statusCode ?? 0, headers: reply.headers, body };
  };
  return { place, served, reached, get };
}
