// The thread of verifier/bcrypt-thread.ts: one job at a time. Plain JavaScript, because a worker is started from a file and the tests
// run the sources.
import { parentPort } from 'node:worker_threads';
import { compareSync, hashSync } from 'bcryptjs';

parentPort.on('message', ([secret, storedOrCost]) =>
  parentPort.postMessage(
    typeof storedOrCost === 'string' ? compareSync(secret, storedOrCost) : hashSync(secret, storedOrCost),
  ),
);
