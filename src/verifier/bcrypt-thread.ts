import { Worker } from 'node:worker_threads';
import { secretMatches } from '../domain/secret-hash.js';

interface Waiting {
  readonly secret: string;
  readonly stored: string;
  readonly resolve: (matches: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs bcrypt beside the main thread, one comparison at a time: on the main thread a few at once would stop an API server for seconds.
 * The thread is started by the first comparison, and keeps a process alive only while it is at work. Where none can be started, or one dies, comparisons are
 * made here, one after another still.
 */
export class BcryptThread {
  comparisons = 0;
  readonly #waiting: Waiting[] = [];
  #worker: Worker | null | undefined;
  #current: Waiting | undefined;
  #closed = false;

  matches(secret: string, stored: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ secret, stored, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#current = next;
    this.comparisons += 1;
    const worker = this.#thread();
    if (worker) {
      worker.ref(); // somebody waits for the answer
      worker.postMessage([next.secret, next.stored]);
    } else secretMatches(next.secret, next.stored).then((matches) => this.#settle(matches), next.reject);
  }

  #settle(matches: boolean): void {
    const done = this.#current;
    this.#current = undefined;
    done?.resolve(matches);
    this.#next();
    if (!this.#current) this.#worker?.unref(); // an idle thread keeps no process alive
  }

  #thread(): Worker | null {
    if (this.#worker !== undefined) return this.#worker;
    try {
      const worker = new Worker(new URL('../prove-worker.js', import.meta.url));
      worker.on('message', (matches: boolean) => this.#settle(matches));
      worker.on('error', () => this.#lost());
      worker.on('exit', () => this.#lost());
      this.#worker = worker;
    } catch {
      this.#worker = null;
    }
    return this.#worker;
  }

  /** What it was at is done here instead: no answer is made up for it. */
  #lost(): void {
    if (this.#worker === null || this.#closed) return;
    this.#worker = null;
    const open = this.#current;
    if (open) secretMatches(open.secret, open.stored).then((matches) => this.#settle(matches), open.reject);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
    const left = [this.#current, ...this.#waiting.splice(0)];
    for (const each of left) if (each) secretMatches(each.secret, each.stored).then(each.resolve, each.reject);
  }
}
