// A bcrypt thread. Each message is a job [secret, hash or cost]: with a hash it answers whether the secret matches, with a cost a new hash.
// Plain JavaScript, because a worker starts from a file, and the tests run the sources.
import { parentPort } from 'node:worker_threads';
import { compareSync, hashSync } from 'bcryptjs';

parentPort.on('message', ([secret, hashOrCost]) =>
  parentPort.postMessage(
    typeof hashOrCost === 'string' ? compareSync(secret, hashOrCost) : hashSync(secret, hashOrCost),
  ),
);
