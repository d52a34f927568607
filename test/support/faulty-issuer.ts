import { createHmac, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { mintKeyString } from '../../src/domain/key-parts.js';

// A server that issues keys as `unlockos-keys issue` does, for tests of those who ask it: it checks each ID token, takes it once for a key,
// remembers its keys, and can be told to answer in another way. And the service of GitHub that hands out ID tokens.

const SECRET = 'the key of the test provider';

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(body: string): string {
  return `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`;
}

/** An ID token for this audience, each with an id of its own. */
export function idToken(audience: string, claims: object = {}): string {
  const own = { iss: 'https://provider.example', sub: 'job', aud: audience, jti: randomUUID(), ...claims };
  return signed(`${part({ alg: 'HS256', typ: 'JWT' })}.${part(own)}`);
}

type Answer = (call: IncomingMessage, reply: ServerResponse, body: string) => unknown;

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly body: string;
}

export interface Issued {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly mode: string;
  readonly scopes: readonly string[];
  readonly expiresAt: string | null;
}

/** Problem details. */
export function problem(
  status: number,
  code: string,
  detail: string,
  headers: Record<string, string> = {},
  more: object = {},
): Answer {
  return (_, reply) =>
    void reply
      .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
      .end(JSON.stringify({ type: 'about:blank', status, code, detail, ...more }));
}

export class FaultyIssuer {
  /** The keys that were made and not deleted, by their ids. */
  readonly keys = new Map<string, Issued>();
  /** All that were made. */
  readonly made: Issued[] = [];
  readonly calls: Call[] = [];
  /** How to answer the next requests of a method, one each, instead of doing what they ask for. */
  readonly next: { POST: Answer[]; DELETE: Answer[]; GET: Answer[] } = { POST: [], DELETE: [], GET: [] };
  now = () => new Date();
  /** The keys that ID tokens gave, by the ids of the tokens. */
  readonly #used = new Map<string, string>();
  #taken = '';
  #url = '';
  /** What the job of GitHub identifies itself with. */
  readonly requestToken = 'request-token-of-the-runner';

  get url(): string {
    return this.#url;
  }

  /** The variables of a GitHub job with `permissions: id-token: write`. */
  get github(): Record<string, string> {
    return {
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      ACTIONS_ID_TOKEN_REQUEST_URL: `${this.#url}/token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: this.requestToken,
    };
  }

  /** An ID token for this server. */
  token(claims: object = {}): string {
    return idToken(this.#url, claims);
  }

  /** How many requests of a method there were. */
  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  async listen(): Promise<this> {
    const server = createServer((call, reply) => void this.#answer(call, reply)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return this;
  }

  async #answer(call: IncomingMessage, reply: ServerResponse): Promise<void> {
    const body = await text(call);
    const method = call.method as 'POST' | 'DELETE' | 'GET';
    const token = call.headers.authorization?.replace(/^Bearer /, '') ?? '';
    this.calls.push({ method, path: call.url ?? '', token, body });
    const instead = this.next[method].shift();
    if (instead) return void instead(call, reply, body);
    if (method === 'GET') return this.#serveToken(call, reply, token);
    const refusal = this.#refusal(token, method);
    if (refusal) return void refusal(call, reply, body);
    if (method === 'POST') return void this.issue(body, reply);
    this.keys.delete(call.url?.split('/').at(-1) ?? '');
    reply.writeHead(204).end();
  }

  /** Makes a key, and answers with it; `change` alters the answer. */
  issue(body: string, reply: ServerResponse, change: (issued: Issued) => object = (issued) => issued): void {
    const { scopes, ttl = '1h' } = JSON.parse(body) as { scopes: string[]; ttl?: string };
    const life =
      Number.parseInt(ttl, 10) * { m: 60_000, h: 3_600_000, d: 86_400_000 }[ttl.slice(-1) as 'm' | 'h' | 'd'];
    const { id, keyString } = mintKeyString('test');
    const expiresAt = new Date(this.now().getTime() + life).toISOString();
    const issued = { id, name: `ci acme-app ${id}`, key: keyString, mode: 'test', scopes, expiresAt };
    this.keys.set(id, issued);
    this.made.push(issued);
    this.#used.set(this.#taken, id);
    reply.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(change(issued)));
  }

  /** Marks the ID token of a request as used. */
  take(call: IncomingMessage): void {
    this.#refusal(call.headers.authorization?.replace(/^Bearer /, '') ?? '', 'POST');
  }

  #refusal(token: string, method: string): Answer | null {
    const [head = '', claims = ''] = token.split('.');
    if (token === '') return problem(401, 'token_missing', 'send it as a bearer token');
    if (signed(`${head}.${claims}`) !== token) return problem(401, 'token_invalid', 'the signature does not fit');
    const { aud, jti } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { aud: string; jti: string };
    if (aud !== this.#url) return problem(401, 'token_invalid', `aud is ${aud}, the rule asks for ${this.#url}`);
    if (method === 'POST' && this.#used.has(jti))
      return problem(401, 'token_replayed', 'this token was used', {}, { keyId: this.#used.get(jti) });
    if (method === 'POST') this.#taken = jti;
    if (method === 'POST') this.#used.set(jti, '');
    return null;
  }

  /** As GitHub: `GET …&audience=…`, with the token of the runner. */
  #serveToken(call: IncomingMessage, reply: ServerResponse, token: string): void {
    if (token !== this.requestToken) return void reply.writeHead(401).end();
    this.giveToken(reply, new URL(call.url ?? '', this.#url).searchParams.get('audience') ?? '');
  }

  giveToken(reply: ServerResponse, audience = this.#url): void {
    const value = idToken(audience);
    reply.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ count: value.length, value }));
  }
}

/** Started, and stopped when the test ends. */
export function faultyIssuer(): Promise<FaultyIssuer> {
  return new FaultyIssuer().listen();
}
