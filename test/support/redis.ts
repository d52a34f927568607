import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import { scratch } from './stores.js';

/** A redis-server of its own, which ends with the test. */
export class RedisServer {
  readonly dir = scratch();
  readonly socket = path.join(this.dir, 'redis.sock');
  #child: ChildProcess | undefined;

  /** Starts it, and waits until it logs `awaited`. */
  async start(more: readonly string[] = [], awaited = 'ready to accept'): Promise<this> {
    const own = ['--port', '0', '--unixsocket', this.socket, '--dir', this.dir, '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', [...own, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    onTestFinished(() => void child.kill('SIGKILL'));
    let log = '';
    for await (const part of child.stdout ?? []) {
      log += String(part);
      if (log.includes(awaited)) return this;
    }
    throw new Error(`redis-server is gone: ${log}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(): Promise<void> {
    const gone = this.#child && once(this.#child, 'exit');
    this.signal('SIGKILL');
    await gone;
    rmSync(this.socket, { force: true });
  }

  /** With `enableReadyCheck` false it calls itself ready while the server is still loading. */
  client(enableReadyCheck = true): Redis {
    const settings = { path: this.socket, enableOfflineQueue: false, retryStrategy: () => 10, enableReadyCheck };
    const client = new Redis(settings);
    client.on('error', () => {});
    onTestFinished(() => client.disconnect());
    return client;
  }
}

/** Resolves when the client is connected; what it says of attempts that failed is no reason to give up, as `once` would. */
export function ready(client: Redis): Promise<void> {
  return new Promise((resolve) => {
    client.once('ready', () => resolve());
  });
}
