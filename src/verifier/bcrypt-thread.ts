import { Worker } from 'node:worker_threads';
import { hashSecret, secretMatches } from '../domain/secret-hash.js';

/** A comparison with a stored hash, or a new hash of some cost: what `prove-worker.js` answers is what `here` would. */
type Job = readonly [secret: string, storedOrCost: string | number];
type Answer = boolean | string;

interface Waiting {
  readonly job: Job;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

function here([secret, storedOrCost]: Job): Promise<Answer> {
  return typeof storedOrCost === 'string' ? secretMatches(secret, storedOrCost) : hashSecret(secret, storedOrCost);
}

/**
 * Runs bcrypt beside the main thread, one job at a time: on the main thread a few at once would stop an API server for seconds.
 * The thread is started by the first comparison, and keeps a process alive only while it is at work. Where none can be started, or one dies, comparisons are
 * made here, one after another still.
 */
export class BcryptThread {
  comparisons = 0;
  readonly #waiting: Waiting[] = [];
  #worker: Worker | null | undefined;
  #current: Waiting | undefined;
  #closed = false;

  async matches(secret: string, stored: string): Promise<boolean> {
    this.comparisons += 1;
    return (await this.#run([secret, stored])) === true;
  }

  async hash(secret: string, cost: number): Promise<string> {
    return String(await this.#run([secret, cost]));
  }

  #run(job: Job): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ job, resolve, reject });
      this.#next();
    });
  }

  #next(): void {
    if (this.#current) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#current = next;
    const worker = this.#thread();
    if (worker) {
      worker.ref(); // somebody waits for the answer
      worker.postMessage(next.job);
    } else here(next.job).then((answer) => this.#settle(answer), next.reject);
  }

  #settle(answer: Answer): void {
    const done = this.#current;
    this.#current = undefined;
    done?.resolve(answer);
    this.#next();
    if (!this.#current) this.#worker?.unref(); // an idle thread keeps no process alive
  }

  #thread(): Worker | null {
    if (this.#worker !== undefined) return this.#worker;
    try {
      const worker = new Worker(new URL('../prove-worker.js', import.meta.url));
      worker.on('message', (answer: Answer) => this.#settle(answer));
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
    if (open) here(open.job).then((answer) => this.#settle(answer), open.reject);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
    const left = [this.#current, ...this.#waiting.splice(0)];
    for (const each of left) if (each) here(each.job).then(each.resolve, each.reject);
  }
}
