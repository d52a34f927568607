import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { hashSecret } from './domain/secret-hash.js';

/** Below this many, starting threads costs more than it saves. */
const WORTH_THREADS = 4;

function hashInWorker(
  share: readonly (readonly [number, string])[],
  cost: number,
  hashes: string[],
  done: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./hash-worker.js', import.meta.url), { workerData: { secrets: share, cost } });
    let open = share.length;
    worker.on('message', ([index, hash]: [number, string]) => {
      hashes[index] = hash;
      open -= 1;
      done();
    });
    worker.on('error', reject);
    worker.on('exit', () => (open === 0 ? resolve() : reject(new Error('a hashing thread stopped early'))));
  });
}

/** Hashes secrets, in order, on every core. `progress` hears of each one done. */
export async function hashSecrets(
  secrets: readonly string[],
  cost: number,
  progress: (done: number) => void = () => {},
): Promise<string[]> {
  let finished = 0;
  const done = () => progress(++finished);
  if (secrets.length < WORTH_THREADS) {
    const hashes = secrets.map((secret) => hashSecret(secret, cost));
    for (const hash of hashes) hash.then(done, () => {});
    return Promise.all(hashes);
  }
  const threads = Math.min(availableParallelism(), secrets.length);
  const hashes = new Array<string>(secrets.length);
  const indexed = secrets.map((secret, index) => [index, secret] as const);
  await Promise.all(
    Array.from({ length: threads }, (_, thread) =>
      hashInWorker(
        indexed.filter(([index]) => index % threads === thread),
        cost,
        hashes,
        done,
      ),
    ),
  );
  return hashes;
}
