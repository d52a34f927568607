import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { certificate } from './certificate.js';
import { atEnd } from './lifetime.js';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

interface SigningKey extends KeyPair {
  readonly kid: string;
  readonly alg: string;
}

/** What a test may have the provider do wrong. */
export interface Misbehaviour {
  status?: number;
  body?: string;
  /** Accepts requests and never answers. */
  silent?: boolean;
  headers?: Record<string, string>;
}

export const AUDIENCE = 'https://keys.acme.example';

/** An OpenID Connect provider over TLS, with a certificate of its own and keys that rotate. */
export class OidcProvider {
  readonly issuer: string;
  readonly ca: string;
  readonly requests: string[] = [];
  /** By path; absent for an answer as it should be. */
  readonly wrong = new Map<string, Misbehaviour>();
  readonly discovery: Record<string, unknown>;
  #published: SigningKey[] = [];
  #tokens = 0;
  readonly close: () => void;

  private constructor(issuer: string, ca: string, close: () => void) {
    this.issuer = issuer;
    this.ca = ca;
    this.close = close;
    this.discovery = { issuer, jwks_uri: `${issuer}/.well-known/jwks` };
  }

  /** `path` becomes part of the issuer. */
  static async start(path = '', alg = 'ES256'): Promise<OidcProvider> {
    const { key, cert } = certificate('localhost');
    let provider: OidcProvider | undefined;
    const server = createServer({ key, cert }, async (request, reply) => {
      const found = await provider?.answer(request.url ?? '');
      if (!found) return;
      reply.writeHead(found.status, { 'content-type': 'application/json', ...found.headers }).end(found.body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const close = () => {
      server.closeAllConnections();
      server.close();
    };
    atEnd(close);
    provider = new OidcProvider(`https://localhost:${(server.address() as AddressInfo).port}${path}`, cert, close);
    await provider.rotate({ alg });
    return provider;
  }

  async answer(url: string): Promise<{ status: number; body: string; headers?: Record<string, string> } | null> {
    this.requests.push(url);
    const base = new URL(this.issuer).pathname.replace(/\/$/, '');
    const isDiscovery = url === `${base}/.well-known/openid-configuration`;
    const wrong = this.wrong.get(isDiscovery ? 'discovery' : 'jwks');
    if (wrong?.silent) return null;
    const right = isDiscovery ? this.discovery : { keys: await Promise.all(this.#published.map(published)) };
    return {
      status: wrong?.status ?? (isDiscovery || url === `${base}/.well-known/jwks` ? 200 : 404),
      body: wrong?.body ?? JSON.stringify(right),
      ...(wrong?.headers && { headers: wrong.headers }),
    };
  }

  get key(): SigningKey {
    return this.#published.at(-1) as SigningKey;
  }

  /** A new key, for the tokens from now on. `keep`: the earlier ones stay published. */
  async rotate({ alg = 'ES256', keep = true }: { alg?: string; keep?: boolean } = {}): Promise<SigningKey> {
    const pair = await generateKeyPair(alg, { extractable: true });
    const made = { ...pair, alg, kid: `key-${this.#published.length}-${Math.trunc(performance.now() * 1000)}` };
    this.#published = keep ? [...this.#published, made] : [made];
    return made;
  }

  /** A token with these claims; `undefined` leaves a claim out. Times are in seconds. */
  async token(claims: Readonly<Record<string, unknown>> = {}, { key = this.key, header = {} } = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    this.#tokens += 1;
    const standard = {
      iss: this.issuer,
      aud: AUDIENCE,
      sub: 'repo:acme/app:ref:refs/heads/main',
      iat: now,
      nbf: now,
      exp: now + 300,
      jti: `${this.issuer}-${this.#tokens}`,
    };
    return new SignJWT(JSON.parse(JSON.stringify({ ...standard, ...claims })))
      .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })
      .sign(key.privateKey);
  }
}

async function published({ publicKey, kid, alg }: SigningKey): Promise<object> {
  return { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
}
