// One thread of the pool in hash-pool.ts: hashes its share of the secrets, one after another, and answers each as it is done.
// Plain JavaScript, because a worker is started from a file and the tests run the sources.
import { parentPort, workerData } from 'node:worker_threads';
import { hashSync } from 'bcryptjs';

for (const [index, secret] of workerData.secrets) {
  parentPort.postMessage([index, hashSync(secret, workerData.cost)]);
}
