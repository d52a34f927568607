// The thread of verifier/bcrypt-thread.ts: one comparison at a time. Plain JavaScript, because a worker is started from a file and the
// tests run the sources.
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';

parentPort.on('message', ([secret, stored]) => parentPort.postMessage(compareSync(secret, stored)));
