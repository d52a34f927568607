import { Worker } from 'node:worker_threads';
import { hashSecret, secretMatches } from '../domain/secret-hash.js';
import { assetUrl } from '../files/asset.js';

/** Compare a secret with a hash, or hash it at a cost. */
type Job = readonly [secret: string, hashOrCost: string | number];
/** Whether the secret matches, or the new hash. */
type JobResult = boolean | string;

interface QueuedJob {
  readonly job: Job;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
}

/** The same work as in `bcrypt-worker.js`, in this thread. */
function runHere([secret, hashOrCost]: Job): Promise<JobResult> {
  return typeof hashOrCost === 'string' ? secretMatches(secret, hashOrCost) : hashSecret(secret, hashOrCost);
}

/**
 * Runs bcrypt in a worker thread, one job at a time. In the main thread, a few concurrent jobs would block an API server for seconds.
 * Comparisons go before hashes, however many of those wait: a request waits for a comparison, and for a new hash nobody.
 *
 * The first job starts the worker, which keeps the process alive only while a job runs. If the worker cannot start or dies, and once it was
 * closed, jobs run in the main thread instead, still one after another.
 */
export class BcryptThread {
  /** How many comparisons were requested. */
  comparisons = 0;
  /** Somebody waits for these. */
  readonly #proofs: QueuedJob[] = [];
  /** These run while no proof waits. */
  readonly #hashes: QueuedJob[] = [];
  #worker: Worker | null | undefined;
  #current: QueuedJob | undefined;

  /** Whether `secret` matches `hash`, a bcrypt hash. */
  async matches(secret: string, hash: string): Promise<boolean> {
    this.comparisons += 1;
    return (await this.#run(this.#proofs, [secret, hash])) === true;
  }

  /** Hashes `secret`. `cost` is bcrypt's: each step doubles the time. */
  async hash(secret: string, cost: number): Promise<string> {
    return String(await this.#run(this.#hashes, [secret, cost]));
  }

  #run(queue: QueuedJob[], job: Job): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      queue.push({ job, resolve, reject });
      this.#startNext();
    });
  }

  #startNext(): void {
    if (this.#current) return;
    const next = this.#proofs.shift() ?? this.#hashes.shift();
    if (!next) return;
    this.#current = next;
    const worker = this.#startWorker();
    if (worker) {
      worker.ref(); // a caller waits for the result
      worker.postMessage(next.job);
    } else this.#runCurrentHere(next);
  }

  #runCurrentHere({ job, resolve, reject }: QueuedJob): void {
    runHere(job).then(
      (result) => this.#finish(() => resolve(result)),
      (error) => this.#finish(() => reject(error)),
    );
  }

  #finish(report: () => void): void {
    this.#current = undefined;
    report();
    this.#startNext();
    if (!this.#current) this.#worker?.unref(); // an idle worker must not keep the process alive
  }

  #startWorker(): Worker | null {
    if (this.#worker !== undefined) return this.#worker;
    try {
      const worker = new Worker(assetUrl('hashing/bcrypt-worker.js'));
      worker.on('message', (result: JobResult) => {
        const done = this.#current;
        this.#finish(() => done?.resolve(result));
      });
      worker.on('error', () => this.#workerDied());
      worker.on('exit', () => this.#workerDied());
      this.#worker = worker;
    } catch {
      this.#worker = null;
    }
    return this.#worker;
  }

  /** Runs the interrupted job again, here. */
  #workerDied(): void {
    if (this.#worker === null) return;
    this.#worker = null;
    if (this.#current) this.#runCurrentHere(this.#current);
  }

  /** Stops the worker. Jobs that were requested before still get their result, and so do those that are requested later: here. */
  async close(): Promise<void> {
    const [worker, interrupted] = [this.#worker, this.#current];
    this.#worker = null;
    await worker?.terminate();
    if (worker && interrupted && interrupted === this.#current) this.#runCurrentHere(interrupted);
  }
}
